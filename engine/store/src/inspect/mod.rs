//! The offline check of a stopped target, and the dump of its structures. Nothing is ever written.
//!
//! The check does not trust what it reads and does not stop at the first fault: it goes through labels (`label`), superblocks
//! (`superblocks`), page map and page images (`map`) and the log (`log`), rebuilds the arena from them (`image`) and walks all
//! of it (`catalog`, `container`, `values`, `space`, `memory`, over `tree` and `node`). What it says is a [`Finding`] each.
//! The forms are those of engine/docs/disk-format.md.

mod catalog;
mod container;
mod dump;
mod finding;
mod image;
mod key;
mod label;
mod log;
mod map;
mod memory;
mod node;
mod prepared;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod sample;
mod space;
mod superblocks;
mod tree;
mod values;

pub use dump::{DumpError, Item, Sink, Structure, Value, dump_target};
pub use finding::{Advice, Finding, Findings, Place, Severity};
pub use label::{LabelCopies, check_label};

use media::Role;
use types::Epoch;

use crate::checkpoint::{Layout, meta_bytes_least};
use crate::settings::{Devices, Identity};
use crate::superblock::fragment;
use catalog::check_header;
use container::Tally;
use finding::{CRASH, MISMATCH};
use image::Image;
use memory::Memory;
use superblocks::Refused;
use tree::Walker;

/// What is to be checked beyond the structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckOptions {
    /// Every value in the data slice against its checksums.
    pub data: bool,
}

/// What a check went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// The version of a target that another release wrote. Nothing was checked then, and there are no findings.
    pub other_version: Option<u32>,
    /// Generation of the superblock that counts.
    pub generation: u64,
    /// Page images checked.
    pub pages: u64,
    /// Log groups that a start would replay.
    pub groups: u64,
    /// Bytes of log they take.
    pub log_bytes: u64,
    /// The largest epoch.
    pub last_epoch: Epoch,
    /// Pools, dying ones not counted.
    pub pools: u64,
    /// Containers, dying ones not counted.
    pub containers: u64,
    /// Records of all indexes.
    pub records: u64,
    /// Values and extents among them.
    pub values: u64,
    /// Bytes of the data slice whose checksums were compared.
    pub data_bytes_checked: u64,
}

/// Checks one target. `identity` and `arena_bytes` are what the labels say, where they can be read. The devices are only read.
pub fn check_target(
    devices: &mut Devices,
    identity: Option<&Identity>,
    arena_bytes: Option<u64>,
    options: CheckOptions,
    findings: &mut Findings,
) -> Summary {
    let mut summary = Summary::default();
    let superblocks = match superblocks::read(&mut *devices.meta, findings) {
        Ok(superblocks) => superblocks,
        Err(Refused::Lost) => return summary,
        Err(Refused::OtherVersion(version)) => {
            summary.other_version = Some(version);
            return summary;
        }
    };
    let superblock = *superblocks.current();
    summary.generation = superblock.generation;
    let found = devices.geometry(arena_bytes.unwrap_or(superblock.geometry.arena_bytes));
    superblocks::compare(&superblocks, identity, &found, findings);
    let geometry = superblock.geometry;
    let Some(layout) = Layout::new(geometry.arena_bytes, geometry.meta_bytes) else {
        let text = format!(
            "the superblock says {} bytes of meta slice, an arena of {} needs {}",
            geometry.meta_bytes,
            geometry.arena_bytes,
            meta_bytes_least(geometry.arena_bytes)
        );
        findings.add(Place::Slice(Role::Meta, 0), MISMATCH, text);
        return summary;
    };
    let fragment = fragment(&superblock.identity);
    let map = map::read(&mut *devices.meta, layout, fragment, &superblock, findings);
    summary.pages = map::check_images(&mut *devices.meta, &map, findings);
    let mut image = Image::over_slots(geometry.arena_bytes, &mut *devices.meta, &map);
    let (wal, data) = (&mut *devices.wal, &mut *devices.data);
    let log = log::replay(wal, data, fragment, &superblock, &mut image, findings, &mut |_| {});
    (summary.groups, summary.log_bytes, summary.last_epoch) = (log.groups, log.bytes, log.last_epoch);
    if superblock.generation == 1 && log.groups == 0 {
        findings.add(Place::Slice(Role::Meta, 0), CRASH, "the target was formatted and never started");
        return summary;
    }
    let data = options.data.then_some(data);
    check_arena(&image, &superblock.identity, data, &mut summary, findings);
    summary
}

/// Checks any bytes as an arena.
#[cfg(feature = "fuzzing")]
pub(crate) fn walk_arena(bytes: &[u8], findings: &mut Findings) {
    let mut summary = Summary { last_epoch: Epoch::MAX, ..Summary::default() };
    check_arena(&Image::over_bytes(bytes), &sample::IDENTITY, None, &mut summary, findings);
}

/// Reads any bytes as a prepared transaction: what is read, is as long as what was given.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_prepared(bytes: &[u8]) {
    let key = [crate::catalog::PREPARED; 17];
    let leaf = tree::Leaf { value_at: 0, place: Place::Arena(0), key: &key, value: bytes };
    if let Some(Ok(found)) = prepared::parse(&leaf) {
        let changes: usize = found.changes.iter().map(|change| 8 + change.key.len() + change.record.len()).sum();
        assert_eq!(28 + changes, bytes.len());
    }
}

/// Reads any bytes as a key of an index, and shows it.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_key(bytes: &[u8]) {
    if let Ok(key) = key::Key::parse(bytes) {
        assert!(!key.to_string().is_empty());
    }
}

/// Checks everything in an arena.
fn check_arena(
    image: &Image<'_>,
    identity: &Identity,
    data: Option<&mut (dyn media::Device + 'static)>,
    summary: &mut Summary,
    findings: &mut Findings,
) {
    if !check_header(image, identity, findings) {
        return;
    }
    let mut memory = Memory::new(image);
    let mut whole = true;
    let mut shares = Vec::new();
    let mut walker = Walker { image, memory: &mut memory, findings, whole: &mut whole };
    catalog::check(&mut walker, &mut Tally { data, shares: &mut shares, summary });
    space::check(&mut walker, shares);
    memory.settle(image, whole, findings);
}

#[cfg(test)]
mod tests;
