//! Stopped at every stage, by Ctrl-C and by `kill -9`: nothing half-made is anywhere a later run or a reader would look, and the
//! next run completes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::yard::{TARGET, Yard, said};

/// What the packager says when a stage begins, in order.
const STAGES: [&str; 7] =
    ["crates", "sources", "documents", "source package", "compiling and packaging", "gates", "signing and publishing"];

/// Starts a build, sends a signal when a stage begins, and gives the exit code (`None` for a kill) and what was said.
fn stopped_at(yard: &Yard, stage: &str, signal: Signal) -> (Option<i32>, String) {
    let mut child = yard
        .command(&["build", "--target", TARGET])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the packager runs");
    let errors = BufReader::new(child.stderr.take().expect("piped"));
    let ending = format!(": {stage}");
    let mut text = String::new();
    for line in errors.lines() {
        let line = line.expect("text");
        if line.ends_with(&ending) {
            kill_process(Pid::from_child(&child), signal).expect("it is our child");
        }
        text.push_str(&line);
        text.push('\n');
    }
    (child.wait().expect("it is our child").code(), text)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Everything that a later run takes for finished is finished.
fn nothing_is_half_made(yard: &Yard) {
    assert!(!yard.path("root/dist").join(TARGET).exists(), "a repository appeared before its build ended");
    for artifact in names(&yard.path("state/artifacts")) {
        let packages = names(&yard.path("state/artifacts").join(artifact));
        let whole = packages.iter().filter(|name| name.ends_with(".rpm")).count() == 4;
        assert!(whole && packages.len() == 5 && packages.iter().any(|name| name == "packages"), "{packages:?}");
    }
    for crates in names(&yard.path("state/vendored")).iter().filter(|name| !name.starts_with('.')) {
        let parts = names(&yard.path("state/vendored").join(crates));
        assert_eq!(parts.len(), 3, "{parts:?}");
    }
    let documents = names(&yard.path("state/documents"));
    assert!(documents.iter().all(|name| name.starts_with('.') || name.ends_with(".tar.xz")), "{documents:?}");
}

/// No work folder is left anywhere.
fn nothing_is_left_over(yard: &Yard) {
    for folder in ["state/work", "state/vendored", "state/documents", "root/dist"] {
        let names = names(&yard.path(folder));
        let left: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with('.') || folder == "state/work" || name.ends_with(".lock"))
            .collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}

#[test]
fn a_build_stopped_at_any_stage_leaves_nothing_half_made_and_the_next_completes() {
    let yard = Yard::new();
    for stage in STAGES {
        let (code, text) = stopped_at(&yard, stage, Signal::INT);
        assert_eq!(code, Some(1), "{stage}\n{text}");
        assert!(text.contains("interrupted"), "{stage}\n{text}");
        nothing_is_half_made(&yard);
        nothing_is_left_over(&yard);
        let (code, text) = stopped_at(&yard, stage, Signal::KILL);
        assert_eq!(code, None, "{stage}\n{text}");
        nothing_is_half_made(&yard);
    }
    let built = yard.good(&["build", "--target", TARGET]);
    assert!(built.contains("demo-1.2.3-1.el8.x86_64"), "{built}");
    nothing_is_left_over(&yard);
    let repo = yard.path("root/dist").join(TARGET);
    let key = repo.join("RPM-GPG-KEY-daos");
    yard.good(&["verify", "--key", key.to_str().expect("text"), repo.to_str().expect("text")]);
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing_half_made() {
    let yard = Yard::new();
    let state = yard.path("state");
    let toolchain = fs::read_link(state.join("toolchain")).expect("a link");
    // A small file system in a mount namespace of its own: it is gone with the process.
    let small = "mount -t tmpfs -o size=6m none \"$1\" && ln -s \"$2\" \"$1/toolchain\"";
    let output = yard.after_mounting(small, &[&state, &toolchain], &["build", "--target", TARGET]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.to_lowercase().contains("no space left on device"), "{text}");
    assert!(text.contains("hint: free some space"), "{text}");
    nothing_is_half_made(&yard);
    let built = yard.good(&["build", "--target", TARGET]);
    assert!(built.contains("demo-1.2.3-1.el8.x86_64"), "{built}");
}
