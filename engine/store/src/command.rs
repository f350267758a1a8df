//! What a target is asked to do and what it answers.

use crate::scrubbing::Scrubbing;
use types::{Answer, ChecksumKind, ContainerId, Epoch, ObjectId, Operation, Place, PoolId, Status, TransactionId};

/// Chosen by the caller, echoed with the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Work for a target. Every change but [`Command::Discard`] is one transaction: after a crash it is there as a whole or not at all, and
/// once its reply was given it is there.
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
    /// Says how the values of a pool are scrubbed; a new pool's are not.
    PoolScrub(PoolId, Scrubbing),
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
    /// Keeps the view of a container as of `epoch` until the snapshot is removed: every later change gets a later epoch. One that is
    /// there succeeds. [`Status::Restart`] when that history is partly gone, [`Status::ClockSkew`] for an epoch ahead of the clock.
    SnapshotAdd {
        /// The container.
        place: Place,
        /// As of when.
        epoch: Epoch,
    },
    /// Lets a snapshot go. One that is not there succeeds.
    SnapshotRemove {
        /// The container.
        place: Place,
        /// As of when.
        epoch: Epoch,
    },
    /// Lists the snapshots of a container, oldest first.
    SnapshotList(Place),
    /// Makes changes durable that nobody sees before they are committed. All or none of them; their conditions are checked now, and
    /// until it is resolved changes of the same objects, dkeys or akeys are refused with [`Status::Busy`]. The same again succeeds.
    Prepare {
        /// Its name, never used twice.
        transaction: TransactionId,
        /// The container.
        place: Place,
        /// Updates and punches, no two of the same akey except of separate stretches of an array.
        operations: Vec<Operation>,
    },
    /// Makes the changes of a prepared transaction visible, at the epoch it was prepared at. [`Status::Nonexistent`] when it is not
    /// there: it was resolved before.
    Commit(TransactionId),
    /// Drops a prepared transaction. One that is not there succeeds.
    Abort(TransactionId),
    /// Lists the prepared transactions, to resolve them after a restart.
    PreparedList,
    /// Removes whatever a container, or an object in it, was given from `from` to `to`, both included, as if it had never been. It is
    /// done in steps, so a crash may leave a part; the same again finishes it. [`Status::Restart`] unless all history from just before
    /// `from` on is there.
    Discard {
        /// The container.
        place: Place,
        /// Only this object.
        object: Option<ObjectId>,
        /// First epoch.
        from: Epoch,
        /// Last epoch.
        to: Epoch,
    },
    /// Merges the history up to an epoch now, instead of when it is due: afterwards only reads of that epoch or later, and of snapshots,
    /// are served. Answered when it is done.
    Aggregate(Epoch),
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
    /// The target's hybrid time: nothing acknowledged so far has a later epoch, and as of it all history is there.
    pub newest: Epoch,
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
    /// To `SnapshotList`.
    Snapshots(Result<Vec<Epoch>, Status>),
    /// To `Prepare`: the epoch that its changes will have.
    Prepared(Result<Epoch, Status>),
    /// To `PreparedList`: name, container, epoch.
    PreparedTransactions(Vec<(TransactionId, Place, Epoch)>),
    /// To `SpaceQuery`.
    Space(Space),
}
