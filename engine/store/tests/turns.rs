//! What takes long goes on in turns, and others are answered meanwhile.
//!
//! A pool without room waits for its history to be merged, its commands in order; the other pools of the target do not notice. A list that looks at
//! many names which hold nothing any more is not waited for by anybody else.

mod target;

use std::collections::HashMap;

use daos_store::{Command, Probe, Reply, Token};
use types::{
    Address, Answer, ChecksumKind, Condition, ContainerId, Epoch, Level, Operation, Outcome, Place, PoolId, Scope,
    Selection, Shape, Status, TransactionId,
};
use uuid::Uuid;

use target::{MIB, OBJECT, PLACE, SECOND, Target, address, data, geometry, key};

const OTHER: Place = Place { pool: PoolId(Uuid::from_u128(0x101)), container: ContainerId(Uuid::from_u128(0x201)) };
/// Values of the first pool.
const KEPT: u64 = 40;

/// A target with two pools.
fn two_pools() -> Target {
    let mut target = Target::with(geometry(16 * MIB, 8 * MIB, 16 * MIB), 8 * MIB, 8 * MIB);
    let create = Command::PoolCreate { pool: OTHER.pool, scm_bytes: 2 * MIB, data_bytes: MIB };
    assert_eq!(target.run(create), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::ContainerCreate(OTHER, ChecksumKind::Crc32c)), Reply::Done(Ok(())));
    target
}

fn name(n: u64) -> Address {
    address("d", &format!("a{:05}", n % KEPT))
}

fn update(place: Place, address: Address, value: bytes::Bytes) -> Command {
    let checksums = erasure::checksums(ChecksumKind::Crc32c, &value);
    let operation =
        Operation::Update { address, shape: Shape::Single, condition: Condition::Always, checksums, data: value };
    Command::Operate { place, operation }
}

fn fetch(place: Place, address: Address) -> Command {
    Command::Operate { place, operation: Operation::Fetch { address, selection: Selection::Single, epoch: Epoch::MAX } }
}

fn is_changed(reply: &Reply) -> bool {
    matches!(reply, Reply::Operated(Ok(Outcome::Changed(_))))
}

/// Replies by token, after all that the devices have to do, without turns or ticks.
fn replies(target: &mut Target) -> HashMap<Token, Reply> {
    while target.driven.step() {}
    std::iter::from_fn(|| target.driven.store.take_reply()).collect()
}

fn submit(target: &mut Target, command: Command) -> Token {
    target.now = Epoch(target.now.0 + 1000);
    target.driven.submit(command, target.now)
}

/// Fills the first pool with history, more than one turn can merge, and gives it a value that has no room beside that.
fn submit_one_that_waits(target: &mut Target) -> Token {
    // Not yet within 1/8 of its promise, where history is merged as it comes.
    for n in 0..850 {
        let token = submit(target, update(PLACE, name(n), data(8000, n)));
        assert!(is_changed(&replies(target)[&token]), "{n}");
    }
    let token = submit(target, update(PLACE, address("d", "large"), data(2 << 20, 1)));
    assert!(!replies(target).contains_key(&token));
    token
}

#[test]
fn other_pools_go_on_while_one_waits_for_its_history_to_be_merged() {
    let mut target = two_pools();
    let waits = submit_one_that_waits(&mut target);
    assert!(target.driven.store.wants_turn() && Probe::RoomAwaited.count() > 0);
    let behind = submit(&mut target, fetch(PLACE, name(1)));
    let other = submit(&mut target, update(OTHER, name(0), data(1000, 7)));
    let other_read = submit(&mut target, fetch(OTHER, name(0)));
    let question = submit(&mut target, Command::PoolQuery(PLACE.pool));
    let mut answers = replies(&mut target);
    assert!(is_changed(&answers[&other]), "{answers:?}");
    assert!(
        matches!(&answers[&other_read], Reply::Operated(Ok(Outcome::Fetched(found))) if found[0].data == data(1000, 7))
    );
    assert!(matches!(answers[&question], Reply::PoolSpace(Ok(_))));
    assert!(!answers.contains_key(&waits) && !answers.contains_key(&behind), "{answers:?}");
    assert_eq!(target.driven.store.stats().pending, 2);
    go_on(&mut target, &mut answers);
    assert!(is_changed(&answers[&waits]), "{answers:?}");
    assert!(value(&answers[&behind]).is_ok(), "{answers:?}");
    target.check();
}

#[test]
fn a_full_pool_is_refused_in_time_whatever_the_others_write() {
    let mut target = two_pools();
    // Nothing is superseded: no walk of any length finds room.
    let mut last = None;
    for n in 0..20_000 {
        let address = address("d", &format!("{n:05}"));
        let token = submit(&mut target, update(PLACE, address, data(1000, n)));
        if replies(&mut target).remove(&token).is_none_or(|reply| !is_changed(&reply)) {
            last = Some(token);
            break;
        }
    }
    let last = last.expect("the pool is full");
    for n in 0..10_000 {
        let token = submit(&mut target, update(OTHER, name(n), data(1000, n)));
        target.driven.store.turn();
        let mut answers = replies(&mut target);
        assert!(answers.remove(&token).is_none_or(|reply| is_changed(&reply)));
        if let Some(reply) = answers.remove(&last) {
            assert_eq!(reply, Reply::Operated(Err(Status::NoSpace)));
            // Refused, it is not tried again: there is nothing to merge.
            assert_eq!(target.run(update(PLACE, name(0), data(1000, 1))), Reply::Operated(Err(Status::NoSpace)));
            target.check();
            return;
        }
    }
    panic!("it waits for ever");
}

