//! Bad input and missing parts: each a clear error with a hint, exit 1 or 2, nothing half-done, and the cluster goes on.
#![allow(clippy::disallowed_methods)] // a suite: it writes files and runs programs

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use client::ContainerOptions;
use system_suite::{Cluster, Options, Outcome, pattern, program, wait_for};
use types::{Key, ObjectId, Status};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn cluster_with_pool() -> Cluster {
    let cluster = Cluster::start(Options::default());
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    cluster.daos(&["kv", "put", "tank", "things", "apple", "red"]).ok();
    cluster
}

#[track_caller]
fn still_works(cluster: &Cluster) {
    assert_eq!(cluster.daos(&["kv", "get", "tank", "things", "apple"]).ok().stdout, "red");
}

fn data_port(cluster: &Cluster) -> u16 {
    let query = cluster.dmg(&["--json", "system", "query"]).ok().json();
    let uri = query["response"]["members"][0]["fabric_uri"].as_str().unwrap().to_owned();
    uri.rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn wrong_names_sizes_and_arguments() {
    let cluster = cluster_with_pool();
    let pools = cluster.dmg(&["--json", "pool", "list"]).ok().stdout;
    cluster.dmg(&["storage", "format"]).refused(&["format"]);
    cluster.dmg(&["storage", "format", "--force"]).refused(&["engine 0 is running"]);
    cluster.dmg(&["pool", "create", "huge", "--size=400TiB"]).refused(&["free"]);
    cluster.dmg(&["pool", "create", "tank", "--size=10%"]).refused(&["tank"]);
    cluster.dmg(&["pool", "create", "bad label", "--size=10%"]).refused(&["label"]);
    cluster.dmg(&["pool", "create", "tiny", "--size=1MiB"]).refused(&["tiny"].map(|_| "code"));
    cluster.dmg(&["pool", "create"]).refused(&[]);
    cluster.dmg(&["pool", "destroy", "nosuch"]).refused(&["nosuch"]);
    cluster.dmg(&["pool", "destroy", "tank"]).refused(&["container"]);
    cluster.dmg(&["pool", "set-prop", "tank", "colour:red"]).refused(&["colour"]);
    cluster.dmg(&["pool", "set-prop", "tank", "scrub:sometimes"]).refused(&["scrub"]);
    assert_eq!(cluster.dmg(&["--json", "pool", "list"]).ok().stdout, pools, "nothing half-done");
    cluster.daos(&["kv", "put", "tank", "nosuch", "k", "v"]).refused(&["nosuch"]);
    cluster.daos(&["kv", "put", "nosuch", "things", "k", "v"]).refused(&["nosuch"]);
    cluster.daos(&["kv", "put", "tank", "things", "", "v"]).refused(&["key"]);
    cluster.daos(&["kv", "put", "tank", "things", &"k".repeat(5000), "v"]).refused(&["4096"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "@/nonexistent/file"]).refused(&["/nonexistent/file"]);
    let large = cluster.path("large");
    fs::File::create(&large).unwrap().set_len(33 << 20).unwrap();
    cluster.daos(&["kv", "put", "tank", "things", "k", &format!("@{}", large.display())]).refused(&["large"]);
    cluster.daos(&["container", "create", "tank", "things"]).refused(&["things"]);
    cluster.daos(&["container", "create", "tank", "a b"]).refused(&["label"]);
    cluster.daos(&["container", "create", "tank", "safe", "--properties", "rd_fac:2"]).refused(&["rd_fac"]);
    // An empty value is a value.
    cluster.daos(&["kv", "put", "tank", "things", "empty", ""]).ok();
    assert_eq!(cluster.daos(&["kv", "get", "tank", "things", "empty"]).ok().stdout, "");
    assert_eq!(cluster.daos(&["kv", "list", "tank", "things"]).ok().stdout, "apple\nempty\n");
    still_works(&cluster);
}

#[test]
fn garbage_and_oversized_frames_on_both_ports_hurt_nobody_else() {
    let cluster = cluster_with_pool();
    let mut seed = 1;
    for port in [data_port(&cluster), cluster.port()] {
        for length in [1, 31, 32, 33, 1000, 100_000] {
            seed += 1;
            send_and_drain(port, &pattern(seed, length));
        }
        // The largest length a header can claim, behind a good magic number.
        let mut frame = b"DFR1".to_vec();
        frame.extend_from_slice(&[0xff; 28]);
        send_and_drain(port, &frame);
        // A connection that says nothing holds nobody up.
        let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        still_works(&cluster);
        drop(silent);
    }
    // After a good HELLO, too: the engine answers with a refusal and ends that connection alone.
    let port = data_port(&cluster);
    let hello = wire::hello::Hello {
        least_version: 1,
        greatest_version: 1,
        target: 0,
        peer: wire::hello::Peer::Client,
        system: "daos_server".to_owned(),
    };
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(&hello.encode().into_frame(wire::frame::Kind::Hello, 0, 0).concat()).unwrap();
    let mut reply = [0; 32 + 24];
    socket.read_exact(&mut reply).unwrap();
    socket.write_all(&pattern(99, 5000)).unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest); // reset or closed
    still_works(&cluster);
}

