//! Running commands.

use bytes::Bytes;
use types::{
    Address, Checksums, Condition, Epoch, MAX_VALUE_BYTES, Operation, Outcome, Place, Scope, Selection, Shape, Status,
};

use super::Store;
use super::listing::Listing;
use super::reclaim::Discard;
use crate::arena::{Need, TRANSACTION_REDO_LIMIT, catch_fault};
use crate::catalog::{self, Container};
use crate::command::{Command, Reply, Token};
use crate::health::Health;
use crate::index::{self, ARRAY_END, DATA_THRESHOLD, Held, Names, Refusal, Staged, View};
use crate::probe::Probe;
use crate::snapshots;

/// Why a command did not run to its end.
pub(super) enum Stop {
    /// It is refused; the epoch is the newest that the refusal depends on.
    Refused(Status, Epoch),
    /// It can run later, when something that is under way has ended; those after it wait too.
    Later,
    /// It can run when everything in the graveyard is gone; those after it do not wait.
    AfterGraves,
    /// There is no room for it.
    NoRoom(Want),
}

/// What a change that found no room wants room of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    /// Of the data slice, perhaps.
    pub(super) data: bool,
    /// Of its pool's promise; otherwise the arena or the data slice has none, or none in one piece.
    pub(super) promise: bool,
}

/// What became of a command.
pub(super) enum Tried {
    /// It ran or was refused, and may have changed something.
    Answered { changed: bool },
    /// Nothing, for want of room in the log or memory.
    Blocked(Command),
    /// Nothing: see [`Stop::NoRoom`].
    NoRoom(Command, Want),
}

impl From<(Status, Epoch)> for Stop {
    fn from((status, seen): (Status, Epoch)) -> Stop {
        Stop::Refused(status, seen)
    }
}

impl From<Status> for Stop {
    fn from(status: Status) -> Stop {
        Stop::Refused(status, Epoch::ZERO)
    }
}

impl Store {
    /// Runs what waits, in order, as far as there is room.
    pub(super) fn run_queue(&mut self) {
        while let Some((token, command)) = self.queue.pop_front() {
            let Some((token, command)) = self.join_line(token, command) else { continue };
            match self.attempt(token, command) {
                Tried::Answered { .. } => {}
                Tried::Blocked(command) => return self.queue.push_front((token, command)),
                Tried::NoRoom(command, want) => self.start_line(token, command, want),
            }
        }
    }

    /// Runs a command if there is room in log and memory.
    pub(super) fn attempt(&mut self, token: Token, command: Command) -> Tried {
        let is_change = changes(&command);
        if is_change && self.health == Health::Healthy && !self.admits() {
            if self.log.admits() { Probe::MemoryFull } else { Probe::LogFull }.hit();
            return Tried::Blocked(command);
        }
        self.stats.pending += 1;
        self.arena.unpin();
        let ran = catch_fault(|| self.run(token, &command)).unwrap_or_else(|fault| {
            self.page_fault(&fault);
            Err(Status::Io.into())
        });
        let Err(stop) = ran else { return Tried::Answered { changed: is_change } };
        self.stats.pending -= 1;
        match stop {
            Stop::Refused(status, seen) => self.refuse(token, &command, status, seen),
            Stop::AfterGraves => self.reclaim.park(token, command),
            Stop::Later => return Tried::Blocked(command),
            Stop::NoRoom(want) => return Tried::NoRoom(command, want),
        }
        Tried::Answered { changed: false }
    }

    /// Answers a command with a refusal that depends on nothing newer than `seen`.
    pub(super) fn refuse(&mut self, token: Token, command: &Command, status: Status, seen: Epoch) {
        self.stats.pending += 1;
        self.stats.refusals += u64::from(changes(command));
        let reply = match command {
            Command::Operate { .. } => Reply::Operated(Err(status)),
            Command::PoolQuery(_) => Reply::PoolSpace(Err(status)),
            Command::ContainerList(_) => Reply::Containers(Err(status)),
            Command::ContainerQuery(_) => Reply::ContainerUsed(Err(status)),
            Command::SnapshotList(_) => Reply::Snapshots(Err(status)),
            Command::Prepare { .. } => Reply::Prepared(Err(status)),
            _ => Reply::Done(Err(status)),
        };
        if self.health == Health::Healthy {
            self.reply_after(seen.max(self.barrier), token, reply);
        } else {
            self.reply(token, reply);
        }
    }

