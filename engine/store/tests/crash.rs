//! Loss of power at every point of many short histories, and of some long ones.
//!
//! A history runs on devices that keep a journal. For each point of the journal, and several choices of what became
//! of the writes that no flush covers, the devices are put back as they would be found, the target is opened, and must hold what
//! it held after some whole number of changes: no fewer than were acknowledged, no more than were submitted.

mod target;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use daos_store::{Command, Devices, Driven, Geometry, Health, OpenError, Reply, Settings, Store, Token, format, open};
use media::{Fate, Fault, Io, Mem, Role, SECTOR_BYTES, execute};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use target::{IDENTITY, MIB, OBJECT, PLACE, SECOND, address, data, key};
use types::{Condition, Epoch, Level, Operation, Outcome, Scope, Selection, Shape, Status};

const ARENA: u64 = MIB;
const GEOMETRY: Geometry =
    Geometry { arena_bytes: ARENA, wal_bytes: MIB, meta_bytes: ARENA + 80 * 4096, data_bytes: MIB / 2 };

fn settings() -> Settings {
    Settings { checkpoint_every: Duration::from_secs(1_000_000), ..Settings::default() }
}

fn memory() -> daos_store::ArenaMemory {
    Box::new(vec![0; ARENA as usize])
}

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Small(u8),
    Large(u8),
    Array(u64, usize),
    PunchAkey,
    PunchDkey,
    PunchRange,
    Checkpoint,
    Recreate,
    /// Time passes: seals, reclaim, graves.
    Rest,
}

const ALPHABET: [Step; 11] = [
    Step::Small(1),
    Step::Large(2),
    Step::Large(3),
    Step::Array(100, 50),
    Step::Array(90, 9000),
    Step::PunchAkey,
    Step::PunchDkey,
    Step::PunchRange,
    Step::Checkpoint,
    Step::Recreate,
    Step::Rest,
];

/// What the container holds: name to bytes with their offsets. `None` when there is no container.
type State = Option<BTreeMap<Vec<u8>, Vec<(u64, Bytes)>>>;

/// The commands of a step, each one change.
fn commands(step: Step, now: u64) -> Vec<Command> {
    let operate = |operation| Command::Operate { place: PLACE, operation };
    let update = |akey: &str, shape, data: Bytes| {
        let checksums = erasure::checksums(&data);
        let address = address("d", akey);
        operate(Operation::Update { address, shape, condition: Condition::Always, checksums, data })
    };
    let punch = |scope| operate(Operation::Punch { scope, condition: Condition::Always });
    match step {
        Step::Small(seed) => vec![update("s", Shape::Single, data(60, now + u64::from(seed)))],
        Step::Large(seed) => vec![update("s", Shape::Single, data(5000 * usize::from(seed), now + u64::from(seed)))],
        Step::Array(offset, length) => vec![update("a", Shape::Array { offset }, data(length, now))],
        Step::PunchAkey => vec![punch(Scope::Akey(address("d", "s")))],
        Step::PunchDkey => vec![punch(Scope::Dkey(OBJECT, key("d")))],
        Step::PunchRange => vec![punch(Scope::Range { address: address("d", "a"), offset: 95, length: 30 })],
        Step::Checkpoint => vec![Command::Checkpoint],
        Step::Recreate => vec![Command::ContainerDestroy(PLACE), Command::ContainerCreate(PLACE)],
        Step::Rest => vec![],
    }
}

/// What a change does to a state.
fn apply(state: &State, command: &Command) -> State {
    let mut next = state.clone();
    let name = |akey: &[u8]| akey.to_vec();
    match (command, &mut next) {
        (Command::ContainerDestroy(_), _) => next = None,
        (Command::ContainerCreate(_), None) => next = Some(BTreeMap::new()),
        (Command::Operate { operation, .. }, Some(held)) => match operation {
            Operation::Update { address, shape: Shape::Single, data, .. } => {
                held.insert(name(address.akey.as_bytes()), vec![(0, data.clone())]);
            }
            Operation::Update { address, shape: Shape::Array { offset }, data, .. } => {
                let array = held.entry(name(address.akey.as_bytes())).or_default();
                let mut bytes = spread(array);
                bytes.extend(data.iter().enumerate().map(|(n, byte)| (offset + n as u64, *byte)));
                *array = gather(&bytes);
            }
            Operation::Punch { scope: Scope::Akey(address), .. } => {
                held.remove(address.akey.as_bytes());
            }
            Operation::Punch { scope: Scope::Range { address, offset, length }, .. } => {
                if let Some(array) = held.get_mut(address.akey.as_bytes()) {
                    let mut bytes = spread(array);
                    bytes.retain(|at, _| *at < *offset || *at >= offset + length);
                    *array = gather(&bytes);
                }
            }
            Operation::Punch { .. } => held.clear(),
            _ => {}
        },
        _ => {}
    }
    next
}

