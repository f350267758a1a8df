//! Running commands.

use bytes::Bytes;
use media::{IoKind, Role};
use types::{
    Address, Checksums, Condition, Epoch, MAX_VALUE_BYTES, Operation, Outcome, Place, Scope, Selection, Shape, Status,
};

use super::Store;
use super::io::Purpose;
use crate::arena::TRANSACTION_REDO_LIMIT;
use crate::catalog::{self, Container};
use crate::command::{Command, ContainerUse, Reply, Token};
use crate::health::Health;
use crate::index::{self, DATA_THRESHOLD, Held, View, Written};
use crate::probe::Probe;

/// One past the last byte of an array.
const ARRAY_END: u64 = 1 << 63;

/// Why a command did not run to its end.
pub(super) enum Stop {
    /// It is refused; the epoch is the newest that the refusal depends on.
    Refused(Status, Epoch),
    /// It can run later, when something that is under way has ended; those after it wait too.
    Later,
    /// It can run when everything in the graveyard is gone; those after it do not wait.
    AfterGraves,
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
            let is_change = changes(&command);
            if is_change && self.health == Health::Healthy && !self.log.admits() {
                Probe::LogFull.hit();
                self.queue.push_front((token, command));
                return;
            }
            self.stats.pending += 1;
            match self.run(token, &command) {
                Ok(()) => {}
                Err(Stop::Later) => {
                    self.stats.pending -= 1;
                    self.queue.push_front((token, command));
                    return;
                }
                Err(Stop::AfterGraves) => {
                    self.stats.pending -= 1;
                    self.reclaim.park(token, command);
                }
                Err(Stop::Refused(status, seen)) => {
                    self.stats.refusals += u64::from(is_change);
                    let reply = match command {
                        Command::Operate { .. } => Reply::Operated(Err(status)),
                        Command::PoolQuery(_) => Reply::PoolSpace(Err(status)),
                        Command::ContainerList(_) => Reply::Containers(Err(status)),
                        Command::ContainerQuery(_) => Reply::ContainerUsed(Err(status)),
                        _ => Reply::Done(Err(status)),
                    };
                    if self.health == Health::Healthy {
                        self.reply_after(seen, token, reply);
                    } else {
                        self.reply(token, reply);
                    }
                }
            }
        }
    }

    fn run(&mut self, token: Token, command: &Command) -> Result<(), Stop> {
        if self.health != Health::Healthy && changes(command) {
            return Err(Status::Io.into());
        }
        let last = self.log.last_epoch();
        let reply = match command {
            Command::Operate { place, operation } => return self.operate(token, *place, operation),
            Command::PoolCreate { pool, scm_bytes, data_bytes } => {
                return self.administer(token, false, |store| {
                    match catalog::create_pool(&mut store.arena, *pool, *scm_bytes, *data_bytes) {
                        // What is being taken down will give its promise back.
                        Err(Status::NoSpace) if store.reclaim.has_graves() => Err(Stop::AfterGraves),
                        other => other.map_err(Stop::from),
                    }
                });
            }
            Command::PoolDestroy(pool) => {
                return self.administer(token, true, |store| {
                    store.containers.clear();
                    store.reclaim.dig();
                    Ok(catalog::bury_pool(&mut store.arena, *pool)?)
                });
            }
            Command::ContainerCreate(place, kind) => {
                return self
                    .administer(token, false, |store| Ok(catalog::create_container(&mut store.arena, *place, *kind)?));
            }
            Command::ContainerDestroy(place) => {
                return self.administer(token, true, |store| {
                    store.containers.clear();
                    store.reclaim.dig();
                    Ok(catalog::bury_container(&mut store.arena, *place)?)
                });
            }
            Command::Checkpoint => {
                self.checkpointing.ask(token);
                return Ok(());
            }
            Command::PoolList => {
                Reply::Pools(catalog::pools(&self.arena).into_iter().map(|pool| pool.id(&self.arena)).collect())
            }
            Command::PoolQuery(pool) => {
                let found = catalog::find_pool(&self.arena, *pool).ok_or((Status::Nonexistent, last))?;
                Reply::PoolSpace(Ok(found.space(&self.arena)))
            }
            Command::ContainerList(pool) => {
                let found = catalog::find_pool(&self.arena, *pool).ok_or((Status::Nonexistent, last))?;
                let containers = catalog::containers(&self.arena, found);
                Reply::Containers(Ok(containers.into_iter().map(|one| one.id(&self.arena)).collect()))
            }
            Command::ContainerQuery(place) => {
                let found = self.container(*place).ok_or((Status::Nonexistent, last))?;
                let (scm_bytes, data_bytes) = found.used(&self.arena);
                let history_from = Epoch(found.history_from(&self.arena));
                let checksum_kind = found.checksum_kind(&self.arena);
                Reply::ContainerUsed(Ok(ContainerUse { scm_bytes, data_bytes, history_from, checksum_kind }))
            }
            Command::SpaceQuery => {
                let mut space = catalog::space(&self.arena);
                space.meta_total = self.geometry.meta_bytes;
                space.wal_total = self.geometry.wal_bytes;
                Reply::Space(space)
            }
        };
        self.reply_after(last, token, reply);
        Ok(())
    }

    /// Runs a change of the catalog as one transaction. The body says whether it changed anything.
    fn administer(
        &mut self,
        token: Token,
        urgent: bool,
        body: impl FnOnce(&mut Store) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        self.arena.begin(urgent);
        match body(self) {
            Ok(true) => {
                let epoch = self.clock.tick(self.now);
                self.commit(epoch);
                self.reply_after(epoch, token, Reply::Done(Ok(())));
                Ok(())
            }
            Ok(false) => {
                self.arena.rollback();
                self.reply_after(self.log.last_epoch(), token, Reply::Done(Ok(())));
                Ok(())
            }
            Err(stop) => {
                self.arena.rollback();
                match stop {
                    Stop::Refused(status, _) => Err(Stop::Refused(status, self.log.last_epoch())),
                    other => Err(other),
                }
            }
        }
    }

    /// Moves the transaction's redo to the open log group.
    pub(super) fn commit(&mut self, epoch: Epoch) {
        debug_assert!(self.arena.redo_bytes() <= TRANSACTION_REDO_LIMIT, "{} bytes of redo", self.arena.redo_bytes());
        let records = self.arena.commit(self.log.redo());
        let serial = crate::extents::next_serial(&self.arena);
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
                if checksums.kind().is_some_and(|kind| kind != container.checksum_kind(&self.arena)) {
                    return Err(Status::Invalid.into());
                }
                if erasure::verify(data, checksums).is_err() {
                    self.stats.checksum_errors += 1;
                    return Err(Status::Checksum.into());
                }
                self.update(token, container, address, (*shape, *condition), checksums, data)
            }
            Operation::Punch { scope, condition } => self.punch(token, container, scope, *condition),
            Operation::Fetch { address, selection, epoch } => {
                self.stats.reads += 1;
                self.fetch(token, container, address, *selection, *epoch)
            }
            Operation::List { level, after, limit, epoch } => {
                self.stats.lists += 1;
                self.check_history(container, *epoch)?;
                let view = View::new(&self.arena, container, *epoch);
                let listed = index::list(&view, level, after, *limit);
                let seen = view.seen();
                self.reply_after(seen, token, Reply::Operated(listed));
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
                self.reply_after(seen, token, Reply::Operated(answer));
                Ok(())
            }
        }
    }

    /// Refuses to read a past that is partly gone.
    pub(super) fn check_history(&self, container: Container, epoch: Epoch) -> Result<(), Status> {
        if epoch.0 < container.history_from(&self.arena) { Err(Status::Restart) } else { Ok(()) }
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
        self.arena.begin(false);
        let written = index::update(&mut self.arena, container, epoch, address, how, (checksums, data));
        let written = match written {
            Ok(_) if self.arena.redo_bytes() > TRANSACTION_REDO_LIMIT => Err((Status::TooBig, Epoch::ZERO)),
            other => other,
        };
        let written = match written {
            Ok(written) => written,
            Err((status, seen)) => {
                self.arena.rollback();
                if status == Status::NoSpace && self.make_room(data.len() >= DATA_THRESHOLD) {
                    return Err(Stop::Later);
                }
                return Err(Stop::Refused(status, seen));
            }
        };
        self.commit(epoch);
        self.reclaim.changed(container, epoch);
        if let Some(extent) = written.extent {
            let group = self.log.data_write(extent);
            let write = IoKind::Write { offset: extent.offset, buffer: self.buffers.padded(data) };
            self.emit(Role::Data, write, Purpose::Data { group });
        }
        self.stats.updates += 1;
        self.stats.bytes_written += data.len() as u64;
        if container.pool(&self.arena).is_short(&self.arena) {
            self.keep_up();
        }
        self.reply_after(epoch, token, Reply::Operated(Ok(Outcome::Changed(epoch))));
        Ok(())
    }

    fn punch(&mut self, token: Token, container: Container, scope: &Scope, condition: Condition) -> Result<(), Stop> {
        let epoch = self.clock.tick(self.now);
        self.arena.begin(true);
        match index::punch(&mut self.arena, container, epoch, scope, condition) {
            Ok(Written { changed: true, .. }) => {
                self.commit(epoch);
                self.reclaim.changed(container, epoch);
                self.removed(container);
                self.stats.punches += 1;
                self.reply_after(epoch, token, Reply::Operated(Ok(Outcome::Changed(epoch))));
                Ok(())
            }
            Ok(_) => {
                self.arena.rollback();
                self.stats.punches += 1;
                let seen = self.log.last_epoch();
                self.reply_after(seen, token, Reply::Operated(Ok(Outcome::Changed(epoch))));
                Ok(())
            }
            Err(refusal) => {
                self.arena.rollback();
                Err(refusal.into())
            }
        }
    }
}

