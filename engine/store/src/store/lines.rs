//! Changes that found no room, and what came after them in their pools.
//!
//! A change that does not fit is refused only after all history that nothing but the window keeps was merged, which takes a while. Until
//! then it waits in the line of its pool, and every command of that pool that is submitted meanwhile behind it: a pool's commands
//! run in order. The other pools of the target go on; questions about pools and containers are answered at once, and what is prepared can be
//! resolved, since it may be what holds the history.
//!
//! ```text
//! no room -> waits for a walk over the pool's history -> waits for extents freed by then to be reusable -> refused
//!                    runs as soon as it fits           (only those who want some of the data slice)
//! ```
//!
//! Which walk and which extents a line waits for is fixed when it begins to, so what others write makes nobody wait for ever.
//!
//! A command is never held in a local variable while pages are looked at: one that cannot be read ends the target, and all who wait are answered
//! from the lines and the queue.

use std::collections::VecDeque;

use types::{Epoch, Operation, PoolId, Status, TransactionId};

use super::Store;
use super::execute::{Tried, Want};
use crate::command::{Command, Token};
use crate::extents;
use crate::health::Health;
use crate::probe::Probe;

/// Bytes of values that wait in lines at most, far below what a target takes from its connections: what comes beyond is refused, so that a
/// full pool does not keep others from being heard.
const BYTES_MOST: usize = 64 << 20;

/// The lines of all pools that have one. Few pools are full at once.
#[derive(Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    /// Of values that wait.
    bytes: usize,
}

struct Line {
    pool: PoolId,
    commands: VecDeque<(Token, Command)>,
    hope: Hope,
}

/// What the first of a line waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Hope {
    /// Not looked for yet, or not since something of the pool was changed.
    #[default]
    Unknown,
    /// The end of this walk.
    Walk(u64),
    /// Freed extents below this serial.
    Extents(u64),
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Commands that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lines.iter().map(|line| line.commands.len()).sum()
    }

    /// The first of a line leaves it.
    fn pop(&mut self, number: usize) -> Option<(Token, Command)> {
        let popped = self.lines.get_mut(number)?.commands.pop_front()?;
        self.bytes -= value_bytes(&popped.1);
        Some(popped)
    }

    /// One comes first again. The line may be gone: then it is given back.
    fn put_back(&mut self, number: usize, token: Token, command: Command) -> Option<(Token, Command)> {
        let Some(line) = self.lines.get_mut(number) else { return Some((token, command)) };
        self.bytes += value_bytes(&command);
        line.commands.push_front((token, command));
        None
    }

    /// All that waits, in order within each pool.
    fn clear(&mut self) -> impl DoubleEndedIterator<Item = (Token, Command)> {
        std::mem::take(self).lines.into_iter().flat_map(|line| line.commands)
    }

    /// Where a transaction is to be prepared.
    fn pool_of_prepare(&self, transaction: TransactionId) -> Option<PoolId> {
        let prepares = |(_, command): &(_, Command)| matches!(command, Command::Prepare { transaction: it, .. } if *it == transaction);
        self.lines.iter().find(|line| line.commands.iter().any(prepares)).map(|line| line.pool)
    }

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
            Command::Commit(transaction) | Command::Abort(transaction) => self.pool_of_prepare(*transaction),
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
}

fn value_bytes(command: &Command) -> usize {
    let of = |operation: &Operation| match operation {
        Operation::Update { data, .. } => data.len(),
        _ => 0,
    };
    match command {
        Command::Operate { operation, .. } => of(operation),
        Command::Prepare { operations, .. } => operations.iter().map(of).sum(),
        _ => 0,
    }
}

impl Store {
    /// Puts a command in the line of its pool; gives it back when there is none.
    pub(super) fn join_line(&mut self, token: Token, command: Command) -> Option<(Token, Command)> {
        if self.lines.is_empty() {
            return Some((token, command));
        }
        let pool = self.lines.pool_of(&command);
        let Some(line) = self.lines.lines.iter_mut().find(|line| Some(line.pool) == pool) else {
            return Some((token, command));
        };
        let bytes = value_bytes(&command);
        if bytes > 0 && self.lines.bytes + bytes > BYTES_MOST {
            self.refuse(token, &command, Status::NoSpace, Epoch::ZERO);
            return None;
        }
        self.lines.bytes += bytes;
        line.commands.push_back((token, command));
        None
    }

