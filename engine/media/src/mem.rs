//! A device in memory: for tests, and for measuring a store without a disk.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Buffer, Device};

/// Bytes that act as a slice. Clones are handles to the same bytes, so what one store wrote another can open.
#[derive(Clone)]
pub struct Mem {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Mem {
    /// `length` zero bytes.
    pub fn new(length: u64) -> Mem {
        Mem::from_image(vec![0; length as usize])
    }

    /// The given bytes.
    pub fn from_image(image: Vec<u8>) -> Mem {
        Mem { bytes: Arc::new(Mutex::new(image)) }
    }

    /// A copy of the bytes.
    pub fn image(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// Inverts one bit, as a failing medium would.
    pub fn flip(&self, bit: u64) {
        self.lock()[(bit / 8) as usize] ^= 1 << (bit % 8);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The range of a command within `length` bytes.
pub(crate) fn range(offset: u64, bytes: usize, length: usize) -> io::Result<std::ops::Range<usize>> {
    let end = offset.checked_add(bytes as u64).filter(|&end| end <= length as u64);
    match end {
        Some(end) => Ok(offset as usize..end as usize),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{bytes} bytes at {offset} lie outside of the {length} bytes of the slice"),
        )),
    }
}

impl Device for Mem {
    fn length(&self) -> u64 {
        self.lock().len() as u64
    }

    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        let bytes = self.lock();
        let range = range(offset, buffer.len(), bytes.len())?;
        buffer.copy_from_slice(&bytes[range]);
        Ok(())
    }

    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        let mut bytes = self.lock();
        let range = range(offset, buffer.len(), bytes.len())?;
        bytes[range].copy_from_slice(buffer);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_share_the_bytes_and_commands_stay_inside() {
        let mut one = Mem::new(8192);
        let mut two = one.clone();
        one.write(4096, &Buffer::padded(b"abc")).unwrap();
        let mut buffer = Buffer::zeroed(4096);
        two.read(4096, &mut buffer).unwrap();
        assert_eq!(&buffer[..3], b"abc");
        assert_eq!(two.read(8192, &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(two.write(u64::MAX, &buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        one.flip(4096 * 8);
        assert_eq!(two.image()[4096], b'a' ^ 1);
    }
}
