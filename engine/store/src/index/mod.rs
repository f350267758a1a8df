//! The index of a container: one tree of versioned records, read as of an epoch.
//!
//! `key` and `record` are the form, `view` what is visible, `array` how extents overlap, `list` the names, `query` the first and last
//! of them and the stretches of arrays, `change` the transactions of updates and punches.

mod array;
mod change;
mod key;
mod list;
mod query;
mod record;
mod view;

pub(crate) use array::{ARRAY_END, hole_matters, resolve, size as array_size};
pub(crate) use change::{Refusal, Staged, enter, put, stage_extent, stage_punch, stage_update};
pub(crate) use key::{
    IndexKey, OBJECT_BYTES, PUNCHED, RECORD_SIZE, SINGLE, TOMBSTONE, WRITTEN, address_of, class_of, epoch_of, kind_of,
    level_of, levels_of, prefix_of, scope_of,
};
pub(crate) use list::{Names, list};
pub(crate) use query::{Query, extents};
pub(crate) use record::{DATA_THRESHOLD, DataPart, Record, damaged_tag, is_counted};
pub(crate) use view::{Held, InlineDamage, Piece, Source, View};
