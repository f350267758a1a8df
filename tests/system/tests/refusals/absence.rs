//! Parts that are away, come twice or belong elsewhere: said clearly, and all is well once they are back.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use system_suite::{Cluster, Options, Outcome, PATIENCE, program, wait_for};

use crate::{cluster_with_pool, still_works};

#[test]
fn parts_that_are_away() {
    let mut cluster = cluster_with_pool();
    cluster.stop_agent();
    cluster.daos(&["pool", "list"]).refused(&["daos_agent"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "v"]).refused(&["daos_agent"]);
    cluster.start_agent();
    still_works(&cluster);
    // An engine that is stopped: how long to wait is a setting.
    let before = cluster.inventory();
    cluster.dmg(&["system", "stop"]).ok();
    cluster.daos(&["--retry-for", "1", "kv", "get", "tank", "things", "apple"]).refused(&["tank"]);
    cluster.daos(&["--retry-for", "1", "kv", "put", "tank", "things", "k", "v"]).refused(&["tank"]);
    cluster.dmg(&["pool", "create", "lake", "--size=10%"]).refused(&["rank"]);
    cluster.dmg(&["pool", "destroy", "tank", "--recursive"]).refused(&["rank 0", "--force"]);
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    assert_eq!(cluster.inventory(), before, "nothing half-done");
    still_works(&cluster);
    // A server that is gone: dmg says so; data still flows, since clients talk to engines.
    cluster.kill_server();
    cluster.dmg(&["system", "query"]).refused(&["refused"]);
    cluster.dmg(&["pool", "create", "lake", "--size=10%"]).refused(&["refused"]);
    still_works(&cluster);
    cluster.start_server();
    cluster.wait_joined();
    assert_eq!(cluster.inventory(), before, "nothing half-done");
    still_works(&cluster);
}

#[test]
fn a_second_format() {
    let cluster = cluster_with_pool();
    let before = cluster.inventory();
    cluster.dmg(&["storage", "format"]).refused(&["format"]);
    cluster.dmg(&["storage", "format", "--force"]).refused(&["engine 0 is running"]);
    cluster.dmg(&["system", "stop"]).ok();
    cluster.dmg(&["storage", "format"]).refused(&["force"]);
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    assert_eq!(cluster.inventory(), before, "a refused format changes nothing");
    still_works(&cluster);
    // By force everything is gone, and the system is as new.
    cluster.dmg(&["system", "stop"]).ok();
    cluster.dmg(&["storage", "format", "--force"]).ok();
    cluster.wait_joined();
    assert_eq!(cluster.dmg(&["--json", "pool", "list"]).ok().json()["response"]["pools"].as_array().unwrap().len(), 0);
    cluster.daos(&["kv", "get", "tank", "things", "apple"]).refused(&["tank"]);
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    cluster.daos(&["kv", "get", "tank", "things", "apple"]).refused(&["apple"]);
    cluster.daos(&["kv", "put", "tank", "things", "apple", "red"]).ok();
    still_works(&cluster);
}

#[test]
fn a_second_server_and_taken_ports() {
    let cluster = cluster_with_pool();
    let before = cluster.inventory();
    cluster.run_server().refused(&["daos_server"]); // the same files
    let mut other = Cluster::configure(Options { targets: 1, bdev_gib: 4, restart: false, ..Options::default() });
    let (own, taken) = (other.port().to_string(), cluster.port().to_string());
    other.edit("daos_server", &own, &taken);
    other.run_server().refused(&[&taken]);
    other.edit("daos_server", &taken, &own);
    let (own, taken) = (other.telemetry_port().to_string(), cluster.telemetry_port().to_string());
    other.edit("daos_server", &own, &taken);
    other.run_server().refused(&[&taken]);
    other.edit("daos_server", &taken, &own);
    // A data port that is taken: the server is up and says so, and goes on when the port is free.
    let port = other.data_port(0);
    let holder = TcpListener::bind(("127.0.0.1", port)).unwrap();
    other.start_server();
    other.dmg(&["storage", "format"]);
    let query = wait_for("the taken port shows", PATIENCE, || {
        let scan = other.dmg(&["system", "query", "--verbose"]);
        (scan.stdout + &fs::read_to_string(other.path("log/daos_server.log")).unwrap())
            .lines()
            .find(|line| line.contains("cannot listen on") && line.contains(&port.to_string()))
            .map(str::to_owned)
    });
    assert!(query.contains("fabric_iface_port"), "{query}");
    drop(holder);
    other.dmg(&["system", "start"]).ok();
    wait_for("the engine joins", PATIENCE, || {
        other.members().iter().any(|member| member.state == "joined").then_some(())
    });
    assert_eq!(cluster.inventory(), before);
    still_works(&cluster);
}

