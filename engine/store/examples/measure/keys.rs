//! Many keys in one target: what they cost in memory, and what stays fast.
//!
//! Each key is what a small file is: an object of its own with one dkey, one akey and a value of 4 KiB. The values themselves are
//! dropped (`Values::Alike`), so that ten million of them fit the machine; log and checkpoints go to the device.

use std::path::Path;
use std::time::{Duration, Instant};

use daos_store::{Command, Reply};
use types::{Address, Epoch, Key, Level, ObjectId, Operation, Outcome, Shape};

use crate::driver::{CONTAINER, Driver, Load};
use crate::target::{Place, Values};
use crate::values::{Value, prepare};

/// The least that gives figures worth having.
pub(crate) const LEAST: u64 = 100_000;
/// Parts in which the rate is told as the target grows.
const PARTS: u64 = 10;
const BLOCK: u64 = 4096;
const GIB: f64 = (1u64 << 30) as f64;
const DEPTH: u64 = 64;
/// What a key may cost at most, so that the arena is long enough.
const ARENA_PER_KEY: u64 = 320;
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// Beyond the history that a store keeps.
const HISTORY: Duration = Duration::from_secs(61);

/// Measures with `count` keys on `file`.
pub(crate) fn measure(file: &Path, count: u64) -> Result<(), String> {
    let arena_bytes = (count * ARENA_PER_KEY).next_multiple_of(64 << 20) + (256 << 20);
    let place = Place::cut(file, arena_bytes, Values::Alike(7), 3 * count * BLOCK)?;
    place.format()?;
    let (store, _) = place.open()?;
    let data_bytes = place.geometry.data_bytes;
    let mut driver = Driver::new(store, place)?;
    prepare(&mut driver, arena_bytes / 10 * 9, data_bytes)?;
    let value = Value::new(BLOCK);
    grow(&mut driver, count, &value)?;
    extents(&mut driver, count / PARTS, &value)?;
    list(&mut driver, count)?;
    let driver = recover(driver, count, &value)?;
    aggregate(driver, count / PARTS, &value)
}

/// File `n`: objects come in no order.
fn file(n: u64) -> Address {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let key = |bytes: &[u8]| Key::new(bytes).expect("keys are short");
    Address { object: ObjectId { hi: 1, lo: mixed }, dkey: key(&0u64.to_be_bytes()), akey: key(b"DATA") }
}

/// Bytes of the arena that the container uses.
fn used(driver: &mut Driver) -> Result<u64, String> {
    match driver.ask(Command::ContainerQuery(CONTAINER))? {
        Reply::ContainerUsed(Ok(used)) => Ok(used.scm_bytes),
        other => Err(format!("the container's use was answered with {other:?}")),
    }
}

