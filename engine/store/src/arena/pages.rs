//! Runs of pages: a buddy allocator whose state lies in the page descriptors.
//!
//! A run has 2^order pages and starts at a multiple of its length. Pages from the frontier on were never given out;
//! the frontier moves by whole blocks, so a fresh arena needs no list of its free pages. One descriptor per page,
//! [`DESCRIPTOR_BYTES`] long, follows the header; only that of a run's first page means something:
//!
//! | offset | field |
//! |---|---|
//! | 0 | kind u8: 0 none, 1 free run, 2 run in use, 3 slab |
//! | 1 | order u8 of a run, class u8 of a slab |
//! | 2 | slab: free slots u16 |
//! | 4 | next page u32 in its list, 0 for none |
//! | 8 | previous page u32 in its list, 0 for none |
//! | 12 | zero |
//! | 16 | slab: bit per slot in use, 16 bytes |

use types::Status;

use super::header::{FREE_PAGES_AT, FRONTIER_AT, RUN_HEADS_AT};
use super::{Arena, PAGE_BYTES};
use crate::probe::Probe;

/// Bytes of a page descriptor.
pub(crate) const DESCRIPTOR_BYTES: u64 = 32;
/// The longest run is 2^10 pages, 4 MiB: far more than the largest key or checksum list, and few enough lists to
/// search.
pub(crate) const MAX_ORDER: u8 = 10;

/// What a run's first page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    None = 0,
    FreeRun = 1,
    Run = 2,
    Slab = 3,
}

/// A page descriptor in decoded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) kind: Kind,
    pub(crate) order: u8,
    pub(crate) free: u16,
    pub(crate) next: u32,
    pub(crate) previous: u32,
    pub(crate) slots: u128,
}

impl Descriptor {
    pub(crate) const NONE: Descriptor =
        Descriptor { kind: Kind::None, order: 0, free: 0, next: 0, previous: 0, slots: 0 };

    pub(crate) fn read(arena: &Arena, page: u32) -> Descriptor {
        let bytes = arena.bytes(at(page), DESCRIPTOR_BYTES as usize);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Descriptor {
            kind: match bytes[0] {
                1 => Kind::FreeRun,
                2 => Kind::Run,
                3 => Kind::Slab,
                _ => Kind::None,
            },
            order: bytes[1],
            free: u16::from_le_bytes([bytes[2], bytes[3]]),
            next: word(4),
            previous: word(8),
            slots: u128::from_le_bytes(bytes[16..32].try_into().expect("sixteen bytes")),
        }
    }

    pub(crate) fn write(&self, arena: &mut Arena, page: u32) {
        let mut bytes = [0; DESCRIPTOR_BYTES as usize];
        bytes[0] = self.kind as u8;
        bytes[1] = self.order;
        bytes[2..4].copy_from_slice(&self.free.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.next.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.previous.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.slots.to_le_bytes());
        arena.write(at(page), &bytes);
    }
}

fn at(page: u32) -> u64 {
    PAGE_BYTES + u64::from(page) * DESCRIPTOR_BYTES
}

/// The first page after header and descriptors.
pub(crate) fn first_page(page_count: u64) -> u64 {
    1 + (page_count * DESCRIPTOR_BYTES).div_ceil(PAGE_BYTES)
}

/// The order of the shortest run that holds `bytes`.
pub(crate) fn order_for(bytes: usize) -> u8 {
    (bytes as u64).div_ceil(PAGE_BYTES).next_power_of_two().trailing_zeros() as u8
}

/// Puts a page at the front of the list whose head is the u32 at `head`.
pub(crate) fn push(arena: &mut Arena, head: u64, page: u32, mut descriptor: Descriptor) {
    let first = arena.u32_at(head);
    descriptor.next = first;
    descriptor.previous = 0;
    descriptor.write(arena, page);
    if first != 0 {
        arena.write(at(first) + 8, &page.to_le_bytes());
    }
    arena.write(head, &page.to_le_bytes());
}

/// Takes a page out of its list. Its own descriptor is left for the caller to write.
pub(crate) fn unlink(arena: &mut Arena, head: u64, descriptor: &Descriptor) {
    if descriptor.next != 0 {
        arena.write(at(descriptor.next) + 8, &descriptor.previous.to_le_bytes());
    }
    let before = if descriptor.previous == 0 { head } else { at(descriptor.previous) + 4 };
    arena.write(before, &descriptor.next.to_le_bytes());
}

fn head(order: u8) -> u64 {
    RUN_HEADS_AT + 4 * u64::from(order)
}

/// A run of 2^`order` pages; its descriptor says so. [`Status::NoSpace`] when there is none.
pub(crate) fn allocate(arena: &mut Arena, order: u8, kind: Kind) -> Result<u32, Status> {
    let wanted = 1 << order;
    let free = arena.u64_at(FREE_PAGES_AT);
    if order > MAX_ORDER || !arena.leaves_reserve(free, wanted) {
        Probe::ArenaFull.hit();
        return Err(Status::NoSpace);
    }
    if free < wanted + arena.reserve_pages() {
        Probe::ReserveUsed.hit();
    }
    let mut found = (order..=MAX_ORDER).find(|&order| arena.u32_at(head(order)) != 0);
    while found.is_none() {
        let fresh = advance_frontier(arena)?;
        found = (fresh >= order).then_some(fresh);
    }
    let mut has = found.expect("the loop ends with one");
    let page = arena.u32_at(head(has));
    let descriptor = Descriptor::read(arena, page);
    unlink(arena, head(has), &descriptor);
    while has > order {
        has -= 1;
        let half = Descriptor { kind: Kind::FreeRun, order: has, ..Descriptor::NONE };
        push(arena, head(has), page + (1 << has), half);
    }
    Descriptor { kind, order, ..Descriptor::NONE }.write(arena, page);
    arena.write_u64(FREE_PAGES_AT, free - wanted);
    Ok(page)
}

/// Turns the block at the frontier into a free run and returns its order.
fn advance_frontier(arena: &mut Arena) -> Result<u8, Status> {
    let frontier = arena.u64_at(FRONTIER_AT);
    let left = arena.length() / PAGE_BYTES - frontier;
    if left == 0 {
        return Err(Status::NoSpace);
    }
    let order = (frontier.trailing_zeros().min(left.ilog2()) as u8).min(MAX_ORDER);
    arena.write_u64(FRONTIER_AT, frontier + (1 << order));
    push(arena, head(order), frontier as u32, Descriptor { kind: Kind::FreeRun, order, ..Descriptor::NONE });
    Ok(order)
}

/// Gives a run back and joins it with its free buddies.
pub(crate) fn free(arena: &mut Arena, page: u32, order: u8) {
    let pages = arena.u64_at(FREE_PAGES_AT) + (1 << order);
    arena.write_u64(FREE_PAGES_AT, pages);
    let (mut start, mut order) = (page, order);
    let frontier = arena.u64_at(FRONTIER_AT);
    while order < MAX_ORDER {
        let buddy = start ^ (1 << order);
        if u64::from(buddy) + (1 << order) > frontier {
            break;
        }
        let descriptor = Descriptor::read(arena, buddy);
        if descriptor.kind != Kind::FreeRun || descriptor.order != order {
            break;
        }
        unlink(arena, head(order), &descriptor);
        Descriptor::NONE.write(arena, start.max(buddy));
        start = start.min(buddy);
        order += 1;
    }
    push(arena, head(order), start, Descriptor { kind: Kind::FreeRun, order, ..Descriptor::NONE });
}
