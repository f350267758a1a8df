//! An arena larger than its memory: pages come when they are looked at and go when others must come.
//!
//! A page is *unsaved* from its first change until a checkpoint wrote its image, the write completed and the map entry
//! names it; such a page does not go. Nor does one that was looked at since [`Pager::unpin`], so no reference to a page
//! that goes can exist (`media::PagedMemory` sees to that). Of the others the clock takes the first that was not looked at since it
//! passed last (second chance). engine/docs/store.md, "Paging", says what follows from it.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use erasure::crc32c;
use media::{Buffer, Device, PagedMemory};

use super::{PAGE_BYTES, PageMap, Paged};
use crate::checkpoint::NO_SLOT;
use crate::probe::Probe;
use crate::settings::Paging;

const REFERENCED: u8 = 1;
const UNSAVED: u8 = 2;

/// A page that could not be brought in. It ends the call that wanted it by unwinding.
#[derive(Debug)]
pub(crate) struct PageFault {
    /// Arena page.
    pub(crate) page: u64,
    /// Byte of its image in the meta slice.
    pub(crate) offset: u64,
    pub(crate) cause: FaultCause,
}

/// What is wrong with the image.
#[derive(Debug)]
pub(crate) enum FaultCause {
    Io(io::Error),
    Checksum,
}

impl PageFault {
    /// What is wrong, without the place.
    pub(crate) fn reason(&self) -> String {
        match &self.cause {
            FaultCause::Io(error) => format!("the image of arena page {} cannot be read: {error}", self.page),
            FaultCause::Checksum => format!("the image of arena page {} does not match its checksum", self.page),
        }
    }
}

/// Runs `work`; a page fault within it is given back. Other panics go on.
pub(crate) fn catch_fault<R>(work: impl FnOnce() -> R) -> Result<R, PageFault> {
    // What `work` leaves half done is the caller's business: it rolls the transaction back and gives the target up.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<PageFault>() {
        Ok(fault) => *fault,
        Err(other) => resume_unwind(other),
    })
}

/// The pages that are present, in the order in which the clock goes round.
#[derive(Default)]
struct Clock {
    pages: Vec<u32>,
    hand: usize,
    /// Nothing could go at the last attempt, and no pin ended since.
    stuck: bool,
}

/// A paged arena.
pub(crate) struct Pager {
    memory: PagedMemory,
    limit: u64,
    flags: Box<[Cell<u8>]>,
    unsaved: u64,
    clock: RefCell<Clock>,
    meta: RefCell<Box<dyn Device>>,
    buffer: RefCell<Buffer>,
    page_ins: Cell<u64>,
    evictions: Cell<u64>,
    over_limit: Cell<u64>,
}

