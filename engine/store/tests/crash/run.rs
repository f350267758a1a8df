//! A workload on journaling devices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daos_store::{
    ArenaMemory, Command, Devices, Driven, Geometry, Health, Reply, Settings, Store, Token, format, open,
};
use media::{Contents, Fault, Queue};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use types::{Address, ChecksumKind, Epoch, Operation, Status};

use crate::alphabet::{Step, commands};
use crate::fsck;
use crate::observe::{read_all, value};
use crate::state::{Ends, State};
use crate::target::{self, IDENTITY, MIB, PLACE, SECOND};

pub(crate) const ARENA: u64 = MIB;
pub(crate) const GEOMETRY: Geometry =
    Geometry { arena_bytes: ARENA, wal_bytes: MIB, meta_bytes: ARENA + 68 * 4096, data_bytes: MIB / 2 };

pub(crate) fn settings() -> Settings {
    Settings {
        checkpoint_every: Duration::from_secs(1_000_000),
        // Late, so that a whole arena can be dirty.
        checkpoint_wal_percent: 85,
        ..Settings::default()
    }
}

pub(crate) fn memory() -> ArenaMemory {
    Box::new(vec![0; ARENA as usize])
}

/// Slices that hold these.
pub(crate) fn devices(contents: Vec<Contents>) -> Devices {
    let mut contents = contents.into_iter();
    let mut next = || Box::new(contents.next().expect("one for each role"));
    Devices { wal: next(), meta: next(), data: next() }
}

/// The contents of a formatted target with its pool and container.
pub(crate) fn start() -> Vec<Contents> {
    let mems = target::Mems::new(&GEOMETRY);
    format(&mut mems.devices(), IDENTITY, ARENA).unwrap();
    let (mut driven, _) = Driven::open(mems.devices(), IDENTITY, memory(), settings()).unwrap();
    let create = Command::PoolCreate { pool: PLACE.pool, scm_bytes: 720 << 10, data_bytes: 448 << 10 };
    assert_eq!(driven.run(create, Epoch(1)), Reply::Done(Ok(())));
    assert_eq!(driven.run(Command::ContainerCreate(PLACE, ChecksumKind::Crc32c), Epoch(2)), Reply::Done(Ok(())));
    [mems.wal, mems.meta, mems.data].iter().map(|mem| Contents::from_bytes(&mem.image())).collect()
}

/// When device commands are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// All of them after each change.
    Serial,
    /// Some of them, in random order.
    Pipelined,
}

/// What a command's reply is compared with.
enum Expected {
    /// The change with this index, and how it must end.
    Change(usize, Ends),
    /// A fetch that must bring what this state has there.
    Read(Arc<State>, Address),
}

/// One change: journal events before it was submitted and before it was acknowledged. A refusal says nothing about the
/// changes before it, so it does not count as acknowledged.
#[derive(Debug, Clone, Copy)]
struct Change {
    submitted: usize,
    acknowledged: Option<usize>,
}

fn result(reply: Reply) -> Result<(), Status> {
    match reply {
        Reply::Operated(answer) => answer.map(|_| ()),
        Reply::Prepared(answer) => answer.map(|_| ()),
        Reply::Done(done) => done,
        other => panic!("not the answer to a change: {other:?}"),
    }
}

/// A store on journaling devices, and the model beside it.
pub(crate) struct Run {
    pub(crate) fault: Fault,
    pub(crate) queue: Queue,
    pub(crate) store: Store,
    pub(crate) now: u64,
    /// The state after each number of changes.
    pub(crate) states: Vec<Arc<State>>,
    changes: Vec<Change>,
    waiting: BTreeMap<Token, Expected>,
    next_token: u64,
    random: StdRng,
    /// Refusals that the model does not foresee and that are right here: what the device or its size imposes. Such a
    /// change must leave nothing behind.
    pub(crate) tolerated: Vec<Status>,
    /// How many there were.
    pub(crate) refused: usize,
}

impl Run {
    pub(crate) fn new(start: &[Contents], seed: u64) -> Run {
        Run::limited(start, seed, None)
    }

    /// One whose arena may use that much memory. With every fourth `seed` all slices lie on one device.
    pub(crate) fn limited(start: &[Contents], seed: u64, limit: Option<u64>) -> Run {
        let one_device = seed % 4 == 2;
        let fault = if one_device { Fault::of_one_device(start.to_vec()) } else { Fault::new(start.to_vec()) };
        let mut devices = Devices {
            wal: Box::new(fault.device(0)),
            meta: Box::new(fault.device(1)),
            data: Box::new(fault.device(2)),
        };
        let memory = target::residence(ARENA, Box::new(fault.device(1)), limit);
        let (store, _) = open(&mut devices, IDENTITY, memory, Settings { one_device, ..settings() }).unwrap();
        Run {
            queue: Queue::new(&fault),
            fault,
            store,
            now: SECOND,
            states: vec![Arc::new(State::empty())],
            changes: Vec::new(),
            waiting: BTreeMap::new(),
            next_token: 0,
            random: StdRng::seed_from_u64(seed),
            tolerated: Vec::new(),
            refused: 0,
        }
    }

