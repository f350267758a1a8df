//! The history behind a golden image: one of everything that the format can hold, and what must be read back.

use bytes::Bytes;
use daos_store::{Command, Reply};
use erasure::checksums;
use types::{
    Address, ChecksumKind, Condition, ContainerId, Epoch, Key, Level, ObjectId, Operation, Outcome, Place, PoolId,
    Scope, Segment, Selection, Shape, Status, TransactionId,
};
use uuid::Uuid;

use crate::target::{OBJECT, PLACE, Target, address, key};

/// A pool and container beside the ones that every target of the suites has.
const OTHER: Place = Place { pool: PoolId(Uuid::from_u128(0x101)), container: ContainerId(Uuid::from_u128(0x201)) };
/// In the graveyard when the history ends.
const DYING: Place = Place { pool: PoolId(Uuid::from_u128(0x100)), container: ContainerId(Uuid::from_u128(0x202)) };

const TRANSACTION: TransactionId = TransactionId(Uuid::from_u128(0x301));
/// An array of records of four bytes.
const RECORDS: Shape = Shape::Array { offset: 8, record_bytes: 4 };
const NUMBERS: [u64; 3] = [256, 1, 70_000];

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
    target.update("records", "value", RECORDS, &lines(40, 5)).unwrap();
    let epoch = target.now;
    assert_eq!(target.run(Command::SnapshotAdd { place: PLACE, epoch }), Reply::Done(Ok(())));
    // Numbers as dkeys: not in byte order as clients give them.
    for number in NUMBERS {
        let reply = target.run(Command::Operate { place: OTHER, operation: update(numbered(number), b"by number") });
        assert!(matches!(reply, Reply::Operated(Ok(Outcome::Changed(_)))), "{reply:?}");
    }
    let operations = vec![
        update(address("prepared", "small"), b"not seen yet"),
        update(address("prepared", "large"), &lines(5000, 6)),
    ];
    let reply = target.run(Command::Prepare { transaction: TRANSACTION, place: OTHER, operations });
    assert!(matches!(reply, Reply::Prepared(Ok(_))), "{reply:?}");
}

fn numbered(number: u64) -> Address {
    let object = ObjectId { hi: 2 << 56, lo: 8 };
    Address { object, dkey: Key::new(&number.to_le_bytes()).unwrap(), akey: key("value") }
}

fn list(level: Level) -> Operation {
    Operation::List { level, after: Vec::new(), limit: 100, epoch: Epoch::MAX }
}

fn update(address: Address, data: &[u8]) -> Operation {
    let (shape, condition, data) = (Shape::Single, Condition::Always, Bytes::copy_from_slice(data));
    let checksums = checksums(ChecksumKind::Sha256, &data);
    Operation::Update { address, shape, condition, checksums, data }
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
    let records = target.fetch_array("records", "value", (8, 40), Epoch::MAX).unwrap();
    assert_eq!(records, [(8, lines(40, 5))]);
    let dkeys = Level::Dkeys(numbered(0).object);
    match target.run(Command::Operate { place: OTHER, operation: list(dkeys) }) {
        Reply::Operated(Ok(Outcome::Listed { names, .. })) => {
            let numbers = names.iter().map(|name| u64::from_le_bytes(name[..].try_into().unwrap()));
            assert_eq!(numbers.collect::<Vec<u64>>(), [1, 256, 70_000]);
        }
        other => panic!("{other:?}"),
    }
    match target.run(Command::SnapshotList(PLACE)) {
        Reply::Snapshots(Ok(epochs)) => assert_eq!(epochs.len(), 1),
        other => panic!("{other:?}"),
    }
    match target.run(Command::PreparedList) {
        Reply::PreparedTransactions(all) => {
            assert_eq!(all.iter().map(|(id, place, _)| (*id, *place)).collect::<Vec<_>>(), [(TRANSACTION, OTHER)]);
        }
        other => panic!("{other:?}"),
    }
    let mut dkeys: Vec<Bytes> = singles().into_iter().map(|(dkey, _)| dkey.into()).collect();
    dkeys.extend([b"array".as_slice(), b"gone too", b"records"].map(Bytes::from_static));
    dkeys.sort_unstable();
    assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), dkeys);
    assert_eq!(target.run(Command::PoolList), Reply::Pools(vec![PLACE.pool, OTHER.pool]));
    for (place, containers) in [(PLACE, vec![PLACE.container]), (OTHER, vec![OTHER.container])] {
        assert_eq!(target.run(Command::ContainerList(place.pool)), Reply::Containers(Ok(containers)));
    }
}
