//! A writer that knows what was acknowledged.
//!
//! Of its keys, which it changes again and again, even ones hold single values; odd ones are slots of one array, written as a whole so that a
//! torn one shows. Beside them it puts values that it never touches again: what is lost long after its acknowledgement shows, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use client::{Container, Object};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use types::{Condition, Key, ObjectId, Status};

use crate::pattern;

const KEYS: usize = 24;
/// Bytes of one array slot: in the data role, and not on whole blocks.
const SLOT_BYTES: usize = 12_000;
/// One change of so many is a value that stays.
const STAYS: u32 = 24;

/// What a key may hold: nothing, or the pattern of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Holds { version: u64, length: usize },
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    known: State,
    /// A change whose answer did not come.
    doubtful: Option<State>,
}

/// One writer with keys of its own.
pub struct Writer {
    number: u64,
    object: Object,
    /// For the values that stay.
    kept_object: Object,
    rng: StdRng,
    version: u64,
    entries: Vec<Entry>,
    /// Version and length of every value that stays.
    kept: Vec<(u64, usize)>,
    acknowledged: Arc<AtomicU64>,
    /// How a change may stay without an acknowledgement.
    losses: &'static [Status],
}

impl Writer {
    /// Writer `number` of a fresh container; it adds what is acknowledged to a count that writers share.
    pub fn new(number: u64, container: &Container, acknowledged: Arc<AtomicU64>) -> Writer {
        let object = container.object(ObjectId { hi: 0, lo: 100 + number });
        let kept_object = container.object(ObjectId { hi: 1, lo: 100 + number });
        let entries = vec![Entry { known: State::Absent, doubtful: None }; KEYS];
        let (rng, version, kept) = (StdRng::seed_from_u64(number), 0, Vec::new());
        Writer {
            number,
            object,
            kept_object,
            rng,
            version,
            entries,
            kept,
            acknowledged,
            losses: &[Status::Unreachable],
        }
    }

    /// The same, where changes may also end with one of `losses` instead of their acknowledgement.
    #[must_use]
    pub fn who_may_meet(self, losses: &'static [Status]) -> Writer {
        Writer { losses, ..self }
    }

    fn bytes(&self, version: u64, length: usize) -> Bytes {
        pattern(self.number << 40 | version, length).into()
    }

    fn is_slot(index: usize) -> bool {
        index % 2 == 1
    }

    fn dkey(index: usize) -> String {
        if Writer::is_slot(index) { "array".to_owned() } else { format!("key{index:02}") }
    }

    fn names(index: usize) -> (Key, Key) {
        (Key::try_from(Writer::dkey(index).as_str()).unwrap(), Key::try_from("value").unwrap())
    }

    async fn change(&mut self) {
        let index = self.rng.random_range(0..KEYS);
        self.version += 1;
        let (dkey, akey) = Writer::names(index);
        let offset = (index * SLOT_BYTES) as u64;
        let remove = self.entries[index].known != State::Absent && self.rng.random_range(0..8) == 0;
        let (next, result) = if remove {
            let result = if Writer::is_slot(index) {
                self.object.punch_range(&dkey, &akey, offset, SLOT_BYTES as u64).await
            } else if self.version.is_multiple_of(2) {
                self.object.punch_dkey(&dkey).await
            } else {
                self.object.punch_akey(&dkey, &akey, Condition::Always).await
            };
            (State::Absent, result)
        } else {
            let length = match self.rng.random_range(0..20) {
                _ if Writer::is_slot(index) => SLOT_BYTES,
                0 => self.rng.random_range(200_000..1_500_000),
                1..=6 => self.rng.random_range(4_000..60_000),
                _ => self.rng.random_range(1..4_000),
            };
            let data = self.bytes(self.version, length);
            let result = if Writer::is_slot(index) {
                self.object.put_array(&dkey, &akey, offset, data).await
            } else {
                self.object.put(&dkey, &akey, data).await
            };
            (State::Holds { version: self.version, length }, result)
        };
        match result {
            Ok(_) => {
                self.entries[index] = Entry { known: next, doubtful: None };
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(self.losses.contains(&error.status()), "{error}");
                self.entries[index].doubtful = Some(next);
            }
        }
    }