    /// Hands a command in.
    pub(crate) fn submit(&mut self, command: Command) {
        self.now += 1000;
        let before = self.states.last().expect("there is a first one");
        let expected = match &command {
            Command::Operate { operation: Operation::Fetch { address, .. }, .. } => {
                Expected::Read(Arc::clone(before), address.clone())
            }
            _ => {
                let mut state = State::clone(before);
                let ends = state.apply(&command, self.now);
                let next = if ends == Ends::Made { Arc::new(state) } else { Arc::clone(before) };
                self.states.push(next);
                self.changes.push(Change { submitted: self.fault.events(), acknowledged: None });
                Expected::Change(self.changes.len() - 1, ends)
            }
        };
        let token = Token(self.next_token);
        self.next_token += 1;
        self.waiting.insert(token, expected);
        self.store.submit(token, command, Epoch(self.now));
        self.take_replies();
    }

    /// Commands that were not answered yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.waiting.len()
    }

    fn take_replies(&mut self) {
        while let Some((token, reply)) = self.store.take_reply() {
            let expected = self.waiting.remove(&token).expect("each command is answered once");
            match (expected, reply) {
                (Expected::Read(state, address), Reply::Operated(answer)) => self.check_read(&state, &address, answer),
                (Expected::Change(index, ends), reply) => {
                    let found = result(reply);
                    match (ends, found) {
                        (Ends::Made, Ok(())) => self.changes[index].acknowledged = Some(self.fault.events()),
                        (Ends::Refused(wanted), Err(status)) if status == wanted => {}
                        (_, Err(status)) => self.tolerate(index, status),
                        (Ends::Refused(wanted), Ok(())) => {
                            panic!("change {index} was made; it should have been refused: {wanted}");
                        }
                    }
                }
                (Expected::Read(..), other) => panic!("{other:?}"),
            }
        }
    }

    fn check_read(&mut self, state: &State, address: &Address, answer: types::Answer) {
        match value(answer) {
            Ok(found) => {
                let held = |state: &State| state.values.as_ref().and_then(|values| values.get(address)).cloned();
                // What a dead target has refused may be there and may not; it must not serve anything else.
                let is_dead = self.store.health() != Health::Healthy;
                let of_the_dead = || self.possible(self.fault.events()).iter().any(|state| held(state) == found);
                assert!(
                    held(state) == found || is_dead && of_the_dead(),
                    "what was served under {address:?} is not what {state:?} has"
                );
            }
            Err(status) if self.tolerated.contains(&status) => self.refused += 1,
            Err(status) => panic!("{address:?} were refused: {status}"),
        }
    }

    /// A refusal that the model did not foresee. What it was to change stays as it was, unless the target died: then
    /// it may be there.
    fn tolerate(&mut self, index: usize, status: Status) {
        assert!(self.tolerated.contains(&status), "change {index}: {status}");
        self.refused += 1;
        if status != Status::Io {
            assert_eq!(index + 1, self.changes.len(), "such histories go one by one");
            self.states[index + 1] = Arc::clone(&self.states[index]);
        }
    }

    /// Executes one of the device commands in flight; false when there is none.
    pub(crate) fn work(&mut self) -> bool {
        while self.store.wants_turn() {
            self.store.turn();
        }
        while let Some(io) = self.store.take_io() {
            self.queue.give(io);
        }
        self.take_replies();
        if self.queue.is_empty() {
            return false;
        }
        let number = self.random.random_range(0..self.queue.len());
        if let Some(done) = self.queue.execute(number) {
            self.store.complete(done);
            self.take_replies();
        }
        true
    }

    pub(crate) fn work_off(&mut self) {
        while self.work() {}
    }

    /// Hands a command in and lets time pass until it is answered.
    pub(crate) fn finish(&mut self, command: Command) {
        self.submit(command);
        for _ in 0..1000 {
            self.work_off();
            if self.waiting.is_empty() {
                return;
            }
            self.now += SECOND / 100;
            self.store.tick(Epoch(self.now));
        }
        panic!("a command is never answered: {:?} {:?}", self.store.stats(), self.store.health());
    }

    /// Lets time pass, long enough for a seal, the history window and all graves.
    pub(crate) fn rest(&mut self) {
        for _ in 0..8 {
            self.work_off();
            self.now += 70 * SECOND;
            self.store.tick(Epoch(self.now));
        }
        self.work_off();
    }

    pub(crate) fn step(&mut self, step: Step, pace: Pace) {
        if step == Step::Rest {
            self.rest();
        }
        if step.takes_time() {
            // All before it is done first, so that it is one change among others.
            self.work_off();
        }
        for command in commands(step, self.now, &self.states[self.states.len() - 1].clone()) {
            if step.takes_time() {
                self.finish(command);
                self.now += SECOND;
                continue;
            }
            self.submit(command);
            match pace {
                Pace::Serial => self.work_off(),
                Pace::Pipelined if self.random.random_bool(0.5) => {
                    self.work();
                }
                Pace::Pipelined => {}
            }
        }
    }

    /// Runs a workload to its end.
    pub(crate) fn history(&mut self, steps: &[Step], pace: Pace) {
        for &step in steps {
            self.step(step, pace);
        }
        self.work_off();
    }

    /// The states that are right after a loss of power `done` events on: all changes acknowledged by then, and any
    /// number of those submitted by then.
    pub(crate) fn possible(&self, done: usize) -> &[Arc<State>] {
        let last = self.changes.iter().rposition(|change| change.acknowledged.is_some_and(|at| at <= done));
        let submitted = self.changes.iter().filter(|change| change.submitted <= done).count();
        &self.states[last.map_or(0, |last| last + 1)..=submitted]
    }

    /// What it must hold now.
    pub(crate) fn last(&self) -> &State {
        self.states.last().expect("there is a first one")
    }

    /// What it held before the last group that changed something was acknowledged.
    pub(crate) fn before_last_group(&self) -> &State {
        let newest = self.changes.iter().filter_map(|change| change.acknowledged).max();
        let first = self.changes.iter().position(|change| change.acknowledged == newest && newest.is_some());
        &self.states[first.unwrap_or(self.changes.len())]
    }

    /// What the devices hold if nothing is lost.
    pub(crate) fn contents(&self) -> Vec<Contents> {
        self.fault.contents()
    }
}

