//! Replaying the log, and telling its end from damage.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer, Device, Role};

use super::{TRANSFER_BYTES, damaged, read, write};
use crate::arena::Arena;
use crate::error::{OpenError, Slice};
use crate::health::Recovery;
use crate::log::{self, Body, GroupHeader, Ring, WrittenExtent, decode_body, encode, version_of};
use crate::probe::Probe;
use crate::settings::Devices;

/// Replay of the log, from its tail to its last valid group.
pub(super) struct Replay {
    pub(super) fragment: u64,
    pub(super) ring: Ring,
    pub(super) sequence: u64,
    pub(super) report: Recovery,
    /// The last group read was empty: a seal.
    pub(super) sealed: bool,
}

/// A group read from the log.
struct Found {
    header: GroupHeader,
    start: u64,
    blocks: Buffer,
}

impl Replay {
    pub(super) fn run(&mut self, devices: &mut Devices, arena: &mut Arena) -> Result<(), OpenError> {
        let mut last: Option<Found> = None;
        while let Some(found) = self.find(&mut *devices.wal)? {
            self.step_over(&found);
            if let Some(previous) = last.replace(found) {
                self.apply(arena, &previous)?;
            }
        }
        self.refuse_a_gap(&mut *devices.wal)?;
        let Some(group) = last else { return Ok(()) };
        if self.data_is_there(&mut *devices.data, &group)? {
            return self.apply(arena, &group);
        }
        // Its flush never ended, so nothing in it was acknowledged. Its place is where the log goes on.
        Probe::DroppedGroup.hit();
        self.report.dropped_group = true;
        self.sealed = false;
        self.sequence = group.header.sequence;
        self.ring.head = group.start;
        Ok(())
    }

    fn step_over(&mut self, group: &Found) {
        self.ring.advance(group.start, group.header.blocks());
        self.sequence += 1;
        self.sealed = group.header.body_bytes == 0;
    }

    /// The next group in sequence: at the head, or at block 0 when it did not fit before the end.
    fn find(&mut self, wal: &mut dyn Device) -> Result<Option<Found>, OpenError> {
        let at_head = self.read_group(wal, self.ring.head)?;
        if at_head.is_some() || self.ring.head == 0 {
            return Ok(at_head);
        }
        let at_start = self.read_group(wal, 0)?;
        if at_start.is_some() {
            Probe::GroupAtStart.hit();
        }
        Ok(at_start)
    }

    fn read_group(&mut self, wal: &mut dyn Device, start: u64) -> Result<Option<Found>, OpenError> {
        let offset = start * BLOCK_BYTES as u64;
        let mut first = Buffer::zeroed(BLOCK_BYTES);
        read(wal, Role::Wal, offset, &mut first)?;
        let header = GroupHeader::decode(&first, self.fragment).filter(|header| header.sequence == self.sequence);
        let Some(header) = header.filter(|header| start + header.blocks() <= self.ring.blocks) else {
            return Ok(None);
        };
        let mut blocks = Buffer::zeroed(header.blocks() as usize * BLOCK_BYTES);
        read(wal, Role::Wal, offset, &mut blocks)?;
        match decode_body(&header, &blocks) {
            Ok(Some(_)) => Ok(Some(Found { header, start, blocks })),
            Ok(None) => {
                Probe::TornTail.hit();
                self.report.dropped_group = true;
                Ok(None)
            }
            Err(reason) => Err(damaged(Role::Wal, offset, reason)),
        }
    }