fn changes(command: &Command) -> bool {
    match command {
        Command::Operate { operation, .. } => {
            matches!(operation, Operation::Update { .. } | Operation::Punch { .. })
        }
        Command::PoolCreate { .. }
        | Command::PoolDestroy(_)
        | Command::ContainerCreate(..)
        | Command::ContainerDestroy(_)
        | Command::Checkpoint => true,
        _ => false,
    }
}

/// What the operation's own numbers must satisfy, whatever the container holds.
fn check_limits(operation: &Operation) -> Result<(), Status> {
    let array_range = |offset: u64, length: u64| match offset.checked_add(length) {
        Some(end) if end <= ARRAY_END && length > 0 => Ok(()),
        _ => Err(Status::Invalid),
    };
    match operation {
        Operation::Update { data, .. } if data.len() > MAX_VALUE_BYTES => Err(Status::TooBig),
        Operation::Update { shape: Shape::Array { offset }, data, .. } => array_range(*offset, data.len() as u64),
        Operation::Fetch { selection: Selection::Array { length, .. }, .. } if *length > MAX_VALUE_BYTES as u64 => {
            Err(Status::TooBig)
        }
        Operation::Fetch { selection: Selection::Array { offset, length }, .. } => array_range(*offset, *length),
        Operation::Punch { scope: Scope::Range { offset, length, .. }, .. } => array_range(*offset, *length),
        _ => Ok(()),
    }
}
