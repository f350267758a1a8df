//! Formatting a target, and reading one back: superblock and pages, then the log.

mod format;
mod pages;
mod replay;

pub use format::format;

use media::{BLOCK_BYTES, Buffer, Device, Role};

use crate::arena::{Arena, FaultCause, Need, PAGE_BYTES, PageFault, PageMap, header};
use crate::catalog::CATALOG;
use crate::checkpoint::{Checkpoint, Layout, meta_bytes_least};
use crate::error::{OpenError, Slice};
use crate::extents;
use crate::health::Recovery;
use crate::log::Ring;
use crate::settings::{Devices, Geometry, Identity, MIN_LIMIT_BYTES, Residence};
use crate::superblock::fragment;

use pages::{Map, check_sizes, erase, free_slots, read_map, read_pages, read_superblock};
use replay::Replay;

/// Bytes of one blocking read or write.
const TRANSFER_BYTES: usize = 1 << 20;

/// What recovery hands to the store.
pub(crate) struct Recovered {
    pub(crate) arena: Arena,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) ring: Ring,
    /// Sequence of the next group.
    pub(crate) sequence: u64,
    pub(crate) geometry: Geometry,
    pub(crate) report: Recovery,
}

/// Reads the target back. Ends with a group of its own in the log, which proves that everything before it is durable and takes the
/// place of anything unfinished.
pub(crate) fn recover(devices: &mut Devices, identity: Identity, memory: Residence) -> Result<Recovered, OpenError> {
    check_limit(&memory)?;
    let mut report = Recovery::default();
    let (superblock, copy) = read_superblock(&mut *devices.meta, &identity)?;
    check_sizes(&superblock.geometry, &devices.geometry(memory.length()))?;
    // What a killed process wrote but did not flush may be read below; it must be durable before it is relied on.
    for (role, device) in
        [(Role::Meta, &mut devices.meta), (Role::Wal, &mut devices.wal), (Role::Data, &mut devices.data)]
    {
        device.flush().map_err(|source| OpenError::Io { slice: Slice(role), offset: 0, source })?;
    }
    let fragment = fragment(&identity);
    let geometry = superblock.geometry;
    let layout = Layout::new(geometry.arena_bytes, geometry.meta_bytes).ok_or_else(|| OpenError::WrongSize {
        what: "meta slice",
        found: geometry.meta_bytes,
        expected: meta_bytes_least(geometry.arena_bytes),
    })?;
    let mut arena = Arena::new(memory);
    let Map { entries, chunks, unfinished } = read_map(&mut *devices.meta, &layout, fragment, &superblock)?;
    let free = free_slots(&layout, &entries)?;
    if arena.is_whole() {
        report.pages = read_pages(&mut *devices.meta, &layout, &entries, &mut arena)?;
    }
    arena.set_map(PageMap { layout, entries });
    let checkpoint = Checkpoint::new(fragment, (superblock, copy), chunks, free);
    report.last_epoch = superblock.last_epoch;
    let mut replay = Replay {
        fragment,
        ring: Ring {
            blocks: geometry.wal_bytes / BLOCK_BYTES as u64,
            head: superblock.tail_block,
            tail: superblock.tail_block,
        },
        sequence: superblock.tail_sequence,
        report,
        sealed: true,
    };
    if replay.ring.head >= replay.ring.blocks {
        return Err(damaged(
            Role::Meta,
            u64::from(copy) * BLOCK_BYTES as u64,
            "the log's tail lies outside of the log",
        ));
    }
    replay.run(devices, &mut arena)?;
    if let Some(found) = header::other_version(&arena) {
        let (structure, place, offset, known) = ("header", "arena", header::VERSION_AT, header::VERSION);
        return Err(OpenError::Version { structure, place, offset, found, known });
    }
    let virgin = superblock.generation == 1 && replay.report.groups == 0;
    let mut redo = Vec::new();
    let records = match header::fault(&arena, &identity) {
        None => 0,
        Some(_) if virgin => initialise(&mut arena, &identity, geometry.data_bytes, &mut redo)?,
        Some((offset, reason)) => return Err(OpenError::Arena { offset, reason }),
    };
    check_roots(&arena)?;
    erase(&mut *devices.meta, &unfinished)?;
    replay.close(&mut *devices.wal, records, &redo)?;
    let Replay { ring, sequence, report, .. } = replay;
    Ok(Recovered { arena, checkpoint, ring, sequence, geometry, report })
}

fn check_limit(memory: &Residence) -> Result<(), OpenError> {
    match memory {
        Residence::Paged(paging) if paging.limit_bytes < MIN_LIMIT_BYTES => {
            Err(OpenError::LittleMemory { bytes: paging.limit_bytes, least: MIN_LIMIT_BYTES })
        }
        _ => Ok(()),
    }
}

/// A page that could not be brought in while the target was opened.
pub(crate) fn not_opened(fault: PageFault) -> OpenError {
    let reason = fault.reason();
    match fault.cause {
        FaultCause::Io(source) => OpenError::Io { slice: Slice(Role::Meta), offset: fault.offset, source },
        FaultCause::Checksum => damaged(Role::Meta, fault.offset, reason),
    }
}

fn damaged(role: Role, offset: u64, reason: impl Into<String>) -> OpenError {
    OpenError::Damaged { slice: Slice(role), offset, reason: reason.into() }
}

fn read(device: &mut dyn Device, role: Role, offset: u64, buffer: &mut Buffer) -> Result<(), OpenError> {
    device.read(offset, buffer).map_err(|source| OpenError::Io { slice: Slice(role), offset, source })
}

fn write(device: &mut dyn Device, role: Role, offset: u64, buffer: &Buffer) -> Result<(), OpenError> {
    device.write(offset, buffer).map_err(|source| OpenError::Io { slice: Slice(role), offset, source })
}

/// Builds the arena of a target that was just formatted.
fn initialise(arena: &mut Arena, identity: &Identity, data_bytes: u64, redo: &mut Vec<u8>) -> Result<u32, OpenError> {
    arena.begin(Need::Sure);
    header::initialise(arena, identity);
    let filled = extents::initialise(arena, data_bytes / BLOCK_BYTES as u64);
    filled.map_err(|_| OpenError::Arena { offset: 0, reason: String::from("it is too small for its own trees") })?;
    Ok(arena.commit(redo))
}

/// Roots outside of the arena would stop the target at the first look at them; better now, with a reason.
fn check_roots(arena: &Arena) -> Result<(), OpenError> {
    for tree in [CATALOG, extents::BY_OFFSET, extents::BY_LENGTH, extents::LIMBO] {
        let root = tree.root(arena);
        if !root.is_multiple_of(PAGE_BYTES) || root >= arena.length() {
            let reason = format!("the root pointer {root} is not a page of it");
            return Err(OpenError::Arena { offset: tree.root_at, reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
