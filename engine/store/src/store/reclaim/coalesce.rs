//! Joining small extents of an array that lie side by side into larger ones.
//!
//! Every extent costs a record of its own; what was appended in small pieces takes a multiple of its bytes. Only extents that are seen
//! whole, lie in the arena, and are not after the walk's bound are joined, and only where no snapshot tells them apart: the joined extent
//! has the newest of their epochs.

use bytes::Bytes;
use types::{CHECKSUM_CHUNK_BYTES, Epoch, Status};

use super::super::Store;
use super::super::damage::Finding;
use super::remove;
use crate::arena::Need;
use crate::catalog::Container;
use crate::index::{self, IndexKey, Record, WRITTEN, class_of};
use crate::log::WrittenExtent;
use crate::probe::Probe;
use crate::snapshots;

/// Small extents of one akey kept in mind at once; further ones are left for the next walk.
const CANDIDATES_MOST: usize = 4096;
/// Bytes of a joined extent at most: one checksum.
const JOINED_MOST: u64 = CHECKSUM_CHUNK_BYTES as u64;
/// Extents joined in one transaction at most, so that their removal fits it.
const PARTS_MOST: usize = 64;

/// An extent that may be joined with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) epoch: Epoch,
}

/// Those of one akey.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    prefix: Vec<u8>,
    extents: Vec<Candidate>,
}

impl Candidates {
    /// True when `key` lies in the akey, or there is none yet.
    pub(super) fn is_of(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix)
    }

    pub(super) fn is_worth_it(&self) -> bool {
        self.extents.len() > 1
    }

    pub(super) fn add(&mut self, prefix: &[u8], candidate: Candidate) {
        if self.extents.is_empty() {
            self.prefix = prefix.to_vec();
        }
        if self.extents.len() < CANDIDATES_MOST {
            self.extents.push(candidate);
        }
    }

    /// Runs of extents that lie side by side and that no snapshot tells apart, worth the work.
    fn runs(mut self, snapshots: &[Epoch]) -> Vec<Vec<Candidate>> {
        self.extents.sort_unstable_by_key(|extent| extent.start);
        let mut runs: Vec<Vec<Candidate>> = Vec::new();
        for extent in self.extents {
            match runs.last_mut() {
                Some(run) if goes_on(run, &extent, snapshots) => run.push(extent),
                _ => runs.push(vec![extent]),
            }
        }
        runs.retain(|run| {
            let total: u64 = run.iter().map(|extent| extent.length).sum();
            let largest = run.iter().map(|extent| extent.length).max().unwrap_or(0);
            // Else each walk would write the whole of a growing extent again for a few bytes more.
            run.len() > 1 && largest * 2 <= total
        });
        runs
    }
}

fn goes_on(run: &[Candidate], next: &Candidate, snapshots: &[Epoch]) -> bool {
    let last = run.last().expect("a run has a first extent");
    let total: u64 = run.iter().map(|extent| extent.length).sum();
    let epochs = || run.iter().map(|extent| extent.epoch).chain([next.epoch]);
    let (oldest, newest) = (epochs().min().unwrap_or(next.epoch), epochs().max().unwrap_or(next.epoch));
    last.start + last.length == next.start
        && total + next.length <= JOINED_MOST
        && run.len() < PARTS_MOST
        && !snapshots::any_between(snapshots, oldest, newest)
}

impl Store {
    /// Joins what can be joined; returns how many records there are less.
    pub(super) fn coalesce(
        &mut self,
        container: Container,
        bound: Epoch,
        snapshots: &[Epoch],
        candidates: Candidates,
    ) -> u64 {
        let prefix = candidates.prefix.clone();
        let mut less = 0;
        for run in candidates.runs(snapshots) {
            if !self.admits() {
                return less;
            }
            self.arena.begin(Need::Usual);
            container.set_history_from(&mut self.arena, bound.0);
            match self.join(container, &prefix, &run) {
                Ok(written) => {
                    let epoch = self.clock.tick(self.now);
                    self.commit(epoch);
                    if let Some((extent, data)) = written {
                        self.write_data(extent, &data);
                        // Its epoch is older than its bytes on the device.
                        self.barrier = epoch;
                    }
                    less += run.len() as u64 - 1;
                    Probe::Coalesced.hit();
                    self.stats.coalesced += run.len() as u64;
                }
                // No room now: it is only to save some.
                Err(_) => self.arena.rollback(),
            }
        }
        less
    }

