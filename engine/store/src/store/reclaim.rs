//! Freeing what nobody can see any more: destroyed pools and containers, and history older than the window.
//!
//! The graveyard is emptied leaf by leaf. History is walked container by container in key order: a record goes when a
//! tombstone, a newer single value or newer extents hide it from every read at or after the bound; a tombstone goes when the walk has
//! left everything below it. Each slice is one bounded transaction; a walk that is interrupted starts over.

use std::collections::HashMap;
use std::time::Duration;

use types::{Epoch, Place, Status};

use super::Store;
use crate::arena::{Arena, TRANSACTION_REDO_LIMIT};
use crate::catalog::{self, Container, Grave};
use crate::command::{Command, Reply, Token};
use crate::extents::{self, Extent};
use crate::health::Health;
use crate::index::{
    IndexKey, PUNCHED, Record, SINGLE, TOMBSTONE, View, WRITTEN, epoch_of, level_of, overlapping, resolve,
};
use crate::probe::Probe;
use crate::tree::Cursor;

/// Records looked at in one slice: about 100 us.
const RECORDS_PER_SLICE: usize = 256;
/// Records removed in one slice: each changes a few tree pages, and together they must fit a transaction.
const REMOVALS_PER_SLICE: usize = 16;
/// Slices of history per tick, while they find much: about 1 ms.
const SLICES_PER_TICK: usize = 8;
/// Slices run at once for a change that found no room: about 10 ms.
const SLICES_FOR_ROOM: usize = 64;
/// Leaves of destroyed containers freed in one slice, as far as the transaction's limit allows.
const LEAVES_PER_SLICE: usize = 16;
/// The most redo one leaf can make: its cells' memory and extents go back one by one.
const LEAF_REDO: u64 = 40 << 10;

/// How long removals are freed without waiting for the history window, after one from a pool that was short: whoever
/// empties a full pool wants the room, all of it and not only down to where the pool counts as short.
const EMPTYING: Duration = Duration::from_secs(10);

/// What is being freed.
pub(super) struct Reclaim {
    graves: bool,
    parked: Vec<(Token, Command)>,
    /// Space is short: keep no history.
    asked: bool,
    /// The last removal that was to make room.
    emptying: Option<Epoch>,
    walk: Option<Walk>,
    /// The last walk found something, or there was none yet.
    fruitful: bool,
    /// When the last walk ended.
    ended: Option<Epoch>,
    /// Containers with something that no walk has looked at yet, by record, and their newest change.
    changed: HashMap<u64, Epoch>,
    /// The newest change of a former life, until a walk looked at everything.
    unwalked: Option<Epoch>,
}

/// A walk over all containers.
struct Walk {
    bound: Epoch,
    places: Vec<Place>,
    /// The next key to look at in the last of the places.
    from: Vec<u8>,
    /// The newest tombstone not after the bound of the object, dkey and akey the walk is in: prefix length and key.
    above: [Option<(usize, Vec<u8>)>; 3],
    /// The akey whose newest single value was met.
    single: Option<Vec<u8>>,
    removed: u64,
}

impl Reclaim {
    pub(super) fn new(arena: &Arena, last: Epoch) -> Reclaim {
        let graves = catalog::first_grave(arena).is_some();
        Reclaim {
            graves,
            parked: Vec::new(),
            asked: false,
            emptying: None,
            walk: None,
            fruitful: true,
            ended: None,
            changed: HashMap::new(),
            unwalked: Some(last),
        }
    }

    /// A container has something new, so it may have something superseded.
    pub(super) fn changed(&mut self, container: Container, epoch: Epoch) {
        self.changed.insert(container.0, epoch);
    }

    /// True when a walk may find something.
    fn has_superseded(&self) -> bool {
        self.walk.is_some() || !self.changed.is_empty() || self.unwalked.is_some()
    }

    /// Something was destroyed.
    pub(super) fn dig(&mut self) {
        self.graves = true;
    }

