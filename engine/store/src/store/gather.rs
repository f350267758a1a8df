//! Values on their way to the data slice: those that lie side by side become one write.
//!
//! The free map cuts the extents of values that come one after the other from one stretch, so a group of small values is
//! mostly one write. A device takes longer over 64 writes of 4 KiB than over one of 256 KiB, and so does the processor.

use bytes::Bytes;
use media::{BLOCK_BYTES, Buffer};

/// Values from this size are written on their own: there is nothing to gain.
const ALONE_BYTES: usize = 64 << 10;
/// A write of gathered values is at most this long, so that several are under way in a large group.
const WRITE_BYTES_MOST: usize = 256 << 10;

/// One write of one or more values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First byte in the data slice.
    pub(super) offset: u64,
    /// The group of all of them.
    pub(super) group: u64,
    /// In the order in which they lie.
    pub(super) values: Vec<Bytes>,
    /// Bytes they take, padded to blocks.
    length: usize,
}

impl Stretch {
    /// The values one after the other, each padded with zeros to whole blocks.
    pub(super) fn to_buffer(&self) -> Buffer {
        let mut buffer = Buffer::used(self.length);
        let mut rest = &mut buffer[..];
        for value in &self.values {
            let (place, after) = rest.split_at_mut(value.len().next_multiple_of(BLOCK_BYTES));
            place[..value.len()].copy_from_slice(value);
            place[value.len()..].fill(0);
            rest = after;
        }
        buffer
    }
}

/// The stretch that grows.
#[derive(Default)]
pub(super) struct Gather {
    open: Option<Stretch>,
}

impl Gather {
    /// Adds the value of an extent that starts at `offset`; gives the stretch that it does not continue, to be written now.
    pub(super) fn add(&mut self, group: u64, offset: u64, value: Bytes) -> Option<Stretch> {
        let length = value.len().next_multiple_of(BLOCK_BYTES);
        if let Some(open) = &mut self.open
            && open.group == group
            && open.offset + open.length as u64 == offset
            && open.length + length <= WRITE_BYTES_MOST
            && length < ALONE_BYTES
        {
            open.values.push(value);
            open.length += length;
            return None;
        }
        self.open.replace(Stretch { offset, group, values: vec![value], length })
    }

    /// What there is, to be written now.
    pub(super) fn take(&mut self) -> Option<Stretch> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(length: usize) -> Bytes {
        Bytes::from(vec![1; length])
    }

    /// Offset and number of values of each write.
    fn writes(values: &[(u64, u64, usize)]) -> Vec<(u64, usize)> {
        let mut gather = Gather::default();
        let mut all: Vec<_> =
            values.iter().filter_map(|(group, offset, length)| gather.add(*group, *offset, value(*length))).collect();
        all.extend(gather.take());
        assert!(gather.take().is_none());
        all.iter().map(|stretch| (stretch.offset, stretch.values.len())).collect()
    }

    #[test]
    fn neighbours_of_one_group_share_a_write() {
        assert_eq!(writes(&[(1, 0, 4096), (1, 4096, 5000), (1, 12288, 4096)]), [(0, 3)]);
        assert_eq!(writes(&[(1, 0, 4096), (2, 4096, 4096)]), [(0, 1), (4096, 1)], "not of two groups");
        assert_eq!(writes(&[(1, 4096, 4096), (1, 0, 4096)]), [(4096, 1), (0, 1)], "not in the other order");
        assert_eq!(writes(&[(1, 0, 4097), (1, 4096, 4096)]), [(0, 1), (4096, 1)], "not with a padding between");
    }

    #[test]
    fn a_write_has_a_longest_length() {
        let blocks: Vec<_> = (0..130).map(|block| (1, block * 4096, 4096)).collect();
        assert_eq!(writes(&blocks), [(0, 64), (64 * 4096, 64), (128 * 4096, 2)]);
        let large = [(1, 0, 4096), (1, 4096, ALONE_BYTES), (1, 4096 + ALONE_BYTES as u64, 4096)];
        assert_eq!(writes(&large).len(), 2, "a large one starts its own; a small one may follow it");
    }

    #[test]
    fn each_value_is_padded_with_zeros() {
        let mut old = Buffer::zeroed(12288);
        old.fill(9);
        drop(old);
        let mut gather = Gather::default();
        gather.add(1, 0, value(100));
        gather.add(1, 4096, value(4097));
        let buffer = gather.take().unwrap().to_buffer();
        assert_eq!((buffer.len(), buffer[99], buffer[100], buffer[4095]), (12288, 1, 0, 0));
        assert_eq!((buffer[4096], buffer[8192], buffer[8193], buffer[12287]), (1, 1, 0, 0));
    }
}
