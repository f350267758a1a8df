//! What a target is asked to do and what it answers.

use types::{Answer, ChecksumKind, ContainerId, Epoch, Operation, Place, PoolId, Status};

/// Chosen by the caller, echoed with the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Work for a target. Every change is one transaction: after a crash it is there as a whole or not at all, and once
/// its reply was given it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A data operation in a container.
    Operate {
        /// The container.
        place: Place,
        /// The operation.
        operation: Operation,
    },
    /// Adds a pool and promises it space on this target. The same pool with the same space again succeeds.
    PoolCreate {
        /// The pool.
        pool: PoolId,
        /// Promised arena bytes.
        scm_bytes: u64,
        /// Promised data-role bytes.
        data_bytes: u64,
    },
    /// Removes a pool with everything in it. A pool that is not there succeeds.
    PoolDestroy(PoolId),
    /// Lists the pools.
    PoolList,
    /// Space of one pool.
    PoolQuery(PoolId),
    /// Adds a container whose values have checksums of this kind. The same container with the same kind again succeeds.
    ContainerCreate(Place, ChecksumKind),
    /// Removes a container with everything in it. One that is not there succeeds.
    ContainerDestroy(Place),
    /// Lists the containers of a pool.
    ContainerList(PoolId),
    /// Bytes a container uses (arena and data), and what it was made with.
    ContainerQuery(Place),
    /// Space of the whole target.
    SpaceQuery,
    /// Checkpoints and answers when all that was acknowledged needs no log to be read back.
    Checkpoint,
}

/// Space of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Arena bytes.
    pub scm_total: u64,
    /// Arena bytes not promised to a pool.
    pub scm_free: u64,
    /// Data-role bytes.
    pub data_total: u64,
    /// Data-role bytes not promised to a pool.
    pub data_free: u64,
    /// Bytes of the meta role.
    pub meta_total: u64,
    /// Bytes of the wal role.
    pub wal_total: u64,
}

/// Space of a pool on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolSpace {
    /// Promised arena bytes.
    pub scm_total: u64,
    /// Of which unused.
    pub scm_free: u64,
    /// Promised data-role bytes.
    pub data_total: u64,
    /// Of which unused.
    pub data_free: u64,
}

/// What a container has on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContainerUse {
    /// Arena bytes.
    pub scm_bytes: u64,
    /// Data-role bytes.
    pub data_bytes: u64,
    /// The first epoch as of which it can be read; zero while nothing of its history is gone.
    pub history_from: Epoch,
    /// The kind of its checksums.
    pub checksum_kind: ChecksumKind,
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To `Operate`.
    Operated(Answer),
    /// To a create, destroy or checkpoint: done and durable, or refused.
    Done(Result<(), Status>),
    /// To `PoolList`.
    Pools(Vec<PoolId>),
    /// To `PoolQuery`.
    PoolSpace(Result<PoolSpace, Status>),
    /// To `ContainerList`.
    Containers(Result<Vec<ContainerId>, Status>),
    /// To `ContainerQuery`.
    ContainerUsed(Result<ContainerUse, Status>),
    /// To `SpaceQuery`.
    Space(Space),
}
