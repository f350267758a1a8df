//! Which pages changed since the last checkpoint took them.

use super::PAGE_BYTES;

/// A set of page numbers, walked in ascending order.
pub(crate) struct DirtyPages {
    words: Vec<u64>,
    count: u64,
}

impl DirtyPages {
    pub(crate) fn new(pages: u64) -> DirtyPages {
        DirtyPages { words: vec![0; pages.div_ceil(64) as usize], count: 0 }
    }

    /// Adds the pages that `length` bytes from `offset` touch.
    pub(crate) fn mark(&mut self, offset: u64, length: u64) {
        for page in offset / PAGE_BYTES..=(offset + length - 1) / PAGE_BYTES {
            let word = &mut self.words[(page / 64) as usize];
            let bit = 1 << (page % 64);
            self.count += u64::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Takes one page out; false when it is not in.
    pub(crate) fn remove(&mut self, page: u64) -> bool {
        let word = &mut self.words[(page / 64) as usize];
        // A number until the end: where a `bool` is both counted and branched on, optimised code of rustc 1.95 and others counts
        // nothing (rust-lang/rust#158206).
        let was = *word >> (page % 64) & 1;
        *word &= !(1 << (page % 64));
        self.count -= was;
        was == 1
    }

    /// True when the page is in.
    pub(crate) fn has(&self, page: u64) -> bool {
        self.words[(page / 64) as usize] & (1 << (page % 64)) != 0
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Moves all to a set of their own.
    pub(crate) fn take(&mut self) -> DirtyPages {
        let empty = DirtyPages { words: vec![0; self.words.len()], count: 0 };
        std::mem::replace(self, empty)
    }

    /// Removes and returns the first page at or after `from`.
    pub(crate) fn pop_from(&mut self, from: u64) -> Option<u64> {
        let mut index = (from / 64) as usize;
        let mut mask = u64::MAX << (from % 64);
        while index < self.words.len() {
            let found = self.words[index] & mask;
            if found != 0 {
                let bit = found.trailing_zeros();
                self.words[index] &= !(1 << bit);
                self.count -= 1;
                return Some(index as u64 * 64 + u64::from(bit));
            }
            index += 1;
            mask = u64::MAX;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_marked_once_and_popped_in_order() {
        let mut dirty = DirtyPages::new(200);
        dirty.mark(4095, 2);
        dirty.mark(4096 * 130, 4096);
        dirty.mark(4096 * 130, 1);
        assert_eq!(dirty.count(), 3);
        assert!(dirty.has(0) && dirty.has(130) && !dirty.has(2));
        let mut taken = dirty.take();
        assert_eq!((dirty.count(), taken.count()), (0, 3));
        let mut popped = Vec::new();
        let mut from = 0;
        while let Some(page) = taken.pop_from(from) {
            popped.push(page);
            from = page + 1;
        }
        assert_eq!(popped, [0, 1, 130]);
        assert_eq!(taken.count(), 0);
    }

    /// As recovery does: the answer decides whether the loop goes on.
    #[inline(never)]
    fn remove_all(pages: &mut DirtyPages, those: &[u32]) -> bool {
        for page in those {
            if !pages.remove(u64::from(*page)) {
                return false;
            }
        }
        true
    }

    #[test]
    fn what_is_removed_is_not_counted_any_more_in_optimised_code_either() {
        let mut pages = DirtyPages::new(640);
        pages.mark(0, 640 * PAGE_BYTES);
        let those: Vec<u32> = (0..100).collect();
        assert!(remove_all(&mut pages, &those));
        assert_eq!(pages.count(), 540);
        assert!(!remove_all(&mut pages, &those));
        assert_eq!(pages.count(), 540);
    }
}