impl Pager {
    pub(super) fn new(paging: Paging) -> Pager {
        let pages = paging.memory.length() / PAGE_BYTES as usize;
        Pager {
            limit: paging.limit_bytes / PAGE_BYTES,
            flags: vec![Cell::new(0); pages].into_boxed_slice(),
            memory: paging.memory,
            unsaved: 0,
            clock: RefCell::default(),
            meta: RefCell::new(paging.meta),
            buffer: RefCell::new(Buffer::zeroed(PAGE_BYTES as usize)),
            page_ins: Cell::new(0),
            evictions: Cell::new(0),
            over_limit: Cell::new(0),
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.memory.length() as u64
    }

    pub(super) fn bytes(&self, map: &PageMap, offset: u64, length: usize) -> &[u8] {
        self.touch(map, offset, length);
        self.memory.bytes(offset as usize, length)
    }

    pub(super) fn bytes_mut(&mut self, map: &PageMap, offset: u64, length: usize) -> &mut [u8] {
        self.touch(map, offset, length);
        self.memory.bytes_mut(offset as usize, length)
    }

    pub(super) fn offset_of(&self, stretch: &[u8]) -> u64 {
        self.memory.offset_of(stretch) as u64
    }

    fn touch(&self, map: &PageMap, offset: u64, length: usize) {
        for page in pages_of(offset, length) {
            if self.memory.is_pinned(page) {
                continue;
            }
            if !self.memory.pin(page) {
                self.bring_in(map, page);
                self.memory.pin(page);
            }
            self.flags[page].set(self.flags[page].get() | REFERENCED);
        }
    }

    fn bring_in(&self, map: &PageMap, page: usize) {
        self.make_room(self.limit - 1);
        let entry = map.entries[page];
        if entry.slot == NO_SLOT {
            self.memory.fill(page, None);
        } else {
            let offset = map.layout.slot_offset(entry.slot);
            let fault = |cause| -> ! { resume_unwind(Box::new(PageFault { page: page as u64, offset, cause })) };
            let mut buffer = self.buffer.borrow_mut();
            if let Err(error) = self.meta.borrow_mut().read(offset, &mut buffer) {
                fault(FaultCause::Io(error));
            }
            let image: &[u8; PAGE_BYTES as usize] = buffer[..].try_into().expect("the buffer is a page");
            if crc32c(image) != entry.crc {
                fault(FaultCause::Checksum);
            }
            self.memory.fill(page, Some(image));
            self.page_ins.set(self.page_ins.get() + 1);
            Probe::PageIn.hit();
        }
        self.clock.borrow_mut().pages.push(page as u32);
        let over = self.memory.present().saturating_sub(self.limit);
        self.over_limit.set(self.over_limit.get().max(over));
    }

    /// Lets pages go until no more than `most` are left, or none can.
    fn make_room(&self, most: u64) {
        if self.memory.present() <= most {
            return;
        }
        let clock = &mut *self.clock.borrow_mut();
        // Twice round: once to take the references away, once to find who was not looked at since.
        let mut steps = 2 * clock.pages.len();
        while self.memory.present() > most && !clock.stuck {
            if steps == 0 || self.memory.present() <= self.unsaved {
                clock.stuck = true;
                return;
            }
            steps -= 1;
            if clock.hand >= clock.pages.len() {
                clock.hand = 0;
            }
            let page = clock.pages[clock.hand] as usize;
            let flags = self.flags[page].get();
            if self.memory.is_pinned(page) || flags & UNSAVED != 0 {
                clock.hand += 1;
            } else if flags & REFERENCED != 0 {
                self.flags[page].set(flags & !REFERENCED);
                clock.hand += 1;
            } else {
                self.memory.drop_page(page);
                clock.pages.swap_remove(clock.hand);
                self.evictions.set(self.evictions.get() + 1);
                Probe::Eviction.hit();
            }
        }
    }

    /// Ends all pins, and lets go of what a command brought in beyond the limit.
    pub(super) fn unpin(&mut self) {
        self.memory.unpin();
        self.clock.get_mut().stuck = false;
        self.make_room(self.limit);
    }

    /// A page differs from its image from now on; true when it did not before.
    pub(super) fn changed(&mut self, page: u64) -> bool {
        let flags = &self.flags[page as usize];
        let fresh = flags.get() & UNSAVED == 0;
        flags.set(flags.get() | UNSAVED);
        self.unsaved += u64::from(fresh);
        fresh
    }

    /// The image that the map entry of a page names now is what the page holds.
    pub(super) fn saved(&mut self, page: u64) {
        let flags = self.flags[page as usize].get();
        self.unsaved -= u64::from(flags & UNSAVED != 0);
        self.flags[page as usize].set(flags & !UNSAVED);
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.memory.pinned() > self.limit / 4
    }

    pub(super) fn admits(&self) -> bool {
        8 * self.unsaved < 3 * self.limit
    }

    pub(super) fn is_pressed(&self) -> bool {
        4 * self.unsaved > self.limit
    }

    pub(super) fn counts(&self) -> Paged {
        Paged {
            page_ins: self.page_ins.get(),
            evictions: self.evictions.get(),
            resident_bytes: self.memory.present() * PAGE_BYTES,
            over_limit_pages: self.over_limit.get(),
        }
    }
}

fn pages_of(offset: u64, length: usize) -> std::ops::RangeInclusive<usize> {
    let page = |byte: u64| (byte / PAGE_BYTES) as usize;
    page(offset)..=page(offset + length.max(1) as u64 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_caught_and_other_panics_pass_through() {
        let fault = || -> () { resume_unwind(Box::new(PageFault { page: 3, offset: 5, cause: FaultCause::Checksum })) };
        let caught = catch_fault(fault).unwrap_err();
        assert_eq!((caught.page, caught.offset), (3, 5));
        assert_eq!(catch_fault(|| 7).unwrap(), 7);
        let other =
            catch_unwind(|| catch_fault(|| resume_unwind(Box::new("something else")))).map(|_: Result<(), _>| ());
        assert_eq!(*other.unwrap_err().downcast::<&str>().unwrap(), "something else");
    }
}
