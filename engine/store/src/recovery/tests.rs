//! Structures with right checksums and wrong contents: opening says where and what, and never panics or reads beyond.

use media::{BLOCK_BYTES, Buffer, Mem, Role};
use types::{Epoch, TargetIndex};
use uuid::Uuid;

use super::format;
use crate::checkpoint::{Layout, MapEntry, digest, encode_chunk, meta_bytes_least};
use crate::error::{OpenError, Slice};
use crate::log::{WrittenExtent, encode};
use crate::settings::{Devices, Geometry, Identity, Settings};
use crate::store::open;
use crate::superblock::{Superblock, fragment};

const MIB: u64 = 1 << 20;
const IDENTITY: Identity = Identity { engine: Uuid::from_u128(5), target: TargetIndex(2) };

struct Target {
    wal: Mem,
    meta: Mem,
    data: Mem,
    geometry: Geometry,
}

impl Target {
    fn new() -> Target {
        let geometry =
            Geometry { arena_bytes: MIB, wal_bytes: MIB, meta_bytes: meta_bytes_least(MIB), data_bytes: MIB };
        let target = Target {
            wal: Mem::new(geometry.wal_bytes),
            meta: Mem::new(geometry.meta_bytes),
            data: Mem::new(geometry.data_bytes),
            geometry,
        };
        format(&mut target.devices(), IDENTITY, MIB).unwrap();
        target
    }

    fn devices(&self) -> Devices {
        Devices {
            wal: Box::new(self.wal.clone()),
            meta: Box::new(self.meta.clone()),
            data: Box::new(self.data.clone()),
        }
    }

    fn superblock(&self) -> Superblock {
        Superblock {
            identity: IDENTITY,
            generation: 2,
            geometry: self.geometry,
            tail_block: 0,
            tail_sequence: 1,
            last_epoch: Epoch(9),
            map_digest: 0,
        }
    }

    fn put(&self, role: Role, offset: u64, buffer: &Buffer) {
        let mut devices = self.devices();
        let device = match role {
            Role::Wal => &mut devices.wal,
            Role::Meta => &mut devices.meta,
            Role::Data => &mut devices.data,
        };
        device.write(offset, buffer).unwrap();
    }

    fn error(&self) -> OpenError {
        match open(&mut self.devices(), IDENTITY, Box::new(vec![0; MIB as usize]), Settings::default()) {
            Ok(_) => panic!("it must not open"),
            Err(error) => error,
        }
    }

    fn damage(&self) -> (Role, u64, String) {
        match self.error() {
            OpenError::Damaged { slice: Slice(role), offset, reason } => (role, offset, reason),
            other => panic!("{other}"),
        }
    }
}

fn redo(offset: u64, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u32;
    [&offset.to_le_bytes()[..], &length.to_le_bytes(), bytes].concat()
}

#[test]
fn a_tail_outside_of_the_log_is_refused() {
    let target = Target::new();
    let superblock = Superblock { tail_block: MIB / 4096, ..target.superblock() };
    target.put(Role::Meta, 4096, &superblock.encode());
    assert_eq!(target.damage(), (Role::Meta, 4096, String::from("the log's tail lies outside of the log")));
}

#[test]
fn a_checkpointed_target_without_its_arena_is_refused() {
    let target = Target::new();
    target.put(Role::Meta, 0, &target.superblock().encode());
    assert!(matches!(target.error(), OpenError::Arena { offset: 0, .. }));
}

#[test]
fn page_maps_that_point_nowhere_or_twice_to_one_slot_are_refused() {
    let target = Target::new();
    let layout = Layout::new(MIB, target.geometry.meta_bytes).unwrap();
    let entry = |slot: u64| MapEntry { slot: slot as u32, crc: 0 };
    for (entries, expected) in [
        (vec![entry(layout.slots)], "a page lies in a slot that does not exist"),
        (vec![entry(3), entry(3)], "two pages share a slot"),
        (vec![entry(3)], "the image of arena page 0 does not match its checksum"),
    ] {
        let mut all = vec![MapEntry::EMPTY; layout.pages as usize];
        all[..entries.len()].copy_from_slice(&entries);
        target.put(Role::Meta, layout.chunk_offset(0, 0), &encode_chunk(fragment(&IDENTITY), 2, 0, &all));
        let superblock = Superblock { map_digest: digest(0, 2), ..target.superblock() };
        target.put(Role::Meta, 0, &superblock.encode());
        assert_eq!(target.damage().2, expected);
    }
    // A superblock that refers to a chunk that is not there.
    target.put(Role::Meta, layout.chunk_offset(0, 0), &Buffer::zeroed(BLOCK_BYTES));
    assert!(target.damage().2.contains("is not the one the superblock refers to"));
}