fn spread(array: &[(u64, Bytes)]) -> BTreeMap<u64, u8> {
    array.iter().flat_map(|(at, data)| data.iter().enumerate().map(move |(n, byte)| (at + n as u64, *byte))).collect()
}

fn gather(bytes: &BTreeMap<u64, u8>) -> Vec<(u64, Bytes)> {
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    for (&at, &byte) in bytes {
        match runs.last_mut() {
            Some((start, run)) if *start + run.len() as u64 == at => run.push(byte),
            _ => runs.push((at, vec![byte])),
        }
    }
    runs.into_iter().map(|(at, run)| (at, Bytes::from(run))).collect()
}

/// What a target holds, read through its operations. A value that is refused comes with its status instead.
fn read_all(driven: &mut Driven) -> Result<State, Status> {
    let mut operate = |operation| match driven.run(Command::Operate { place: PLACE, operation }, Epoch(1)) {
        Reply::Operated(answer) => answer,
        other => panic!("{other:?}"),
    };
    let listed = operate(Operation::List {
        level: Level::Akeys(OBJECT, key("d")),
        after: Vec::new(),
        limit: 100,
        epoch: Epoch::MAX,
    });
    let names = match listed {
        Ok(Outcome::Listed { names, more: false }) => names,
        Err(Status::Nonexistent) => return Ok(None),
        other => panic!("{other:?}"),
    };
    let mut state = BTreeMap::new();
    for name in names {
        let akey = std::str::from_utf8(&name).expect("the suite's names are text");
        let selection = if akey == "s" { Selection::Single } else { Selection::Array { offset: 0, length: 20_000 } };
        let fetched = operate(Operation::Fetch { address: address("d", akey), selection, epoch: Epoch::MAX })?;
        let Outcome::Fetched(segments) = fetched else { panic!("{fetched:?}") };
        for segment in &segments {
            assert_eq!(erasure::verify(&segment.data, &segment.checksums), Ok(()));
        }
        let parts: Vec<(u64, Bytes)> = segments.into_iter().map(|segment| (segment.offset, segment.data)).collect();
        state.insert(name.to_vec(), if akey == "s" { parts } else { gather(&spread(&parts)) });
    }
    Ok(Some(state))
}

/// A store on journaling devices.
struct Run {
    fault: Fault,
    devices: Devices,
    store: Store,
    random: StdRng,
    in_flight: Vec<Io>,
    now: u64,
    /// The state after each number of changes.
    states: Vec<State>,
    /// Of each change: journal events before it was submitted and before it was acknowledged.
    changes: Vec<(usize, Option<usize>)>,
    /// Changes submitted and not acknowledged, by token.
    waiting: BTreeMap<Token, usize>,
    failed: bool,
}

/// The images of a formatted target with its pool and container.
fn start_images() -> Vec<Vec<u8>> {
    let mems = target::Mems::new(&GEOMETRY);
    format(&mut mems.devices(), IDENTITY, ARENA).unwrap();
    let (mut driven, _) = Driven::open(mems.devices(), IDENTITY, memory(), settings()).unwrap();
    let create = Command::PoolCreate { pool: PLACE.pool, scm_bytes: MIB / 2, data_bytes: MIB / 4 };
    assert_eq!(driven.run(create, Epoch(1)), Reply::Done(Ok(())));
    assert_eq!(driven.run(Command::ContainerCreate(PLACE), Epoch(2)), Reply::Done(Ok(())));
    vec![mems.wal.image(), mems.meta.image(), mems.data.image()]
}

