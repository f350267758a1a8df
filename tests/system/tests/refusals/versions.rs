//! Storage that another release formatted: refused with both versions and what to do, and as it was when that release comes back.

use std::fs;

use media::Role;
use media::label::LABEL_VERSION;
use system_suite::{Cluster, DeviceFile, Options};

use crate::{fill, still_works};

/// Place of the version in a superblock and in a label, of the checksum in a superblock (engine/docs/disk-format.md).
const VERSION: u64 = 8;
const SUPERBLOCK_CRC: usize = 4092;
const BLOCK: u64 = media::BLOCK_BYTES as u64;

/// Every copy of the superblock of target 0 with another version, and whole.
fn set_superblock_version(device: &DeviceFile, change: i64) -> (u32, u32) {
    let meta = device.slice(0, Role::Meta).offset;
    let mut versions = (0, 0);
    for at in [meta, meta + BLOCK] {
        let mut block = device.block(at);
        if block[..8] != *b"DFRSUPER" {
            continue; // the second one is not written before the first checkpoint
        }
        let old = u32::from_le_bytes(block[8..12].try_into().unwrap());
        let new = old.checked_add_signed(i32::try_from(change).unwrap()).unwrap();
        block[8..12].copy_from_slice(&new.to_le_bytes());
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &block[..SUPERBLOCK_CRC]) as u32;
        block[SUPERBLOCK_CRC..].copy_from_slice(&crc.to_le_bytes());
        device.write(at, &block);
        versions = (old, new);
    }
    versions
}

/// The system tells these words of the engine, which nobody starts again and again; then `mend`, a start by an administrator, and all is well.
#[track_caller]
fn refused(cluster: &mut Cluster, words: &[&str], mend: impl FnOnce()) {
    cluster.start_server();
    let member = cluster.wait_state(0, "errored");
    let command = "dmg storage format --force";
    for word in [words, &["version", "this program knows", "release that wrote it", command]].concat() {
        assert!(member.info.contains(word), "`{word}` is missing: {member:?}");
    }
    let log = fs::read_to_string(cluster.path("log/daos_server.log")).unwrap();
    assert!(!log.contains("is started again in"), "a restart would end the same way:\n{log}");
    cluster.daos(&["--retry-for", "1", "kv", "get", "tank", "things", "apple"]).refused(&["tank"]);
    cluster.dmg(&["storage", "format"]).refused(&["force"]);
    mend();
    cluster.dmg(&["system", "start"]).ok();
    cluster.wait_joined();
    still_works(cluster);
    cluster.stop_server();
}

#[test]
fn another_release_s_storage_is_refused_with_both_versions() {
    let mut cluster = Cluster::start(Options { targets: 1, bdev_gib: 4, ..Options::default() });
    fill(&cluster);
    cluster.stop_server();
    let device = DeviceFile::open(&cluster.device(0));

    let (current, former) = set_superblock_version(&device, -1);
    let (found, known) = (format!("version {former}"), format!("version {current}"));
    refused(&mut cluster, &["superblock", &found, &known], || {
        set_superblock_version(&device, 1);
    });

    let (first, last) = (0, device.length() - BLOCK);
    let labels = |version: u32| {
        for at in [first, last] {
            device.write(at + VERSION, &version.to_le_bytes());
        }
    };
    labels(LABEL_VERSION + 1);
    let (found, known) = (format!("version {}", LABEL_VERSION + 1), format!("version {LABEL_VERSION}"));
    let path = cluster.device(0).display().to_string();
    refused(&mut cluster, &["label", &path, &found, &known], || labels(LABEL_VERSION));

    let conf = cluster.path("metadata/daos_control/engine0/daos_nvme.conf");
    let written = fs::read_to_string(&conf).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&written).unwrap();
    let version = value["version"].as_u64().unwrap();
    value["version"] = (version + 1).into();
    value["of_the_future"] = "unknown".into();
    fs::write(&conf, value.to_string()).unwrap();
    let (found, known) = (format!("version {}", version + 1), format!("version {version}"));
    refused(&mut cluster, &["daos_nvme.conf", &found, &known], || fs::write(&conf, &written).unwrap());

    // By force it becomes this release's, and is empty.
    set_superblock_version(&device, -1);
    labels(LABEL_VERSION + 1);
    cluster.start_server();
    cluster.wait_state(0, "errored");
    cluster.dmg(&["storage", "format"]).refused(&["force"]);
    cluster.dmg(&["storage", "format", "--force"]).ok();
    cluster.wait_joined();
    assert_eq!(cluster.dmg(&["--json", "pool", "list"]).ok().json()["response"]["pools"], serde_json::json!([]));
    fill(&cluster);
    still_works(&cluster);
}
