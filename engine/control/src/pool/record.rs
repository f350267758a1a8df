//! A pool as the management service knows it.

use serde::{Deserialize, Serialize};
use types::{Label, PoolId, Rank};

/// Where a pool is in its life. Creating and Destroying are durable before the engines are asked, so that a crash in
/// between is found and finished at the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Its engines are being asked; nobody was told that it exists.
    Creating,
    /// It exists.
    Ready,
    /// Its engines are being asked to remove it.
    Destroying,
}

impl State {
    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Creating => "Creating",
            State::Ready => "Ready",
            State::Destroying => "Destroying",
        }
    }
}

/// How a pool is to be destroyed; kept so that an interrupted destroy goes on as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroy {
    /// Also when clients use it.
    pub force: bool,
    /// Also when it has containers.
    pub recursive: bool,
}

/// A pool's durable record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// UUID.
    pub uuid: PoolId,
    /// Label, unique among pools.
    pub label: Label,
    /// Ranks with shards, ascending.
    pub ranks: Vec<Rank>,
    /// Rank of the pool service.
    pub service_rank: Rank,
    /// State.
    pub state: State,
    /// Bytes of SCM per rank.
    pub scm_bytes: u64,
    /// Bytes of NVMe per rank.
    pub nvme_bytes: u64,
    /// Metadata is kept on SSD.
    pub metadata_on_ssd: bool,
    /// In state Destroying: how.
    #[serde(default)]
    pub destroy: Option<Destroy>,
}
