//! Both superblocks, and which one counts.

use media::{BLOCK_BYTES, Buffer, Device, Role};

use super::finding::{Advice, COPY, Findings, LOST, MISMATCH, Place, UNREADABLE, VERSION};
use crate::settings::{Geometry, Identity};
use crate::superblock::{FORMAT_VERSION, Fault, Superblock};

/// The two copies, and the index of the one that counts.
#[derive(Debug)]
pub(super) struct Superblocks {
    pub(super) copies: [Result<Superblock, String>; 2],
    pub(super) current: usize,
}

impl Superblocks {
    /// `None` when neither copy can be used.
    pub(super) fn of(copies: [Result<Superblock, String>; 2]) -> Option<Superblocks> {
        let generation = |copy: &usize| copies[*copy].as_ref().map(|superblock| superblock.generation).ok();
        let current = (0..2).filter(|copy| generation(copy).is_some()).max_by_key(generation)?;
        Some(Superblocks { copies, current })
    }

    pub(super) fn current(&self) -> &Superblock {
        self.copies[self.current].as_ref().expect("chosen because it is valid")
    }
}

/// Why a copy cannot be used.
struct Unusable {
    advice: Advice,
    reason: String,
    /// Of a whole copy of another release.
    version: Option<u32>,
}

fn read_copy(meta: &mut dyn Device, copy: usize) -> Result<Superblock, Unusable> {
    let mut block = Buffer::zeroed(BLOCK_BYTES);
    let unusable = |advice, reason, version| Unusable { advice, reason, version };
    let read = meta.read((copy * BLOCK_BYTES) as u64, &mut block);
    read.map_err(|error| unusable(UNREADABLE, format!("it cannot be read: {error}"), None))?;
    Superblock::decode(&block).map_err(|fault| match fault {
        Fault::Version(found) => {
            let reason = format!("it has version {found}, this program knows version {FORMAT_VERSION}");
            unusable(VERSION, reason, Some(found))
        }
        other => unusable(LOST, other.to_string(), None),
    })
}

/// Both copies, with what is wrong with them; and the version when another release wrote them.
pub(super) fn read_copies(meta: &mut dyn Device) -> ([Result<Superblock, String>; 2], Option<u32>) {
    let copies = [0, 1].map(|copy| read_copy(meta, copy));
    let version = other_version(&copies);
    (copies.map(|copy| copy.map_err(|unusable| unusable.reason)), version)
}

/// Why neither copy can be used.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another release wrote them: no damage, and nothing can be said about what they stand for.
    OtherVersion(u32),
    /// As the findings say.
    Lost,
}

/// The version of copies that another release wrote, when no copy is of this one.
fn other_version(copies: &[Result<Superblock, Unusable>; 2]) -> Option<u32> {
    let other = copies.iter().filter_map(|copy| copy.as_ref().err()?.version).max();
    other.filter(|_| copies.iter().all(Result::is_err))
}

/// Reads both.
pub(super) fn read(meta: &mut dyn Device, findings: &mut Findings) -> Result<Superblocks, Refused> {
    let copies = [0, 1].map(|copy| read_copy(meta, copy));
    let good = copies.iter().any(Result::is_ok);
    if let Some(version) = other_version(&copies) {
        return Err(Refused::OtherVersion(version));
    }
    let mut reasons = copies.into_iter().enumerate().map(|(copy, read)| {
        read.map_err(|Unusable { advice, reason, .. }| {
            let advice = if advice == LOST && good { COPY } else { advice };
            let place = Place::Slice(Role::Meta, (copy * BLOCK_BYTES) as u64);
            findings.add(place, advice, format!("superblock: {reason}"));
            reason
        })
    });
    let mut next = || reasons.next().expect("two were read");
    Superblocks::of([next(), next()]).ok_or(Refused::Lost)
}

/// Compares with what the labels say and the devices have.
pub(super) fn compare(
    superblocks: &Superblocks,
    identity: Option<&Identity>,
    found: &Geometry,
    findings: &mut Findings,
) -> bool {
    let place = Place::Slice(Role::Meta, (superblocks.current * BLOCK_BYTES) as u64);
    let superblock = superblocks.current();
    if let Some(expected) = identity.filter(|expected| **expected != superblock.identity) {
        let Identity { engine, target } = superblock.identity;
        let text = format!(
            "the superblock is of target {target} of engine {engine}, not of target {} of engine {}",
            expected.target, expected.engine
        );
        findings.add(place, MISMATCH, text);
    }
    let recorded = superblock.geometry;
    let mut fits = true;
    for (what, found, recorded) in [
        ("arena", found.arena_bytes, recorded.arena_bytes),
        ("wal slice", found.wal_bytes, recorded.wal_bytes),
        ("meta slice", found.meta_bytes, recorded.meta_bytes),
        ("data slice", found.data_bytes, recorded.data_bytes),
    ] {
        if found != recorded {
            fits = false;
            findings.add(place, MISMATCH, format!("the {what} has {found} bytes, the superblock says {recorded}"));
        }
    }
    fits
}
