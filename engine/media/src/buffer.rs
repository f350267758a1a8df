//! Block-aligned memory, as O_DIRECT wants it.
#![allow(unsafe_code)] // aligned allocation has no safe form in std

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The unit of device IO: offsets and lengths are multiples of it, buffers are aligned to it.
pub const BLOCK_BYTES: usize = 4096;

/// Zero-initialised memory of a whole number of blocks, aligned to a block.
pub struct Buffer {
    start: NonNull<u8>,
    length: usize,
}

impl Buffer {
    /// Memory for at least `bytes` (rounded up to whole blocks, at least one), zeroed.
    pub fn zeroed(bytes: usize) -> Buffer {
        let length = bytes.max(1).next_multiple_of(BLOCK_BYTES);
        let layout = Buffer::layout(length);
        // SAFETY: the layout has a non-zero size.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Buffer { start, length },
            None => handle_alloc_error(layout),
        }
    }

    /// A copy of `bytes`, padded with zeros to whole blocks.
    pub fn padded(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::zeroed(bytes.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        buffer
    }

    fn layout(length: usize) -> Layout {
        Layout::from_size_align(length, BLOCK_BYTES).expect("a buffer is far smaller than isize::MAX")
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points to `length` initialised bytes that this value owns.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with the same layout.
        unsafe { dealloc(self.start.as_ptr(), Buffer::layout(self.length)) }
    }
}

// SAFETY: the memory is owned and has no interior sharing.
unsafe impl Send for Buffer {}
// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_whole_aligned_zeroed_blocks() {
        for (bytes, length) in [(0, 4096), (1, 4096), (4096, 4096), (4097, 8192)] {
            let buffer = Buffer::zeroed(bytes);
            assert_eq!(buffer.len(), length);
            assert_eq!(buffer.as_ptr() as usize % BLOCK_BYTES, 0);
            assert!(buffer.iter().all(|&b| b == 0));
        }
        assert_eq!(&Buffer::padded(b"abc")[..5], b"abc\0\0");
    }
}
