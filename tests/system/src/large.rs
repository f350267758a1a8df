//! Metadata larger than memory, on a running engine: values written, read back, and written again after a kill, while the
//! memory of the engine's process is watched.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use client::Object;
use types::{Key, ObjectId};

use crate::{Cluster, Options, pattern, runtime};

const MIB: u64 = 1 << 20;
/// Operations under way at once.
const DEPTH: u64 = 64;
/// What the engine takes beside the limit, whatever its metadata (engine/docs/store.md): images and log on their way, frames, the runtime. The
/// page map and the values of commands under way come on top.
const BESIDE_MIB: u64 = 29;
/// Of the page map for each page of the arena: its entry and its state.
const PAGE_BOOK_BYTES: u64 = 10;

/// What to store, and in how much memory.
#[derive(Debug, Clone)]
pub struct Large {
    /// `bdev_size`.
    pub bdev_gib: u32,
    /// `scm_mem_ratio`.
    pub ratio: u32,
    /// Values that lie in the metadata.
    pub small: u64,
    /// Bytes of each.
    pub small_bytes: usize,
    /// Values that do not.
    pub big: u64,
    /// Bytes of each.
    pub big_bytes: usize,
    /// Small values read back at random places, after each start.
    pub reads: u64,
}

impl Large {
    /// Runs it, and prints its figures as they come.
    pub fn run(&self) {
        let mut cluster = Cluster::configure(Options { targets: 1, bdev_gib: self.bdev_gib, ..Options::default() });
        cluster.edit("daos_server", "scm_size: 4", &format!("scm_size: 4\n    scm_mem_ratio: {}", self.ratio));
        cluster.start_server();
        cluster.dmg(&["storage", "format"]).ok();
        cluster.wait_joined();
        cluster.start_agent();
        cluster.dmg(&["pool", "create", "tank", "--size=90%"]).ok();
        cluster.daos(&["container", "create", "tank", "things"]).ok();
        let (arena, limit) = sizes(&cluster.engine_log(0));
        let beside = BESIDE_MIB * MIB + arena / 4096 * PAGE_BOOK_BYTES + DEPTH * self.big_bytes as u64;
        println!("memory limit {} MiB", limit / MIB);
        let metadata = self.small * self.small_bytes as u64;
        assert!(metadata > 2 * limit, "{} MiB of values are not more than memory", metadata / MIB);
        let mut watch = Watch::start(&cluster, limit + beside, metadata);
        self.each(&cluster, "small values written", self.small, Self::put_small);
        self.each(&cluster, "big values written", self.big, Self::put_big);
        self.each(&cluster, "small values read", self.reads, Self::get_small);
        self.list(&cluster);
        watch.check(&cluster);
        // A large process takes a while to end, and until then its server calls it joined.
        let before = cluster.members();
        let begin = Instant::now();
        cluster.kill_engine(0);
        cluster.wait_rejoined(&before);
        println!("back after kill -9 in {:.1} s", begin.elapsed().as_secs_f64());
        watch = Watch::start(&cluster, limit + beside, metadata);
        self.each(&cluster, "small values read", self.reads, Self::get_small);
        self.each(&cluster, "big values read", self.big, Self::get_big);
        self.each(&cluster, "small values written again", self.reads, Self::put_some);
        self.each(&cluster, "small values read", self.reads, Self::get_small);
        watch.check(&cluster);
        cluster.stop_server();
        cluster.start_server();
        cluster.wait_joined();
        self.each(&cluster, "small values read after a restart", self.reads, Self::get_small);
    }

