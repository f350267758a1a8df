//! Snapshots through the real processes: two engines, taken and destroyed by `daos`, read by command line and library over overwrites,
//! removals, kills and the merging of history.
#![allow(clippy::disallowed_methods)] // a suite: it runs programs

use std::time::Duration;

use client::{Container, Object};
use system_suite::{Cluster, Options, pattern, runtime, wait_for};
use types::{Epoch, Key, Level, MAX_LIST_ENTRIES, ObjectId, Status};

/// History is merged once it is a minute old, by a walk at most half a minute later: with slow machines in mind.
const MERGED: Duration = Duration::from_secs(400);
const OBJECT: ObjectId = ObjectId { hi: 0, lo: 1 };
const VALUES: u64 = 120;

fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}

fn name(n: u64) -> Key {
    key(&format!("key{n:04}"))
}

/// Small ones lie in the log and the arena, large ones in the block tier.
fn value(n: u64, generation: u64) -> Vec<u8> {
    pattern(n + 1000 * generation, if n.is_multiple_of(4) { 50_000 } else { 300 })
}

async fn container_of(cluster: &Cluster) -> Container {
    cluster.system().await.open_pool("tank").await.unwrap().open_container("things").await.unwrap()
}

async fn write(object: &Object, generation: u64) -> Epoch {
    let mut last = Epoch::ZERO;
    for n in 0..VALUES {
        last = last.max(object.put(&name(n), &key("v"), value(n, generation)).await.unwrap());
    }
    last
}

/// All values of a generation are there as of the epoch, by key, list and array.
async fn sees(container: &Container, epoch: Epoch, generation: u64) {
    let object = container.object(OBJECT);
    for n in 0..VALUES {
        let found = object.get_at(&name(n), &key("v"), epoch).await.unwrap();
        assert!(found.as_deref() == Some(&value(n, generation)[..]), "value {n} as of {epoch} is not of {generation}");
    }
    let names = container.names(Level::Dkeys(OBJECT), Vec::new(), MAX_LIST_ENTRIES, epoch).await.unwrap();
    assert_eq!(names.names.len() as u64, VALUES + 1, "with the array");
    assert_eq!(object.array_size_at(&key("array"), &key("v"), epoch).await.unwrap(), 1000 * (generation + 1));
}

/// Overwrites everything with a new generation and lengthens the array.
async fn replace(container: &Container, generation: u64) -> Epoch {
    let object = container.object(OBJECT);
    object.put_array(&key("array"), &key("v"), 1000 * generation, vec![generation as u8; 1000]).await.unwrap();
    write(&object, generation).await
}

fn epoch_of(cluster: &Cluster, snapshot: &str) -> Epoch {
    let taken = cluster.daos(&["--json", "container", "create-snap", "tank", "things", "--snap", snapshot]).ok().json();
    assert_eq!(taken["response"]["name"], snapshot);
    Epoch(taken["response"]["epoch"].as_u64().unwrap())
}

fn number_of_snapshots(cluster: &Cluster) -> u64 {
    let query = cluster.daos(&["--json", "container", "query", "tank", "things"]).ok().json();
    query["response"]["num_snapshots"].as_u64().unwrap()
}

