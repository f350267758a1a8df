//! The index of a container: one tree of versioned records, read as of an epoch.
//!
//! `key` and `record` are the form, `view` what is visible, `array` how extents overlap, `list` the names, `change` the
//! transactions of updates and punches.

mod array;
mod change;
mod key;
mod list;
mod record;
mod view;

pub(crate) use array::{overlapping, resolve, size as array_size};
pub(crate) use change::{Written, punch, update};
pub(crate) use key::{IndexKey, PUNCHED, SINGLE, TOMBSTONE, WRITTEN, epoch_of, level_of};
pub(crate) use list::list;
pub(crate) use record::{DATA_THRESHOLD, DataPart, Record};
pub(crate) use view::{Held, Piece, Source, View};
