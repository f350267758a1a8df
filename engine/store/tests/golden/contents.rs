//! The history behind a golden image: one of everything that the format can hold, and what must be read back.

use bytes::Bytes;
use daos_store::{Command, Reply};
use erasure::checksums;
use types::{
    ChecksumKind, Condition, ContainerId, Epoch, Level, Operation, Outcome, Place, PoolId, Scope, Segment, Selection,
    Shape, Status,
};
use uuid::Uuid;

use crate::target::{OBJECT, PLACE, Target, address, key};

/// A pool and container beside the ones that every target of the suites has.
const OTHER: Place = Place { pool: PoolId(Uuid::from_u128(0x101)), container: ContainerId(Uuid::from_u128(0x201)) };
/// In the graveyard when the history ends.
const DYING: Place = Place { pool: PoolId(Uuid::from_u128(0x100)), container: ContainerId(Uuid::from_u128(0x202)) };

/// Bytes of which one line of a dump says all.
fn lines(length: usize, byte: u8) -> Bytes {
    (0..length).map(|n| byte ^ (n % 32) as u8).collect()
}

/// A key with a cell of its own outside of its tree page.
fn long_key() -> String {
    "k".repeat(600)
}

/// Single values by dkey, under akey `value`.
fn singles() -> Vec<(String, Bytes)> {
    vec![
        (String::from("empty"), Bytes::new()),
        (String::from("small"), Bytes::from_static(b"a value in the arena")),
        (String::from("spilled"), lines(2000, 0x40)),
        (String::from("data"), lines(4096, 0x60)),
        (String::from("two checksums"), lines(40_000, 0x80)),
        (String::from("zero\0byte"), Bytes::from_static(b"under an escaped name")),
        (long_key(), Bytes::from_static(b"under a long name")),
    ]
}

/// Single values of the other container, whose checksums are SHA-256, by akey.
fn digested() -> [(&'static str, Bytes); 2] {
    [("small", Bytes::from_static(b"one digest")), ("large", lines(40_000, 0xa0))]
}

pub(crate) fn write(target: &mut Target) {
    let pool = OTHER.pool;
    let create = Command::PoolCreate { pool, scm_bytes: 128 << 10, data_bytes: 64 << 10 };
    for command in [
        create,
        Command::ContainerCreate(OTHER, ChecksumKind::Sha256),
        Command::ContainerCreate(DYING, ChecksumKind::Crc64),
    ] {
        assert_eq!(target.run(command), Reply::Done(Ok(())));
    }
    for (dkey, value) in singles() {
        target.update(&dkey, "value", Shape::Single, &value).unwrap();
    }
    for (akey, data) in digested() {
        let (shape, condition, checksums) = (Shape::Single, Condition::Always, checksums(ChecksumKind::Sha256, &data));
        let operation = Operation::Update { address: address("digests", akey), shape, condition, checksums, data };
        let reply = target.run(Command::Operate { place: OTHER, operation });
        assert!(matches!(reply, Reply::Operated(Ok(Outcome::Changed(_)))), "{reply:?}");
    }
    target.checkpoint();
    // An array with an older extent below a newer one, a hole, and a tail in the data slice.
    target.update("array", "value", Shape::array(0), &lines(100, 1)).unwrap();
    target.update("array", "value", Shape::array(50), &lines(100, 2)).unwrap();
    target.update("array", "value", Shape::array(10_000), &lines(5000, 3)).unwrap();
    target.punch(Scope::Range { address: address("array", "value"), offset: 10, length: 20 }).unwrap();
    // Superseded once, so that there is history.
    target.update("small", "value", Shape::Single, &Bytes::from_static(b"the newer value")).unwrap();
    for (dkey, akey) in [("gone", "value"), ("gone too", "value"), ("gone too", "kept")] {
        target.update(dkey, akey, Shape::Single, &Bytes::from_static(b"to be removed")).unwrap();
    }
    target.punch(Scope::Dkey(OBJECT, key("gone"))).unwrap();
    target.punch(Scope::Akey(address("gone too", "value"))).unwrap();
    assert_eq!(target.run(Command::ContainerDestroy(DYING)), Reply::Done(Ok(())));
}

pub(crate) fn read_back(target: &mut Target) {
    for (dkey, value) in singles() {
        let expected = if dkey == "small" { Bytes::from_static(b"the newer value") } else { value };
        assert_eq!(target.fetch_single(&dkey, "value"), Ok(expected), "{dkey}");
    }
    for (akey, data) in digested() {
        let (address, selection, epoch) = (address("digests", akey), Selection::Single, Epoch::MAX);
        let fetch = Operation::Fetch { address, selection, epoch };
        let found = target.run(Command::Operate { place: OTHER, operation: fetch });
        let segment = Segment { offset: 0, checksums: checksums(ChecksumKind::Sha256, &data), data };
        assert_eq!(found, Reply::Operated(Ok(Outcome::Fetched(vec![segment]))));
    }
    let whole = target.fetch_array("array", "value", (0, 20_000), Epoch::MAX).unwrap();
    let expected = [
        (0, lines(100, 1).slice(..10)),
        (30, [lines(100, 1).slice(30..50), lines(100, 2)].concat().into()),
        (10_000, lines(5000, 3)),
    ];
    assert_eq!(whole, expected);
    assert_eq!(target.size("array", "value", Epoch::MAX), Ok(15_000));
    assert_eq!(target.fetch_single("gone", "value"), Err(Status::Nonexistent));
    assert_eq!(target.fetch_single("gone too", "value"), Err(Status::Nonexistent));
    assert_eq!(target.fetch_single("gone too", "kept"), Ok(Bytes::from_static(b"to be removed")));
    let mut dkeys: Vec<Bytes> = singles().into_iter().map(|(dkey, _)| dkey.into()).collect();
    dkeys.extend([Bytes::from_static(b"array"), Bytes::from_static(b"gone too")]);
    dkeys.sort_unstable();
    assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), dkeys);
    assert_eq!(target.run(Command::PoolList), Reply::Pools(vec![PLACE.pool, OTHER.pool]));
    for (place, containers) in [(PLACE, vec![PLACE.container]), (OTHER, vec![OTHER.container])] {
        assert_eq!(target.run(Command::ContainerList(place.pool)), Reply::Containers(Ok(containers)));
    }
}
