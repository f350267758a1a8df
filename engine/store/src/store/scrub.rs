//! The scrubber: reads every value of a pool again and compares it with its checksums, so that what rots is found before it is asked for.
//!
//! A pass walks the containers of one pool in key order, a few records or one stretch of the data slice at a time, and remembers only
//! where it is: values may come and go meanwhile. A stretch under way holds freed extents back like any read, and what
//! differs is judged against the record as it is then (`damage`). What the log does not hold for certain yet is left for the next pass.

use std::collections::BTreeMap;
use std::time::Duration;

use media::{Buffer, IoKind, Role};
use types::{CHECKSUM_CHUNK_BYTES, ContainerId, Epoch, Place, PoolId};

use super::Store;
use super::damage::Finding;
use super::fetch::check;
use super::io::{Purpose, epoch_units};
use crate::catalog::{self, Container, Pool};
use crate::health::Event;
use crate::index::{DataPart, Record, epoch_of};
use crate::scrubbing::{ScrubMode, Scrubbing};
use crate::tree::Cursor;

/// Bytes of the data slice read at once: a device gives them in about 1 ms.
const STRETCH_BYTES: u64 = 1 << 20;
/// Records looked at in one tick: about 100 us, values not counted.
const RECORDS_PER_TICK: usize = 256;
/// Bytes that a pass may be behind: it does not make up for more at once.
const CREDIT_MOST: i64 = 1 << 20;
/// Bytes per second of a lazy pass while nobody else wants anything: a share of what a device and a core give.
const LAZY_BYTES_PER_SECOND: u64 = 64 << 20;
/// The slowest timed pass: a share of it is still a whole number of bytes in a tick of 1 ms.
const TIMED_BYTES_PER_SECOND_LEAST: u128 = 4096;
/// Time that counts for one tick at most.
const TICK_MOST: Duration = Duration::from_secs(1);

/// The passes under way, by pool.
#[derive(Default)]
pub(super) struct Scrub {
    passes: BTreeMap<PoolId, Pass>,
    last_tick: Option<Epoch>,
    /// Operations up to the last tick.
    operations: u64,
}

/// A pass over the values of a pool.
#[derive(Default)]
struct Pass {
    begun: Epoch,
    /// It waits for the next.
    is_over: bool,
    /// More is to be done than ticks of an idle target allow.
    is_pressed: bool,
    /// Bytes it may read.
    credit: i64,
    container: Option<ContainerId>,
    /// The next key to look at.
    from: Vec<u8>,
    /// Bytes of the extent there that were compared.
    done: u64,
    reading: Option<Reading>,
}

/// A stretch under way.
struct Reading {
    /// Its number among the reads.
    number: u64,
    place: Place,
    key: Vec<u8>,
    part: DataPart,
    /// It did not match once.
    again: bool,
}

/// What a look at some records came to.
enum Met {
    /// A budget is used up.
    More,
    /// The end of the container.
    End,
    /// A value in the arena that differs.
    Damaged(Finding),
    /// A stretch of the data slice.
    Stretch { key: Vec<u8>, part: DataPart },
}

impl Scrub {
    /// True when the next tick should come soon.
    pub(super) fn is_busy(&self) -> bool {
        self.passes.values().any(|pass| !pass.is_over && pass.is_pressed)
    }
}

impl Pass {
    fn new(begun: Epoch) -> Pass {
        Pass { begun, ..Pass::default() }
    }

    /// Goes on after the record it is at.
    fn leave(&mut self, mut key: Vec<u8>) {
        key.push(0);
        self.from = key;
        self.done = 0;
    }
}