    fn run(&mut self, token: Token, command: &Command) -> Result<(), Stop> {
        if self.health != Health::Healthy && changes(command) {
            return Err(Status::Io.into());
        }
        match command {
            Command::Operate { place, operation } => self.operate(token, *place, operation),
            Command::PoolCreate { .. }
            | Command::PoolDestroy(_)
            | Command::PoolScrub(..)
            | Command::ContainerCreate(..)
            | Command::ContainerDestroy(_)
            | Command::SnapshotAdd { .. }
            | Command::SnapshotRemove { .. } => self.change_catalog(token, command),
            Command::Prepare { transaction, place, operations } => {
                self.prepare(token, *transaction, *place, operations)
            }
            Command::Commit(transaction) => self.resolve(token, *transaction, true),
            Command::Abort(transaction) => self.resolve(token, *transaction, false),
            Command::Discard { place, object, from, to } => {
                let container = self.container(*place).ok_or((Status::NoHandle, self.log.last_epoch()))?;
                // What was there before is seen again, so it must be whole up to the epoch before.
                if from.0.saturating_sub(1) < container.history_from(&self.arena) {
                    return Err(Status::Restart.into());
                }
                // What is prepared was checked against what is there.
                if self.transactions.hold_in(container, *object) {
                    return Err(Status::Busy.into());
                }
                // Not of what comes while it is under way.
                let to = (*to).min(self.log.last_epoch());
                self.discard(Discard::new(token, *place, *object, (*from, to)));
                Ok(())
            }
            Command::Aggregate(to) => {
                self.reclaim.aggregate(token, *to);
                Ok(())
            }
            Command::Checkpoint => {
                self.checkpointing.ask(token);
                Ok(())
            }
            Command::PoolList
            | Command::PoolQuery(_)
            | Command::ContainerList(_)
            | Command::ContainerQuery(_)
            | Command::SnapshotList(_)
            | Command::PreparedList
            | Command::SpaceQuery => {
                let reply = self.ask(command)?;
                self.reply_after(self.log.last_epoch(), token, reply);
                Ok(())
            }
        }
    }

    /// Why the last transaction did not go on.
    pub(super) fn no_room(&self, data: bool) -> Stop {
        Stop::NoRoom(Want { data, promise: self.arena.is_over_promise() })
    }

    /// Moves the transaction's redo to the open log group.
    pub(super) fn commit(&mut self, epoch: Epoch) {
        self.commit_large(epoch, TRANSACTION_REDO_LIMIT);
    }

    /// Moves a transaction of up to `most` bytes of redo, for which there was room.
    pub(super) fn commit_large(&mut self, epoch: Epoch, most: u64) {
        debug_assert!(
            self.arena.redo_bytes() <= most.max(TRANSACTION_REDO_LIMIT),
            "{} bytes of redo",
            self.arena.redo_bytes()
        );
        let records = self.arena.commit(self.log.redo());
        let serial = crate::extents::next_serial(&self.arena);
        if self.log.has_values() {
            // What this group wrote and gave up again may be written anew while the group is still the last one.
            for extent in crate::extents::retired_since(&self.arena, self.limbo.committed) {
                self.log.withdraw(extent.start * media::BLOCK_BYTES as u64);
            }
        }
        self.limbo.committed = serial;
        self.log.committed(records, epoch, serial);
    }

    pub(super) fn container(&mut self, place: Place) -> Option<Container> {
        if let Some(found) = self.containers.get(&place) {
            return Some(*found);
        }
        let found = catalog::find_container(&self.arena, place)?;
        self.containers.insert(place, found);
        Some(found)
    }

