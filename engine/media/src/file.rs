//! Devices of class `file`, `kdev` and `dcpm`: a regular file or a block device, opened for one engine alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FallocateFlags, Flock, FlockArg, fallocate};

use crate::persistent::Mapping;
use crate::{BLOCK_BYTES, Buffer, Device};

/// libpmem's own variable: what is mapped counts as persistent whatever the file system says. For tests; a loss of power then loses data.
const FORCE: &str = "PMEM_IS_PMEM_FORCE";

/// Why a device cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The system refused.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("`{path}` is in use by another engine")]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// Neither a file nor a block device.
    #[error("`{path}` is neither a regular file nor a block device")]
    Kind {
        /// Which.
        path: PathBuf,
    },
}

/// A device, locked for this process until it is dropped. O_DIRECT where the filesystem has it.
#[derive(Debug)]
pub struct OpenDevice {
    file: Flock<File>,
    path: PathBuf,
    length: u64,
    direct: bool,
    mapping: Option<Mapping>,
    /// A flush failed. The system tells that once, to whoever flushed; what others wrote may be lost with it.
    lost: AtomicBool,
}

impl OpenDevice {
    /// Opens an existing device.
    pub fn open(path: &Path) -> Result<OpenDevice, DeviceError> {
        OpenDevice::with(path, OpenOptions::new().read(true).write(true))
    }

    /// Opens an existing device to look at it: nothing can be written, and the lock is the same.
    pub fn open_read_only(path: &Path) -> Result<OpenDevice, DeviceError> {
        OpenDevice::with(path, OpenOptions::new().read(true))
    }

    /// Opens a device file, making or resizing it to `bytes` with all its space reserved. A block device is taken as it is
    /// and must have at least `bytes`.
    pub fn create(path: &Path, bytes: u64) -> Result<OpenDevice, DeviceError> {
        let mut device = OpenDevice::with(path, OpenOptions::new().read(true).write(true).create(true).mode(0o600))?;
        let failed = |action, source| DeviceError::Io { action, path: path.to_owned(), source };
        if device.is_block_device().map_err(|source| failed("inspect", source))? {
            if device.length < bytes {
                let text = format!("it has {} bytes, {bytes} are wanted", device.length);
                return Err(failed("use", io::Error::new(io::ErrorKind::InvalidInput, text)));
            }
            return Ok(device);
        }
        let before = device.length;
        if device.length != bytes {
            device.file.set_len(bytes).map_err(|source| failed("resize", source))?;
            device.length = bytes;
        }
        let length =
            i64::try_from(bytes).map_err(|_| failed("reserve space for", io::ErrorKind::InvalidInput.into()))?;
        // Reserved now, so that a full filesystem is found at format and not under an update.
        match fallocate(&*device.file, FallocateFlags::empty(), 0, length) {
            Ok(()) | Err(nix::errno::Errno::EOPNOTSUPP) => Ok(device),
            Err(error) => {
                // What was reserved so far would keep a file system full.
                let _ = device.file.set_len(before.min(bytes));
                Err(failed("reserve space for", error.into()))
            }
        }
    }

    /// Maps a file on persistent memory. One on anything else, or in a build without libpmem, stays what it is.
    pub fn mapped(self) -> Result<OpenDevice, DeviceError> {
        self.mapped_by(std::env::var_os(FORCE).is_some_and(|value| value == "1"))
    }

    pub(crate) fn mapped_by(self, force: bool) -> Result<OpenDevice, DeviceError> {
        let mapping = Mapping::of(&self.file, self.length, force).map_err(|source| DeviceError::Io {
            action: "map",
            path: self.path.clone(),
            source,
        })?;
        Ok(OpenDevice { mapping, ..self })
    }

