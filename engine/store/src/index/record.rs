//! What a key of the index leads to.
//!
//! | record | bytes |
//! |---|---|
//! | tombstone | none |
//! | value in the arena | 1 u8, checksum kind u8, length u32, checksum, the bytes |
//! | value in the data slice | 2 u8, checksum kind u8, length u32, first block u64, checksum per 32 KiB |
//! | punched range | 3 u8, length u64 |
//! | record size | 4 u8, bytes u32 |
//!
//! An empty value has no checksum, and 0 for its kind. Bit 7 of the first byte of a value says that the value was found damaged: it is
//! refused without another look.

use media::BLOCK_BYTES;
use types::{CHECKSUM_CHUNK_BYTES, ChecksumKind, ChecksumSlice, Checksums};

use crate::extents::{Extent, blocks_for};

const INLINE: u8 = 1;
const DATA: u8 = 2;
const HOLE: u8 = 3;
const SIZE: u8 = 4;
/// Set in the first byte of a value that was found damaged.
const DAMAGED: u8 = 0x80;

/// Values below this live in the arena.
pub(crate) const DATA_THRESHOLD: usize = 4096;

/// A record in decoded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Inline { checksums: ChecksumSlice<'a>, bytes: &'a [u8], damaged: bool },
    Data { length: u32, block: u64, checksums: ChecksumSlice<'a>, damaged: bool },
    Hole { length: u64 },
    Size { bytes: u32 },
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
        let (tag, rest) = u8_of(bytes)?;
        let damaged = tag & DAMAGED != 0;
        match tag & !DAMAGED {
            INLINE => {
                let (kind, rest) = u8_of(rest)?;
                let (length, rest) = u32_of(rest)?;
                let (checksums, bytes) = checksums_of(kind, length, rest)?;
                if bytes.len() != length as usize {
                    return Err(format!("a value of {length} bytes has {} bytes", bytes.len()));
                }
                Ok(Record::Inline { checksums, bytes, damaged })
            }
            DATA => {
                let (kind, rest) = u8_of(rest)?;
                let (length, rest) = u32_of(rest)?;
                let (block, rest) = u64_of(rest)?;
                let (checksums, rest) = checksums_of(kind, length, rest)?;
                if rest.is_empty() {
                    Ok(Record::Data { length, block, checksums, damaged })
                } else {
                    Err(format!("{} bytes follow the checksums of a value of {length} bytes", rest.len()))
                }
            }
            HOLE if !damaged => {
                let (length, rest) = u64_of(rest)?;
                if rest.is_empty() { Ok(Record::Hole { length }) } else { Err(String::from("bytes follow a range")) }
            }
            SIZE if !damaged => {
                let (bytes, rest) = u32_of(rest)?;
                if rest.is_empty() {
                    Ok(Record::Size { bytes })
                } else {
                    Err(String::from("bytes follow a record size"))
                }
            }
            _ => Err(format!("kind {tag} is not defined")),
        }
    }

    /// Bytes of the array or value that it covers.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Record::Inline { bytes, .. } => bytes.len() as u64,
            Record::Data { length, .. } => u64::from(*length),
            Record::Hole { length } => *length,
            Record::Size { .. } => 0,
        }
    }

    /// True for a value that was found damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        matches!(self, Record::Inline { damaged: true, .. } | Record::Data { damaged: true, .. })
    }

    /// What it holds of the data slice.
    pub(crate) fn extent(&self) -> Option<Extent> {
        match self {
            Record::Data { length, block, .. } => Some(Extent { start: *block, blocks: blocks_for(*length as usize) }),
            _ => None,
        }
    }
}

/// True for the records that a container counts: tombstones and record sizes.
pub(crate) fn is_counted(record: &[u8]) -> bool {
    record.is_empty() || record[0] == SIZE
}

/// The first byte of a value's record once the value was found damaged.
pub(crate) fn damaged_tag(tag: u8) -> u8 {
    tag | DAMAGED
}

fn u8_of(bytes: &[u8]) -> Result<(u8, &[u8]), String> {
    bytes.split_first().map(|(head, rest)| (*head, rest)).ok_or_else(|| String::from("it is cut short"))
}

fn u32_of(bytes: &[u8]) -> Result<(u32, &[u8]), String> {
    let (head, rest) = bytes.split_first_chunk().ok_or("it is cut short")?;
    Ok((u32::from_le_bytes(*head), rest))
}

fn u64_of(bytes: &[u8]) -> Result<(u64, &[u8]), String> {
    let (head, rest) = bytes.split_first_chunk().ok_or("it is cut short")?;
    Ok((u64::from_le_bytes(*head), rest))
}

