//! A history on journaling devices, and the crashes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use daos_store::{Command, Devices, Driven, Geometry, Reply, Settings, Store, Token, format, open};
use media::{Fate, Fault, Io, Mem, Role, SECTOR_BYTES, execute};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use types::{ChecksumKind, Epoch, Status};

use crate::history::{State, Step, apply, commands, read_all};
use crate::target::{self, IDENTITY, MIB, PLACE, SECOND};

pub(crate) const ARENA: u64 = MIB;
pub(crate) const GEOMETRY: Geometry =
    Geometry { arena_bytes: ARENA, wal_bytes: MIB, meta_bytes: ARENA + 80 * 4096, data_bytes: MIB / 2 };

pub(crate) fn settings() -> Settings {
    Settings { checkpoint_every: Duration::from_secs(1_000_000), ..Settings::default() }
}

pub(crate) fn memory() -> daos_store::ArenaMemory {
    Box::new(vec![0; ARENA as usize])
}

/// A store on journaling devices.
pub(crate) struct Run {
    pub(crate) fault: Fault,
    pub(crate) devices: Devices,
    pub(crate) store: Store,
    pub(crate) random: StdRng,
    pub(crate) in_flight: Vec<Io>,
    pub(crate) now: u64,
    /// The state after each number of changes.
    pub(crate) states: Vec<State>,
    /// Of each change: journal events before it was submitted and before it was acknowledged.
    pub(crate) changes: Vec<(usize, Option<usize>)>,
    /// Changes submitted and not acknowledged, by token.
    pub(crate) waiting: BTreeMap<Token, usize>,
    pub(crate) failed: bool,
}

/// The images of a formatted target with its pool and container.
pub(crate) fn start_images() -> Vec<Vec<u8>> {
    let mems = target::Mems::new(&GEOMETRY);
    format(&mut mems.devices(), IDENTITY, ARENA).unwrap();
    let (mut driven, _) = Driven::open(mems.devices(), IDENTITY, memory(), settings()).unwrap();
    let create = Command::PoolCreate { pool: PLACE.pool, scm_bytes: MIB / 2, data_bytes: MIB / 4 };
    assert_eq!(driven.run(create, Epoch(1)), Reply::Done(Ok(())));
    assert_eq!(driven.run(Command::ContainerCreate(PLACE, ChecksumKind::Crc32c), Epoch(2)), Reply::Done(Ok(())));
    vec![mems.wal.image(), mems.meta.image(), mems.data.image()]
}

impl Run {
    pub(crate) fn new(images: &[Vec<u8>], seed: u64) -> Run {
        let fault = Fault::new(images.to_vec());
        let mut devices = Devices {
            wal: Box::new(fault.device(0)),
            meta: Box::new(fault.device(1)),
            data: Box::new(fault.device(2)),
        };
        let (store, _) = open(&mut devices, IDENTITY, memory(), settings()).unwrap();
        Run {
            fault,
            devices,
            store,
            random: StdRng::seed_from_u64(seed),
            in_flight: Vec::new(),
            now: SECOND,
            states: vec![Some(BTreeMap::new())],
            changes: Vec::new(),
            waiting: BTreeMap::new(),
            failed: false,
        }
    }

    pub(crate) fn submit(&mut self, command: Command) {
        self.now += 1000;
        let index = self.changes.len();
        self.states.push(apply(&self.states[index], &command));
        self.changes.push((self.fault.events(), None));
        let token = Token(index as u64);
        self.waiting.insert(token, index);
        self.store.submit(token, command, Epoch(self.now));
    }

    pub(crate) fn take_replies(&mut self) {
        while let Some((token, reply)) = self.store.take_reply() {
            let index = self.waiting.remove(&token).expect("each command is answered once");
            match reply {
                Reply::Operated(Ok(_)) | Reply::Done(Ok(())) => self.changes[index].1 = Some(self.fault.events()),
                Reply::Operated(Err(Status::Io)) | Reply::Done(Err(Status::Io)) if self.failed => {}
                other => panic!("change {index}: {other:?}"),
            }
        }
    }

    /// Executes one of the commands in flight; false when there is none.
    pub(crate) fn work(&mut self) -> bool {
        while let Some(io) = self.store.take_io() {
            self.in_flight.push(io);
        }
        self.take_replies();
        if self.in_flight.is_empty() {
            return false;
        }
        let io = self.in_flight.swap_remove(self.random.random_range(0..self.in_flight.len()));
        let device = match io.role {
            Role::Wal => &mut self.devices.wal,
            Role::Meta => &mut self.devices.meta,
            Role::Data => &mut self.devices.data,
        };
        let done = execute(&mut **device, io);
        self.store.complete(done);
        self.take_replies();
        true
    }

    pub(crate) fn rest(&mut self) {
        for _ in 0..20 {
            while self.work() {}
            self.now += 70 * SECOND;
            self.store.tick(Epoch(self.now));
        }
        while self.work() {}
    }

