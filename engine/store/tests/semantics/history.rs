//! Snapshots, merging of history, discarding of epochs.

use daos_store::{Command, Reply};
use types::{ContainerId, Epoch, Level, ObjectId, Place, Scope, Shape, Status};
use uuid::Uuid;

use crate::target::{OBJECT, PLACE, SECOND, Target, address, data, key};

fn snapshot(target: &mut Target, epoch: Epoch) -> Result<(), Status> {
    done(target, Command::SnapshotAdd { place: PLACE, epoch })
}

fn done(target: &mut Target, command: Command) -> Result<(), Status> {
    match target.run(command) {
        Reply::Done(result) => result,
        other => panic!("{other:?}"),
    }
}

fn aggregate(target: &mut Target) -> u64 {
    let before = target.driven.store.stats().reclaimed;
    done(target, Command::Aggregate(Epoch::MAX)).unwrap();
    target.check();
    target.driven.store.stats().reclaimed - before
}

fn records(target: &mut Target) -> u64 {
    match target.run(Command::ContainerQuery(PLACE)) {
        Reply::ContainerUsed(Ok(used)) => used.scm_bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_keeps_its_view_through_merging_and_restarts() {
    let mut target = Target::new();
    let value = |n| data(300, n);
    target.update("d", "a", Shape::Single, &value(1)).unwrap();
    target.update("d", "array", Shape::array(0), &data(9000, 1)).unwrap();
    target.update("gone", "a", Shape::Single, &value(2)).unwrap();
    let first = target.update("d", "b", Shape::Single, &value(3)).unwrap();
    snapshot(&mut target, first).unwrap();
    for n in 10..20 {
        target.update("d", "a", Shape::Single, &value(n)).unwrap();
    }
    target.update("d", "array", Shape::array(4000), &data(100, 9)).unwrap();
    target.punch(Scope::Range { address: address("d", "array"), offset: 0, length: 50 }).unwrap();
    target.punch(Scope::Dkey(OBJECT, key("gone"))).unwrap();
    let second = target.update("d", "b", Shape::Single, &value(4)).unwrap();
    snapshot(&mut target, second).unwrap();
    target.punch(Scope::Object(OBJECT)).unwrap();
    let look = |target: &mut Target, epoch: Epoch| {
        let names = target.list(&Level::Dkeys(OBJECT), epoch);
        let single = target.fetch("d", "a", types::Selection::Single, epoch).is_ok();
        (names.len(), single, target.fetch_array("d", "array", (0, 10_000), epoch))
    };
    let before = (look(&mut target, first), look(&mut target, second));
    assert_eq!((before.0.0, before.1.0), (2, 1));
    // Nine of the ten versions between the snapshots, and nothing else, is seen by nobody.
    assert_eq!(aggregate(&mut target), 9);
    assert_eq!(aggregate(&mut target), 0);
    for _ in 0..2 {
        assert_eq!((look(&mut target, first), look(&mut target, second)), before);
        assert_eq!(target.fetch_array("d", "array", (0, 10), Epoch(second.0 - 1)), Err(Status::Restart));
        assert_eq!(target.run(Command::SnapshotList(PLACE)), Reply::Snapshots(Ok(vec![first, second])));
        target.reopen();
        target.check();
    }
    done(&mut target, Command::SnapshotRemove { place: PLACE, epoch: first }).unwrap();
    assert!(aggregate(&mut target) > 0);
    assert_eq!(look(&mut target, second), before.1);
    assert_eq!(target.fetch_array("d", "array", (0, 10), first), Err(Status::Restart));
    done(&mut target, Command::SnapshotRemove { place: PLACE, epoch: second }).unwrap();
    aggregate(&mut target);
    assert_eq!(records(&mut target), 0, "nothing is left");
}

#[test]
fn a_snapshot_is_refused_where_history_is_gone_or_not_yet() {
    let mut target = Target::new();
    let first = target.update("d", "a", Shape::Single, &data(5, 1)).unwrap();
    let second = target.update("d", "a", Shape::Single, &data(5, 2)).unwrap();
    aggregate(&mut target);
    assert_eq!(snapshot(&mut target, first), Err(Status::Restart));
    let soon = Epoch(target.now.0 + 30 * SECOND);
    snapshot(&mut target, soon).unwrap();
    snapshot(&mut target, soon).unwrap();
    let third = target.update("d", "a", Shape::Single, &data(5, 3)).unwrap();
    assert!(second < soon && soon < third, "what comes later has a later epoch");
    let late = Epoch(target.now.0 + 3600 * SECOND);
    assert_eq!(snapshot(&mut target, late), Err(Status::ClockSkew));
    let nowhere = Place { container: ContainerId(Uuid::from_u128(99)), ..PLACE };
    assert_eq!(done(&mut target, Command::SnapshotAdd { place: nowhere, epoch: soon }), Err(Status::NoHandle));
    done(&mut target, Command::SnapshotRemove { place: PLACE, epoch: first }).unwrap();
    // A container goes with its snapshots.
    done(&mut target, Command::ContainerDestroy(PLACE)).unwrap();
    target.settle();
    target.check();
    let kind = target.kind;
    done(&mut target, Command::ContainerCreate(PLACE, kind)).unwrap();
    assert_eq!(target.run(Command::SnapshotList(PLACE)), Reply::Snapshots(Ok(vec![])));
}

#[test]
fn small_extents_side_by_side_become_one() {
    let mut target = Target::new();
    let whole = data(20_000, 7);
    for n in 0..200 {
        let part = whole.slice(n * 100..(n + 1) * 100);
        target.update("d", "a", Shape::array(n as u64 * 100), &part).unwrap();
    }
    let before = records(&mut target);
    aggregate(&mut target);
    // Joined parts are joined again until they are large enough.
    aggregate(&mut target);
    assert!(target.driven.store.stats().coalesced >= 200, "{:?}", target.driven.store.stats());
    assert!(records(&mut target) * 4 < before, "{before} bytes became {}", records(&mut target));
    for _ in 0..2 {
        let parts = target.fetch_array("d", "a", (0, 30_000), Epoch::MAX).unwrap();
        let bytes: Vec<u8> = parts.iter().flat_map(|(_, part)| part.to_vec()).collect();
        assert_eq!(bytes, whole);
        target.check();
        target.reopen();
    }
    assert_eq!(aggregate(&mut target), 0);
}

#[test]
fn extents_that_a_snapshot_tells_apart_stay_apart() {
    let mut target = Target::new();
    target.update("d", "a", Shape::array(0), &data(100, 1)).unwrap();
    let between = target.update("d", "a", Shape::array(100), &data(100, 2)).unwrap();
    snapshot(&mut target, between).unwrap();
    target.update("d", "a", Shape::array(200), &data(100, 3)).unwrap();
    target.update("d", "a", Shape::array(300), &data(100, 4)).unwrap();
    aggregate(&mut target);
    assert_eq!(target.driven.store.stats().coalesced, 4);
    assert_eq!(target.size("d", "a", between), Ok(200));
    assert_eq!(target.size("d", "a", Epoch::MAX), Ok(400));
    target.check();
}

#[test]
fn a_discarded_range_of_epochs_is_as_if_it_had_never_been() {
    let mut target = Target::new();
    let other = ObjectId { hi: 0, lo: 99 };
    let first = target.update("d", "a", Shape::Single, &data(5000, 1)).unwrap();
    let from = target.update("d", "a", Shape::Single, &data(5000, 2)).unwrap();
    for n in 0..100 {
        target.update(&format!("d{n}"), "b", Shape::array(5), &data(5000, n)).unwrap();
    }
    let to = target.punch(Scope::Dkey(OBJECT, key("d"))).unwrap();
    let last = target.update("d", "c", Shape::Single, &data(30, 3)).unwrap();
    let discard = |object, from, to| Command::Discard { place: PLACE, object, from, to };
    done(&mut target, discard(Some(other), from, to)).unwrap();
    assert_eq!(target.driven.store.stats().discarded, 0);
    done(&mut target, discard(Some(OBJECT), from, to)).unwrap();
    assert_eq!(target.driven.store.stats().discarded, 102);
    for _ in 0..2 {
        assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), ["d"]);
        assert_eq!(target.fetch_single("d", "a"), Ok(data(5000, 1)));
        assert_eq!(target.fetch_single("d", "c"), Ok(data(30, 3)));
        target.check();
        target.reopen();
    }
    aggregate(&mut target);
    assert_eq!(done(&mut target, discard(None, first, last)), Ok(()), "nothing of it is gone");
    assert_eq!(target.list(&Level::Objects, Epoch::MAX).len(), 0);
    target.update("d", "a", Shape::Single, &data(5, 1)).unwrap();
    target.update("d", "a", Shape::Single, &data(5, 2)).unwrap();
    aggregate(&mut target);
    assert_eq!(done(&mut target, discard(None, first, last)), Err(Status::Restart));
    target.check();
}

