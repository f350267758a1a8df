//! Random histories against a model that keeps every version of everything, through checkpoints, reopening and losses of
//! power.

#[path = "model/past.rs"]
mod past;
mod target;
#[path = "model/unsettled.rs"]
mod unsettled;
#[path = "model/volatile.rs"]
mod volatile;

use std::collections::BTreeMap;

use bytes::Bytes;
use daos_store::{Command, Reply};
use past::{Past, covers};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use target::{MIB, OBJECT, PLACE, Target, data, geometry, key, spoil};
use types::{
    Address, ChecksumKind, Condition, Epoch, Key, Level, ObjectId, Operation, Outcome, Scope, Selection, Shape, Status,
};

/// What happened to an akey or above it, in order.
#[derive(Debug, Clone)]
enum Event {
    Single(Bytes),
    Written(u64, Bytes),
    Hole(u64, u64),
    Punched,
}

/// What an akey holds at some epoch.
#[derive(Debug, Clone, Default, PartialEq)]
struct Value {
    single: Option<Bytes>,
    /// The byte at each offset of the array, up to the last one.
    bytes: Vec<Option<u8>>,
}

impl Value {
    fn holds(&self) -> bool {
        self.single.is_some() || self.size() > 0
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let (from, to) = (offset as usize, offset as usize + data.len());
        self.bytes.resize(self.bytes.len().max(to), None);
        self.bytes[from..to].iter_mut().zip(data).for_each(|(old, new)| *old = Some(*new));
    }

    fn size(&self) -> u64 {
        self.bytes.iter().rposition(Option::is_some).map_or(0, |at| at as u64 + 1)
    }
}

type Names = (ObjectId, Key, Key);

#[derive(Default, Clone)]
struct Model {
    history: BTreeMap<Names, Vec<(Epoch, Event)>>,
}

impl Model {
    fn value(&self, names: &Names, as_of: Epoch) -> Value {
        let mut value = Value::default();
        for (_, event) in self.history.get(names).into_iter().flatten().take_while(|(epoch, _)| *epoch <= as_of) {
            match event {
                Event::Single(data) => value.single = Some(data.clone()),
                Event::Written(offset, data) => value.write(*offset, data),
                Event::Hole(offset, length) => {
                    let end = value.bytes.len().min((*offset + *length) as usize);
                    value.bytes[(*offset as usize).min(end)..end].fill(None);
                }
                Event::Punched => value = Value::default(),
            }
        }
        value
    }

    fn push(&mut self, names: &Names, epoch: Epoch, event: Event) {
        self.history.entry(names.clone()).or_default().push((epoch, event));
    }

    /// Enters a change that is not the newest.
    fn insert(&mut self, names: &Names, epoch: Epoch, event: Event) {
        let events = self.history.entry(names.clone()).or_default();
        events.insert(events.partition_point(|(at, _)| *at <= epoch), (epoch, event));
    }

    fn punch(&mut self, epoch: Epoch, covers: impl Fn(&Names) -> bool) {
        for (names, events) in &mut self.history {
            if covers(names) {
                events.push((epoch, Event::Punched));
            }
        }
    }