    pub(super) fn has_graves(&self) -> bool {
        self.graves
    }

    /// Keeps a command until everything destroyed is gone.
    pub(super) fn park(&mut self, token: Token, command: Command) {
        Probe::Parked.hit();
        self.parked.push((token, command));
    }

    pub(super) fn is_busy(&self) -> bool {
        self.graves || self.asked || self.walk.is_some() || !self.parked.is_empty()
    }
}

impl Store {
    /// Runs a slice of whatever is due.
    pub(super) fn tick_reclaim(&mut self) {
        if self.health != Health::Healthy || !self.log.admits() {
            return;
        }
        self.release_limbo();
        if self.reclaim.graves {
            self.empty_graves();
            return;
        }
        for _ in 0..SLICES_PER_TICK {
            let before = self.stats.reclaimed;
            self.walk_history();
            if self.stats.reclaimed - before < REMOVALS_PER_SLICE as u64 / 2 || !self.log.admits() {
                return;
            }
        }
    }

    /// Answers what waits for room in the graveyard, when the target died.
    pub(super) fn drop_parked(&mut self) {
        for (token, _) in std::mem::take(&mut self.reclaim.parked) {
            self.reply(token, Reply::Done(Err(Status::Io)));
        }
    }

    fn empty_graves(&mut self) {
        if !self.log.admits() {
            return;
        }
        self.arena.begin(true);
        for _ in 0..LEAVES_PER_SLICE {
            if self.arena.redo_bytes() + LEAF_REDO > TRANSACTION_REDO_LIMIT {
                break;
            }
            let Some((serial, grave)) = catalog::first_grave(&self.arena) else {
                Probe::GravesEmptied.hit();
                self.reclaim.graves = false;
                break;
            };
            if free_some(&mut self.arena, serial, grave).is_err() {
                // Not even the reserve had room for the bookkeeping; what was done in this slice is undone.
                self.arena.rollback();
                return;
            }
        }
        if self.arena.redo_bytes() > 0 {
            let epoch = self.clock.tick(self.now);
            self.commit(epoch);
        }
        if !self.reclaim.graves {
            for (token, command) in self.reclaim.parked.drain(..).rev() {
                self.queue.push_front((token, command));
            }
        }
    }

    /// For a change that found no room: true when waiting may make some, so that it is worth another try.
    pub(super) fn make_room(&mut self, wants_data: bool) -> bool {
        if !self.log.admits() {
            return true;
        }
        if self.reclaim.graves {
            self.empty_graves();
            return true;
        }
        if self.reclaim.has_superseded() {
            self.reclaim.asked = true;
            for _ in 0..SLICES_FOR_ROOM {
                if self.reclaim.has_superseded() && self.log.admits() {
                    self.walk_history();
                }
            }
            return true;
        }
        wants_data && self.release_limbo_soon()
    }

    /// After a change in a pool that is nearly full: keeps up with it, as long as that is of use.
    pub(super) fn keep_up(&mut self) {
        self.reclaim.asked = true;
        if self.reclaim.fruitful {
            self.tick_reclaim();
        }
    }

    /// After a removal: when space is short, or was while removals went on, what is removed is freed by the next ticks.
    pub(super) fn removed(&mut self, container: Container) {
        let goes_on = self.reclaim.emptying.is_some_and(|last| self.now.saturating_sub(EMPTYING) <= last);
        if goes_on || container.pool(&self.arena).is_short(&self.arena) {
            self.reclaim.emptying = Some(self.now);
            self.reclaim.asked = true;
        }
    }

