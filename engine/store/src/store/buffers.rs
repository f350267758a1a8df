//! Buffers of finished writes, kept for the next writes of the same length.
//!
//! Values of one workload tend to have one length. Fresh memory for each would cost a page fault per 4 KiB, which is
//! more than copying the bytes.

use std::collections::HashMap;

use media::Buffer;

/// Bytes kept at most: the writes of two of the largest values.
const KEPT_BYTES_MOST: usize = 2 * types::MAX_VALUE_BYTES;

/// Free buffers by length.
#[derive(Default)]
pub(super) struct Buffers {
    free: HashMap<usize, Vec<Buffer>>,
    kept_bytes: usize,
}

impl Buffers {
    /// A copy of `bytes`, padded with zeros to whole blocks.
    pub(super) fn padded(&mut self, bytes: &[u8]) -> Buffer {
        let length = bytes.len().next_multiple_of(media::BLOCK_BYTES);
        match self.free.get_mut(&length).and_then(Vec::pop) {
            Some(mut buffer) => {
                self.kept_bytes -= length;
                buffer[..bytes.len()].copy_from_slice(bytes);
                buffer[bytes.len()..].fill(0);
                buffer
            }
            None => Buffer::padded(bytes),
        }
    }

    /// Keeps a buffer whose write is done; when too many are kept, those of other lengths go.
    pub(super) fn give_back(&mut self, buffer: Buffer) {
        let length = buffer.len();
        if self.kept_bytes + length > KEPT_BYTES_MOST {
            self.free.clear();
            self.kept_bytes = 0;
        }
        self.kept_bytes += length;
        self.free.entry(length).or_default().push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_used_again_holds_nothing_of_before() {
        let mut buffers = Buffers::default();
        let first = buffers.padded(&[7; 8000]);
        let place = first.as_ptr();
        buffers.give_back(first);
        let second = buffers.padded(&[1; 5000]);
        assert_eq!(second.as_ptr(), place);
        assert_eq!((second.len(), second[4999], second[5000], second[8191]), (8192, 1, 0, 0));
        assert_eq!(buffers.kept_bytes, 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut buffers = Buffers::default();
        for blocks in 1..200 {
            buffers.give_back(Buffer::zeroed(blocks * 100_000));
            assert!(buffers.kept_bytes <= KEPT_BYTES_MOST);
        }
    }
}
