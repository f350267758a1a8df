//! Devices that fail and lose power on purpose.
//!
//! All devices of one [`Fault`] share a journal of their writes and flushes in the order in which they were done. From
//! the journal come crash images (`crash`): the state of every device after some event, where of the writes that no flush of
//! their device covers, each may be there, missing, or torn. Rules (`harm`) make single commands fail, vanish, go
//! astray or stall. Source for the model: Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014), reduced
//! to one level: blocks; the harms are those of Bairavasundaram et al., "An Analysis of Data Corruption in the Storage
//! Stack" (FAST 2008).

mod contents;
mod crash;
mod harm;
mod queue;

pub use contents::Contents;
pub use crash::{CrashPoints, Fate, Image, SECTOR_BYTES};
pub use harm::{Harm, On, Rule};
pub use queue::Queue;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use harm::Rules;

use crate::{BLOCK_BYTES, Buffer, Device};

/// A write as it was done.
#[derive(Debug, Clone)]
struct Written {
    device: usize,
    offset: u64,
    bytes: Arc<[u8]>,
}

/// Something a device did.
#[derive(Debug, Clone)]
enum Event {
    Write(Written),
    /// Covers the device's writes among the first `given` events.
    Flush {
        device: usize,
        given: usize,
    },
}

#[derive(Debug)]
struct Journal {
    start: Vec<Contents>,
    now: Vec<Contents>,
    events: Vec<Event>,
    /// All devices are parts of one: a flush of any covers all.
    one: bool,
    /// Writes and flushes still to succeed, and the error number after that.
    failing: Option<(u64, i32)>,
    rules: Rules,
}

impl Journal {
    fn may_fail(&mut self) -> io::Result<()> {
        match &mut self.failing {
            Some((0, error)) => Err(io::Error::from_raw_os_error(*error)),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// `offset`, or where the harm sends a command of `length` bytes.
    fn place(&self, device: usize, offset: u64, length: usize, harm: Option<Harm>) -> u64 {
        match harm {
            Some(Harm::Misdirect { offset: elsewhere }) => {
                let room = (self.now[device].length() + BLOCK_BYTES as u64).saturating_sub(length as u64);
                elsewhere % room.max(1) / BLOCK_BYTES as u64 * BLOCK_BYTES as u64
            }
            _ => offset,
        }
    }
}

/// The journal of some devices.
#[derive(Clone)]
pub struct Fault {
    journal: Arc<Mutex<Journal>>,
}

/// One of the devices.
pub struct FaultDevice {
    journal: Arc<Mutex<Journal>>,
    index: usize,
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fault {
    /// Devices that start with these contents, durable.
    pub fn new(devices: Vec<Contents>) -> Fault {
        let journal = Journal {
            now: devices.clone(),
            start: devices,
            events: Vec::new(),
            one: false,
            failing: None,
            rules: Rules::default(),
        };
        Fault { journal: Arc::new(Mutex::new(journal)) }
    }

    /// Parts of one device: a flush of any of them makes the writes of all durable.
    pub fn of_one_device(parts: Vec<Contents>) -> Fault {
        let fault = Fault::new(parts);
        lock(&fault.journal).one = true;
        fault
    }

    /// A handle to device number `index`.
    pub fn device(&self, index: usize) -> FaultDevice {
        FaultDevice { journal: Arc::clone(&self.journal), index }
    }

    /// Writes and flushes done so far.
    pub fn events(&self) -> usize {
        lock(&self.journal).events.len()
    }

    /// Lets `successes` more writes and flushes succeed; all later ones fail with `error` (`EIO`, `ENOSPC`).
    pub fn fail_after(&self, successes: u64, error: i32) {
        lock(&self.journal).failing = Some((successes, error));
    }

    /// Adds a rule.
    pub fn harm(&self, rule: Rule) {
        lock(&self.journal).rules.add(rule);
    }

    /// Ends all rules.
    pub fn heal(&self) {
        lock(&self.journal).rules.clear();
    }

    /// Commands that a rule harmed.
    pub fn harmed(&self) -> u64 {
        lock(&self.journal).rules.harmed
    }

    /// Commands of a kind that a device executed, harmed ones included.
    pub fn executed(&self, device: usize, on: On) -> u64 {
        lock(&self.journal).rules.executed(device, on)
    }

    /// Cuts a device to `length` bytes; commands beyond fail. There are no crash points of a device that was cut.
    pub fn shrink(&self, device: usize, length: u64) {
        lock(&self.journal).now[device].truncate(length);
    }

    /// What the devices hold when nothing is lost.
    pub fn contents(&self) -> Vec<Contents> {
        lock(&self.journal).now.clone()
    }

    /// Walks through the crash points, from before the first event on.
    pub fn crash_points(&self) -> CrashPoints {
        let journal = lock(&self.journal);
        CrashPoints::new(&journal.start, &journal.events)
    }

    fn stalls(&self, device: usize, on: On) -> bool {
        lock(&self.journal).rules.meet(device, on, |harm| harm == Harm::Stall).is_some()
    }
}

/// The error of a command that meets this harm.
fn failure(harm: Option<Harm>) -> io::Result<()> {
    match harm {
        Some(Harm::Fail(error)) => Err(io::Error::from_raw_os_error(error)),
        _ => Ok(()),
    }
}

impl FaultDevice {
    fn read_at(&self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        let mut journal = lock(&self.journal);
        let harm = journal.rules.execute(self.index, On::Read);
        failure(harm)?;
        let offset = journal.place(self.index, offset, buffer.len(), harm);
        journal.now[self.index].read(offset, buffer)?;
        if let Some(Harm::Flip { bit }) = harm {
            let bit = (bit % (buffer.len() as u64 * 8)) as usize;
            buffer[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        let mut journal = lock(&self.journal);
        journal.may_fail()?;
        let harm = journal.rules.execute(self.index, On::Write);
        failure(harm)?;
        if harm == Some(Harm::Lose) {
            return Ok(());
        }
        let offset = journal.place(self.index, offset, buffer.len(), harm);
        journal.now[self.index].write(offset, buffer)?;
        journal.events.push(Event::Write(Written { device: self.index, offset, bytes: Arc::from(&buffer[..]) }));
        Ok(())
    }

    /// A flush that was given after `given` events.
    fn flush_given(&self, given: usize) -> io::Result<()> {
        let mut journal = lock(&self.journal);
        journal.may_fail()?;
        failure(journal.rules.execute(self.index, On::Flush))?;
        let covered = if journal.one { 0..journal.now.len() } else { self.index..self.index + 1 };
        journal.events.extend(covered.map(|device| Event::Flush { device, given }));
        Ok(())
    }
}

impl Device for FaultDevice {
    fn length(&self) -> u64 {
        lock(&self.journal).now[self.index].length()
    }

    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        self.read_at(offset, buffer)
    }

    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        self.write_at(offset, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        let given = lock(&self.journal).events.len();
        self.flush_given(given)
    }
}

#[cfg(test)]
mod tests;
