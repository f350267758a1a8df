//! Positions in the ring of log blocks.
//!
//! Groups are contiguous. One that does not fit before the end starts at block 0; the blocks left over count as used
//! until the tail passes them. Head and tail are equal only when the log is empty.

/// Head (where the next group goes) and tail (where replay starts), in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ring {
    pub(crate) blocks: u64,
    pub(crate) head: u64,
    pub(crate) tail: u64,
}

impl Ring {
    /// Where a group of `length` blocks would start; `None` while there is no room.
    pub(crate) fn place(&self, length: u64) -> Option<u64> {
        if self.head < self.tail {
            return (self.head + length < self.tail).then_some(self.head);
        }
        let end = self.head + length;
        if end < self.blocks || (end == self.blocks && self.tail != 0) {
            return Some(self.head);
        }
        (length < self.tail).then_some(0)
    }

    /// Moves the head past a group that was placed at `start`.
    pub(crate) fn advance(&mut self, start: u64, length: u64) {
        self.head = (start + length) % self.blocks;
    }

    /// Blocks between tail and head.
    pub(crate) fn used(&self) -> u64 {
        (self.head + self.blocks - self.tail) % self.blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_placed_contiguously_and_never_reach_the_tail() {
        let ring = |head, tail| Ring { blocks: 16, head, tail };
        assert_eq!(ring(0, 0).place(15), Some(0));
        assert_eq!(ring(0, 0).place(16), None); // head would equal tail
        assert_eq!(ring(12, 5).place(4), Some(12));
        assert_eq!(ring(12, 0).place(4), None);
        assert_eq!(ring(12, 5).place(5), None); // block 0 to 4 would meet the tail
        assert_eq!(ring(12, 6).place(5), Some(0));
        assert_eq!(ring(3, 8).place(4), Some(3));
        assert_eq!(ring(3, 8).place(5), None);
        let mut wrapped = ring(12, 5);
        wrapped.advance(12, 4);
        assert_eq!((wrapped.head, wrapped.used()), (0, 11));
    }
}