    fn names(&self, level: &Level, as_of: Epoch) -> Vec<Bytes> {
        let mut names: Vec<Bytes> = self
            .history
            .keys()
            .filter(|names| self.value(names, as_of).holds())
            .filter_map(|(object, dkey, akey)| match level {
                Level::Objects => Some(Bytes::copy_from_slice(&object.to_bytes())),
                Level::Dkeys(wanted) => (wanted == object).then(|| Bytes::copy_from_slice(dkey.as_bytes())),
                Level::Akeys(wanted, within) => {
                    (wanted == object && within == dkey).then(|| Bytes::copy_from_slice(akey.as_bytes()))
                }
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

struct Run {
    target: Target,
    model: Model,
    random: StdRng,
    /// Reads of the past before this one may be refused.
    history_from: Epoch,
    epochs: Vec<Epoch>,
    past: Past,
}

const OBJECTS: [ObjectId; 2] = [OBJECT, ObjectId { hi: u64::MAX, lo: u64::MAX }];

impl Run {
    fn names(&mut self) -> Names {
        let long = "k".repeat(3000);
        let keys = ["a", "b", "a\0", &long];
        let mut pick = |n: usize| self.random.random_range(0..n);
        (OBJECTS[pick(2)], key(keys[pick(4)]), key(keys[pick(3)]))
    }

    fn address(names: &Names) -> Address {
        Address { object: names.0, dkey: names.1.clone(), akey: names.2.clone() }
    }

    fn as_of(&mut self) -> Epoch {
        let snapshots = self.past.snapshots.len();
        if snapshots > 0 && self.random.random_bool(0.2) {
            return *self.past.snapshots.iter().nth(self.random.random_range(0..snapshots)).expect("there are as many");
        }
        let known = self.epochs.len();
        if known == 0 || self.random.random_bool(0.5) {
            return Epoch::MAX;
        }
        let epoch = self.epochs[self.random.random_range(0..known)];
        if epoch < self.history_from { Epoch::MAX } else { epoch }
    }

    fn length(&mut self) -> usize {
        match self.random.random_range(0..10) {
            0 => self.random.random_range(4090..4100),
            1 => self.random.random_range(30_000..70_000),
            2 | 3 => self.random.random_range(400..700),
            _ => self.random.random_range(1..60),
        }
    }

    fn update(&mut self) {
        let names = self.names();
        let held = self.model.value(&names, Epoch::MAX);
        let length = self.length();
        let bytes = data(length, self.random.random());
        let offset = self.random.random_range(0..5000);
        // Mostly of the kind that is there, else nearly everything is refused.
        let is_single = if self.random.random_bool(0.9) && held.holds() {
            held.single.is_some()
        } else {
            self.random.random_bool(0.3)
        };
        let shape = if is_single { Shape::Single } else { Shape::array(offset) };
        let bytes = if is_single && self.random.random_bool(0.1) { Bytes::new() } else { bytes };
        let condition = [Condition::Always, Condition::Always, Condition::Absent, Condition::Present]
            [self.random.random_range(0..4)];
        let foreign = !bytes.is_empty() && self.random.random_bool(0.03);
        let others: Vec<ChecksumKind> =
            ChecksumKind::ALL.into_iter().filter(|kind| *kind != self.target.kind).collect();
        let kind = if foreign { others[self.random.random_range(0..2)] } else { self.target.kind };
        let mut checksums = erasure::checksums(kind, &bytes);
        let spoiled = !checksums.is_empty() && self.random.random_bool(0.05);
        if spoiled {
            checksums = spoil(&checksums);
        }
        let conflict = if is_single { held.size() > 0 } else { held.single.is_some() };
        let expected = match condition {
            _ if foreign => Err(Status::Invalid),
            _ if spoiled => Err(Status::Checksum),
            Condition::Absent if held.holds() => Err(Status::Exists),
            Condition::Present if !held.holds() => Err(Status::Nonexistent),
            _ if conflict => Err(Status::Invalid),
            _ if self.past.holds(|held| *held == names) => Err(Status::Busy),
            _ => Ok(()),
        };
        let address = Run::address(&names);
        let operation = Operation::Update { address, shape, condition, checksums, data: bytes.clone() };
        let answer = self.target.operate(operation);
        match (expected, answer) {
            (Ok(()), Ok(Outcome::Changed(epoch))) => {
                let event = if is_single { Event::Single(bytes) } else { Event::Written(offset, bytes) };
                self.model.push(&names, epoch, event);
                self.epochs.push(epoch);
            }
            (Err(expected), Err(status)) => assert_eq!(status, expected),
            (expected, answer) => panic!("update of {names:?} as {shape:?}: {expected:?} but {answer:?}"),
        }
    }

    fn punch(&mut self) {
        let names = self.names();
        let (object, dkey, _) = names.clone();
        let held = self.model.value(&names, Epoch::MAX);
        let (scope, condition) = match self.random.random_range(0..10) {
            0 => (Scope::Object(object), Condition::Always),
            1 | 2 => (Scope::Dkey(object, dkey.clone()), Condition::Always),
            3..6 => {
                let condition =
                    [Condition::Always, Condition::Absent, Condition::Present][self.random.random_range(0..3)];
                (Scope::Akey(Run::address(&names)), condition)
            }
            _ => {
                let offset = self.random.random_range(0..6000);
                let length =
                    if self.random.random_bool(0.1) { (1 << 63) - offset } else { self.random.random_range(1..4000) };
                (Scope::Range { address: Run::address(&names), offset, length }, Condition::Always)
            }
        };
        let expected = match (condition, &scope) {
            (Condition::Absent, _) if held.holds() => Err(Status::Exists),
            (Condition::Present, _) if !held.holds() => Err(Status::Nonexistent),
            (_, Scope::Range { .. }) if held.single.is_some() => Err(Status::Invalid),
            _ if self.past.holds(|held| covers(&scope, held)) => Err(Status::Busy),
            _ => Ok(()),
        };
        let answer = self.target.operate(Operation::Punch { scope: scope.clone(), condition });
        let here = |names: &Names| covers(&scope, names) && self.model.value(names, Epoch::MAX).holds();
        match (expected, answer) {
            // Nothing is there, so nothing is done, unless what is left of the past is in the way.
            (Err(Status::Busy), Ok(_)) => assert!(!self.model.history.keys().any(here)),
            (Ok(()), Ok(Outcome::Changed(epoch))) => {
                match scope {
                    Scope::Object(_) => self.model.punch(epoch, |one| one.0 == object),
                    Scope::Dkey(..) => self.model.punch(epoch, |one| one.0 == object && one.1 == dkey),
                    Scope::Akey(_) => self.model.punch(epoch, |one| *one == names),
                    Scope::Range { offset, length, .. } => self.model.push(&names, epoch, Event::Hole(offset, length)),
                }
                self.epochs.push(epoch);
            }
            (Err(expected), Err(status)) => assert_eq!(status, expected),
            (expected, answer) => panic!("punch of {scope:?}: {expected:?} but {answer:?}"),
        }
    }

    fn fetch(&mut self) {
        let names = self.names();
        let epoch = self.as_of();
        let value = self.model.value(&names, epoch);
        let address = Run::address(&names);
        if self.random.random_bool(0.3) {
            let answer = self.target.operate(Operation::Fetch { address, selection: Selection::Single, epoch });
            match (&value.single, answer) {
                (Some(expected), Ok(Outcome::Fetched(segments))) => {
                    assert_eq!(segments.len(), 1);
                    assert_eq!(segments[0].data, expected);
                    assert_eq!(erasure::verify(&segments[0].data, &segments[0].checksums), Ok(()));
                }
                (None, Err(Status::Nonexistent)) => assert!(!value.holds()),
                (None, Err(Status::Invalid)) => assert!(value.size() > 0),
                (expected, answer) => panic!("{names:?} at {epoch}: {expected:?} but {answer:?}"),
            }
            return;
        }
        let (offset, length) = (self.random.random_range(0..7000), self.random.random_range(1..80_000));
        let selection = Selection::Array { offset, length };
        let answer = self.target.operate(Operation::Fetch { address: address.clone(), selection, epoch });
        let mut expected = value.bytes.clone();
        expected.truncate((offset + length) as usize);
        expected.iter_mut().take(offset as usize).for_each(|byte| *byte = None);
        match answer {
            Ok(Outcome::Fetched(segments)) => {
                assert!(value.size() > 0);
                let mut found = vec![None; expected.len()];
                let mut end = 0;
                for segment in segments {
                    assert!(segment.offset >= end && !segment.data.is_empty(), "segments ascend");
                    assert_eq!(erasure::verify(&segment.data, &segment.checksums), Ok(()));
                    end = segment.offset + segment.data.len() as u64;
                    found[segment.offset as usize..end as usize]
                        .iter_mut()
                        .zip(&segment.data)
                        .for_each(|(place, byte)| *place = Some(*byte));
                }
                assert!(found == expected, "{names:?} {selection:?} at {epoch}");
            }
            Err(Status::Nonexistent) => assert!(!value.holds()),
            Err(Status::Invalid) => assert!(value.single.is_some()),
            other => panic!("{other:?}"),
        }
        let size = self.target.operate(Operation::ArraySize { address, epoch });
        match value.single {
            Some(_) => assert_eq!(size, Err(Status::Invalid)),
            None => assert_eq!(size, Ok(Outcome::Size(value.size()))),
        }
    }

    fn list(&mut self) {
        let (object, dkey, _) = self.names();
        let epoch = self.as_of();
        for level in [Level::Objects, Level::Dkeys(object), Level::Akeys(object, dkey)] {
            assert_eq!(self.target.list(&level, epoch), self.model.names(&level, epoch), "{level:?} at {epoch}");
        }
    }

    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..45 => self.update(),
            45..60 => self.punch(),
            60..76 => self.fetch(),
            76..80 => self.list(),
            80..82 => self.extents(),
            82..84 => self.snapshot(),
            84..85 => self.aggregate(),
            85..86 => self.discard(),
            86..88 => self.prepare(),
            88..90 => self.resolve(),
            90..91 => self.list_while_changing(),
            // Page-ins read the medium; they would not see what is only in the caches.
            91..93 if self.target.limit.is_none() => self.lose_power(),
            91..93 => self.target.reopen(),
            93..95 => self.target.checkpoint(),
            95..97 => self.target.reopen(),
            97..98 => {
                // A minute and a half passes and all that was superseded goes.
                self.target.now = Epoch(self.target.now.0 + 90 * target::SECOND);
                self.target.settle();
                let window = self.target.settings.history;
                self.history_from = self.target.now.saturating_sub(window);
            }
            _ => self.target.check(),
        }
    }
}

/// Runs one history; returns its target when everything in it is gone again.
fn history(seed: u64, target: Target) -> Target {
    let random = StdRng::seed_from_u64(seed);
    let mut run = Run {
        target,
        model: Model::default(),
        random,
        history_from: Epoch::ZERO,
        epochs: Vec::new(),
        past: Past::default(),
    };
    for _ in 0..250 {
        run.step();
    }
    println!("seed {seed}: {:?}", run.past.counts);
    run.target.check();
    // Destroying the container gives everything back.
    assert_eq!(run.target.run(Command::ContainerDestroy(PLACE)), Reply::Done(Ok(())));
    run.target.settle();
    run.target.check();
    match run.target.run(Command::PoolQuery(PLACE.pool)) {
        Reply::PoolSpace(Ok(space)) => {
            assert_eq!((space.scm_free, space.data_free), (space.scm_total, space.data_total));
        }
        other => panic!("{other:?}"),
    }
    run.target
}

#[test]
fn random_histories_match_the_model_at_every_epoch() {
    let target = |seed: u64| Target::of_kind(ChecksumKind::ALL[seed as usize % 3]);
    let seeds = 0..if cfg!(feature = "long") { 2000 } else { 40 };
    let reclaimed: u64 = seeds.map(|seed| history(seed, target(seed)).driven.store.stats().reclaimed).sum();
    assert!(reclaimed > 100, "only {reclaimed} records were reclaimed");
}

#[test]
fn random_histories_match_the_model_in_little_memory() {
    let (mut page_ins, mut evictions) = (0, 0);
    for seed in 100..130 {
        let limit = [32, 128, 300][seed as usize % 3] << 10;
        let target = Target::limited(geometry(16 * MIB, 4 * MIB, 64 * MIB), 8 * MIB, 48 * MIB, Some(limit));
        let stats = history(seed, target).driven.store.stats();
        page_ins += stats.page_ins;
        evictions += stats.evictions;
    }
    println!("{page_ins} pages came and {evictions} went");
    assert!(page_ins > 1000 && evictions > 1000, "only {page_ins} pages came and {evictions} went");
}
