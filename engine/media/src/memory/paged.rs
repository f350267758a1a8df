//! Memory whose pages come and go, one by one, while others are being looked at.
//!
//! Each page is absent, present or pinned. Only pinned pages can be looked at, and pinning takes a shared borrow; a pin
//! ends at the next exclusive borrow ([`PagedMemory::unpin`]), when no reference can be left. Only absent pages are
//! filled and only pages that are not pinned are dropped, so neither happens below a reference. That is all this module
//! enforces: what is filled in, and which page goes, is the owner's business.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;

use super::Memory;

const PAGE: usize = 4096;

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const PINNED: u8 = 2;

/// Memory of which only the present pages take physical pages.
pub struct PagedMemory {
    /// Never looked at as a whole: references go to pinned pages only.
    memory: Memory,
    pages: Box<[Cell<u8>]>,
    pinned: RefCell<Vec<u32>>,
    present: Cell<u64>,
}

impl PagedMemory {
    /// Takes zeroed memory, all of it absent. An error when the kernel cannot give single pages of it back.
    pub fn new(memory: Memory) -> io::Result<PagedMemory> {
        let pages = memory.length / PAGE;
        if u32::try_from(pages).is_err() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more pages than 32 bits can count"));
        }
        // SAFETY: advice on the mapping that `memory` owns; it changes no byte. Without it a huge page would stay as long as any
        // page of its 2 MiB does.
        if unsafe { libc::madvise(memory.start.as_ptr().cast(), memory.length, libc::MADV_NOHUGEPAGE) } != 0 {
            let error = io::Error::last_os_error();
            // A kernel built without huge pages does not know the advice, and does not need it.
            if error.raw_os_error() != Some(libc::EINVAL) {
                return Err(error);
            }
        }
        let paged = PagedMemory {
            memory,
            pages: vec![Cell::new(ABSENT); pages].into_boxed_slice(),
            pinned: RefCell::new(Vec::new()),
            present: Cell::new(0),
        };
        if pages > 0 {
            paged.give_back(0)?;
        }
        Ok(paged)
    }

    /// Bytes, those of absent pages included.
    pub fn length(&self) -> usize {
        self.memory.length
    }

    /// Pages that are present.
    pub fn present(&self) -> u64 {
        self.present.get()
    }

    /// Pages that are pinned.
    pub fn pinned(&self) -> u64 {
        self.pinned.borrow().len() as u64
    }

    /// True when the page can be looked at.
    pub fn is_pinned(&self, page: usize) -> bool {
        self.pages[page].get() == PINNED
    }

    /// Pins a page that is present; false when it is absent.
    pub fn pin(&self, page: usize) -> bool {
        match self.pages[page].get() {
            ABSENT => return false,
            PRESENT => {
                self.pages[page].set(PINNED);
                self.pinned.borrow_mut().push(page as u32);
            }
            _ => {}
        }
        true
    }

    /// Ends all pins.
    pub fn unpin(&mut self) {
        for page in self.pinned.get_mut().drain(..) {
            self.pages[page as usize].set(PRESENT);
        }
    }

    /// Makes an absent page present. `image` is its contents; none leaves it as zeros.
    ///
    /// # Panics
    /// When the page is not absent.
    pub fn fill(&self, page: usize, image: Option<&[u8; PAGE]>) {
        assert!(self.pages[page].get() == ABSENT, "page {page} is filled twice");
        if let Some(image) = image {
            // SAFETY: the page lies in the mapping, since `pages` has an entry for it. It is absent, so no reference into it
            // exists; `image` is no part of it for the same reason.
            unsafe {
                std::ptr::copy_nonoverlapping(image.as_ptr(), self.memory.start.as_ptr().add(page * PAGE), PAGE);
            }
        }
        self.pages[page].set(PRESENT);
        self.present.set(self.present.get() + 1);
    }

    /// Drops a page that is present and not pinned: its contents are gone and its memory is given back.
    ///
    /// # Panics
    /// When the page is absent or pinned, or when the kernel does not take a page that it took before.
    pub fn drop_page(&self, page: usize) {
        assert!(self.pages[page].get() == PRESENT, "page {page} is dropped while it is absent or pinned");
        self.give_back(page).expect("the kernel took a page of this memory before");
        self.pages[page].set(ABSENT);
        self.present.set(self.present.get() - 1);
    }

    fn give_back(&self, page: usize) -> io::Result<()> {
        // Of a file it is the file's page that must go, and the mapping follows.
        let advice = if self.memory.shared { libc::MADV_REMOVE } else { libc::MADV_DONTNEED };
        // SAFETY: one page of the mapping, to which no reference exists: callers checked that it is not pinned. It reads as
        // zeros from now on.
        let result = unsafe { libc::madvise(self.memory.start.as_ptr().add(page * PAGE).cast(), PAGE, advice) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// A stretch of pinned pages.
    ///
    /// # Panics
    /// When a page of it is not pinned.
    pub fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        self.assert_pinned(offset, length);
        // SAFETY: the stretch lies in the mapping. Its pages are pinned, and stay so until an exclusive borrow, so nothing writes to them
        // while the reference lives.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(offset), length) }
    }

    /// A stretch of pinned pages, to be changed.
    ///
    /// # Panics
    /// When a page of it is not pinned.
    pub fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        self.assert_pinned(offset, length);
        // SAFETY: the stretch lies in the mapping, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.memory.start.as_ptr().add(offset), length) }
    }

    fn assert_pinned(&self, offset: usize, length: usize) {
        let end = offset.checked_add(length.max(1)).filter(|end| *end <= self.memory.length);
        let last = end.expect("only what lies in the memory can be looked at") - 1;
        assert!((offset / PAGE..=last / PAGE).all(|page| self.is_pinned(page)), "only pinned pages can be looked at");
    }

    /// Where a stretch given by [`PagedMemory::bytes`] starts.
    pub fn offset_of(&self, stretch: &[u8]) -> usize {
        stretch.as_ptr() as usize - self.memory.start.as_ptr() as usize
    }
}

