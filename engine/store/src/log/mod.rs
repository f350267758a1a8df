//! The write-ahead log of a running target: one group open, at most one in flight.
//!
//! The open group collects the redo of every transaction since the last one was sent. It is sent when the one in
//! flight is durable: one write of the group, then, when its data writes are done too, one flush of the log and one of the
//! data slice, or one of the device that has both. Replies wait in their group. This module decides; the store emits the commands.

mod group;
mod ring;

pub(crate) use group::{Body, GroupHeader, VERSION, WrittenExtent, blocks_for, decode_body, encode, version_of};
pub(crate) use ring::Ring;

use media::{BLOCK_BYTES, Buffer};
use types::Epoch;

use crate::arena::TRANSACTION_REDO_LIMIT;
use crate::probe::Probe;

/// The least log: eight of the largest transactions. A group takes a quarter of the log at most, and must hold one.
pub(crate) const MIN_WAL_BYTES: u64 = 8 * TRANSACTION_REDO_LIMIT;
/// The largest group: about 2 ms of writing at 2 GB/s.
const GROUP_BYTES_MOST: u64 = 4 << 20;
/// Blocks kept free for a seal and for rounding.
const SPARE_BLOCKS: u64 = 2;

/// What waits for a group to be durable.
#[derive(Debug)]
pub(crate) struct Group<Waiter> {
    pub(crate) sequence: u64,
    pub(crate) last_epoch: Epoch,
    pub(crate) waiters: Vec<Waiter>,
    /// Values not yet written to the data slice.
    pub(crate) data_writes: u32,
    /// True when it wrote data at all.
    pub(crate) wrote_data: bool,
    /// Extents with a smaller serial were freed by this group or before.
    pub(crate) limbo_serial: u64,
    redo: Vec<u8>,
    records: u32,
    extents: Vec<WrittenExtent>,
}

impl<Waiter> Group<Waiter> {
    fn new(sequence: u64, last_epoch: Epoch) -> Group<Waiter> {
        Group {
            sequence,
            last_epoch,
            waiters: Vec::new(),
            data_writes: 0,
            wrote_data: false,
            limbo_serial: 0,
            redo: Vec::new(),
            records: 0,
            extents: Vec::new(),
        }
    }

    fn body_bytes(&self) -> u64 {
        (self.redo.len() + self.extents.len() * group::EXTENT_BYTES) as u64
    }
}

/// How far the group in flight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The group is being written.
    Writing,
    /// Written; data writes are under way.
    WaitingForData,
    /// Flushes are under way: this many.
    Flushing(u32),
}

/// The log.
pub(crate) struct Log<Waiter> {
    fragment: u64,
    ring: Ring,
    group_bytes_most: u64,
    open: Group<Waiter>,
    flight: Option<(Group<Waiter>, Stage)>,
    durable_epoch: Epoch,
    sealed: bool,
}

impl<Waiter> Log<Waiter> {
    /// A log that continues at `ring.head` with group `sequence`; everything up to `last_epoch` is durable and sealed.
    pub(crate) fn new(fragment: u64, ring: Ring, sequence: u64, last_epoch: Epoch) -> Log<Waiter> {
        Log {
            fragment,
            ring,
            group_bytes_most: GROUP_BYTES_MOST.min(ring.blocks * BLOCK_BYTES as u64 / 4),
            open: Group::new(sequence, last_epoch),
            flight: None,
            durable_epoch: last_epoch,
            sealed: true,
        }
    }

    /// True when one more transaction of any size fits the open group and the log.
    pub(crate) fn admits(&self) -> bool {
        self.admits_bytes(TRANSACTION_REDO_LIMIT)
    }

    /// The most redo that one transaction of more than the usual limit may make: so much fits before the end of the log or at its
    /// start whenever no checkpoint is due.
    pub(crate) fn transaction_bytes_most(&self) -> u64 {
        self.group_bytes_most / 2
    }

    /// True when a transaction of this much redo fits the open group and the log.
    pub(crate) fn admits_bytes(&self, redo: u64) -> bool {
        let body = self.open.body_bytes() + redo.max(TRANSACTION_REDO_LIMIT);
        body <= self.group_bytes_most && self.ring.place(blocks_for(body as usize) + SPARE_BLOCKS).is_some()
    }

    /// True when the log, not the size of the open group, keeps the next transaction out.
    pub(crate) fn is_full(&self) -> bool {
        self.ring.place(blocks_for((self.open.body_bytes() + TRANSACTION_REDO_LIMIT) as usize) + SPARE_BLOCKS).is_none()
    }

    /// The buffer that the next transaction's redo is appended to.
    pub(crate) fn redo(&mut self) -> &mut Vec<u8> {
        &mut self.open.redo
    }

    /// Counts a committed transaction whose redo was appended.
    pub(crate) fn committed(&mut self, records: u32, epoch: Epoch, limbo_serial: u64) {
        self.open.records += records;
        self.open.last_epoch = self.open.last_epoch.max(epoch);
        self.open.limbo_serial = limbo_serial;
    }

    /// Counts a value of the open group that goes to the data slice; returns the group's sequence.
    pub(crate) fn data_write(&mut self, extent: WrittenExtent) -> u64 {
        self.open.extents.push(extent);
        self.open.data_writes += 1;
        self.open.wrote_data = true;
        self.open.sequence
    }

    /// True when the open group has values in the data slice.
    pub(crate) fn has_values(&self) -> bool {
        !self.open.extents.is_empty()
    }

    /// Takes a value out of the open group that nothing refers to any more: replay must not ask for it.
    pub(crate) fn withdraw(&mut self, offset: u64) {
        let before = self.open.extents.len();
        self.open.extents.retain(|extent| extent.offset != offset);
        if self.open.extents.len() < before {
            Probe::Withdrawn.hit();
        }
    }

