//! `kill -9` under load: whatever was acknowledged is there afterwards, whatever was not is whole or absent.
//!
//! Writers keep changing their own keys and slots of arrays. At a random moment the engine or the server or both are
//! killed; then every key is read back and compared with what its writer knows: the last acknowledged state, or that of
//! the one change that was under way. `DAOS_SUITE_KILLS` sets the number of kills (25).
#![allow(clippy::disallowed_methods)] // a suite: it reads the clock and the environment

mod administration;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{ContainerOptions, Settings, System};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use system_suite::{Cluster, Options, PATIENCE, Writer, runtime, wait_for};

const WRITERS: u64 = 8;

/// How a round ends, and who brings the engine back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// The engine; the server starts it again by itself.
    EngineRestarted,
    /// The engine; an administrator starts it (which also forgives: the next restart has no delay).
    EngineStarted,
    /// Server and engine, as when a host loses power.
    Both,
    /// First the server alone, which the load must not notice; the next one adopts the engine; then the engine.
    ServerThenEngine,
}

impl Kill {
    fn of(round: u64) -> Kill {
        match round % 10 {
            1 | 3 | 5 => Kill::EngineStarted,
            7 => Kill::Both,
            9 => Kill::ServerThenEngine,
            _ => Kill::EngineRestarted,
        }
    }

    fn run(self, cluster: &mut Cluster, acknowledged: &AtomicU64) -> Instant {
        if self == Kill::ServerThenEngine {
            let pid = cluster.engine_pid(0);
            cluster.kill_server();
            let before = acknowledged.load(Ordering::Relaxed);
            wait_for("the load goes on without a server", PATIENCE, || {
                (acknowledged.load(Ordering::Relaxed) > before + WRITERS).then_some(())
            });
            cluster.start_server();
            cluster.wait_joined();
            assert_eq!(cluster.engine_pid(0), pid, "the next server took the engine over");
        }
        if self == Kill::Both {
            cluster.kill_server();
        }
        let since = Instant::now();
        cluster.kill_engine(0);
        match self {
            // A new server has seen no death yet and restarts at once.
            Kill::EngineRestarted | Kill::ServerThenEngine => {}
            Kill::Both => cluster.start_server(),
            Kill::EngineStarted => {
                cluster.wait_state(0, "errored");
                cluster.dmg(&["system", "start"]).ok();
            }
        }
        since
    }
}

#[test]
fn acknowledged_changes_survive_kills_under_load() {
    let kills: u64 = std::env::var("DAOS_SUITE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let mut cluster = Cluster::start(Options::default());
    cluster.dmg(&["pool", "create", "tank", "--size=95%"]).ok();
    let runtime = runtime();
    let acknowledged = Arc::new(AtomicU64::new(0));
    // Without repeats, so that a change under way at the kill shows as one whose answer did not come.
    let loading = Settings { retry_for: Duration::ZERO, ..cluster.settings() };
    let mut writers: Vec<Writer> = runtime.block_on(async {
        let pool = System::connect(loading).await.unwrap().open_pool("tank").await.unwrap();
        let container = pool.create_container(ContainerOptions::labelled("load")).await.unwrap();
        (0..WRITERS).map(|number| Writer::new(number, &container, acknowledged.clone())).collect()
    });
    let mut rng = StdRng::seed_from_u64(42);
    let mut outages: Vec<Duration> = Vec::new();
    let mut happened = 0;
    for round in 0..kills {
        let before = cluster.members();
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = writers.drain(..).map(|writer| runtime.spawn(writer.run(stop.clone()))).collect();
        std::thread::sleep(Duration::from_millis(rng.random_range(20..600))); // the random moment
        let since = Kill::of(round).run(&mut cluster, &acknowledged);
        stop.store(true, Ordering::Relaxed);
        writers = tasks.into_iter().map(|task| runtime.block_on(task).expect("a writer does not panic")).collect();
        cluster.wait_rejoined(&before);
        outages.push(since.elapsed());
        runtime.block_on(async {
            for writer in &mut writers {
                happened += writer.verify().await;
            }
        });
    }
    let kept = runtime.block_on(async {
        let mut kept = 0;
        for writer in &writers {
            kept += writer.verify_kept().await;
        }
        kept
    });
    cluster.stop_server();
    cluster.is_clean(0);
    outages.sort_unstable();
    let mut recoveries: Vec<(u64, u64)> = recoveries(&cluster.engine_log(0));
    recoveries.sort_unstable();
    assert_eq!(recoveries.len() as u64, kills + 1, "every kill was of a running engine");
    let acknowledged = acknowledged.load(Ordering::Relaxed);
    println!(
        "kills={kills} acknowledged={acknowledged} of_which_stay={kept} unacknowledged_but_whole={happened} lost=0 wrong=0 half_visible=0\n\
         engine_recovery_p50_ms={} engine_recovery_max_ms={} replayed_max_mib={} kill_to_joined_p50_ms={} kill_to_joined_max_ms={}",
        recoveries[recoveries.len() / 2].0 / 1000,
        recoveries[recoveries.len() - 1].0 / 1000,
        recoveries.iter().map(|(_, bytes)| bytes >> 20).max().unwrap_or_default(),
        outages[outages.len() / 2].as_millis(),
        outages[outages.len() - 1].as_millis(),
    );
    assert!(acknowledged > kills * 10, "there was a load");
}

/// Microseconds and bytes of log of every start in an engine's log.
fn recoveries(log: &str) -> Vec<(u64, u64)> {
    let number = |line: &str, name: &str| line.split(name).nth(1)?.split_whitespace().next()?.parse().ok();
    log.lines().filter_map(|line| Some((number(line, "recovery_us=")?, number(line, "replayed_bytes=")?))).collect()
}
