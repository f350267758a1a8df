//! Memory of a target's arena: anonymous, or a file on the SCM tmpfs so that its use shows there. `paged` is the same with
//! pages that come and go.
#![allow(unsafe_code)] // mapping memory has no safe form

mod paged;

pub use paged::PagedMemory;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::NonNull;

/// Zeroed memory that takes physical pages only where it is touched.
pub struct Memory {
    start: NonNull<u8>,
    length: usize,
    /// It belongs to a file.
    shared: bool,
}

impl Memory {
    /// Memory of this process alone.
    pub fn anonymous(bytes: usize) -> io::Result<Memory> {
        Memory::map(bytes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, -1)
    }

    /// Memory in a file, which is made anew: what it held is gone.
    pub fn file(path: &Path, bytes: usize) -> io::Result<Memory> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        file.set_len(bytes as u64)?;
        Memory::map(bytes, libc::MAP_SHARED | libc::MAP_NORESERVE, file.as_raw_fd())
    }

    fn map(bytes: usize, flags: libc::c_int, descriptor: libc::c_int) -> io::Result<Memory> {
        if bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an arena of no bytes"));
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, descriptor, 0)
        };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => {
                Ok(Memory { start, length: bytes, shared: descriptor >= 0 })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Deref for Memory {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping has `length` readable bytes and lives as long as this value, which owns it. A mapped file is
        // this process's alone by the lock on the engine's devices.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this length, and no reference outlives the value.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

// SAFETY: the mapping is owned and has no ties to a thread.
unsafe impl Send for Memory {}
// SAFETY: shared references only read.
unsafe impl Sync for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} bytes)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_and_writable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arena");
        std::fs::write(&path, b"left over").unwrap();
        for mut memory in [Memory::anonymous(1 << 20).unwrap(), Memory::file(&path, 1 << 20).unwrap()] {
            assert!(memory.iter().all(|byte| *byte == 0));
            memory[(1 << 20) - 1] = 7;
            assert_eq!(memory[(1 << 20) - 1], 7);
        }
        assert!(Memory::anonymous(0).is_err());
    }
}
