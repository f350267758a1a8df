//! Changes that found no room, and what came after them in their pools.
//!
//! A change that does not fit is refused only after all history that nothing but the window keeps was merged, which takes a while. Until
//! then it waits in the line of its pool, and every command of that pool that is submitted meanwhile behind it: a pool's commands
//! run in order. The other pools of the target go on; questions about pools and containers are answered at once.
//!
//! ```text
//! no room -> waits for a walk over the pool's history -> waits for extents freed by then to be reusable -> refused
//!                    runs as soon as it fits           (only those who want some of the data slice)
//! ```
//!
//! What others free, merge or write meanwhile makes nobody wait longer: which walk and which extents a line waits for is fixed.

use std::collections::VecDeque;

use types::{Epoch, PoolId, Status, TransactionId};

use super::Store;
use super::execute::Tried;
use crate::command::{Command, Token};
use crate::extents;
use crate::health::Health;
use crate::probe::Probe;

/// The lines of all pools that have one. Few pools are full at once.
#[derive(Default)]
pub(super) struct Lines(Vec<Line>);

struct Line {
    pool: PoolId,
    commands: VecDeque<(Token, Command)>,
    hope: Hope,
}

/// What the first of a line waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Hope {
    /// Nothing yet: something of the pool was changed since it was looked for.
    #[default]
    Unknown,
    /// The end of this walk.
    Walk(u64),
    /// Freed extents below this serial.
    Extents(u64),
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Commands that wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.iter().map(|line| line.commands.len()).sum()
    }

    /// All that waits, in order within each pool.
    fn clear(&mut self) -> impl DoubleEndedIterator<Item = (Token, Command)> {
        std::mem::take(&mut self.0).into_iter().flat_map(|line| line.commands)
    }

    /// Where a transaction is to be prepared.
    fn pool_of_prepare(&self, transaction: TransactionId) -> Option<PoolId> {
        let prepares = |(_, command): &(_, Command)| matches!(command, Command::Prepare { transaction: it, .. } if *it == transaction);
        self.0.iter().find(|line| line.commands.iter().any(prepares)).map(|line| line.pool)
    }
}

impl Store {
    /// The pool whose commands this is one of.
    fn pool_of(&self, command: &Command) -> Option<PoolId> {
        match command {
            Command::Operate { place, .. }
            | Command::Prepare { place, .. }
            | Command::Discard { place, .. }
            | Command::ContainerCreate(place, _)
            | Command::ContainerDestroy(place)
            | Command::SnapshotAdd { place, .. }
            | Command::SnapshotRemove { place, .. } => Some(place.pool),
            Command::PoolCreate { pool, .. } | Command::PoolDestroy(pool) | Command::PoolScrub(pool, _) => Some(*pool),
            Command::Commit(transaction) | Command::Abort(transaction) => self
                .transactions
                .pool_of(&self.arena, *transaction)
                .or_else(|| self.lines.pool_of_prepare(*transaction)),
            Command::PoolList
            | Command::PoolQuery(_)
            | Command::ContainerList(_)
            | Command::ContainerQuery(_)
            | Command::SnapshotList(_)
            | Command::PreparedList
            | Command::SpaceQuery
            | Command::Aggregate(_)
            | Command::Checkpoint => None,
        }
    }

    /// Puts a command in the line of its pool; gives it back when there is none.
    pub(super) fn join_line(&mut self, token: Token, command: Command) -> Option<(Token, Command)> {
        if self.lines.is_empty() {
            return Some((token, command));
        }
        let pool = self.pool_of(&command);
        let Some(line) = self.lines.0.iter_mut().find(|line| Some(line.pool) == pool) else {
            return Some((token, command));
        };
        line.commands.push_back((token, command));
        None
    }

    /// A change found no room. It is the first of a line when there is hope, and refused otherwise.
    pub(super) fn start_line(&mut self, token: Token, command: Command, wants_data: bool) {
        let hope = self.pool_of(&command).and_then(|pool| Some((pool, self.hope(pool, Hope::Unknown, wants_data)?)));
        match hope {
            Some((pool, hope)) => {
                Probe::RoomAwaited.hit();
                self.lines.0.push(Line { pool, commands: VecDeque::from([(token, command)]), hope });
            }
            None => self.refuse(token, &command, Status::NoSpace, Epoch::ZERO),
        }
    }

    /// Tries the lines again, each up to the first that still finds no room.
    pub(super) fn retry_lines(&mut self) {
        let mut number = 0;
        while number < self.lines.0.len() {
            if self.retry_line(number) {
                number += 1;
            } else if number < self.lines.0.len() {
                self.lines.0.remove(number);
            }
        }
    }

    /// False when nobody is left in the line. It may go while it is tried: when the target dies, all do.
    fn retry_line(&mut self, number: usize) -> bool {
        while let Some(line) = self.lines.0.get_mut(number)
            && let Some((token, command)) = line.commands.pop_front()
        {
            let (pool, hope) = (line.pool, line.hope);
            let (hope, command) = match self.attempt(token, command) {
                Tried::Answered { changed: false } => continue,
                Tried::Answered { changed: true } => (Hope::Unknown, None),
                Tried::Blocked(command) => (hope, Some(command)),
                Tried::NoRoom(command, wants_data) => match self.hope(pool, hope, wants_data) {
                    Some(hope) => (hope, Some(command)),
                    None => {
                        self.refuse(token, &command, Status::NoSpace, Epoch::ZERO);
                        continue;
                    }
                },
            };
            let Some(line) = self.lines.0.get_mut(number) else { return false };
            line.hope = hope;
            if let Some(command) = command {
                line.commands.push_front((token, command));
                return true;
            }
        }
        false
    }

    /// What a change of the pool that found no room can wait for now, after `before`.
    fn hope(&mut self, pool: PoolId, before: Hope, wants_data: bool) -> Option<Hope> {
        if !self.admits() || self.reclaim.has_graves_to_empty() {
            return Some(before);
        }
        let merging = match before {
            Hope::Walk(number) if self.has_merged(number) => None,
            // It goes on unless it was interrupted.
            Hope::Walk(number) if self.is_merging() => Some(number),
            Hope::Walk(_) | Hope::Unknown => self.ask_for_merging(pool),
            Hope::Extents(_) => None,
        };
        if let Some(number) = merging {
            return Some(Hope::Walk(number));
        }
        let below = match before {
            Hope::Extents(below) => below,
            _ => extents::next_serial(&self.arena),
        };
        (wants_data && self.release_limbo_soon(below)).then_some(Hope::Extents(below))
    }

    /// True when a line gets on by [`Store::make_room`] rather than by what a device does.
    pub(super) fn lines_need_a_turn(&self) -> bool {
        !self.lines.is_empty() && self.health == Health::Healthy && self.is_making_room() && self.admits()
    }

    /// Gives all lines up to the queue, before what is in it.
    pub(super) fn dissolve_lines(&mut self) {
        for command in self.lines.clear().rev() {
            self.queue.push_front(command);
        }
    }
}
