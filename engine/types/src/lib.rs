//! Identifiers, epochs, sizes, labels and error names shared by every room of the engine.
//!
//! Pure values: no IO, no clock, no async. A type here has one meaning on the command line, on the wire and on disk;
//! its `Display` and `FromStr` are the form people type and read.

mod checksum;
mod epoch;
mod fault;
mod id;
mod key;
mod label;
mod operation;
mod size;
mod status;

pub use checksum::{
    CHECKSUM_CHUNK_BYTES, ChecksumKind, ChecksumSlice, Checksums, MAX_CHECKSUM_BYTES, UnknownChecksumKind,
};
pub use epoch::{Clock, Epoch};
pub use fault::{Fault, Name as FaultName};
pub use id::{ContainerId, ObjectId, ParseObjectIdError, PoolId, Rank, TargetIndex, TransactionId};
pub use key::{Key, KeyError, KeyKind, MAX_KEY_BYTES, MAX_VALUE_BYTES};
pub use label::{Label, LabelError, Reference};
pub use operation::{
    Address, Answer, Condition, Depth, End, Level, MAX_LIST_ENTRIES, Operation, Outcome, Place, Scope, Segment,
    Selection, Shape, Stretch,
};
pub use size::{ParseSizeError, Size};
pub use status::Status;
