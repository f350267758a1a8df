//! Freeing what nobody can see any more: destroyed pools and containers, history older than the window, discarded epochs.
//!
//! `graves` empties the graveyard leaf by leaf, `walk` goes through containers and decides what is hidden, `coalesce` joins small
//! extents that it met, `discard` removes a range of epochs. Each slice of work is one bounded transaction or a few; what is interrupted
//! starts over. This file decides what is due.

mod coalesce;
mod discard;
mod graves;
mod walk;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use types::{Epoch, Place, Status};

use super::Store;
use crate::arena::{Arena, Need, TRANSACTION_REDO_LIMIT};
use crate::catalog::{self, Container};
use crate::command::{Command, Reply, Token};
use crate::extents;
use crate::health::Health;
use crate::index::{Record, is_counted};
use crate::probe::Probe;

pub(super) use discard::Discard;
use walk::Walk;

/// Records looked at in one slice: about 100 us.
const RECORDS_PER_SLICE: usize = 256;
/// Records removed in one slice.
const REMOVALS_PER_SLICE: usize = 16;
/// Slices of history per tick, while they find much: about 1 ms.
const SLICES_PER_TICK: usize = 8;
/// Slices run at once for a change that found no room: about 10 ms.
const SLICES_FOR_ROOM: usize = 64;
/// The most redo that the removal of one record makes: its cell, a joined neighbour, their parent, the memory and the extent it frees.
const REMOVAL_REDO: u64 = 24 << 10;

/// How long removals are freed without waiting for the history window, after one from a pool that was short: whoever
/// empties a full pool wants the room, all of it and not only down to where the pool counts as short.
const EMPTYING: Duration = Duration::from_secs(10);

/// What is being freed.
pub(super) struct Reclaim {
    graves: bool,
    parked: Vec<(Token, Command)>,
    /// Space is short: keep no history.
    asked: bool,
    /// Merges that somebody waits for, and up to when.
    aggregations: Vec<(Token, Epoch)>,
    discards: VecDeque<Discard>,
    /// The last removal that was to make room.
    emptying: Option<Epoch>,
    walk: Option<Walk>,
    /// Who is answered at its end. Not in the walk: a page that cannot be read takes the walk along.
    walk_waiters: Vec<Token>,
    /// The last walk found something, or there was none yet.
    fruitful: bool,
    /// When the last walk ended.
    ended: Option<Epoch>,
    /// Up to when the last walk looked.
    walked_to: Epoch,
    /// Containers with something that no walk has looked at yet, by record, and their newest change.
    changed: HashMap<u64, Epoch>,
    /// The newest change of a former life, until a walk looked at everything.
    unwalked: Option<Epoch>,
}

impl Reclaim {
    pub(super) fn new(arena: &Arena, last: Epoch) -> Reclaim {
        Reclaim {
            graves: catalog::first_grave(arena).is_some(),
            parked: Vec::new(),
            asked: false,
            aggregations: Vec::new(),
            discards: VecDeque::new(),
            emptying: None,
            walk: None,
            walk_waiters: Vec::new(),
            fruitful: true,
            ended: None,
            walked_to: Epoch::ZERO,
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

    /// Merges history up to `to` for somebody who waits for it.
    pub(super) fn aggregate(&mut self, token: Token, to: Epoch) {
        self.aggregations.push((token, to));
    }

    pub(super) fn is_busy(&self) -> bool {
        self.graves
            || self.asked
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
        let waiters = std::mem::take(&mut self.walk_waiters);
        self.aggregations.extend(waiters.into_iter().map(|token| (token, walk.bound)));
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
            return;
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

    /// For a change that found no room: true when waiting may make some, so that it is worth another try.
    pub(super) fn make_room(&mut self, wants_data: bool) -> bool {
        if !self.admits() {
            return true;
        }
        if self.reclaim.graves && self.empty_graves() {
            return true;
        }
        // What is prepared holds history back: another walk that ends where the last one did finds nothing.
        let reaches_further = self.log.last_epoch().min(self.merged_most()) > self.reclaim.walked_to;
        if self.reclaim.walk.is_some() || self.reclaim.has_superseded() && reaches_further {
            self.reclaim.asked = true;
            for _ in 0..SLICES_FOR_ROOM {
                if self.reclaim.has_superseded() && self.admits() {
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
        if self.reclaim.walk.is_none() && !self.start_walk() {
            return;
        }
        let Some(mut walk) = self.reclaim.walk.take() else { return };
        let Some(&place) = walk.places.last() else {
            self.reclaim.ended = Some(self.now);
            self.reclaim.fruitful = walk.removed > 0;
            let last = self.log.last_epoch();
            for token in std::mem::take(&mut self.reclaim.walk_waiters) {
                self.reply_after(last, token, Reply::Done(Ok(())));
            }
            return;
        };
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

    /// Begins a walk when one is due; false when not.
    fn start_walk(&mut self) -> bool {
        let asked = std::mem::take(&mut self.reclaim.asked);
        let last = self.log.last_epoch();
        let wanted = self.reclaim.aggregations.iter().map(|(_, to)| *to).max();
        let rested = |at: Epoch| self.now.saturating_sub(self.settings.history / 2) >= at;
        let due = asked || wanted.is_some() || self.reclaim.ended.is_none_or(rested);
        if !due || !(self.reclaim.has_superseded() || wanted.is_some()) {
            return false;
        }
        let window = if asked { last } else { self.now.saturating_sub(self.settings.history) };
        let bound = window.max(wanted.unwrap_or(Epoch::ZERO)).min(last).min(self.merged_most());
        self.reclaim.walked_to = bound;
        let places = self.places_to_walk(bound);
        let waiters = std::mem::take(&mut self.reclaim.aggregations).into_iter().map(|(token, _)| token);
        self.reclaim.walk_waiters = waiters.collect();
        self.reclaim.walk = Some(Walk::new(bound, places));
        true
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