#[test]
fn a_pool_with_room_keeps_its_history_when_another_is_full() {
    let mut target = two_pools();
    let Reply::Operated(Ok(Outcome::Changed(first))) = target.run(update(OTHER, name(0), data(500, 1))) else {
        panic!("there is room")
    };
    target.run(update(OTHER, name(0), data(500, 2)));
    for n in 0..20_000 {
        assert!(is_changed(&target.run(update(PLACE, name(n), data(1000, n)))), "{n}");
    }
    assert!(target.driven.store.stats().reclaimed > 10_000, "{:?}", target.driven.store.stats());
    let past = Operation::Fetch { address: name(0), selection: Selection::Single, epoch: first };
    match target.run(Command::Operate { place: OTHER, operation: past }) {
        Reply::Operated(Ok(Outcome::Fetched(found))) => assert_eq!(found[0].data, data(500, 1)),
        other => panic!("{other:?}"),
    }
    target.now = Epoch(target.now.0 + 100 * SECOND);
    target.settle();
    let Reply::ContainerUsed(Ok(used)) = target.run(Command::ContainerQuery(OTHER)) else { panic!("it is there") };
    assert!(used.history_from > first, "its turn comes when the window has passed");
    target.check();
}

fn past_of_other(target: &mut Target, epoch: Epoch) -> Result<bytes::Bytes, Status> {
    let past = Operation::Fetch { address: name(0), selection: Selection::Single, epoch };
    value(&target.run(Command::Operate { place: OTHER, operation: past }))
}

#[test]
fn a_value_larger_than_what_is_left_of_its_pool_costs_others_no_history() {
    let mut target = two_pools();
    let Reply::Operated(Ok(Outcome::Changed(first))) = target.run(update(OTHER, name(0), data(500, 1))) else {
        panic!("there is room")
    };
    target.run(update(OTHER, name(0), data(500, 2)));
    let waits = submit_one_that_waits(&mut target);
    let mut answers = HashMap::new();
    go_on(&mut target, &mut answers);
    assert!(is_changed(&answers[&waits]), "{answers:?}");
    assert_eq!(past_of_other(&mut target, first), Ok(data(500, 1)));
}

#[test]
fn history_is_merged_wherever_walks_through_other_pools_ended() {
    let mut target = two_pools();
    for n in 0..850 {
        assert!(is_changed(&target.run(update(PLACE, name(n), data(8000, n)))), "{n}");
    }
    // Holds back what is after it, everywhere.
    let transaction = TransactionId(Uuid::from_u128(5));
    let Command::Operate { operation, .. } = update(OTHER, address("e", "a"), data(10, 3)) else { unreachable!() };
    let prepare = Command::Prepare { transaction, place: OTHER, operations: vec![operation] };
    assert!(matches!(target.run(prepare), Reply::Prepared(Ok(_))));
    // Near its promise, the other pool is walked through as far as that lets it.
    for n in 0..120 {
        assert!(is_changed(&target.run(update(OTHER, name(0), data(8000, n)))), "{n}");
    }
    target.settle();
    assert!(is_changed(&target.run(update(PLACE, address("d", "large"), data(2 << 20, 1)))));
    assert_eq!(target.run(Command::Commit(transaction)), Reply::Done(Ok(())));
    target.check();
}

#[test]
fn only_so_many_values_wait_and_what_comes_beyond_is_refused() {
    let mut target = two_pools();
    let waits = submit_one_that_waits(&mut target);
    let large: Vec<_> = (0..80).map(|n| submit(&mut target, update(PLACE, name(n), data(1 << 20, n)))).collect();
    let mut answers = replies(&mut target);
    // The first one has 2 MiB of the 64.
    let no_space = Reply::Operated(Err(Status::NoSpace));
    assert_eq!(answers.len(), 18);
    assert!(large[62..].iter().all(|token| answers[token] == no_space), "{answers:?}");
    let other = submit(&mut target, update(OTHER, name(0), data(1000, 7)));
    assert!(is_changed(&replies(&mut target)[&other]));
    go_on(&mut target, &mut answers);
    assert!(is_changed(&answers[&waits]));
    assert!(large.iter().all(|token| is_changed(&answers[token]) || answers[token] == no_space), "{answers:?}");
    assert_eq!(target.driven.store.stats().pending, 0);
    target.check();
}

