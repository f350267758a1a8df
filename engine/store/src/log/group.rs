//! A log group: the redo of all transactions that became durable together.
//!
//! Header of [`HEADER_BYTES`], then the body: the data extents that the group made visible, then the redo records,
//! padded with zeros to whole blocks. The table in engine/docs/disk-format.md ("Log group") is drawn from the offsets here.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer};
use types::Epoch;

const MAGIC: [u8; 4] = *b"DWAL";
/// Version of a group.
pub(crate) const VERSION: u16 = 1;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = MAGIC_AT + 4;
const FLAGS_AT: usize = VERSION_AT + 2;
const FRAGMENT_AT: usize = FLAGS_AT + 2;
const SEQUENCE_AT: usize = FRAGMENT_AT + 8;
const LAST_EPOCH_AT: usize = SEQUENCE_AT + 8;
const BODY_BYTES_AT: usize = LAST_EPOCH_AT + 8;
const RECORDS_AT: usize = BODY_BYTES_AT + 4;
const EXTENTS_AT: usize = RECORDS_AT + 4;
const BODY_CRC_AT: usize = EXTENTS_AT + 4;
const ZERO_AT: usize = BODY_CRC_AT + 4;
const HEADER_CRC_AT: usize = ZERO_AT + 12;
/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = HEADER_CRC_AT + 4;
/// Bytes of one extent in the body.
pub(crate) const EXTENT_BYTES: usize = 24;

/// A stretch of the data slice that a group made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenExtent {
    /// First byte, a multiple of the block.
    pub(crate) offset: u64,
    /// Bytes, padding not counted.
    pub(crate) length: u64,
    /// CRC32C of them.
    pub(crate) crc: u32,
}

/// A group header in decoded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) fragment: u64,
    pub(crate) sequence: u64,
    pub(crate) last_epoch: Epoch,
    pub(crate) body_bytes: u32,
    pub(crate) records: u32,
    pub(crate) extents: u32,
    pub(crate) body_crc: u32,
}

impl GroupHeader {
    /// Blocks of the whole group.
    pub(crate) fn blocks(&self) -> u64 {
        blocks_for(self.body_bytes as usize)
    }

    /// Reads the start of a block; `None` when no group with this fragment starts here.
    pub(crate) fn decode(block: &[u8], fragment: u64) -> Option<GroupHeader> {
        let u32_at = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
        (version_of(block, fragment)? == VERSION).then(|| GroupHeader {
            fragment,
            sequence: u64_at(SEQUENCE_AT),
            last_epoch: Epoch(u64_at(LAST_EPOCH_AT)),
            body_bytes: u32_at(BODY_BYTES_AT),
            records: u32_at(RECORDS_AT),
            extents: u32_at(EXTENTS_AT),
            body_crc: u32_at(BODY_CRC_AT),
        })
    }
}

/// The version of the group with this fragment whose header starts a block, known or not.
pub(crate) fn version_of(block: &[u8], fragment: u64) -> Option<u16> {
    let whole = block[MAGIC_AT..VERSION_AT] == MAGIC
        && block[FRAGMENT_AT..SEQUENCE_AT] == fragment.to_le_bytes()
        && block[HEADER_CRC_AT..HEADER_BYTES] == crc32c(&block[..HEADER_CRC_AT]).to_le_bytes();
    whole.then(|| u16::from_le_bytes([block[VERSION_AT], block[VERSION_AT + 1]]))
}

/// Blocks that a group with a body of `body_bytes` takes.
pub(crate) fn blocks_for(body_bytes: usize) -> u64 {
    (HEADER_BYTES + body_bytes).div_ceil(BLOCK_BYTES) as u64
}

