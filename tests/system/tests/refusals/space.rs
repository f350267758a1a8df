//! A pool that is full, of large values and of small ones: refused before anything is written, and nothing that was acknowledged suffers.

use std::time::{Duration, Instant};

use client::{ContainerOptions, Object};
use system_suite::{Cluster, Options, pattern, runtime};
use tokio::task::JoinSet;
use types::{Key, ObjectId, Status};

use crate::still_works;

/// Values in the data role, and values in memory.
const LARGE: usize = 8 << 20;
const SMALL: usize = 4000;
/// Operations under way at once, of small values.
const DEPTH: usize = 64;

/// Values of one length, by their numbers, in an object of their own.
struct Pile {
    object: Object,
    length: usize,
    stored: Vec<u64>,
}

fn names(number: u64) -> (Key, Key) {
    (Key::try_from(format!("key{number:06}").as_str()).unwrap(), Key::try_from("v").unwrap())
}

impl Pile {
    /// Does the same for many numbers at once; gives each with its outcome.
    async fn each<T, F>(&self, numbers: &[u64], what: impl Fn(Object, u64) -> F) -> Vec<(u64, T)>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut all = Vec::new();
        for some in numbers.chunks(if self.length == LARGE { 2 } else { DEPTH }) {
            let mut under_way = JoinSet::new();
            for &number in some {
                let work = what(self.object.clone(), number);
                under_way.spawn(async move { (number, work.await) });
            }
            all.extend(under_way.join_all().await);
        }
        all
    }

    /// Puts values from a number on until some are refused for want of space, or `most` were taken.
    async fn fill(&mut self, from: u64, most: usize) -> bool {
        let (length, mut next) = (self.length, from);
        let most = self.stored.len() + most;
        while self.stored.len() < most {
            let numbers: Vec<u64> = (next..next + DEPTH as u64).collect();
            next += DEPTH as u64;
            let put = move |object: Object, number: u64| async move {
                let (dkey, akey) = names(number);
                object.put(&dkey, &akey, pattern(number, length)).await
            };
            let mut refused = Vec::new();
            for (number, result) in self.each(&numbers, put).await {
                match result {
                    Ok(_) => self.stored.push(number),
                    Err(error) => {
                        assert_eq!(error.status(), Status::NoSpace, "{error}");
                        assert!(error.hint().is_some(), "{error}");
                        refused.push(number);
                    }
                }
            }
            for number in &refused {
                let (dkey, akey) = names(*number);
                assert_eq!(self.object.get(&dkey, &akey).await.unwrap(), None, "the refused value is not there");
            }
            if !refused.is_empty() {
                return true;
            }
        }
        false
    }

    async fn read_back(&self) {
        let get = |object: Object, number: u64| async move {
            let (dkey, akey) = names(number);
            object.get(&dkey, &akey).await
        };
        for some in self.stored.chunks(DEPTH) {
            for (number, found) in self.each(some, get).await {
                let known = pattern(number, self.length);
                assert!(found.unwrap().as_deref() == Some(&known[..]), "value {number} of {} bytes", self.length);
            }
        }
    }

    async fn remove_all(&mut self) {
        let remove = |object: Object, number: u64| async move { object.punch_dkey(&names(number).0).await };
        for (number, result) in self.each(&self.stored, remove).await {
            result.unwrap_or_else(|error| panic!("removing value {number} needs no free space: {error}"));
        }
        self.stored.clear();
    }
}

fn piles(cluster: &Cluster) -> (Pile, Pile) {
    cluster.dmg(&["pool", "create", "small", "--scm-size=64MiB", "--nvme-size=1GiB"]).ok();
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("small").await.unwrap();
        let container = pool.create_container(ContainerOptions::labelled("fill")).await.unwrap();
        let pile = |length| Pile {
            object: container.object(ObjectId { hi: 0, lo: length as u64 }),
            length,
            stored: Vec::new(),
        };
        (pile(LARGE), pile(SMALL))
    })
}

#[test]
fn a_full_pool_refuses_cleanly_and_takes_writes_again_after_removals() {
    let mut cluster = Cluster::start(Options { targets: 1, ..Options::default() });
    cluster.dmg(&["pool", "create", "tank", "--size=45%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    cluster.daos(&["kv", "put", "tank", "things", "apple", "red"]).ok();
    let (mut large, mut small) = piles(&cluster);
    let runtime = runtime();
    runtime.block_on(async {
        assert!(large.fill(0, 256).await && small.fill(0, 100_000).await, "a small pool is full soon");
        large.read_back().await;
        small.read_back().await;
    });
    // The pool beside it has its own space, and a full one survives a crash.
    cluster.daos(&["kv", "put", "tank", "things", "pear", "green"]).ok();
    let before = cluster.members();
    cluster.kill_engine(0);
    cluster.wait_rejoined(&before);
    runtime.block_on(async {
        for pile in [&mut large, &mut small] {
            pile.read_back().await;
            let wanted = pile.stored.len() / 2;
            pile.remove_all().await;
            // What was removed is given back in the background.
            let until = Instant::now() + Duration::from_secs(120);
            let mut from = 0;
            while pile.stored.len() < wanted {
                from += 1_000_000;
                pile.fill(from, wanted).await;
                assert!(Instant::now() < until, "removed space does not come back");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            pile.read_back().await;
        }
    });
    still_works(&cluster);
    cluster.stop_server();
    cluster.is_clean(0);
}