    fn operate(&mut self, token: Token, place: Place, operation: &Operation) -> Result<(), Stop> {
        check_limits(operation)?;
        let last = self.log.last_epoch();
        // Not `Nonexistent`: that would read as if only the value was not there.
        let container = self.container(place).ok_or((Status::NoHandle, last))?;
        match operation {
            Operation::Update { address, shape, condition, checksums, data } => {
                self.check_value(container, checksums, data)?;
                self.update(token, container, address, (*shape, *condition), checksums, data)
            }
            Operation::Punch { scope, condition } => self.punch(token, container, scope, *condition),
            Operation::Fetch { address, selection, epoch } => {
                self.stats.reads += 1;
                self.fetch(token, container, address, *selection, *epoch)
            }
            Operation::List { level, after, limit, epoch } => {
                self.stats.lists += 1;
                let names = Names::after(after);
                let (level, limit, epoch) = (level.clone(), *limit, *epoch);
                self.begin_list(Listing { token, place, level, limit, epoch, names, seen: Epoch::ZERO, is_gone: false })
            }
            Operation::Extents { address, from, limit, epoch } => {
                self.stats.lists += 1;
                self.check_history(container, *epoch)?;
                let view = View::new(&self.arena, container, *epoch);
                let (mut prefix, floor) = view.akey(address.object, &address.dkey, &address.akey);
                let listed = index::extents(&view, (&mut prefix, floor), *from, *limit);
                let seen = view.seen();
                self.reply_read(seen, token, Reply::Operated(listed));
                Ok(())
            }
            Operation::QueryKey { object, dkey, akey, depth, end, epoch } => {
                self.stats.reads += 1;
                self.check_history(container, *epoch)?;
                let view = View::new(&self.arena, container, *epoch);
                let (dkey, akey) = (dkey.as_ref(), akey.as_ref());
                let query = index::Query { object: *object, dkey, akey, depth: *depth, end: *end };
                let found = query.answer(&view);
                let seen = view.seen();
                self.reply_read(seen, token, Reply::Operated(found));
                Ok(())
            }
            Operation::ArraySize { address, epoch } => {
                self.stats.reads += 1;
                self.check_history(container, *epoch)?;
                let view = View::new(&self.arena, container, *epoch);
                let (mut prefix, floor) = view.akey(address.object, &address.dkey, &address.akey);
                let answer = match view.held(&mut prefix, floor) {
                    Held::Single => Err(Status::Invalid),
                    Held::Array => Ok(Outcome::Size(index::array_size(&view, &mut prefix, floor))),
                    Held::Nothing => Ok(Outcome::Size(0)),
                };
                let seen = view.seen();
                self.reply_read(seen, token, Reply::Operated(answer));
                Ok(())
            }
        }
    }

    /// Refuses a value whose checksums are of another kind than the container's, or do not match.
    pub(super) fn check_value(
        &mut self,
        container: Container,
        checksums: &Checksums,
        data: &[u8],
    ) -> Result<(), Status> {
        if checksums.kind().is_some_and(|kind| kind != container.checksum_kind(&self.arena)) {
            return Err(Status::Invalid);
        }
        if erasure::verify(data, checksums).is_err() {
            self.stats.checksum_errors += 1;
            return Err(Status::Checksum);
        }
        Ok(())
    }

    /// Refuses to read a past that is partly gone.
    pub(super) fn check_history(&self, container: Container, epoch: Epoch) -> Result<(), Status> {
        if epoch.0 < container.history_from(&self.arena) && !snapshots::has(&self.arena, container, epoch) {
            return Err(Status::Restart);
        }
        Ok(())
    }

    fn update(
        &mut self,
        token: Token,
        container: Container,
        address: &Address,
        how: (Shape, Condition),
        checksums: &Checksums,
        data: &Bytes,
    ) -> Result<(), Stop> {
        let epoch = self.clock.tick(self.now);
        self.arena.begin(Need::Usual);
        let staged = self.stage_update(container, epoch, address, how, (checksums, data));
        let staged = match staged {
            Ok(staged) => staged,
            Err((status, seen)) => {
                self.arena.rollback();
                return Err(match status {
                    Status::NoSpace => self.no_room(data.len() >= DATA_THRESHOLD),
                    _ => Stop::Refused(status, seen),
                });
            }
        };
        self.commit(epoch);
        self.reclaim.changed(container, epoch);
        if let Some(extent) = staged.extent {
            self.write_data(extent, data);
        }
        self.stats.updates += 1;
        self.stats.bytes_written += data.len() as u64;
        if container.pool(&self.arena).is_short(&self.arena) {
            self.keep_up(container);
        }
        self.reply_after(epoch, token, Reply::Operated(Ok(Outcome::Changed(epoch))));
        Ok(())
    }

