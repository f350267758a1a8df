//! Page 0 of the arena: what it is, and where everything in it starts.
//!
//! Offsets are chained constants; the table in engine/docs/disk-format.md ("Arena header") is drawn from them.

use super::{Arena, PAGE_BYTES, pages};
use crate::settings::Identity;

/// First eight bytes of an arena.
pub(crate) const MAGIC: [u8; 8] = *b"DFRSARNA";
/// Version of everything inside the arena.
pub(crate) const VERSION: u32 = 2;

pub(crate) const MAGIC_AT: u64 = 0;
pub(crate) const VERSION_AT: u64 = MAGIC_AT + 8;
pub(crate) const TARGET_AT: u64 = VERSION_AT + 4;
pub(crate) const ENGINE_AT: u64 = TARGET_AT + 4;
pub(crate) const LENGTH_AT: u64 = ENGINE_AT + 16;
/// First page never given out.
pub(crate) const FRONTIER_AT: u64 = LENGTH_AT + 8;
/// Pages not in use, those after the frontier included.
pub(crate) const FREE_PAGES_AT: u64 = FRONTIER_AT + 8;
/// Heads of the lists of free runs, one u32 page number per order.
pub(crate) const RUN_HEADS_AT: u64 = FREE_PAGES_AT + 8;
/// Heads of the lists of slab pages with a free slot, one u32 page number per class.
pub(crate) const SLAB_HEADS_AT: u64 = RUN_HEADS_AT + 4 * 12;
/// Root of the catalog tree.
pub(crate) const CATALOG_AT: u64 = SLAB_HEADS_AT + 4 * 16;
/// Root of the tree of free data extents by offset.
pub(crate) const EXTENTS_BY_OFFSET_AT: u64 = CATALOG_AT + 8;
/// Root of the tree of free data extents by length.
pub(crate) const EXTENTS_BY_LENGTH_AT: u64 = EXTENTS_BY_OFFSET_AT + 8;
/// Root of the tree of freed data extents that may not be reused yet.
pub(crate) const LIMBO_AT: u64 = EXTENTS_BY_LENGTH_AT + 8;
/// Blocks of the data slice.
pub(crate) const DATA_BLOCKS_AT: u64 = LIMBO_AT + 8;
/// Of which free.
pub(crate) const DATA_FREE_AT: u64 = DATA_BLOCKS_AT + 8;
/// Of which freed but not yet reusable.
pub(crate) const DATA_LIMBO_AT: u64 = DATA_FREE_AT + 8;
/// Arena bytes promised to pools, dying ones included.
pub(crate) const PROMISED_ARENA_AT: u64 = DATA_LIMBO_AT + 8;
/// Data bytes promised to pools, dying ones included.
pub(crate) const PROMISED_DATA_AT: u64 = PROMISED_ARENA_AT + 8;
/// Number for the next entry of the limbo and of the graveyard.
pub(crate) const SERIAL_AT: u64 = PROMISED_DATA_AT + 8;
const END: u64 = SERIAL_AT + 8;
const _: () = assert!(END <= PAGE_BYTES, "the fields fit the header page");

/// The least arena: room for the header, descriptors, the reserve and a few trees.
pub(crate) const MIN_ARENA_BYTES: u64 = 1 << 20;
/// The most: page numbers are 32 bits.
pub(crate) const MAX_ARENA_BYTES: u64 = PAGE_BYTES << 32;

/// Fills in the header of an all-zero arena, within a transaction.
pub(crate) fn initialise(arena: &mut Arena, identity: &Identity) {
    let page_count = arena.length() / PAGE_BYTES;
    let first = pages::first_page(page_count);
    arena.write(MAGIC_AT, &MAGIC);
    arena.write(VERSION_AT, &VERSION.to_le_bytes());
    arena.write(TARGET_AT, &identity.target.0.to_le_bytes());
    arena.write(ENGINE_AT, identity.engine.as_bytes());
    arena.write_u64(LENGTH_AT, arena.length());
    arena.write_u64(FRONTIER_AT, first);
    arena.write_u64(FREE_PAGES_AT, page_count - first);
}

/// The version of an arena's contents when it is not the one that this program knows.
pub(crate) fn other_version(arena: &Arena) -> Option<u32> {
    let version = arena.u32_at(VERSION_AT);
    (arena.bytes(MAGIC_AT, 8) == MAGIC && version != VERSION).then_some(version)
}

/// What is wrong with the header, if anything: the byte and the reason.
pub(crate) fn fault(arena: &Arena, identity: &Identity) -> Option<(u64, String)> {
    if arena.bytes(MAGIC_AT, 8) != MAGIC {
        return Some((MAGIC_AT, String::from("the magic number is missing")));
    }
    if let Some(version) = other_version(arena) {
        return Some((VERSION_AT, format!("version {version} is not known, only {VERSION}")));
    }
    if arena.bytes(ENGINE_AT, 16) != identity.engine.as_bytes() || arena.u32_at(TARGET_AT) != identity.target.0 {
        return Some((TARGET_AT, String::from("it belongs to another target")));
    }
    let length = arena.u64_at(LENGTH_AT);
    if length != arena.length() {
        return Some((LENGTH_AT, format!("it records {length} bytes of {}", arena.length())));
    }
    let page_count = length / PAGE_BYTES;
    let frontier = arena.u64_at(FRONTIER_AT);
    if frontier < pages::first_page(page_count) || frontier > page_count {
        return Some((FRONTIER_AT, format!("the frontier {frontier} lies outside of its {page_count} pages")));
    }
    None
}
