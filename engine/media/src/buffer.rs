//! Block-aligned memory, as O_DIRECT wants it.
//!
//! Each thread keeps the memory of buffers it dropped for those it makes next: a target's buffers come and go with every operation, and
//! fresh memory would cost a page fault per 4 KiB, which is more than copying the bytes. Lengths are rounded up to powers of two for that.
#![allow(unsafe_code)] // aligned allocation has no safe form in std

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The unit of device IO: offsets and lengths are multiples of it, buffers are aligned to it.
pub const BLOCK_BYTES: usize = 4096;

/// Memory of one size is kept per power of two, from a block up to 32 MiB, the largest value.
const CLASSES: usize = 14;
/// Bytes kept by one thread at most: the writes of two of the largest values.
const KEPT_BYTES_MOST: usize = 64 << 20;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { classes: [const { Vec::new() }; CLASSES], bytes: 0 }) };
}

/// Initialised memory of one owner, a power of two of blocks, or any number of them above the largest class.
struct Memory {
    start: NonNull<u8>,
    length: usize,
}

impl Memory {
    /// Zeroed.
    fn fresh(length: usize) -> Memory {
        let layout = Memory::layout(length);
        // SAFETY: the layout has a non-zero size.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Memory { start, length },
            None => handle_alloc_error(layout),
        }
    }

    fn layout(length: usize) -> Layout {
        Layout::from_size_align(length, BLOCK_BYTES).expect("a buffer is far smaller than isize::MAX")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `fresh` with the same layout, and owned by this value alone.
        unsafe { dealloc(self.start.as_ptr(), Memory::layout(self.length)) }
    }
}

/// What a thread keeps.
struct Spare {
    classes: [Vec<Memory>; CLASSES],
    bytes: usize,
}

impl Spare {
    /// The class of memory of this length, when there is one.
    fn class(length: usize) -> Option<usize> {
        let class = (length / BLOCK_BYTES).trailing_zeros() as usize;
        (length.is_power_of_two() && class < CLASSES).then_some(class)
    }

    fn take(&mut self, length: usize) -> Option<Memory> {
        let found = self.classes[Spare::class(length)?].pop()?;
        self.bytes -= found.length;
        Some(found)
    }

    /// Keeps memory; when there is too much, what there was goes.
    fn keep(&mut self, memory: Memory) {
        let Some(class) = Spare::class(memory.length) else { return };
        if self.bytes + memory.length > KEPT_BYTES_MOST {
            self.classes.iter_mut().for_each(Vec::clear);
            self.bytes = 0;
        }
        self.bytes += memory.length;
        self.classes[class].push(memory);
    }
}

/// Memory of a whole number of blocks, aligned to a block.
pub struct Buffer {
    /// There until the value is dropped.
    memory: Option<Memory>,
    start: NonNull<u8>,
    length: usize,
}

impl Buffer {
    /// Memory for at least `bytes` (rounded up to whole blocks, at least one), zeroed.
    pub fn zeroed(bytes: usize) -> Buffer {
        match Buffer::spare(bytes) {
            Some(mut buffer) => {
                buffer.fill(0);
                buffer
            }
            None => Buffer::fresh(bytes),
        }
    }

    /// The same with any contents, also of an earlier buffer: for who overwrites it all.
    pub fn used(bytes: usize) -> Buffer {
        Buffer::spare(bytes).unwrap_or_else(|| Buffer::fresh(bytes))
    }

    /// A copy of `bytes`, padded with zeros to whole blocks.
    pub fn padded(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::used(bytes.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        buffer[bytes.len()..].fill(0);
        buffer
    }

    /// Length of the buffer and of its memory.
    fn lengths(bytes: usize) -> (usize, usize) {
        let length = bytes.max(1).next_multiple_of(BLOCK_BYTES);
        let rounded = length.next_power_of_two();
        (length, if Spare::class(rounded).is_some() { rounded } else { length })
    }

    fn spare(bytes: usize) -> Option<Buffer> {
        let (length, rounded) = Buffer::lengths(bytes);
        // A thread that ends has no list any more.
        let memory = SPARE.try_with(|spare| spare.borrow_mut().take(rounded)).ok()??;
        Some(Buffer::of(memory, length))
    }

    fn fresh(bytes: usize) -> Buffer {
        let (length, rounded) = Buffer::lengths(bytes);
        Buffer::of(Memory::fresh(rounded), length)
    }

    fn of(memory: Memory, length: usize) -> Buffer {
        assert!(length <= memory.length, "a buffer lies within its memory");
        Buffer { start: memory.start, memory: Some(memory), length }
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points to the memory that this value owns, of at least `length` initialised bytes.
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
        if let Some(memory) = self.memory.take() {
            // A thread that ends keeps nothing; the memory is freed with the closure.
            let _ = SPARE.try_with(|spare| spare.borrow_mut().keep(memory));
        }
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

    #[test]
    fn memory_is_used_again_and_shows_nothing_of_before_unless_asked_to() {
        let mut first = Buffer::zeroed(8000);
        first.fill(7);
        let place = first.as_ptr();
        drop(first);
        let second = Buffer::padded(&[1; 5000]);
        assert_eq!(second.as_ptr(), place);
        assert_eq!((second.len(), second[4999], second[5000], second[8191]), (8192, 1, 0, 0));
        drop(second);
        assert_eq!(Buffer::used(8192)[..2], [1, 1]);
        assert!(Buffer::zeroed(5000).iter().all(|&byte| byte == 0));
    }

    #[test]
    fn what_a_thread_keeps_is_bounded() {
        for count in 1..20 {
            let bytes = count * 3_000_001;
            assert_eq!(Buffer::used(bytes).len(), bytes.next_multiple_of(BLOCK_BYTES));
            SPARE.with(|spare| assert!(spare.borrow().bytes <= KEPT_BYTES_MOST));
        }
    }

    #[test]
    fn a_buffer_ends_on_any_thread() {
        let buffer = Buffer::padded(&[1; 100]);
        std::thread::spawn(move || assert_eq!(buffer[99], 1)).join().unwrap();
    }
}
