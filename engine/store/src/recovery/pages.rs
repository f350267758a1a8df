//! Reading a checkpoint back: superblock, page map, page images.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer, Device, Role};

use super::{TRANSFER_BYTES, damaged, read, write};
use crate::arena::{Arena, DirtyPages, PAGE_BYTES};
use crate::checkpoint::{self, CHUNK_ENTRIES, Chunk, Layout, MapEntry, NO_SLOT, chunk_version, decode_chunk, digest};
use crate::error::{OpenError, Slice};
use crate::probe::Probe;
use crate::settings::{Geometry, Identity};
use crate::superblock::{FORMAT_VERSION, Fault, Superblock};

/// The newest valid superblock, and which copy it is.
pub(super) fn read_superblock(meta: &mut dyn Device, identity: &Identity) -> Result<(Superblock, u8), OpenError> {
    let mut found = Vec::new();
    let mut reasons = Vec::new();
    for copy in 0..2u8 {
        let offset = u64::from(copy) * BLOCK_BYTES as u64;
        let mut block = Buffer::zeroed(BLOCK_BYTES);
        read(meta, Role::Meta, offset, &mut block)?;
        match Superblock::decode(&block) {
            Ok(superblock) if superblock.identity != *identity => {
                let name = |identity: &Identity| format!("target {} of engine {}", identity.target, identity.engine);
                let (found, expected) = (name(&superblock.identity), name(identity));
                return Err(OpenError::WrongIdentity { offset, found, expected });
            }
            Ok(superblock) => found.push((superblock, copy)),
            Err(Fault::Version(found)) => {
                let (structure, place, known) = ("superblock", "meta slice", FORMAT_VERSION);
                return Err(OpenError::Version { structure, place, offset, found, known });
            }
            Err(fault) => reasons.push(fault.to_string()),
        }
    }
    if found.len() == 1 {
        Probe::OneSuperblock.hit();
    }
    let newest = found.into_iter().max_by_key(|(superblock, _)| superblock.generation);
    newest.ok_or_else(|| {
        let mut reasons = reasons.into_iter();
        let mut next = || reasons.next().unwrap_or_default();
        OpenError::NoSuperblock { first: next(), second: next() }
    })
}

pub(super) fn check_sizes(expected: &Geometry, found: &Geometry) -> Result<(), OpenError> {
    for (what, found, expected) in [
        ("arena", found.arena_bytes, expected.arena_bytes),
        ("wal slice", found.wal_bytes, expected.wal_bytes),
        ("meta slice", found.meta_bytes, expected.meta_bytes),
        ("data slice", found.data_bytes, expected.data_bytes),
    ] {
        if found != expected {
            return Err(OpenError::WrongSize { what, found, expected });
        }
    }
    Ok(())
}

/// The page map as read.
pub(super) struct Map {
    pub(super) entries: Vec<MapEntry>,
    /// Version and copy of each chunk.
    pub(super) chunks: Vec<(u64, u8)>,
    /// Bytes of the meta slice where versions newer than the superblock lie.
    pub(super) unfinished: Vec<u64>,
}

/// The current version of every chunk.
pub(super) fn read_map(
    meta: &mut dyn Device,
    layout: &Layout,
    fragment: u64,
    superblock: &Superblock,
) -> Result<Map, OpenError> {
    let mut entries = Vec::with_capacity(layout.pages as usize);
    let mut chunks = Vec::with_capacity(layout.chunks as usize);
    let mut unfinished = Vec::new();
    let mut sum = 0u64;
    let mut suspect = None;
    for index in 0..layout.chunks {
        let count = layout.chunk_pages(index).count();
        let mut current: Option<(Chunk, u8)> = None;
        for copy in 0..2u8 {
            let offset = layout.chunk_offset(index, copy);
            let mut block = Buffer::zeroed(BLOCK_BYTES);
            read(meta, Role::Meta, offset, &mut block)?;
            match decode_chunk(&block, fragment, index, count) {
                Some(chunk) if chunk.generation > superblock.generation => unfinished.push(offset),
                Some(chunk) if current.as_ref().is_none_or(|(best, _)| best.generation < chunk.generation) => {
                    current = Some((chunk, copy));
                }
                Some(_) => {}
                None if block.iter().any(|&byte| byte != 0) => {
                    refuse_other_version(&block, fragment, offset)?;
                    suspect = suspect.or(Some(offset));
                }
                None => {}
            }
        }
        let never = || (Chunk { generation: 0, entries: vec![MapEntry::EMPTY; count] }, 1);
        let (chunk, copy) = current.unwrap_or_else(never);
        sum = sum.wrapping_add(digest(index, chunk.generation));
        chunks.push((chunk.generation, copy));
        entries.extend_from_slice(&chunk.entries);
    }
    if sum != superblock.map_digest {
        let offset = suspect.unwrap_or_else(|| layout.chunk_offset(0, 0));
        return Err(damaged(Role::Meta, offset, "a chunk of the page map is not the one the superblock refers to"));
    }
    Ok(Map { entries, chunks, unfinished })
}

