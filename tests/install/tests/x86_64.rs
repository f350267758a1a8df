//! The whole way of a user on x86_64: systemd, dnf with both kinds of signatures, the guide's files, data, kills, upgrade, downgrade,
//! removal; and what dnf must refuse. The packages are those for AlmaLinux 8: the oldest rpm and glibc that we serve.
#![allow(clippy::disallowed_methods)] // a suite: it runs programs and writes files

mod bulk;
mod outage;
mod refusals;
mod story;

use std::time::Instant;

use install_suite::{Architecture, Container, Guide, Repository, Root, Source, Start, Web, libraries};
use outage::{ENGINE, Load};
use story::{PACKAGES, PATIENCE};
use system_suite::{Outcome, wait_for};

const TARGET: &str = "almalinux-8-x86_64";

/// Rounds of kills under load, with every kind of kill among them; `scripts/kills` makes two hundred.
const ROUNDS: u64 = 8;

/// A line on how long a part took, for whoever reads the output of the test.
fn timed<T>(what: &str, part: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = part();
    println!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    value
}

#[test]
fn a_user_installs_stores_upgrades_and_removes() {
    let root = timed("root", || Root::of(Architecture::X86_64));
    let repository = timed("packages", || Repository::produced(TARGET));
    let container = timed("boot", || Container::start(&root, Start::Booted));
    let higher = timed("release 2", || repository.with_higher_release(&container.folder().join("higher")));
    let base = timed("base package", || root.base_repository(TARGET, &container.folder().join("base")));
    let web = Web::serve(&container);
    web.publish("daos", &repository.folder);
    web.publish("base", &base.folder);
    let sources = [Source::of(&base, &web, "base"), Source::of(&repository, &web, "daos")];
    timed("dnf install", || story::install(&container, &web, &sources));
    timed("libraries", || libraries(&container));
    timed("start and format", || start(&container));
    timed("1,000 values", || values(&container));
    timed("systemctl restart", || restart(&container));
    bulk::read_back(&container, "things");
    let mut load = Load::start(&container, "load");
    println!("{}", timed("kills under load", || outage::kills(&container, &mut load, ROUNDS)));
    bulk::read_back(&container, "things");
    story::only_configuration_differs(&container);
    web.publish("daos", &higher.folder);
    timed("upgrade", || upgrade(&container, &repository));
    println!("after the upgrade: {}", load.read_all());
    timed("downgrade", || downgrade(&container, &repository));
    println!("after the downgrade: {}", load.read_all());
    timed("without io_uring", || without_io_uring(&container));
    timed("remove", || remove(&container));
}

/// What the packages need to be safe; then the guide, to the point where the store serves.
fn start(container: &Container) {
    for user in ["daos_server", "daos_agent"] {
        assert!(container.shell(&format!("id {user}")).contains("daos_daemons"), "{user} may write logs");
    }
    for unit in ["daos_server", "daos_agent"] {
        let state = container.run("systemctl", &["is-active", unit]).stdout;
        assert_eq!(state.trim(), "inactive", "an installation starts nothing");
        let said = container.shell(&format!("systemd-analyze --no-pager security {unit}.service | tail -n 1"));
        println!("{}", said.trim());
    }
    Guide { bdev_gib: 6 }.follow(container);
    container.shell("systemctl start daos_server.service; systemctl enable daos_server.service");
    story::format(container);
    container.shell("systemctl start daos_agent.service; systemctl enable daos_agent.service");
    for (program, user) in
        [("daos_server start", "daos_server"), ("daos_engine", "daos_server"), ("daos_agent", "daos_agent")]
    {
        let pid = story::process(container, &format!("^/usr/bin/{program}"));
        assert_eq!(container.shell(&format!("ps -o user= -p {pid}")).trim(), user, "{program} runs as its user");
    }
}

fn values(container: &Container) {
    container.run("dmg", &["pool", "create", "tank", "--size=80%"]).ok();
    for label in ["things", "words"] {
        container.run("daos", &["container", "create", "tank", label]).ok();
    }
    container.run("daos", &["kv", "put", "tank", "words", "apple", "red"]).ok();
    assert_eq!(container.run("daos", &["kv", "get", "tank", "words", "apple"]).ok().stdout, "red");
    println!("{}", bulk::run(container, "things", &["write", "1000"]).ok().stdout.trim());
    bulk::read_back(container, "things");
}

/// `systemctl restart daos_server`: another engine serves.
fn restart(container: &Container) {
    let engine = story::process(container, ENGINE);
    container.shell("systemctl restart daos_server");
    story::joined(container);
    assert_ne!(story::process(container, ENGINE), engine, "the server stopped its engine");
}

