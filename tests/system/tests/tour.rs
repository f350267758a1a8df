//! What a user does, on the guide's own YAML: format, pool, container, a thousand values, restarts; then the same with
//! certificates, and with two engines.
#![allow(clippy::disallowed_methods)] // a suite: it writes files and runs programs

use std::fs;

use bytes::Bytes;
use client::{Container, Object, Pool};
use system_suite::{Cluster, Options, pattern};
use types::{Address, ChecksumKind, Condition, Key, ObjectId, Operation, Shape, Status};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}

/// Lengths from 1 B to 8 MiB, more of them small: 1,000 values, about 190 MiB.
fn length_of(n: u64) -> usize {
    match n % 100 {
        0 => 8 << 20,
        1..=4 => (1 << 20) + n as usize,
        5..=19 => 4096 * (1 + n as usize % 16),
        _ => 1 + (n as usize * 37) % 5000,
    }
}

async fn write_all(object: &Object) {
    for n in 0..1000 {
        object.put(&key(&format!("key{n:04}")), &key("v"), pattern(n, length_of(n))).await.unwrap();
    }
}

async fn read_all(object: &Object) {
    for n in 0..1000 {
        let found = object.get(&key(&format!("key{n:04}")), &key("v")).await.unwrap();
        assert!(found.as_deref() == Some(&pattern(n, length_of(n))[..]), "value {n} differs");
    }
}

async fn list_all(object: &Object) -> Vec<Bytes> {
    let mut all: Vec<Bytes> = Vec::new();
    loop {
        let after = all.last().cloned().unwrap_or_default();
        let names = object.list_dkeys(&after, 64).await.unwrap();
        all.extend(names.names);
        if !names.more {
            return all;
        }
    }
}

async fn container_of(cluster: &Cluster) -> (Pool, Container) {
    let pool = cluster.system().await.open_pool("tank").await.unwrap();
    let container = pool.open_container("things").await.unwrap();
    (pool, container)
}

#[test]
fn the_guides_files_start_a_store_that_keeps_a_thousand_values_over_restarts() {
    let mut cluster = Cluster::start(Options { targets: 1, bdev_gib: 6, ..Options::default() });
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    let runtime = runtime();
    let object = ObjectId { hi: 0, lo: 7 };
    runtime.block_on(async {
        let (_, container) = container_of(&cluster).await;
        write_all(&container.object(object)).await;
        read_all(&container.object(object)).await;
    });
    // dmg stops and starts the engine; then the server is stopped and started as a whole.
    cluster.dmg(&["system", "stop"]).ok();
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    runtime.block_on(async { read_all(&container_of(&cluster).await.1.object(object)).await });
    cluster.stop_server();
    cluster.start_server();
    cluster.wait_joined();
    runtime.block_on(async {
        let object = container_of(&cluster).await.1.object(object);
        read_all(&object).await;
        let names = list_all(&object).await;
        let expected: Vec<Bytes> = (0..1000).map(|n| Bytes::from(format!("key{n:04}"))).collect();
        assert_eq!(names, expected);
    });
    let query = cluster.dmg(&["--json", "pool", "query", "tank"]).ok().json();
    assert_eq!(query["response"]["total_targets"], 1);
    assert_eq!(query["status"], 0);
}

#[test]
fn the_command_line_stores_lists_and_removes() {
    let cluster = Cluster::start(Options::default());
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    let file = cluster.path("value");
    fs::write(&file, pattern(1, 5_000_000)).unwrap();
    let at_file = format!("@{}", file.display());
    cluster.daos(&["kv", "put", "tank", "things", "file", &at_file]).ok();
    cluster.daos(&["kv", "put", "tank", "things", "apple", "red"]).ok();
    assert_eq!(cluster.daos(&["kv", "get", "tank", "things", "apple"]).ok().stdout, "red");
    let back = cluster.path("back");
    cluster.daos(&["kv", "get", "tank", "things", "file", "-o", back.to_str().unwrap()]).ok();
    assert!(fs::read(&back).unwrap() == pattern(1, 5_000_000));
    assert_eq!(cluster.daos(&["kv", "list", "tank", "things"]).ok().stdout, "apple\nfile\n");
    cluster.daos(&["kv", "rm", "tank", "things", "apple"]).ok();
    cluster.daos(&["kv", "get", "tank", "things", "apple"]).refused(&["apple"]);
    assert_eq!(cluster.daos(&["--json", "pool", "list"]).ok().json()["status"], 0);
    cluster.daos(&["container", "destroy", "tank", "things"]).ok();
    cluster.daos(&["kv", "list", "tank", "things"]).refused(&["things"]);
    cluster.dmg(&["pool", "set-prop", "tank", "label:lake"]).ok();
    cluster.daos(&["pool", "query", "lake"]).ok();
    cluster.dmg(&["pool", "destroy", "lake"]).ok();
    assert!(!cluster.dmg(&["pool", "list"]).ok().stdout.contains("lake"));
}