    /// No group of another version, which would look like the end of the log; and none after the missing one, which
    /// would prove that the missing one was complete once: damage, not a torn end.
    fn refuse_a_gap(&self, wal: &mut dyn Device) -> Result<(), OpenError> {
        let mut buffer = Buffer::zeroed(TRANSFER_BYTES);
        let end = self.ring.blocks * BLOCK_BYTES as u64;
        let mut offset = 0;
        while offset < end {
            let length = (end - offset).min(TRANSFER_BYTES as u64) as usize;
            if length < buffer.len() {
                buffer = Buffer::zeroed(length);
            }
            read(wal, Role::Wal, offset, &mut buffer)?;
            for (n, block) in buffer.chunks_exact(BLOCK_BYTES).enumerate() {
                if let Some(found) = version_of(block, self.fragment).filter(|found| *found != log::VERSION) {
                    return Err(OpenError::Version {
                        structure: "log group",
                        place: "wal slice",
                        offset: offset + (n * BLOCK_BYTES) as u64,
                        found: found.into(),
                        known: log::VERSION.into(),
                    });
                }
                let later = GroupHeader::decode(block, self.fragment).filter(|header| header.sequence > self.sequence);
                if let Some(later) = later {
                    Probe::GapRefused.hit();
                    let at = offset + (n * BLOCK_BYTES) as u64;
                    let reason = format!(
                        "group {} is missing, but group {} follows at byte {at}",
                        self.sequence, later.sequence
                    );
                    return Err(damaged(Role::Wal, self.ring.head * BLOCK_BYTES as u64, reason));
                }
            }
            offset += length as u64;
        }
        Ok(())
    }

    /// True when the data that the last group made visible is on the device. For earlier groups the next one proves it.
    fn data_is_there(&self, data: &mut dyn Device, group: &Found) -> Result<bool, OpenError> {
        let body = self.body(group)?;
        for WrittenExtent { offset, length, crc } in body.extents {
            let whole = length.checked_next_multiple_of(BLOCK_BYTES as u64);
            let end = whole.and_then(|whole| offset.checked_add(whole));
            if !offset.is_multiple_of(BLOCK_BYTES as u64) || end.is_none_or(|end| end > data.length()) {
                let reason = format!("it refers to {length} bytes at {offset} of the data slice, which ends before");
                return Err(damaged(Role::Wal, group.start * BLOCK_BYTES as u64, reason));
            }
            let mut buffer = Buffer::zeroed(length as usize);
            read(data, Role::Data, offset, &mut buffer)?;
            if crc32c(&buffer[..length as usize]) != crc {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn body<'a>(&self, group: &'a Found) -> Result<Body<'a>, OpenError> {
        match decode_body(&group.header, &group.blocks) {
            Ok(Some(body)) => Ok(body),
            _ => Err(damaged(Role::Wal, group.start * BLOCK_BYTES as u64, "a group changed while it was read")),
        }
    }

    fn apply(&mut self, arena: &mut Arena, group: &Found) -> Result<(), OpenError> {
        for (offset, bytes) in self.body(group)?.redo {
            if !arena.restore(offset, bytes, true) {
                let reason = format!("a redo record of {} bytes at {offset} lies outside of the arena", bytes.len());
                return Err(damaged(Role::Wal, group.start * BLOCK_BYTES as u64, reason));
            }
        }
        self.report.groups += 1;
        self.report.replayed_bytes += group.header.blocks() * BLOCK_BYTES as u64;
        self.report.last_epoch = self.report.last_epoch.max(group.header.last_epoch);
        Ok(())
    }

    /// Ends the log with a group of our own, unless it ends with a seal already or is empty.
    pub(super) fn close(&mut self, wal: &mut dyn Device, records: u32, redo: &[u8]) -> Result<(), OpenError> {
        let empty = self.report.groups == 0 && !self.report.dropped_group;
        if records == 0 && (empty || self.sealed) {
            return Ok(());
        }
        if !empty {
            Probe::SealMissing.hit();
        }
        let group = encode(self.fragment, self.sequence, self.report.last_epoch, records, redo, &[]);
        let blocks = (group.len() / BLOCK_BYTES) as u64;
        let Some(start) = self.ring.place(blocks) else {
            let reason = String::from("there is no room to close the log");
            return Err(damaged(Role::Wal, self.ring.head * BLOCK_BYTES as u64, reason));
        };
        let offset = start * BLOCK_BYTES as u64;
        write(wal, Role::Wal, offset, &group)?;
        wal.flush().map_err(|source| OpenError::Io { slice: Slice(Role::Wal), offset, source })?;
        self.ring.advance(start, blocks);
        self.sequence += 1;
        Ok(())
    }
}