    fn walk_history(&mut self) {
        if self.reclaim.walk.is_none() {
            let asked = std::mem::take(&mut self.reclaim.asked);
            let rested = |at: Epoch| self.now.saturating_sub(self.settings.history / 2) >= at;
            let due = asked || self.reclaim.ended.is_none_or(rested);
            if !due || !self.reclaim.has_superseded() {
                return;
            }
            let last = self.log.last_epoch();
            let bound = if asked { last } else { self.now.saturating_sub(self.settings.history).min(last) };
            let places = self.places_to_walk(bound);
            self.reclaim.walk =
                Some(Walk { bound, places, from: Vec::new(), above: [None, None, None], single: None, removed: 0 });
        }
        let Some(mut walk) = self.reclaim.walk.take() else { return };
        let Some(&place) = walk.places.last() else {
            self.reclaim.ended = Some(self.now);
            self.reclaim.fruitful = walk.removed > 0;
            return;
        };
        let found = catalog::find_container(&self.arena, place);
        let ended = match found {
            Some(container) => self.walk_slice(&mut walk, container),
            None => true,
        };
        if ended {
            walk.places.pop();
            walk.from.clear();
            walk.above = [None, None, None];
            walk.single = None;
        }
        self.reclaim.walk = Some(walk);
    }

    /// The containers that changed. Those with changes after the bound stay on the list for the next walk.
    fn places_to_walk(&mut self, bound: Epoch) -> Vec<Place> {
        let mut places = Vec::new();
        let changed = &self.reclaim.changed;
        let before = self.reclaim.unwalked;
        for pool in catalog::pools(&self.arena) {
            for container in catalog::containers(&self.arena, pool) {
                if before.is_some() || changed.contains_key(&container.0) {
                    places.push(Place { pool: pool.id(&self.arena), container: container.id(&self.arena) });
                }
            }
        }
        self.reclaim.changed.retain(|_, last| *last > bound);
        self.reclaim.unwalked = before.filter(|last| *last > bound);
        places
    }

    /// Looks at some records of a container and removes what is hidden; true when it was the last of them.
    fn walk_slice(&mut self, walk: &mut Walk, container: Container) -> bool {
        let mut doomed = Vec::new();
        let ended = walk.collect(&self.arena, container, &mut doomed);
        if doomed.is_empty() {
            return ended;
        }
        self.arena.begin(true);
        let removed = doomed.len() as u64;
        if remove(&mut self.arena, container, walk.bound, &doomed).is_err() {
            self.arena.rollback();
            return ended;
        }
        self.stats.reclaimed += removed;
        walk.removed += removed;
        let epoch = self.clock.tick(self.now);
        self.commit(epoch);
        ended
    }
}

impl Walk {
    /// Fills `doomed` with keys to remove and moves on; true at the end of the container.
    fn collect(&mut self, arena: &Arena, container: Container, doomed: &mut Vec<Vec<u8>>) -> bool {
        let view = View::new(arena, container, self.bound);
        let mut cursor = Cursor::seek(container.tree(), arena, &self.from);
        for _ in 0..RECORDS_PER_SLICE {
            // Leaving three levels dooms up to three tombstones at once.
            if doomed.len() + 4 > REMOVALS_PER_SLICE {
                self.from = cursor.key(arena).map(<[u8]>::to_vec).unwrap_or_default();
                return self.from.is_empty() && self.leave(&[], doomed);
            }
            let Some(key) = cursor.key(arena) else { return self.leave(&[], doomed) };
            self.leave(key, doomed);
            if self.is_hidden(&view, key, cursor.value(arena).expect("it has a key")) {
                doomed.push(key.to_vec());
            }
            cursor.next(arena);
        }
        match cursor.key(arena) {
            Some(key) => {
                self.from = key.to_vec();
                false
            }
            None => self.leave(&[], doomed),
        }
    }

    /// Dooms the tombstones of what the walk left on its way to `key`. Always true, for the end of a walk.
    fn leave(&mut self, key: &[u8], doomed: &mut Vec<Vec<u8>>) -> bool {
        for above in &mut self.above {
            if let Some((_, tombstone)) = above.take_if(|(length, tombstone)| !key.starts_with(&tombstone[..*length])) {
                Probe::TombstoneDropped.hit();
                doomed.push(tombstone);
            }
        }
        true
    }

