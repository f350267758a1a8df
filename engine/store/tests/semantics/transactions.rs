//! Prepared transactions: seen by nobody before their commit, resolved after a restart, alone with what they hold.

use bytes::Bytes;
use daos_store::{Command, Reply};
use types::{ChecksumKind, Condition, Epoch, Level, Operation, Outcome, Scope, Shape, Status, TransactionId};
use uuid::Uuid;

use crate::target::{OBJECT, PLACE, Target, address, data, key};

const ONE: TransactionId = TransactionId(Uuid::from_u128(1));
const TWO: TransactionId = TransactionId(Uuid::from_u128(2));

fn update(dkey: &str, akey: &str, shape: Shape, data: &Bytes) -> Operation {
    let checksums = erasure::checksums(ChecksumKind::Crc32c, data);
    let (address, condition) = (address(dkey, akey), Condition::Always);
    Operation::Update { address, shape, condition, checksums, data: data.clone() }
}

fn punch(scope: Scope) -> Operation {
    Operation::Punch { scope, condition: Condition::Always }
}

fn prepare(target: &mut Target, transaction: TransactionId, operations: Vec<Operation>) -> Result<Epoch, Status> {
    match target.run(Command::Prepare { transaction, place: PLACE, operations }) {
        Reply::Prepared(result) => result,
        other => panic!("{other:?}"),
    }
}

fn resolve(target: &mut Target, command: Command) -> Result<(), Status> {
    match target.run(command) {
        Reply::Done(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_prepared_is_seen_from_its_commit_on_at_its_epoch() {
    let mut target = Target::new();
    target.update("old", "a", Shape::Single, &data(10, 1)).unwrap();
    let operations = vec![
        update("d", "small", Shape::Single, &data(100, 1)),
        update("d", "large", Shape::Single, &data(50_000, 2)),
        update("d", "array", Shape::Array { offset: 8, record_bytes: 4 }, &data(8, 3)),
        punch(Scope::Dkey(OBJECT, key("old"))),
    ];
    let at = prepare(&mut target, ONE, operations.clone()).unwrap();
    for _ in 0..2 {
        assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), ["old"]);
        assert_eq!(target.fetch_single("d", "large"), Err(Status::Nonexistent));
        let listed = Reply::PreparedTransactions(vec![(ONE, PLACE, at)]);
        assert_eq!(target.run(Command::PreparedList), listed);
        target.check();
        target.reopen();
    }
    assert_eq!(prepare(&mut target, ONE, operations), Ok(at), "the same again");
    let between = target.update("other", "a", Shape::Single, &data(10, 1)).unwrap();
    resolve(&mut target, Command::Commit(ONE)).unwrap();
    for _ in 0..2 {
        assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), ["d", "other"]);
        assert_eq!(target.fetch_single("d", "small"), Ok(data(100, 1)));
        assert_eq!(target.fetch_single("d", "large"), Ok(data(50_000, 2)));
        assert_eq!(target.size("d", "array", at), Ok(16));
        assert!(at < between);
        assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch(at.0 - 1)), ["old"]);
        assert_eq!(resolve(&mut target, Command::Commit(ONE)), Err(Status::Nonexistent));
        assert_eq!(resolve(&mut target, Command::Abort(ONE)), Ok(()));
        target.check();
        target.reopen();
    }
}

#[test]
fn an_aborted_transaction_leaves_nothing_and_gives_its_space_back() {
    let mut target = Target::new();
    let space = |target: &mut Target| match target.run(Command::ContainerQuery(PLACE)) {
        Reply::ContainerUsed(Ok(used)) => (used.scm_bytes, used.data_bytes),
        other => panic!("{other:?}"),
    };
    prepare(&mut target, ONE, vec![update("d", "a", Shape::Single, &data(50_000, 2))]).unwrap();
    assert!(space(&mut target).1 >= 50_000, "what is promised is booked");
    target.reopen();
    resolve(&mut target, Command::Abort(ONE)).unwrap();
    assert_eq!(space(&mut target), (0, 0));
    assert_eq!(target.run(Command::PreparedList), Reply::PreparedTransactions(vec![]));
    target.settle();
    target.check();
    // The name is free for what it holds, not for another transaction: but nothing is held any more.
    target.update("d", "a", Shape::Single, &data(10, 1)).unwrap();
}