    /// Stages an update and enters it, within the open transaction of the arena.
    fn stage_update(
        &mut self,
        container: Container,
        epoch: Epoch,
        address: &Address,
        how: (Shape, Condition),
        value: (&Checksums, &[u8]),
    ) -> Result<Staged, Refusal> {
        let refused = |status| (status, Epoch::ZERO);
        let staged = index::stage_update(&mut self.arena, container, epoch, address, how, value)?;
        if self.transactions.hold_update(container, &staged, how.1) {
            return Err(refused(Status::Busy));
        }
        index::enter(&mut self.arena, container, &staged).map_err(refused)?;
        if self.arena.redo_bytes() > TRANSACTION_REDO_LIMIT { Err(refused(Status::TooBig)) } else { Ok(staged) }
    }

    fn punch(&mut self, token: Token, container: Container, scope: &Scope, condition: Condition) -> Result<(), Stop> {
        let epoch = self.clock.tick(self.now);
        let staged = index::stage_punch(&self.arena, container, epoch, scope, condition)?;
        if self.transactions.hold_punch(container, scope) {
            return Err(Status::Busy.into());
        }
        let Some(staged) = staged else {
            self.stats.punches += 1;
            let seen = self.log.last_epoch();
            self.reply_after(seen, token, Reply::Operated(Ok(Outcome::Changed(epoch))));
            return Ok(());
        };
        self.arena.begin(Need::Removal);
        if let Err(status) = index::enter(&mut self.arena, container, &staged) {
            self.arena.rollback();
            return Err(match status {
                Status::NoSpace => self.no_room(false),
                _ => status.into(),
            });
        }
        self.commit(epoch);
        self.stats.punches += 1;
        self.reclaim.changed(container, epoch);
        self.removed(container);
        self.reply_after(epoch, token, Reply::Operated(Ok(Outcome::Changed(epoch))));
        Ok(())
    }
}

fn changes(command: &Command) -> bool {
    match command {
        Command::Operate { operation, .. } => operation.is_change(),
        Command::PoolCreate { .. }
        | Command::PoolDestroy(_)
        | Command::PoolScrub(..)
        | Command::ContainerCreate(..)
        | Command::ContainerDestroy(_)
        | Command::SnapshotAdd { .. }
        | Command::SnapshotRemove { .. }
        | Command::Prepare { .. }
        | Command::Commit(_)
        | Command::Abort(_)
        | Command::Discard { .. }
        | Command::Aggregate(_)
        | Command::Checkpoint => true,
        Command::PoolList
        | Command::PoolQuery(_)
        | Command::ContainerList(_)
        | Command::ContainerQuery(_)
        | Command::SnapshotList(_)
        | Command::PreparedList
        | Command::SpaceQuery => false,
    }
}

/// What the operation's own numbers must satisfy, whatever the container holds.
pub(super) fn check_limits(operation: &Operation) -> Result<(), Status> {
    let array_range = |offset: u64, length: u64| match offset.checked_add(length) {
        Some(end) if end <= ARRAY_END && length > 0 => Ok(()),
        _ => Err(Status::Invalid),
    };
    match operation {
        Operation::Update { data, .. } if data.len() > MAX_VALUE_BYTES => Err(Status::TooBig),
        Operation::Update { shape: Shape::Array { offset, .. }, data, .. } => array_range(*offset, data.len() as u64),
        Operation::Fetch { selection: Selection::Array { length, .. }, .. } if *length > MAX_VALUE_BYTES as u64 => {
            Err(Status::TooBig)
        }
        Operation::Fetch { selection: Selection::Array { offset, length }, .. } => array_range(*offset, *length),
        Operation::Punch { scope: Scope::Range { offset, length, .. }, .. } => array_range(*offset, *length),
        _ => Ok(()),
    }
}
