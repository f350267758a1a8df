//! Values found damaged: told, and marked in their record, so that they are refused without another look.
//!
//! A mark is a transaction of its own: one bit of the record. It stays until the value is written again, removed or freed. The
//! record is looked up again first: what was overwritten or freed while it was read is nobody's value any more.

use types::Place;

use super::Store;
use crate::arena::Need;
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

    /// Tells of a damaged value that nobody asked for and marks it, if it is still there; true then.
    pub(super) fn found_by_scrubber(&mut self, finding: Finding) -> bool {
        let is_there = self.tag_of(&finding).is_some();
        if is_there {
            self.found(finding);
        }
        is_there
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
        self.arena.begin(Need::Sure);
        self.arena.write(tag_at, &[tag]);
        let epoch = self.clock.tick(self.now);
        self.commit(epoch);
        self.stats.marked += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use media::Mem;
    use types::{
        Address, ChecksumKind, Condition, ContainerId, Key, ObjectId, Operation, Outcome, PoolId, Selection, Shape,
        Status, TargetIndex,
    };
    use uuid::Uuid;

    use super::*;
    use crate::{Command, Devices, Driven, Identity, Reply, ScrubMode, Scrubbing, Settings, meta_bytes_needed};
    use types::Epoch;

    const MIB: u64 = 1 << 20;
    const PLACE: Place = Place { pool: PoolId(Uuid::from_u128(1)), container: ContainerId(Uuid::from_u128(2)) };

    fn run(driven: &mut Driven, operation: Operation) -> Result<Outcome, Status> {
        match driven.run(Command::Operate { place: PLACE, operation }, Epoch(1 << 40)) {
            Reply::Operated(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn done(driven: &mut Driven, command: Command) {
        assert_eq!(driven.run(command, Epoch(1 << 30)), Reply::Done(Ok(())));
    }

    fn address(akey: &str) -> Address {
        let key = |name: &str| Key::try_from(name).unwrap();
        Address { object: ObjectId { hi: 0, lo: 7 }, dkey: key("d"), akey: key(akey) }
    }

    fn fetch(driven: &mut Driven, akey: &str) -> Result<Outcome, Status> {
        let (address, selection) = (address(akey), Selection::Single);
        run(driven, Operation::Fetch { address, selection, epoch: Epoch::MAX })
    }

    /// A target with two values in its arena, of which `a` has rotted there.
    fn rotten() -> (Driven, u64) {
        let mem = |bytes| Box::new(Mem::new(bytes));
        let mut devices = Devices { wal: mem(MIB), meta: mem(meta_bytes_needed(2 * MIB)), data: mem(MIB) };
        let identity = Identity { engine: Uuid::from_u128(3), target: TargetIndex(0) };
        crate::format(&mut devices, identity, 2 * MIB).unwrap();
        let settings = Settings { checkpoint_every: Duration::from_secs(1_000_000), ..Settings::default() };
        let memory = Box::new(vec![0; 2 * MIB as usize]);
        let (mut driven, _) = Driven::open(devices, identity, memory, settings).unwrap();
        done(&mut driven, Command::PoolCreate { pool: PLACE.pool, scm_bytes: MIB, data_bytes: MIB / 2 });
        done(&mut driven, Command::ContainerCreate(PLACE, ChecksumKind::Crc64));
        for akey in ["a", "b"] {
            let data = Bytes::from(vec![0x5a; 1000]);
            let (shape, checksums) = (Shape::Single, erasure::checksums(ChecksumKind::Crc64, &data));
            let (address, condition) = (address(akey), Condition::Always);
            run(&mut driven, Operation::Update { address, shape, condition, checksums, data }).unwrap();
        }
        let arena = &mut driven.store.arena;
        let at = (0..2 * MIB - 1000).find(|at| arena.bytes(*at, 1000).iter().all(|byte| *byte == 0x5a)).unwrap();
        arena.restore(at + 500, &[0x5b], false);
        let damaged = if fetch(&mut driven, "a").is_err() { "a" } else { "b" };
        assert_eq!(damaged, "a", "the first value lies first");
        (driven, at)
    }

    #[test]
    fn a_value_that_rots_in_the_arena_is_told_marked_and_refused() {
        let (mut driven, at) = rotten();
        let Some(Event::Checksum(damage)) = driven.store.take_event() else { panic!("it is told") };
        assert!(damage.inline && !damage.scrubbed);
        assert_eq!((damage.offset, damage.length, damage.address, damage.place), (at, 1000, address("a"), PLACE));
        assert_eq!(driven.store.stats().marked, 1);
        // Refused without another look, and the other one is served.
        driven.store.arena.restore(at + 500, &[0x5a], false);
        assert_eq!(fetch(&mut driven, "a"), Err(Status::Checksum));
        assert_eq!(driven.store.take_event(), None);
        assert!(fetch(&mut driven, "b").is_ok());
        driven.store.check().unwrap();
    }

    #[test]
    fn the_scrubber_finds_what_rots_in_the_arena() {
        let (mut driven, at) = rotten();
        // As if nobody had asked.
        let finding = match driven.store.take_event() {
            Some(Event::Checksum(damage)) => damage,
            other => panic!("{other:?}"),
        };
        driven.store.arena.restore(at + 500, &[0x5a], false);
        let data = Bytes::from(vec![0x5a; 1000]);
        let (shape, checksums) = (Shape::Single, erasure::checksums(ChecksumKind::Crc64, &data));
        let (address, condition) = (finding.address.clone(), Condition::Always);
        run(&mut driven, Operation::Update { address, shape, condition, checksums, data }).unwrap();
        let newer = |at: &u64| driven.store.arena.bytes(*at, 1000).iter().all(|byte| *byte == 0x5a);
        let all: Vec<u64> = (0..2 * MIB - 1000).filter(newer).collect();
        assert_eq!(all.len(), 3, "two versions of one value, and the other");
        for at in &all {
            driven.store.arena.restore(at + 500, &[0x5b], false);
        }
        done(&mut driven, Command::PoolScrub(PLACE.pool, Scrubbing { mode: ScrubMode::Lazy, period_s: 1000 }));
        for tick in 1..100 {
            driven.settle(Epoch((1 << 40) + tick * 16_000_000_000 / 50));
        }
        let stats = driven.store.stats();
        // The version marked before is not looked at again.
        assert_eq!((stats.scrub_found, stats.marked, stats.scrub_passes), (2, 3, 1), "{stats:?}");
        while let Some(event) = driven.store.take_event() {
            assert!(matches!(event, Event::Checksum(damage) if damage.inline && damage.scrubbed));
        }
        assert_eq!((fetch(&mut driven, "a"), fetch(&mut driven, "b")), (Err(Status::Checksum), Err(Status::Checksum)));
    }
}
