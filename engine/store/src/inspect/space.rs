//! The blocks of the data slice: each is used by one value, free, or in limbo.

use super::finding::{BOOKS, DEFECT, Place};
use super::tree::{Leaf, Walker};
use crate::arena::header::{DATA_BLOCKS_AT, DATA_FREE_AT, DATA_LIMBO_AT, SERIAL_AT};
use crate::extents::{BY_LENGTH, BY_OFFSET, Extent, LIMBO};

/// What blocks are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Value,
    Free,
    Limbo,
}

impl Use {
    fn word(self) -> &'static str {
        match self {
            Use::Value => "used by a value",
            Use::Free => "free",
            Use::Limbo => "in limbo",
        }
    }
}

/// Blocks, what for, and the byte of the arena that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share {
    pub(super) start: u64,
    pub(super) blocks: u64,
    pub(super) purpose: Use,
    pub(super) at: u64,
}

fn be(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn le(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The start and the blocks of a cell of the tree by offset.
pub(super) fn by_offset(leaf: &Leaf<'_>) -> Option<Extent> {
    Some(Extent { start: be(leaf.key)?, blocks: le(leaf.value)? })
}

/// The start and the blocks of a cell of the tree by length.
pub(super) fn by_length(leaf: &Leaf<'_>) -> Option<Extent> {
    let (blocks, start) = leaf.key.split_at_checked(8)?;
    leaf.value.is_empty().then_some(Extent { start: be(start)?, blocks: be(blocks)? })
}

/// The serial, the start and the blocks of a cell of the limbo.
pub(super) fn limbo(leaf: &Leaf<'_>) -> Option<(u64, Extent)> {
    let (start, blocks) = leaf.value.split_at_checked(8)?;
    Some((be(leaf.key)?, Extent { start: le(start)?, blocks: le(blocks)? }))
}

/// Checks the free map against what values use, `shares`.
pub(super) fn check(walker: &mut Walker<'_, '_>, mut shares: Vec<Share>) {
    let mut free = Vec::new();
    walker.tree(BY_OFFSET.root_at, "free extents by offset", &mut |leaf, findings| match by_offset(leaf) {
        Some(Extent { start, blocks }) => {
            free.push((start, blocks));
            shares.push(Share { start, blocks, purpose: Use::Free, at: leaf.place.byte() });
        }
        None => findings.add(leaf.place, DEFECT, "free extents by offset: a cell is not {start, blocks}"),
    });
    let mut mirrored = Vec::new();
    walker.tree(BY_LENGTH.root_at, "free extents by length", &mut |leaf, findings| match by_length(leaf) {
        Some(Extent { start, blocks }) => mirrored.push((start, blocks)),
        None => findings.add(leaf.place, DEFECT, "free extents by length: a cell is not {blocks, start}"),
    });
    let serial = walker.image.u64_at(SERIAL_AT);
    let mut waiting = 0u64;
    walker.tree(LIMBO.root_at, "limbo", &mut |leaf, findings| match limbo(leaf) {
        Some((number, Extent { start, blocks })) => {
            if number >= serial {
                findings.add(
                    leaf.place,
                    DEFECT,
                    format!("limbo: entry {number} is not before the next serial, {serial}"),
                );
            }
            waiting = waiting.saturating_add(blocks);
            shares.push(Share { start, blocks, purpose: Use::Limbo, at: leaf.place.byte() });
        }
        None => findings.add(leaf.place, DEFECT, "limbo: a cell is not {start, blocks}"),
    });
    let sum = free.iter().fold(0u64, |sum, (_, blocks)| sum.saturating_add(*blocks));
    compare(walker, free, mirrored);
    for (what, found, at) in [("free", sum, DATA_FREE_AT), ("in limbo", waiting, DATA_LIMBO_AT)] {
        let booked = walker.image.u64_at(at);
        if found != booked {
            let text = format!("{found} blocks of the data slice are {what}, the header says {booked}");
            walker.findings.add(Place::Arena(at), BOOKS, text);
        }
    }
    cover(walker, shares);
}

/// Both trees hold the same extents.
fn compare(walker: &mut Walker<'_, '_>, mut free: Vec<(u64, u64)>, mut mirrored: Vec<(u64, u64)>) {
    free.sort_unstable();
    mirrored.sort_unstable();
    for (one, other, root, names) in [
        (&free, &mirrored, BY_LENGTH.root_at, ("by offset", "by length")),
        (&mirrored, &free, BY_OFFSET.root_at, ("by length", "by offset")),
    ] {
        for extent in one.iter().filter(|extent| other.binary_search(extent).is_err()) {
            let text = format!(
                "{} free blocks from {} on are in the tree {} and not in that {}",
                extent.1, extent.0, names.0, names.1
            );
            walker.findings.add(Place::Arena(root), DEFECT, text);
        }
    }
}

/// The slice is covered exactly, from end to end.
fn cover(walker: &mut Walker<'_, '_>, mut shares: Vec<Share>) {
    let total = walker.image.u64_at(DATA_BLOCKS_AT);
    shares.sort_unstable();
    shares.push(Share { start: total, blocks: 0, purpose: Use::Free, at: DATA_BLOCKS_AT });
    let (mut end, mut before) = (0u64, Use::Free);
    for share in shares {
        if share.start < end {
            let text = format!(
                "blocks of the data slice from {} on are {}, and {} up to block {end}",
                share.start,
                share.purpose.word(),
                before.word()
            );
            walker.findings.add(Place::Arena(share.at), DEFECT, text);
        } else if share.start > end && *walker.whole {
            let text = format!("blocks {end} to {} of the data slice are neither used nor free", share.start - 1);
            walker.findings.add(Place::Arena(share.at), BOOKS, text);
        }
        let to = share.start.saturating_add(share.blocks);
        if to >= end {
            (end, before) = (to, share.purpose);
        }
    }
}
