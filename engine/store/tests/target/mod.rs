//! A target on devices in memory, with one pool and one container, for the suites of this crate.
#![allow(dead_code)] // each suite uses its part

use std::time::Duration;

use bytes::Bytes;
use daos_store::inspect::{CheckOptions, Finding, Findings, Severity, check_target};
use daos_store::{
    Command, Devices, Driven, Geometry, Identity, Paging, Recovery, Reply, Residence, Settings, format,
    meta_bytes_needed,
};
use media::{Device, IoKind, Mem, Memory, PagedMemory, execute};
use types::{
    Address, Answer, ChecksumKind, Checksums, Condition, ContainerId, Epoch, Key, Level, ObjectId, Operation, Outcome,
    Place, PoolId, Scope, Selection, Shape, Status, TargetIndex,
};
use uuid::Uuid;

pub(crate) const MIB: u64 = 1 << 20;

/// One second in epoch units.
pub(crate) const SECOND: u64 = 16_000_000_000;

pub(crate) const IDENTITY: Identity = Identity { engine: Uuid::from_u128(0xfeed), target: TargetIndex(1) };
pub(crate) const PLACE: Place =
    Place { pool: PoolId(Uuid::from_u128(0x100)), container: ContainerId(Uuid::from_u128(0x200)) };
pub(crate) const OBJECT: ObjectId = ObjectId { hi: 1, lo: 7 };

pub(crate) fn key(name: &str) -> Key {
    Key::try_from(name).unwrap()
}

/// Bytes that depend on length, seed and position.
pub(crate) fn data(length: usize, seed: u64) -> Bytes {
    (0..length).map(|n| (n as u64).wrapping_mul(31).wrapping_add(seed.wrapping_mul(131)) as u8).collect()
}

pub(crate) fn address(dkey: &str, akey: &str) -> Address {
    Address { object: OBJECT, dkey: key(dkey), akey: key(akey) }
}

/// The same checksums with a wrong bit in the last one.
pub(crate) fn spoil(checksums: &Checksums) -> Checksums {
    let mut bytes = checksums.as_bytes().to_vec();
    *bytes.last_mut().expect("there is one") ^= 1;
    Checksums::from_bytes(checksums.kind().expect("there is one"), &bytes).expect("as many bytes as before")
}

pub(crate) struct Mems {
    pub(crate) wal: Mem,
    pub(crate) meta: Mem,
    pub(crate) data: Mem,
}

impl Mems {
    pub(crate) fn new(geometry: &Geometry) -> Mems {
        Mems {
            wal: Mem::new(geometry.wal_bytes),
            meta: Mem::new(geometry.meta_bytes),
            data: Mem::new(geometry.data_bytes),
        }
    }

    pub(crate) fn devices(&self) -> Devices {
        Devices {
            wal: Box::new(self.wal.clone()),
            meta: Box::new(self.meta.clone()),
            data: Box::new(self.data.clone()),
        }
    }
}

/// Memory for the arena: all of it, or as much as `limit` allows.
pub(crate) fn residence(arena_bytes: u64, meta: Box<dyn Device>, limit: Option<u64>) -> Residence {
    match limit {
        None => Residence::from(Box::new(vec![0; arena_bytes as usize])),
        Some(limit_bytes) => {
            let memory = Memory::anonymous(arena_bytes as usize).and_then(PagedMemory::new).unwrap();
            Residence::from(Paging { memory, limit_bytes, meta })
        }
    }
}

pub(crate) struct Target {
    /// Of the container's checksums.
    pub(crate) kind: ChecksumKind,
    /// What the arena may use of memory.
    pub(crate) limit: Option<u64>,
    pub(crate) geometry: Geometry,
    pub(crate) mems: Mems,
    pub(crate) driven: Driven,
    pub(crate) recovery: Recovery,
    pub(crate) settings: Settings,
    pub(crate) now: Epoch,
}

pub(crate) fn geometry(arena: u64, wal: u64, data: u64) -> Geometry {
    Geometry { arena_bytes: arena, wal_bytes: wal, meta_bytes: meta_bytes_needed(arena), data_bytes: data }
}

impl Target {
    pub(crate) fn new() -> Target {
        Target::of_kind(ChecksumKind::Crc32c)
    }