    /// Lets `waiter` wait until `epoch` is durable; gives it back when it is.
    pub(crate) fn hold(&mut self, epoch: Epoch, waiter: Waiter) -> Option<Waiter> {
        if epoch <= self.durable_epoch {
            return Some(waiter);
        }
        match &mut self.flight {
            Some((flight, _)) if epoch <= flight.last_epoch => flight.waiters.push(waiter),
            _ => self.open.waiters.push(waiter),
        }
        None
    }

    /// Sends the open group, if it has anything and none is in flight: where to write, and what.
    pub(crate) fn send(&mut self) -> Option<(u64, Buffer)> {
        let has_work = self.open.records > 0 || !self.open.waiters.is_empty();
        if self.flight.is_some() || !has_work { None } else { self.send_open() }
    }

    /// Sends an empty group behind an idle log, so that the last one cannot be mistaken for a torn one.
    pub(crate) fn send_seal(&mut self) -> Option<(u64, Buffer)> {
        let idle = self.flight.is_none() && self.open.records == 0 && self.open.waiters.is_empty();
        if !idle || self.sealed {
            return None;
        }
        let sent = self.send_open();
        self.sealed = sent.is_some();
        sent
    }

    fn send_open(&mut self) -> Option<(u64, Buffer)> {
        let blocks = blocks_for(self.open.body_bytes() as usize);
        let start = self.ring.place(blocks)?;
        if start == 0 && self.ring.tail != 0 {
            Probe::LogWrap.hit();
        }
        self.ring.advance(start, blocks);
        let group = &self.open;
        let buffer =
            encode(self.fragment, group.sequence, group.last_epoch, group.records, &group.redo, &group.extents);
        let next = Group::new(group.sequence + 1, group.last_epoch);
        let mut sent = std::mem::replace(&mut self.open, next);
        // The buffers of redo and extents go on being used by the next group.
        std::mem::swap(&mut self.open.redo, &mut sent.redo);
        std::mem::swap(&mut self.open.extents, &mut sent.extents);
        self.open.redo.clear();
        self.open.extents.clear();
        self.flight = Some((sent, Stage::Writing));
        self.sealed = false;
        Some((start * BLOCK_BYTES as u64, buffer))
    }

    /// A write of so many values of group `sequence` completed.
    pub(crate) fn data_written(&mut self, sequence: u64, values: u32) {
        match &mut self.flight {
            Some((flight, _)) if flight.sequence == sequence => flight.data_writes -= values,
            _ => self.open.data_writes -= values,
        }
    }

    /// The write of the group in flight completed.
    pub(crate) fn group_written(&mut self) {
        if let Some((_, stage)) = &mut self.flight {
            *stage = Stage::WaitingForData;
        }
    }

    /// Once per group, when the group and its data are written and the log is to be flushed: whether the data slice needs a flush of
    /// its own, because it has data and does not lie on the log's device.
    pub(crate) fn ready_to_flush(&mut self, one_device: bool) -> Option<bool> {
        let (flight, stage) = self.flight.as_mut()?;
        if *stage != Stage::WaitingForData || flight.data_writes > 0 {
            return None;
        }
        let both = flight.wrote_data && !one_device;
        *stage = Stage::Flushing(1 + u32::from(both));
        Some(both)
    }

    /// A flush completed; gives the group when it was the last one.
    pub(crate) fn flushed(&mut self) -> Option<Group<Waiter>> {
        let (_, stage) = self.flight.as_mut()?;
        let Stage::Flushing(left) = stage else { return None };
        *left -= 1;
        if *left > 0 {
            return None;
        }
        let (group, _) = self.flight.take()?;
        self.durable_epoch = self.durable_epoch.max(group.last_epoch);
        Some(group)
    }

    /// Takes everything that waits, when the target died.
    pub(crate) fn drain(&mut self) -> Vec<Waiter> {
        let mut waiters = std::mem::take(&mut self.open.waiters);
        if let Some((flight, _)) = &mut self.flight {
            waiters.append(&mut flight.waiters);
        }
        waiters
    }

    /// The newest durable epoch.
    pub(crate) fn durable_epoch(&self) -> Epoch {
        self.durable_epoch
    }

    /// The newest epoch in any group.
    pub(crate) fn last_epoch(&self) -> Epoch {
        self.open.last_epoch
    }

    /// The last group that a page changed by now depends on.
    pub(crate) fn newest_sequence(&self) -> u64 {
        if self.open.records > 0 { self.open.sequence } else { self.open.sequence - 1 }
    }

    /// Every group up to this one is durable.
    pub(crate) fn durable_sequence(&self) -> u64 {
        self.flight.as_ref().map_or(self.open.sequence, |(flight, _)| flight.sequence) - 1
    }

    /// Where the open group will go: block and sequence. Replay from here misses nothing that is not in the pages now.
    pub(crate) fn mark(&self) -> (u64, u64) {
        (self.ring.head, self.open.sequence)
    }

    /// Lets go of everything before `block`.
    pub(crate) fn set_tail(&mut self, block: u64) {
        self.ring.tail = block;
    }

    /// Bytes between tail and head.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.ring.used() * BLOCK_BYTES as u64
    }

    /// Bytes in all.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.ring.blocks * BLOCK_BYTES as u64
    }

    /// True when a group is in flight.
    pub(crate) fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// True when something waits to be sent.
    pub(crate) fn has_open(&self) -> bool {
        self.open.records > 0 || !self.open.waiters.is_empty()
    }

    /// True when the last group is followed by a durable or sent seal, or there is none.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }
}
