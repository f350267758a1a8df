//! The vocabulary of the data path: what a client asks of one target and what comes back.
//!
//! The wire encodes these, the store executes them; neither has a second form. All offsets and lengths are bytes
//! (record size 1). Each operation is one transaction of its own, also when several travel in one frame.

use bytes::Bytes;

use crate::{Checksums, ContainerId, Epoch, Key, ObjectId, PoolId, Status};

/// Most entries one list reply carries.
pub const MAX_LIST_ENTRIES: u32 = 1024;

/// Which container an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The pool.
    pub pool: PoolId,
    /// The container in it.
    pub container: ContainerId,
}

/// The full name of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The object.
    pub object: ObjectId,
    /// Distribution key: decides the target.
    pub dkey: Key,
    /// Attribute key.
    pub akey: Key,
}

/// How an akey's value is written. An akey holds either a single value or an array, never both
/// ([`Status::Invalid`] for the other kind while one is there; a punch of the akey clears the kind).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Atomic, replaced as a whole.
    Single,
    /// Bytes of an array, written from `offset`.
    Array {
        /// First byte written. `offset` + length must not exceed 2^63.
        offset: u64,
    },
}

/// What to read of an akey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The single value.
    Single,
    /// Bytes of an array.
    Array {
        /// First byte wanted.
        offset: u64,
        /// How many, at most [`crate::MAX_VALUE_BYTES`].
        length: u64,
    },
}

/// A condition checked in the same transaction as the change it guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// None.
    #[default]
    Always,
    /// The akey must hold nothing, else [`Status::Exists`].
    Absent,
    /// The akey must hold something, else [`Status::Nonexistent`].
    Present,
}

/// What a punch removes, as seen from its epoch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A whole object.
    Object(ObjectId),
    /// A dkey with all its akeys.
    Dkey(ObjectId, Key),
    /// An akey with its value.
    Akey(Address),
    /// Bytes of an array; they read as a hole afterwards.
    Range {
        /// The array.
        address: Address,
        /// First byte.
        offset: u64,
        /// How many.
        length: u64,
    },
}

/// What a list walks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// The objects of the container that hold something.
    Objects,
    /// The dkeys of an object.
    Dkeys(ObjectId),
    /// The akeys of a dkey.
    Akeys(ObjectId, Key),
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Writes `data`.
    Update {
        /// Where.
        address: Address,
        /// As what.
        shape: Shape,
        /// Under which condition.
        condition: Condition,
        /// Checksums of `data`, made by whoever made the data, of the container's kind.
        checksums: Checksums,
        /// The bytes; 1 to [`crate::MAX_VALUE_BYTES`], a single value may also be empty.
        data: Bytes,
    },
    /// Reads.
    Fetch {
        /// From where.
        address: Address,
        /// What of it.
        selection: Selection,
        /// As of when; [`Epoch::MAX`] for the newest.
        epoch: Epoch,
    },
    /// Removes.
    Punch {
        /// What.
        scope: Scope,
        /// Under which condition; only for [`Scope::Akey`], otherwise `Always`.
        condition: Condition,
    },
    /// Lists names in byte order.
    List {
        /// Which.
        level: Level,
        /// Names strictly after this one; empty for the start. A stable anchor: the last name of the previous reply.
        after: Vec<u8>,
        /// At most this many, 1 to [`MAX_LIST_ENTRIES`].
        limit: u32,
        /// As of when.
        epoch: Epoch,
    },
    /// Asks for the size of an array: one past its last byte written and not punched.
    ArraySize {
        /// The array.
        address: Address,
        /// As of when.
        epoch: Epoch,
    },
}

/// A stretch of data in a fetch reply. What lies between segments is a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the array; 0 for a single value.
    pub offset: u64,
    /// Checksums of the bytes of this segment, chunked from its own start.
    pub checksums: Checksums,
    /// The bytes.
    pub data: Bytes,
}

/// What an operation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An update or punch is durable, at this epoch.
    Changed(Epoch),
    /// The data of a fetch, in ascending offset. A single value is exactly one segment; an array range without any
    /// byte gives none, an akey that holds nothing gives [`Status::Nonexistent`].
    Fetched(Vec<Segment>),
    /// Names of a list, ascending.
    Listed {
        /// Object ids as 16 big-endian bytes, keys as they are.
        names: Vec<Bytes>,
        /// True when there may be more after the last name.
        more: bool,
    },
    /// The size of an array.
    Size(u64),
}

/// An outcome, or why there is none.
pub type Answer = Result<Outcome, Status>;
