//! A small target with one of everything, for the tests of this room and as the ground that fuzz targets start from.

use bytes::Bytes;
use media::Mem;
use types::{
    Address, ChecksumKind, Condition, ContainerId, Epoch, Key, ObjectId, Operation, Place, PoolId, Scope, Shape,
    TargetIndex, TransactionId,
};
use uuid::Uuid;

use super::{Findings, Image, fragment, log, map, superblocks};
use crate::checkpoint::{Layout, meta_bytes_least};
use crate::command::{Command, Reply};
use crate::drive::Driven;
use crate::recovery::format;
use crate::settings::{Devices, Geometry, Identity, Settings};

const MIB: u64 = 1 << 20;
pub(crate) const IDENTITY: Identity = Identity { engine: Uuid::from_u128(0xabc), target: TargetIndex(4) };
pub(crate) const GEOMETRY: Geometry =
    Geometry { arena_bytes: MIB, wal_bytes: MIB, meta_bytes: 2 * MIB, data_bytes: MIB };

/// Devices in memory, whose bytes can be looked at and changed.
pub(crate) struct Sample {
    pub(crate) wal: Mem,
    pub(crate) meta: Mem,
    pub(crate) data: Mem,
}

impl Sample {
    /// The target, stopped: values of all kinds, tombstones, holes, a grave; a checkpoint, and a log after it.
    pub(crate) fn new() -> Sample {
        assert!(
            GEOMETRY.meta_bytes >= meta_bytes_least(GEOMETRY.arena_bytes),
            "a meta slice of the sample holds its arena"
        );
        let sample = Sample {
            wal: Mem::new(GEOMETRY.wal_bytes),
            meta: Mem::new(GEOMETRY.meta_bytes),
            data: Mem::new(GEOMETRY.data_bytes),
        };
        format(&mut sample.devices(), IDENTITY, GEOMETRY.arena_bytes).expect("devices in memory are written");
        let memory = Box::new(vec![0; GEOMETRY.arena_bytes as usize]);
        let (driven, _) =
            Driven::open(sample.devices(), IDENTITY, memory, Settings::default()).expect("it was formatted");
        History { driven, now: 16_000_000_000 }.run();
        sample
    }

    pub(crate) fn devices(&self) -> Devices {
        Devices {
            wal: Box::new(self.wal.clone()),
            meta: Box::new(self.meta.clone()),
            data: Box::new(self.data.clone()),
        }
    }

    /// The arena as a start would rebuild it.
    pub(crate) fn arena(&self) -> Vec<u8> {
        let mut devices = self.devices();
        let mut findings = Findings::new(10);
        let superblocks = superblocks::read(&mut *devices.meta, &mut findings).expect("the sample has a superblock");
        let superblock = *superblocks.current();
        let layout = Layout::new(GEOMETRY.arena_bytes, GEOMETRY.meta_bytes).expect("the sample has room");
        let fragment = fragment(&IDENTITY);
        let map = map::read(&mut *devices.meta, layout, fragment, &superblock, &mut findings);
        let mut image = Image::over_slots(GEOMETRY.arena_bytes, &mut *devices.meta, &map);
        let (wal, data) = (&mut *devices.wal, &mut *devices.data);
        log::replay(wal, data, fragment, &superblock, &mut image, &mut findings, &mut |_| {});
        image.bytes(0, GEOMETRY.arena_bytes as usize).expect("all of the arena")
    }
}

struct History {
    driven: Driven,
    now: u64,
}

impl History {
    fn command(&mut self, command: Command) {
        self.now += 1000;
        let reply = self.driven.run(command, Epoch(self.now));
        assert!(matches!(reply, Reply::Done(Ok(())) | Reply::Operated(Ok(_)) | Reply::Prepared(Ok(_))), "{reply:?}");
    }

    fn update(&mut self, place: Place, address: &Address, shape: Shape, data: &[u8]) {
        self.command(Command::Operate { place, operation: update(address, shape, data) });
    }

    fn prepare(&mut self, place: Place, changes: &[(&Address, usize)]) {
        let operations = changes.iter().map(|(address, length)| update(address, Shape::Single, &vec![6; *length]));
        let transaction = TransactionId(Uuid::from_u128(9));
        self.command(Command::Prepare { transaction, place, operations: operations.collect() });
    }

    fn punch(&mut self, place: Place, scope: Scope) {
        self.command(Command::Operate { place, operation: Operation::Punch { scope, condition: Condition::Always } });
    }

    fn run(mut self) {
        let pool = PoolId(Uuid::from_u128(1));
        let place = |id| Place { pool, container: ContainerId(Uuid::from_u128(id)) };
        let address = |object, dkey: &str| Address {
            object: ObjectId { hi: 1, lo: object },
            dkey: Key::try_from(dkey).expect("a short name"),
            akey: Key::try_from("a").expect("a short name"),
        };
        self.command(Command::PoolCreate { pool, scm_bytes: 300 << 10, data_bytes: 512 << 10 });
        for id in [2, 3] {
            self.command(Command::ContainerCreate(place(id), ChecksumKind::Crc32c));
        }
        for (object, length) in [(1, 10), (2, 2000), (3, 5000), (4, 40_000)] {
            self.update(place(2), &address(object, "single"), Shape::Single, &vec![object as u8; length]);
        }
        // Enough for a branch above the leaves.
        for n in 0..60 {
            self.update(place(2), &address(5, &format!("{n:0120}")), Shape::Single, b"value");
        }
        self.update(place(2), &address(5, &"k".repeat(700)), Shape::Single, b"under a key of its own");
        self.command(Command::Checkpoint);
        for offset in [0, 50, 9000] {
            self.update(place(2), &address(6, "array"), Shape::Array { offset, record_bytes: 1 }, &[7; 4500]);
        }
        self.punch(place(2), Scope::Range { address: address(6, "array"), offset: 20, length: 10 });
        self.punch(place(2), Scope::Object(ObjectId { hi: 1, lo: 1 }));
        self.punch(place(2), Scope::Dkey(ObjectId { hi: 1, lo: 2 }, Key::try_from("single").expect("a short name")));
        self.punch(place(2), Scope::Akey(address(6, "none")));
        self.update(place(2), &address(7, "records"), Shape::Array { offset: 8, record_bytes: 4 }, &[8; 40]);
        self.command(Command::SnapshotAdd { place: place(2), epoch: Epoch(self.now) });
        self.prepare(place(2), &[(&address(8, "prepared"), 20), (&address(8, "prepared too"), 6000)]);
        self.update(place(3), &address(1, "dying"), Shape::Single, &[9; 6000]);
        self.command(Command::ContainerDestroy(place(3)));
    }
}

fn update(address: &Address, shape: Shape, data: &[u8]) -> Operation {
    let data = Bytes::copy_from_slice(data);
    let (checksums, condition) = (erasure::checksums(ChecksumKind::Crc32c, &data), Condition::Always);
    Operation::Update { address: address.clone(), shape, condition, checksums, data }
}
