//! A mapping whose stores reach the medium without the kernel, by libpmem's copies past the caches.
#![allow(unsafe_code)] // mapped memory, and the door to libpmem

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// What is used of libpmem: declarations as in `libpmem.h` (1.0 and later).
mod sys {
    use std::ffi::c_void;

    #[link(name = "pmem")]
    unsafe extern "C" {
        /// `memcpy` that leaves nothing in the caches; durable after a drain on the same thread.
        pub(super) fn pmem_memcpy_nodrain(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void;
        /// Waits for the stores of this thread.
        pub(super) fn pmem_drain();
    }
}

/// A whole file in the address space.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// Maps the first `length` bytes. `None` where the file system does not let stores reach the medium by themselves (no DAX),
    /// unless that is `forced`.
    pub(crate) fn of(file: &File, length: u64, forced: bool) -> io::Result<Option<Mapping>> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        // MAP_SYNC: the kernel promises that a page that can be written is in the file, also after a loss of power.
        let flags = if forced { libc::MAP_SHARED } else { libc::MAP_SHARED_VALIDATE | libc::MAP_SYNC };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, file.as_raw_fd(), 0) };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Some(Mapping { start, length })),
            _ => match io::Error::last_os_error() {
                // Not DAX; or a kernel before 4.15, which knows none of these flags.
                error if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => Ok(None),
                error => Err(error),
            },
        }
    }

    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = self.at(offset, buffer.len())?;
        // SAFETY: `at` found the range within the mapping. Nobody writes it meanwhile: each slice has one owner.
        unsafe { std::ptr::copy_nonoverlapping(from, buffer.as_mut_ptr(), buffer.len()) };
        Ok(())
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let to = self.at(offset, bytes.len())?;
        // SAFETY: as for reading; `bytes` are no part of the mapping, of which no reference is ever given out.
        unsafe { sys::pmem_memcpy_nodrain(to.cast::<c_void>(), bytes.as_ptr().cast(), bytes.len()) };
        Ok(())
    }

    /// Makes what the calling thread wrote durable. A thread that is moved to another core takes its stores along: the
    /// kernel's switch is a barrier.
    pub(crate) fn flush(&self) {
        // SAFETY: it takes nothing and touches no memory.
        unsafe { sys::pmem_drain() };
    }

    fn at(&self, offset: u64, length: usize) -> io::Result<*mut u8> {
        let range = crate::mem::range(offset, length, self.length)?;
        // SAFETY: the range lies within the mapping.
        Ok(unsafe { self.start.as_ptr().add(range.start) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `of` with this length, and no reference to it was ever given out.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

// SAFETY: the mapping is owned and has no ties to a thread.
unsafe impl Send for Mapping {}
// SAFETY: shared use copies bytes in and out of ranges that each have one owner.
unsafe impl Sync for Mapping {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_dax_is_mapped_only_by_force() {
        // The kernel's own: it never has DAX, whatever the machine has.
        let file = std::fs::File::options().read(true).write(true).open("/dev/zero").expect("a device");
        assert!(Mapping::of(&file, 1 << 20, false).expect("no error").is_none());
        let file = tempfile::tempfile().expect("a file");
        file.set_len(1 << 20).expect("room");
        assert!(Mapping::of(&file, 1 << 20, true).expect("no error").is_some());
    }

    #[test]
    fn bytes_arrive_in_the_file_and_nothing_reaches_beyond_it() {
        use std::os::unix::fs::FileExt;
        let file = tempfile::tempfile().expect("a file");
        file.set_len(1 << 20).expect("room");
        let mapping = Mapping::of(&file, 1 << 20, true).expect("no error").expect("by force");
        mapping.write(8192, &[7; 4096]).expect("inside");
        mapping.flush();
        let mut found = [0; 4096];
        file.read_exact_at(&mut found, 8192).expect("the file");
        assert_eq!(found, [7; 4096]);
        mapping.read(8192 - 1, &mut found).expect("inside");
        assert_eq!((found[0], found[1]), (0, 7));
        for (offset, length) in [((1 << 20) - 4095, 4096), (u64::MAX, 1), (0, (1 << 20) + 1)] {
            assert!(mapping.write(offset, &vec![0; length]).is_err(), "{offset}");
            assert!(mapping.read(offset, &mut vec![0; length]).is_err(), "{offset}");
        }
    }
}
