//! The meta slice: superblocks, the page map, and page slots.
//!
//! Blocks 0 and 1 are the superblocks, then two copies of each page map chunk side by side, then the slots. A chunk
//! maps [`CHUNK_ENTRIES`] arena pages to slots. A new version of a chunk overwrites the copy that is not current; the superblock's
//! digest says which versions belong together, so that an older copy is never taken for a damaged newer one.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer};

use crate::arena::PAGE_BYTES;

const MAGIC: [u8; 4] = *b"DMAP";
/// Version of a chunk.
pub(crate) const VERSION: u16 = 1;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = MAGIC_AT + 4;
const FRAGMENT_AT: usize = VERSION_AT + 4;
const GENERATION_AT: usize = FRAGMENT_AT + 8;
const INDEX_AT: usize = GENERATION_AT + 8;
const CRC_AT: usize = INDEX_AT + 4;
const ENTRIES_AT: usize = CRC_AT + 4;

/// Pages that one chunk maps.
pub(crate) const CHUNK_ENTRIES: u64 = ((BLOCK_BYTES - ENTRIES_AT) / 8) as u64;
/// The first block after the superblocks.
const MAP_BLOCK: u64 = 2;
/// The slot of a page that was never written: it is all zeros.
pub(crate) const NO_SLOT: u32 = u32::MAX;
/// Slots beyond one per page without which a checkpoint cannot make progress in useful steps.
const MIN_SPARE_SLOTS: u64 = 64;
/// Slots beyond one per page that let a checkpoint go on while pages change: 16 MiB or an eighth of the arena.
const GOOD_SPARE_BYTES: u64 = 16 << 20;

/// Where the image of a page lies, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapEntry {
    pub(crate) slot: u32,
    pub(crate) crc: u32,
}

impl MapEntry {
    pub(crate) const EMPTY: MapEntry = MapEntry { slot: NO_SLOT, crc: 0 };
}

/// Where things are in the meta slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    pub(crate) pages: u64,
    pub(crate) chunks: u64,
    pub(crate) slots: u64,
}

impl Layout {
    /// The layout for an arena and a meta slice of these lengths; `None` when the slice is too small.
    pub(crate) fn new(arena_bytes: u64, meta_bytes: u64) -> Option<Layout> {
        let pages = arena_bytes / PAGE_BYTES;
        let chunks = pages.div_ceil(CHUNK_ENTRIES);
        let slots = (meta_bytes / BLOCK_BYTES as u64).checked_sub(MAP_BLOCK + 2 * chunks)?;
        let slots = slots.min(u64::from(NO_SLOT));
        (slots >= pages + MIN_SPARE_SLOTS).then_some(Layout { pages, chunks, slots })
    }

    /// Byte of a chunk's copy.
    pub(crate) fn chunk_offset(&self, chunk: u64, copy: u8) -> u64 {
        (MAP_BLOCK + 2 * chunk + u64::from(copy)) * BLOCK_BYTES as u64
    }

    /// Byte of a page slot.
    pub(crate) fn slot_offset(&self, slot: u32) -> u64 {
        (MAP_BLOCK + 2 * self.chunks + u64::from(slot)) * BLOCK_BYTES as u64
    }

    /// The pages that a chunk maps.
    pub(crate) fn chunk_pages(&self, chunk: u64) -> std::ops::Range<u64> {
        chunk * CHUNK_ENTRIES..((chunk + 1) * CHUNK_ENTRIES).min(self.pages)
    }
}

fn meta_bytes(arena_bytes: u64, spare_slots: u64) -> u64 {
    let pages = arena_bytes / PAGE_BYTES;
    (MAP_BLOCK + 2 * pages.div_ceil(CHUNK_ENTRIES) + pages + spare_slots) * BLOCK_BYTES as u64
}

/// The least length of the meta slice for an arena of `arena_bytes`.
pub(crate) fn meta_bytes_least(arena_bytes: u64) -> u64 {
    meta_bytes(arena_bytes, MIN_SPARE_SLOTS)
}

/// The length of the meta slice at which checkpoints run well with an arena of `arena_bytes`.
pub fn meta_bytes_needed(arena_bytes: u64) -> u64 {
    meta_bytes(arena_bytes, GOOD_SPARE_BYTES.max(arena_bytes / 8) / PAGE_BYTES)
}

/// A version of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) generation: u64,
    pub(crate) entries: Vec<MapEntry>,
}

