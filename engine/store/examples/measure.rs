//! Measures one target on one core: updates, fetches and lists per second, on devices in memory or on files.
//!
//! `cargo run --release -p daos-store --example measure [directory]`; with a directory the three slices are files in it.
#![allow(clippy::disallowed_methods)] // a measurement reads the clock

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use daos_store::{
    Command, Devices, Geometry, Identity, Reply, Settings, Stats, Store, Token, format, meta_bytes_needed, open,
};
use media::{Device, Event, Mem, Memory, OpenDevice, Ring, Role, execute};
use types::{
    Address, ChecksumKind, Condition, ContainerId, Epoch, Key, Level, ObjectId, Operation, Place, PoolId, Selection,
    Shape, TargetIndex,
};
use uuid::Uuid;

const MIB: u64 = 1 << 20;
const PLACE: Place = Place { pool: PoolId(Uuid::from_u128(1)), container: ContainerId(Uuid::from_u128(2)) };

/// Executes device commands until none is left.
type Pump = Box<dyn FnMut(&mut Store)>;

struct Measure {
    store: Store,
    pump: Pump,
    now: u64,
}

impl Measure {
    fn run(&mut self, command: Command) -> Reply {
        self.now += 1 << 18;
        self.store.submit(Token(0), command, Epoch(self.now));
        loop {
            (self.pump)(&mut self.store);
            match self.store.take_reply() {
                Some((_, reply)) => return reply,
                None => self.store.tick(Epoch(self.now)),
            }
        }
    }

    /// Submits operations in batches, as a target thread does, and executes what follows.
    fn batch(&mut self, what: &str, count: u64, batch: u64, bytes: u64, make: impl Fn(u64) -> Operation) {
        let before = self.store.stats();
        let start = Instant::now();
        let mut done = 0;
        let mut failures = 0;
        while done < count {
            for n in done..(done + batch).min(count) {
                self.now += 1 << 18;
                let command = Command::Operate { place: PLACE, operation: make(n) };
                self.store.submit(Token(n), command, Epoch(self.now));
            }
            done += batch;
            (self.pump)(&mut self.store);
            while let Some((_, reply)) = self.store.take_reply() {
                failures += u64::from(!matches!(reply, Reply::Operated(Ok(_))));
            }
            self.store.tick(Epoch(self.now));
        }
        (self.pump)(&mut self.store);
        let seconds = start.elapsed().as_secs_f64();
        let rate = count as f64 / seconds;
        let Stats { wal_bytes, groups, checkpoints, .. } = self.store.stats();
        println!(
            "{what:42} {rate:>10.0}/s {:>8.2} us {:>8.0} MB/s  log {:>6.0} B/op, {} groups, {} checkpoints, {failures} failed",
            1e6 / rate,
            rate * bytes as f64 / 1e6,
            (wal_bytes - before.wal_bytes) as f64 / count as f64,
            groups - before.groups,
            checkpoints - before.checkpoints,
        );
    }
}

/// Formats and opens a target.
fn open_target(devices: &mut Devices, geometry: &Geometry) -> Store {
    let identity = Identity { engine: Uuid::from_u128(7), target: TargetIndex(0) };
    format(devices, identity, geometry.arena_bytes).expect("the sizes are right");
    let memory = Memory::anonymous(geometry.arena_bytes as usize).expect("there is memory");
    open(devices, identity, Box::new(memory), Settings::default()).expect("it was just formatted").0
}

fn in_memory(geometry: &Geometry) -> (Store, Pump) {
    let slice = |bytes| Box::new(Mem::new(bytes));
    let mut devices =
        Devices { wal: slice(geometry.wal_bytes), meta: slice(geometry.meta_bytes), data: slice(geometry.data_bytes) };
    let store = open_target(&mut devices, geometry);
    let pump = move |store: &mut Store| {
        while let Some(io) = store.take_io() {
            let device: &mut dyn Device = match io.role {
                Role::Wal => &mut *devices.wal,
                Role::Meta => &mut *devices.meta,
                Role::Data => &mut *devices.data,
            };
            store.complete(execute(device, io));
        }
    };
    (store, Box::new(pump))
}