    /// Does `one` for the numbers up to `count`, [`DEPTH`] at a time.
    fn each<F>(&self, cluster: &Cluster, what: &str, count: u64, one: fn(Large, Object, u64) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let begin = Instant::now();
        runtime().block_on(async {
            let pool = cluster.system().await.open_pool("tank").await.expect("the pool is there");
            let object = pool.open_container("things").await.expect("the container is there").object(OBJECT);
            let next = Arc::new(AtomicU64::new(0));
            let workers: Vec<_> = (0..DEPTH)
                .map(|_| {
                    let (plan, object, next) = (self.clone(), object.clone(), next.clone());
                    tokio::spawn(async move {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= count {
                                return;
                            }
                            one(plan.clone(), object.clone(), number).await;
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.await.expect("no operation fails");
            }
        });
        println!("{count} {what}: {:.0}/s", count as f64 / begin.elapsed().as_secs_f64());
    }

    fn value(&self, number: u64) -> Bytes {
        Bytes::from(pattern(number, self.small_bytes))
    }

    async fn put_small(self, object: Object, number: u64) {
        object.put(&small(number), &akey(), self.value(number)).await.expect("a put");
    }

    async fn put_some(self, object: Object, number: u64) {
        let number = scattered(number) % self.small;
        object.put(&small(number), &akey(), self.value(number)).await.expect("a put");
    }

    async fn get_small(self, object: Object, number: u64) {
        let number = scattered(number) % self.small;
        let found = object.get(&small(number), &akey()).await.expect("a get");
        assert!(found.as_ref() == Some(&self.value(number)), "small value {number} differs");
    }

    async fn put_big(self, object: Object, number: u64) {
        object.put(&big(number), &akey(), pattern(number, self.big_bytes)).await.expect("a put");
    }

    async fn get_big(self, object: Object, number: u64) {
        let found = object.get(&big(number), &akey()).await.expect("a get");
        assert!(found.as_deref() == Some(&pattern(number, self.big_bytes)[..]), "big value {number} differs");
    }

    /// Lists every name: none is missing, none comes twice.
    fn list(&self, cluster: &Cluster) {
        let begin = Instant::now();
        let listed = runtime().block_on(async {
            let pool = cluster.system().await.open_pool("tank").await.expect("the pool is there");
            let object = pool.open_container("things").await.expect("the container is there").object(OBJECT);
            let (mut after, mut listed) = (Vec::new(), 0);
            loop {
                let page = object.list_dkeys(&after, 512).await.expect("a list");
                listed += page.names.len() as u64;
                match page.names.last() {
                    Some(last) if page.more => after = last.to_vec(),
                    _ => return listed,
                }
            }
        });
        assert_eq!(listed, self.small + self.big, "every name is listed once");
        println!("{listed} names listed: {:.0}/s", listed as f64 / begin.elapsed().as_secs_f64());
    }
}

const OBJECT: ObjectId = ObjectId { hi: 0, lo: 4711 };

fn akey() -> Key {
    Key::try_from("v").expect("it is short")
}

fn small(number: u64) -> Key {
    Key::new(format!("small {number:09}").as_bytes()).expect("it is short")
}

fn big(number: u64) -> Key {
    Key::new(format!("big {number:09}").as_bytes()).expect("it is short")
}

/// Numbers in an order in which neighbours lie far apart.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

/// Bytes of the arena, and of memory for it, as the engine tells in its log.
fn sizes(log: &str) -> (u64, u64) {
    let (before, after) = log.split_once(" bytes in ").expect("the engine tells its limit");
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).expect("a number of bytes");
    (number(before.rsplit(' ').next()), number(after.split(' ').next()))
}

/// The memory of an engine's process since some moment.
struct Watch {
    pid: i32,
    before: u64,
    most: u64,
}

impl Watch {
    /// Also asserts that without a limit it would be seen: metadata is more than what is allowed.
    fn start(cluster: &Cluster, most: u64, metadata: u64) -> Watch {
        let pid = cluster.engine_pid(0).expect("the engine runs");
        let before = memory(pid, "VmRSS:");
        assert!(metadata > most, "{metadata} bytes of metadata would fit into the {most} bytes that are allowed");
        Watch { pid, before, most }
    }

    /// The most it ever had is within the limit.
    fn check(&self, cluster: &Cluster) {
        assert_eq!(cluster.engine_pid(0), Some(self.pid), "the engine did not end");
        let peak = memory(self.pid, "VmHWM:");
        let grown = peak.saturating_sub(self.before);
        assert!(grown <= self.most, "the engine grew by {} MiB, {} are allowed", grown / MIB, self.most / MIB);
        println!("memory of the engine at most {} MiB", peak / MIB);
    }
}

fn memory(pid: i32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the engine runs");
    let line = text.lines().find(|line| line.starts_with(field)).expect("the kernel tells it");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB");
    kib << 10
}