#[test]
fn groups_that_reach_outside_are_refused() {
    let extent = |offset, length| WrittenExtent { offset, length, crc: 0 };
    let cases: [(u32, Vec<u8>, Vec<WrittenExtent>, &str); 7] = [
        (1, redo(MIB - 2, b"abc"), vec![], "a redo record of 3 bytes at 1048574 lies outside of the arena"),
        (1, redo(u64::MAX, b"abc"), vec![], "lies outside of the arena"),
        (2, redo(0, b"abc"), vec![], "a redo record is cut short"),
        (0, redo(0, b"abc"), vec![], "bytes follow the last record"),
        (1, [redo(0, b""), vec![1]].concat(), vec![], "bytes follow the last record"),
        (0, vec![], vec![extent(MIB - 4096, 4097)], "it refers to 4097 bytes at 1044480 of the data slice"),
        (0, vec![], vec![extent(0, u64::MAX)], "of the data slice, which ends before"),
    ];
    for (records, redo, extents, expected) in cases {
        let target = Target::new();
        let group = encode(fragment(&IDENTITY), 1, Epoch(1), records, &redo, &extents);
        target.put(Role::Wal, 0, &group);
        let (role, offset, reason) = target.damage();
        assert_eq!((role, offset), (Role::Wal, 0));
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn structures_of_another_version_are_refused_by_version_and_not_as_damaged() {
    let version = |target: &Target| match target.error() {
        OpenError::Version { structure, offset, found, .. } => (structure, offset, found),
        other => panic!("{other}"),
    };
    let sign = |block: &mut Buffer, at: usize, covered: usize| {
        block[at..at + 4].fill(0);
        let crc = erasure::crc32c(&block[..covered]);
        block[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    };
    let target = Target::new();
    let mut superblock = target.superblock().encode();
    superblock[8] = 99;
    sign(&mut superblock, BLOCK_BYTES - 4, BLOCK_BYTES - 4);
    target.put(Role::Meta, 4096, &superblock);
    assert_eq!(version(&target), ("superblock", 4096, 99));

    let target = Target::new();
    let mut group = encode(fragment(&IDENTITY), 1, Epoch(1), 1, &redo(4096, b"abc"), &[]);
    group[4] = 99;
    sign(&mut group, 60, 60);
    target.put(Role::Wal, 8192, &group);
    assert_eq!(version(&target), ("log group", 8192, 99));

    let target = Target::new();
    let layout = Layout::new(MIB, target.geometry.meta_bytes).unwrap();
    let mut chunk = encode_chunk(fragment(&IDENTITY), 1, 0, &[MapEntry::EMPTY; 256]);
    chunk[4] = 99;
    sign(&mut chunk, 28, BLOCK_BYTES);
    target.put(Role::Meta, layout.chunk_offset(0, 1), &chunk);
    assert_eq!(version(&target), ("page map chunk", layout.chunk_offset(0, 1), 99));

    let target = Target::new();
    let header = [&b"DFRSARNA"[..], &99u32.to_le_bytes()].concat();
    target.put(Role::Wal, 0, &encode(fragment(&IDENTITY), 1, Epoch(1), 1, &redo(0, &header), &[]));
    assert_eq!(version(&target), ("header", 8, 99));
}

#[test]
fn a_group_longer_than_the_log_is_a_torn_one() {
    let target = Target::new();
    let mut group = encode(fragment(&IDENTITY), 1, Epoch(1), 0, &[], &[]);
    group[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    let crc = erasure::crc32c(&group[..60]);
    group[60..64].copy_from_slice(&crc.to_le_bytes());
    target.put(Role::Wal, 0, &group);
    let memory = Box::new(vec![0; MIB as usize]);
    let (store, recovery) = open(&mut target.devices(), IDENTITY, memory, Settings::default()).unwrap();
    assert_eq!(recovery.groups, 0);
    store.check().unwrap();
}

#[test]
fn sizes_too_small_for_a_target_are_refused_at_format() {
    for (wal, meta, arena) in [(MIB - 4096, 8 * MIB, MIB), (MIB, MIB, MIB), (MIB, 8 * MIB, MIB / 2)] {
        let mut devices =
            Devices { wal: Box::new(Mem::new(wal)), meta: Box::new(Mem::new(meta)), data: Box::new(Mem::new(0)) };
        let error = format(&mut devices, IDENTITY, arena).unwrap_err().to_string();
        assert!(error.contains("is too small: at least") && error.contains("hint: "), "{error}");
    }
}