#[test]
fn a_transaction_is_resolved_after_it_was_prepared_also_when_that_waits() {
    let mut target = two_pools();
    let waits = submit_one_that_waits(&mut target);
    let transaction = TransactionId(Uuid::from_u128(5));
    let Command::Operate { operation, .. } = update(PLACE, name(3), data(1000, 3)) else { unreachable!() };
    let prepare = submit(&mut target, Command::Prepare { transaction, place: PLACE, operations: vec![operation] });
    let abort = submit(&mut target, Command::Abort(transaction));
    let mut answers = replies(&mut target);
    assert!(answers.is_empty(), "{answers:?}");
    go_on(&mut target, &mut answers);
    assert!(is_changed(&answers[&waits]), "{answers:?}");
    assert!(matches!(answers[&prepare], Reply::Prepared(Ok(_))), "{answers:?}");
    assert_eq!(answers[&abort], Reply::Done(Ok(())));
    assert_eq!(target.run(Command::PreparedList), Reply::PreparedTransactions(vec![]));
    target.check();
}

/// What is read of a value as a whole.
fn value(reply: &Reply) -> Result<bytes::Bytes, Status> {
    let answer: &Answer = match reply {
        Reply::Operated(answer) => answer,
        other => panic!("{other:?}"),
    };
    match answer {
        Ok(Outcome::Fetched(found)) => Ok(found[0].data.clone()),
        Ok(other) => panic!("{other:?}"),
        Err(status) => Err(*status),
    }
}

#[test]
fn whoever_waits_when_the_target_dies_is_answered() {
    let mut target = two_pools();
    let waits = submit_one_that_waits(&mut target);
    let behind = submit(&mut target, fetch(PLACE, name(1)));
    let held = value(&target.run(fetch(OTHER, name(0))));
    assert_eq!(held, Err(Status::Nonexistent));
    // A write of the log fails.
    let other = submit(&mut target, update(OTHER, name(0), data(1000, 7)));
    let io = target.driven.store.take_io().expect("the group is written");
    let done = media::Done { id: io.id, result: Err(std::io::Error::other("broken")) };
    target.driven.store.complete(done);
    let answers = replies(&mut target);
    assert_eq!(value(&answers[&waits]), Err(Status::Io));
    assert_eq!(value(&answers[&other]), Err(Status::Io));
    assert!(value(&answers[&behind]).is_ok(), "{answers:?}");
    assert!(!target.driven.store.has_work());
}

/// A target whose list of akeys looks at many that are gone before it finds `zz`.
fn mostly_gone() -> (Target, Command) {
    let mut target = Target::new();
    for n in 0..12_000 {
        let name = format!("a{n:05}");
        target.update("d", &name, Shape::Single, &data(10, n)).unwrap();
        target.punch(Scope::Akey(address("d", &name))).unwrap();
    }
    target.update("d", "zz", Shape::Single, &data(10, 1)).unwrap();
    let level = Level::Akeys(OBJECT, key("d"));
    let operation = Operation::List { level, after: vec![], limit: 10, epoch: Epoch::MAX };
    (target, Command::Operate { place: PLACE, operation })
}

fn go_on(target: &mut Target, answers: &mut HashMap<Token, Reply>) -> usize {
    let mut turns = 0;
    while target.driven.store.wants_turn() {
        target.driven.store.turn();
        answers.extend(replies(target));
        turns += 1;
    }
    turns
}

#[test]
fn more_lists_than_take_turns_wait_and_all_are_answered() {
    let (mut target, list) = mostly_gone();
    let lists: Vec<_> = (0..40).map(|_| submit(&mut target, list.clone())).collect();
    let mut answers = replies(&mut target);
    assert_eq!(target.driven.store.stats().pending, 40);
    go_on(&mut target, &mut answers);
    for token in lists {
        assert!(matches!(&answers[&token], Reply::Operated(Ok(Outcome::Listed { names, .. })) if names.len() == 1));
    }
    assert_eq!(target.driven.store.stats().pending, 0);
}

#[test]
fn others_are_answered_while_a_list_looks_at_names_that_are_gone() {
    let (mut target, list) = mostly_gone();
    let (first, second) = (submit(&mut target, list.clone()), submit(&mut target, list));
    let other = submit(&mut target, update(PLACE, name(0), data(10, 7)));
    let mut answers = replies(&mut target);
    assert!(answers.len() == 1 && is_changed(&answers[&other]), "{answers:?}");
    assert!(target.driven.store.has_work() && Probe::ListInSlices.count() > 0);
    assert!(go_on(&mut target, &mut answers) > 4);
    for token in [first, second] {
        match &answers[&token] {
            Reply::Operated(Ok(Outcome::Listed { names, more })) => assert!(names.last().unwrap() == "zz" && !more),
            other => panic!("{other:?}"),
        }
    }
    target.settle();
    assert!(!target.driven.store.has_work());
}

#[test]
fn a_list_ends_with_its_container() {
    let (mut target, list) = mostly_gone();
    let listed = submit(&mut target, list);
    let destroyed = submit(&mut target, Command::ContainerDestroy(PLACE));
    submit(&mut target, Command::ContainerCreate(PLACE, ChecksumKind::Crc32c));
    let mut answers = replies(&mut target);
    go_on(&mut target, &mut answers);
    assert_eq!(answers[&destroyed], Reply::Done(Ok(())));
    assert_eq!(answers[&listed], Reply::Operated(Err(Status::NoHandle)));
}
