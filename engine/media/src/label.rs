//! The label of a device: whose it is and how it is cut. Drawn in engine/docs/disk-format.md, "Device label".
//!
//! Two copies, in the first and the last block. A format clears both, lets the slices be made, then writes the last
//! block, flushes, writes the first and flushes: a device whose format was cut short is unformatted or labelled as a whole.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use types::TargetIndex;
use uuid::Uuid;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{BLOCK_BYTES, Buffer, OpenDevice, Role};

const MAGIC: [u8; 8] = *b"DAOSLBL1";
/// Version of this form.
pub const LABEL_VERSION: u32 = 1;
/// Kept free at either end of a device for a label copy, so that slices start on a round offset.
pub const MARGIN_BYTES: u64 = 1 << 20;
/// Slices one block can list.
pub const MAX_SLICES: usize = (BLOCK_BYTES - size_of::<RawLabel>()) / size_of::<RawSlice>();
const MAX_SYSTEM_BYTES: usize = 15;

/// A part of a device for one role of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Whose.
    pub target: TargetIndex,
    /// What for.
    pub role: Role,
    /// First byte on the device.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// What a label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// This device, made anew at each format.
    pub device: Uuid,
    /// The engine instance it belongs to.
    pub engine: Uuid,
    /// The system.
    pub system: String,
    /// Bytes of the device at format; fewer now means that it was cut off.
    pub total_bytes: u64,
    /// Arena bytes of each target.
    pub arena_bytes: u64,
    /// All slices.
    pub slices: Vec<Slice>,
}

