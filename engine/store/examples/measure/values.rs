//! Updates and fetches of values of one size at one depth.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use daos_store::{Command, Reply};
use types::{Address, ChecksumKind, Checksums, Condition, Epoch, Key, ObjectId, Operation, Selection, Shape};

use crate::driver::{CONTAINER, Driver, Load};
use crate::target::{Place, Values};

const MIB: u64 = 1 << 20;
const ARENA_BYTES: u64 = 1024 * MIB;
/// Share of the arena that the pool gets.
const POOL_SCM_BYTES: u64 = 900 * MIB;
/// The most bytes of values that one measurement writes.
const WRITTEN_MOST: u64 = 2048 * MIB;

/// What [`measure`] can do.
pub(crate) const PARTS: [&str; 3] = ["large", "blocks", "small"];

/// Measures on `file`, each kind of operation of these parts for at most `limit`.
pub(crate) fn measure(file: &Path, limit: Duration, parts: &[&str]) -> Result<(), String> {
    for part in parts {
        // Each finds a new target, so that none pays for another's history.
        let mut driver = fresh(file)?;
        match *part {
            "large" => large(&mut driver, limit)?,
            "blocks" => blocks(&mut driver, limit)?,
            "small" => small(&mut driver, limit)?,
            other => return Err(format!("`{other}` is none of {}", PARTS.join(", "))),
        }
        driver.store.check().map_err(|fault| format!("the target is damaged: {fault}"))?;
    }
    Ok(())
}

fn fresh(file: &Path) -> Result<Driver, String> {
    let place = Place::cut(file, ARENA_BYTES, Values::Stored, 0)?;
    place.format()?;
    let (store, _) = place.open()?;
    let data_bytes = place.geometry.data_bytes;
    let mut driver = Driver::new(store, place)?;
    prepare(&mut driver, POOL_SCM_BYTES, data_bytes)?;
    Ok(driver)
}

/// Makes the pool and the container.
pub(crate) fn prepare(driver: &mut Driver, scm_bytes: u64, data_bytes: u64) -> Result<(), String> {
    let create = Command::PoolCreate { pool: CONTAINER.pool, scm_bytes, data_bytes };
    for command in [create, Command::ContainerCreate(CONTAINER, ChecksumKind::Crc32c)] {
        match driver.ask(command)? {
            Reply::Done(Ok(())) => {}
            other => return Err(format!("pool and container were answered with {other:?}")),
        }
    }
    Ok(())
}

/// A value with its checksums, which are its maker's work and so not measured.
pub(crate) struct Value {
    data: Bytes,
    checksums: Checksums,
}

impl Value {
    /// Of `length` bytes.
    pub(crate) fn new(length: u64) -> Value {
        let data = Bytes::from(vec![7; length as usize]);
        Value { checksums: erasure::checksums(ChecksumKind::Crc32c, &data), data }
    }

    /// Writes it.
    pub(crate) fn update(&self, address: Address, shape: Shape) -> Operation {
        Operation::Update {
            address,
            shape,
            condition: Condition::Always,
            checksums: self.checksums.clone(),
            data: self.data.clone(),
        }
    }
}

/// Key `n` of object `object`: a permutation, so that keys do not come in order.
fn address(object: u64, n: u64) -> Address {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let key = |bytes: &[u8]| Key::new(bytes).expect("keys are short");
    Address { object: ObjectId { hi: object, lo: n % 64 }, dkey: key(&mixed.to_be_bytes()), akey: key(b"value") }
}

fn fetch(address: Address) -> Operation {
    Operation::Fetch { address, selection: Selection::Single, epoch: Epoch::MAX }
}

/// Any of `count` numbers, one after the other.
fn any(n: u64, count: u64) -> u64 {
    // SplitMix64: as if drawn, and the same each time.
    let mut mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % count
}

/// 1 MiB at a time, as much under way as fio has.
fn large(driver: &mut Driver, limit: Duration) -> Result<(), String> {
    const DEPTH: u64 = 8;
    let array = |n: u64| Address { object: ObjectId { hi: 3, lo: n % 8 }, ..address(3, 0) };
    let value = Value::new(MIB);
    let shape = |n: u64| Shape::array((n / 8) * MIB);
    let room = driver.place().geometry.data_bytes / 10 * 9;
    let load = Load { depth: DEPTH, count: room.min(2 * WRITTEN_MOST) / MIB, limit };
    let written = driver.run(&load, |n| value.update(array(n), shape(n)))?;
    println!("update_1m_d{DEPTH}_mb_s={:.0}", written.rate() * MIB as f64 / 1e6);
    let count = written.done;
    written.print(&format!("update_1m_d{DEPTH}"));
    let read = driver.run(&Load { depth: DEPTH, count: u64::MAX, limit }, |n| {
        let n = n % count;
        Operation::Fetch {
            address: array(n),
            selection: Selection::Array { offset: (n / 8) * MIB, length: MIB },
            epoch: Epoch::MAX,
        }
    })?;
    println!("fetch_1m_d{DEPTH}_mb_s={:.0}", read.rate() * MIB as f64 / 1e6);
    read.print(&format!("fetch_1m_d{DEPTH}"));
    Ok(())
}

/// 4 KiB, the least that goes to the data slice, and the most that does not.
fn blocks(driver: &mut Driver, limit: Duration) -> Result<(), String> {
    let value = Value::new(4096);
    let count = WRITTEN_MOST / 4096;
    let written = driver.run(&Load { depth: 64, count, limit }, |n| value.update(address(1, n), Shape::Single))?;
    let keys = written.done;
    written.print("update_4k_d64");
    for depth in [1, 32] {
        let load = Load { depth, count: u64::MAX, limit };
        driver.run(&load, |n| fetch(address(1, any(n, keys))))?.print(&format!("fetch_4k_data_d{depth}"));
    }
    let load = Load { depth: 1, count, limit };
    driver.run(&load, |n| value.update(address(2, n), Shape::Single))?.print("update_4k_d1");
    let inline = Value::new(4095);
    let keys = 50_000;
    let load = Load { depth: 64, count: keys, limit: Duration::from_secs(60) };
    driver.run(&load, |n| inline.update(address(4, n), Shape::Single))?.print("update_4095_d64");
    let load = Load { depth: 64, count: 4_000_000, limit };
    driver.run(&load, |n| fetch(address(4, any(n, keys))))?.print("fetch_4095_memory_d64");
    Ok(())
}

/// 100 bytes, which live in the index.
fn small(driver: &mut Driver, limit: Duration) -> Result<(), String> {
    let value = Value::new(100);
    let mut keys = 0;
    for (object, depth) in [(7, 1), (6, 64), (8, 256), (5, 512)] {
        let load = Load { depth, count: 1_000_000, limit };
        let measured = driver.run(&load, |n| value.update(address(object, n), Shape::Single))?;
        keys = measured.done;
        measured.print(&format!("update_100_d{depth}"));
    }
    let load = Load { depth: 64, count: 4_000_000, limit };
    driver.run(&load, |n| fetch(address(5, any(n, keys))))?.print("fetch_100_memory_d64");
    Ok(())
}
