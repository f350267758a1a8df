//! A memory tier of class `dcpm`: log and checkpoints in a file on persistent memory, for which loop devices stand here.
//!
//! They have no DAX, so the file is written by system calls. With `--features pmem` it is mapped by force as well, as libpmem's own
//! tests do it: what survives `kill -9` is then shown for copies past the caches, what survives a loss of power is not.
#![allow(clippy::disallowed_methods)] // a suite: it writes files and runs programs

use std::fs;
use std::process::Command;

use system_suite::{Cluster, Options, Outcome, PATIENCE, mounted_device, pattern, wait_for};

const VALUES: u64 = 60;

fn options() -> Options {
    Options { targets: 2, bdev_gib: 4, persistent: true, ..Options::default() }
}

/// Small ones travel in the log, larger ones go to the block tier.
fn value(number: u64) -> Vec<u8> {
    pattern(number, if number.is_multiple_of(3) { 200_000 + number as usize } else { 30 * (1 + number as usize) })
}

fn write(cluster: &Cluster, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let file = cluster.path("value");
        fs::write(&file, value(number)).expect("a file in our folder");
        let at_file = format!("@{}", file.display());
        cluster.daos(&["kv", "put", "tank", "things", &format!("key{number}"), &at_file]).ok();
    }
}

fn read(cluster: &Cluster, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let back = cluster.path("back");
        let to = back.to_str().expect("temporary folders are UTF-8");
        cluster.daos(&["kv", "get", "tank", "things", &format!("key{number}"), "-o", to]).ok();
        assert!(fs::read(&back).expect("daos wrote it") == value(number), "value {number} differs");
    }
}

/// Pool, values, kills of the engine and of everything, an orderly restart.
fn lives(cluster: &mut Cluster) {
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    write(cluster, 0..VALUES);
    let before = cluster.members();
    cluster.kill_engine(0);
    cluster.wait_rejoined(&before);
    read(cluster, 0..VALUES);
    write(cluster, VALUES..2 * VALUES);
    cluster.kill_server();
    cluster.kill_engine(0);
    cluster.start_server();
    cluster.wait_joined();
    read(cluster, 0..2 * VALUES);
    cluster.stop_server();
    cluster.start_server();
    cluster.wait_joined();
    read(cluster, 0..2 * VALUES);
}

#[test]
fn a_store_on_persistent_memory_keeps_what_it_acknowledged() {
    let mut cluster = Cluster::start(options());
    assert!(cluster.engine_log(0).contains("persistent memory: written by system calls"), "{}", cluster.engine_log(0));
    lives(&mut cluster);
    assert!(cluster.path("scm0/daos_metadata").is_file() && cluster.path("scm0/daos_control/system.redb").is_file());
    // Tiers are told as DAOS tells them without metadata on SSD.
    let scan = cluster.dmg(&["--json", "storage", "scan"]).ok().json().to_string();
    assert!(scan.contains("dcpm"), "{scan}");
    let told = cluster.dmg(&["pool", "query", "tank"]).ok().stdout;
    assert!(told.contains("Storage tier 0 (SCM)") && told.contains("Storage tier 1 (NVMe)"), "{told}");
    // A second format is refused, and by force it begins anew.
    cluster.dmg(&["system", "stop"]).ok();
    cluster.dmg(&["storage", "format"]).refused(&["already formatted"]);
    let formatted = cluster.dmg(&["--json", "storage", "format", "--force"]).ok().stdout;
    assert!(!formatted.contains("daos_metadata"), "it is part of the memory tier: {formatted}");
    cluster.wait_joined();
    assert_eq!(cluster.dmg(&["--json", "pool", "list"]).ok().json()["response"]["pools"], serde_json::json!([]));
}

#[cfg(feature = "pmem")]
#[test]
fn a_mapped_store_keeps_what_it_acknowledged_over_kills() {
    let mut cluster = Cluster::configure(options());
    cluster.edit("daos_server", "    - FI_SOCKETS_MAX_CONN_RETRY=1", "    - PMEM_IS_PMEM_FORCE=1");
    cluster.start_server();
    cluster.dmg(&["storage", "format"]).ok();
    cluster.wait_joined();
    cluster.start_agent();
    assert!(cluster.engine_log(0).contains("persistent memory: mapped"), "{}", cluster.engine_log(0));
    lives(&mut cluster);
}

#[test]
fn a_namespace_that_is_not_mounted_or_not_there_is_named_with_what_to_do() {
    let mut cluster = Cluster::start(options());
    cluster.stop_server();
    let mount = cluster.path("scm0");
    let device = mounted_device(&mount).expect("it is mounted");
    // Held, so that the loop device keeps its file and its number.
    let held = fs::File::open(&device).expect("a block device");
    Outcome::of(Command::new("umount").arg(&mount)).ok();
    // Without DAX it is not mounted again by itself.
    cluster.run_server().refused(&[&device, "scm_mount", "ext4: Invalid argument", "mount -o dax"]);
    cluster.edit("daos_server", &format!("scm_list: [{device}]"), "scm_list: [/dev/pmem-of-nobody]");
    cluster.run_server().refused(&["/dev/pmem-of-nobody", "No such file"]);
    cluster.edit("daos_server", "/dev/pmem-of-nobody", &device);
    Outcome::of(Command::new("mount").args(["-o", "noatime", &device]).arg(&mount)).ok();
    drop(held);
    assert_eq!(mounted_device(&mount), Some(device));
    cluster.start_server();
    cluster.wait_joined();
    wait_for("the engine runs", PATIENCE, || cluster.engine_pid(0));
}
