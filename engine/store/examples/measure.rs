//! Measures one target on one core: updates, fetches and lists per second, on devices in memory or on files.
//!
//! `cargo run --release -p daos-store --example measure [directory]`; with a directory the three slices are files in it.
#![allow(clippy::disallowed_methods)] // a measurement reads the clock

use std::time::Instant;

use bytes::Bytes;
use daos_store::{Command, Devices, Driven, Geometry, Identity, Reply, Settings, Stats, format, meta_bytes_needed};
use media::Mem;
use types::{
    Address, Condition, ContainerId, Epoch, Key, Level, ObjectId, Operation, Outcome, Place, PoolId, Selection, Shape,
    TargetIndex,
};
use uuid::Uuid;

const MIB: u64 = 1 << 20;
const PLACE: Place = Place { pool: PoolId(Uuid::from_u128(1)), container: ContainerId(Uuid::from_u128(2)) };

struct Measure {
    driven: Driven,
    now: u64,
}

impl Measure {
    /// Submits operations in batches, as a target thread does, and executes what follows.
    fn batch(&mut self, what: &str, count: u64, batch: u64, bytes: u64, make: impl Fn(u64) -> Operation) {
        let before = self.driven.store.stats();
        let start = Instant::now();
        let mut done = 0;
        let mut failures = 0;
        while done < count {
            for n in done..(done + batch).min(count) {
                self.now += 1 << 18;
                let command = Command::Operate { place: PLACE, operation: make(n) };
                self.driven.submit(command, Epoch(self.now));
            }
            done += batch;
            while self.driven.step() {}
            while let Some((_, reply)) = self.driven.store.take_reply() {
                failures += u64::from(!matches!(reply, Reply::Operated(Ok(_))));
            }
            self.driven.store.tick(Epoch(self.now));
        }
        while self.driven.step() {}
        let seconds = start.elapsed().as_secs_f64();
        let rate = count as f64 / seconds;
        let Stats { wal_bytes, groups, checkpoints, .. } = self.driven.store.stats();
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

fn key(text: &str) -> Key {
    Key::try_from(text).expect("short keys")
}

fn address(n: u64) -> Address {
    // A permutation, so that keys do not arrive in order.
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    Address { object: ObjectId { hi: 1, lo: n % 64 }, dkey: key(&format!("dkey-{mixed:08}")), akey: key("value") }
}

fn update(n: u64, shape: Shape, address: Address, data: &Bytes) -> Operation {
    let _ = n;
    let checksums = erasure::checksums(data);
    Operation::Update { address, shape, condition: Condition::Always, checksums, data: data.clone() }
}

fn main() {
    let geometry = Geometry {
        arena_bytes: 1024 * MIB,
        wal_bytes: 512 * MIB,
        meta_bytes: meta_bytes_needed(1024 * MIB),
        data_bytes: 2048 * MIB,
    };
    let slice = |bytes| Box::new(Mem::new(bytes));
    let mut devices =
        Devices { wal: slice(geometry.wal_bytes), meta: slice(geometry.meta_bytes), data: slice(geometry.data_bytes) };
    let identity = Identity { engine: Uuid::from_u128(7), target: TargetIndex(0) };
    format(&mut devices, identity, geometry.arena_bytes).expect("the sizes are right");
    let memory = Box::new(vec![0; geometry.arena_bytes as usize]);
    let (driven, _) = Driven::open(devices, identity, memory, Settings::default()).expect("it was just formatted");
    let mut measure = Measure { driven, now: 1 << 30 };
    let create = Command::PoolCreate { pool: PLACE.pool, scm_bytes: 900 * MIB, data_bytes: geometry.data_bytes };
    assert_eq!(measure.driven.run(create, Epoch(1 << 30)), Reply::Done(Ok(())));
    assert_eq!(measure.driven.run(Command::ContainerCreate(PLACE), Epoch(1 << 30)), Reply::Done(Ok(())));

    let value = Bytes::from(vec![7u8; 100]);
    let fetch = |n| Operation::Fetch { address: address(n), selection: Selection::Single, epoch: Epoch::MAX };
    measure.batch("update 100 B, 64 at a time", 500_000, 64, 100, |n| update(n, Shape::Single, address(n), &value));
    measure.batch("update 100 B, one at a time", 100_000, 1, 100, |n| {
        update(n, Shape::Single, address(n + 600_000), &value)
    });
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
        update(n, Shape::Array { offset: n / 8 * 4096 }, array(n), &value)
    });
    measure.batch("array read 4 KiB, 64 at a time", 100_000, 64, 4096, |n| Operation::Fetch {
        address: array(n),
        selection: Selection::Array { offset: n / 8 * 4096, length: 4096 },
        epoch: Epoch::MAX,
    });
    let value = Bytes::from(vec![7u8; 1 << 20]);
    let big = |n: u64| Address { object: ObjectId { hi: 3, lo: n % 8 }, dkey: key("file"), akey: key("bytes") };
    measure.batch("array write 1 MiB, 4 at a time", 1_000, 4, 1 << 20, |n| {
        update(n, Shape::Array { offset: (n / 8) << 20 }, big(n), &value)
    });
    measure.batch("array read 1 MiB, 4 at a time", 1_000, 4, 1 << 20, |n| Operation::Fetch {
        address: big(n),
        selection: Selection::Array { offset: (n / 8) << 20, length: 1 << 20 },
        epoch: Epoch::MAX,
    });
    match measure.driven.run(
        Command::Operate { place: PLACE, operation: Operation::ArraySize { address: array(0), epoch: Epoch::MAX } },
        Epoch(measure.now),
    ) {
        Reply::Operated(Ok(Outcome::Size(size))) => println!("array size {size}"),
        other => println!("{other:?}"),
    }
    match measure.driven.store.check() {
        Ok(()) => println!("arena clean"),
        Err(fault) => println!("arena: {fault}"),
    }
}