    pub(crate) fn history(&mut self, steps: &[Step], pipelined: bool) {
        for &step in steps {
            if step == Step::Rest {
                self.rest();
            }
            for command in commands(step, self.now) {
                self.submit(command);
                if !pipelined {
                    while self.work() {}
                } else if self.random.random_bool(0.5) {
                    self.work();
                }
            }
        }
        while self.work() {}
    }

    /// Opens `images` and compares: some whole number of changes, at least those acknowledged by event `done`.
    pub(crate) fn check_image(&self, images: Vec<Vec<u8>>, done: usize, what: &str) -> Driven {
        let mut images = images.into_iter().map(Mem::from_image);
        let mut next = || Box::new(images.next().expect("three images"));
        let devices = Devices { wal: next(), meta: next(), data: next() };
        let (mut driven, _) =
            Driven::open(devices, IDENTITY, memory(), settings()).unwrap_or_else(|error| panic!("{what}: {error}"));
        driven.store.check().unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = read_all(&mut driven).unwrap_or_else(|status| panic!("{what}: {status}"));
        let acknowledged = self.changes.iter().filter(|(_, at)| at.is_some_and(|at| at <= done)).count();
        let submitted = self.changes.iter().filter(|(at, _)| *at <= done).count();
        let possible = &self.states[acknowledged..=submitted];
        assert!(
            possible.contains(&found),
            "{what}: of {submitted} changes {acknowledged} were acknowledged, but there is {found:?}, not {possible:?}"
        );
        driven
    }
}

/// What a loss of power does not tear on persistent memory: one aligned store.
const STORE_BYTES: usize = 8;

/// The choices of what became of `unflushed` writes.
pub(crate) fn fates(unflushed: usize, random: &mut StdRng) -> Vec<Vec<Fate>> {
    let mut fates = vec![vec![Fate::Lost; unflushed]];
    if unflushed == 0 {
        return fates;
    }
    for kept in 1..=unflushed.min(6) {
        fates.push((0..unflushed).map(|n| if n < kept { Fate::Kept } else { Fate::Lost }).collect());
    }
    fates.push((0..unflushed).map(|n| if n == 0 { Fate::Lost } else { Fate::Kept }).collect());
    fates.push(vec![Fate::Kept; unflushed]);
    for _ in 0..5 {
        let one = (0..unflushed).map(|_| match random.random_range(0..6) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2 => Fate::Torn { unit: SECTOR_BYTES, mask: random.random() },
            3 => Fate::Torn { unit: STORE_BYTES, mask: random.random() },
            4 => Fate::Cut { bytes: STORE_BYTES * random.random_range(0..8192 / STORE_BYTES) },
            _ => Fate::Torn { unit: 4096, mask: random.random() },
        });
        fates.push(one.collect());
    }
    fates.push(vec![Fate::Torn { unit: SECTOR_BYTES, mask: 1 }; unflushed]);
    fates.push(vec![Fate::Torn { unit: SECTOR_BYTES, mask: !1 }; unflushed]);
    fates
}

/// Crashes a finished run at every point, or every `stride`th; returns how many images were opened.
pub(crate) fn crash(run: &mut Run, steps: &[Step], stride: usize) -> usize {
    let mut opened = 0;
    let mut points = run.fault.crash_points();
    loop {
        if points.done().is_multiple_of(stride) {
            for fate in fates(points.unflushed(), &mut run.random.clone()) {
                let images = points.image(|n| fate[n]);
                let what = format!("{steps:?} after event {} with {fate:?}", points.done());
                let mut driven = run.check_image(images, points.done(), &what);
                opened += 1;
                if opened % 16 == 0 {
                    check_goes_on(&mut driven, &what);
                }
            }
        }
        run.random = StdRng::seed_from_u64(run.random.random());
        if !points.advance() {
            return opened;
        }
    }
}

/// A recovered target takes changes, checkpoints, and opens again with them.
pub(crate) fn check_goes_on(driven: &mut Driven, what: &str) {
    let now = Epoch(1 << 50);
    assert_eq!(driven.run(Command::ContainerCreate(PLACE, ChecksumKind::Crc32c), now), Reply::Done(Ok(())), "{what}");
    for step in [Step::PunchDkey, Step::Large(1), Step::Array(7, 100), Step::Checkpoint, Step::Small(5)] {
        for command in commands(step, 1) {
            let reply = driven.run(command, now);
            assert!(matches!(reply, Reply::Operated(Ok(_)) | Reply::Done(Ok(()))), "{what}: {reply:?}");
        }
    }
    let before = read_all(driven).unwrap();
    let (store, _) = open(&mut driven.devices, IDENTITY, memory(), settings()).unwrap();
    driven.store = store;
    driven.store.check().unwrap();
    assert_eq!(read_all(driven).unwrap(), before, "{what}");
    assert_eq!(before.unwrap().len(), 2, "{what}");
}
