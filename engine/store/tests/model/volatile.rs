//! Devices in memory with a cache that a loss of power empties: for losses of power in the midst of long histories, where
//! a journal of everything would be too long.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daos_store::Devices;
use media::{Buffer, Device, Mem};
use rand::Rng;
use rand::rngs::StdRng;

use crate::target::Mems;

/// Bytes that a device writes as a whole.
const SECTOR_BYTES: usize = 512;

/// Writes that no flush covers, oldest first.
type Cache = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// A device whose writes are in its cache until they are flushed.
struct Volatile {
    medium: Mem,
    cache: Cache,
}

/// The caches of the devices of one target.
pub(crate) struct Caches {
    caches: [Cache; 3],
}

fn lock(cache: &Cache) -> MutexGuard<'_, Vec<(u64, Vec<u8>)>> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caches {
    /// Devices over `mems` with empty caches.
    pub(crate) fn over(mems: &Mems) -> (Devices, Caches) {
        let caches = [Cache::default(), Cache::default(), Cache::default()];
        let device =
            |medium: &Mem, cache: &Cache| Box::new(Volatile { medium: medium.clone(), cache: Arc::clone(cache) });
        let devices = Devices {
            wal: device(&mems.wal, &caches[0]),
            meta: device(&mems.meta, &caches[1]),
            data: device(&mems.data, &caches[2]),
        };
        (devices, Caches { caches })
    }

    /// Power is lost: each cached write reached the medium, or did not, or some of its sectors did.
    pub(crate) fn lose(self, mems: &Mems, random: &mut StdRng) {
        for (cache, mut medium) in self.caches.iter().zip([mems.wal.clone(), mems.meta.clone(), mems.data.clone()]) {
            for (offset, bytes) in lock(cache).drain(..) {
                let mut there = Buffer::zeroed(bytes.len());
                medium.read(offset, &mut there).expect("it was written within the device");
                let fate = random.random_range(0..3);
                for (old, new) in there.chunks_mut(SECTOR_BYTES).zip(bytes.chunks(SECTOR_BYTES)) {
                    if fate == 0 || fate == 1 && random.random() {
                        old.copy_from_slice(new);
                    }
                }
                medium.write(offset, &there).expect("it was written within the device");
            }
        }
    }
}

impl Device for Volatile {
    fn length(&self) -> u64 {
        self.medium.length()
    }

    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        self.medium.read(offset, buffer)?;
        let end = offset + buffer.len() as u64;
        for (at, bytes) in lock(&self.cache).iter() {
            let (from, to) = (offset.max(*at), end.min(at + bytes.len() as u64));
            if from < to {
                let place = &mut buffer[(from - offset) as usize..(to - offset) as usize];
                place.copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.medium.length());
        end.ok_or_else(|| io::Error::other("beyond the end"))?;
        lock(&self.cache).push((offset, buffer.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        for (offset, bytes) in lock(&self.cache).drain(..) {
            self.medium.write(offset, &Buffer::padded(&bytes))?;
        }
        Ok(())
    }
}