/// The slices as files of `directory`, driven by a ring as in the engine.
fn on_files(directory: &Path, geometry: &Geometry) -> (Store, Pump) {
    let slice = |name: &str, bytes: u64| {
        let device = OpenDevice::create(&directory.join(name), bytes).expect("the file can be made");
        Arc::new(device).slice(0, bytes)
    };
    let (wal, meta, data) =
        (slice("wal", geometry.wal_bytes), slice("meta", geometry.meta_bytes), slice("data", geometry.data_bytes));
    let mut devices =
        Devices { wal: Box::new(wal.clone()), meta: Box::new(meta.clone()), data: Box::new(data.clone()) };
    let store = open_target(&mut devices, geometry);
    let mut ring = Ring::new().expect("io_uring is allowed");
    let mut in_flight = 0;
    let pump = move |store: &mut Store| {
        loop {
            while let Some(io) = store.take_io() {
                let slice = match io.role {
                    Role::Wal => &wal,
                    Role::Meta => &meta,
                    Role::Data => &data,
                };
                ring.device(slice, io);
                in_flight += 1;
            }
            if in_flight == 0 {
                return;
            }
            let waited = ring.wait(Duration::from_secs(1), |event| {
                if let Event::Device(done) = event {
                    in_flight -= 1;
                    store.complete(done);
                }
            });
            waited.expect("the ring works");
        }
    };
    (store, Box::new(pump))
}

fn key(text: &str) -> Key {
    Key::try_from(text).expect("short keys")
}

fn address(n: u64) -> Address {
    // A permutation, so that keys do not arrive in order.
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    Address { object: ObjectId { hi: 1, lo: n % 64 }, dkey: key(&format!("dkey-{mixed:08}")), akey: key("value") }
}

fn update(shape: Shape, address: Address, data: &Bytes) -> Operation {
    let checksums = erasure::checksums(ChecksumKind::Crc32c, data);
    Operation::Update { address, shape, condition: Condition::Always, checksums, data: data.clone() }
}

fn main() {
    // DAOS's single-core figures on persistent memory, for comparison: 80 k updates/s, 419 k fetches/s of 4 KiB.
    let geometry = Geometry {
        arena_bytes: 1024 * MIB,
        wal_bytes: 256 * MIB,
        meta_bytes: meta_bytes_needed(1024 * MIB),
        data_bytes: 1600 * MIB,
    };
    let (store, pump) = match std::env::args_os().nth(1) {
        Some(directory) => on_files(Path::new(&directory), &geometry),
        None => in_memory(&geometry),
    };
    let mut measure = Measure { store, pump, now: 1 << 30 };
    let create = Command::PoolCreate { pool: PLACE.pool, scm_bytes: 900 * MIB, data_bytes: geometry.data_bytes };
    assert_eq!(measure.run(create), Reply::Done(Ok(())));
    assert_eq!(measure.run(Command::ContainerCreate(PLACE, ChecksumKind::Crc32c)), Reply::Done(Ok(())));

    let value = Bytes::from(vec![7u8; 100]);
    let fetch = |n| Operation::Fetch { address: address(n), selection: Selection::Single, epoch: Epoch::MAX };
    measure.batch("update 100 B, 64 at a time", 500_000, 64, 100, |n| update(Shape::Single, address(n), &value));
    measure
        .batch("update 100 B, one at a time", 100_000, 1, 100, |n| update(Shape::Single, address(n + 600_000), &value));
    measure.batch("fetch 100 B", 500_000, 64, 100, fetch);
    let list = |n: u64| Operation::List {
        level: Level::Dkeys(ObjectId { hi: 1, lo: n % 64 }),
        after: format!("dkey-{:08}", n * 1000 % 1_000_000).into_bytes(),
        limit: 128,
        epoch: Epoch::MAX,
    };
    measure.batch("list 128 dkeys", 2_000, 16, 128, list);
    let value = Bytes::from(vec![7u8; 4096]);
    let array = |n: u64| Address { object: ObjectId { hi: 2, lo: n % 8 }, dkey: key("file"), akey: key("bytes") };
    measure.batch("array write 4 KiB, 64 at a time", 100_000, 64, 4096, |n| {
        update(Shape::Array { offset: n / 8 * 4096 }, array(n), &value)
    });
    measure.batch("array read 4 KiB, 64 at a time", 100_000, 64, 4096, |n| Operation::Fetch {
        address: array(n),
        selection: Selection::Array { offset: n / 8 * 4096, length: 4096 },
        epoch: Epoch::MAX,
    });
    let value = Bytes::from(vec![7u8; 1 << 20]);
    let big = |n: u64| Address { object: ObjectId { hi: 3, lo: n % 8 }, dkey: key("file"), akey: key("bytes") };
    measure.batch("array write 1 MiB, 4 at a time", 1_000, 4, 1 << 20, |n| {
        update(Shape::Array { offset: (n / 8) << 20 }, big(n), &value)
    });
    measure.batch("array read 1 MiB, 4 at a time", 1_000, 4, 1 << 20, |n| Operation::Fetch {
        address: big(n),
        selection: Selection::Array { offset: (n / 8) << 20, length: 1 << 20 },
        epoch: Epoch::MAX,
    });
    match measure.store.check() {
        Ok(()) => println!("arena clean"),
        Err(fault) => println!("arena: {fault}"),
    }
}