impl Run {
    fn new(images: &[Vec<u8>], seed: u64) -> Run {
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

    fn submit(&mut self, command: Command) {
        self.now += 1000;
        let index = self.changes.len();
        self.states.push(apply(&self.states[index], &command));
        self.changes.push((self.fault.events(), None));
        let token = Token(index as u64);
        self.waiting.insert(token, index);
        self.store.submit(token, command, Epoch(self.now));
    }

    fn take_replies(&mut self) {
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
    fn work(&mut self) -> bool {
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

    fn rest(&mut self) {
        for _ in 0..20 {
            while self.work() {}
            self.now += 70 * SECOND;
            self.store.tick(Epoch(self.now));
        }
        while self.work() {}
    }

    fn history(&mut self, steps: &[Step], pipelined: bool) {
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
    fn check_image(&self, images: Vec<Vec<u8>>, done: usize, what: &str) -> Driven {
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

/// The choices of what became of `unflushed` writes.
fn fates(unflushed: usize, random: &mut StdRng) -> Vec<Vec<Fate>> {
    let mut fates = vec![vec![Fate::Lost; unflushed]];
    if unflushed == 0 {
        return fates;
    }
    for kept in 1..=unflushed.min(6) {
        fates.push((0..unflushed).map(|n| if n < kept { Fate::Kept } else { Fate::Lost }).collect());
    }
    fates.push((0..unflushed).map(|n| if n == 0 { Fate::Lost } else { Fate::Kept }).collect());
    fates.push(vec![Fate::Kept; unflushed]);
    for _ in 0..3 {
        let one = (0..unflushed).map(|_| match random.random_range(0..4) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2 => Fate::Torn { unit: SECTOR_BYTES, mask: random.random() },
            _ => Fate::Torn { unit: 4096, mask: random.random() },
        });
        fates.push(one.collect());
    }
    fates.push(vec![Fate::Torn { unit: SECTOR_BYTES, mask: 1 }; unflushed]);
    fates.push(vec![Fate::Torn { unit: SECTOR_BYTES, mask: !1 }; unflushed]);
    fates
}

/// Crashes a finished run at every point, or every `stride`th; returns how many images were opened.
fn crash(run: &mut Run, steps: &[Step], stride: usize) -> usize {
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
fn check_goes_on(driven: &mut Driven, what: &str) {
    let now = Epoch(1 << 50);
    assert_eq!(driven.run(Command::ContainerCreate(PLACE), now), Reply::Done(Ok(())), "{what}");
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

#[test]
fn every_crash_of_every_short_history_recovers() {
    let images = start_images();
    let mut opened = 0;
    let mut histories = 0;
    for (n, first) in ALPHABET.iter().enumerate() {
        for (m, second) in ALPHABET.iter().enumerate() {
            // A third step for some pairs; all of them would take minutes.
            let third = ALPHABET[(n * 7 + m * 3) % ALPHABET.len()];
            let steps = [*first, *second, third];
            let length = if (n + m) % 3 == 0 { 3 } else { 2 };
            let mut run = Run::new(&images, (n * 100 + m) as u64);
            run.history(&steps[..length], (n + m) % 2 == 0);
            assert!(run.waiting.is_empty());
            opened += crash(&mut run, &steps[..length], 1);
            histories += 1;
        }
    }
    println!("{opened} crash images of {histories} short histories recovered");
    assert!(opened > 4000);
}

#[test]
fn crashes_of_long_random_histories_recover() {
    let images = start_images();
    let mut opened = 0;
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let steps: Vec<Step> = (0..60).map(|_| ALPHABET[random.random_range(0..ALPHABET.len())]).collect();
        let mut run = Run::new(&images, seed);
        run.history(&steps, seed % 2 == 0);
        assert!(run.waiting.is_empty());
        let stride = (run.fault.events() / 25).max(1);
        opened += crash(&mut run, &steps[..4], stride);
    }
    println!("{opened} crash images of 12 long histories recovered");
    assert!(opened > 1000);
}

#[test]
fn crashes_around_the_end_of_the_log_recover() {
    let images = start_images();
    let mut run = Run::new(&images, 1);
    // 400 groups of about 5 KiB pass the end of a log of 1 MiB twice; the checkpoints it forces are crashed too.
    let value = data(4000, 1);
    for n in 0..400 {
        let (akey, checksums) = ("s", erasure::checksums(&value));
        let operation = Operation::Update {
            address: address("d", akey),
            shape: Shape::Single,
            condition: Condition::Always,
            checksums,
            data: value.clone(),
        };
        run.submit(Command::Operate { place: PLACE, operation });
        while run.work() {}
        if n % 40 == 0 {
            run.rest();
        }
    }
    let stats = run.store.stats();
    assert!(stats.wal_bytes > 2 * MIB && stats.checkpoints >= 3, "{stats:?}");
    let stride = run.fault.events() / 120;
    let opened = crash(&mut run, &[Step::Small(0)], stride);
    println!("{opened} crash images around the end of the log recovered");
}

#[test]
fn after_a_failed_write_or_flush_nothing_more_is_acknowledged_or_written() {
    let images = start_images();
    let steps = [
        Step::Small(1),
        Step::Large(2),
        Step::Checkpoint,
        Step::Array(90, 9000),
        Step::Recreate,
        Step::Rest,
        Step::Small(2),
    ];
    let events = {
        let mut run = Run::new(&images, 3);
        run.history(&steps, true);
        run.fault.events() as u64
    };
    for countdown in 0..events {
        for error in [libc_errors::EIO, libc_errors::ENOSPC] {
            let mut run = Run::new(&images, 3);
            let opened_with = run.fault.events();
            run.fault.fail_after(countdown.saturating_sub(opened_with as u64), error);
            run.failed = true;
            run.history(&steps, countdown % 2 == 0);
            assert!(run.waiting.is_empty(), "everything is answered");
            assert!(matches!(run.store.health(), Health::Dead { .. }), "countdown {countdown}");
            let events = run.fault.events();
            run.submit(commands(Step::Small(9), 0).remove(0));
            while run.work() {}
            assert!(run.waiting.is_empty());
            assert_eq!(run.fault.events(), events, "a dead target writes nothing");
            let what = format!("countdown {countdown} error {error}");
            run.check_image(run.fault.images(), usize::MAX, &what);
        }
    }
}

mod libc_errors {
    //! Error numbers of Linux.
    pub(crate) const EIO: i32 = 5;
    pub(crate) const ENOSPC: i32 = 28;
}

#[test]
fn a_flipped_bit_is_detected_or_harmless() {
    let mut run = Run::new(&start_images(), 5);
    let steps = [
        Step::Small(1),
        Step::Array(100, 50),
        Step::Checkpoint,
        Step::Large(2),
        Step::Checkpoint,
        Step::Array(90, 9000),
        Step::PunchRange,
        Step::Rest,
    ];
    run.history(&steps, false);
    let images = run.fault.images();
    let expected = run.states.last().unwrap().clone().unwrap();
    let mut random = StdRng::seed_from_u64(5);
    let (mut detected, mut harmless, mut refused) = (0, 0, 0);
    for n in 0..3000 {
        let region = n % 3;
        // Where something is written, and its neighbourhood.
        let used = images[region].iter().rposition(|&byte| byte != 0).unwrap() + 512;
        let mut bad = images.clone();
        let bit = random.random_range(0..used * 8);
        bad[region][bit / 8] ^= 1 << (bit % 8);
        let mut mems = bad.into_iter().map(Mem::from_image);
        let mut next = || Box::new(mems.next().unwrap());
        let devices = Devices { wal: next(), meta: next(), data: next() };
        match Driven::open(devices, IDENTITY, memory(), settings()) {
            Err(OpenError::Io { .. }) => panic!("memory does not fail"),
            Err(_) => detected += 1,
            Ok((mut driven, _)) => match read_all(&mut driven) {
                Ok(found) => {
                    assert_eq!(found.as_ref(), Some(&expected), "bit {bit} of region {region}");
                    harmless += 1;
                }
                Err(status) => {
                    assert_eq!(status, Status::Checksum, "bit {bit} of region {region}");
                    assert!(driven.store.take_event().is_some());
                    refused += 1;
                }
            },
        }
    }
    println!("of 3000 flipped bits {detected} were found at open, {refused} at a fetch, {harmless} did no harm");
    assert!(detected > 300 && refused > 300, "{detected} {refused}");
}

#[test]
fn damage_in_the_middle_of_the_log_is_told_apart_from_a_torn_end() {
    let mut run = Run::new(&start_images(), 6);
    run.history(&[Step::Small(1), Step::Small(2), Step::Small(3)], false);
    let mut images = run.fault.images();
    // The seventh block is in the middle of what these steps and the creation of the pool wrote.
    let groups = images[0].chunks(4096).take_while(|block| block.starts_with(b"DWAL")).count();
    assert!(groups >= 5, "{groups}");
    images[0][(groups - 2) * 4096 + 100] ^= 1;
    let mut mems = images.into_iter().map(Mem::from_image);
    let mut next = || Box::new(mems.next().unwrap());
    let devices = Devices { wal: next(), meta: next(), data: next() };
    let Err(error) = Driven::open(devices, IDENTITY, memory(), settings()) else { panic!("it must not open") };
    let OpenError::Damaged { offset, .. } = &error else { panic!("{error}") };
    assert_eq!(*offset, (groups as u64 - 2) * 4096);
    assert!(error.to_string().starts_with("the wal slice is damaged at byte"), "{error}");
}

#[test]
fn a_target_opens_only_for_its_owner_and_size() {
    let mems = target::Mems::new(&GEOMETRY);
    let formatted = format(&mut mems.devices(), IDENTITY, ARENA);
    assert!(formatted.is_ok());
    let stranger = daos_store::Identity { target: types::TargetIndex(9), ..IDENTITY };
    assert!(matches!(open(&mut mems.devices(), stranger, memory(), settings()), Err(OpenError::WrongIdentity { .. })));
    let small = Box::new(vec![0; ARENA as usize / 2]);
    assert!(matches!(open(&mut mems.devices(), IDENTITY, small, settings()), Err(OpenError::WrongSize { .. })));
    let blank = target::Mems::new(&GEOMETRY);
    assert!(matches!(open(&mut blank.devices(), IDENTITY, memory(), settings()), Err(OpenError::NoSuperblock { .. })));
    assert!(open(&mut mems.devices(), IDENTITY, memory(), settings()).is_ok());
}
