//! Devices damaged under a stopped engine: found, told with the place, never served, and good again once mended.

use std::fs;

use media::{BLOCK_BYTES, Role};
use system_suite::{Cluster, DeviceFile, Options, PATIENCE, pattern, runtime, wait_for};
use types::{Key, ObjectId, Status};

use crate::{fill, still_works};

const OBJECT: ObjectId = ObjectId { hi: 0, lo: 9 };
const BLOCK: u64 = BLOCK_BYTES as u64;
/// Fields of a superblock and of a page map chunk (engine/docs/disk-format.md).
const GENERATION: u64 = 32;
const ARENA_BYTES: u64 = 40;
const LOG_TAIL: u64 = 72;
const MAP_GENERATION: u64 = 16;
const MAP_ENTRIES: u64 = 32;
/// Arena pages mapped by a chunk.
const MAP_PAGES: u64 = 508;

fn one_target() -> Cluster {
    let cluster = Cluster::start(Options { targets: 1, bdev_gib: 4, restart: false, ..Options::default() });
    fill(&cluster);
    cluster
}

fn large_value() -> Vec<u8> {
    pattern(3, 1 << 20)
}

fn names() -> (Key, Key) {
    (Key::try_from("large").unwrap(), Key::try_from("v").unwrap())
}

fn put_large(cluster: &Cluster) {
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let object = pool.open_container("things").await.unwrap().object(OBJECT);
        object.put(&names().0, &names().1, large_value()).await.unwrap();
    });
}

fn get_large(cluster: &Cluster) -> Result<Option<bytes::Bytes>, client::Error> {
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await?;
        let object = pool.open_container("things").await?.object(OBJECT);
        object.get(&names().0, &names().1).await
    })
}

#[track_caller]
fn is_whole(cluster: &Cluster) {
    still_works(cluster);
    assert!(get_large(cluster).unwrap().as_deref() == Some(&large_value()[..]));
}

/// The engine does not come up, the system tells why in these words, and nothing is served; then `mend` and all is well.
fn refused_until_mended(cluster: &mut Cluster, words: &[&str], mend: impl FnOnce()) {
    cluster.start_server();
    let member = cluster.wait_state(0, "errored");
    let told = format!("{} {}", member.info, cluster.logs());
    for word in words {
        assert!(told.contains(word), "`{word}` is missing: {told}");
    }
    cluster.daos(&["--retry-for", "1", "kv", "get", "tank", "things", "apple"]).refused(&["tank"]);
    cluster.stop_server();
    mend();
    cluster.start_server();
    cluster.wait_joined();
    is_whole(cluster);
    cluster.stop_server();
}

/// The current one of two copies, by the generation at `field` of each.
fn current(device: &DeviceFile, first: u64, field: u64) -> u64 {
    let second = first + BLOCK;
    if device.number(first + field) > device.number(second + field) { first } else { second }
}

#[test]
fn a_flipped_bit_in_a_value_is_found_and_hurts_no_other() {
    let mut cluster = one_target();
    put_large(&cluster);
    cluster.stop_server();
    let device = DeviceFile::open(&cluster.device(0));
    let at = device.find(&large_value()[..BLOCK_BYTES]).expect("the value lies on the device as it was written");
    device.flip(at + 100_000);
    cluster.start_server();
    cluster.wait_joined();
    let error = get_large(&cluster).unwrap_err();
    assert_eq!(error.status(), Status::Checksum, "{error}");
    wait_for("the engine logs the place", PATIENCE, || {
        cluster.engine_log(0).contains("checksum mismatch").then_some(())
    });
    still_works(&cluster);
    // It stays refused when the bit comes back by itself; written again it is whole.
    cluster.stop_server();
    device.flip(at + 100_000);
    cluster.start_server();
    cluster.wait_joined();
    assert_eq!(get_large(&cluster).unwrap_err().status(), Status::Checksum);
    put_large(&cluster);
    is_whole(&cluster);
}

#[test]
fn damaged_structures_are_found_at_the_start() {
    let mut cluster = one_target();
    put_large(&cluster);
    cluster.stop_server();
    let device = DeviceFile::open(&cluster.device(0));
    let (first, last) = (0, device.length() - BLOCK);

    // Cut off a little, by half, and to nothing: what a broken copy of it looks like. The whole one comes back.
    let (path, aside) = (cluster.device(0), cluster.path("aside"));
    for length in [device.length() - (1 << 20), device.length() / 2 - 1000, 0] {
        fs::rename(&path, &aside).unwrap();
        fs::write(&path, &device.block(first)[..BLOCK_BYTES.min(length as usize)]).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        let words = [path.to_str().unwrap(), &length.to_string(), &device.length().to_string()];
        refused_until_mended(&mut cluster, &words, || fs::rename(&aside, &path).unwrap());
    }

    // One copy of the label is enough, and the other one is made again from it.
    for copy in [first, last] {
        let whole = device.block(copy);
        device.flip(copy + 50);
        cluster.start_server();
        cluster.wait_joined();
        is_whole(&cluster);
        cluster.stop_server();
        assert!(device.block(copy) == whole, "the copy at byte {copy} was written again");
        assert!(cluster.engine_log(0).contains("lost or damaged"), "the log says so");
    }
    device.flip(first + 50);
    device.flip(last + 50);
    refused_until_mended(&mut cluster, &["label"], || {
        device.flip(first + 50);
        device.flip(last + 50);
    });

    let meta = device.slice(0, Role::Meta).offset;
    let (block0, block1) = (device.block(meta), device.block(meta + BLOCK));
    device.flip(meta + 50);
    device.flip(meta + BLOCK + 50);
    refused_until_mended(&mut cluster, &["superblock"], || {
        device.write(meta, &block0);
        device.write(meta + BLOCK, &block1);
    });

    // The image of arena page 0: its slot is the first entry of the page map.
    let chunks = device.number(current(&device, meta, GENERATION) + ARENA_BYTES).div_ceil(BLOCK).div_ceil(MAP_PAGES);
    let entry = device.number(current(&device, meta + 2 * BLOCK, MAP_GENERATION) + MAP_ENTRIES);
    let slot = entry & u64::from(u32::MAX);
    let page = meta + (2 + 2 * chunks + slot) * BLOCK;
    device.flip(page + 1000);
    refused_until_mended(&mut cluster, &["meta", "checksum"], || device.flip(page + 1000));
}

#[test]
fn a_flipped_bit_in_the_middle_of_the_log_is_not_taken_for_its_end() {
    let mut cluster = one_target();
    put_large(&cluster);
    // Killed together, so that the log is what the next start has.
    cluster.kill_server();
    cluster.kill_engine(0);
    let device = DeviceFile::open(&cluster.device(0));
    let meta = device.slice(0, Role::Meta).offset;
    let tail = device.number(current(&device, meta, GENERATION) + LOG_TAIL);
    let group = device.slice(0, Role::Wal).offset + tail * BLOCK;
    assert_eq!(&device.block(group)[..4], b"DWAL", "groups are left to be replayed");
    device.flip(group + 70);
    refused_until_mended(&mut cluster, &["log"], || device.flip(group + 70));
}