/// The checksums, of the kind with number `kind`, of a value of `length` bytes.
fn checksums_of(kind: u8, length: u32, bytes: &[u8]) -> Result<(ChecksumSlice<'_>, &[u8]), String> {
    let count = (length as usize).div_ceil(CHECKSUM_CHUNK_BYTES);
    let kind = match ChecksumKind::from_number(kind) {
        Some(kind) if count > 0 => kind,
        None if count == 0 && kind == 0 => ChecksumKind::default(),
        _ => return Err(format!("a value of {length} bytes has checksums of kind {kind}")),
    };
    let (checksums, rest) = bytes
        .split_at_checked(count * kind.bytes())
        .ok_or_else(|| format!("a value of {length} bytes has only {} bytes of checksums", bytes.len()))?;
    Ok((ChecksumSlice::new(kind, checksums).expect("the bytes of whole checksums"), rest))
}

fn kind_number(checksums: &Checksums) -> u8 {
    checksums.kind().map_or(0, ChecksumKind::number)
}

pub(crate) fn encode_inline(out: &mut Vec<u8>, checksums: &Checksums, bytes: &[u8]) {
    out.extend_from_slice(&[INLINE, kind_number(checksums)]);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(checksums.as_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn encode_data(out: &mut Vec<u8>, length: usize, block: u64, checksums: &Checksums) {
    out.extend_from_slice(&[DATA, kind_number(checksums)]);
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&block.to_le_bytes());
    out.extend_from_slice(checksums.as_bytes());
}

pub(crate) fn encode_hole(out: &mut Vec<u8>, length: u64) {
    out.push(HOLE);
    out.extend_from_slice(&length.to_le_bytes());
}

pub(crate) fn encode_size(bytes: u32) -> [u8; 5] {
    let mut record = [SIZE; 5];
    record[1..].copy_from_slice(&bytes.to_le_bytes());
    record
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
    pub(crate) checksums: Checksums,
}

impl DataPart {
    pub(crate) fn of(length: u32, block: u64, checksums: ChecksumSlice<'_>, from: u64, to: u64) -> DataPart {
        let chunk = CHECKSUM_CHUNK_BYTES as u64;
        let (first, last) = (from / chunk, to.div_ceil(chunk));
        DataPart {
            offset: block * BLOCK_BYTES as u64 + first * chunk,
            length: ((last * chunk).min(u64::from(length)) - first * chunk) as usize,
            skip: (from - first * chunk) as usize,
            checksums: checksums.range(first as usize, last as usize).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_bytes_are_golden() {
        let crc = Checksums::from_bytes(ChecksumKind::Crc32c, &[1, 2, 3, 4]).unwrap();
        let sha = Checksums::from_bytes(ChecksumKind::Sha256, &[0xab; 64]).unwrap();
        let mut out = Vec::new();
        encode_inline(&mut out, &crc, b"xyz");
        assert_eq!(hex(&out), "0101030000000102030478797a");
        assert_eq!(
            Record::parse(&out),
            Ok(Record::Inline { checksums: crc.as_slice(), bytes: b"xyz", damaged: false })
        );
        out.clear();
        encode_inline(&mut out, &Checksums::none(), b"");
        assert_eq!(hex(&out), "010000000000");
        assert_eq!(
            Record::parse(&out),
            Ok(Record::Inline { checksums: Checksums::none().as_slice(), bytes: b"", damaged: false })
        );
        out.clear();
        encode_data(&mut out, 40_000, 7, &sha);
        assert_eq!(hex(&out), ["0203409c0000", "0700000000000000", &"ab".repeat(64)].concat());
        assert_eq!(
            Record::parse(&out),
            Ok(Record::Data { length: 40_000, block: 7, checksums: sha.as_slice(), damaged: false })
        );
        out[0] = damaged_tag(out[0]);
        assert_eq!(out[0], 0x82);
        assert!(Record::decode(&out).is_damaged());
        out.clear();
        encode_hole(&mut out, 258);
        assert_eq!(hex(&out), "030201000000000000");
        assert_eq!(Record::parse(&out), Ok(Record::Hole { length: 258 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), tag: u8, kind in 0u8..5, length in 0u32..20) {
            let tag = if tag % 4 < 3 { tag & 0x83 } else { tag };
            let random = [&[tag][..], &bytes].concat();
            let plausible = [&[tag, kind][..], &length.to_le_bytes(), &bytes].concat();
            for bytes in [random, plausible] {
                if let Ok(record) = Record::parse(&bytes) {
                    prop_assert!([1, 2, 3, 4, 0x81, 0x82].contains(&tag));
                    prop_assert!(record.extent().is_some() == (tag & 0x7f == 2));
                    prop_assert!(record.is_damaged() == (tag > 4));
                }
            }
        }
    }
}