/// Release 2 with a new default configuration: the edited file stays, the new default lies beside it.
fn upgrade(container: &Container, repository: &Repository) {
    let edited = container.read("/etc/daos/daos_server.yml");
    let processes =
        || [ENGINE, "^/usr/bin/daos_server", "^/usr/bin/daos_agent"].map(|program| story::process(container, program));
    let before = processes();
    container.shell("dnf -q clean all");
    container.dnf(&["upgrade"]).ok();
    assert_eq!(processes(), before, "an upgrade does not interrupt service");
    for package in PACKAGES {
        let version = container.shell(&format!("rpm -q --qf '%{{version}}-%{{release}}' {package}"));
        assert_ne!(version, repository.version(), "{package} was upgraded");
    }
    assert_eq!(container.read("/etc/daos/daos_server.yml"), edited, "the edited file stays");
    assert!(
        container.read("/etc/daos/daos_server.yml.rpmnew").contains("New in release 2"),
        "the new default lies beside"
    );
    assert!(
        !container.path("/etc/daos/daos_agent.yml.rpmnew").exists(),
        "a default that did not change leaves nothing"
    );
    container.shell("systemctl daemon-reload; systemctl restart daos_agent");
    restart(container);
    bulk::read_back(container, "things");
    story::only_configuration_differs(container);
}

/// Back to release 1: dnf does it when it is named. The data stay.
fn downgrade(container: &Container, repository: &Repository) {
    let named: Vec<String> = PACKAGES.iter().map(|package| format!("{package}-{}", repository.version())).collect();
    let mut arguments = vec!["downgrade"];
    arguments.extend(named.iter().map(String::as_str));
    container.dnf(&arguments).ok();
    for package in PACKAGES {
        let version = container.shell(&format!("rpm -q --qf '%{{version}}-%{{release}}' {package}"));
        assert_eq!(version, repository.version(), "{package} is back");
    }
    container.shell("systemctl daemon-reload; systemctl restart daos_agent");
    restart(container);
    bulk::read_back(container, "things");
    story::only_configuration_differs(container);
}

/// As on EL8, whose kernel has no io_uring, and on EL9, whose kernel forbids it: the same data, and more of them.
fn without_io_uring(container: &Container) {
    std::fs::create_dir_all(container.path("/etc/systemd/system/daos_server.service.d"))
        .expect("a folder in the container");
    let drop_in = "/etc/systemd/system/daos_server.service.d/old-kernel.conf";
    container.write(drop_in, "[Service]\nSystemCallFilter=~io_uring_setup\n");
    container.shell("systemctl daemon-reload");
    restart(container);
    let log = container.read("/var/log/daos/daos_engine.log");
    assert!(log.contains("no io_uring"), "the engine says that it is slower: {log}");
    bulk::read_back(container, "things");
    container.run("daos", &["container", "create", "tank", "slow"]).ok();
    bulk::run(container, "slow", &["write", "200"]).ok();
    story::kill_engine(container, ENGINE);
    story::joined(container);
    bulk::read_back(container, "slow");
    std::fs::remove_dir_all(container.path("/etc/systemd/system/daos_server.service.d")).expect("it was made above");
    container.shell("systemctl daemon-reload");
}

/// What the user made stays; what the packages brought goes.
fn remove(container: &Container) {
    let edited = container.read("/etc/daos/daos_server.yml");
    // The worst moment: the server is gone, its engine is not, and systemd has not started another one yet.
    outage::kill_server(container);
    story::process(container, ENGINE);
    container.dnf(&["remove", "daos-server", "daos-client", "daos-admin"]).ok();
    assert_eq!(container.run("rpm", &["-qa", "daos*"]).stdout, "", "dnf removes what was installed for them, too");
    wait_for("no process is left", PATIENCE, || container.processes("daos_").is_empty().then_some(()));
    assert_eq!(container.read("/etc/daos/daos_server.yml.rpmsave"), edited);
    for kept in ["/etc/daos/daos_agent.yml.rpmsave", "/etc/daos/daos_control.yml.rpmsave", "/var/tmp/daos-bdev"] {
        assert!(container.path(kept).is_file(), "{kept} stays");
    }
    assert!(container.shell("find /var/lib/daos -type f").lines().count() > 0, "the system's database stays");
    container.shell("getent passwd daos_server daos_agent; getent group daos_daemons daos_metrics");
    for gone in ["/usr/bin/daos_server", "/usr/lib/systemd/system/daos_server.service", "/etc/daos/daos_server.yml"] {
        assert!(!container.path(gone).exists(), "{gone} goes");
    }
    let failed = container.run("systemctl", &["--failed", "--plain", "--no-legend"]).stdout;
    assert!(!failed.contains("daos"), "no unit is left failed: {failed}");
    let links = Outcome::of(container.command("find").args(["/etc/systemd", "-name", "daos*"])).stdout;
    assert_eq!(links, "", "no unit is left enabled");
}