    /// A change found no room: it is the first of a line when there is hope, and refused otherwise.
    pub(super) fn start_line(&mut self, token: Token, command: Command, want: Want) {
        let Some(pool) = self.lines.pool_of(&command) else {
            // What was prepared: it has what it needs but for the bookkeeping, for which not even the reserve has room.
            return self.refuse(token, &command, Status::NoSpace, self.log.last_epoch());
        };
        self.lines.bytes += value_bytes(&command);
        self.lines.lines.push(Line { pool, commands: VecDeque::from([(token, command)]), hope: Hope::Unknown });
        let number = self.lines.lines.len() - 1;
        if self.find_hope(number, want) {
            Probe::RoomAwaited.hit();
        } else {
            self.refuse_first(number);
            self.lines.lines.pop();
        }
    }

    /// Tries the lines again, each up to the first that still finds no room.
    pub(super) fn retry_lines(&mut self) {
        let mut number = 0;
        while number < self.lines.lines.len() {
            if self.retry_line(number) {
                number += 1;
            } else if number < self.lines.lines.len() {
                self.lines.lines.remove(number);
            }
        }
    }

    /// After a command of a device: those that wait for extents may have them now. The others get on by turns and ticks; each try looks at the
    /// whole value.
    pub(super) fn retry_lines_for_extents(&mut self) {
        if self.lines.lines.iter().any(|line| matches!(line.hope, Hope::Extents(_))) {
            self.retry_lines();
        }
    }

    /// False when nobody is left in the line. It may go while it is tried: when the target dies, all do.
    fn retry_line(&mut self, number: usize) -> bool {
        while let Some((token, command)) = self.lines.pop(number) {
            let (command, want) = match self.attempt(token, command) {
                Tried::Answered { changed } => {
                    if let Some(line) = self.lines.lines.get_mut(number).filter(|_| changed) {
                        line.hope = Hope::Unknown;
                    }
                    continue;
                }
                Tried::Blocked(command) => (command, None),
                Tried::NoRoom(command, want) => (command, Some(want)),
            };
            if let Some(homeless) = self.lines.put_back(number, token, command) {
                self.queue.push_front(homeless);
                return false;
            }
            match want {
                Some(want) if !self.find_hope(number, want) => self.refuse_first(number),
                _ => return true,
            }
        }
        false
    }

    fn refuse_first(&mut self, number: usize) {
        if let Some((token, command)) = self.lines.pop(number) {
            self.refuse(token, &command, Status::NoSpace, Epoch::ZERO);
        }
    }

    /// Sees what the first of a line, which found no room, can wait for now; false when there is nothing.
    fn find_hope(&mut self, number: usize, want: Want) -> bool {
        let Some(&Line { pool, hope: before, .. }) = self.lines.lines.get(number) else { return true };
        let found = self.hope(pool, before, want);
        if let (Some(line), Some(found)) = (self.lines.lines.get_mut(number), found) {
            line.hope = found;
        }
        found.is_some()
    }

    /// What a change of the pool that found no room can wait for, after `before`.
    fn hope(&mut self, pool: PoolId, before: Hope, want: Want) -> Option<Hope> {
        if !self.admits() || self.reclaim.has_graves_to_empty() {
            return Some(before);
        }
        let of = want.promise.then_some(pool);
        let merging = match before {
            Hope::Walk(number) if self.has_merged(number, of) => None,
            // It goes on unless it was interrupted.
            Hope::Walk(number) if self.is_merging() => Some(number),
            Hope::Walk(_) | Hope::Unknown => self.ask_for_merging(pool, of),
            Hope::Extents(_) => None,
        };
        if let Some(number) = merging {
            return Some(Hope::Walk(number));
        }
        let below = match before {
            Hope::Extents(below) => below,
            _ => extents::next_serial(&self.arena),
        };
        (want.data && self.release_limbo_soon(below)).then_some(Hope::Extents(below))
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
