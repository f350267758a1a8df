//! The free map of the data slice, in blocks.
//!
//! Two trees in the arena: free extents by offset (to join neighbours) and by length (to find the shortest that fits).
//! Freed extents first go to the limbo tree, in the order in which they were freed: an extent may be reused only when the group
//! that freed it is durable and no read of it is under way.

use media::BLOCK_BYTES;
use types::Status;

use crate::arena::Arena;
use crate::arena::header::{
    DATA_BLOCKS_AT, DATA_FREE_AT, DATA_LIMBO_AT, EXTENTS_BY_LENGTH_AT, EXTENTS_BY_OFFSET_AT, LIMBO_AT, SERIAL_AT,
};
use crate::probe::Probe;
use crate::tree::{Cursor, Tree};

pub(crate) const BY_OFFSET: Tree = Tree { root_at: EXTENTS_BY_OFFSET_AT };
pub(crate) const BY_LENGTH: Tree = Tree { root_at: EXTENTS_BY_LENGTH_AT };
pub(crate) const LIMBO: Tree = Tree { root_at: LIMBO_AT };

/// Blocks of the data slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) blocks: u64,
}

/// Blocks that hold `bytes`.
pub(crate) fn blocks_for(bytes: usize) -> u64 {
    bytes.div_ceil(BLOCK_BYTES) as u64
}

/// Makes the whole slice free, in a new arena.
pub(crate) fn initialise(arena: &mut Arena, blocks: u64) -> Result<(), Status> {
    arena.write_u64(DATA_BLOCKS_AT, blocks);
    if blocks == 0 {
        return Ok(());
    }
    insert(arena, Extent { start: 0, blocks })?;
    arena.write_u64(DATA_FREE_AT, blocks);
    Ok(())
}

/// Bytes of the data slice.
pub(crate) fn total_bytes(arena: &Arena) -> u64 {
    arena.u64_at(DATA_BLOCKS_AT) * BLOCK_BYTES as u64
}

/// Number of the next entry in limbo: everything freed before has a smaller one.
pub(crate) fn next_serial(arena: &Arena) -> u64 {
    arena.u64_at(SERIAL_AT)
}

/// True when freed extents wait to be released.
pub(crate) fn in_limbo(arena: &Arena) -> bool {
    arena.u64_at(DATA_LIMBO_AT) != 0
}

/// Serial of the extent that waits longest to be released.
pub(crate) fn oldest_in_limbo(arena: &Arena) -> Option<u64> {
    Cursor::seek(LIMBO, arena, &[]).key(arena).map(be)
}

/// Takes the shortest free extent of at least `blocks`, cut to size.
pub(crate) fn allocate(arena: &mut Arena, blocks: u64) -> Result<Extent, Status> {
    let cursor = Cursor::seek(BY_LENGTH, arena, &pair(blocks, 0));
    let Some(found) = cursor.key(arena) else {
        Probe::DataFull.hit();
        return Err(Status::NoSpace);
    };
    let found = Extent { blocks: be(&found[..8]), start: be(&found[8..]) };
    remove(arena, found);
    if found.blocks > blocks {
        insert(arena, Extent { start: found.start + blocks, blocks: found.blocks - blocks })?;
    }
    arena.write_u64(DATA_FREE_AT, arena.u64_at(DATA_FREE_AT) - blocks);
    Ok(Extent { start: found.start, blocks })
}

/// Puts an extent that nothing refers to any more into limbo.
pub(crate) fn retire(arena: &mut Arena, extent: Extent) -> Result<(), Status> {
    let serial = next_serial(arena);
    arena.write_u64(SERIAL_AT, serial + 1);
    let mut value = [0; 16];
    value[..8].copy_from_slice(&extent.start.to_le_bytes());
    value[8..].copy_from_slice(&extent.blocks.to_le_bytes());
    LIMBO.put(arena, &serial.to_be_bytes(), &value)?;
    arena.write_u64(DATA_LIMBO_AT, arena.u64_at(DATA_LIMBO_AT) + extent.blocks);
    Ok(())
}

/// Extents that went into limbo with a serial from `from` on.
pub(crate) fn retired_since(arena: &Arena, from: u64) -> Vec<Extent> {
    let mut retired = Vec::new();
    let mut cursor = Cursor::seek(LIMBO, arena, &from.to_be_bytes());
    while let Some(value) = cursor.value(arena) {
        retired.push(Extent { start: le(&value[..8]), blocks: le(&value[8..]) });
        cursor.next(arena);
    }
    retired
}

/// Moves up to `most` extents with a serial below `before` from limbo to the free map; returns how many.
pub(crate) fn release(arena: &mut Arena, before: u64, most: usize) -> Result<usize, Status> {
    for done in 0..most {
        let cursor = Cursor::seek(LIMBO, arena, &[]);
        let Some(key) = cursor.key(arena) else { return Ok(done) };
        let serial = be(key);
        if serial >= before {
            return Ok(done);
        }
        let value = cursor.value(arena).expect("it has a key");
        let mut extent = Extent { start: le(&value[..8]), blocks: le(&value[8..]) };
        LIMBO.remove(arena, &serial.to_be_bytes());
        arena.write_u64(DATA_LIMBO_AT, arena.u64_at(DATA_LIMBO_AT) - extent.blocks);
        arena.write_u64(DATA_FREE_AT, arena.u64_at(DATA_FREE_AT) + extent.blocks);
        if let Some(below) = neighbour(arena, Cursor::seek_before(BY_OFFSET, arena, &extent.start.to_be_bytes()))
            && below.start + below.blocks == extent.start
        {
            remove(arena, below);
            extent = Extent { start: below.start, blocks: below.blocks + extent.blocks };
        }
        let end = extent.start + extent.blocks;
        if let Some(above) = neighbour(arena, Cursor::seek(BY_OFFSET, arena, &end.to_be_bytes()))
            && above.start == end
        {
            remove(arena, above);
            extent.blocks += above.blocks;
        }
        insert(arena, extent)?;
    }
    Ok(most)
}

/// The free extent under a cursor of [`BY_OFFSET`].
fn neighbour(arena: &Arena, cursor: Cursor) -> Option<Extent> {
    Some(Extent { start: be(cursor.key(arena)?), blocks: le(cursor.value(arena)?) })
}

fn insert(arena: &mut Arena, extent: Extent) -> Result<(), Status> {
    BY_OFFSET.put(arena, &extent.start.to_be_bytes(), &extent.blocks.to_le_bytes())?;
    BY_LENGTH.put(arena, &pair(extent.blocks, extent.start), &[])
}

fn remove(arena: &mut Arena, extent: Extent) {
    let there = BY_OFFSET.remove(arena, &extent.start.to_be_bytes())
        && BY_LENGTH.remove(arena, &pair(extent.blocks, extent.start));
    assert!(there, "both trees hold the same extents");
}

fn pair(blocks: u64, start: u64) -> [u8; 16] {
    ((u128::from(blocks) << 64) | u128::from(start)).to_be_bytes()
}

pub(crate) fn be(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

pub(crate) fn le(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}