    pub(crate) fn of_kind(kind: ChecksumKind) -> Target {
        Target::with_kind(geometry(16 * MIB, 4 * MIB, 64 * MIB), 8 * MIB, 48 * MIB, kind)
    }

    pub(crate) fn with(geometry: Geometry, scm_bytes: u64, data_bytes: u64) -> Target {
        Target::with_kind(geometry, scm_bytes, data_bytes, ChecksumKind::Crc32c)
    }

    /// A target whose arena may use that much memory.
    pub(crate) fn limited(geometry: Geometry, scm_bytes: u64, data_bytes: u64, limit: Option<u64>) -> Target {
        Target::made(geometry, (scm_bytes, data_bytes), ChecksumKind::Crc32c, limit)
    }

    fn with_kind(geometry: Geometry, scm_bytes: u64, data_bytes: u64, kind: ChecksumKind) -> Target {
        Target::made(geometry, (scm_bytes, data_bytes), kind, None)
    }

    fn made(geometry: Geometry, (scm_bytes, data_bytes): (u64, u64), kind: ChecksumKind, limit: Option<u64>) -> Target {
        let mems = Mems::new(&geometry);
        format(&mut mems.devices(), IDENTITY, geometry.arena_bytes).unwrap();
        let settings = Settings { checkpoint_every: Duration::from_secs(1_000_000), ..Settings::default() };
        let memory = residence(geometry.arena_bytes, Box::new(mems.meta.clone()), limit);
        let (driven, recovery) = Driven::open(mems.devices(), IDENTITY, memory, settings).unwrap();
        let mut target = Target { kind, limit, geometry, mems, driven, recovery, settings, now: Epoch(SECOND) };
        let pool = PLACE.pool;
        assert_eq!(target.run(Command::PoolCreate { pool, scm_bytes, data_bytes }), Reply::Done(Ok(())));
        assert_eq!(target.run(Command::ContainerCreate(PLACE, kind)), Reply::Done(Ok(())));
        target
    }

    /// A target that is there already.
    pub(crate) fn over(mems: Mems, arena_bytes: u64) -> Target {
        let geometry = mems.devices().geometry(arena_bytes);
        let settings = Settings { checkpoint_every: Duration::from_secs(1_000_000), ..Settings::default() };
        let (driven, recovery) =
            Driven::open(mems.devices(), IDENTITY, Box::new(vec![0; arena_bytes as usize]), settings).unwrap();
        let now = Epoch(recovery.last_epoch.0.max(SECOND));
        Target { kind: ChecksumKind::Crc32c, limit: None, geometry, mems, driven, recovery, settings, now }
    }

    pub(crate) fn reopen(&mut self) {
        let memory = residence(self.geometry.arena_bytes, Box::new(self.mems.meta.clone()), self.limit);
        let (driven, recovery) = Driven::open(self.mems.devices(), IDENTITY, memory, self.settings).unwrap();
        (self.driven, self.recovery) = (driven, recovery);
    }

    /// What is in memory, and what the offline check says about the devices as they are now: what it would find after a kill.
    pub(crate) fn check(&self) {
        self.driven.store.check().unwrap();
        let mut findings = Findings::new(10);
        let (arena_bytes, options) = (Some(self.geometry.arena_bytes), CheckOptions { data: true });
        check_target(&mut self.mems.devices(), Some(&IDENTITY), arena_bytes, options, &mut findings);
        // A value that was marked is for its own suite to expect.
        let is_wrong = |finding: &&Finding| {
            finding.advice.severity > Severity::Note && !finding.what.ends_with("it is marked as damaged")
        };
        assert_eq!(findings.list().iter().filter(is_wrong).collect::<Vec<_>>(), Vec::<&Finding>::new());
    }

    pub(crate) fn run(&mut self, command: Command) -> Reply {
        self.now = Epoch(self.now.0 + 1000);
        self.driven.run(command, self.now)
    }

