//! Golden images: whole devices as released versions of the format wrote them. The present version must open, check and
//! give back every value; any other must be refused by name.
//!
//! `device-vN.hex` is one device with a label and the three slices of one target (see `dump` for its lines). The one of the present
//! version is made anew, when the format changes, by
//! `STORE_GOLDEN=write cargo test -p daos-store --test golden`.
#![allow(clippy::disallowed_methods)] // fixtures are files

mod contents;
mod dump;
#[path = "../target/mod.rs"]
mod target;

use std::path::PathBuf;
use std::sync::Once;

use daos_store::inspect::{CheckOptions, Findings, check_target};
use daos_store::{Devices, Driven, FORMAT_VERSION, Geometry, Identity, OpenError, Settings};
use media::{Label, Mem, Role, Slice};
use target::{IDENTITY, MIB, Target};
use types::TargetIndex;
use uuid::Uuid;

/// The largest fixture: it is read by people, too.
const FIXTURE_BYTES_MOST: usize = 60_000;

const ARENA_BYTES: u64 = MIB;
/// Offset and length of each slice on the device; the label takes a MiB at either end.
const SLICES: [(Role, u64, u64); 3] =
    [(Role::Wal, MIB, MIB), (Role::Meta, 2 * MIB, 2 * MIB), (Role::Data, 4 * MIB, MIB)];
const DEVICE_BYTES: u64 = 6 * MIB;

fn path(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/device-v{version}.hex"))
}

fn label() -> Label {
    Label {
        device: Uuid::from_u128(0xde1ce),
        engine: IDENTITY.engine,
        system: String::from("daos_server"),
        total_bytes: DEVICE_BYTES,
        arena_bytes: ARENA_BYTES,
        slices: SLICES.map(|(role, offset, length)| Slice { target: IDENTITY.target, role, offset, length }).to_vec(),
    }
}

/// The device after the history of `contents`.
fn make() -> Vec<u8> {
    let [wal_bytes, meta_bytes, data_bytes] = SLICES.map(|(_, _, length)| length);
    let geometry = Geometry { arena_bytes: ARENA_BYTES, wal_bytes, meta_bytes, data_bytes };
    let mut target = Target::with(geometry, 256 << 10, 512 << 10);
    contents::write(&mut target);
    contents::read_back(&mut target);
    let mut device = vec![0; DEVICE_BYTES as usize];
    let block = label().encode();
    device[..block.len()].copy_from_slice(&block);
    let last = device.len() - block.len();
    device[last..].copy_from_slice(&block);
    let images = [target.mems.wal.image(), target.mems.meta.image(), target.mems.data.image()];
    for ((_, offset, length), image) in SLICES.into_iter().zip(images) {
        device[offset as usize..(offset + length) as usize].copy_from_slice(&image);
    }
    device
}

fn fixture(version: u32) -> Vec<u8> {
    static WRITTEN: Once = Once::new();
    if std::env::var_os("STORE_GOLDEN").is_some_and(|value| value == "write") {
        WRITTEN.call_once(|| std::fs::write(path(FORMAT_VERSION), dump::encode(&make())).unwrap());
    }
    let text = std::fs::read_to_string(path(version)).unwrap();
    assert!(text.len() < FIXTURE_BYTES_MOST, "{} bytes", text.len());
    dump::decode(&text, DEVICE_BYTES as usize).unwrap()
}

/// The slices that the label of a device names.
fn slices(device: &[u8]) -> target::Mems {
    let label = Label::decode(device).unwrap().unwrap();
    assert_eq!(Label::decode(&device[device.len() - media::BLOCK_BYTES..]), Some(Ok(label.clone())));
    let find = |role| {
        let slice = label.slices.iter().find(|slice| slice.role == role && slice.target == IDENTITY.target).unwrap();
        Mem::from_image(device[slice.offset as usize..(slice.offset + slice.length) as usize].to_vec())
    };
    target::Mems { wal: find(Role::Wal), meta: find(Role::Meta), data: find(Role::Data) }
}

fn open(mut devices: Devices, identity: Identity) -> Result<Driven, OpenError> {
    let memory = Box::new(vec![0; ARENA_BYTES as usize]);
    devices.wal.flush().unwrap();
    Ok(Driven::open(devices, identity, memory, Settings::default())?.0)
}

#[test]
fn the_image_of_this_version_opens_checks_and_gives_back_every_value() {
    let device = fixture(FORMAT_VERSION);
    assert_eq!(Label::decode(&device), Some(Ok(label())));
    let mut findings = Findings::new(10);
    let options = CheckOptions { data: true };
    let mut devices = slices(&device).devices();
    let summary = check_target(&mut devices, Some(&IDENTITY), Some(ARENA_BYTES), options, &mut findings);
    assert!(findings.list().is_empty() && summary.values > 10, "{findings:?} {summary:?}");
    let mut target = Target::over(slices(&device), ARENA_BYTES);
    assert!(target.recovery.pages > 0 && target.recovery.groups > 0, "{:?}", target.recovery);
    target.check();
    contents::read_back(&mut target);
    // And once more from what this version makes of it.
    target.checkpoint();
    target.reopen();
    target.check();
    contents::read_back(&mut target);
}

#[test]
fn the_same_history_makes_the_same_device() {
    assert!(make() == make());
}

#[test]
fn images_of_other_versions_are_refused_by_name() {
    for version in (1..FORMAT_VERSION).filter(|version| path(*version).exists()) {
        let error = open(slices(&fixture(version)).devices(), IDENTITY).err().expect("it must not open").to_string();
        let expected = format!("has version {version}, this program knows version {FORMAT_VERSION}\nhint: ");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn the_image_of_another_target_is_refused() {
    let other = Identity { target: TargetIndex(9), ..IDENTITY };
    let error = open(slices(&fixture(FORMAT_VERSION)).devices(), other).err().expect("it must not open");
    assert!(matches!(error, OpenError::WrongIdentity { .. }), "{error}");
}

#[test]
fn dumps_round_trip() {
    let mut bytes = vec![0; 4096];
    bytes[64..128].fill(7);
    bytes[200] = 1;
    bytes[4095] = 2;
    let text = dump::encode(&bytes);
    assert_eq!(dump::decode(&text, 4096), Ok(bytes));
    assert_eq!(dump::decode("00000020 zz", 64), Err(String::from("line 1: not 32 bytes in hex")));
    assert!(dump::decode("00000040 ", 64).is_err());
}
