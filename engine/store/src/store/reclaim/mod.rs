//! Freeing what nobody can see any more: destroyed pools and containers, history older than the window, discarded epochs.
//!
//! `graves` empties the graveyard leaf by leaf, `walk` goes through containers and decides what is hidden, `coalesce` joins small
//! extents that it met, `discard` removes a range of epochs, `asked` says whose history goes at once. Each slice of work is one bounded
//! transaction or a few; what is interrupted starts over. This file decides what is due.

mod asked;
mod coalesce;
mod discard;
mod graves;
mod walk;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use types::{Epoch, Place, PoolId, Status};

use super::Store;
use crate::arena::{Arena, Need, TRANSACTION_REDO_LIMIT};
use crate::catalog::{self, Container};
use crate::command::{Command, Reply, Token};
use crate::extents;
use crate::health::Health;
use crate::index::{Record, is_counted};
use crate::probe::Probe;

use asked::Asked;
pub(super) use discard::Discard;
use walk::Walk;

/// Records looked at in one slice: about 100 us.
const RECORDS_PER_SLICE: usize = 256;
/// Records removed in one slice.
const REMOVALS_PER_SLICE: usize = 16;
/// Slices of history per tick, while they find much: about 1 ms.
const SLICES_PER_TICK: usize = 8;
/// The most redo that the removal of one record makes: its cell, a joined neighbour, their parent, the memory and the extent it frees.
const REMOVAL_REDO: u64 = 24 << 10;

/// How long removals are freed without waiting for the history window, after one from a pool that was short: whoever
/// empties a full pool wants the room, all of it and not only down to where the pool counts as short.
const EMPTYING: Duration = Duration::from_secs(10);

/// What is being freed.
pub(super) struct Reclaim {
    graves: bool,
    /// Not even the reserve had room for taking down some more.
    graves_stuck: bool,
    parked: Vec<(Token, Command)>,
    asked: Asked,
    /// Merges that somebody waits for, and up to when.
    aggregations: Vec<(Token, Epoch)>,
    discards: VecDeque<Discard>,
    /// The last removal that was to make room, by pool.
    emptying: HashMap<PoolId, Epoch>,
    walk: Option<Walk>,
    /// Walks that began, and the last of them that came to its end.
    begun: u64,
    completed: u64,
    /// Who is answered at its end. Not in the walk: a page that cannot be read takes the walk along.
    walk_waiters: Vec<Token>,
    /// The last walk found something, or there was none yet.
    fruitful: bool,
    /// When the last walk over all that changed ended.
    ended: Option<Epoch>,
    /// Up to when the last walk through a pool looked.
    walked: HashMap<PoolId, Epoch>,
    /// Containers with something that no walk has looked at yet, by record, and their newest change.
    changed: HashMap<u64, Epoch>,
    /// The newest change of a former life, until a walk looked at everything.
    unwalked: Option<Epoch>,
}

impl Reclaim {
    pub(super) fn new(arena: &Arena, last: Epoch) -> Reclaim {
        Reclaim {
            graves: catalog::first_grave(arena).is_some(),
            graves_stuck: false,
            parked: Vec::new(),
            asked: Asked::default(),
            aggregations: Vec::new(),
            discards: VecDeque::new(),
            emptying: HashMap::new(),
            walk: None,
            begun: 0,
            completed: 0,
            walk_waiters: Vec::new(),
            fruitful: true,
            ended: None,
            walked: HashMap::new(),
            changed: HashMap::new(),
            unwalked: Some(last),
        }
    }

    /// A container has something new, so it may have something superseded.
    pub(super) fn changed(&mut self, container: Container, epoch: Epoch) {
        self.changed.insert(container.0, epoch);
    }

    /// Something was destroyed.
    pub(super) fn dig(&mut self) {
        self.graves = true;
    }

    pub(super) fn has_graves(&self) -> bool {
        self.graves
    }

    /// True when taking down what was destroyed will free something.
    pub(super) fn has_graves_to_empty(&self) -> bool {
        self.graves && !self.graves_stuck
    }

    /// Keeps a command until everything destroyed is gone.
    pub(super) fn park(&mut self, token: Token, command: Command) {
        Probe::Parked.hit();
        self.parked.push((token, command));
    }

    /// Merges history up to `to` for somebody who waits for it.
    pub(super) fn aggregate(&mut self, token: Token, to: Epoch) {
        self.aggregations.push((token, to));
    }

    pub(super) fn is_busy(&self) -> bool {
        self.graves
            || !self.asked.is_empty()
            || self.walk.is_some()
            || !self.parked.is_empty()
            || !self.aggregations.is_empty()
            || !self.discards.is_empty()
    }

