//! Devices that fail or are full under load: the target stops and says so, and once they are mended everything acknowledged is there.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use client::{ContainerOptions, Settings, System};
use system_suite::{Cluster, Options, Outcome, PATIENCE, Volume, Writer, runtime, wait_for};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use types::Status;

use crate::{fill, still_works};

const WRITERS: u64 = 4;
/// What a dead target answers, and what a client gets when the engine itself is gone.
const LOSSES: &[Status] = &[Status::Io, Status::Unreachable];

/// Writers who keep account, on a container of `tank`.
struct Load {
    runtime: Runtime,
    resting: Vec<Writer>,
    working: Vec<JoinHandle<Writer>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Load {
    fn on(cluster: &Cluster) -> Load {
        let runtime = runtime();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let settings = Settings { retry_for: Duration::ZERO, ..cluster.settings() };
        let resting = runtime.block_on(async {
            let pool = System::connect(settings).await.unwrap().open_pool("tank").await.unwrap();
            let container = pool.create_container(ContainerOptions::labelled("load")).await.unwrap();
            let writer = |number| Writer::new(number, &container, acknowledged.clone()).who_may_meet(LOSSES);
            (0..WRITERS).map(writer).collect()
        });
        Load { runtime, resting, working: Vec::new(), stop: Arc::default(), acknowledged }
    }

    /// Lets them write until `count` changes more were acknowledged; they go on.
    fn begin(&mut self, count: u64) {
        self.stop = Arc::default();
        let stop = self.stop.clone();
        self.working = self.resting.drain(..).map(|writer| self.runtime.spawn(writer.run(stop.clone()))).collect();
        let wanted = self.acknowledged.load(Ordering::Relaxed) + count;
        wait_for("changes are acknowledged", PATIENCE, || {
            (self.acknowledged.load(Ordering::Relaxed) >= wanted).then_some(())
        });
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.run_out();
    }

    /// Waits until each has met a change that was not acknowledged.
    fn run_out(&mut self) {
        let wait = |task: JoinHandle<Writer>| self.runtime.block_on(task).expect("a writer does not panic");
        self.resting = self.working.drain(..).map(wait).collect();
    }

    /// Reads everything back.
    fn verify(&mut self) {
        self.runtime.block_on(async {
            for writer in &mut self.resting {
                writer.verify().await;
            }
        });
        self.verify_kept();
    }

    /// Reads back what was put once and never changed.
    fn verify_kept(&self) {
        let kept: u64 = self.runtime.block_on(async {
            let mut kept = 0;
            for writer in &self.resting {
                kept += writer.verify_kept().await;
            }
            kept
        });
        assert!(kept > 0, "there was a load");
    }
}

/// A cluster whose device file is at `place`.
fn cluster_at(cluster: &Cluster, place: &Path) {
    cluster.edit("daos_server", cluster.device(0).to_str().unwrap(), place.to_str().unwrap());
}

fn begin(cluster: &mut Cluster) -> Load {
    cluster.start_server();
    cluster.dmg(&["storage", "format"]).ok();
    cluster.wait_joined();
    cluster.start_agent();
    fill(cluster);
    Load::on(cluster)
}

/// The target is dead: that is an event, an administrator sees it with its reason, and changes are refused in words.
fn is_told(cluster: &Cluster, reason: &str) {
    let log = cluster.path("log/daos_server.log");
    wait_for("the server logs the event", PATIENCE, || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.lines().any(|line| line.contains("id: [device_set_faulty]") && line.contains(reason)).then_some(())
    });
    let member = wait_for("dmg shows the event", PATIENCE, || {
        cluster.member(0).filter(|member| member.info.contains("takes no more changes"))
    });
    assert!(member.info.contains(reason) && member.info.contains("restart the engine"), "{member:?}");
    assert_eq!(member.state, "joined", "what is in memory is still served");
    cluster.daos(&["kv", "put", "tank", "things", "pear", "green"]).refused(&["DER_IO"]);
    still_works(cluster);
    let pool = &cluster.dmg(&["--json", "pool", "query", "tank"]).ok().json()["response"];
    assert_eq!((pool["active_targets"].as_u64(), pool["disabled_targets"].as_u64()), (Some(0), Some(1)), "{pool}");
}