/// Puts a group together.
pub(crate) fn encode(
    fragment: u64,
    sequence: u64,
    last_epoch: Epoch,
    records: u32,
    redo: &[u8],
    extents: &[WrittenExtent],
) -> Buffer {
    let body_bytes = extents.len() * EXTENT_BYTES + redo.len();
    let mut group = Buffer::used(HEADER_BYTES + body_bytes);
    group[..HEADER_BYTES].fill(0);
    group[HEADER_BYTES + body_bytes..].fill(0);
    let mut at = HEADER_BYTES;
    for extent in extents {
        group[at..at + 8].copy_from_slice(&extent.offset.to_le_bytes());
        group[at + 8..at + 16].copy_from_slice(&extent.length.to_le_bytes());
        group[at + 16..at + 20].copy_from_slice(&extent.crc.to_le_bytes());
        group[at + 20..at + EXTENT_BYTES].fill(0);
        at += EXTENT_BYTES;
    }
    group[at..at + redo.len()].copy_from_slice(redo);
    let body_crc = crc32c(&group[HEADER_BYTES..HEADER_BYTES + body_bytes]);
    group[MAGIC_AT..VERSION_AT].copy_from_slice(&MAGIC);
    group[VERSION_AT..FLAGS_AT].copy_from_slice(&VERSION.to_le_bytes());
    group[FRAGMENT_AT..SEQUENCE_AT].copy_from_slice(&fragment.to_le_bytes());
    group[SEQUENCE_AT..LAST_EPOCH_AT].copy_from_slice(&sequence.to_le_bytes());
    group[LAST_EPOCH_AT..BODY_BYTES_AT].copy_from_slice(&last_epoch.0.to_le_bytes());
    group[BODY_BYTES_AT..RECORDS_AT].copy_from_slice(&(body_bytes as u32).to_le_bytes());
    group[RECORDS_AT..EXTENTS_AT].copy_from_slice(&records.to_le_bytes());
    group[EXTENTS_AT..BODY_CRC_AT].copy_from_slice(&(extents.len() as u32).to_le_bytes());
    group[BODY_CRC_AT..ZERO_AT].copy_from_slice(&body_crc.to_le_bytes());
    let header_crc = crc32c(&group[..HEADER_CRC_AT]);
    group[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&header_crc.to_le_bytes());
    group
}

/// The body of a group whose blocks are all here.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    pub(crate) extents: Vec<WrittenExtent>,
    /// Arena offset and bytes of each record.
    pub(crate) redo: Vec<(u64, &'a [u8])>,
}

