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
    pub(crate) fn decode(bytes: &'a [u8]) -> Record<'a> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        match bytes[0] {
            INLINE => Record::Inline { crc: u32_at(5), bytes: &bytes[9..9 + u32_at(1) as usize] },
            DATA => Record::Data { length: u32_at(1), block: u64_at(5), crcs: &bytes[13..] },
            HOLE => Record::Hole { length: u64_at(1) },
            other => panic!("record kind {other} in memory that was checked when it was loaded"),
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