#[test]
fn a_snapshot_is_read_until_it_is_destroyed() {
    let cluster = Cluster::start(Options { engines: 2, targets: 1, bdev_gib: 4, ..Options::default() });
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things", "--properties", "max_snapshot:2"]).ok();
    let runtime = runtime();

    let acknowledged = runtime.block_on(async { replace(&container_of(&cluster).await, 0).await });
    let first = epoch_of(&cluster, "first");
    assert!(first >= acknowledged, "what was acknowledged is in it");
    let between = runtime.block_on(async {
        let container = container_of(&cluster).await;
        replace(&container, 1).await;
        sees(&container, first, 0).await;
        container.object(OBJECT).put(&key("short"), &key("v"), "lived").await.unwrap()
    });
    assert!(between > first, "what came later is not in it");
    runtime.block_on(async {
        let object = container_of(&cluster).await.object(OBJECT);
        object.punch_dkey(&key("short")).await.unwrap();
    });
    let second = epoch_of(&cluster, "second");
    runtime.block_on(async { container_of(&cluster).await.object(OBJECT).punch().await.unwrap() });

    cluster.daos(&["container", "create-snap", "tank", "things", "-s", "first"]).refused(&["first", "exists"]);
    cluster.daos(&["container", "create-snap", "tank", "things"]).refused(&["max_snapshot"]);
    cluster.daos(&["container", "destroy-snap", "tank", "things", "--epc", "77"]).refused(&["0x4d"]);
    let listed = cluster.daos(&["container", "list-snap", "tank", "things"]).ok().stdout;
    assert_eq!(listed, format!("Container's snapshots :\n{first} first\n{second} second\n"));
    let query = cluster.daos(&["--json", "container", "query", "tank", "things"]).ok().json();
    assert_eq!(query["response"]["latest_snapshot"], second.0);
    assert_eq!(query["response"]["num_snapshots"], 2);

    // An engine that is killed comes back with them.
    let before = cluster.members();
    cluster.kill_engine(1);
    cluster.kill_engine(0);
    cluster.wait_rejoined(&before);
    runtime.block_on(async {
        let container = container_of(&cluster).await;
        sees(&container, first, 0).await;
        sees(&container, second, 1).await;
    });

    // What was written and removed between the snapshots goes, they stay.
    let container = runtime.block_on(container_of(&cluster));
    wait_for("history is merged past the first snapshot", MERGED, || {
        let from = runtime.block_on(container.history_from()).unwrap();
        (from > between).then_some(())
    });
    let short = |epoch: Epoch| {
        let object = container.object(OBJECT);
        let get = async { object.get_at(&key("short"), &key("v"), epoch).await };
        runtime.block_on(get).map_err(|error| error.status())
    };
    runtime.block_on(async {
        sees(&container, first, 0).await;
        sees(&container, second, 1).await;
        assert_eq!(container.object(OBJECT).get(&name(0), &key("v")).await.unwrap(), None, "it was removed");
    });
    assert_eq!((short(between), short(first)), (Err(Status::Restart), Ok(None)));
    let first_text = first.to_string();
    let old = ["kv", "list", "tank", "things", "--dkey", "key0001", "--epoch", &first_text];
    assert_eq!(cluster.daos(&old).ok().stdout, "v\n");

    cluster.daos(&["container", "destroy-snap", "tank", "things", "--snap", "first"]).ok();
    assert_eq!(short(first), Err(Status::Restart), "only the snapshot kept it");
    runtime.block_on(async { sees(&container_of(&cluster).await, second, 1).await });
    let all = format!("0-{second}");
    cluster.daos(&["container", "destroy-snap", "tank", "things", "--epcrange", &all]).ok();
    assert_eq!(number_of_snapshots(&cluster), 0);
    let none = cluster.daos(&["--json", "container", "list-snaps", "tank", "things"]).ok().json();
    assert_eq!(none["response"], serde_json::json!([]));
}

#[test]
fn a_snapshot_is_whole_or_refused_when_an_engine_is_away() {
    let mut cluster = Cluster::start(Options { engines: 2, targets: 1, bdev_gib: 4, ..Options::default() });
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    let runtime = runtime();
    runtime.block_on(async { replace(&container_of(&cluster).await, 0).await });
    let first = epoch_of(&cluster, "first");
    // The rank that goes away is not the one of the pool's service.
    let pool = cluster.dmg(&["--json", "pool", "query", "tank"]).ok().json();
    let away = (1 - pool["response"]["svc_ldr"].as_u64().unwrap()).to_string();
    let rank = format!("rank {away}");
    cluster.dmg(&["system", "stop", "--ranks", &away]).ok();
    cluster.daos(&["container", "create-snap", "tank", "things", "-s", "second"]).refused(&[&rank]);
    cluster.daos(&["container", "destroy-snap", "tank", "things", "-s", "first"]).refused(&[&rank]);
    cluster.dmg(&["system", "start", "--ranks", &away]).ok();
    cluster.wait_joined();
    // The destroy is finished by asking again, and the refused snapshot has left nothing.
    let listed = cluster.daos(&["container", "list-snaps", "tank", "things"]).ok().stdout;
    assert_eq!(
        listed,
        format!("Container's snapshots :\n{first} first (its destroy was interrupted: destroy it again)\n")
    );
    cluster.daos(&["container", "destroy-snap", "tank", "things", "-s", "first"]).ok();
    assert_eq!(number_of_snapshots(&cluster), 0);
    epoch_of(&cluster, "second");
    cluster.stop_server();
    cluster.start_server();
    cluster.wait_joined();
    assert_eq!(number_of_snapshots(&cluster), 1);
}
