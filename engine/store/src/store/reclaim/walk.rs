//! Walking the records of containers in key order, and deciding which of them nobody can see any more.
//!
//! What counts as seen: reads as of the bound or later, and reads as of a snapshot. A record goes when a tombstone, a newer single value
//! or newer extents hide it from all of those; a tombstone goes when the walk has left everything below it and nothing older stayed
//! there, or when a newer tombstone takes its place for everybody.

use types::{Epoch, Place, PoolId};

use super::super::Store;
use super::asked::Asked;
use super::coalesce::{Candidate, Candidates};
use super::{RECORDS_PER_SLICE, REMOVALS_PER_SLICE, remove};
use crate::arena::{Arena, Need};
use crate::catalog::Container;
use crate::extents::be;
use crate::index::{
    IndexKey, PUNCHED, RECORD_SIZE, Record, SINGLE, TOMBSTONE, View, WRITTEN, epoch_of, hole_matters, level_of, resolve,
};
use crate::probe::Probe;
use crate::snapshots;
use crate::tree::Cursor;

/// A walk over containers.
pub(super) struct Walk {
    pub(super) number: u64,
    /// Over everything that changed, not only where space is short.
    pub(super) is_of_all: bool,
    /// Up to when somebody wants history to be merged.
    pub(super) wanted: Option<Epoch>,
    /// Where space was short when it began.
    pub(super) asked: Asked,
    /// What is left, the next one last, and up to when each is merged.
    pub(super) places: Vec<(Place, Epoch)>,
    /// Of the last of the places.
    pub(super) bound: Epoch,
    pub(super) removed: u64,
    /// The next key to look at in the last of the places.
    from: Vec<u8>,
    /// The object, dkey and akey the walk is in, where they have tombstones.
    above: [Option<Above>; 3],
    /// The akey whose single values are met, and the epoch of the last one, which is the next newer one of those that follow.
    single: Option<(Vec<u8>, Epoch)>,
    /// Small extents of the akey the walk is in.
    candidates: Candidates,
}

/// The tombstones of an object, dkey or akey that are not after the bound.
struct Above {
    prefix: Vec<u8>,
    /// Newest first.
    tombstones: Vec<Epoch>,
    /// The oldest record below that stays.
    kept: Epoch,
}

impl Above {
    /// The newest tombstone not after `epoch`.
    fn floor(&self, epoch: Epoch) -> Epoch {
        self.tombstones.iter().copied().find(|tombstone| *tombstone <= epoch).unwrap_or(Epoch::ZERO)
    }
}

/// What a slice found to do.
#[derive(Default)]
struct Found {
    /// In the order in which it must go: what a tombstone hides before the tombstone.
    doomed: Vec<Vec<u8>>,
    candidates: Vec<Candidates>,
}

impl Store {
    /// Looks at some records of a container and removes what is hidden; true when it was the last of them.
    pub(super) fn walk_slice(&mut self, walk: &mut Walk, container: Container) -> bool {
        self.arena.unpin();
        let snapshots = snapshots::list(&self.arena, container);
        let mut found = Found::default();
        let ended = walk.collect(&self.arena, container, &snapshots, &mut found);
        let mut rest = &found.doomed[..];
        while !rest.is_empty() && self.admits() {
            self.arena.begin(Need::Sure);
            container.set_history_from(&mut self.arena, walk.bound.0);
            let Ok(removed) = remove(&mut self.arena, container, rest) else {
                // Not even the reserve has room for it. Another walk tries again.
                self.arena.rollback();
                self.reclaim.changed(container, self.log.last_epoch());
                return true;
            };
            rest = &rest[removed..];
            self.stats.reclaimed += removed as u64;
            walk.removed += removed as u64;
            let epoch = self.clock.tick(self.now);
            self.commit(epoch);
        }
        if !rest.is_empty() {
            // What stays would be uncovered when the walk drops the tombstone that hides it.
            walk.leave_container();
            return false;
        }
        for candidates in found.candidates {
            walk.removed += self.coalesce(container, walk.bound, &snapshots, candidates);
        }
        ended
    }
}

impl Walk {
    pub(super) fn new(
        number: u64,
        is_of_all: bool,
        wanted: Option<Epoch>,
        asked: Asked,
        places: Vec<(Place, Epoch)>,
    ) -> Walk {
        Walk {
            number,
            is_of_all,
            wanted,
            asked,
            places,
            bound: Epoch::ZERO,
            removed: 0,
            from: Vec::new(),
            above: [None, None, None],
            single: None,
            candidates: Candidates::default(),
        }
    }

    /// True when it has not been through all containers of a pool.
    pub(super) fn is_to_visit(&self, pool: PoolId) -> bool {
        self.places.iter().any(|(place, _)| place.pool == pool)
    }

    /// Forgets where it was in a container.
    pub(super) fn leave_container(&mut self) {
        self.from.clear();
        self.above = [None, None, None];
        self.single = None;
        self.candidates = Candidates::default();
    }

    /// Fills `found` and moves on; true at the end of the container.
    fn collect(&mut self, arena: &Arena, container: Container, snapshots: &[Epoch], found: &mut Found) -> bool {
        let mut cursor = Cursor::seek(container.tree(), arena, &self.from);
        for looked in 0..RECORDS_PER_SLICE {
            let Some(key) = cursor.key(arena) else {
                self.leave(&[], snapshots, found);
                return true;
            };
            if found.doomed.len() >= REMOVALS_PER_SLICE || looked > 0 && arena.is_crowded() {
                self.from = key.to_vec();
                return false;
            }
            self.leave(key, snapshots, found);
            let value = cursor.value(arena).expect("it has a key");
            self.meet(&Sight { arena, container, bound: self.bound, snapshots }, key, value, found);
            cursor.next(arena);
        }
        match cursor.key(arena) {
            Some(key) => {
                self.from = key.to_vec();
                false
            }
            None => {
                self.leave(&[], snapshots, found);
                true
            }
        }
    }

