//! Both commands over the golden device of crate store, whole and damaged.

use std::ffi::OsString;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use clap::Parser;
use media::{BLOCK_BYTES, OpenDevice};

use super::{Command, Failure, Offline, dump, fsck};

const DEVICE_BYTES: u64 = 6 << 20;
/// Of the golden device.
const META_AT: u64 = 2 << 20;
const CONTAINER: &str = "00000000-0000-0000-0000-000000000200";

/// The golden device of this version as a file.
fn device(folder: &Path) -> PathBuf {
    device_of(store::FORMAT_VERSION, folder)
}

/// The golden device of a version as a file: lines of 32 bytes in hex behind their offset, `xN` for N times.
fn device_of(version: u32, folder: &Path) -> PathBuf {
    let fixture = format!("../store/tests/golden/device-v{version}.hex");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture)).unwrap();
    let path = folder.join("bdev");
    let file = std::fs::File::create_new(&path).unwrap();
    file.set_len(DEVICE_BYTES).unwrap();
    for line in text.lines() {
        let mut words = line.split(' ');
        let at = u64::from_str_radix(words.next().unwrap(), 16).unwrap();
        let hex = words.next().unwrap();
        let bytes: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        let times: usize = words.next().map_or(1, |times| times[1..].parse().unwrap());
        file.write_all_at(&bytes.repeat(times), at).unwrap();
    }
    path
}

fn flip(path: &Path, at: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

fn run(arguments: &[&str], path: &Path) -> (Result<bool, Failure>, String) {
    let words = ["daos_engine"].iter().chain(arguments).map(OsString::from).chain([path.into()]);
    let mut out = Vec::new();
    let result = match Offline::parse_from(words).command {
        Command::Fsck(arguments) => fsck::run(&arguments, &mut out),
        Command::Dump(arguments) => dump::run(&arguments, &mut out),
    };
    (result, String::from_utf8(out).unwrap())
}

#[test]
fn a_whole_device_is_clean_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = device(folder.path());
    let before = std::fs::read(&path).unwrap();
    let (result, text) = run(&["fsck", "--data"], &path);
    assert!(result.unwrap(), "{text}");
    assert!(text.starts_with("target 1: checked superblock generation 2, "), "{text}");
    assert!(text.ends_with("clean: 1 devices, 1 targets (0 not looked at): 0 damage, 0 warnings, 0 notes\n"), "{text}");
    let (result, text) = run(&["fsck", "--json"], &path);
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(result.unwrap() && envelope["response"]["clean"] == true && envelope["status"] == 0, "{text}");
    assert_eq!(envelope["response"]["targets"][0]["pools"], 2);
    assert!(before == std::fs::read(&path).unwrap());
}

#[test]
fn findings_are_lines_with_their_place_on_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = device(folder.path());
    flip(&path, DEVICE_BYTES - BLOCK_BYTES as u64 + 20);
    flip(&path, META_AT + 90);
    flip(&path, META_AT + 4096 + 90);
    let (result, text) = run(&["fsck"], &path);
    assert!(!result.unwrap());
    let lines: Vec<&str> = text.lines().collect();
    let label =
        format!("{}: warning: device byte {}: label: the label's checksum is ", path.display(), DEVICE_BYTES - 4096);
    assert!(lines[0].starts_with(&label), "{text}");
    let superblock = format!(
        "target 1: damage: meta byte 4096 ({} byte {}): superblock: the checksum does not match; the device does not hold",
        path.display(),
        META_AT + 4096
    );
    assert!(lines[2].starts_with(&superblock), "{text}");
    assert!(
        lines.last().unwrap().starts_with("not clean: 1 devices, 1 targets (0 not looked at): 2 damage, 1 warnings")
    );
    let (_, text) = run(&["fsck", "-j"], &path);
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    let finding = &envelope["response"]["targets"][0]["findings"][1];
    assert_eq!((finding["device_byte"].as_u64(), finding["room"].as_str()), (Some(META_AT + 4096), Some("meta")));
    assert_eq!(envelope["status"], -2001);
}