/// Reads a body; the error says what is wrong with it. `None` inside means the checksum does not match.
pub(crate) fn decode_body<'a>(header: &GroupHeader, group: &'a [u8]) -> Result<Option<Body<'a>>, String> {
    let Some(body) = group.get(HEADER_BYTES..HEADER_BYTES + header.body_bytes as usize) else {
        return Ok(None);
    };
    if crc32c(body) != header.body_crc {
        return Ok(None);
    }
    let u64_of = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let u32_of = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let mut rest = body;
    let mut extents = Vec::new();
    for _ in 0..header.extents {
        let (extent, after) = rest.split_at_checked(EXTENT_BYTES).ok_or("an extent is cut short")?;
        extents.push(WrittenExtent {
            offset: u64_of(&extent[..8]),
            length: u64_of(&extent[8..16]),
            crc: u32_of(&extent[16..20]),
        });
        rest = after;
    }
    let mut redo = Vec::new();
    for _ in 0..header.records {
        let (head, after) = rest.split_at_checked(12).ok_or("a redo record is cut short")?;
        let length = u32_of(&head[8..12]) as usize;
        let (bytes, after) = after.split_at_checked(length).ok_or("a redo record is cut short")?;
        redo.push((u64_of(&head[..8]), bytes));
        rest = after;
    }
    if rest.is_empty() { Ok(Some(Body { extents, redo })) } else { Err(String::from("bytes follow the last record")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_golden() {
        let mut left = Buffer::zeroed(BLOCK_BYTES);
        left.fill(9);
        drop(left); // what a buffer held before does not show
        let mut redo = Vec::new();
        redo.extend_from_slice(&0x1000u64.to_le_bytes());
        redo.extend_from_slice(&3u32.to_le_bytes());
        redo.extend_from_slice(b"abc");
        let extent = WrittenExtent { offset: 0x2000, length: 5000, crc: 0x0a0b_0c0d };
        let group = encode(0x1122_3344_5566_7788, 9, Epoch(10), 1, &redo, &[extent]);
        let hex: String = group[..HEADER_CRC_AT].iter().map(|byte| format!("{byte:02x}")).collect();
        let crc = crc32c(&group[HEADER_BYTES..HEADER_BYTES + 39]);
        let crc_hex: String = crc.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            format!(
                "4457414c{}{}{}{}{}{}{}{}{crc_hex}{}",
                "0100",
                "0000",
                "8877665544332211",
                "0900000000000000",
                "0a00000000000000",
                "27000000",
                "01000000",
                "01000000",
                "000000000000000000000000"
            )
        );
        let body: String = group[HEADER_BYTES..HEADER_BYTES + 39].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            body,
            "00200000000000008813000000000000".to_owned() + "0d0c0b0a00000000" + "001000000000000003000000616263"
        );
        assert!(group[HEADER_BYTES + 39..].iter().all(|&byte| byte == 0));
        let header = GroupHeader::decode(&group, 0x1122_3344_5566_7788).unwrap();
        assert_eq!((header.sequence, header.blocks()), (9, 1));
        assert!(GroupHeader::decode(&group, 1).is_none());
        let decoded = decode_body(&header, &group).unwrap().unwrap();
        assert_eq!(decoded.extents, [extent]);
        assert_eq!(decoded.redo, [(0x1000, &b"abc"[..])]);
    }

    proptest! {
        #[test]
        fn groups_round_trip(
            sequence: u64,
            epoch: u64,
            records in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..3000)), 0..8),
            extents in prop::collection::vec(any::<(u64, u64, u32)>(), 0..8),
        ) {
            let mut redo = Vec::new();
            for (offset, bytes) in &records {
                redo.extend_from_slice(&offset.to_le_bytes());
                redo.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                redo.extend_from_slice(bytes);
            }
            let extents: Vec<_> =
                extents.into_iter().map(|(offset, length, crc)| WrittenExtent { offset, length, crc }).collect();
            let group = encode(1, sequence, Epoch(epoch), records.len() as u32, &redo, &extents);
            let header = GroupHeader::decode(&group, 1).expect("it is one");
            prop_assert_eq!((header.sequence, header.last_epoch.0), (sequence, epoch));
            prop_assert_eq!(header.blocks() as usize * BLOCK_BYTES, group.len());
            let body = decode_body(&header, &group).unwrap().expect("it is whole");
            prop_assert_eq!(body.extents, extents);
            let expected: Vec<(u64, &[u8])> = records.iter().map(|(offset, bytes)| (*offset, &bytes[..])).collect();
            prop_assert_eq!(body.redo, expected);
        }

        #[test]
        fn any_body_with_a_right_checksum_is_read_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            records in 0u32..5,
            extents in 0u32..5,
        ) {
            let mut group = vec![0; HEADER_BYTES];
            group.extend_from_slice(&bytes);
            let header = GroupHeader {
                fragment: 0,
                sequence: 0,
                last_epoch: Epoch(0),
                body_bytes: bytes.len() as u32,
                records,
                extents,
                body_crc: crc32c(&bytes),
            };
            if let Ok(body) = decode_body(&header, &group) {
                let body = body.expect("the checksum is right");
                prop_assert_eq!((body.redo.len() as u32, body.extents.len() as u32), (records, extents));
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let group = encode(7, 9, Epoch(10), 0, b"", &[WrittenExtent { offset: 1, length: 2, crc: 3 }]);
        for bit in 0..(HEADER_BYTES + EXTENT_BYTES) * 8 {
            let mut bad = group.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let found =
                GroupHeader::decode(&bad, 7).is_none_or(|header| !matches!(decode_body(&header, &bad), Ok(Some(_))));
            assert!(found, "bit {bit}");
        }
    }
}