impl Store {
    /// Goes on with the passes that are due.
    pub(super) fn tick_scrub(&mut self) {
        let last = self.scrub.last_tick.replace(self.now).unwrap_or(self.now);
        let passed = (self.now.0 - last.0).min(epoch_units(TICK_MOST));
        let stats = &self.stats;
        let operations = stats.updates + stats.reads + stats.lists + stats.punches;
        let is_idle = operations == self.scrub.operations && self.queue.is_empty();
        self.scrub.operations = operations;
        let pools: Vec<(Pool, Scrubbing)> = catalog::pools(&self.arena)
            .into_iter()
            .map(|pool| (pool, pool.scrubbing(&self.arena)))
            .filter(|(_, scrubbing)| scrubbing.mode != ScrubMode::Off)
            .collect();
        let mut passes = std::mem::take(&mut self.scrub.passes);
        for (pool, scrubbing) in pools {
            let id = pool.id(&self.arena);
            let mut pass = passes.remove(&id).unwrap_or_else(|| Pass::new(self.now));
            self.scrub_pool(pool, scrubbing, &mut pass, passed, is_idle);
            self.scrub.passes.insert(id, pass);
        }
        // Those left belong to pools that are gone or not scrubbed any more; what they read is passed over when it comes.
    }

    fn scrub_pool(&mut self, pool: Pool, scrubbing: Scrubbing, pass: &mut Pass, passed: u64, is_idle: bool) {
        let second = u128::from(epoch_units(Duration::from_secs(1)));
        let period = u128::from(scrubbing.period_s.max(1));
        if pass.is_over {
            if u128::from(self.now.0.saturating_sub(pass.begun.0)) < period * second {
                return;
            }
            *pass = Pass::new(self.now);
        }
        let used = pool.used(&self.arena);
        let per_second = match scrubbing.mode {
            ScrubMode::Off => 0,
            ScrubMode::Lazy if is_idle => u128::from(LAZY_BYTES_PER_SECOND),
            ScrubMode::Lazy => 0,
            ScrubMode::Timed => u128::from(used.0 + used.1).div_ceil(period).max(TIMED_BYTES_PER_SECOND_LEAST),
        };
        pass.is_pressed = scrubbing.mode == ScrubMode::Lazy || per_second > CREDIT_MOST as u128;
        let more = i64::try_from(per_second * u128::from(passed) / second).unwrap_or(CREDIT_MOST);
        pass.credit = pass.credit.saturating_add(more).min(CREDIT_MOST);
        let mut records = RECORDS_PER_TICK;
        self.arena.unpin();
        while records > 0 && !self.arena.is_crowded() && pass.credit > 0 && pass.reading.is_none() && !pass.is_over {
            self.scrub_some(pool, pass, &mut records);
        }
    }

    /// Looks at records of one container, up to the first that takes more than a look.
    fn scrub_some(&mut self, pool: Pool, pass: &mut Pass, records: &mut usize) {
        let id = pool.id(&self.arena);
        let current =
            pass.container.and_then(|container| catalog::find_container(&self.arena, Place { pool: id, container }));
        let found = match current {
            Some(container) => Some(container),
            None => {
                (pass.from, pass.done) = (Vec::new(), 0);
                catalog::next_container(&self.arena, pool, pass.container)
            }
        };
        let Some(container) = found else {
            pass.is_over = true;
            self.stats.scrub_passes += 1;
            return;
        };
        pass.container = Some(container.id(&self.arena));
        match self.look(container, pass, records) {
            Met::More => {}
            Met::End => {
                // The next one, as if this one was gone.
                match catalog::next_container(&self.arena, pool, pass.container) {
                    Some(next) => pass.container = Some(next.id(&self.arena)),
                    None => {
                        pass.is_over = true;
                        self.stats.scrub_passes += 1;
                    }
                }
                (pass.from, pass.done) = (Vec::new(), 0);
            }
            Met::Damaged(finding) => {
                pass.leave(finding.key.clone());
                self.stats.scrub_found += u64::from(self.found_by_scrubber(finding));
            }
            Met::Stretch { key, part } => {
                pass.credit -= part.length as i64;
                let number = self.reads.begin();
                let place = container.place(&self.arena);
                let reading = Reading { number, place, key, part, again: false };
                self.emit_stretch(&reading);
                pass.reading = Some(reading);
            }
        }
    }

