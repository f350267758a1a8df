//! What a key of the index leads to.
//!
//! | record | bytes |
//! |---|---|
//! | tombstone | none |
//! | value in the arena | 1 u8, length u32, CRC32C u32 (0 when empty), the bytes |
//! | value in the data slice | 2 u8, length u32, first block u64, CRC32C u32 per 32 KiB |
//! | punched range | 3 u8, length u64 |

use media::BLOCK_BYTES;
use types::CHECKSUM_CHUNK_BYTES;

use crate::extents::{Extent, blocks_for};

const INLINE: u8 = 1;
const DATA: u8 = 2;
const HOLE: u8 = 3;

/// Values below this live in the arena.
pub(crate) const DATA_THRESHOLD: usize = 4096;

/// A record in decoded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Inline { crc: u32, bytes: &'a [u8] },
    Data { length: u32, block: u64, crcs: &'a [u8] },
    Hole { length: u64 },
}

impl<'a> Record<'a> {
    /// Reads a record of an arena in use, which was checked when it was loaded.
    pub(crate) fn decode(bytes: &'a [u8]) -> Record<'a> {
        match Record::parse(bytes) {
            Ok(record) => record,
            Err(reason) => panic!("a record in memory that was checked when it was loaded: {reason}"),
        }
    }

    /// Reads any bytes; the error says what is wrong with them.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Record<'a>, String> {
        let (kind, rest) = bytes.split_first().ok_or("it is empty")?;
        match *kind {
            INLINE => {
                let (length, rest) = u32_of(rest)?;
                let (crc, bytes) = u32_of(rest)?;
                if bytes.len() != length as usize {
                    return Err(format!("a value of {length} bytes has {} bytes", bytes.len()));
                }
                Ok(Record::Inline { crc, bytes })
            }
            DATA => {
                let (length, rest) = u32_of(rest)?;
                let (block, crcs) = u64_of(rest)?;
                if crcs.len() != 4 * (length as usize).div_ceil(CHECKSUM_CHUNK_BYTES) {
                    return Err(format!("a value of {length} bytes has {} bytes of checksums", crcs.len()));
                }
                Ok(Record::Data { length, block, crcs })
            }
            HOLE => {
                let (length, rest) = u64_of(rest)?;
                if rest.is_empty() { Ok(Record::Hole { length }) } else { Err(String::from("bytes follow a range")) }
            }
            other => Err(format!("kind {other} is not defined")),
        }
    }

    /// Bytes of the array or value that it covers.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Record::Inline { bytes, .. } => bytes.len() as u64,
            Record::Data { length, .. } => u64::from(*length),
            Record::Hole { length } => *length,
        }
    }

    /// What it holds of the data slice.
    pub(crate) fn extent(&self) -> Option<Extent> {
        match self {
            Record::Data { length, block, .. } => Some(Extent { start: *block, blocks: blocks_for(*length as usize) }),
            _ => None,
        }
    }
}

fn u32_of(bytes: &[u8]) -> Result<(u32, &[u8]), String> {
    let (head, rest) = bytes.split_first_chunk().ok_or("it is cut short")?;
    Ok((u32::from_le_bytes(*head), rest))
}

fn u64_of(bytes: &[u8]) -> Result<(u64, &[u8]), String> {
    let (head, rest) = bytes.split_first_chunk().ok_or("it is cut short")?;
    Ok((u64::from_le_bytes(*head), rest))
}

pub(crate) fn encode_inline(out: &mut Vec<u8>, crc: u32, bytes: &[u8]) {
    out.push(INLINE);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn encode_data(out: &mut Vec<u8>, length: usize, block: u64, crcs: &[u32]) {
    out.push(DATA);
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&block.to_le_bytes());
    for crc in crcs {
        out.extend_from_slice(&crc.to_le_bytes());
    }
}

pub(crate) fn encode_hole(out: &mut Vec<u8>, length: u64) {
    out.push(HOLE);
    out.extend_from_slice(&length.to_le_bytes());
}

/// The part of a value in the data slice that must be read to check and give bytes `from..to` of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataPart {
    /// Byte of the data slice.
    pub(crate) offset: u64,
    /// Bytes to check, from there on.
    pub(crate) length: usize,
    /// Bytes to skip to the first one wanted.
    pub(crate) skip: usize,
    /// Checksums of the chunks.
    pub(crate) crcs: Vec<u32>,
}

impl DataPart {
    pub(crate) fn of(length: u32, block: u64, crcs: &[u8], from: u64, to: u64) -> DataPart {
        let chunk = CHECKSUM_CHUNK_BYTES as u64;
        let (first, last) = (from / chunk, to.div_ceil(chunk));
        let crcs = crcs[4 * first as usize..4 * last as usize]
            .chunks_exact(4)
            .map(|crc| u32::from_le_bytes(crc.try_into().expect("four bytes")))
            .collect();
        DataPart {
            offset: block * BLOCK_BYTES as u64 + first * chunk,
            length: ((last * chunk).min(u64::from(length)) - first * chunk) as usize,
            skip: (from - first * chunk) as usize,
            crcs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_golden() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut out = Vec::new();
        encode_inline(&mut out, 0x0102_0304, b"abc");
        assert_eq!(hex(&out), "010300000004030201616263");
        assert_eq!(Record::parse(&out), Ok(Record::Inline { crc: 0x0102_0304, bytes: b"abc" }));
        out.clear();
        encode_data(&mut out, 40_000, 7, &[0x0102_0304, 5]);
        assert_eq!(hex(&out), "02409c000007000000000000000403020105000000");
        assert_eq!(Record::parse(&out), Ok(Record::Data { length: 40_000, block: 7, crcs: &out[13..] }));
        out.clear();
        encode_hole(&mut out, 9);
        assert_eq!(hex(&out), "030900000000000000");
        assert_eq!(Record::parse(&out), Ok(Record::Hole { length: 9 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), kind in 0u8..5) {
            let bytes = [&[kind][..], &bytes].concat();
            if let Ok(record) = Record::parse(&bytes) {
                prop_assert!((1..=3).contains(&kind));
                prop_assert!(record.extent().is_some() == (kind == 2));
            }
        }
    }
}