    /// Ends what the walk left on its way to `key`.
    fn leave(&mut self, key: &[u8], snapshots: &[Epoch], found: &mut Found) {
        if !self.candidates.is_of(key) {
            let left = std::mem::take(&mut self.candidates);
            if left.is_worth_it() {
                found.candidates.push(left);
            }
        }
        for above in &mut self.above {
            let Some(left) = above.take_if(|above| !key.starts_with(&above.prefix)) else { continue };
            let mut newer = None;
            for &tombstone in &left.tombstones {
                let replaced = newer.is_some_and(|newer| !snapshots::any_between(snapshots, tombstone, newer));
                if left.kept > tombstone || replaced {
                    Probe::TombstoneDropped.hit();
                    let mut doomed = IndexKey::prefix(&left.prefix);
                    doomed.tag(TOMBSTONE).epoch(tombstone);
                    found.doomed.push(doomed.as_bytes().to_vec());
                }
                newer = Some(tombstone);
            }
        }
    }

    /// Looks at one record.
    fn meet(&mut self, sight: &Sight<'_>, key: &[u8], value: &[u8], found: &mut Found) {
        let epoch = epoch_of(key);
        if epoch > self.bound {
            return;
        }
        let (level, end) = level_of(key);
        if key[end] == TOMBSTONE {
            let above = self.above[level].get_or_insert_with(|| Above {
                prefix: key[..end].to_vec(),
                tombstones: Vec::new(),
                kept: Epoch::MAX,
            });
            above.tombstones.push(epoch);
            return;
        }
        if self.is_seen(sight, key, end, value) {
            for above in self.above.iter_mut().flatten() {
                above.kept = above.kept.min(epoch);
            }
        } else {
            found.doomed.push(key.to_vec());
        }
    }

    /// The newest tombstone not after `epoch` of all that is above.
    fn floor(&self, epoch: Epoch) -> Epoch {
        self.above.iter().flatten().map(|above| above.floor(epoch)).max().unwrap_or(Epoch::ZERO)
    }

    /// True when a read as of the bound or of a snapshot sees the record, or would see another without it.
    fn is_seen(&mut self, sight: &Sight<'_>, key: &[u8], end: usize, value: &[u8]) -> bool {
        let epoch = epoch_of(key);
        match key[end] {
            SINGLE => {
                let newer = match &self.single {
                    Some((akey, newer)) if *akey == key[..end] => Some(*newer),
                    _ => None,
                };
                self.single = Some((key[..end].to_vec(), epoch));
                let until = newer.unwrap_or(Epoch::MAX);
                sight.views(epoch).any(|view| view < until && self.floor(view) < epoch)
            }
            RECORD_SIZE => sight.views(epoch).any(|view| self.floor(view) < epoch),
            tag => {
                let start = be(&key[end + 2..end + 10]);
                let record = Record::decode(value);
                let range = (start, start + record.length());
                let mut prefix = IndexKey::prefix(&key[..end]);
                if tag == WRITTEN {
                    return self.extent_is_seen(sight, &mut prefix, epoch, range, &record);
                }
                debug_assert_eq!(tag, PUNCHED, "there are five tags");
                sight.views(epoch).any(|as_of| {
                    let floor = self.floor(as_of);
                    floor < epoch && hole_matters(&sight.view(as_of), &mut prefix, floor, epoch, range)
                })
            }
        }
    }

    fn extent_is_seen(
        &mut self,
        sight: &Sight<'_>,
        prefix: &mut IndexKey,
        epoch: Epoch,
        (start, end): (u64, u64),
        record: &Record<'_>,
    ) -> bool {
        for as_of in sight.views(epoch) {
            let floor = self.floor(as_of);
            if floor >= epoch {
                continue;
            }
            let visible = resolve(&sight.view(as_of), prefix, floor, start, end);
            if !visible.iter().any(|part| part.epoch == epoch) {
                continue;
            }
            let is_whole = visible.len() == 1 && (visible[0].start, visible[0].end) == (start, end);
            if as_of == sight.bound && is_whole && matches!(record, Record::Inline { damaged: false, .. }) {
                self.candidates.add(prefix.as_bytes(), Candidate { start, length: end - start, epoch });
            }
            return true;
        }
        Probe::ExtentHidden.hit();
        false
    }
}

/// Who looks at a container: reads as of the bound, and of the snapshots before it.
struct Sight<'a> {
    arena: &'a Arena,
    container: Container,
    bound: Epoch,
    snapshots: &'a [Epoch],
}

impl<'a> Sight<'a> {
    /// The epochs from `epoch` on as of which somebody may read, the bound first.
    fn views(&self, epoch: Epoch) -> impl Iterator<Item = Epoch> + 'a {
        let from = self.snapshots.partition_point(|snapshot| *snapshot < epoch);
        let to = self.snapshots.partition_point(|snapshot| *snapshot < self.bound);
        std::iter::once(self.bound).chain(self.snapshots[from..to.max(from)].iter().copied())
    }

    fn view(&self, as_of: Epoch) -> View<'a> {
        View::new(self.arena, self.container, as_of)
    }
}
