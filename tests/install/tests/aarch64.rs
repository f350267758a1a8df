//! The packages for openEuler 22.03 on aarch64, run by qemu-user: dnf, server, engine, agent and command lines through format, put, kill
//! and get. Nothing boots there; daos_server and daos_agent are started as their users, as the units do it.
#![allow(clippy::disallowed_methods)] // a suite: it runs programs and writes files

mod story;

use std::fs;
use std::process::{Child, Stdio};
use std::time::Instant;

use install_suite::{Architecture, Container, Guide, Repository, Root, Source, Start, Web, libraries};
use system_suite::{pattern, wait_for};

const TARGET: &str = "openeuler-22.03-aarch64";

/// Values of 1 B to 1 MiB; each costs two starts of an emulated program.
const VALUES: u64 = 40;

/// The emulator's own command line comes first, so the program is not at its beginning.
const ENGINE: &str = "/usr/bin/daos_engine";

#[test]
fn the_packages_install_and_keep_values_on_aarch64() {
    let root = Root::of(Architecture::Aarch64);
    let repository = Repository::produced(TARGET);
    let start = Instant::now();
    let container = Container::start(&root, Start::Bare);
    let web = Web::serve(&container);
    let base = root.base_repository(TARGET, &container.folder().join("base"));
    web.publish("daos", &repository.folder);
    web.publish("base", &base.folder);
    story::install(&container, &web, &[Source::of(&base, &web, "base"), Source::of(&repository, &web, "daos")]);
    libraries(&container);
    println!("dnf install: {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(container.shell("rpm -q --qf '%{arch}' daos-server"), "aarch64");
    Guide { bdev_gib: 4 }.follow(&container);
    let server = service(&container, "daos_server", "daos_server.conf", &["start", "-o", "/etc/daos/daos_server.yml"]);
    story::format(&container);
    let agent = service(&container, "daos_agent", "daos_agent.conf", &["-o", "/etc/daos/daos_agent.yml"]);
    wait_for("daos_agent listens", story::PATIENCE, || {
        (container.run("test", &["-S", "/run/daos_agent/daos_agent.sock"]).code == 0).then_some(())
    });
    container.run("dmg", &["pool", "create", "tank", "--size=80%"]).ok();
    container.run("daos", &["container", "create", "tank", "things"]).ok();
    for number in 0..VALUES {
        fs::write(container.path("/root/value"), value(number)).expect("a file in the container");
        container.run("daos", &["kv", "put", "tank", "things", &format!("key{number}"), "@/root/value"]).ok();
    }
    read_back(&container);
    story::kill_engine(&container, ENGINE);
    story::joined(&container);
    read_back(&container);
    story::only_configuration_differs(&container);
    println!("all: {:.1} s", start.elapsed().as_secs_f64());
    for mut child in [agent, server] {
        let _ = child.kill(); // the container ends with the test, whatever is left in it
        let _ = child.wait();
    }
}

/// Starts a service as its unit does: folders first, as root; then the program, as its user.
fn service(container: &Container, name: &str, folders: &str, arguments: &[&str]) -> Child {
    container.shell(&format!("systemd-tmpfiles --create {folders}"));
    let log = fs::File::create(container.folder().join(format!("{name}.out"))).expect("a file in our folder");
    let mut command = container.command("runuser");
    command.args(["-u", name, "--", &format!("/usr/bin/{name}")]).args(arguments);
    command.stdout(log.try_clone().expect("a descriptor")).stderr(log).stdin(Stdio::null());
    command.spawn().expect("it is installed")
}

fn value(number: u64) -> Vec<u8> {
    let length = match number % 8 {
        0 => 1 + number as usize / 8,
        7 => (1 << 20) - number as usize,
        other => 700 * other as usize * (1 + number as usize),
    };
    pattern(number, length)
}

fn read_back(container: &Container) {
    for number in 0..VALUES {
        container.run("daos", &["kv", "get", "tank", "things", &format!("key{number}"), "-o", "/root/found"]).ok();
        let found = fs::read(container.path("/root/found")).expect("daos wrote it");
        assert!(found == value(number), "value {number} differs");
        fs::remove_file(container.path("/root/found")).expect("daos wrote it");
    }
}
