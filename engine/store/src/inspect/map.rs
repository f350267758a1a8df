//! The page map, both copies of each chunk, and every page image.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer, Device, Role};

use super::finding::{COPY, CRASH, DEFECT, Findings, LOST, Place, UNREADABLE, VERSION};
use crate::arena::PAGE_BYTES;
use crate::checkpoint::{self, CHUNK_ENTRIES, Layout, MapEntry, NO_SLOT, chunk_version, decode_chunk, digest};
use crate::superblock::Superblock;

/// Bytes of one read of page images.
const TRANSFER_PAGES: usize = 256;

/// What one copy of a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyState {
    /// All zeros: never written, or erased.
    Empty,
    /// Of this generation.
    Whole(u64),
    /// None of ours, or not as written.
    Damaged,
}

/// The page map as the superblock means it.
#[derive(Debug)]
pub(super) struct PageMap {
    pub(super) layout: Layout,
    pub(super) entries: Vec<MapEntry>,
    /// Of each chunk: both copies, and the generation that counts, 0 for none.
    pub(super) chunks: Vec<([CopyState; 2], u64)>,
    pub(super) digest: u64,
}

/// Reads every chunk.
pub(super) fn read(
    meta: &mut dyn Device,
    layout: Layout,
    fragment: u64,
    superblock: &Superblock,
    findings: &mut Findings,
) -> PageMap {
    let mut map = PageMap { layout, entries: Vec::new(), chunks: Vec::new(), digest: 0 };
    let mut suspects = Vec::new();
    for index in 0..layout.chunks {
        let count = layout.chunk_pages(index).count();
        let mut entries = vec![MapEntry::EMPTY; count];
        let mut current = 0;
        let mut states = [CopyState::Empty; 2];
        for copy in 0..2u8 {
            let offset = layout.chunk_offset(index, copy);
            let place = Place::Slice(Role::Meta, offset);
            let mut block = Buffer::zeroed(BLOCK_BYTES);
            if let Err(error) = meta.read(offset, &mut block) {
                findings.add(place, UNREADABLE, format!("page map chunk {index}: {error}"));
                states[usize::from(copy)] = CopyState::Damaged;
                continue;
            }
            states[usize::from(copy)] = match decode_chunk(&block, fragment, index, count) {
                Some(chunk) => {
                    if chunk.generation > superblock.generation {
                        let text = format!(
                            "page map chunk {index}: generation {} of a checkpoint that never ended",
                            chunk.generation
                        );
                        findings.add(place, CRASH, text);
                    } else if chunk.generation > current {
                        current = chunk.generation;
                        entries = chunk.entries;
                    }
                    CopyState::Whole(chunk.generation)
                }
                None if block.iter().all(|&byte| byte == 0) => CopyState::Empty,
                None => {
                    match chunk_version(&block, fragment).filter(|found| *found != checkpoint::VERSION) {
                        Some(found) => {
                            let known = checkpoint::VERSION;
                            let text = format!(
                                "page map chunk {index}: it has version {found}, this program knows version {known}"
                            );
                            findings.add(place, VERSION, text);
                        }
                        None => suspects.push((index, offset)),
                    }
                    CopyState::Damaged
                }
            };
        }
        map.digest = map.digest.wrapping_add(digest(index, current));
        map.chunks.push((states, current));
        map.entries.append(&mut entries);
    }
    let whole = map.digest == superblock.map_digest;
    for (index, offset) in suspects {
        let advice = if whole { COPY } else { LOST };
        findings.add(
            Place::Slice(Role::Meta, offset),
            advice,
            format!("page map chunk {index}: it is not what was written"),
        );
    }
    if !whole {
        let text = format!(
            "page map: the newest chunks add up to digest {:#018x}, the superblock says {:#018x}: a chunk is lost or older",
            map.digest, superblock.map_digest
        );
        findings.add(Place::Slice(Role::Meta, layout.chunk_offset(0, 0)), LOST, text);
    }
    map
}

/// Checks every page image; gives how many there are.
pub(super) fn check_images(meta: &mut dyn Device, map: &PageMap, findings: &mut Findings) -> u64 {
    let mut images: Vec<(u32, u32, u64)> = map
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.slot != NO_SLOT)
        .map(|(page, entry)| (entry.slot, entry.crc, page as u64))
        .collect();
    images.sort_unstable();
    let mapped_at = |page: u64| Place::Slice(Role::Meta, map.layout.chunk_offset(page / CHUNK_ENTRIES, 0));
    for pair in images.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let text = format!("page map: arena pages {} and {} share slot {}", pair[0].2, pair[1].2, pair[0].0);
        findings.add(mapped_at(pair[1].2), DEFECT, text);
    }
    let inside = images.partition_point(|(slot, ..)| u64::from(*slot) < map.layout.slots);
    for (slot, _, page) in &images[inside..] {
        findings.add(
            mapped_at(*page),
            DEFECT,
            format!("page map: arena page {page} is in slot {slot}, which does not exist"),
        );
    }
    let mut rest = &images[..inside];
    while let Some((first, ..)) = rest.first() {
        let near = rest.partition_point(|(slot, ..)| ((slot - first) as usize) < TRANSFER_PAGES);
        let (stretch, after) = rest.split_at(near);
        check_stretch(meta, map, stretch, findings);
        rest = after;
    }
    images.len() as u64
}

fn check_stretch(meta: &mut dyn Device, map: &PageMap, images: &[(u32, u32, u64)], findings: &mut Findings) {
    let (first, last) = (images[0].0, images[images.len() - 1].0);
    let mut buffer = Buffer::zeroed((last - first + 1) as usize * BLOCK_BYTES);
    let together = meta.read(map.layout.slot_offset(first), &mut buffer).is_ok();
    for (slot, crc, page) in images {
        let offset = map.layout.slot_offset(*slot);
        let place = Place::Slice(Role::Meta, offset);
        let mut alone = Buffer::zeroed(BLOCK_BYTES);
        let image = if together {
            &buffer[(slot - first) as usize * BLOCK_BYTES..][..BLOCK_BYTES]
        } else if let Err(error) = meta.read(offset, &mut alone) {
            findings.add(place, UNREADABLE, format!("image of arena page {page}: {error}"));
            continue;
        } else {
            &alone[..]
        };
        let found = crc32c(image);
        if found != *crc {
            let text = format!(
                "image of arena page {page} (arena byte {}): its checksum is {found:#010x} where {crc:#010x} is due",
                page * PAGE_BYTES
            );
            findings.add(place, LOST, text);
        }
    }
}
