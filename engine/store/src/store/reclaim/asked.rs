//! Whose history goes at once, because space is short there.

use types::PoolId;

use super::super::Store;
use crate::catalog::{self, Container};

/// The pools where space is short. It may be the arena itself, and then it is all of them.
#[derive(Default)]
pub(super) struct Asked {
    all: bool,
    pools: Vec<PoolId>,
}

impl Asked {
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.pools.is_empty()
    }

    /// True when the pool's history is to go.
    pub(super) fn names(&self, pool: PoolId) -> bool {
        self.all || self.pools.contains(&pool)
    }

    fn add(&mut self, short: Short) {
        match short {
            Short::Everywhere => self.all = true,
            Short::In(pool) if !self.names(pool) => self.pools.push(pool),
            Short::In(_) => {}
        }
    }
}

/// Where space is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Short {
    /// Some pool is near its promise.
    In(PoolId),
    /// None of them has to be: the arena or the data slice has no room in one piece.
    Everywhere,
}

impl Store {
    /// Space is short for a container.
    pub(super) fn ask_for_room(&mut self, container: Container) {
        let pool = container.pool(&self.arena);
        let short = match pool.is_near_promise(&self.arena) {
            true => Short::In(pool.id(&self.arena)),
            false => Short::Everywhere,
        };
        self.reclaim.asked.add(short);
    }

    /// Asks for the history of a pool to be merged, whatever the window keeps: the number of the walk after which there
    /// is no more. None when there is nothing to merge that no walk has looked at.
    pub(in super::super) fn ask_for_merging(&mut self, id: PoolId) -> Option<u64> {
        let pool = catalog::find_pool(&self.arena, id);
        let short = match pool {
            Some(pool) if pool.is_near_promise(&self.arena) => Short::In(id),
            _ => Short::Everywhere,
        };
        // What is prepared holds history back: another walk that ends where the last one did finds nothing.
        let reaches_further = self.log.last_epoch().min(self.merged_most()) > self.reclaim.walked_to;
        let is_changed = match (short, pool) {
            (Short::In(_), Some(pool)) => {
                let changed = &self.reclaim.changed;
                let mut containers = catalog::containers(&self.arena, pool).into_iter();
                self.reclaim.unwalked.is_some() || containers.any(|container| changed.contains_key(&container.0))
            }
            _ => self.reclaim.unwalked.is_some() || !self.reclaim.changed.is_empty(),
        };
        if is_changed && reaches_further {
            self.reclaim.asked.add(short);
            return Some(self.reclaim.begun + 1);
        }
        self.reclaim.walk.as_ref().map(|walk| walk.number)
    }

    /// True when the walk of this number, or a later one, came to its end.
    pub(in super::super) fn has_merged(&self, number: u64) -> bool {
        self.reclaim.completed >= number
    }
}