#[test]
fn nobody_else_changes_what_a_transaction_is_about_to_change() {
    let mut target = Target::new();
    let value = data(10, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    prepare(&mut target, ONE, vec![update("d", "a", Shape::Single, &data(10, 2))]).unwrap();
    for _ in 0..2 {
        assert_eq!(target.update("d", "a", Shape::Single, &value), Err(Status::Busy));
        assert_eq!(target.punch(Scope::Akey(address("d", "a"))), Err(Status::Busy));
        assert_eq!(target.punch(Scope::Dkey(OBJECT, key("d"))), Err(Status::Busy));
        assert_eq!(target.punch(Scope::Object(OBJECT)), Err(Status::Busy));
        assert_eq!(prepare(&mut target, TWO, vec![punch(Scope::Dkey(OBJECT, key("d")))]), Err(Status::Busy));
        target.update("d", "b", Shape::Single, &value).unwrap();
        assert_eq!(target.fetch_single("d", "a"), Ok(value.clone()), "reads are free");
        target.reopen();
    }
    prepare(&mut target, TWO, vec![punch(Scope::Dkey(OBJECT, key("e"))), update("f", "a", Shape::Single, &value)])
        .unwrap();
    target.update("e", "a", Shape::Single, &value).unwrap(); // there was nothing to remove
    resolve(&mut target, Command::Abort(TWO)).unwrap();
    resolve(&mut target, Command::Commit(ONE)).unwrap();
    target.update("d", "a", Shape::Single, &value).unwrap();
    target.check();
}

#[test]
fn a_transaction_is_refused_as_a_whole() {
    let mut target = Target::new();
    let good = update("d", "a", Shape::Single, &data(5000, 1));
    let mut spoiled = update("d", "b", Shape::Single, &data(10, 1));
    if let Operation::Update { data, .. } = &mut spoiled {
        *data = Bytes::from_static(b"other text");
    }
    assert_eq!(prepare(&mut target, ONE, vec![good.clone(), spoiled]), Err(Status::Checksum));
    assert_eq!(prepare(&mut target, ONE, vec![good.clone(), good.clone()]), Err(Status::Invalid), "twice the same");
    let dkey = punch(Scope::Dkey(OBJECT, key("d")));
    target.update("d", "c", Shape::Single, &data(10, 1)).unwrap();
    assert_eq!(prepare(&mut target, ONE, vec![good.clone(), dkey]), Err(Status::Invalid), "one within the other");
    let read = Operation::ArraySize { address: address("d", "a"), epoch: Epoch::MAX };
    assert_eq!(prepare(&mut target, ONE, vec![read]), Err(Status::Invalid));
    let (condition, scope) = (Condition::Present, Scope::Akey(address("d", "none")));
    assert_eq!(prepare(&mut target, ONE, vec![good, Operation::Punch { scope, condition }]), Err(Status::Nonexistent));
    let many = (0..60).map(|n| update(&format!("k{n}"), "a", Shape::Single, &data(4000, n))).collect();
    assert_eq!(prepare(&mut target, ONE, many), Err(Status::TooBig));
    assert_eq!(target.run(Command::PreparedList), Reply::PreparedTransactions(vec![]));
    assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), ["d"]);
    let halves =
        vec![update("d", "array", Shape::array(0), &data(10, 1)), update("d", "array", Shape::array(10), &data(10, 2))];
    prepare(&mut target, ONE, halves).unwrap();
    resolve(&mut target, Command::Commit(ONE)).unwrap();
    assert_eq!(target.size("d", "array", Epoch::MAX), Ok(20));
    // Both have the epoch of their transaction, and are two records all the same.
    let whole = [data(10, 1), data(10, 2)].concat();
    assert_eq!(target.fetch_array("d", "array", (0, 20), Epoch::MAX), Ok(vec![(0, Bytes::from(whole))]));
    let range = Scope::Range { address: address("d", "array"), offset: 0, length: 10 };
    prepare(&mut target, TWO, vec![punch(range), update("d", "array", Shape::array(10), &data(10, 3))]).unwrap();
    resolve(&mut target, Command::Commit(TWO)).unwrap();
    assert_eq!(target.fetch_array("d", "array", (0, 20), Epoch::MAX), Ok(vec![(10, data(10, 3))]));
    target.check();
}