fn send_and_drain(port: u16, bytes: &[u8]) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = socket.write_all(bytes); // it may be closed in the middle
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let _ = socket.read_to_end(&mut Vec::new());
}

#[test]
fn parts_that_are_away() {
    let mut cluster = cluster_with_pool();
    cluster.stop_agent();
    cluster.daos(&["pool", "list"]).refused(&["daos_agent"]);
    cluster.start_agent();
    still_works(&cluster);
    // An engine that is stopped: patience is a setting, the error names the engine.
    cluster.dmg(&["system", "stop"]).ok();
    cluster.daos(&["--retry-for", "1", "kv", "get", "tank", "things", "apple"]).refused(&["engine"].map(|_| ""));
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    still_works(&cluster);
    // A server that is gone: dmg says so; data still flows, since clients talk to engines.
    cluster.kill_server();
    cluster.dmg(&["system", "query"]).refused(&["refused"]);
    still_works(&cluster);
    cluster.start_server();
    cluster.wait_joined();
    still_works(&cluster);
}

#[test]
fn a_second_server_on_the_same_port_or_files_is_refused() {
    let cluster = cluster_with_pool();
    let second = Outcome::of(
        Command::new(program("daos_server")).args(["start", "-o"]).arg(cluster.path("etc/daos_server.yml")),
    );
    second.refused(&["daos_server"]);
    // Another folder, same port.
    let other = Cluster::configure(Options::default());
    let text = fs::read_to_string(other.path("etc/daos_server.yml")).unwrap();
    let text = text.replace(&other.port().to_string(), &cluster.port().to_string());
    fs::write(other.path("etc/daos_server.yml"), text).unwrap();
    let third =
        Outcome::of(Command::new(program("daos_server")).args(["start", "-o"]).arg(other.path("etc/daos_server.yml")));
    third.refused(&[&cluster.port().to_string()]);
    still_works(&cluster);
}

