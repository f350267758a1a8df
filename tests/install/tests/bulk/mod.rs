//! Many values, by the suite's own program inside the container (`install-load`).

use std::process::Command;

use install_suite::Container;
use system_suite::Outcome;

/// The suite's own program in the container.
pub(crate) fn run(container: &Container, into: &str, arguments: &[&str]) -> Outcome {
    Outcome::of(command(container, into).args(arguments))
}

/// The same, to be started.
pub(crate) fn command(container: &Container, into: &str) -> Command {
    let mut command = container.command("install-load");
    command.args(["--pool", "tank", "--container", into, "--journal", &format!("/root/{into}.journal")]);
    command
}

/// Reads every acknowledged value back.
#[track_caller]
pub(crate) fn read_back(container: &Container, into: &str) {
    let lines = container.read(&format!("/root/{into}.journal")).lines().count();
    let said = run(container, into, &["verify"]).ok().stdout;
    assert!(said.starts_with(&format!("verified={lines} ")), "{lines} values were acknowledged: {said}");
    println!("{into}: {}", said.trim());
}
