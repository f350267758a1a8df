//! Two hundred times `kill -9` over the installed service, in every way that the short suite knows; then an orderly restart, and everything that
//! was ever acknowledged is read once more. `scripts/kills` runs it.
#![allow(clippy::disallowed_methods)] // a suite: it reads the environment and runs programs

#[path = "../tests/bulk/mod.rs"]
mod bulk;
#[path = "../tests/outage/mod.rs"]
mod outage;
#[path = "../tests/story/mod.rs"]
mod story;

use install_suite::{Architecture, Container, Guide, Repository, Root, Source, Start, Web};
use outage::Load;

const TARGET: &str = "almalinux-8-x86_64";

/// Rounds when `INSTALL_SUITE_KILLS` says nothing.
const ROUNDS: u64 = 200;

#[test]
fn the_installed_service_keeps_what_it_acknowledged_over_two_hundred_kills() {
    let rounds = std::env::var("INSTALL_SUITE_KILLS")
        .map_or(ROUNDS, |text| text.parse().expect("INSTALL_SUITE_KILLS is a number"));
    let root = Root::of(Architecture::X86_64);
    let repository = Repository::produced(TARGET);
    let container = Container::start(&root, Start::Booted);
    let web = Web::serve(&container);
    let base = root.base_repository(TARGET, &container.folder().join("base"));
    for (name, repository) in [("base", &base), ("daos", &repository)] {
        web.publish(name, &repository.folder);
    }
    story::install(&container, &web, &[Source::of(&base, &web, "base"), Source::of(&repository, &web, "daos")]);
    Guide { bdev_gib: 8 }.follow(&container);
    container.shell("systemctl start daos_server.service");
    story::format(&container);
    container.shell("systemctl start daos_agent.service");
    container.run("dmg", &["pool", "create", "tank", "--size=80%"]).ok();
    container.run("daos", &["container", "create", "tank", "things"]).ok();
    // Older values, which no round touches: they must stay as well.
    bulk::run(&container, "things", &["write", "1000"]).ok();
    let mut load = Load::start(&container, "load");
    println!("{}", outage::kills(&container, &mut load, rounds));
    bulk::read_back(&container, "things");
    container.shell("systemctl restart daos_server");
    story::joined(&container);
    println!("after a restart: {}", load.read_all());
    bulk::read_back(&container, "things");
    story::only_configuration_differs(&container);
    container.shell("systemctl stop daos_server");
    let check =
        "runuser -u daos_server -- daos_engine fsck --data -n /var/lib/daos/daos_control/engine0/daos_nvme.conf";
    println!("{}", container.shell(check));
}
