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
        /// Bytes of one record, at least 1. The first write to an array fixes it; later writes must give the same, and every offset
        /// and length in the array must be a multiple of it ([`Status::Invalid`] otherwise). A punch of the akey clears it.
        record_bytes: u32,
    },
}

impl Shape {
    /// An array of bytes, written from `offset`.
    pub const fn array(offset: u64) -> Shape {
        Shape::Array { offset, record_bytes: 1 }
    }
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
    /// The akey must hold something, else [`Status::Nonexistent`]. In a punch: what is punched must.
    Present,
    /// The dkey must hold nothing, else [`Status::Exists`].
    DkeyAbsent,
    /// The dkey must hold something, else [`Status::Nonexistent`].
    DkeyPresent,
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

/// How far down a [`Operation::QueryKey`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// For a dkey.
    Dkey,
    /// For an akey.
    Akey,
    /// For a stretch of an array.
    Extent,
}

/// Which end a [`Operation::QueryKey`] looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The smallest.
    First,
    /// The largest.
    Last,
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
        /// Under which condition: any for [`Scope::Akey`], `Always` or `Present` for an object or dkey, `Always` for a range.
        condition: Condition,
    },
    /// Lists names in their order ([`crate::KeyKind`]).
    List {
        /// Which.
        level: Level,
        /// Names strictly after this one; empty for the start. A stable anchor: the last name of the previous reply, also when that
        /// name is gone by now.
        after: Vec<u8>,
        /// At most this many, 1 to [`MAX_LIST_ENTRIES`].
        limit: u32,
        /// As of when.
        epoch: Epoch,
    },
    /// Lists the visible stretches of an array, ascending.
    Extents {
        /// The array.
        address: Address,
        /// Stretches that end after this byte, the first cut to start at it. A stable anchor: the end of the last stretch of the
        /// previous reply.
        from: u64,
        /// At most this many, 1 to [`MAX_LIST_ENTRIES`].
        limit: u32,
        /// As of when.
        epoch: Epoch,
    },
    /// Asks for the first or last dkey, akey or stretch that is there. What is given is taken as it is; what is not given is looked
    /// for, and must be of an ordered kind ([`crate::KeyKind`]), else [`Status::Invalid`].
    QueryKey {
        /// The object.
        object: ObjectId,
        /// In this dkey; without, the first or last one that has what is asked for.
        dkey: Option<Key>,
        /// In this akey; without, the first or last one that has what is asked for. Only with [`Depth::Extent`].
        akey: Option<Key>,
        /// What is asked for.
        depth: Depth,
        /// Which end.
        end: End,
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

impl Operation {
    /// True when it may change what the container holds.
    pub fn is_change(&self) -> bool {
        match self {
            Operation::Update { .. } | Operation::Punch { .. } => true,
            Operation::Fetch { .. }
            | Operation::List { .. }
            | Operation::Extents { .. }
            | Operation::QueryKey { .. }
            | Operation::ArraySize { .. } => false,
        }
    }
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

/// A visible stretch of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// First byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
    /// When it was written.
    pub epoch: Epoch,
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
    /// Stretches of an array, ascending.
    Extents {
        /// Bytes of one record of the array.
        record_bytes: u32,
        /// The stretches. Two that touch differ in their epoch or in the extent they come from.
        stretches: Vec<Stretch>,
        /// True when there may be more after the last one.
        more: bool,
    },
    /// What a [`Operation::QueryKey`] looked for and found; what was given or not asked for is `None`. When nothing is there the
    /// answer is [`Status::Nonexistent`].
    Found {
        /// The dkey.
        dkey: Option<Bytes>,
        /// The akey.
        akey: Option<Bytes>,
        /// The stretch.
        stretch: Option<Stretch>,
    },
}

/// An outcome, or why there is none.
pub type Answer = Result<Outcome, Status>;