#[test]
fn two_engines_on_one_device() {
    let cluster = cluster_with_pool();
    let before = cluster.inventory();
    let device = cluster.device(0).display().to_string();
    // Another system's, whose administrator took the wrong path: refused, also by force.
    let mut other = Cluster::configure(Options { targets: 1, bdev_gib: 4, restart: false, ..Options::default() });
    other.edit("daos_server", &other.device(0).display().to_string(), &device);
    other.start_server();
    for arguments in [&["storage", "format"][..], &["storage", "format", "--force"]] {
        let refused = other.dmg(arguments);
        let told = format!("{}{}", refused.stdout, refused.stderr);
        let words = [device.as_str(), "is in use by another engine"];
        assert!(refused.code != 0 && words.iter().all(|words| told.contains(words)), "{refused:?}");
    }
    assert_eq!(cluster.inventory(), before, "nothing was touched");
    // The same engine a second time, as after a restored copy of a virtual machine.
    let conf = cluster.path("metadata/daos_control/engine0/daos_nvme.conf");
    let mut second = Command::new(program("daos_engine"));
    second.arg("-n").arg(conf).arg("-d").arg(other.path("run/server")).env("D_PORT", other.data_port(0).to_string());
    Outcome::of(&mut second).refused(&[&device, "is in use by another engine", "stop the other engine"]);
    assert_eq!(cluster.inventory(), before, "nothing was touched");
    still_works(&cluster);
    // When nobody uses it: it has its owner all the same.
    cluster.dmg(&["system", "stop"]).ok();
    let refused = other.dmg(&["storage", "format"]);
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(refused.code != 0 && told.contains("is formatted for system `daos_server`"), "{refused:?}");
    cluster.dmg(&["system", "start"]).ok();
    wait_for("the engine joins again", PATIENCE, || {
        cluster.members().iter().any(|member| member.state == "joined").then_some(())
    });
    assert_eq!(cluster.inventory(), before, "nothing was touched");
}

#[test]
fn another_systems_name() {
    let mut cluster = cluster_with_pool();
    let before = cluster.inventory();
    cluster.edit("daos_control", "name: daos_server", "name: elsewhere");
    cluster.dmg(&["pool", "list"]).refused(&["elsewhere"]);
    cluster.dmg(&["pool", "create", "lake", "--size=10%"]).refused(&["elsewhere"]);
    cluster.edit("daos_control", "name: elsewhere", "name: daos_server");
    cluster.daos(&["--sys-name", "elsewhere", "pool", "list"]).refused(&["elsewhere"]);
    cluster.daos(&["--sys-name", "elsewhere", "kv", "get", "tank", "things", "apple"]).refused(&["elsewhere"]);
    cluster.stop_agent();
    cluster.edit("daos_agent", "name: daos_server", "name: elsewhere");
    cluster.start_agent();
    cluster.daos(&["pool", "list"]).refused(&["daos_server"]);
    cluster.stop_agent();
    cluster.edit("daos_agent", "name: elsewhere", "name: daos_server");
    cluster.start_agent();
    assert_eq!(cluster.inventory(), before);
    still_works(&cluster);
    // A formatted device belongs to its system.
    cluster.stop_server();
    cluster.edit("daos_server", "name: daos_server", "name: elsewhere");
    cluster.edit("daos_control", "name: daos_server", "name: elsewhere");
    cluster.start_server();
    wait_for("the device's owner is told", PATIENCE, || {
        cluster.logs().contains("was formatted for system `daos_server`").then_some(())
    });
    cluster.stop_server();
    cluster.edit("daos_server", "name: elsewhere", "name: daos_server");
    cluster.edit("daos_control", "name: elsewhere", "name: daos_server");
    cluster.start_server();
    cluster.wait_joined();
    assert_eq!(cluster.inventory(), before);
    still_works(&cluster);
}
