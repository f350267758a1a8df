//! What the devices do next: log groups, data writes, checkpoints.

use std::collections::VecDeque;

use bytes::Bytes;
use media::{Done, Io, IoKind, Role};
use types::Epoch;

use super::gather::Stretch;
use super::{Store, Waiter};
use crate::arena::{Need, TRANSACTION_REDO_LIMIT};
use crate::checkpoint::Step;
use crate::command::{Reply, Token};
use crate::extents;
use crate::health::Health;
use crate::log::WrittenExtent;
use crate::probe::Probe;

/// Extents moved from limbo to the free map in one transaction. Each changes up to four tree pages.
const RELEASES_PER_TRANSACTION: usize = 16;

/// What a device command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// So many values of this log group.
    Data { group: u64, values: u32 },
    /// A device read of a fetch, `again` when it did not match its checksum.
    Read { read: u64, load: usize, again: bool },
    /// A stretch of the scrubber, by its number among the reads.
    Scrub { read: u64 },
    /// The log group in flight.
    Group,
    /// A flush of this slice that makes it durable.
    GroupFlush(Role),
    /// A step of the checkpoint.
    Checkpoint,
}

/// Which freed extents may be reused: those freed by a durable group, once all reads that began before are done.
pub(super) struct LimboGate {
    /// Serial below which extents were freed durably, and the first read that cannot refer to them.
    durable: VecDeque<(u64, u64)>,
    /// Extents with a smaller serial may be reused.
    open_below: u64,
    /// The serial after the last transaction.
    pub(super) committed: u64,
}

impl LimboGate {
    /// The gate of a target that was just opened: everything in the arena is durable and nothing is being read.
    pub(super) fn new(serial: u64) -> LimboGate {
        LimboGate { durable: VecDeque::new(), open_below: serial, committed: serial }
    }

    /// A group is durable that freed extents up to `serial`; reads from `first_read` on cannot refer to them.
    fn freed(&mut self, serial: u64, first_read: u64) {
        if self.durable.back().map_or(self.open_below, |last| last.0) < serial {
            self.durable.push_back((serial, first_read));
        }
    }

    /// Serial below which extents may be reused, when the oldest read under way is `oldest`.
    fn below(&mut self, oldest: u64) -> u64 {
        while let Some(&(serial, first_read)) = self.durable.front() {
            if first_read > oldest {
                break;
            }
            self.open_below = serial;
            self.durable.pop_front();
        }
        self.open_below
    }
}

/// When checkpoints run.
#[derive(Default)]
pub(super) struct Checkpointing {
    asked: Vec<Token>,
    running_for: Vec<Token>,
    last_start: Option<Epoch>,
}

impl Checkpointing {
    pub(super) fn ask(&mut self, token: Token) {
        self.asked.push(token);
    }

    pub(super) fn is_asked_for(&self) -> bool {
        !self.asked.is_empty()
    }

    pub(super) fn take_waiters(&mut self) -> Vec<Token> {
        let mut all = std::mem::take(&mut self.asked);
        all.append(&mut self.running_for);
        all
    }
}

impl Store {
    /// Queues a device command.
    pub(super) fn emit(&mut self, role: Role, kind: IoKind, purpose: Purpose) {
        let id = self.next_io;
        self.next_io += 1;
        self.purposes.insert(id, purpose);
        self.commands.push_back(Io { id, role, kind });
    }

    /// Writes a value of the open group to the data slice, soon and with its neighbours.
    pub(super) fn write_data(&mut self, extent: WrittenExtent, data: &Bytes) {
        let group = self.log.data_write(extent);
        if let Some(stretch) = self.gather.add(group, extent.offset, data.clone()) {
            self.write_values(&stretch);
        }
    }

    fn write_values(&mut self, stretch: &Stretch) {
        let write = IoKind::Write { offset: stretch.offset, buffer: stretch.to_buffer() };
        let values = stretch.values.len() as u32;
        self.emit(Role::Data, write, Purpose::Data { group: stretch.group, values });
    }

    /// Decides what else can be done now.
    pub(super) fn advance(&mut self) {
        if self.health != Health::Healthy {
            return;
        }
        if let Some(stretch) = self.gather.take() {
            self.write_values(&stretch);
        }
        self.advance_log();
        self.advance_checkpoint();
        // A checkpoint that ended may have let waiting changes run.
        self.advance_log();
    }

    fn advance_log(&mut self) {
        if let Some((offset, buffer)) = self.log.send() {
            self.write_group(offset, buffer);
        }
        if let Some(with_data) = self.log.ready_to_flush(self.settings.one_device) {
            self.emit(Role::Wal, IoKind::Flush, Purpose::GroupFlush(Role::Wal));
            if with_data {
                self.emit(Role::Data, IoKind::Flush, Purpose::GroupFlush(Role::Data));
            }
        }
    }