    fn is_hidden(&mut self, view: &View<'_>, key: &[u8], value: &[u8]) -> bool {
        let epoch = epoch_of(key);
        if epoch > self.bound {
            return false;
        }
        let floor = self.above.iter().flatten().map(|(_, key)| epoch_of(key)).max().unwrap_or(Epoch::ZERO);
        let (level, end) = level_of(key);
        if epoch <= floor {
            return true;
        }
        match (level, key[end]) {
            (level, TOMBSTONE) => {
                // The newest of its level: it goes when everything below it was walked.
                self.above[level] = Some((end, key.to_vec()));
                false
            }
            (_, SINGLE) => {
                let older = self.single.as_deref() == Some(&key[..end]);
                self.single = Some(key[..end].to_vec());
                older
            }
            (_, tag) => {
                let start = extents::be(&key[end + 2..end + 10]);
                let range = (start, start + Record::decode(value).length());
                let mut prefix = IndexKey::prefix(&key[..end]);
                if tag == WRITTEN {
                    let visible = resolve(view, &mut prefix, floor, range.0, range.1);
                    let hidden = !visible.iter().any(|part| part.epoch == epoch);
                    if hidden {
                        Probe::ExtentHidden.hit();
                    }
                    return hidden;
                }
                debug_assert_eq!(tag, PUNCHED, "there are four tags");
                let mut hides = false;
                overlapping(view, &mut prefix, WRITTEN, Epoch::ZERO, range, |overlap| hides |= overlap.epoch < epoch);
                !hides
            }
        }
    }
}

fn remove(arena: &mut Arena, container: Container, bound: Epoch, doomed: &[Vec<u8>]) -> Result<(), Status> {
    let tree = container.tree();
    let (mut grown, mut blocks) = (0, 0);
    let (mut objects, mut dkeys) = (0, 0);
    for key in doomed {
        let extent =
            tree.get(arena, key).filter(|value| !value.is_empty()).and_then(|value| Record::decode(value).extent());
        match level_of(key) {
            (0, _) => objects -= 1,
            (1, _) => dkeys -= 1,
            _ => {}
        }
        let before = arena.charge();
        assert!(tree.remove(arena, key), "nothing changed since the walk met it");
        grown += arena.charge() - before;
        if let Some(extent) = extent {
            blocks += extent.blocks;
            extents::retire(arena, extent)?;
        }
    }
    container.add_tombstones(arena, objects, dkeys);
    container.set_history_from(arena, bound.0);
    container.book(arena, grown, -((blocks * media::BLOCK_BYTES as u64) as i64), true)
}

/// Frees one leaf of what is in a grave, or the grave itself when it is empty.
fn free_some(arena: &mut Arena, serial: u64, grave: Grave) -> Result<(), Status> {
    let container = match grave {
        Grave::Container(container) => Some(container),
        Grave::Pool(pool) => catalog::next_container(arena, pool, None),
    };
    if let Some(container) = container
        && drop_leaf(arena, container)?
    {
        return Ok(());
    }
    match (grave, container) {
        (Grave::Pool(pool), Some(container)) => catalog::remove_container_of(arena, pool, container),
        _ => catalog::remove_grave(arena, serial, grave),
    }
    Ok(())
}

fn drop_leaf(arena: &mut Arena, container: Container) -> Result<bool, Status> {
    let mut freed: Vec<Extent> = Vec::new();
    let before = arena.charge();
    let dropped = container.tree().drop_first_leaf(arena, |_, value| {
        if !value.is_empty() {
            freed.extend(Record::decode(value).extent());
        }
    });
    let grown = arena.charge() - before;
    let mut blocks = 0;
    for extent in freed {
        blocks += extent.blocks;
        extents::retire(arena, extent)?;
    }
    container.book(arena, grown, -((blocks * media::BLOCK_BYTES as u64) as i64), true)?;
    Ok(dropped)
}