#[test]
fn a_discard_in_the_middle_of_a_merge_brings_back_what_the_merge_had_not_reached() {
    let mut target = Target::new();
    target.update("z", "a", Shape::Single, &data(50, 1)).unwrap();
    let punched = target.punch(Scope::Object(OBJECT)).unwrap();
    // More than one tick of the merge looks at, all of it seen.
    for n in 0..3000 {
        target.update(&format!("d{n:04}"), "a", Shape::Single, &data(5, n)).unwrap();
    }
    let now = target.now;
    target.driven.submit(Command::Aggregate(Epoch::MAX), now);
    target.driven.store.tick(now);
    assert!(target.driven.store.has_work() && target.driven.store.stats().reclaimed == 0);
    done(&mut target, Command::Discard { place: PLACE, object: None, from: punched, to: punched }).unwrap();
    aggregate(&mut target);
    assert_eq!(target.fetch_single("z", "a"), Ok(data(50, 1)));
    target.check();
}

#[test]
fn a_joined_extent_is_read_from_the_device_only_when_it_is_there() {
    let mut target = Target::new();
    for n in 0..60 {
        target.update("d", "a", Shape::array(n * 100), &data(100, n)).unwrap();
    }
    let now = target.now;
    target.driven.submit(Command::Aggregate(Epoch::MAX), now);
    target.driven.store.tick(now);
    assert_eq!(target.driven.store.stats().coalesced, 60);
    let selection = types::Selection::Array { offset: 0, length: 6000 };
    let operation = types::Operation::Fetch { address: address("d", "a"), selection, epoch: Epoch::MAX };
    target.driven.submit(Command::Operate { place: PLACE, operation }, now);
    // The read must not be among what is given to the devices before the write it is about was flushed.
    let mut given = Vec::new();
    while let Some(io) = target.driven.store.take_io() {
        given.push(io);
    }
    assert!(!given.is_empty() && given.iter().all(|io| !matches!(io.kind, media::IoKind::Read { .. })), "{given:?}");
}