#[test]
fn the_extents_of_one_transaction_have_one_record_size() {
    let mut target = Target::new();
    let write = |offset, record_bytes| update("d", "a", Shape::Array { offset, record_bytes }, &data(16, offset));
    assert_eq!(prepare(&mut target, ONE, vec![write(0, 8), write(16, 4)]), Err(Status::Invalid));
    assert_eq!(prepare(&mut target, ONE, vec![write(0, 1), write(16, 4)]), Err(Status::Invalid));
    prepare(&mut target, ONE, vec![write(0, 8), write(16, 8), write(32, 8)]).unwrap();
    resolve(&mut target, Command::Commit(ONE)).unwrap();
    target.check();
    assert_eq!(target.update("d", "a", Shape::array(0), &data(16, 1)), Err(Status::Invalid));
    target.punch(Scope::Akey(address("d", "a"))).unwrap();
    resolve(&mut target, Command::Aggregate(Epoch::MAX)).unwrap();
    target.check();
}

#[test]
fn a_name_is_not_free_before_what_it_prepared_in_a_destroyed_container_is_gone() {
    let mut target = Target::new();
    prepare(&mut target, ONE, vec![update("d", "a", Shape::Single, &data(50_000, 2))]).unwrap();
    resolve(&mut target, Command::ContainerDestroy(PLACE)).unwrap();
    resolve(&mut target, Command::ContainerCreate(PLACE, ChecksumKind::Crc32c)).unwrap();
    let again = vec![update("d", "b", Shape::Single, &data(10, 1))];
    assert_eq!(prepare(&mut target, ONE, again.clone()), Err(Status::Busy));
    target.settle();
    target.check();
    prepare(&mut target, ONE, again).unwrap();
    target.check();
}

#[test]
fn a_transaction_goes_with_its_container() {
    for pool in [false, true] {
        let mut target = Target::new();
        prepare(&mut target, ONE, vec![update("d", "a", Shape::Single, &data(50_000, 2))]).unwrap();
        let destroy = if pool { Command::PoolDestroy(PLACE.pool) } else { Command::ContainerDestroy(PLACE) };
        resolve(&mut target, destroy).unwrap();
        assert_eq!(resolve(&mut target, Command::Commit(ONE)), Err(Status::Nonexistent));
        target.reopen();
        assert_eq!(target.run(Command::PreparedList), Reply::PreparedTransactions(vec![]));
        target.settle();
        target.check();
    }
}

#[test]
fn history_is_not_merged_past_what_is_prepared() {
    let mut target = Target::new();
    target.update("d", "a", Shape::Single, &data(10, 1)).unwrap();
    let at = prepare(&mut target, ONE, vec![update("d", "b", Shape::Single, &data(10, 2))]).unwrap();
    target.update("d", "a", Shape::Single, &data(10, 3)).unwrap();
    target.update("d", "a", Shape::Single, &data(10, 4)).unwrap();
    resolve(&mut target, Command::Aggregate(Epoch::MAX)).unwrap();
    resolve(&mut target, Command::Commit(ONE)).unwrap();
    // As of its own epoch nothing is refused and nothing is missing.
    match target.fetch("d", "b", types::Selection::Single, at) {
        Ok(Outcome::Fetched(segments)) => assert_eq!(segments[0].data, data(10, 2)),
        other => panic!("{other:?}"),
    }
    target.check();
}

#[test]
fn a_condition_on_a_dkey_sees_what_is_prepared_in_it() {
    let mut target = Target::new();
    let value = data(10, 1);
    let id = TransactionId(Uuid::from_u128(9));
    prepare(&mut target, id, vec![update("d", "x", Shape::Single, &value)]).unwrap();
    let create = |target: &mut Target| target.update_if("d", "y", Shape::Single, Condition::DkeyAbsent, &value);
    assert_eq!(create(&mut target), Err(Status::Busy), "both would have made it");
    target.update("d", "z", Shape::Single, &value).unwrap();
    assert_eq!(create(&mut target), Err(Status::Exists));
    assert_eq!(target.punch(Scope::Akey(address("d", "x"))), Err(Status::Busy), "a punch that finds nothing yet");
    resolve(&mut target, Command::Abort(id)).unwrap();
    target.punch(Scope::Akey(address("d", "x"))).unwrap();
    target.check();
}