#[test]
fn arrays_conditions_and_the_past() {
    let cluster = Cluster::start(Options::default());
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    runtime().block_on(async {
        let object = container_of(&cluster).await.1.object(ObjectId { hi: 0, lo: 1 });
        let (dkey, akey) = (key("d"), key("array"));
        let data = pattern(5, 3_000_000);
        object.put_array(&dkey, &akey, 1000, data.clone()).await.unwrap();
        assert_eq!(object.array_size(&dkey, &akey).await.unwrap(), 3_001_000);
        object.punch_range(&dkey, &akey, 5000, 1000).await.unwrap();
        let mut expected = [vec![0; 1000], data].concat();
        expected[5000..6000].fill(0);
        assert!(object.get_array_filled(&dkey, &akey, 0, 3_001_000).await.unwrap() == expected);
        assert!(object.get_array(&dkey, &akey, 0, 1000).await.unwrap().is_empty(), "a hole has no segment");
        let wrong = object.put(&dkey, &akey, "single").await.unwrap_err();
        assert_eq!(wrong.status(), Status::Invalid, "an array is no single value");
        let (dkey, akey) = (key("e"), key("v"));
        let first = object.put_if(&dkey, &akey, "one", Condition::Absent).await.unwrap();
        assert_eq!(object.put_if(&dkey, &akey, "two", Condition::Absent).await.unwrap_err().status(), Status::Exists);
        let second = object.put_if(&dkey, &akey, "two", Condition::Present).await.unwrap();
        assert!(second > first);
        assert_eq!(object.get_at(&dkey, &akey, first).await.unwrap().as_deref(), Some(&b"one"[..]));
        object.punch_dkey(&dkey).await.unwrap();
        assert_eq!(object.get(&dkey, &akey).await.unwrap(), None);
        assert_eq!(object.get_at(&dkey, &akey, second).await.unwrap().as_deref(), Some(&b"two"[..]));
        object.punch().await.unwrap();
        assert!(list_all(&object).await.is_empty());
        // A single value may be empty, and is then different from none.
        object.put(&dkey, &akey, "").await.unwrap();
        assert_eq!(object.get(&dkey, &akey).await.unwrap().as_deref(), Some(&b""[..]));
    });
}

#[test]
fn a_cluster_with_certificates_and_two_engines() {
    let cluster = Cluster::start(Options { secure: true, engines: 2, targets: 1, bdev_gib: 4, ..Options::default() });
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    let query = cluster.dmg(&["--json", "pool", "query", "tank"]).ok().json();
    assert_eq!(query["response"]["total_engines"], 2);
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    let runtime = runtime();
    runtime.block_on(async {
        let object = container_of(&cluster).await.1.object(ObjectId { hi: 0, lo: 1 });
        for n in 0..200 {
            object.put(&key(&format!("key{n:04}")), &key("v"), pattern(n, 2000)).await.unwrap();
        }
        assert_eq!(list_all(&object).await.len(), 200);
    });
    // Both engines hold a share, and one that was killed comes back with its own.
    cluster.kill_engine(1);
    runtime.block_on(async {
        let object = container_of(&cluster).await.1.object(ObjectId { hi: 0, lo: 1 });
        for n in 0..200 {
            let found = object.get(&key(&format!("key{n:04}")), &key("v")).await.unwrap();
            assert!(found.as_deref() == Some(&pattern(n, 2000)[..]));
        }
    });
    cluster.wait_joined();
    let insecure = cluster.dmg(&["-i", "system", "query"]);
    insecure.refused(&["dmg"]);
}

#[test]
fn checksums_are_of_the_kind_their_container_asks_for() {
    let cluster = Cluster::start(Options::default());
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    let file = cluster.path("value");
    fs::write(&file, pattern(3, 300_000)).unwrap();
    for kind in ["crc32", "crc64", "sha256"] {
        cluster.daos(&["container", "create", "tank", kind, "--properties", &format!("cksum:{kind}")]).ok();
        let shown = cluster.daos(&["--json", "container", "get-prop", "tank", kind, "cksum"]).ok().json();
        assert_eq!(shown["response"][0]["value"], kind);
        cluster.daos(&["kv", "put", "tank", kind, "small", "red"]).ok();
        cluster.daos(&["kv", "put", "tank", kind, "large", &format!("@{}", file.display())]).ok();
        assert_eq!(cluster.daos(&["kv", "get", "tank", kind, "small"]).ok().stdout, "red");
        let back = cluster.path(kind);
        cluster.daos(&["kv", "get", "tank", kind, "large", "-o", back.to_str().unwrap()]).ok();
        assert!(fs::read(&back).unwrap() == pattern(3, 300_000));
    }
    cluster
        .daos(&["container", "create", "tank", "other", "--properties", "cksum:off"])
        .refused(&["crc32 or crc64 or sha256"]);
    // What was computed with another kind is not taken.
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let container = pool.open_container("sha256").await.unwrap();
        assert_eq!(container.checksum_kind(), ChecksumKind::Sha256);
        let object = container.object(ObjectId { hi: 0, lo: 7 });
        let data = Bytes::from_static(b"red");
        let address = Address { object: object.id(), dkey: key("d"), akey: key("a") };
        let (shape, condition, checksums) =
            (Shape::Single, Condition::Always, erasure::checksums(ChecksumKind::Crc32c, &data));
        let update = Operation::Update { address, shape, condition, checksums, data };
        assert_eq!(object.batch(vec![update]).await.unwrap(), [Err(Status::Invalid)]);
    });
}
