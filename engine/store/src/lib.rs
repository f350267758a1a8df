//! One target: versioned objects made durable by a write-ahead log.
//!
//! A pure state machine over devices: commands and IO completions go in, IO commands and replies come out. It never
//! blocks, reads no clock and starts no thread; the thread that owns the target does the IO.
//!
//! The way of one update: [`Store::submit`] runs its transaction on the arena at once, in the order of submission, and appends
//! the changed bytes to the open log group; large values become writes to the data role. [`Store::take_io`] gives the
//! commands, [`Store::complete`] takes their results, and the reply comes out of [`Store::take_reply`] after the flush.
//! Formats and the recovery are drawn in engine/docs/disk-format.md.

mod arena;
mod catalog;
mod census;
mod checkpoint;
mod command;
mod drive;
mod error;
mod extents;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod index;
pub mod inspect;
mod log;
mod prepared;
mod probe;
mod recovery;
mod scrubbing;
mod settings;
mod snapshots;
mod store;
mod superblock;
mod tree;

pub use checkpoint::meta_bytes_needed;
pub use command::{Command, ContainerUse, PoolSpace, Reply, Space, Token};
pub use drive::Driven;
pub use error::{FormatError, OpenError, Slice};
pub use health::{Damage, Event, Health, Recovery, Stats};
pub use probe::Probe;
pub use recovery::format;
pub use scrubbing::{ScrubMode, Scrubbing};
pub use settings::{ArenaMemory, Devices, Geometry, Identity, MIN_LIMIT_BYTES, Paging, Residence, Settings};
pub use snapshots::SNAPSHOTS_MOST;
pub use store::{Store, open};
pub use superblock::FORMAT_VERSION;
