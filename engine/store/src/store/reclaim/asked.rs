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
    pub(super) fn covers(&self, pool: PoolId) -> bool {
        self.all || self.pools.contains(&pool)
    }

    /// What another one asks for, too.
    pub(super) fn merge(&mut self, other: Asked) {
        self.all |= other.all;
        other.pools.into_iter().for_each(|pool| self.add(Short::In(pool)));
    }

    fn add(&mut self, short: Short) {
        match short {
            Short::Everywhere => self.all = true,
            Short::In(pool) if !self.covers(pool) => self.pools.push(pool),
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

    /// Asks for the history of a pool to be merged for one who waits in it, whatever the window keeps, or that of all when it is not the pool's promise
    /// (`of`) that is used up: the number of the walk after which there is no more. None when there is nothing to merge that no walk has
    /// looked at.
    pub(in super::super) fn ask_for_merging(&mut self, pool: PoolId, of: Option<PoolId>) -> Option<u64> {
        // What is prepared holds history back: another walk that ends where the last one did finds nothing.
        let most = self.log.last_epoch().min(self.merged_most());
        let reclaim = &self.reclaim;
        let is_worth_it = catalog::pools(&self.arena).into_iter().any(|one| {
            let id = one.id(&self.arena);
            of.is_none_or(|of| of == id)
                && reclaim.walked.get(&id).is_none_or(|walked| most > *walked)
                && (reclaim.unwalked.is_some()
                    || catalog::containers(&self.arena, one).iter().any(|one| reclaim.changed.contains_key(&one.0)))
        });
        if is_worth_it {
            self.reclaim.asked.add(of.map_or(Short::Everywhere, Short::In));
            return Some(self.reclaim.begun + 1);
        }
        let under_way = self.reclaim.walk.as_ref().filter(|walk| of.is_none() || walk.is_to_visit(pool));
        under_way.map(|walk| walk.number)
    }

    /// True when the walk of this number has left the pool, or, without one, came to its end; or a later one did.
    pub(in super::super) fn has_merged(&self, number: u64, pool: Option<PoolId>) -> bool {
        let has_left =
            |pool| self.reclaim.walk.as_ref().is_some_and(|walk| walk.number >= number && !walk.is_to_visit(pool));
        self.reclaim.completed >= number || pool.is_some_and(has_left)
    }
}