fn grow(driver: &mut Driver, count: u64, value: &Value) -> Result<(), String> {
    println!("keys={count}");
    let part = count / PARTS;
    let mut rates = Vec::new();
    for number in 0..PARTS {
        let load = Load { depth: DEPTH, count: part, limit: NEVER };
        let measured = driver.run(&load, |n| value.update(file(number * part + n), Shape::array(0)))?;
        println!("update_at_{}_keys_ops={:.0}", (number + 1) * part, measured.rate());
        rates.push(measured.rate());
    }
    let (slowest, fastest) = rates.iter().fold((f64::MAX, 0f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
    println!("update_slowest_to_fastest={:.2}", slowest / fastest);
    println!("metadata_bytes_per_key={:.1}", used(driver)? as f64 / (PARTS * part) as f64);
    Ok(())
}

/// One large file written in blocks of 4 KiB.
fn extents(driver: &mut Driver, count: u64, value: &Value) -> Result<(), String> {
    let before = used(driver)?;
    let large = Address { object: ObjectId { hi: 2, lo: 0 }, ..file(0) };
    let load = Load { depth: DEPTH, count, limit: NEVER };
    let measured = driver.run(&load, |n| value.update(large.clone(), Shape::array(n * BLOCK)))?;
    println!("update_extents_ops={:.0}", measured.rate());
    println!("metadata_bytes_per_extent={:.1}", (used(driver)? - before) as f64 / count as f64);
    Ok(())
}

/// Lists all objects, page by page.
fn list(driver: &mut Driver, count: u64) -> Result<(), String> {
    const PAGE: u32 = 1024;
    let start = Instant::now();
    let (mut seen, mut after) = (0, Vec::new());
    loop {
        let operation = Operation::List { level: Level::Objects, after, limit: PAGE, epoch: Epoch::MAX };
        match driver.ask(Command::Operate { place: CONTAINER, operation })? {
            Reply::Operated(Ok(Outcome::Listed { names, more })) => {
                seen += names.len() as u64;
                match names.last() {
                    Some(last) if more => after = last.to_vec(),
                    _ => break,
                }
            }
            other => return Err(format!("a list was answered with {other:?}")),
        }
    }
    if seen != count / PARTS * PARTS + 1 {
        return Err(format!("{seen} objects were listed of {count} and one"));
    }
    println!("list_names_per_s={:.0}", seen as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

/// Opens the target twice: as it is after a crash, and after a checkpoint, when there is no log to replay.
fn recover(driver: Driver, count: u64, value: &Value) -> Result<Driver, String> {
    let mut driver = driver;
    // The log as long as it gets: just before the next checkpoint would begin.
    let most = driver.place().geometry.wal_bytes / 100 * 45;
    driver.ask(Command::Checkpoint)?;
    let mut n = 0;
    while driver.store.stats().wal_used < most && n < count {
        let load = Load { depth: DEPTH, count: 1000, limit: NEVER };
        driver.run(&load, |m| value.update(file(n + m), Shape::array(0)))?;
        n += 1000;
    }
    let place = driver.crash();
    let start = Instant::now();
    let (store, found) = place.open()?;
    let whole = start.elapsed().as_secs_f64();
    let mut driver = Driver::new(store, place)?;
    driver.ask(Command::Checkpoint)?;
    driver.settle()?;
    let place = driver.crash();
    let start = Instant::now();
    let (store, again) = place.open()?;
    let pages = start.elapsed().as_secs_f64();
    println!("recovery_s={whole:.2}");
    println!("recovery_log_mib={}", found.replayed_bytes >> 20);
    println!("recovery_pages_mib={}", (again.pages * BLOCK) >> 20);
    println!("recovery_pages_s={pages:.2}");
    let replayed = (found.replayed_bytes - again.replayed_bytes) as f64 / GIB;
    println!("recovery_s_per_gib_of_log={:.2}", (whole - pages).max(0.0) / replayed);
    Driver::new(store, place)
}

/// Writes part of the files once more and merges their history away.
fn aggregate(mut driver: Driver, count: u64, value: &Value) -> Result<(), String> {
    let load = Load { depth: DEPTH, count, limit: NEVER };
    driver.run(&load, |n| value.update(file(n), Shape::array(0)))?;
    let before = driver.store.stats().reclaimed;
    let (mut removed, mut begun) = (0, Instant::now());
    let patience = Instant::now() + Duration::from_secs(600);
    while removed < count {
        if removed == 0 {
            // Until it begins: a walk rests for a while after the one before, and looks only at what is old.
            driver.skip(HISTORY);
            begun = Instant::now();
        }
        driver.tick();
        driver.turn(false)?;
        removed = driver.store.stats().reclaimed - before;
        if Instant::now() > patience {
            return Err(format!("only {removed} of {count} records were merged away"));
        }
    }
    println!("aggregation_records_per_s={:.0}", removed as f64 / begun.elapsed().as_secs_f64());
    driver.settle()?;
    driver.store.check().map_err(|fault| format!("the target is damaged: {fault}"))
}