fn refuse_other_version(block: &[u8], fragment: u64, offset: u64) -> Result<(), OpenError> {
    let known = checkpoint::VERSION;
    match chunk_version(block, fragment) {
        Some(found) if found != known => Err(OpenError::Version {
            structure: "page map chunk",
            place: "meta slice",
            offset,
            found: found.into(),
            known: known.into(),
        }),
        _ => Ok(()),
    }
}

/// Erases the versions that a checkpoint wrote but never made current, so that no later superblock can take them for
/// its own.
pub(super) fn erase(meta: &mut dyn Device, unfinished: &[u64]) -> Result<(), OpenError> {
    let Some(&first) = unfinished.first() else { return Ok(()) };
    Probe::UnfinishedCheckpoint.hit();
    for &offset in unfinished {
        write(meta, Role::Meta, offset, &Buffer::zeroed(BLOCK_BYTES))?;
    }
    meta.flush().map_err(|source| OpenError::Io { slice: Slice(Role::Meta), offset: first, source })
}

/// The slots that no page lies in; each page must have one of its own.
pub(super) fn free_slots(layout: &Layout, entries: &[MapEntry]) -> Result<DirtyPages, OpenError> {
    let mut free = DirtyPages::new(layout.slots);
    free.mark(0, layout.slots * PAGE_BYTES);
    for (page, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.slot != NO_SLOT) {
        let reason = if u64::from(entry.slot) >= layout.slots {
            "a page lies in a slot that does not exist"
        } else if !free.remove(u64::from(entry.slot)) {
            "two pages share a slot"
        } else {
            continue;
        };
        return Err(damaged(Role::Meta, layout.chunk_offset(page as u64 / CHUNK_ENTRIES, 0), reason));
    }
    Ok(free)
}

/// Reads all page images in the order of their slots, in long reads where slots lie side by side.
pub(super) fn read_pages(
    meta: &mut dyn Device,
    layout: &Layout,
    entries: &[MapEntry],
    arena: &mut Arena,
) -> Result<u64, OpenError> {
    let mut images: Vec<(u32, u32, u64)> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.slot != NO_SLOT)
        .map(|(page, entry)| (entry.slot, entry.crc, page as u64))
        .collect();
    images.sort_unstable();
    let most = TRANSFER_BYTES / PAGE_BYTES as usize;
    let mut from = 0;
    while from < images.len() {
        let beside = |to: usize| images[to].0 == images[to - 1].0 + 1;
        let mut to = from + 1;
        while to < images.len() && to - from < most && beside(to) {
            to += 1;
        }
        let offset = layout.slot_offset(images[from].0);
        let mut buffer = Buffer::zeroed((to - from) * PAGE_BYTES as usize);
        read(meta, Role::Meta, offset, &mut buffer)?;
        for (n, image) in buffer.chunks_exact(PAGE_BYTES as usize).enumerate() {
            let (slot, crc, page) = images[from + n];
            if crc32c(image) != crc {
                let reason = format!("the image of arena page {page} does not match its checksum");
                return Err(damaged(Role::Meta, layout.slot_offset(slot), reason));
            }
            arena.restore(page * PAGE_BYTES, image, false);
        }
        from = to;
    }
    Ok(images.len() as u64)
}
