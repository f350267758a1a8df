//! Removing what a range of epochs wrote.

use types::{Epoch, ObjectId, Place, Status};

use super::super::Store;
use super::{RECORDS_PER_SLICE, REMOVALS_PER_SLICE, Reclaim, remove};
use crate::arena::{Arena, Need};
use crate::catalog::{self, Container};
use crate::command::{Reply, Token};
use crate::index::{RECORD_SIZE, WRITTEN, epoch_of, level_of};
use crate::tree::Cursor;

/// A discard under way.
#[derive(Clone)]
pub(in super::super) struct Discard {
    pub(super) token: Token,
    place: Place,
    object: Option<ObjectId>,
    pub(super) from: Epoch,
    to: Epoch,
    /// The next key to look at.
    next: Vec<u8>,
    /// The akey of the last extent met that stays because it is newer: its array keeps its record size.
    outlived: Vec<u8>,
    /// Its container was destroyed.
    is_gone: bool,
}

impl Discard {
    pub(in super::super) fn new(
        token: Token,
        place: Place,
        object: Option<ObjectId>,
        (from, to): (Epoch, Epoch),
    ) -> Discard {
        let next = object.map(|object| object.to_bytes().to_vec()).unwrap_or_default();
        Discard { token, place, object, from, to, next, outlived: Vec::new(), is_gone: false }
    }

    /// The next records to remove, and whether they are the last.
    fn collect(&mut self, arena: &Arena, container: Container) -> (Vec<Vec<u8>>, bool) {
        let within = self.object.map(ObjectId::to_bytes);
        let mut doomed = Vec::new();
        let mut cursor = Cursor::seek(container.tree(), arena, &self.next);
        for looked in 0..RECORDS_PER_SLICE {
            let Some(key) = cursor.key(arena).filter(|key| within.is_none_or(|object| key.starts_with(&object))) else {
                return (doomed, true);
            };
            // Once something is to go, what lies near goes in the same transaction.
            if doomed.len() >= REMOVALS_PER_SLICE || doomed.is_empty() && looked > 0 && arena.is_crowded() {
                break;
            }
            let (epoch, (_, end)) = (epoch_of(key), level_of(key));
            if key[end] == WRITTEN && epoch > self.to && self.outlived != key[..end] {
                self.outlived = key[..end].to_vec();
            }
            let is_needed = key[end] == RECORD_SIZE && self.outlived == key[..end];
            if (self.from..=self.to).contains(&epoch) && !is_needed {
                doomed.push(key.to_vec());
            }
            cursor.next(arena);
        }
        if let Some(key) = cursor.key(arena) {
            self.next = key.to_vec();
        }
        (doomed, cursor.key(arena).is_none())
    }
}

impl Store {
    /// Takes up a discard; the ticks carry it out. A walk under way may rely on what is about to go.
    pub(in super::super) fn discard(&mut self, discard: Discard) {
        self.reclaim.interrupt_walk(self.log.last_epoch());
        self.reclaim.discards.push_back(discard);
    }

    /// A slice of the oldest discard. It stays in its place meanwhile: a page that cannot be read must not take the token along.
    pub(super) fn discard_slice(&mut self) {
        let Some(mut discard) = self.reclaim.discards.front().cloned() else { return };
        let container = catalog::find_container(&self.arena, discard.place).filter(|_| !discard.is_gone);
        let Some(container) = container else { return self.end_discard(Err(Status::NoHandle)) };
        let (doomed, ended) = discard.collect(&self.arena, container);
        let mut rest = &doomed[..];
        while !rest.is_empty() && self.admits() {
            self.arena.begin(Need::Sure);
            match remove(&mut self.arena, container, rest) {
                Ok(removed) => {
                    rest = &rest[removed..];
                    let epoch = self.clock.tick(self.now);
                    self.commit(epoch);
                    self.barrier = epoch;
                    self.stats.discarded += removed as u64;
                }
                Err(status) => {
                    self.arena.rollback();
                    return self.end_discard(Err(status));
                }
            }
        }
        match rest.first() {
            Some(first) => discard.next = first.clone(),
            None if ended => return self.end_discard(Ok(())),
            None => {}
        }
        if let Some(front) = self.reclaim.discards.front_mut() {
            *front = discard;
        }
    }

    fn end_discard(&mut self, result: Result<(), Status>) {
        if let Some(discard) = self.reclaim.discards.pop_front() {
            self.reply_after(self.log.last_epoch(), discard.token, Reply::Done(result));
        }
    }
}

impl Reclaim {
    /// True while something is discarded from a container.
    pub(in super::super) fn discards_of(&self, place: Place) -> bool {
        self.discards.iter().any(|discard| discard.place == place && !discard.is_gone)
    }

    /// What is destroyed is not discarded from, whatever is made anew at its place.
    pub(in super::super) fn forget_discards(&mut self, of: impl Fn(Place) -> bool) {
        self.discards.iter_mut().filter(|discard| of(discard.place)).for_each(|discard| discard.is_gone = true);
    }
}