#[test]
fn a_device_in_use_and_one_that_is_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = device(folder.path());
    let engine = OpenDevice::open(&path).unwrap();
    for command in ["fsck", "dump"] {
        match run(&[command], &path).0 {
            Err(Failure::Device(text)) => {
                assert!(text.contains("is in use by another engine\nhint: stop the other engine"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    drop(engine);
    assert!(matches!(run(&["fsck"], Path::new("/dev/null")).0, Err(Failure::Device(_))));
    assert!(matches!(run(&["fsck", "--target", "7"], &path).0, Err(Failure::Usage(_))));
    std::fs::write(&path, vec![0; 1 << 20]).unwrap();
    let (result, text) = run(&["fsck"], &path);
    assert!(!result.unwrap() && text.contains("label: there is none; the device is not formatted"), "{text}");
}

#[test]
fn a_target_of_another_version_is_named_once_and_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = device_of(1, folder.path());
    let (result, text) = run(&["fsck", "--data"], &path);
    assert!(!result.unwrap());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let expected = format!(
        "target 1: not looked at: the format version is 1, this program knows version {}; this is no damage; use the release that wrote it",
        store::FORMAT_VERSION
    );
    assert!(lines[0].starts_with(&expected), "{text}");
    let last = "not checked: 1 devices, 1 targets (1 not looked at): 0 damage, 0 warnings, 0 notes";
    assert_eq!(lines[1], last);
    let (_, text) = run(&["fsck", "--json"], &path);
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((envelope["status"].as_i64(), envelope["response"]["clean"].as_bool()), (Some(-2001), Some(false)));
    assert_eq!(envelope["error"], "targets that were not looked at");
    assert!(envelope["response"]["targets"][0]["skipped"].as_str().unwrap().starts_with(&expected), "{text}");
    let (result, text) = run(&["dump", "--json"], &path);
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    let error = envelope["error"].as_str().unwrap();
    assert!(!result.unwrap() && error.starts_with("target 1: its superblocks have version 1, this program"), "{error}");
    // A torn copy beside it changes nothing.
    flip(&path, META_AT + 90);
    assert_eq!(run(&["fsck"], &path).1.lines().next_back(), Some(last));
}

#[test]
fn without_anything_named_the_error_says_what_can_be() {
    for command in ["fsck", "dump"] {
        let parsed = Offline::try_parse_from(["daos_engine", command]).unwrap();
        let result = match parsed.command {
            Command::Fsck(arguments) => fsck::run(&arguments, &mut Vec::new()),
            Command::Dump(arguments) => dump::run(&arguments, &mut Vec::new()),
        };
        let Err(Failure::Usage(text)) = result else { panic!("{result:?}") };
        assert!(text.starts_with("nothing to look at is named: devices or device files, or -n"), "{text}");
        assert!(text.contains(&format!("`daos_engine {command} DEVICE...`")) && text.contains("-n FILE"), "{text}");
    }
}

#[test]
fn a_device_that_is_not_there_is_told_without_a_word_on_settings_that_were_not_used() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["fsck", "dump"] {
        let Err(Failure::Device(text)) = run(&[command], &folder.path().join("none")).0 else { panic!("{command}") };
        assert!(text.starts_with("BdevNotFound: ") && text.ends_with("hint: correct the path, or attach the device"));
    }
}

#[test]
fn every_structure_is_dumped_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = device(folder.path());
    let words =
        ["dump", "label", "superblock", "map", "log", "arena", "pools", "containers", "container", CONTAINER, "free"];
    let (result, text) = run(&words, &path);
    assert!(result.unwrap());
    for expected in [
        "label device=",
        " role=wal offset=1048576 bytes=1048576, ",
        "superblock copy=1 byte=4096 version=",
        "map chunk=0 copy=",
        " state=current generation=2 first_page=0 pages=256 mapped=",
        "log byte=",
        "arena version=",
        "pools pool=00000000-0000-0000-0000-000000000101 dying=false",
        "containers container=00000000-0000-0000-0000-000000000202 pool=00000000-0000-0000-0000-000000000100 dying=true",
        "kind=\"single value\" object=1.7 dkey=data akey=value epoch=0x",
        "dkey=zero\\x00byte akey=value",
        "kind=\"punched range\"",
        "kind=\"tombstone of dkey\" object=1.7 dkey=gone epoch=",
        " where=data byte=0 checksum_kind=crc32 checksums=[checksum=",
        "free byte=",
    ] {
        assert!(text.contains(expected), "`{expected}` is missing in\n{text}");
    }
    let (_, text) = run(&[&words[..], &["--json"]].concat(), &path);
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    let target = &envelope["response"]["targets"][0];
    for section in ["superblock", "map", "log", "arena", "pools", "containers", "records", "free"] {
        assert!(!target[section].as_array().unwrap().is_empty(), "{section}");
    }
    assert_eq!(envelope["response"]["label"][0]["system"], "daos_server");
}

#[test]
fn a_container_that_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = device(folder.path());
    let (result, text) = run(&["dump", "--json", "container", "00000000-0000-0000-0000-0000000009ff"], &path);
    assert!(!result.unwrap());
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(
        envelope["error"].as_str().unwrap().contains("has no container 00000000-0000-0000-0000-0000000009ff; hint: ")
    );
}