/// Opens an image and checks all of it: every structure, every book, every value. The target and what it holds.
pub(crate) fn recover(image: Vec<Contents>, limit: Option<u64>, what: &dyn Fn() -> String) -> (Driven, State) {
    let opened = match limit {
        None => Driven::open(devices(image), IDENTITY, memory(), settings()),
        Some(_) => {
            // Page-ins must see what is written to the image.
            let fault = Fault::new(image);
            let slice = |number| Box::new(fault.device(number));
            let devices = Devices { wal: slice(0), meta: slice(1), data: slice(2) };
            Driven::open(devices, IDENTITY, target::residence(ARENA, slice(1), limit), settings())
        }
    };
    let (mut driven, _) = opened.unwrap_or_else(|error| panic!("{}: {error}", what()));
    driven.store.check().unwrap_or_else(|error| panic!("{}: {error}", what()));
    let found = read_all(&mut driven).unwrap_or_else(|status| panic!("{}: {status}", what()));
    (driven, found)
}

/// A recovered target, which holds `found`, takes changes, checkpoints, and opens again with them. Its clock says that it is long ago: what
/// it writes must be newer all the same than what it held.
pub(crate) fn check_goes_on(driven: &mut Driven, found: &State, what: &dyn Fn() -> String) {
    let mut expected = found.clone();
    let create = Command::ContainerCreate(PLACE, ChecksumKind::Crc32c);
    let mut all = vec![create];
    for step in [Step::Commit, Step::PunchDkey, Step::Large, Step::Piece, Step::Checkpoint, Step::Small] {
        all.extend(commands(step, 1, found));
    }
    for (n, command) in all.into_iter().enumerate() {
        let ends = expected.apply(&command, (1 << 62) + n as u64);
        let answer = result(driven.run(command, Epoch(1)));
        let right = match ends {
            Ends::Made => answer == Ok(()),
            Ends::Refused(status) => answer == Err(status),
        };
        assert!(right, "{}: {ends:?} but {answer:?}", what());
    }
    let (store, _) = open(&mut driven.devices, IDENTITY, memory(), settings()).unwrap();
    driven.store = store;
    driven.store.check().unwrap_or_else(|error| panic!("{}: {error}", what()));
    assert_eq!(read_all(driven).unwrap(), expected, "{}", what());
    fsck::check_clean(&mut driven.devices, what);
}
