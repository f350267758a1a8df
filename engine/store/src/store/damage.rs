//! Values found damaged: told, and marked in their record, so that they are refused without another look.
//!
//! A mark is a transaction of its own: one bit of the record. It stays until the value is written again, removed or freed. The
//! record is looked up again first: what was overwritten or freed while it was read is nobody's value any more.

use types::Place;

use super::Store;
use crate::health::{Damage, Event, Health};
use crate::index::{Record, address_of, damaged_tag, epoch_of};
use crate::probe::Probe;

/// Marks that wait for room in the log. Those beyond are lost; the next read of the value finds it again.
const WAITING_MOST: usize = 256;

/// A value that does not match its checksum, for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) place: Place,
    /// Of the record in the container's index.
    pub(super) key: Vec<u8>,
    /// True when the value lies in the arena.
    pub(super) inline: bool,
    /// First byte of the chunk that differs, in the arena or in the data slice, and its length.
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) scrubbed: bool,
}

impl Finding {
    /// True while `record` holds what was found.
    fn concerns(&self, record: &Record<'_>) -> bool {
        match *record {
            Record::Inline { checksums, bytes, damaged } => {
                self.inline && !damaged && erasure::verify(bytes, checksums).is_err()
            }
            Record::Data { length, block, damaged, .. } => {
                let start = block * media::BLOCK_BYTES as u64;
                !self.inline && !damaged && (start..start + u64::from(length)).contains(&self.offset)
            }
            Record::Hole { .. } | Record::Size { .. } => false,
        }
    }

    fn damage(&self) -> Damage {
        let (address, extent) = address_of(&self.key);
        Damage {
            inline: self.inline,
            offset: self.offset,
            length: self.length,
            place: self.place,
            address,
            extent,
            epoch: epoch_of(&self.key),
            scrubbed: self.scrubbed,
        }
    }
}

impl Store {
    /// Tells of a damaged value, which a reader asked for, and marks it if it is still there.
    pub(super) fn found(&mut self, finding: Finding) {
        self.suspect(finding);
        self.make_marks();
    }

    /// Tells of a damaged value; the mark follows with the next tick.
    pub(super) fn suspect(&mut self, finding: Finding) {
        self.stats.checksum_errors += 1;
        self.event(Event::Checksum(Box::new(finding.damage())));
        // A dead target writes nothing; what it finds it finds again.
        if self.health == Health::Healthy && self.marks.len() < WAITING_MOST {
            self.marks.push(finding);
        }
    }

    /// Makes the marks that wait, as far as the log has room.
    pub(super) fn make_marks(&mut self) {
        while self.health == Health::Healthy
            && self.admits()
            && let Some(finding) = self.marks.pop()
        {
            if let Some(tag_at) = self.tag_of(&finding) {
                self.mark(tag_at);
            }
        }
    }

    /// Where the first byte of the record lies, while it holds what was found.
    fn tag_of(&mut self, finding: &Finding) -> Option<u64> {
        let container = self.container(finding.place)?;
        let value = container.tree().get(&self.arena, &finding.key)?;
        finding.concerns(&Record::decode(value)).then(|| self.arena.offset_of(value))
    }

    fn mark(&mut self, tag_at: u64) {
        Probe::Marked.hit();
        let tag = damaged_tag(self.arena.bytes(tag_at, 1)[0]);
        self.arena.begin(true);
        self.arena.write(tag_at, &[tag]);
        let epoch = self.clock.tick(self.now);
        self.commit(epoch);
        self.stats.marked += 1;
    }
}