    /// Puts a value that stays. False when its answer did not come: nobody was told that it is there.
    async fn keep(&mut self) -> bool {
        self.version += 1;
        let length = self.rng.random_range(1..20_000);
        let (dkey, akey) = Writer::kept_names(self.version);
        match self.kept_object.put(&dkey, &akey, self.bytes(self.version, length)).await {
            Ok(_) => {
                self.kept.push((self.version, length));
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(error) => {
                assert!(self.losses.contains(&error.status()), "{error}");
                false
            }
        }
    }

    fn kept_names(version: u64) -> (Key, Key) {
        (Key::try_from(format!("kept{version:010}").as_str()).unwrap(), Key::try_from("value").unwrap())
    }

    /// Runs until told to stop, or until a change stays unanswered: its key must be read before it is changed again.
    pub async fn run(mut self, stop: Arc<AtomicBool>) -> Writer {
        while !stop.load(Ordering::Relaxed) && self.entries.iter().all(|entry| entry.doubtful.is_none()) {
            if self.rng.random_range(0..STAYS) > 0 {
                self.change().await;
            } else if !self.keep().await {
                break;
            }
        }
        self
    }

    async fn read(&self, index: usize) -> Option<Bytes> {
        let (dkey, akey) = Writer::names(index);
        if !Writer::is_slot(index) {
            return self.object.get(&dkey, &akey).await.unwrap_or_else(|error| panic!("reading back: {error}"));
        }
        let at = (index * SLOT_BYTES) as u64;
        let segments = match self.object.get_array(&dkey, &akey, at, SLOT_BYTES as u64).await {
            Err(error) if error.status() == Status::Nonexistent => return None,
            other => other.unwrap_or_else(|error| panic!("reading back: {error}")),
        };
        let data: Vec<u8> = segments.iter().flat_map(|segment| segment.data.clone()).collect();
        if data.is_empty() { None } else { Some(data.into()) }
    }

    /// Compares every key with what it may hold; what is found settles a doubt. Gives how many doubts turned out to have
    /// happened.
    pub async fn verify(&mut self) -> u64 {
        let mut happened = 0;
        for index in 0..KEYS {
            let found = self.read(index).await;
            let matches = |state: State| match (state, &found) {
                (State::Absent, None) => true,
                (State::Holds { version, length }, Some(data)) => *data == self.bytes(version, length),
                _ => false,
            };
            let Entry { known, doubtful } = self.entries[index];
            let settled = if matches(known) {
                known
            } else if let Some(next) = doubtful.filter(|next| matches(*next)) {
                happened += 1;
                next
            } else {
                panic!(
                    "writer {} key {index}: {:?} bytes found, {known:?} was acknowledged, {doubtful:?} under way",
                    self.number,
                    found.as_ref().map(Bytes::len)
                )
            };
            self.entries[index] = Entry { known: settled, doubtful: None };
        }
        self.verify_list().await;
        happened
    }

    /// Reads every value that stays and gives how many there are.
    pub async fn verify_kept(&self) -> u64 {
        for &(version, length) in &self.kept {
            let (dkey, akey) = Writer::kept_names(version);
            let found = self.kept_object.get(&dkey, &akey).await;
            let found = found.unwrap_or_else(|error| panic!("reading back: {error}"));
            let known = self.bytes(version, length);
            assert!(
                found.as_ref() == Some(&known),
                "writer {} value {version}: {:?} bytes found, {length} were acknowledged",
                self.number,
                found.as_ref().map(Bytes::len)
            );
        }
        self.kept.len() as u64
    }

    /// The list of names agrees with the values.
    async fn verify_list(&self) {
        let holds = |index: &usize| self.entries[*index].known != State::Absent;
        let expected: Vec<String> =
            (0..KEYS).filter(|index| !Writer::is_slot(*index)).filter(holds).map(Writer::dkey).collect();
        let listed = self.object.list_dkeys(b"", 100).await.unwrap_or_else(|error| panic!("listing: {error}"));
        let names = listed.names.iter().map(|name| String::from_utf8(name.to_vec()).unwrap());
        let singles: Vec<String> = names.filter(|name| name != "array").collect();
        assert_eq!(singles, expected, "writer {}", self.number);
    }
}
