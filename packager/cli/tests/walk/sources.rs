//! Where sources come from: locks against copies, and a mirror for a site without a network.

use std::fs;
use std::process::Command;

use crate::side_by_side::library;
use crate::upstream::{archive, head, recipe};
use crate::yard::{TARGET, Yard, run, said};

#[test]
fn locks_are_compared_with_every_copy_and_written_anew() {
    let yard = Yard::new();
    let (path, sum) = archive(&yard, "one-1.0", &[("Makefile", "all:\ninstall:\n")]);
    let files = "make: {}\npackages:\n  one:\n    files:\n      - licence: LICENSE\n";
    let second = format!("    - debian: o/one/one_1.0.orig.tar.gz # not there\n      sha256: {}\n", "0".repeat(64));
    let text = format!("{}{second}{files}", head("one", &path, &sum));
    let written = recipe(&yard, "one", &text);

    let told = yard.good(&["lock", "--verify"]);
    assert!(told.contains("as locked") && told.contains("cannot be had: "), "{told}");
    assert!(!told.contains("demo"), "a cargo workspace has no archives: {told}");

    // The release was made again under the same name.
    fs::write(&path, "other bytes").expect("written");
    let told = yard.bad(&["lock", "--verify", "one"], 1);
    assert!(told.contains("differs: its SHA-256 is "), "{told}");
    assert_eq!(fs::read_to_string(&written).expect("readable"), text);
    let told = yard.good(&["lock", "--update", "one"]);
    assert!(told.contains("now locked as "), "{told}");
    let updated = fs::read_to_string(&written).expect("readable");
    assert_ne!(updated, text);
    assert!(!updated.contains(&sum) && updated.contains("# not there"), "{updated}");
    assert!(yard.good(&["lock", "--verify", "one"]).contains("as locked"));

    fs::remove_file(&path).expect("it is there");
    yard.bad(&["lock", "--verify", "one"], 1);
    let told = yard.bad(&["lock", "--verify", "on"], 1);
    assert!(told.contains("no recipe `on`") && told.contains("hint: write `one`"), "{told}");
    yard.bad(&["lock"], 2);
}

#[test]
fn a_mirror_is_enough_for_a_site_without_a_network() {
    let yard = Yard::new();
    let (path, sum) = archive(&yard, "one-1.0", &[("Makefile", "all:\ninstall:\n")]);
    let files = "make: {}\npackages:\n  one:\n    files:\n      - licence: LICENSE\n";
    recipe(&yard, "one", &format!("{}{files}", head("one", &path, &sum)));
    let mirror = yard.path("a mirror");
    let mirror_argument = mirror.to_str().expect("UTF-8");

    let told = yard.good(&["fetch", "--target", TARGET, "--mirror-to", mirror_argument]);
    assert!(told.starts_with("1 archives and 1 sets of crates are at hand\n") && told.contains(": 2 put ("), "{told}");
    let told = yard.good(&["fetch", "--target", TARGET, "--mirror-to", mirror_argument]);
    assert!(told.contains(": 0 put (") && told.contains("2 were there"), "{told}");

    // The other site: nothing in the state, no copy anywhere, no crates in cargo's cache.
    fs::remove_file(&path).expect("it is there");
    for kept in ["archives", "vendored"] {
        fs::remove_dir_all(yard.path("state").join(kept)).expect("it is there");
    }
    let offline = |more: &[&str]| {
        let mut command: Command = yard.command(&["srpm", "--target", TARGET, "--offline"]);
        command.args(more).env("CARGO_HOME", yard.path("no-cargo-home"));
        command.output().expect("the packager runs")
    };
    let output = offline(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let output = offline(&["--mirror", mirror_argument]);
    assert!(output.status.success(), "{}", said(&output));

    // A mirror is checked like any other place.
    fs::remove_dir_all(yard.path("state/archives")).expect("it is there");
    fs::write(mirror.join("archives").join(&sum), "tampered").expect("written");
    let output = offline(&["--mirror", mirror_argument]);
    let text = said(&output);
    assert!(!output.status.success() && text.contains("its SHA-256 is "), "{text}");
    let text = yard.bad(&["fetch", "--mirror", "/nonexistent"], 1);
    assert!(text.contains("no folder `/nonexistent`") && text.contains("hint: "), "{text}");
}

#[test]
fn a_commit_is_a_source_under_its_hash() {
    let yard = Yard::new();
    library(&yard, "commit", "", "");
    let folder = yard.path("upstream/commit-1.0");
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=name", "-c", "user.email=name@packager.invalid"];
        let output = run(Command::new("git").arg("-C").arg(&folder).args(who).args(arguments));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "one"]);
    let id = git(&["rev-parse", "HEAD"]);
    fs::write(folder.join("Makefile"), "not what was committed").expect("written");

    let recipe = yard.path("root/specs/commit/recipe.yaml");
    let text = fs::read_to_string(&recipe).expect("readable");
    let from = text.lines().position(|line| line.contains("- url: ")).expect("an archive");
    let write = |commit: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[from] = format!("    - git: {}\n      commit: {commit}", folder.display());
        lines[from + 1] = format!("      sha256: {}", "0".repeat(64));
        fs::write(&recipe, lines.join("\n") + "\n").expect("written");
    };
    write("main");
    let told = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(told.contains("`main` is no commit") && told.contains("branches and tags move"), "{told}");
    write(&id);
    let told = yard.bad(&["build", "--target", TARGET, "commit"], 1);
    assert!(told.contains("its SHA-256 is "), "{told}");
    let told = yard.good(&["lock", "--update", "commit"]);
    assert!(told.contains("now locked as ") && told.contains(&id), "{told}");
    let told = yard.good(&["build", "--target", TARGET, "commit"]);
    assert!(told.contains("commit-1.0-1.el8.x86_64"), "{told}");
    // A commit that is not there.
    write(&"1".repeat(40));
    let told = yard.bad(&["lock", "--verify", "commit"], 1);
    assert!(told.contains("cannot be had: "), "{told}");
}