    pub(crate) fn operate(&mut self, operation: Operation) -> Answer {
        match self.run(Command::Operate { place: PLACE, operation }) {
            Reply::Operated(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// Fetches given together: bytes read of the data slice, the most that were under way at once when the device answers only after it
    /// got all commands there are, and the answers in their order.
    pub(crate) fn watch_reads(&mut self, fetches: &[Operation]) -> (usize, usize, Vec<Answer>) {
        self.now = Epoch(self.now.0 + 1000);
        let tokens: Vec<_> = fetches
            .iter()
            .map(|operation| {
                let operation = operation.clone();
                self.driven.submit(Command::Operate { place: PLACE, operation }, self.now)
            })
            .collect();
        let (mut read, mut most, mut answers) = (0, 0, std::collections::HashMap::new());
        loop {
            let commands: Vec<_> = std::iter::from_fn(|| self.driven.store.take_io()).collect();
            let bytes: usize = commands
                .iter()
                .map(|io| match &io.kind {
                    IoKind::Read { buffer, .. } => buffer.len(),
                    _ => 0,
                })
                .sum();
            (read, most) = (read + bytes, most.max(bytes));
            let idle = commands.is_empty();
            for io in commands {
                let done = execute(self.driven.device(&io), io);
                self.driven.store.complete(done);
            }
            answers.extend(std::iter::from_fn(|| self.driven.store.take_reply()));
            if idle {
                break;
            }
        }
        let answer = |token| match answers.remove(&token) {
            Some(Reply::Operated(answer)) => answer,
            other => panic!("{other:?}"),
        };
        (read, most, tokens.into_iter().map(answer).collect())
    }

    pub(crate) fn update(&mut self, dkey: &str, akey: &str, shape: Shape, data: &Bytes) -> Result<Epoch, Status> {
        self.update_if(dkey, akey, shape, Condition::Always, data)
    }

    pub(crate) fn update_if(
        &mut self,
        dkey: &str,
        akey: &str,
        shape: Shape,
        condition: Condition,
        data: &Bytes,
    ) -> Result<Epoch, Status> {
        let checksums = erasure::checksums(self.kind, data);
        let address = address(dkey, akey);
        changed(self.operate(Operation::Update { address, shape, condition, checksums, data: data.clone() }))
    }

    pub(crate) fn punch(&mut self, scope: Scope) -> Result<Epoch, Status> {
        changed(self.operate(Operation::Punch { scope, condition: Condition::Always }))
    }

    pub(crate) fn fetch(&mut self, dkey: &str, akey: &str, selection: Selection, epoch: Epoch) -> Answer {
        self.operate(Operation::Fetch { address: address(dkey, akey), selection, epoch })
    }

    pub(crate) fn fetch_single(&mut self, dkey: &str, akey: &str) -> Result<Bytes, Status> {
        match self.fetch(dkey, akey, Selection::Single, Epoch::MAX)? {
            Outcome::Fetched(segments) => {
                assert_eq!(segments.len(), 1);
                assert_eq!(erasure::verify(&segments[0].data, &segments[0].checksums), Ok(()));
                Ok(segments[0].data.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    /// The stretches of an array range: offset and bytes.
    pub(crate) fn fetch_array(
        &mut self,
        dkey: &str,
        akey: &str,
        (offset, length): (u64, u64),
        epoch: Epoch,
    ) -> Result<Vec<(u64, Bytes)>, Status> {
        match self.fetch(dkey, akey, Selection::Array { offset, length }, epoch)? {
            Outcome::Fetched(segments) => Ok(segments
                .into_iter()
                .map(|segment| {
                    assert_eq!(erasure::verify(&segment.data, &segment.checksums), Ok(()));
                    (segment.offset, segment.data)
                })
                .collect()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn size(&mut self, dkey: &str, akey: &str, epoch: Epoch) -> Result<u64, Status> {
        match self.operate(Operation::ArraySize { address: address(dkey, akey), epoch })? {
            Outcome::Size(size) => Ok(size),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn list(&mut self, level: &Level, epoch: Epoch) -> Vec<Bytes> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|name: &Bytes| name.to_vec()).unwrap_or_default();
            match self.operate(Operation::List { level: level.clone(), after, limit: 3, epoch }).unwrap() {
                Outcome::Listed { names, more } => {
                    all.extend(names);
                    if !more {
                        return all;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn checkpoint(&mut self) {
        assert_eq!(self.run(Command::Checkpoint), Reply::Done(Ok(())));
    }

    /// Lets time pass until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            self.now = Epoch(self.now.0 + SECOND / 100);
            if !self.driven.settle(self.now) {
                return;
            }
        }
        panic!("the target never comes to rest");
    }
}

fn changed(answer: Answer) -> Result<Epoch, Status> {
    match answer? {
        Outcome::Changed(epoch) => Ok(epoch),
        other => panic!("{other:?}"),
    }
}