/// Nothing that was acknowledged is lost, more is taken, and the devices are clean.
fn goes_on(cluster: &mut Cluster, load: &mut Load) {
    load.verify();
    load.begin(100);
    load.stop();
    load.verify();
    still_works(cluster);
    cluster.stop_server();
    cluster.is_clean(0);
}

fn options() -> Options {
    Options { targets: 1, bdev_gib: 4, ..Options::default() }
}

#[test]
fn a_file_system_that_fails_under_load() {
    let mut cluster = Cluster::configure(options());
    let mut volume = Volume::mounted(&cluster.path(""), "volume", 4500);
    cluster_at(&cluster, &volume.path("bdev"));
    let mut load = begin(&mut cluster);
    load.begin(500);
    volume.fail();
    load.run_out();
    is_told(&cluster, "Input/output error");
    cluster.stop_server();
    // With the device still broken nothing starts, and says why.
    cluster.start_server();
    let member = cluster.wait_state(0, "errored");
    // The file system has given up by itself, at once or a moment later.
    let words = ["Input/output error", "Read-only file system"];
    let told = words.iter().any(|words| member.info.contains(words));
    assert!(told && member.info.contains("/volume/bdev"), "{member:?}");
    cluster.stop_server();
    volume.heal();
    cluster.start_server();
    cluster.wait_joined();
    assert_eq!(cluster.member(0).unwrap().info, "", "the fault is over");
    goes_on(&mut cluster, &mut load);
}

#[test]
fn a_block_device_that_takes_no_more_writes() {
    let mut cluster = Cluster::configure(options());
    let volume = Volume::bare(&cluster.path(""), "volume", 4500);
    cluster.edit("daos_server", "class: file", "class: kdev");
    cluster_at(&cluster, Path::new(&volume.partition()));
    let mut load = begin(&mut cluster);
    load.begin(500);
    volume.set_writable(false);
    load.run_out();
    is_told(&cluster, "Operation not permitted");
    // Reads go on, also of values that lie on the device; what is in doubt is not told.
    load.verify_kept();
    volume.set_writable(true);
    cluster.dmg(&["system", "stop"]).ok();
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    goes_on(&mut cluster, &mut load);
}

#[test]
fn a_full_file_system_under_the_device_file() {
    let mut cluster = Cluster::configure(options());
    let volume = Volume::mounted(&cluster.path(""), "volume", 4500);
    let place = volume.path("bdev");
    cluster_at(&cluster, &place);
    // Too small: that is found at the format, and nothing of the attempt stays.
    cluster.edit("daos_server", "bdev_size: 4", "bdev_size: 16");
    cluster.start_server();
    let refused = cluster.dmg(&["storage", "format"]);
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        refused.code != 0
            && told.contains("/volume/bdev")
            && told.contains("No space left")
            && told.contains("bdev_size"),
        "{refused:?}"
    );
    cluster.stop_server();
    cluster.edit("daos_server", "bdev_size: 16", "bdev_size: 4");
    let mut load = begin(&mut cluster);
    // All space of a device was reserved at its format: others may fill the file system.
    volume.fill();
    load.begin(2000);
    let before = cluster.members();
    cluster.kill_engine(0);
    load.run_out();
    cluster.wait_rejoined(&before);
    load.verify();
    // A restored copy is sparse: now a full file system hits the store.
    cluster.stop_server();
    volume.make_room();
    Outcome::of(Command::new("fallocate").arg("--dig-holes").arg(&place)).ok();
    volume.fill();
    cluster.start_server();
    cluster.wait_joined();
    load.begin(0);
    load.run_out();
    is_told(&cluster, "No space left on device");
    volume.make_room();
    cluster.dmg(&["system", "stop"]).ok();
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    goes_on(&mut cluster, &mut load);
}
