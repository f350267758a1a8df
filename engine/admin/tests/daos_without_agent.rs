//! The real `daos` where no agent runs: it says how to start one, and what is wrong with an argument is said first.

#![allow(clippy::disallowed_methods)] // it runs a program

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};

fn daos(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_daos")).args(arguments).env("DAOS_AGENT_DRPC_DIR", folder.path()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_an_agent_the_hint_says_how_to_start_one() {
    let output = daos(&["pool", "list"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.starts_with("ERROR: daos: ") && said.contains("daos_agent.sock"), "{said}");
    assert!(said.contains("hint: start daos_agent") && said.contains("DAOS_AGENT_DRPC_DIR"), "{said}");
}

#[test]
fn without_an_agent_json_is_an_envelope() {
    let output = daos(&["--json", "kv", "list", "tank", "data"]);
    let envelope: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((envelope["status"].as_i64(), output.stderr.len()), (Some(-1006), 0));
}

#[test]
fn what_cannot_be_stored_is_refused_before_the_agent_is_asked() {
    for (arguments, problem) in [
        (&["kv", "put", "tank", "data", "", "v"][..], "at least one byte"),
        (&["kv", "put", "tank", "data", "k", "@/absent/file"], "/absent/file"),
        (&["kv", "put", "tank", "data", "k", "", "--array"], "no bytes"),
        (&["kv", "get", "tank", "data", r"\q", "--escaped"], "broken escape"),
    ] {
        let output = daos(arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(said.contains(problem) && said.contains("hint: "), "{said}");
    }
}

#[test]
fn arguments_that_are_not_understood_end_with_2() {
    assert_eq!(daos(&["kv", "put"]).status.code(), Some(2));
    assert_eq!(daos(&["--version"]).status.code(), Some(0));
    let output = daos(&["kv", "put", "--json"]);
    let envelope: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((envelope["status"].as_i64(), output.status.code()), (Some(-1003), Some(2)));
}

/// They ended both programs with a panic and exit code 101 once: arguments were read as text where bytes may stand.
#[test]
fn arguments_that_are_not_utf_8_do_not_panic() {
    let stray = OsStr::from_bytes(b"caf\xe9");
    for program in [env!("CARGO_BIN_EXE_daos"), env!("CARGO_BIN_EXE_dmg")] {
        for arguments in [&[stray][..], &[OsStr::new("pool"), OsStr::new("query"), stray, OsStr::new("--json")]] {
            let output = Command::new(program).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{program} {arguments:?}: {output:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let put = ["kv", "put", "tank", "data"].map(OsStr::new);
    let output = Command::new(env!("CARGO_BIN_EXE_daos"))
        .args(put)
        .args([stray, stray])
        .env("DAOS_AGENT_DRPC_DIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "the key was understood, the agent was asked: {output:?}");
    assert!(said(&output).contains("daos_agent.sock"), "{output:?}");
}