/// What a device looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// No label in either place.
    Unformatted,
    /// A valid label.
    Formatted(Label),
    /// A label of another version of this form: another release's.
    OtherVersion(u32),
    /// There is or was a label, but it cannot be trusted. The text says what is wrong.
    Damaged(String),
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawLabel {
    magic: [u8; 8],
    version: U32,
    crc: U32,
    device: [u8; 16],
    engine: [u8; 16],
    system_length: u8,
    system: [u8; MAX_SYSTEM_BYTES],
    total_bytes: U64,
    arena_bytes: U64,
    slice_count: U32,
    zero: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSlice {
    target: U32,
    role: U32,
    offset: U64,
    length: U64,
}

const _: () = assert!(size_of::<RawLabel>() == 88 && size_of::<RawSlice>() == 24);
/// The checksum covers what follows it.
const CRC_FROM: usize = 16;

impl Label {
    /// The roles that have a slice here.
    pub fn roles(&self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| self.slices.iter().any(|slice| slice.role == *role)).collect()
    }

    /// The block as it stands on the device.
    ///
    /// # Panics
    /// When there are more than [`MAX_SLICES`] slices or the system name is longer than 15 bytes: the layout and the
    /// configuration refuse both.
    pub fn encode(&self) -> Buffer {
        assert!(
            self.slices.len() <= MAX_SLICES && self.system.len() <= MAX_SYSTEM_BYTES,
            "checked by layout and configuration"
        );
        let mut system = [0; MAX_SYSTEM_BYTES];
        system[..self.system.len()].copy_from_slice(self.system.as_bytes());
        let raw = RawLabel {
            magic: MAGIC,
            version: U32::new(LABEL_VERSION),
            crc: U32::ZERO,
            device: *self.device.as_bytes(),
            engine: *self.engine.as_bytes(),
            system_length: self.system.len() as u8,
            system,
            total_bytes: U64::new(self.total_bytes),
            arena_bytes: U64::new(self.arena_bytes),
            slice_count: U32::new(self.slices.len() as u32),
            zero: U32::ZERO,
        };
        let mut block = Buffer::zeroed(BLOCK_BYTES);
        block[..size_of::<RawLabel>()].copy_from_slice(raw.as_bytes());
        for (index, slice) in self.slices.iter().enumerate() {
            let raw = RawSlice {
                target: U32::new(slice.target.0),
                role: U32::new(role_number(slice.role)),
                offset: U64::new(slice.offset),
                length: U64::new(slice.length),
            };
            let at = size_of::<RawLabel>() + index * size_of::<RawSlice>();
            block[at..at + size_of::<RawSlice>()].copy_from_slice(raw.as_bytes());
        }
        let crc = crc32c(&block[CRC_FROM..]);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// `None` when the block does not begin like a label; an error text when it begins like one and is none.
    pub fn decode(block: &[u8]) -> Option<Result<Label, String>> {
        if block.len() < BLOCK_BYTES || block[..8] != MAGIC {
            return None;
        }
        Some(Label::decode_known(&block[..BLOCK_BYTES]))
    }

    fn decode_known(block: &[u8]) -> Result<Label, String> {
        let (raw, rest) = RawLabel::ref_from_prefix(block).expect("a block is longer than the label's fixed part");
        let computed = crc32c(&block[CRC_FROM..]);
        if raw.crc.get() != computed {
            return Err(format!("the label's checksum is {:#010x} where {computed:#010x} is due", raw.crc.get()));
        }
        // After the checksum, which keeps its place in all versions: a flipped bit is no other version.
        if raw.version.get() != LABEL_VERSION {
            return Err(format!("the label has version {}, this program knows version {LABEL_VERSION}", raw.version));
        }
        let count = raw.slice_count.get() as usize;
        let name_length = usize::from(raw.system_length);
        if count > MAX_SLICES || name_length > MAX_SYSTEM_BYTES {
            return Err(format!(
                "the label lists {count} slices and a system name of {name_length} bytes, over its limits"
            ));
        }
        let system =
            std::str::from_utf8(&raw.system[..name_length]).map_err(|_| "the system name is not UTF-8".to_owned())?;
        let total_bytes = raw.total_bytes.get();
        let mut slices = Vec::with_capacity(count);
        for index in 0..count {
            let at = index * size_of::<RawSlice>();
            let raw = RawSlice::ref_from_bytes(&rest[at..at + size_of::<RawSlice>()]).expect("exactly one slice");
            let role = Role::ALL
                .into_iter()
                .find(|role| role_number(*role) == raw.role.get())
                .ok_or_else(|| format!("slice {index} has role {}, which is not defined", raw.role))?;
            let slice = Slice {
                target: TargetIndex(raw.target.get()),
                role,
                offset: raw.offset.get(),
                length: raw.length.get(),
            };
            if slice.offset.checked_add(slice.length).is_none_or(|end| end > total_bytes) {
                return Err(format!("slice {index} reaches beyond the {total_bytes} bytes of the device"));
            }
            slices.push(slice);
        }
        Ok(Label {
            device: Uuid::from_bytes(raw.device),
            engine: Uuid::from_bytes(raw.engine),
            system: system.to_owned(),
            total_bytes,
            arena_bytes: raw.arena_bytes.get(),
            slices,
        })
    }
}

/// The version of a whole label that has another one than ours.
fn other_version(block: &[u8]) -> Option<u32> {
    let (raw, _) = RawLabel::ref_from_prefix(block).expect("a block is longer than the label's fixed part");
    let whole = raw.magic == MAGIC && raw.crc.get() == crc32c(&block[CRC_FROM..]);
    (whole && raw.version.get() != LABEL_VERSION).then_some(raw.version.get())
}

/// Looks at a device or device file without locking or changing it.
pub fn inspect(path: &Path) -> io::Result<Inspection> {
    let file = fs::File::open(path)?;
    let length = crate::file::length_of(&file)?;
    let mut version = None;
    let mut read = |offset: u64| -> io::Result<Option<Result<Label, String>>> {
        let mut block = vec![0; BLOCK_BYTES];
        file.read_exact_at(&mut block, offset)?;
        version = version.or(other_version(&block));
        Ok(Label::decode(&block))
    };
    if length < 2 * BLOCK_BYTES as u64 {
        return Ok(Inspection::Unformatted);
    }
    let (first, last) = (read(0)?, read(last_block(length))?);
    Ok(match (first, last) {
        (Some(Ok(label)), _) | (_, Some(Ok(label))) if label.total_bytes == length => Inspection::Formatted(label),
        (Some(Ok(label)), _) | (_, Some(Ok(label))) if length < label.total_bytes => Inspection::Damaged(format!(
            "the device has {length} bytes, its label says {}: it was cut off",
            label.total_bytes
        )),
        // A device that grew: the first copy still describes all of it that is used.
        (Some(Ok(label)), _) => Inspection::Formatted(label),
        (Some(Err(reason)), _) | (None, Some(Err(reason))) => {
            version.map_or(Inspection::Damaged(reason), Inspection::OtherVersion)
        }
        (None, None | Some(Ok(_))) => Inspection::Unformatted,
    })
}

/// Makes the device unformatted, durably.
pub fn clear(device: &OpenDevice) -> io::Result<()> {
    let empty = Buffer::zeroed(BLOCK_BYTES);
    device.write_at(0, &empty)?;
    device.write_at(last_block(device.length()), &empty)?;
    device.sync()
}

/// Writes both copies, durably; the device is formatted from here on.
pub fn write(device: &OpenDevice, label: &Label) -> io::Result<()> {
    let block = label.encode();
    device.write_at(last_block(device.length()), &block)?;
    device.sync()?;
    device.write_at(0, &block)?;
    device.sync()
}

/// Writes a copy that is missing or damaged again from `label`, the valid one; gives the byte of each copy that was. To be
/// called by the owner of the device, who has it locked. A copy that is valid but says something else is left alone, and
/// so is a device that grew: its copy is not where the last block is now.
pub fn mend(device: &OpenDevice, label: &Label) -> io::Result<Vec<u64>> {
    let mut mended = Vec::new();
    if device.length() != label.total_bytes {
        return Ok(mended);
    }
    for offset in [0, last_block(device.length())] {
        let mut block = Buffer::zeroed(BLOCK_BYTES);
        device.read_at(offset, &mut block)?;
        if !matches!(Label::decode(&block), Some(Ok(_))) {
            device.write_at(offset, &label.encode())?;
            device.sync()?;
            mended.push(offset);
        }
    }
    Ok(mended)
}

fn last_block(length: u64) -> u64 {
    (length / BLOCK_BYTES as u64 - 1) * BLOCK_BYTES as u64
}

fn role_number(role: Role) -> u32 {
    match role {
        Role::Wal => 0,
        Role::Meta => 1,
        Role::Data => 2,
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(total_bytes: u64) -> Label {
        Label {
            device: Uuid::from_u128(1),
            engine: Uuid::from_u128(2),
            system: "daos_server".to_owned(),
            total_bytes,
            arena_bytes: 1 << 20,
            slices: vec![Slice { target: TargetIndex(3), role: Role::Meta, offset: 1 << 20, length: 8192 }],
        }
    }

    #[test]
    fn golden_bytes_of_version_1() {
        let block = label(4 << 20).encode();
        let hex: String = block[..112].iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = concat!(
            "44414f534c424c31",
            "01000000",
            "CRC_____", // magic, version, checksum
            "00000000000000000000000000000001",
            "00000000000000000000000000000002", // device, engine
            "0b64616f735f73657276657200000000", // system name
            "0000400000000000",
            "0000100000000000",
            "0100000000000000", // total, arena, slices
            "0300000001000000",
            "0000100000000000",
            "0020000000000000", // the slice
        );
        assert_eq!(hex.replace(&hex[24..32], "CRC_____"), expected);
        assert!(block[112..].iter().all(|byte| *byte == 0));
        assert_eq!(Label::decode(&block), Some(Ok(label(4 << 20))));
    }

    #[test]
    fn a_device_is_unformatted_until_both_copies_are_written_and_after_they_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bdev");
        let device = OpenDevice::create(&path, 4 << 20).unwrap();
        assert_eq!(inspect(&path).unwrap(), Inspection::Unformatted);
        write(&device, &label(4 << 20)).unwrap();
        assert_eq!(inspect(&path).unwrap(), Inspection::Formatted(label(4 << 20)));
        // One damaged copy is survived, wherever it is.
        for offset in [0, last_block(4 << 20)] {
            let mut block = Buffer::padded(&label(4 << 20).encode());
            block[100] ^= 1;
            device.write_at(offset, &block).unwrap();
            assert_eq!(inspect(&path).unwrap(), Inspection::Formatted(label(4 << 20)), "copy at {offset}");
            write(&device, &label(4 << 20)).unwrap();
        }
        clear(&device).unwrap();
        assert_eq!(inspect(&path).unwrap(), Inspection::Unformatted);
    }

    #[test]
    fn another_release_s_label_is_told_from_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bdev");
        let device = OpenDevice::create(&path, 4 << 20).unwrap();
        write(&device, &label(4 << 20)).unwrap();
        let mut block = Buffer::padded(&label(4 << 20).encode());
        block[8..12].copy_from_slice(&(LABEL_VERSION + 1).to_le_bytes());
        // One copy whose version alone differs is a flipped bit: nobody writes copies of two versions.
        device.write_at(0, &block).unwrap();
        assert_eq!(inspect(&path).unwrap(), Inspection::Formatted(label(4 << 20)));
        device.write_at(last_block(4 << 20), &block).unwrap();
        assert_eq!(inspect(&path).unwrap(), Inspection::OtherVersion(LABEL_VERSION + 1));
        block[100] ^= 1;
        for offset in [0, last_block(4 << 20)] {
            device.write_at(offset, &block).unwrap();
        }
        assert!(matches!(inspect(&path).unwrap(), Inspection::Damaged(_)));
    }

    #[test]
    fn a_lost_copy_is_written_again_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bdev");
        let device = OpenDevice::create(&path, 4 << 20).unwrap();
        write(&device, &label(4 << 20)).unwrap();
        assert_eq!(mend(&device, &label(4 << 20)).unwrap(), []);
        for offset in [0, last_block(4 << 20)] {
            for lost in [Buffer::zeroed(BLOCK_BYTES), Buffer::padded(b"DAOSLBL1 and then nothing of sense")] {
                device.write_at(offset, &lost).unwrap();
                assert_eq!(mend(&device, &label(4 << 20)).unwrap(), [offset]);
                let mut block = Buffer::zeroed(BLOCK_BYTES);
                device.read_at(offset, &mut block).unwrap();
                assert_eq!(Label::decode(&block), Some(Ok(label(4 << 20))));
            }
        }
        // Another valid label is not overwritten.
        let other = Label { device: Uuid::from_u128(9), ..label(4 << 20) };
        device.write_at(last_block(4 << 20), &other.encode()).unwrap();
        assert_eq!(mend(&device, &label(4 << 20)).unwrap(), []);
    }

    #[test]
    fn a_device_that_was_cut_off_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bdev");
        let device = OpenDevice::create(&path, 4 << 20).unwrap();
        write(&device, &label(4 << 20)).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(3 << 20).unwrap();
        assert!(matches!(inspect(&path).unwrap(), Inspection::Damaged(reason) if reason.contains("cut off")));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found(at in 0usize..BLOCK_BYTES, bit in 0u8..8) {
            let mut block = label(4 << 20).encode();
            block[at] ^= 1 << bit;
            prop_assert!(!matches!(Label::decode(&block), Some(Ok(_))));
        }

        #[test]
        fn any_block_is_decoded_or_refused(mut bytes in prop::collection::vec(any::<u8>(), BLOCK_BYTES)) {
            bytes[..8].copy_from_slice(&MAGIC);
            let _ = Label::decode(&bytes);
        }
    }
}
