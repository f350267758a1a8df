//! Who owns the memory of the arena: every run and slot in use has one owner, and every list and count agrees.

use std::collections::HashMap;

use super::finding::{BOOKS, DEFECT, Findings, Place};
use super::image::Image;
use crate::arena::header::{FREE_PAGES_AT, FRONTIER_AT, RUN_HEADS_AT, SLAB_HEADS_AT};
use crate::arena::pages::{DESCRIPTOR_BYTES, MAX_ORDER, first_page, order_for};
use crate::arena::{PAGE_BYTES, slab};

/// The longest stretch that can be allocated.
const STRETCH_MOST: usize = (PAGE_BYTES as usize) << MAX_ORDER;

const FREE_RUN: u8 = 1;
const RUN: u8 = 2;
const SLAB: u8 = 3;

struct Descriptor {
    kind: u8,
    order: u8,
    free: u16,
    next: u32,
    previous: u32,
    slots: u128,
}

fn descriptor_at(page: u64) -> u64 {
    PAGE_BYTES + page * DESCRIPTOR_BYTES
}

fn descriptor(image: &Image<'_>, page: u64) -> Option<Descriptor> {
    let bytes = image.bytes(descriptor_at(page), DESCRIPTOR_BYTES as usize)?;
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    Some(Descriptor {
        kind: bytes[0],
        order: bytes[1],
        free: u16::from_le_bytes([bytes[2], bytes[3]]),
        next: word(4),
        previous: word(8),
        slots: u128::from_le_bytes(bytes[16..].try_into().expect("sixteen bytes")),
    })
}

/// What has been claimed so far.
#[derive(Debug)]
pub(super) struct Memory {
    first: u64,
    frontier: u64,
    /// Slots by page.
    slots: HashMap<u64, u128>,
    /// Orders of runs by first page.
    runs: HashMap<u64, u8>,
}

impl Memory {
    pub(super) fn new(image: &Image<'_>) -> Memory {
        let pages = image.length() / PAGE_BYTES;
        let frontier = image.u64_at(FRONTIER_AT).min(pages);
        Memory { first: first_page(pages), frontier, slots: HashMap::new(), runs: HashMap::new() }
    }

    /// Notes that a stretch is in use; the error says why it cannot be, and the stretch must not be read then.
    pub(super) fn claim(&mut self, image: &Image<'_>, offset: u64, length: usize) -> Result<(), String> {
        let (page, within) = (offset / PAGE_BYTES, offset % PAGE_BYTES);
        if page < self.first || page >= self.frontier || length > STRETCH_MOST {
            return Err(format!("{length} bytes at {offset} cannot have been allocated"));
        }
        let found = descriptor(image, page).ok_or("it has no page descriptor")?;
        let Some(class) = slab::class_for(length) else {
            let order = order_for(length);
            if within != 0 || (found.kind, found.order) != (RUN, order) || page + (1 << order) > self.frontier {
                return Err(format!("{length} bytes at {offset} are not allocated as a run of order {order}"));
            }
            return match self.runs.insert(page, order) {
                None => Ok(()),
                Some(_) => Err(format!("{length} bytes at {offset} are owned twice")),
            };
        };
        let size = u64::from(slab::CLASSES[class]);
        let slot = within / size;
        if within % size != 0 || slot >= u64::from(slab::capacity(class)) {
            return Err(format!("{length} bytes at {offset} are no slot of {size} bytes"));
        }
        if (found.kind, usize::from(found.order)) != (SLAB, class) || found.slots & (1 << slot) == 0 {
            return Err(format!("{length} bytes at {offset} are not allocated as a slot of {size} bytes"));
        }
        let bits = self.slots.entry(page).or_default();
        if *bits & (1 << slot) != 0 {
            return Err(format!("{length} bytes at {offset} are owned twice"));
        }
        *bits |= 1 << slot;
        Ok(())
    }