    /// The epoch before everything that is being discarded.
    fn discards_from(&self) -> Epoch {
        let first = self.discards.iter().map(|discard| discard.from).min();
        first.map_or(Epoch::MAX, |epoch| Epoch(epoch.0.saturating_sub(1)))
    }

    /// Gives up the walk under way, and all that it saw; another one will look at everything.
    fn interrupt_walk(&mut self, last: Epoch) {
        let Some(walk) = self.walk.take() else { return };
        self.unwalked = Some(last);
        self.walked.clear();
        self.asked.merge(walk.asked);
        let waiters = std::mem::take(&mut self.walk_waiters);
        self.aggregations.extend(waiters.into_iter().map(|token| (token, walk.wanted.unwrap_or(Epoch::ZERO))));
    }

    /// Everybody who waits for something here, when the target died.
    fn take_waiters(&mut self) -> Vec<Token> {
        let walkers = std::mem::take(&mut self.walk_waiters);
        let parked = std::mem::take(&mut self.parked).into_iter().map(|(token, _)| token);
        let aggregations = std::mem::take(&mut self.aggregations).into_iter().map(|(token, _)| token);
        let discards = std::mem::take(&mut self.discards).into_iter().map(|discard| discard.token);
        parked.chain(aggregations).chain(discards).chain(walkers).collect()
    }
}

impl Store {
    /// Runs a slice of whatever is due.
    pub(super) fn tick_reclaim(&mut self) {
        if self.health != Health::Healthy || !self.admits() {
            return;
        }
        self.release_limbo();
        if self.reclaim.graves {
            self.empty_graves();
            if !self.reclaim.graves_stuck {
                return;
            }
        }
        for _ in 0..SLICES_PER_TICK {
            if self.reclaim.discards.is_empty() || !self.admits() {
                break;
            }
            self.discard_slice();
        }
        for _ in 0..SLICES_PER_TICK {
            if !self.admits() {
                return;
            }
            let before = self.stats.reclaimed;
            self.walk_history();
            let waited_for = !self.reclaim.walk_waiters.is_empty();
            if !waited_for && self.stats.reclaimed - before < REMOVALS_PER_SLICE as u64 / 2 {
                return;
            }
        }
    }

    /// Answers everybody who waits for reclaim, when the target died.
    pub(super) fn drop_reclaim_waiters(&mut self) {
        for token in self.reclaim.take_waiters() {
            self.reply(token, Reply::Done(Err(Status::Io)));
        }
    }

    /// A slice, of about 1 ms, of what makes room for those who wait for it.
    pub(super) fn make_room(&mut self) {
        self.release_limbo();
        if self.reclaim.has_graves_to_empty() {
            return self.empty_graves();
        }
        for _ in 0..SLICES_PER_TICK {
            if self.is_merging() && self.admits() {
                self.walk_history();
            }
        }
    }

    /// True when [`Store::make_room`] gets somewhere without waiting for a device.
    pub(super) fn is_making_room(&self) -> bool {
        self.reclaim.has_graves_to_empty() || self.is_merging()
    }

    /// True while some history is merged, or about to be because space is short.
    pub(super) fn is_merging(&self) -> bool {
        self.reclaim.walk.is_some() || !self.reclaim.asked.is_empty()
    }

    /// After a change in a pool that is nearly full: keeps up with it, as long as that is of use.
    pub(super) fn keep_up(&mut self, container: Container) {
        self.ask_for_room(container);
        if self.reclaim.fruitful {
            self.tick_reclaim();
        }
    }

    /// After a removal: when space is short, or was while removals went on, what is removed is freed by the next ticks.
    pub(super) fn removed(&mut self, container: Container) {
        let pool = container.pool(&self.arena);
        let id = pool.id(&self.arena);
        let since = self.now.saturating_sub(EMPTYING);
        self.reclaim.emptying.retain(|_, last| since <= *last);
        if self.reclaim.emptying.contains_key(&id) || pool.is_short(&self.arena) {
            self.reclaim.emptying.insert(id, self.now);
            self.ask_for_room(container);
        }
    }

    fn walk_history(&mut self) {
        if self.reclaim.walk.is_none() && !self.start_walk() {
            return;
        }
        let Some(mut walk) = self.reclaim.walk.take() else { return };
        let Some(&(place, bound)) = walk.places.last() else {
            if walk.is_of_all {
                self.reclaim.ended = Some(self.now);
            }
            self.reclaim.completed = walk.number;
            self.reclaim.fruitful = walk.removed > 0;
            let last = self.log.last_epoch();
            for token in std::mem::take(&mut self.reclaim.walk_waiters) {
                self.reply_after(last, token, Reply::Done(Ok(())));
            }
            return;
        };
        walk.bound = bound;
        let ended = match catalog::find_container(&self.arena, place) {
            Some(container) => self.walk_slice(&mut walk, container),
            None => true,
        };
        if ended {
            walk.places.pop();
            walk.leave_container();
        }
        self.reclaim.walk = Some(walk);
    }

