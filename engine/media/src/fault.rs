//! Devices that fail and lose power on purpose.
//!
//! All devices of one [`Fault`] share a journal of their writes and flushes in the order in which they were done. From
//! the journal come crash images: the state of every device after some event, where of the writes that no flush of
//! their device covers, each may be there, missing, or torn. Source for the model: Pillai et al., "All File Systems Are Not Created
//! Equal" (OSDI 2014), reduced to one level: blocks.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::mem::range;
use crate::{Buffer, Device};

/// The unit that a device writes as a whole, whatever happens.
pub const SECTOR_BYTES: usize = 512;

/// Something a device did.
#[derive(Debug, Clone)]
enum Event {
    Write { device: usize, offset: u64, bytes: Arc<[u8]> },
    Flush { device: usize },
}

/// What became of a write that no flush covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It reached the medium.
    Kept,
    /// It did not.
    Lost,
    /// Only its first bytes did.
    Cut {
        /// How many.
        bytes: usize,
    },
    /// Only some of it did: the pieces of `unit` bytes whose bit in `mask` (repeating) is set.
    Torn {
        /// Bytes per piece.
        unit: usize,
        /// Which pieces.
        mask: u64,
    },
}

#[derive(Debug, Default)]
struct Journal {
    start: Vec<Vec<u8>>,
    now: Vec<Vec<u8>>,
    events: Vec<Event>,
    /// Writes and flushes still to succeed, and the error number after that.
    failing: Option<(u64, i32)>,
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
    pub fn new(images: Vec<Vec<u8>>) -> Fault {
        let journal = Journal { now: images.clone(), start: images, ..Journal::default() };
        Fault { journal: Arc::new(Mutex::new(journal)) }
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

    /// What the devices hold when nothing is lost.
    pub fn images(&self) -> Vec<Vec<u8>> {
        lock(&self.journal).now.clone()
    }

    /// Walks through the crash points, from before the first event on.
    pub fn crash_points(&self) -> CrashPoints {
        let journal = lock(&self.journal);
        CrashPoints { durable: journal.start.clone(), events: journal.events.clone(), done: 0, unflushed: Vec::new() }
    }
}

impl Device for FaultDevice {
    fn length(&self) -> u64 {
        lock(&self.journal).now[self.index].len() as u64
    }

    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        let journal = lock(&self.journal);
        let bytes = &journal.now[self.index];
        let range = range(offset, buffer.len(), bytes.len())?;
        buffer.copy_from_slice(&bytes[range]);
        Ok(())
    }

    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        let mut journal = lock(&self.journal);
        journal.may_fail()?;
        let bytes = &mut journal.now[self.index];
        let range = range(offset, buffer.len(), bytes.len())?;
        bytes[range].copy_from_slice(buffer);
        journal.events.push(Event::Write { device: self.index, offset, bytes: Arc::from(&buffer[..]) });
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut journal = lock(&self.journal);
        journal.may_fail()?;
        journal.events.push(Event::Flush { device: self.index });
        Ok(())
    }
}

/// A walk over the points at which power may be lost.
pub struct CrashPoints {
    durable: Vec<Vec<u8>>,
    events: Vec<Event>,
    done: usize,
    unflushed: Vec<(usize, u64, Arc<[u8]>)>,
}

impl CrashPoints {
    /// Events before this point.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Writes that may be lost here.
    pub fn unflushed(&self) -> usize {
        self.unflushed.len()
    }

    /// Goes on by one event; false after the last.
    pub fn advance(&mut self) -> bool {
        let Some(event) = self.events.get(self.done).cloned() else { return false };
        self.done += 1;
        match event {
            Event::Write { device, offset, bytes } => self.unflushed.push((device, offset, bytes)),
            Event::Flush { device } => {
                let durable = &mut self.durable[device];
                self.unflushed.retain(|(written, offset, bytes)| {
                    if *written == device {
                        durable[*offset as usize..*offset as usize + bytes.len()].copy_from_slice(bytes);
                    }
                    *written != device
                });
            }
        }
        true
    }

    /// The contents of all devices after a loss of power here. `fate` is asked for each unflushed write, oldest first.
    pub fn image(&self, mut fate: impl FnMut(usize) -> Fate) -> Vec<Vec<u8>> {
        let mut images = self.durable.clone();
        for (number, (device, offset, bytes)) in self.unflushed.iter().enumerate() {
            let target = &mut images[*device][*offset as usize..*offset as usize + bytes.len()];
            match fate(number) {
                Fate::Kept => target.copy_from_slice(bytes),
                Fate::Lost => {}
                Fate::Cut { bytes: length } => {
                    let length = length.min(bytes.len());
                    target[..length].copy_from_slice(&bytes[..length]);
                }
                Fate::Torn { unit, mask } => {
                    let pieces = target.chunks_mut(unit).zip(bytes.chunks(unit));
                    for (piece, (old, new)) in pieces.enumerate() {
                        if mask >> (piece % 64) & 1 == 1 {
                            old.copy_from_slice(new);
                        }
                    }
                }
            }
        }
        images
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loses_only_what_no_flush_covers() {
        let fault = Fault::new(vec![vec![0; 8192], vec![0; 4096]]);
        let (mut one, mut two) = (fault.device(0), fault.device(1));
        one.write(0, &Buffer::padded(b"a")).unwrap();
        two.write(0, &Buffer::padded(b"b")).unwrap();
        one.flush().unwrap();
        one.write(4096, &Buffer::padded(&[b'c'; 4096])).unwrap();
        let mut points = fault.crash_points();
        while points.advance() {}
        assert_eq!((points.done(), points.unflushed()), (4, 2));
        let lost = points.image(|_| Fate::Lost);
        assert_eq!((lost[0][0], lost[1][0], lost[0][4096]), (b'a', 0, 0));
        let kept = points.image(|_| Fate::Kept);
        assert_eq!(kept, fault.images());
        let torn = points.image(|_| Fate::Torn { unit: SECTOR_BYTES, mask: 0b10 });
        assert_eq!((torn[0][4096], torn[0][4096 + 512], torn[0][4096 + 1024]), (0, b'c', 0));
        let cut = points.image(|_| Fate::Cut { bytes: 8 });
        assert_eq!((cut[0][4096 + 7], cut[0][4096 + 8]), (b'c', 0));
    }

    #[test]
    fn a_countdown_ends_in_errors_that_change_nothing() {
        let fault = Fault::new(vec![vec![0; 4096]]);
        let mut device = fault.device(0);
        fault.fail_after(1, libc::EIO);
        device.flush().unwrap();
        let error = device.write(0, &Buffer::padded(b"a")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        assert_eq!(device.flush().unwrap_err().raw_os_error(), Some(libc::EIO));
        assert_eq!((fault.images()[0][0], fault.events()), (0, 1));
    }
}