    fn with(path: &Path, options: &mut OpenOptions) -> Result<OpenDevice, DeviceError> {
        let failed = |action, source| DeviceError::Io { action, path: path.to_owned(), source };
        let (file, direct) = match options.clone().custom_flags(libc::O_DIRECT).open(path) {
            Ok(file) => (file, true),
            // tmpfs and some network filesystems have no O_DIRECT; writes go through the page cache and flushes still hold.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                (options.open(path).map_err(|source| failed("open", source))?, false)
            }
            Err(source) => return Err(failed("open", source)),
        };
        let kind = file.metadata().map_err(|source| failed("inspect", source))?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(DeviceError::Kind { path: path.to_owned() });
        }
        let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Err(DeviceError::InUse { path: path.to_owned() }),
            Err((_, error)) => return Err(failed("lock", error.into())),
        };
        let length = length_of(&file).map_err(|source| failed("measure", source))?;
        Ok(OpenDevice { file, path: path.to_owned(), length, direct, mapping: None, lost: AtomicBool::new(false) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// False when the filesystem has no O_DIRECT.
    pub fn direct(&self) -> bool {
        self.direct
    }

    /// True when commands are copies by the calling thread, for which nobody needs to wait.
    pub fn is_mapped(&self) -> bool {
        self.mapping.is_some()
    }

    /// Writes whole blocks.
    pub fn write_at(&self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        match &self.mapping {
            Some(mapping) => mapping.write(offset, buffer),
            None => self.file.write_all_at(buffer, offset),
        }
    }

    /// Reads whole blocks.
    pub fn read_at(&self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        match &self.mapping {
            Some(mapping) => mapping.read(offset, buffer),
            None => self.file.read_exact_at(buffer, offset),
        }
    }

    /// Makes all completed writes durable; those of the calling thread, when the device is mapped.
    ///
    /// After one failure every flush of the device fails, whoever asks and whatever the system says then.
    pub fn sync(&self) -> io::Result<()> {
        match &self.mapping {
            Some(mapping) => {
                mapping.flush();
                Ok(())
            }
            None => self.flushed(self.file.sync_data()),
        }
    }

    /// What a flush that the system answered with `result` means: of use only when none failed before.
    pub(crate) fn flushed<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let done = result.inspect_err(|error| {
            // One that was called off did not begin.
            if error.raw_os_error() != Some(libc::ECANCELED) {
                self.lost.store(true, Ordering::SeqCst);
            }
        })?;
        if self.lost.load(Ordering::SeqCst) {
            let text =
                format!("an earlier flush of `{}` failed, so what it wrote before is in doubt", self.path.display());
            return Err(io::Error::other(text));
        }
        Ok(done)
    }

    /// A part of it, as a device of its own.
    ///
    /// # Panics
    /// When the part does not lie within the device on whole blocks: labels are checked against that.
    pub fn slice(self: &Arc<OpenDevice>, offset: u64, length: u64) -> FileSlice {
        let block = BLOCK_BYTES as u64;
        let end = offset.checked_add(length).expect("labels are checked");
        assert!(
            end <= self.length && offset.is_multiple_of(block) && length.is_multiple_of(block),
            "labels are checked"
        );
        FileSlice { device: self.clone(), offset, length }
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    fn is_block_device(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.file_type().is_block_device())
    }
}

/// Bytes of a file or block device.
pub(crate) fn length_of(file: &File) -> io::Result<u64> {
    let kind = file.metadata()?;
    if kind.file_type().is_block_device() { (&*file).seek(SeekFrom::End(0)) } else { Ok(kind.len()) }
}

/// A slice of an open device.
#[derive(Debug, Clone)]
pub struct FileSlice {
    device: Arc<OpenDevice>,
    offset: u64,
    length: u64,
}

impl FileSlice {
    /// The device it lies on.
    pub fn device(&self) -> &Arc<OpenDevice> {
        &self.device
    }

    /// Where `length` bytes at `offset` of the slice lie on the device.
    pub(crate) fn locate(&self, offset: u64, length: usize) -> io::Result<u64> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.length => Ok(self.offset + offset),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{length} bytes at {offset} reach beyond the slice of {} bytes", self.length),
            )),
        }
    }
}

impl Device for FileSlice {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        let at = self.locate(offset, buffer.len())?;
        self.device.read_at(at, buffer)
    }

    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        let at = self.locate(offset, buffer.len())?;
        self.device.write_at(at, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.device.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_sees_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let device = Arc::new(OpenDevice::create(&folder.path().join("bdev"), 64 << 10).unwrap());
        let (mut first, mut second) = (device.slice(4096, 8192), device.slice(12288, 8192));
        first.write(4096, &Buffer::padded(b"first")).unwrap();
        second.write(0, &Buffer::padded(b"second")).unwrap();
        second.flush().unwrap();
        let mut read = Buffer::zeroed(8192);
        device.read_at(8192, &mut read).unwrap();
        assert_eq!((&read[..5], &read[4096..4102]), (&b"first"[..], &b"second"[..]));
        assert!(first.write(8192, &Buffer::padded(b"x")).is_err());
        assert!(first.read(u64::MAX - 1, &mut read).is_err());
    }

    #[test]
    fn after_a_failed_flush_no_slice_of_the_device_can_flush() {
        let folder = tempfile::tempdir().unwrap();
        let device = Arc::new(OpenDevice::create(&folder.path().join("bdev"), 64 << 10).unwrap());
        let mut other = device.slice(4096, 8192);
        other.flush().unwrap();
        let told = device.flushed::<()>(Err(io::Error::from_raw_os_error(libc::EIO))).unwrap_err();
        assert_eq!(told.raw_os_error(), Some(libc::EIO));
        let after = other.flush().unwrap_err().to_string();
        assert!(after.contains("an earlier flush") && after.contains("bdev"), "{after}");
    }

    #[test]
    fn a_device_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bdev");
        let owner = OpenDevice::create(&path, 64 << 10).unwrap();
        assert!(matches!(OpenDevice::open(&path), Err(DeviceError::InUse { .. })));
        assert!(matches!(OpenDevice::open_read_only(&path), Err(DeviceError::InUse { .. })));
        drop(owner);
        assert_eq!(OpenDevice::open(&path).unwrap().length(), 64 << 10);
        let looked_at = OpenDevice::open_read_only(&path).unwrap();
        assert!(matches!(OpenDevice::open(&path), Err(DeviceError::InUse { .. })));
        assert!(looked_at.write_at(0, &Buffer::padded(b"never")).is_err());
    }

    #[test]
    fn what_is_no_device_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = OpenDevice::open(&folder.path().join("nothing")).unwrap_err().to_string();
        assert!(missing.contains("cannot open") && missing.contains("nothing"), "{missing}");
        assert!(OpenDevice::open(Path::new("/dev/null")).is_err());
    }
}