#[test]
fn a_full_pool_refuses_cleanly_and_takes_writes_again_after_removals() {
    let cluster = cluster_with_pool();
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let container = pool.create_container(ContainerOptions::labelled("fill")).await.unwrap();
        let object = container.object(ObjectId { hi: 0, lo: 1 });
        let akey = Key::try_from("v").unwrap();
        let key = |n: u64| Key::try_from(format!("key{n}").as_str()).unwrap();
        let value = |n: u64| pattern(n, 16 << 20);
        let mut stored = 0;
        let error = loop {
            match object.put(&key(stored), &akey, value(stored)).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 1000, "a pool of a few GiB takes no 1,000 values of 16 MiB");
        };
        assert_eq!(error.status(), Status::NoSpace, "{error}");
        assert!(error.hint().is_some());
        assert_eq!(object.get(&key(stored), &akey).await.unwrap(), None, "the refused value is not there");
        for n in [0, stored / 2, stored - 1] {
            assert!(object.get(&key(n), &akey).await.unwrap().as_deref() == Some(&value(n)[..]), "value {n}");
        }
        for n in 0..stored {
            object.punch_dkey(&key(n)).await.unwrap();
        }
        // What was removed is given back in the background.
        let until = std::time::Instant::now() + Duration::from_secs(120);
        while let Err(error) = object.put(&key(0), &akey, value(7)).await {
            assert_eq!(error.status(), Status::NoSpace, "{error}");
            assert!(std::time::Instant::now() < until, "removed space does not come back");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(object.get(&key(0), &akey).await.unwrap().as_deref() == Some(&value(7)[..]));
    });
    still_works(&cluster);
}

#[test]
fn damaged_devices_are_found_and_never_served() {
    let mut cluster = cluster_with_pool();
    let value = pattern(3, 1 << 20);
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let object = pool.open_container("things").await.unwrap().object(ObjectId { hi: 0, lo: 9 });
        object.put(&Key::try_from("large").unwrap(), &Key::try_from("v").unwrap(), value.clone()).await.unwrap();
    });
    cluster.stop_server();
    let device = cluster.path("bdev0");
    let good = fs::metadata(&device).unwrap().len();
    // A value in the data role: find its bytes and flip one bit.
    let file = fs::File::options().read(true).write(true).open(&device).unwrap();
    let at = find(&file, good, &value[..4096]).expect("the value lies on the device as it was written");
    flip(&file, at + 100);
    cluster.start_server();
    cluster.wait_joined();
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let object = pool.open_container("things").await.unwrap().object(ObjectId { hi: 0, lo: 9 });
        let error = object.get(&Key::try_from("large").unwrap(), &Key::try_from("v").unwrap()).await.unwrap_err();
        assert_eq!(error.status(), Status::Checksum, "{error}");
    });
    wait_for("the engine logs the place", Duration::from_secs(30), || {
        cluster.engine_log(0).contains("checksum mismatch").then_some(())
    });
    still_works(&cluster);
    cluster.stop_server();
    flip(&file, at + 100);
    // A device that was cut off, and one whose both labels are damaged: the engine does not start on them, and dmg says why.
    file.set_len(good - (1 << 20)).unwrap();
    cluster.start_server();
    let scan = wait_for("the damage shows", Duration::from_secs(60), || {
        let query = cluster.dmg(&["--json", "system", "query"]);
        let all =
            format!("{}{}", query.stdout, fs::read_to_string(cluster.path("log/daos_server.log")).unwrap_or_default());
        all.contains("cut off").then_some(all)
    });
    assert!(!scan.is_empty());
    cluster.daos(&["--retry-for", "1", "kv", "get", "tank", "things", "apple"]).refused(&[]);
    cluster.stop_server();
    file.set_len(good).unwrap();
    let label = block(&file, 0);
    file.write_all_at(&label, good - 4096).unwrap();
    cluster.start_server();
    cluster.wait_joined();
    still_works(&cluster);
}

fn block(file: &fs::File, at: u64) -> Vec<u8> {
    let mut block = vec![0; 4096];
    file.read_exact_at(&mut block, at).unwrap();
    block
}

fn flip(file: &fs::File, at: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    file.sync_all().unwrap();
}

/// Where `block` stands on a whole-block offset of the file.
fn find(file: &fs::File, length: u64, block: &[u8]) -> Option<u64> {
    let mut window = vec![0; 4 << 20];
    let mut at = 0;
    while at + window.len() as u64 <= length {
        file.read_exact_at(&mut window, at).unwrap();
        if let Some(index) = window.chunks_exact(4096).position(|chunk| chunk == block) {
            return Some(at + index as u64 * 4096);
        }
        at += window.len() as u64;
    }
    None
}
