//! What a user and an administrator do with an installed store, on any root.

use std::time::Duration;

use install_suite::{Container, Source, Web};
use system_suite::wait_for;

/// The packages that belong to one installation.
pub(crate) const PACKAGES: [&str; 4] = ["daos", "daos-server", "daos-client", "daos-admin"];

/// How long a start or a join may take, under emulation on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// `dnf install` of what the guide installs.
pub(crate) fn install(container: &Container, web: &Web, sources: &[Source]) {
    for source in sources {
        container.add_source(source);
        assert!(source.text.contains(&web.url("")), "dnf reads what the test serves: {}", source.text);
    }
    container.dnf(&["install", "daos-server", "daos-client", "daos-admin"]).ok();
    assert_eq!(verify(container), "", "rpm -V after the installation");
}

/// Lines of `rpm -V` over all packages.
pub(crate) fn verify(container: &Container) -> String {
    let outcome = container.run("rpm", &[&["-V"][..], &PACKAGES].concat());
    format!("{}{}", outcome.stdout, outcome.stderr)
}

/// `rpm -V` says nothing but that configuration files were edited.
#[track_caller]
pub(crate) fn only_configuration_differs(container: &Container) {
    let said = verify(container);
    let is_edit = |line: &str| line.contains("  c /etc/daos/daos_") && line.ends_with(".yml");
    let other: Vec<&str> = said.lines().filter(|line| !is_edit(line)).collect();
    assert!(other.is_empty(), "rpm -V after use: {other:?}");
}

/// `dmg storage format`, as soon as the server answers.
pub(crate) fn format(container: &Container) {
    wait_for("daos_server answers", PATIENCE, || (container.run("dmg", &["storage", "scan"]).code == 0).then_some(()));
    println!("{}", container.run("dmg", &["storage", "format"]).ok().stdout);
    joined(container);
}

/// Waits until the engine is a joined member.
pub(crate) fn joined(container: &Container) {
    wait_for("the engine joined", PATIENCE, || incarnation(container));
}

/// The incarnation of the one engine, when it is joined: other at every start of its process.
pub(crate) fn incarnation(container: &Container) -> Option<u64> {
    let query = container.run("dmg", &["--json", "system", "query"]);
    if query.code != 0 {
        return None;
    }
    let answer = query.json();
    let member = answer["response"]["members"].get(0)?;
    let joined = member["state"].as_str().is_some_and(|state| state.eq_ignore_ascii_case("joined"));
    if joined { member["incarnation"].as_u64() } else { None }
}

/// The one process of a program.
pub(crate) fn process(container: &Container, program: &str) -> String {
    let found = wait_for("the program runs", PATIENCE, || {
        let found = container.processes(program);
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(found.len(), 1, "one {program} runs: {found:?}");
    found[0].clone()
}

/// `kill -9` of the engine; gives when it is gone.
pub(crate) fn kill_engine(container: &Container, pattern: &str) {
    let pid = process(container, pattern);
    container.shell(&format!("kill -9 {pid}"));
    wait_for("the killed engine is gone", PATIENCE, || (!container.processes(pattern).contains(&pid)).then_some(()));
}