/// The block of a chunk.
pub(crate) fn encode_chunk(fragment: u64, generation: u64, index: u64, entries: &[MapEntry]) -> Buffer {
    let mut block = Buffer::zeroed(BLOCK_BYTES);
    block[MAGIC_AT..VERSION_AT].copy_from_slice(&MAGIC);
    block[VERSION_AT..VERSION_AT + 2].copy_from_slice(&VERSION.to_le_bytes());
    block[FRAGMENT_AT..GENERATION_AT].copy_from_slice(&fragment.to_le_bytes());
    block[GENERATION_AT..INDEX_AT].copy_from_slice(&generation.to_le_bytes());
    block[INDEX_AT..CRC_AT].copy_from_slice(&(index as u32).to_le_bytes());
    for (entry, bytes) in entries.iter().zip(block[ENTRIES_AT..].chunks_exact_mut(8)) {
        bytes[..4].copy_from_slice(&entry.slot.to_le_bytes());
        bytes[4..].copy_from_slice(&entry.crc.to_le_bytes());
    }
    let crc = crc32c(&block);
    block[CRC_AT..ENTRIES_AT].copy_from_slice(&crc.to_le_bytes());
    block
}

/// The version of the chunk with this fragment in a block, known or not.
pub(crate) fn chunk_version(block: &[u8], fragment: u64) -> Option<u16> {
    let mut unsigned = block[..BLOCK_BYTES].to_vec();
    unsigned[CRC_AT..ENTRIES_AT].fill(0);
    let whole = block[MAGIC_AT..VERSION_AT] == MAGIC
        && block[FRAGMENT_AT..GENERATION_AT] == fragment.to_le_bytes()
        && block[CRC_AT..ENTRIES_AT] == crc32c(&unsigned).to_le_bytes();
    whole.then(|| u16::from_le_bytes([block[VERSION_AT], block[VERSION_AT + 1]]))
}

/// Reads the block of a chunk of `count` entries; `None` when it is none of this format, place and version, or damaged.
pub(crate) fn decode_chunk(block: &[u8], fragment: u64, index: u64, count: usize) -> Option<Chunk> {
    let u32_at = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
    let valid = chunk_version(block, fragment)? == VERSION && u64::from(u32_at(INDEX_AT)) == index;
    valid.then(|| Chunk {
        generation: u64_at(GENERATION_AT),
        entries: (0..count)
            .map(|n| MapEntry { slot: u32_at(ENTRIES_AT + 8 * n), crc: u32_at(ENTRIES_AT + 8 * n + 4) })
            .collect(),
    })
}

/// A chunk's share in the superblock's digest; a chunk never written has none. The finaliser of SplitMix64 (Steele et
/// al., 2014).
pub(crate) fn digest(index: u64, generation: u64) -> u64 {
    if generation == 0 {
        return 0;
    }
    let mut z = generation.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index.rotate_left(40);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_golden() {
        let entries = [MapEntry { slot: 0x0102_0304, crc: 0x0506_0708 }, MapEntry::EMPTY];
        let block = encode_chunk(0x1122_3344_5566_7788, 9, 3, &entries);
        let hex: String = block[..48].iter().map(|byte| format!("{byte:02x}")).collect();
        let crc: String = block[CRC_AT..ENTRIES_AT].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            format!("444d4150010000008877665544332211090000000000000003000000{crc}0403020108070605ffffffff00000000")
        );
        let chunk = decode_chunk(&block, 0x1122_3344_5566_7788, 3, 2).unwrap();
        assert_eq!(chunk, Chunk { generation: 9, entries: entries.to_vec() });
        assert_eq!(CHUNK_ENTRIES, 508);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let block = encode_chunk(1, 2, 3, &[MapEntry { slot: 1, crc: 2 }; CHUNK_ENTRIES as usize]);
        for bit in (0..BLOCK_BYTES * 8).step_by(7) {
            let mut bad = block.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_chunk(&bad, 1, 3, 1), None, "bit {bit}");
        }
    }

    #[test]
    fn a_slice_of_the_size_asked_for_has_the_spare_slots() {
        let arena = 64 << 20;
        let layout = Layout::new(arena, meta_bytes_needed(arena)).unwrap();
        assert_eq!(layout.slots - layout.pages, 4096);
        assert!(Layout::new(arena, meta_bytes_least(arena)).is_some());
        assert!(Layout::new(arena, meta_bytes_least(arena) - 4096).is_none());
    }
}
