//! Losses of power: what the devices may hold after each event of a journal.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use super::contents::{Block, Contents};
use super::{Event, Written};
use crate::BLOCK_BYTES;

/// The unit that a device writes as a whole, whatever happens.
pub const SECTOR_BYTES: usize = 512;

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

impl Fate {
    /// Puts what is left of block `number` of a write over `old`.
    fn put(self, number: usize, new: &Block, old: &mut Block) {
        let from = number * BLOCK_BYTES;
        match self {
            Fate::Kept => *old = *new,
            Fate::Lost => {}
            Fate::Cut { bytes } => {
                let length = bytes.saturating_sub(from).min(BLOCK_BYTES);
                old[..length].copy_from_slice(&new[..length]);
            }
            Fate::Torn { unit, mask } => {
                let unit = unit.min(BLOCK_BYTES);
                for (n, (old, new)) in old.chunks_mut(unit).zip(new.chunks(unit)).enumerate() {
                    let piece = from / unit + n;
                    if mask >> (piece % 64) & 1 == 1 {
                        old.copy_from_slice(new);
                    }
                }
            }
        }
    }
}

/// What all devices hold after a loss of power.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Each device.
    pub devices: Vec<Contents>,
    digest: u64,
}

impl Image {
    /// A hash over all blocks of all devices: of images of the same devices, those with different digests differ, and
    /// different ones have the same digest once in 2^64.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

struct Unflushed {
    number: usize,
    device: usize,
    first: usize,
    blocks: Vec<(Arc<Block>, u64)>,
}

/// A walk over the points at which power may be lost.
pub struct CrashPoints {
    durable: Vec<Contents>,
    /// The hash of each block of each device, 0 for one never written.
    hashes: Vec<Vec<u64>>,
    digest: u64,
    events: Vec<Event>,
    done: usize,
    unflushed: Vec<Unflushed>,
}

/// The share of a block in a digest.
fn hash(device: usize, index: usize, block: &Block) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(device);
    hasher.write_usize(index);
    hasher.write(block);
    hasher.finish()
}

impl CrashPoints {
    pub(super) fn new(start: &[Contents], events: &[Event]) -> CrashPoints {
        let of_device = |(device, contents): (usize, &Contents)| {
            let blocks = contents.blocks().iter().enumerate();
            blocks.map(|(index, block)| block.as_ref().map_or(0, |block| hash(device, index, block))).collect()
        };
        let hashes: Vec<Vec<u64>> = start.iter().enumerate().map(of_device).collect();
        let digest = hashes.iter().flatten().fold(0, |sum: u64, hash| sum.wrapping_add(*hash));
        let (durable, events) = (start.to_vec(), events.to_vec());
        CrashPoints { durable, hashes, digest, events, done: 0, unflushed: Vec::new() }
    }

    /// Events before this point.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Writes that may be lost here.
    pub fn unflushed(&self) -> usize {
        self.unflushed.len()
    }

    /// A hash over what is durable here and what may be lost: points with equal ones have the same images.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.digest);
        for write in &self.unflushed {
            hasher.write_usize(write.blocks.len());
            write.blocks.iter().for_each(|(_, hash)| hasher.write_u64(*hash));
        }
        hasher.finish()
    }

    /// Goes on by one event; false after the last.
    pub fn advance(&mut self) -> bool {
        let Some(event) = self.events.get(self.done).cloned() else { return false };
        match event {
            Event::Write(Written { device, offset, bytes }) => {
                let first = offset as usize / BLOCK_BYTES;
                let block = |(n, piece): (usize, &[u8])| {
                    let block: Block = piece.try_into().expect("buffers are whole blocks");
                    (Arc::new(block), hash(device, first + n, &block))
                };
                let blocks = bytes.chunks_exact(BLOCK_BYTES).enumerate().map(block).collect();
                self.unflushed.push(Unflushed { number: self.done, device, first, blocks });
            }
            Event::Flush { device, given } => {
                let covered = |write: &Unflushed| write.device == device && write.number < given;
                for write in self.unflushed.iter().filter(|write| covered(write)) {
                    for (n, (block, hash)) in write.blocks.iter().enumerate() {
                        let former = std::mem::replace(&mut self.hashes[device][write.first + n], *hash);
                        self.digest = self.digest.wrapping_sub(former).wrapping_add(*hash);
                        self.durable[device].set(write.first + n, block);
                    }
                }
                self.unflushed.retain(|write| !covered(write));
            }
        }
        self.done += 1;
        true
    }

    /// The contents of all devices after a loss of power here. `fate` is asked for each unflushed write, oldest first.
    pub fn image(&self, mut fate: impl FnMut(usize) -> Fate) -> Image {
        let mut image = Image { devices: self.durable.clone(), digest: self.digest };
        let mut changed: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (number, write) in self.unflushed.iter().enumerate() {
            let fate = fate(number);
            let device = write.device;
            for (n, (block, whole)) in write.blocks.iter().enumerate() {
                let index = write.first + n;
                let new = match fate {
                    Fate::Lost => continue,
                    Fate::Kept => {
                        image.devices[device].set(index, block);
                        *whole
                    }
                    _ => {
                        let place = image.devices[device].block_mut(index);
                        fate.put(n, block, place);
                        hash(device, index, place)
                    }
                };
                let former = changed.insert((device, index), new).unwrap_or(self.hashes[device][index]);
                image.digest = image.digest.wrapping_sub(former).wrapping_add(new);
            }
        }
        image
    }
}