    fn look(&mut self, container: Container, pass: &mut Pass, records: &mut usize) -> Met {
        let durable = self.log.durable_epoch();
        let may_read = durable >= self.barrier;
        let mut cursor = Cursor::seek(container.tree(), &self.arena, &pass.from);
        loop {
            let Some(key) = cursor.key(&self.arena) else { return Met::End };
            if pass.from != key {
                (pass.from, pass.done) = (key.to_vec(), 0);
            }
            if *records == 0 || pass.credit <= 0 || self.arena.is_crowded() {
                return Met::More;
            }
            *records -= 1;
            let value = cursor.value(&self.arena).expect("it has a key");
            let record = (!value.is_empty()).then(|| Record::decode(value)).filter(|record| !record.is_damaged());
            match record {
                Some(Record::Inline { checksums, bytes, .. }) => {
                    let length = bytes.len() as u64;
                    pass.credit -= length as i64;
                    self.stats.scrubbed_bytes += length;
                    if erasure::verify(bytes, checksums).is_err() {
                        let (place, offset) = (container.place(&self.arena), self.arena.offset_of(bytes));
                        let key = key.to_vec();
                        return Met::Damaged(Finding { place, key, inline: true, offset, length, scrubbed: true });
                    }
                }
                Some(Record::Data { length, block, checksums, .. }) if may_read && epoch_of(key) <= durable => {
                    let length = u64::from(length);
                    if pass.done < length {
                        let (from, to) = (pass.done, (pass.done + STRETCH_BYTES).min(length));
                        let part = DataPart::of(length as u32, block, checksums, from, to);
                        return Met::Stretch { key: key.to_vec(), part };
                    }
                }
                _ => {}
            }
            cursor.next(&self.arena);
        }
    }

    fn emit_stretch(&mut self, reading: &Reading) {
        let read = IoKind::Read { offset: reading.part.offset, buffer: Buffer::zeroed(reading.part.length) };
        self.emit(Role::Data, read, Purpose::Scrub { read: reading.number });
    }

    /// A stretch came. One that does not match is read once more first.
    pub(super) fn scrub_done(&mut self, number: u64, result: std::io::Result<Option<Buffer>>) {
        let reads = |pass: &Pass| pass.reading.as_ref().is_some_and(|reading| reading.number == number);
        let mut passes = std::mem::take(&mut self.scrub.passes);
        match passes.values_mut().find(|pass| reads(pass)) {
            Some(pass) => self.stretch_done(pass, result),
            None => self.reads.end(number),
        }
        self.scrub.passes = passes;
    }

    fn stretch_done(&mut self, pass: &mut Pass, result: std::io::Result<Option<Buffer>>) {
        let Some(reading) = pass.reading.take() else { return };
        let number = reading.number;
        match result {
            Ok(Some(buffer)) => self.stretch_came(pass, reading, &buffer),
            Ok(None) => self.stretch_failed(pass, reading, String::from("no bytes came back")),
            Err(error) => self.stretch_failed(pass, reading, error.to_string()),
        }
        if pass.reading.is_none() {
            self.reads.end(number);
        }
    }

    fn stretch_failed(&mut self, pass: &mut Pass, reading: Reading, reason: String) {
        self.stats.io_errors += 1;
        self.event(Event::ReadFailed { offset: reading.part.offset, reason });
        pass.leave(reading.key);
    }

    fn stretch_came(&mut self, pass: &mut Pass, mut reading: Reading, buffer: &Buffer) {
        let (offset, length) = (reading.part.offset, reading.part.length);
        match check(&reading.part, buffer) {
            Err(_) if !reading.again => {
                reading.again = true;
                // Under the same number, so that what was freed meanwhile is still there.
                self.emit_stretch(&reading);
                pass.reading = Some(reading);
            }
            Ok(()) => {
                self.stats.scrubbed_bytes += length as u64;
                pass.done += length as u64;
                if reading.again {
                    self.event(Event::Unsteady { offset, length: length as u64 });
                }
            }
            Err(at) => {
                self.stats.scrubbed_bytes += length as u64;
                pass.leave(reading.key.clone());
                let (offset, length) = (offset + at as u64, (length - at).min(CHECKSUM_CHUNK_BYTES) as u64);
                let (place, key) = (reading.place, reading.key);
                let finding = Finding { place, key, inline: false, offset, length, scrubbed: true };
                self.stats.scrub_found += u64::from(self.found_by_scrubber(finding));
            }
        }
    }
}