    /// Replaces the extents of a run by one; gives what is to be written to the data slice.
    fn join(
        &mut self,
        container: Container,
        prefix: &[u8],
        run: &[Candidate],
    ) -> Result<Option<(WrittenExtent, Bytes)>, Status> {
        let mut data = Vec::new();
        let mut keys = Vec::with_capacity(run.len());
        for extent in run {
            let mut key = IndexKey::prefix(prefix);
            key.tag(WRITTEN).extent(class_of(extent.length), extent.start).epoch(extent.epoch);
            let record = container.tree().get(&self.arena, key.as_bytes()).ok_or(Status::Nonexistent)?;
            let Record::Inline { checksums, bytes, damaged: false } = Record::decode(record) else {
                return Err(Status::Invalid);
            };
            if erasure::verify(bytes, checksums).is_err() {
                let (offset, length) = (self.arena.offset_of(bytes), bytes.len() as u64);
                let (place, key) = (container.place(&self.arena), key.as_bytes().to_vec());
                self.suspect(Finding { place, key, inline: true, offset, length, scrubbed: false });
                return Err(Status::Checksum);
            }
            data.extend_from_slice(bytes);
            keys.push(key.as_bytes().to_vec());
        }
        let removed = remove(&mut self.arena, container, &keys)?;
        if removed < keys.len() {
            return Err(Status::TooBig);
        }
        let newest = run.iter().map(|extent| extent.epoch).max().unwrap_or(Epoch::ZERO);
        let checksums = erasure::checksums(container.checksum_kind(&self.arena), &data);
        let staged = index::stage_extent(&mut self.arena, prefix, run[0].start, newest, (&checksums, &data))?;
        index::enter(&mut self.arena, container, &staged)?;
        if self.arena.redo_bytes() > crate::arena::TRANSACTION_REDO_LIMIT {
            return Err(Status::TooBig);
        }
        Ok(staged.extent.map(|extent| (extent, Bytes::from(data))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(extents: &[(u64, u64, u64)]) -> Candidates {
        let mut candidates = Candidates::default();
        for &(start, length, epoch) in extents {
            candidates.add(b"akey", Candidate { start, length, epoch: Epoch(epoch) });
        }
        candidates
    }

    fn starts(runs: &[Vec<Candidate>]) -> Vec<Vec<u64>> {
        runs.iter().map(|run| run.iter().map(|extent| extent.start).collect()).collect()
    }

    #[test]
    fn extents_side_by_side_are_a_run_until_a_snapshot_tells_them_apart() {
        let extents = [(20, 10, 3), (0, 10, 1), (10, 10, 2), (40, 10, 4), (50, 10, 5)];
        assert_eq!(starts(&candidates(&extents).runs(&[])), [vec![0, 10, 20], vec![40, 50]]);
        assert_eq!(starts(&candidates(&extents).runs(&[Epoch(2)])), [vec![0, 10], vec![40, 50]]);
        assert_eq!(starts(&candidates(&extents).runs(&[Epoch(9)])).len(), 2);
    }

    #[test]
    fn a_long_extent_is_not_written_again_for_a_short_one() {
        assert!(candidates(&[(0, 3000, 1), (3000, 10, 2)]).runs(&[]).is_empty());
        let long = CHECKSUM_CHUNK_BYTES as u64 / 2;
        assert_eq!(starts(&candidates(&[(0, long, 1), (long, long, 2), (2 * long, 1, 3)]).runs(&[])), [vec![0, long]]);
    }
}
