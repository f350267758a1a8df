//! What the pool service stands on: this rank's targets, the other ranks, and who is in the system.

use std::future::Future;

use bytes::Bytes;
use store::{Command, Reply};
use types::{Rank, Status};
use wire::fault::Failure;
use wire::proto::mgmt::GroupMember;
use wire::proto::service::Method;

/// The targets of this rank.
pub trait Targets: Send + Sync {
    /// How many.
    fn count(&self) -> u32;
    /// True when a target takes no changes any more; only a restart of the engine mends that.
    fn is_dead(&self, target: u32) -> bool;
    /// Memory that so many bytes of metadata of a pool may use: less when the engine's metadata is larger than its memory.
    fn memory_bytes(&self, scm_bytes: u64) -> u64;
    /// Runs a command on one target. An error means that the target could not be asked.
    fn call(&self, target: u32, command: Command) -> impl Future<Output = Result<Reply, Status>> + Send;
}

/// The services of other ranks.
pub trait Peers: Send + Sync {
    /// Calls a method of the service at `member`, body and result as in proto/service.proto.
    fn call(
        &self,
        member: &GroupMember,
        method: Method,
        body: Bytes,
    ) -> impl Future<Output = Result<Bytes, Failure>> + Send;
}

/// Who is in the system, as the management service last said.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Of the list; an older one is ignored.
    pub version: u32,
    /// Members by ascending rank.
    pub members: Vec<GroupMember>,
}

impl Group {
    /// The member with this rank.
    pub fn member(&self, rank: Rank) -> Result<GroupMember, Failure> {
        self.members.iter().find(|member| member.rank == rank.0).cloned().ok_or_else(|| {
            Failure::new(Status::Unreachable, format!("rank {rank} is not a member of the system"))
                .with_resolution("start the engine of that rank, and check `dmg system query`")
        })
    }
}
