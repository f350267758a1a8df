//! What a device holds, in blocks that copies share: a copy costs a pointer per block, and a changed copy the blocks
//! that differ.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::mem::range;
use crate::{BLOCK_BYTES, Buffer, Device};

/// One block.
pub(super) type Block = [u8; BLOCK_BYTES];

/// The bytes of a device. Blocks never written are zero and take no memory.
#[derive(Clone)]
pub struct Contents {
    blocks: Vec<Option<Arc<Block>>>,
}

impl Contents {
    /// Zero bytes; `length` is a multiple of the block.
    pub fn zeroed(length: u64) -> Contents {
        Contents { blocks: vec![None; length as usize / BLOCK_BYTES] }
    }

    /// The given bytes; a last block that is not whole is padded with zeros.
    pub fn from_bytes(bytes: &[u8]) -> Contents {
        let block = |piece: &[u8]| {
            let mut block = [0; BLOCK_BYTES];
            block[..piece.len()].copy_from_slice(piece);
            piece.iter().any(|&byte| byte != 0).then(|| Arc::new(block))
        };
        Contents { blocks: bytes.chunks(BLOCK_BYTES).map(block).collect() }
    }

    /// All bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.blocks.len() * BLOCK_BYTES];
        for (block, place) in self.blocks.iter().zip(bytes.chunks_exact_mut(BLOCK_BYTES)) {
            if let Some(block) = block {
                place.copy_from_slice(&block[..]);
            }
        }
        bytes
    }

    /// The end of the last block that was written.
    pub fn used(&self) -> u64 {
        self.blocks.iter().rposition(Option::is_some).map_or(0, |last| (last as u64 + 1) * BLOCK_BYTES as u64)
    }

    /// Inverts one bit, as a failing medium would.
    pub fn flip(&mut self, bit: u64) {
        let (block, bit) = ((bit / 8) as usize / BLOCK_BYTES, bit % (8 * BLOCK_BYTES as u64));
        self.block_mut(block)[(bit / 8) as usize] ^= 1 << (bit % 8);
    }

    /// Cuts the end off.
    pub fn truncate(&mut self, length: u64) {
        self.blocks.truncate(length as usize / BLOCK_BYTES);
    }

    pub(super) fn blocks(&self) -> &[Option<Arc<Block>>] {
        &self.blocks
    }

    pub(super) fn set(&mut self, index: usize, block: &Arc<Block>) {
        self.blocks[index] = Some(Arc::clone(block));
    }

    pub(super) fn block_mut(&mut self, index: usize) -> &mut Block {
        Arc::make_mut(self.blocks[index].get_or_insert_with(|| Arc::new([0; BLOCK_BYTES])))
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK_BYTES
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({} of {} bytes)", self.used(), self.bytes())
    }
}

impl PartialEq for Contents {
    fn eq(&self, other: &Contents) -> bool {
        let zero = [0; BLOCK_BYTES];
        self.blocks.len() == other.blocks.len()
            && self.blocks.iter().zip(&other.blocks).all(|pair| match pair {
                (None, None) => true,
                (Some(one), Some(two)) => Arc::ptr_eq(one, two) || one == two,
                (Some(one), None) | (None, Some(one)) => **one == zero,
            })
    }
}

impl Device for Contents {
    fn length(&self) -> u64 {
        self.bytes() as u64
    }

    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        let range = range(offset, buffer.len(), self.bytes())?;
        for (n, piece) in buffer.chunks_exact_mut(BLOCK_BYTES).enumerate() {
            match &self.blocks[range.start / BLOCK_BYTES + n] {
                Some(block) => piece.copy_from_slice(&block[..]),
                None => piece.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        let range = range(offset, buffer.len(), self.bytes())?;
        for (n, piece) in buffer.chunks_exact(BLOCK_BYTES).enumerate() {
            let place = &mut self.blocks[range.start / BLOCK_BYTES + n];
            *place = Some(Arc::new(piece.try_into().expect("a chunk is a block")));
        }
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
    fn copies_share_what_neither_changed() {
        let mut one = Contents::zeroed(3 * 4096);
        one.write(4096, &Buffer::padded(b"abc")).unwrap();
        let mut two = one.clone();
        two.flip(4096 * 8);
        assert_eq!((one.to_bytes()[4096], two.to_bytes()[4096]), (b'a', b'a' ^ 1));
        assert_ne!(one, two);
        two.flip(4096 * 8);
        assert_eq!(one, two);
        assert_eq!(Contents::from_bytes(&one.to_bytes()), one);
        assert_eq!((one.used(), one.length()), (8192, 12288));
        let mut buffer = Buffer::padded(&[1; 4096]);
        one.read(8192, &mut buffer).unwrap();
        assert!(buffer.iter().all(|&byte| byte == 0));
        assert_eq!(one.read(12288, &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        one.write(8192, &Buffer::zeroed(4096)).unwrap();
        assert_eq!(one, two);
        one.truncate(4096);
        assert_eq!(one.write(4096, &buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