    /// The latest epoch that may be merged: what is prepared will enter history at its epoch, and what is discarded uncovers what was
    /// before it.
    fn merged_most(&self) -> Epoch {
        self.transactions.history_to().min(self.reclaim.discards_from())
    }

    /// Begins a walk when one is due; false when not. Where space is short no history is kept, elsewhere what the window keeps.
    fn start_walk(&mut self) -> bool {
        let asked = std::mem::take(&mut self.reclaim.asked);
        let last = self.log.last_epoch();
        let most = last.min(self.merged_most());
        let wanted = self.reclaim.aggregations.iter().map(|(_, to)| *to).max();
        let rested = |at: Epoch| self.now.saturating_sub(self.settings.history / 2) >= at;
        let is_time = wanted.is_some() || self.reclaim.ended.is_none_or(rested);
        let nothing_new = self.reclaim.changed.is_empty() && self.reclaim.unwalked.is_none();
        if asked.is_empty() && !is_time || nothing_new && wanted.is_none() {
            return false;
        }
        let window = self.now.saturating_sub(self.settings.history).max(wanted.unwrap_or(Epoch::ZERO));
        let places = self.places_to_walk(&asked, most, is_time.then_some(window.min(most)));
        if places.is_empty() && wanted.is_none() {
            return false;
        }
        let waiters = std::mem::take(&mut self.reclaim.aggregations).into_iter().map(|(token, _)| token);
        self.reclaim.walk_waiters = waiters.collect();
        self.reclaim.begun += 1;
        self.reclaim.walk = Some(Walk::new(self.reclaim.begun, is_time, wanted, asked, places));
        true
    }

    /// The containers that changed, with the epoch up to which each is merged: `most` where space is short, and those last, since they come
    /// first. Those with changes after it stay on the list for the next walk.
    fn places_to_walk(&mut self, asked: &Asked, most: Epoch, usual: Option<Epoch>) -> Vec<(Place, Epoch)> {
        let before = self.reclaim.unwalked.take();
        let mut places = Vec::new();
        let mut listed = HashSet::new();
        let former = std::mem::take(&mut self.reclaim.walked);
        for pool in catalog::pools(&self.arena) {
            let id = pool.id(&self.arena);
            let bound = if asked.covers(id) { Some(most) } else { usual };
            if let Some(walked) = bound.or_else(|| former.get(&id).copied()) {
                self.reclaim.walked.insert(id, walked);
            }
            for container in catalog::containers(&self.arena, pool) {
                if let Some(before) = before {
                    self.reclaim.changed.entry(container.0).or_insert(before);
                }
                let Some(last) = self.reclaim.changed.get(&container.0).copied() else { continue };
                listed.insert(container.0);
                let Some(bound) = bound else { continue };
                places.push((Place { pool: id, container: container.id(&self.arena) }, bound));
                if last <= bound {
                    self.reclaim.changed.remove(&container.0);
                }
            }
        }
        // The others are gone.
        self.reclaim.changed.retain(|record, _| listed.contains(record));
        places.sort_by_key(|(place, _)| asked.covers(place.pool));
        places
    }
}

/// Removes records by their keys, as many as fit the transaction, in order; returns how many. What is left is for the next one.
fn remove(arena: &mut Arena, container: Container, doomed: &[Vec<u8>]) -> Result<usize, Status> {
    let tree = container.tree();
    let (mut removed, mut grown, mut blocks) = (0, 0, 0);
    for key in doomed {
        if removed > 0 && arena.redo_bytes() + REMOVAL_REDO > TRANSACTION_REDO_LIMIT {
            break;
        }
        removed += 1;
        // A container made anew at the same place does not have what a walk met in the old one.
        let Some(record) = tree.get(arena, key) else { continue };
        let counted = is_counted(record);
        let extent = if counted { None } else { Record::decode(record).extent() };
        // What limbo takes is not the container's.
        let before = arena.charge();
        tree.remove(arena, key);
        grown += arena.charge() - before;
        if counted {
            container.count(arena, key, -1);
        }
        if let Some(extent) = extent {
            blocks += extent.blocks;
            extents::retire(arena, extent)?;
        }
    }
    container.book(arena, grown, -((blocks * media::BLOCK_BYTES as u64) as i64), Need::Sure)?;
    Ok(removed)
}
