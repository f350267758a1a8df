//! `kill -9` under load: whatever was acknowledged is there afterwards, whatever was not is whole or absent.
//!
//! Writers keep changing their own keys and slots of arrays. At a random moment the engine (every fifth time the server
//! too) is killed; then every key is read back and compared with what its writer knows: the last acknowledged state, or
//! that of the one change that was under way. `DAOS_SUITE_KILLS` sets the number of kills (25).
#![allow(clippy::disallowed_methods)] // a suite: it reads the clock and the environment

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Container, Object, Settings};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use system_suite::{Cluster, Options, pattern};
use types::{Condition, Key, ObjectId};

const WRITERS: u64 = 8;
const KEYS: usize = 24;
/// Bytes of one array slot. Slots are written as a whole, so a torn one shows.
const SLOT_BYTES: usize = 12_000;

/// What a key may hold: nothing, or the pattern of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Holds { version: u64, length: usize },
}

struct Entry {
    known: State,
    /// A change whose answer did not come.
    doubtful: Option<State>,
}

struct Writer {
    number: u64,
    object: Object,
    rng: StdRng,
    version: u64,
    entries: Vec<Entry>,
    acknowledged: Arc<AtomicU64>,
}

impl Writer {
    fn new(number: u64, container: &Container, acknowledged: Arc<AtomicU64>) -> Writer {
        let object = container.object(ObjectId { hi: 0, lo: 100 + number });
        let entries = (0..KEYS).map(|_| Entry { known: State::Absent, doubtful: None }).collect();
        Writer { number, object, rng: StdRng::seed_from_u64(number), version: 0, entries, acknowledged }
    }

    fn bytes(&self, version: u64, length: usize) -> Bytes {
        pattern(self.number << 40 | version, length).into()
    }

    /// Even keys hold single values, odd ones are slots of the writer's array.
    fn is_slot(index: usize) -> bool {
        index % 2 == 1
    }

    fn names(&self, index: usize) -> (Key, Key) {
        let dkey = if Writer::is_slot(index) { "array".to_owned() } else { format!("key{index}") };
        (Key::try_from(dkey.as_str()).unwrap(), Key::try_from("value").unwrap())
    }

    async fn change(&mut self) {
        let index = self.rng.random_range(0..KEYS);
        self.version += 1;
        let (dkey, akey) = self.names(index);
        let remove = self.entries[index].known != State::Absent && self.rng.random_range(0..8) == 0;
        let (next, result) = if remove {
            let result = if Writer::is_slot(index) {
                self.object.punch_range(&dkey, &akey, (index * SLOT_BYTES) as u64, SLOT_BYTES as u64).await
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
                self.object.put_array(&dkey, &akey, (index * SLOT_BYTES) as u64, data).await
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
                assert_eq!(error.status(), types::Status::Unreachable, "{error}");
                self.entries[index].doubtful = Some(next);
            }
        }
    }

    /// Runs until told to stop, or until a change stays unanswered: its key must be read before it is changed again.
    async fn run(mut self, stop: Arc<AtomicBool>) -> Writer {
        while !stop.load(Ordering::Relaxed) && self.entries.iter().all(|entry| entry.doubtful.is_none()) {
            self.change().await;
        }
        self
    }

    async fn read(&self, index: usize) -> Option<Bytes> {
        let (dkey, akey) = self.names(index);
        if !Writer::is_slot(index) {
            return self.object.get(&dkey, &akey).await.unwrap_or_else(|error| panic!("reading back: {error}"));
        }
        let at = (index * SLOT_BYTES) as u64;
        let segments = match self.object.get_array(&dkey, &akey, at, SLOT_BYTES as u64).await {
            Err(error) if error.status() == types::Status::Nonexistent => return None,
            other => other.unwrap_or_else(|error| panic!("reading back: {error}")),
        };
        let data: Vec<u8> = segments.iter().flat_map(|segment| segment.data.clone()).collect();
        if data.is_empty() { None } else { Some(data.into()) }
    }

    /// Compares every key with what it may hold; what is found settles a doubt.
    async fn verify(&mut self) {
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
            } else {
                let is_doubtful = doubtful.is_some_and(matches);
                let length = found.as_ref().map(Bytes::len);
                assert!(
                    is_doubtful,
                    "writer {} key {index}: {length:?} bytes found, {known:?} was acknowledged, {doubtful:?} under way",
                    self.number
                );
                doubtful.expect("it matched")
            };
            self.entries[index] = Entry { known: settled, doubtful: None };
        }
    }
}

#[test]
fn acknowledged_changes_survive_kills_under_load() {
    let kills: u64 = std::env::var("DAOS_SUITE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let mut cluster = Cluster::start(Options { restart: false, ..Options::default() });
    cluster.dmg(&["pool", "create", "tank", "--size=95%"]).ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    // Without repeats, so that a change under way at the kill shows as one whose answer did not come.
    let loading = Settings { retry_for: Duration::ZERO, ..cluster.settings() };
    let mut writers: Vec<Writer> = runtime.block_on(async {
        let system = client::System::connect(loading).await.unwrap();
        let pool = system.open_pool("tank").await.unwrap();
        let container = pool.create_container(client::ContainerOptions::labelled("load")).await.unwrap();
        (0..WRITERS).map(|number| Writer::new(number, &container, acknowledged.clone())).collect()
    });
    let mut rng = StdRng::seed_from_u64(42);
    let mut recoveries: Vec<Duration> = Vec::new();
    for round in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = writers.drain(..).map(|writer| runtime.spawn(writer.run(stop.clone()))).collect();
        let load = Duration::from_millis(rng.random_range(20..600));
        std::thread::sleep(load); // the random moment
        if round % 5 == 4 {
            cluster.kill_server();
        }
        cluster.kill_engine(0);
        stop.store(true, Ordering::Relaxed);
        writers = tasks.into_iter().map(|task| runtime.block_on(task).expect("a writer does not panic")).collect();
        let since = Instant::now();
        if round % 5 == 4 {
            cluster.start_server();
        }
        cluster.dmg(&["system", "start"]).ok();
        cluster.wait_joined();
        recoveries.push(since.elapsed());
        runtime.block_on(async {
            for writer in &mut writers {
                writer.verify().await;
            }
        });
    }
    recoveries.sort_unstable();
    let log = cluster.engine_log(0);
    let mut opened: Vec<u64> =
        log.lines().filter_map(|line| line.split("recovery_us=").nth(1)?.split(' ').next()?.parse().ok()).collect();
    opened.sort_unstable();
    println!(
        "kills={kills} acknowledged={} lost=0 wrong=0 half_visible=0 engine_recovery_p50_ms={} engine_recovery_max_ms={} kill_to_joined_p50_ms={} kill_to_joined_max_ms={}",
        acknowledged.load(Ordering::Relaxed),
        opened[opened.len() / 2] / 1000,
        opened.last().unwrap() / 1000,
        recoveries[recoveries.len() / 2].as_millis(),
        recoveries.last().unwrap().as_millis(),
    );
    assert!(acknowledged.load(Ordering::Relaxed) > kills * 10, "there was a load");
}
