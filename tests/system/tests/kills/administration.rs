//! `kill -9` while pools and containers are created and destroyed: afterwards each is there as a whole or not at all.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use system_suite::{Cluster, Options, Outcome, PATIENCE, wait_for};

const ROUNDS: u64 = 12;

/// Label and state of every pool.
fn pools(cluster: &Cluster) -> Vec<(String, String)> {
    let list = cluster.dmg(&["--json", "pool", "list"]).ok().json();
    let pools = list["response"]["pools"].as_array().expect("the response lists pools");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    pools.iter().map(|pool| (text(&pool["label"]), text(&pool["state"]))).collect()
}

/// Pools once none of them is being made or removed any more.
fn settled(cluster: &Cluster) -> Vec<String> {
    wait_for("no pool is half-done", PATIENCE, || {
        let pools = pools(cluster);
        pools.iter().all(|(_, state)| state == "Ready").then(|| pools.into_iter().map(|(label, _)| label).collect())
    })
}

/// Free bytes of all tiers of all ranks.
fn free(cluster: &Cluster) -> Vec<u64> {
    let usage = cluster.dmg(&["--json", "storage", "query", "usage"]).ok().json();
    let mut free = Vec::new();
    for host in usage["response"]["HostStorage"].as_object().expect("hosts by number").values() {
        for engine in host["engines"].as_array().expect("engines") {
            free.extend(
                engine["tiers"].as_array().expect("tiers").iter().map(|tier| tier["avail_bytes"].as_u64().unwrap()),
            );
        }
    }
    free
}

fn spawn(command: &mut Command, arguments: &[&str]) -> Child {
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it is built")
}

#[test]
fn pools_and_containers_are_whole_or_absent_after_kills() {
    let mut cluster = Cluster::start(Options { targets: 1, bdev_gib: 4, restart: false, ..Options::default() });
    let before = free(&cluster);
    let mut rng = StdRng::seed_from_u64(7);
    for round in 0..ROUNDS {
        // Even rounds make a pool, odd ones a container in it and then remove the pool with it.
        let label = format!("pool{}", round / 2);
        let creating = round % 2 == 0;
        let mut command = if creating {
            spawn(&mut cluster.dmg_command(), &["pool", "create", &label, "--scm-size=64MiB", "--nvme-size=1GiB"])
        } else {
            let _ = cluster.daos(&["container", "create", &label, "things"]); // the pool may not have come to be
            spawn(&mut cluster.dmg_command(), &["pool", "destroy", &label, "--recursive"])
        };
        std::thread::sleep(Duration::from_millis(rng.random_range(5..60))); // the random moment
        let members = cluster.members();
        let server_too = round % 3 == 2;
        if server_too {
            cluster.kill_server();
        }
        cluster.kill_engine(0);
        if server_too {
            cluster.start_server();
        } else {
            cluster.wait_state(0, "errored");
            cluster.dmg(&["system", "start"]).ok();
        }
        cluster.wait_rejoined(&members);
        let code = command.wait().expect("it is our child").code();
        let there = settled(&cluster).contains(&label);
        assert!(code != Some(0) || there == creating, "round {round}: acknowledged, and there: {there}");
        if there {
            // Whole: everything that can be done with a pool works.
            let container = format!("whole{round}");
            cluster.daos(&["container", "create", &label, &container]).ok();
            cluster.daos(&["kv", "put", &label, &container, "apple", "red"]).ok();
            assert_eq!(cluster.daos(&["kv", "get", &label, &container, "apple"]).ok().stdout, "red");
        } else {
            cluster.daos(&["pool", "query", &label]).refused(&[&label]);
        }
        if !creating && there {
            cluster.dmg(&["pool", "destroy", &label, "--recursive"]).ok();
        }
    }
    for label in settled(&cluster) {
        Outcome::of(cluster.dmg_command().args(["pool", "destroy", &label, "--recursive"])).ok();
    }
    wait_for("all space is free again", PATIENCE, || (free(&cluster) == before).then_some(()));
}