impl fmt::Debug for PagedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PagedMemory({} of {} pages)", self.present(), self.pages.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_and_go_and_what_goes_reads_as_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let file = Memory::file(&folder.path().join("arena"), 64 * PAGE);
        for memory in [Memory::anonymous(64 * PAGE), file] {
            let mut memory = PagedMemory::new(memory.unwrap()).unwrap();
            assert!(!memory.pin(3));
            memory.fill(3, Some(&[7; PAGE]));
            memory.fill(4, None);
            assert!(memory.pin(3) && memory.pin(4) && memory.pin(3));
            assert_eq!((memory.present(), memory.pinned()), (2, 2));
            let across = memory.bytes(3 * PAGE + 4000, 200);
            assert_eq!((across[95], across[96], memory.offset_of(across)), (7, 0, 3 * PAGE + 4000));
            memory.bytes_mut(4 * PAGE, 1)[0] = 9;
            memory.unpin();
            memory.drop_page(4);
            assert_eq!(memory.present(), 1);
            assert!(!memory.pin(4) && memory.pin(3));
            memory.fill(4, None);
            assert!(memory.pin(4));
            assert_eq!(memory.bytes(4 * PAGE, 1), [0]);
            assert_eq!(memory.bytes(3 * PAGE, PAGE), [7; PAGE]);
        }
    }

    /// Pages of the memory that take physical ones.
    fn resident(memory: &PagedMemory) -> usize {
        let mut pages = vec![0u8; memory.memory.length / PAGE];
        let start = memory.memory.start.as_ptr().cast();
        // SAFETY: the range is the mapping that `memory` owns, and `pages` has a byte for each page of it.
        let result = unsafe { libc::mincore(start, memory.memory.length, pages.as_mut_ptr().cast()) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        pages.iter().filter(|page| **page & 1 == 1).count()
    }

    #[test]
    fn memory_that_goes_is_given_back() {
        let mut memory = PagedMemory::new(Memory::anonymous(4096 * PAGE).unwrap()).unwrap();
        assert_eq!(resident(&memory), 0);
        (0..4096).for_each(|page| memory.fill(page, Some(&[1; PAGE])));
        assert_eq!(resident(&memory), 4096);
        memory.unpin();
        (0..4096).filter(|page| page % 2 == 0).for_each(|page| memory.drop_page(page));
        assert_eq!(resident(&memory), 2048);
    }

    #[test]
    #[should_panic(expected = "only pinned pages can be looked at")]
    fn an_absent_page_is_never_looked_at() {
        let memory = PagedMemory::new(Memory::anonymous(4 * PAGE).unwrap()).unwrap();
        memory.fill(0, None);
        assert!(memory.pin(0));
        memory.bytes(PAGE - 1, 2);
    }

    #[test]
    #[should_panic(expected = "while it is absent or pinned")]
    fn a_pinned_page_does_not_go() {
        let memory = PagedMemory::new(Memory::anonymous(4 * PAGE).unwrap()).unwrap();
        memory.fill(0, None);
        memory.pin(0);
        memory.drop_page(0);
    }
}