    /// Compares what was claimed with the page descriptors, and checks their lists and counts. `whole` says that every
    /// owner was seen: without it nothing can be said to have no owner.
    pub(super) fn settle(self, image: &Image<'_>, whole: bool, findings: &mut Findings) {
        let mut runs = HashMap::new();
        let mut slabs = HashMap::new();
        let mut free = image.length() / PAGE_BYTES - self.frontier;
        let mut page = self.first;
        while page < self.frontier {
            let Some(found) = descriptor(image, page) else { break };
            let place = Place::Arena(descriptor_at(page));
            let length = if found.kind == SLAB { 1 } else { 1 << found.order.min(MAX_ORDER) };
            let fits = page + length <= self.frontier && page.is_multiple_of(length);
            match found.kind {
                FREE_RUN if found.order <= MAX_ORDER && fits => {
                    free += length;
                    runs.insert(page, found.order);
                }
                RUN if found.order <= MAX_ORDER && fits => {
                    if whole && !self.runs.contains_key(&page) {
                        findings.add(
                            place,
                            BOOKS,
                            format!("arena page {page} is a run of {length} pages in use that nothing owns"),
                        );
                    }
                }
                SLAB if usize::from(found.order) < slab::CLASSES.len() => {
                    self.settle_slab(page, &found, whole, findings);
                    if found.free > 0 {
                        slabs.insert(page, found.order);
                    }
                }
                _ => {
                    let text = format!(
                        "arena page {page} has descriptor kind {} and order {}, which it cannot have",
                        found.kind, found.order
                    );
                    findings.add(place, DEFECT, text);
                    page += 1;
                    continue;
                }
            }
            page += length;
        }
        for order in 0..=MAX_ORDER {
            check_list(image, RUN_HEADS_AT + 4 * u64::from(order), "free runs of order", order, &mut runs, findings);
        }
        for class in 0..slab::CLASSES.len() as u8 {
            check_list(image, SLAB_HEADS_AT + 4 * u64::from(class), "slab pages of class", class, &mut slabs, findings);
        }
        for (page, _) in sorted(runs).into_iter().chain(sorted(slabs)) {
            findings.add(
                Place::Arena(descriptor_at(page)),
                BOOKS,
                format!("arena page {page} has free memory and is in no list"),
            );
        }
        let booked = image.u64_at(FREE_PAGES_AT);
        if free != booked {
            findings.add(
                Place::Arena(FREE_PAGES_AT),
                BOOKS,
                format!("{free} pages are free, the header says {booked}"),
            );
        }
    }

    fn settle_slab(&self, page: u64, found: &Descriptor, whole: bool, findings: &mut Findings) {
        let place = Place::Arena(descriptor_at(page));
        let capacity = slab::capacity(usize::from(found.order));
        let used = found.slots.count_ones() as u16;
        if used + found.free.min(capacity) != capacity || found.slots.checked_shr(capacity.into()).unwrap_or(0) != 0 {
            let text = format!("slab page {page} has {used} slots in use and {} free ones of {capacity}", found.free);
            findings.add(place, BOOKS, text);
        }
        let owned = self.slots.get(&page).copied().unwrap_or(0);
        let lost = found.slots & !owned;
        if whole && lost != 0 {
            let text = format!(
                "slab page {page} has {} slots in use that nothing owns, the first is slot {}",
                lost.count_ones(),
                lost.trailing_zeros()
            );
            findings.add(place, BOOKS, text);
        }
    }
}

fn sorted(map: HashMap<u64, u8>) -> Vec<(u64, u8)> {
    let mut list: Vec<_> = map.into_iter().collect();
    list.sort_unstable();
    list
}

/// Follows a list and strikes its pages off those that belong in one.
fn check_list(
    image: &Image<'_>,
    head: u64,
    what: &str,
    number: u8,
    members: &mut HashMap<u64, u8>,
    findings: &mut Findings,
) {
    let (mut at, mut previous) = (head, 0);
    let mut page = image.u32_at(head);
    while page != 0 {
        let listed = members.get(&page.into()) == Some(&number);
        let found = descriptor(image, page.into()).filter(|_| listed);
        let Some(found) = found.filter(|found| found.previous == previous) else {
            let text = format!("the list of {what} {number} leads to page {page}, which does not belong there");
            findings.add(Place::Arena(at), DEFECT, text);
            return;
        };
        // Struck off: a list that comes back to a page ends above.
        members.remove(&page.into());
        (at, previous) = (descriptor_at(page.into()) + 4, page);
        page = found.next;
    }
}