    fn advance_checkpoint(&mut self) {
        loop {
            // Also right after one ended: another may have been asked for while it ran.
            let pressed = self.log_is_pressed() || self.arena.is_pressed();
            if !self.checkpoint.is_running() && (self.checkpointing.is_asked_for() || pressed) {
                if self.log_is_pressed() && !self.checkpointing.is_asked_for() {
                    Probe::CheckpointForced.hit();
                }
                self.start_checkpoint();
            }
            let (newest, durable) = (self.log.newest_sequence(), self.log.durable_sequence());
            match self.checkpoint.step(&mut self.arena, newest, durable) {
                Step::Io(kind) => self.emit(Role::Meta, kind, Purpose::Checkpoint),
                Step::Finished { tail_block } => {
                    self.log.set_tail(tail_block);
                    self.stats.checkpoints += 1;
                    for token in std::mem::take(&mut self.checkpointing.running_for) {
                        self.reply(token, Reply::Done(Ok(())));
                    }
                    self.run_queue();
                }
                Step::Wait => return,
            }
        }
    }

    fn write_group(&mut self, offset: u64, buffer: media::Buffer) {
        self.stats.wal_bytes += buffer.len() as u64;
        self.emit(Role::Wal, IoKind::Write { offset, buffer }, Purpose::Group);
    }

    /// Takes the result of a device command.
    pub(super) fn completed(&mut self, done: Done) {
        let Some(purpose) = self.purposes.remove(&done.id) else { return };
        if let Purpose::Read { read, load, again } = purpose {
            self.read_done(read, load, again, done.result);
            return;
        }
        if let Purpose::Scrub { read } = purpose {
            self.scrub_done(read, done.result);
            return;
        }
        if let Err(error) = done.result {
            self.fail(purpose, &error);
            return;
        }
        match purpose {
            Purpose::Data { group, values } => self.log.data_written(group, values),
            Purpose::Group => self.log.group_written(),
            Purpose::GroupFlush(_) => {
                if let Some(group) = self.log.flushed() {
                    self.stats.groups += 1;
                    self.seal_due = None;
                    self.limbo.freed(group.limbo_serial, self.reads.next());
                    for waiter in group.waiters {
                        match waiter {
                            Waiter::Reply(token, reply) => self.reply(token, reply),
                            Waiter::Read(read) => self.start_read(read),
                        }
                    }
                    self.release_limbo();
                }
            }
            Purpose::Checkpoint => self.checkpoint.completed(),
            Purpose::Read { .. } | Purpose::Scrub { .. } => {}
        }
    }

    fn fail(&mut self, purpose: Purpose, error: &std::io::Error) {
        self.stats.io_errors += 1;
        let role = match purpose {
            Purpose::Data { .. } | Purpose::Read { .. } | Purpose::Scrub { .. } => Role::Data,
            Purpose::Checkpoint => Role::Meta,
            Purpose::Group => Role::Wal,
            Purpose::GroupFlush(role) => role,
        };
        self.die(role, &error.to_string());
    }

    /// Moves freed extents that may be reused to the free map; true when it moved any.
    pub(super) fn release_limbo(&mut self) -> bool {
        if self.health != Health::Healthy || !extents::in_limbo(&self.arena) || !self.admits() {
            return false;
        }
        let before = self.limbo.below(self.reads.oldest());
        self.arena.begin(Need::Sure);
        match extents::release(&mut self.arena, before, RELEASES_PER_TRANSACTION) {
            Ok(moved) if moved > 0 => {
                debug_assert!(self.arena.redo_bytes() <= TRANSACTION_REDO_LIMIT, "releases are few");
                let epoch = self.clock.tick(self.now);
                self.commit(epoch);
                true
            }
            _ => {
                self.arena.rollback();
                false
            }
        }
    }

    /// For an update that found no free extent: true when waiting will free some of those that were freed before `below`.
    pub(super) fn release_limbo_soon(&mut self, below: u64) -> bool {
        let soon = extents::oldest_in_limbo(&self.arena).is_some_and(|oldest| oldest < below)
            && (self.release_limbo() || self.log.in_flight() || self.log.has_open() || self.reads.is_busy());
        if soon {
            Probe::LimboAwaited.hit();
        }
        soon
    }

    fn log_is_pressed(&self) -> bool {
        let most = self.log.total_bytes() / 100 * u64::from(self.settings.checkpoint_wal_percent);
        self.log.used_bytes() > most || self.log.is_full()
    }

    fn start_checkpoint(&mut self) {
        let mark = self.log.mark();
        let epoch = self.log.last_epoch();
        self.checkpointing.running_for.append(&mut self.checkpointing.asked);
        self.checkpointing.last_start = Some(self.now);
        self.checkpoint.start(&mut self.arena, mark, epoch);
    }

    pub(super) fn tick_checkpoint(&mut self) {
        if self.checkpoint.is_running() || self.arena.dirty().count() == 0 {
            return;
        }
        let last = *self.checkpointing.last_start.get_or_insert(self.now);
        if self.now.saturating_sub(self.settings.checkpoint_every) >= last {
            self.start_checkpoint();
        }
    }

    /// Seals the log when its last group has been the last for a while.
    pub(super) fn tick_seal(&mut self) {
        if self.log.is_sealed() || self.log.in_flight() || self.log.has_open() {
            self.seal_due = None;
            return;
        }
        match self.seal_due {
            None => self.seal_due = Some(Epoch(self.now.0.saturating_add(epoch_units(self.settings.seal_after)))),
            Some(due) if self.now >= due => {
                if let Some((offset, buffer)) = self.log.send_seal() {
                    self.write_group(offset, buffer);
                }
            }
            Some(_) => {}
        }
    }
}

/// A duration in epoch units of 1/16 ns.
pub(super) fn epoch_units(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos().saturating_mul(16)).unwrap_or(u64::MAX)
}