#[test]
fn another_version_is_built_when_it_is_asked_for() {
    let yard = Yard::new();
    library(&yard, "aged", "", "");
    let (older, sum) = archive(
        &yard,
        "aged-0.9",
        &[
            ("Makefile", &fs::read_to_string(yard.path("upstream/aged-1.0/Makefile")).expect("readable")),
            ("aged.c", "#include <stdlib.h>\nint aged(void) { return atoi(\"9\"); }\n"),
        ],
    );
    let path = yard.path("root/specs/aged/recipe.yaml");
    let text = fs::read_to_string(&path).expect("readable");
    let also = |version: &str| {
        let entry = format!(
            "also:\n  - version: \"{version}\"\n    pinned-by: a site\n    released: 2025-06-07\n    archives:\n      - url: file://{}\n        sha256: {sum}\n",
            older.display()
        );
        fs::write(&path, text.replacen("make: {}", &format!("{entry}make: {{}}"), 1)).expect("written");
    };
    also("1.0");
    let told = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(told.contains("version `1.0` is there twice"), "{told}");
    also("0.9");
    let told = yard.good(&["plan", "--target", TARGET, "--use", "aged=0.9", "aged", "--explain", "aged"]);
    assert!(told.contains("version 0.9, which a site pins, in place of the recipe's own 1.0"), "{told}");
    let told = yard.bad(&["plan", "--target", TARGET, "--use", "aged=0.8"], 1);
    assert!(told.contains("has no version `0.8`") && told.contains("hint: one of 1.0, 0.9"), "{told}");
    let told = yard.bad(&["plan", "--target", TARGET, "--use", "demo=1.0"], 1);
    assert!(told.contains("a workspace has one version"), "{told}");
    let told = yard.bad(&["plan", "--target", TARGET, "--use", "aged"], 1);
    assert!(told.contains("hint: write `--use RECIPE=VERSION`"), "{told}");
    let told = yard.good(&["build", "--target", TARGET, "--use", "aged=0.9", "aged"]);
    assert!(told.contains("aged-0.9-1.el8.x86_64"), "{told}");
    let told = yard.good(&["build", "--target", TARGET, "aged"]);
    assert!(told.contains("aged-1.0-1.el8.x86_64"), "{told}");
    assert_eq!(yard.good(&["lock", "--verify", "aged"]).matches("as locked").count(), 2);
}