#[test]
fn a_discard_leaves_the_record_size_of_an_array_that_outlives_it() {
    let mut target = Target::new();
    let shape = |offset| Shape::Array { offset, record_bytes: 8 };
    let first = target.update("d", "a", shape(0), &data(64, 1)).unwrap();
    target.update("d", "a", shape(64), &data(64, 2)).unwrap();
    done(&mut target, Command::Discard { place: PLACE, object: None, from: first, to: first }).unwrap();
    let parts = target.fetch_array("d", "a", (0, 128), Epoch::MAX).unwrap();
    assert_eq!(parts, [(64, data(64, 2))]);
    target.update("d", "a", shape(128), &data(8, 3)).unwrap();
    assert_eq!(target.update("d", "a", Shape::array(0), &data(1, 3)), Err(Status::Invalid));
    target.check();
}

#[test]
fn a_discard_takes_nothing_that_came_after_it() {
    let mut target = Target::new();
    let first = target.update("d", "a", Shape::Single, &data(64, 1)).unwrap();
    let now = Epoch(target.now.0 + 1000);
    target.driven.submit(Command::Discard { place: PLACE, object: None, from: first, to: Epoch::MAX }, now);
    let second = data(64, 2);
    target.now = Epoch(target.now.0 + 2000);
    target.update("d", "b", Shape::Single, &second).unwrap();
    while target.driven.store.take_reply().is_none() {
        target.driven.settle(target.now);
    }
    assert_eq!(target.fetch_single("d", "a"), Err(Status::Nonexistent));
    assert_eq!(target.fetch_single("d", "b").unwrap(), second);
    target.check();
}

#[test]
fn every_version_of_a_hot_stretch_is_read_at_its_epoch() {
    let mut target = Target::new();
    let mut versions = Vec::new();
    for n in 0..300 {
        // One stretch again and again; now and then a shorter one and one that begins earlier, of the same class and of others.
        let (offset, length) = [(4096, 64), (4096, 33), (4090, 64), (4096, 64), (4096, 200)][n % 5];
        let bytes = data(length, n as u64);
        let epoch = target.update("d", "a", Shape::array(offset), &bytes).unwrap();
        versions.push((epoch, offset, bytes));
    }
    let mut expected = std::collections::BTreeMap::new();
    for (epoch, offset, bytes) in versions {
        expected.extend((offset..).zip(bytes.iter().copied()));
        let parts = target.fetch_array("d", "a", (4000, 500), epoch).unwrap();
        let found: std::collections::BTreeMap<u64, u8> =
            parts.iter().flat_map(|(offset, bytes)| (*offset..).zip(bytes.iter().copied())).collect();
        assert_eq!(found, expected);
    }
    target.check();
}
