//! One target, end to end on devices in memory: what each operation answers, and that it is there after reopening.

mod target;

use bytes::Bytes;
use daos_store::{Command, Reply, Space};
use target::{MIB, OBJECT, PLACE, SECOND, Target, address, data, geometry, key, spoil};
use types::{
    ChecksumKind, Condition, ContainerId, Epoch, Level, MAX_VALUE_BYTES, ObjectId, Operation, Outcome, Place, PoolId,
    Scope, Selection, Shape, Status,
};
use uuid::Uuid;

const ARRAY: Shape = Shape::array(0);

#[test]
fn a_small_and_a_large_value_survive_reopening() {
    let mut target = Target::new();
    let small = data(100, 1);
    let large = data(100_000, 2);
    target.update("d", "small", Shape::Single, &small).unwrap();
    target.update("d", "large", Shape::Single, &large).unwrap();
    for _ in 0..3 {
        assert_eq!(target.fetch_single("d", "small").unwrap(), small);
        assert_eq!(target.fetch_single("d", "large").unwrap(), large);
        target.check();
        target.reopen();
    }
    target.checkpoint();
    target.reopen();
    assert_eq!(target.recovery.groups, 0);
    assert_eq!(target.fetch_single("d", "large").unwrap(), large);
    assert_eq!(target.fetch_single("d", "none"), Err(Status::Nonexistent));
    target.check();
}

#[test]
fn the_largest_value_and_the_longest_keys_fit() {
    let mut target = Target::new();
    let large = data(MAX_VALUE_BYTES, 3);
    let long = "\0".repeat(types::MAX_KEY_BYTES);
    target.update(&long, &long, Shape::array((1 << 63) - large.len() as u64), &large).unwrap();
    target.reopen();
    assert_eq!(target.size(&long, &long, Epoch::MAX), Ok(1 << 63));
    let range = ((1 << 63) - large.len() as u64, large.len() as u64);
    let parts = target.fetch_array(&long, &long, range, Epoch::MAX).unwrap();
    assert_eq!(parts, [(range.0, large.clone())]);
    // A few bytes out of the middle, across a checksum chunk.
    let parts = target.fetch_array(&long, &long, (range.0 + 32_700, 100), Epoch::MAX).unwrap();
    assert_eq!(parts, [(range.0 + 32_700, large.slice(32_700..32_800))]);
    target.check();
}

#[test]
fn limits_are_refused_and_change_nothing() {
    let mut target = Target::new();
    let one = Bytes::from_static(b"x");
    let too_big = data(MAX_VALUE_BYTES + 1, 1);
    assert_eq!(target.update("d", "a", Shape::Single, &too_big), Err(Status::TooBig));
    assert_eq!(target.update("d", "a", ARRAY, &Bytes::new()), Err(Status::Invalid));
    assert_eq!(target.update("d", "a", Shape::array(1 << 63), &one), Err(Status::Invalid));
    assert_eq!(target.update("d", "a", Shape::array(u64::MAX), &one), Err(Status::Invalid));
    let fetch = |offset, length| Selection::Array { offset, length };
    assert_eq!(target.fetch("d", "a", fetch(0, MAX_VALUE_BYTES as u64 + 1), Epoch::MAX), Err(Status::TooBig));
    assert_eq!(target.fetch("d", "a", fetch(0, 0), Epoch::MAX), Err(Status::Invalid));
    assert_eq!(target.fetch("d", "a", fetch(u64::MAX, 1), Epoch::MAX), Err(Status::Invalid));
    let range = |offset, length| Scope::Range { address: address("d", "a"), offset, length };
    assert_eq!(target.punch(range(0, 0)), Err(Status::Invalid));
    assert_eq!(target.punch(range(1, u64::MAX)), Err(Status::Invalid));
    for limit in [0, types::MAX_LIST_ENTRIES + 1] {
        let list = Operation::List { level: Level::Objects, after: vec![], limit, epoch: Epoch::MAX };
        assert_eq!(target.operate(list), Err(Status::Invalid));
    }
    let after = vec![0; 3];
    let list = Operation::List { level: Level::Objects, after, limit: 1, epoch: Epoch::MAX };
    assert_eq!(target.operate(list), Err(Status::Invalid));
    let guarded = Operation::Punch { scope: Scope::Object(OBJECT), condition: Condition::Present };
    assert_eq!(target.operate(guarded), Err(Status::Nonexistent));
    let guarded = Operation::Punch { scope: Scope::Object(OBJECT), condition: Condition::Absent };
    assert_eq!(target.operate(guarded), Err(Status::Invalid));
    assert_eq!(target.list(&Level::Objects, Epoch::MAX), Vec::<Bytes>::new());
    assert_eq!(target.driven.store.stats().updates, 0);
    target.check();
}

#[test]
fn the_other_kind_is_refused_until_a_punch_clears_it() {
    let mut target = Target::new();
    let value = data(10, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    assert_eq!(target.update("d", "a", ARRAY, &value), Err(Status::Invalid));
    assert_eq!(target.size("d", "a", Epoch::MAX), Err(Status::Invalid));
    assert_eq!(target.fetch_array("d", "a", (0, 1), Epoch::MAX), Err(Status::Invalid));
    target.punch(Scope::Akey(address("d", "a"))).unwrap();
    assert_eq!(target.size("d", "a", Epoch::MAX), Ok(0));
    target.update("d", "a", ARRAY, &value).unwrap();
    assert_eq!(target.update("d", "a", Shape::Single, &value), Err(Status::Invalid));
    assert_eq!(target.fetch_single("d", "a"), Err(Status::Invalid));
    // An array without any byte left holds nothing.
    target.punch(Scope::Range { address: address("d", "a"), offset: 0, length: 1 << 63 }).unwrap();
    assert_eq!(target.fetch_array("d", "a", (0, 1), Epoch::MAX), Err(Status::Nonexistent));
    target.update("d", "a", Shape::Single, &value).unwrap();
    target.check();
}

#[test]
fn holes_lie_between_segments_and_old_epochs_are_read_as_they_were() {
    let mut target = Target::new();
    let first = target.update("d", "a", Shape::array(0), &data(10_000, 1)).unwrap();
    let second = target.update("d", "a", Shape::array(20_000), &data(100, 2)).unwrap();
    let third = target.punch(Scope::Range { address: address("d", "a"), offset: 5000, length: 15_050 }).unwrap();
    let parts = target.fetch_array("d", "a", (0, 30_000), Epoch::MAX).unwrap();
    assert_eq!(parts, [(0, data(10_000, 1).slice(..5000)), (20_050, data(100, 2).slice(50..))]);
    assert_eq!(target.fetch_array("d", "a", (6000, 1000), Epoch::MAX), Ok(vec![]));
    assert_eq!(target.size("d", "a", first), Ok(10_000));
    assert_eq!(target.size("d", "a", second), Ok(20_100));
    assert_eq!(target.fetch_array("d", "a", (9_999, 1), second).unwrap().len(), 1);
    assert_eq!(target.fetch_array("d", "a", (0, 10), Epoch(first.0 - 1)), Err(Status::Nonexistent));
    let fourth = target.punch(Scope::Object(OBJECT)).unwrap();
    assert_eq!(target.list(&Level::Objects, Epoch::MAX).len(), 0);
    assert_eq!(target.list(&Level::Objects, third).len(), 1);
    assert!(fourth > third);
}

#[test]
fn small_stretches_side_by_side_come_as_one_segment() {
    let mut target = Target::new();
    for n in 0..100 {
        target.update("d", "a", Shape::array(n * 10), &data(10, n)).unwrap();
    }
    let parts = target.fetch_array("d", "a", (5, 990), Epoch::MAX).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!((parts[0].0, parts[0].1.len()), (5, 990));
}

#[test]
fn lists_go_on_after_the_last_name() {
    let mut target = Target::new();
    let names: Vec<String> = (0..50).map(|n| format!("dkey{n:03}")).collect();
    for name in &names {
        target.update(name, "a", Shape::Single, &data(5, 1)).unwrap();
    }
    target.punch(Scope::Dkey(OBJECT, key("dkey007"))).unwrap();
    target.punch(Scope::Akey(PunchedAkey::address())).unwrap();
    let found = target.list(&Level::Dkeys(OBJECT), Epoch::MAX);
    let expected: Vec<Bytes> = names
        .iter()
        .filter(|name| !["dkey007", "dkey011"].contains(&name.as_str()))
        .map(|name| Bytes::copy_from_slice(name.as_bytes()))
        .collect();
    assert_eq!(found, expected);
    let last = Operation::List { level: Level::Dkeys(OBJECT), after: b"dkey049".to_vec(), limit: 5, epoch: Epoch::MAX };
    assert_eq!(target.operate(last), Ok(Outcome::Listed { names: vec![], more: false }));
    let objects = target.list(&Level::Objects, Epoch::MAX);
    assert_eq!(objects, [Bytes::copy_from_slice(&OBJECT.to_bytes())]);
}

struct PunchedAkey;

impl PunchedAkey {
    fn address() -> types::Address {
        address("dkey011", "a")
    }
}

#[test]
fn wrong_checksums_are_refused_before_anything_is_written() {
    let mut target = Target::new();
    let written = target.driven.store.stats().wal_bytes;
    let data = data(100_000, 1);
    let checksums = spoil(&erasure::checksums(ChecksumKind::Crc32c, &data));
    let (shape, condition, address) = (Shape::Single, Condition::Always, address("d", "a"));
    let update = Operation::Update { address, shape, condition, checksums, data };
    assert_eq!(target.operate(update), Err(Status::Checksum));
    assert_eq!(target.driven.store.stats().wal_bytes, written);
    assert!(target.mems.data.image().iter().all(|&byte| byte == 0));
}

#[test]
fn a_container_has_one_kind_of_checksums_and_gives_it_back() {
    for kind in ChecksumKind::ALL {
        let mut target = Target::of_kind(kind);
        let Reply::ContainerUsed(Ok(used)) = target.run(Command::ContainerQuery(PLACE)) else { panic!("it is there") };
        assert_eq!(used.checksum_kind, kind);
        let values = [0, 1, 4095, 4096, 32_768, 100_000].map(|length| data(length, 3));
        for (n, value) in values.iter().enumerate() {
            target.update("d", &format!("single{n}"), Shape::Single, value).unwrap();
        }
        target.update("d", "array", Shape::array(10), &values[5]).unwrap();
        target.update("d", "array", Shape::array(200_000), &values[1]).unwrap();
        target.reopen();
        for (n, value) in values.iter().enumerate() {
            assert_eq!(target.fetch_single("d", &format!("single{n}")).as_ref(), Ok(value));
        }
        let found = target.fetch("d", "array", Selection::Array { offset: 33_000, length: 200_000 }, Epoch::MAX);
        let Ok(Outcome::Fetched(segments)) = found else { panic!("{found:?}") };
        let kinds: Vec<_> = segments.iter().map(|segment| (segment.offset, segment.checksums.kind())).collect();
        assert_eq!(kinds, [(33_000, Some(kind)), (200_000, Some(kind))]);

        for other in ChecksumKind::ALL.into_iter().filter(|other| *other != kind) {
            let (address, shape, condition) = (address("d", "other"), Shape::Single, Condition::Always);
            let (checksums, data) = (erasure::checksums(other, &values[1]), values[1].clone());
            let update = Operation::Update { address, shape, condition, checksums, data };
            assert_eq!(target.operate(update), Err(Status::Invalid));
            assert_eq!(target.run(Command::ContainerCreate(PLACE, other)), Reply::Done(Err(Status::Exists)));
        }
        target.check();
    }
}

#[test]
fn a_read_waits_until_what_it_tells_is_durable() {
    let mut target = Target::new();
    let update = |seed| {
        let value = data(5000, seed);
        let (shape, condition, checksums) =
            (Shape::Single, Condition::Always, erasure::checksums(ChecksumKind::Crc32c, &value));
        let operation = Operation::Update { address: address("d", "a"), shape, condition, checksums, data: value };
        Command::Operate { place: PLACE, operation }
    };
    let fetch = |epoch| {
        let (address, selection) = (address("d", "a"), Selection::Single);
        Command::Operate { place: PLACE, operation: Operation::Fetch { address, selection, epoch } }
    };
    let Reply::Operated(Ok(Outcome::Changed(first))) = target.run(update(1)) else { panic!("it is written") };
    let now = Epoch(target.now.0 + 5000);
    let driven = &mut target.driven;
    let change = driven.submit(update(2), now);
    let newest = driven.submit(fetch(Epoch::MAX), now);
    let past = driven.submit(fetch(first), now);
    let mut answered = Vec::new();
    while driven.step() {
        while let Some((token, reply)) = driven.store.take_reply() {
            let Reply::Operated(Ok(outcome)) = reply else { panic!("{reply:?}") };
            answered.push(token);
            if let Outcome::Fetched(segments) = outcome {
                assert_eq!(segments[0].data, data(5000, if token == newest { 2 } else { 1 }));
            }
        }
    }
    // The read of the past needs nothing that is new; the other comes after the change is durable.
    assert_eq!(answered, [past, change, newest]);
}

#[test]
fn pools_get_what_they_were_promised_and_not_more() {
    let mut target = Target::with(geometry(16 * MIB, 4 * MIB, 64 * MIB), MIB, MIB);
    let Reply::Space(space) = target.run(Command::SpaceQuery) else { panic!("a query is answered") };
    let Space { scm_total, scm_free, data_total, data_free, .. } = space;
    assert_eq!((scm_total - scm_free, data_total - data_free, data_total), (MIB, MIB, 64 * MIB));
    let second = PoolId(Uuid::from_u128(2));
    let create = |scm_bytes, data_bytes| Command::PoolCreate { pool: second, scm_bytes, data_bytes };
    assert_eq!(target.run(create(scm_free + 1, 0)), Reply::Done(Err(Status::NoSpace)));
    assert_eq!(target.run(create(0, data_free + 1)), Reply::Done(Err(Status::NoSpace)));
    assert_eq!(target.run(create(scm_free, data_free)), Reply::Done(Ok(())));
    assert_eq!(target.run(create(scm_free, data_free)), Reply::Done(Ok(())));
    assert_eq!(target.run(create(scm_free, 0)), Reply::Done(Err(Status::Exists)));
    assert_eq!(target.run(Command::PoolList), Reply::Pools(vec![second, PLACE.pool]));
    // Data: 16 values of 64 KiB are a MiB.
    for n in 0..16 {
        target.update("d", &format!("{n}"), Shape::Single, &data(65_536, n)).unwrap();
    }
    assert_eq!(target.update("d", "more", Shape::Single, &data(4096, 1)), Err(Status::NoSpace));
    // Arena: what is small still fits, until it does not.
    let mut stored = 0;
    while target.update("s", &format!("{stored:05}"), Shape::Single, &data(1000, stored)).is_ok() {
        stored += 1;
    }
    assert!((600..1000).contains(&stored), "{stored} values of 1000 bytes in 1 MiB");
    let refusals = target.driven.store.stats().refusals;
    target.check();
    // A punch works when the pool is full, and makes room at once.
    target.punch(Scope::Dkey(OBJECT, key("d"))).unwrap();
    target.update("d", "more", Shape::Single, &data(65_536, 1)).unwrap();
    assert_eq!(target.driven.store.stats().refusals, refusals);
    target.reopen();
    target.check();
    assert_eq!(target.fetch_single("s", "00000").unwrap(), data(1000, 0));
}

#[test]
fn a_nearly_full_pool_is_overwritten_forever() {
    let mut target = Target::with(geometry(16 * MIB, 4 * MIB, 64 * MIB), MIB, MIB);
    for n in 0..2000 {
        // 12 of 16 places are in use; each overwrite needs the space of one superseded before.
        target.update("d", &format!("{}", n % 12), Shape::Single, &data(65_536, n)).unwrap();
        target.update("s", &format!("{}", n % 400), Shape::Single, &data(1000, n)).unwrap();
    }
    target.check();
    for n in 1988..2000 {
        assert_eq!(target.fetch_single("d", &format!("{}", n % 12)).unwrap(), data(65_536, n));
    }
}

#[test]
fn a_past_that_is_gone_is_refused_not_invented() {
    let mut target = Target::new();
    let first = target.update("d", "a", Shape::Single, &data(10, 1)).unwrap();
    target.update("d", "a", Shape::Single, &data(10, 2)).unwrap();
    assert!(target.fetch("d", "a", Selection::Single, first).is_ok());
    target.now = Epoch(target.now.0 + 100 * SECOND);
    target.settle();
    assert_eq!(target.driven.store.stats().reclaimed, 1);
    assert_eq!(target.fetch("d", "a", Selection::Single, first), Err(Status::Restart));
    let list = Operation::List { level: Level::Objects, after: vec![], limit: 10, epoch: first };
    assert_eq!(target.operate(list), Err(Status::Restart));
    assert_eq!(target.size("d", "never", first), Err(Status::Restart));
    let Reply::ContainerUsed(Ok(used)) = target.run(Command::ContainerQuery(PLACE)) else { panic!("it is there") };
    assert_eq!(target.fetch("d", "never", Selection::Single, used.history_from), Err(Status::Nonexistent));
    let before = Epoch(used.history_from.0 - 1);
    assert_eq!(target.fetch("d", "never", Selection::Single, before), Err(Status::Restart));
    assert_eq!(target.fetch_single("d", "a").unwrap(), data(10, 2));
}

#[test]
fn everything_punched_or_destroyed_is_freed_in_the_end() {
    let mut target = Target::new();
    let fresh = target.run(Command::PoolQuery(PLACE.pool));
    let other = ObjectId { hi: 9, lo: 9 };
    for n in 0..300u64 {
        let (dkey, akey) = (format!("d{}", n % 7), format!("a{}", n % 11));
        let shape = Shape::array(n * 100);
        target.update(&dkey, &akey, shape, &data(if n % 5 == 0 { 9000 } else { 50 }, n)).unwrap();
    }
    target.punch(Scope::Range { address: address("d0", "a0"), offset: 0, length: 1 << 40 }).unwrap();
    target.punch(Scope::Akey(address("d1", "a1"))).unwrap();
    target.punch(Scope::Dkey(OBJECT, key("d2"))).unwrap();
    target.punch(Scope::Object(OBJECT)).unwrap();
    target.punch(Scope::Object(other)).unwrap();
    target.now = Epoch(target.now.0 + 100 * SECOND);
    target.settle();
    target.check();
    assert_eq!(target.run(Command::PoolQuery(PLACE.pool)), fresh);
    let Reply::ContainerUsed(Ok(used)) = target.run(Command::ContainerQuery(PLACE)) else { panic!("it is there") };
    assert_eq!((used.scm_bytes, used.data_bytes), (0, 0));
    target.reopen();
    target.check();
}

#[test]
fn a_destroy_goes_on_after_reopening_and_a_new_pool_waits_for_it() {
    let mut target = Target::with(geometry(16 * MIB, 4 * MIB, 64 * MIB), 12 * MIB, 64 * MIB);
    for n in 0..3000 {
        target.update("d", &format!("{n:05}"), Shape::Single, &data(300, n)).unwrap();
    }
    for n in 0..50 {
        target.update("d", &format!("large{n}"), Shape::Single, &data(100_000, n)).unwrap();
    }
    assert_eq!(target.run(Command::PoolDestroy(PLACE.pool)), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::PoolDestroy(PLACE.pool)), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::PoolQuery(PLACE.pool)), Reply::PoolSpace(Err(Status::Nonexistent)));
    assert_eq!(target.fetch_single("d", "00000"), Err(Status::NoHandle));
    target.reopen();
    target.check();
    // The same pool anew with all of the space: it fits once the old one is gone.
    let create = Command::PoolCreate { pool: PLACE.pool, scm_bytes: 12 * MIB, data_bytes: 64 * MIB };
    assert_eq!(target.run(create), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::ContainerList(PLACE.pool)), Reply::Containers(Ok(vec![])));
    target.check();
    let Reply::PoolSpace(Ok(space)) = target.run(Command::PoolQuery(PLACE.pool)) else { panic!("it is there") };
    assert_eq!((space.scm_free, space.data_free), (12 * MIB, 64 * MIB));
}

#[test]
fn containers_are_apart_from_each_other() {
    let mut target = Target::new();
    target.update("d", "a", Shape::Single, &data(10, 1)).unwrap();
    let second = Place { container: ContainerId(Uuid::nil()), ..PLACE };
    let list = Operation::List { level: Level::Objects, after: vec![], limit: 10, epoch: Epoch::MAX };
    let operate = |place, operation| Command::Operate { place, operation };
    let absent = target.run(operate(second, list.clone()));
    assert_eq!(absent, Reply::Operated(Err(Status::NoHandle)));
    assert_eq!(target.run(Command::ContainerCreate(second, ChecksumKind::Crc32c)), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::ContainerCreate(second, ChecksumKind::Crc32c)), Reply::Done(Ok(())));
    let empty = target.run(operate(second, list));
    assert_eq!(empty, Reply::Operated(Ok(Outcome::Listed { names: vec![], more: false })));
    let both = Reply::Containers(Ok(vec![second.container, PLACE.container]));
    assert_eq!(target.run(Command::ContainerList(PLACE.pool)), both);
    let nowhere = Place { pool: PoolId(Uuid::nil()), ..PLACE };
    assert_eq!(
        target.run(Command::ContainerCreate(nowhere, ChecksumKind::Crc32c)),
        Reply::Done(Err(Status::Nonexistent))
    );
    assert_eq!(target.run(Command::ContainerDestroy(nowhere)), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::ContainerDestroy(second)), Reply::Done(Ok(())));
    assert_eq!(target.fetch_single("d", "a").unwrap(), data(10, 1));
    target.settle();
    target.check();
}

#[test]
fn a_log_much_smaller_than_the_work_makes_changes_wait_not_fail() {
    let mut target = Target::with(geometry(32 * MIB, MIB, 64 * MIB), 16 * MIB, 48 * MIB);
    // Submitted without waiting: the log holds about 250 of these groups.
    for n in 0..3000u64 {
        let value = data(3000, n);
        let (shape, condition, checksums) =
            (Shape::Single, Condition::Always, erasure::checksums(ChecksumKind::Crc32c, &value));
        let address = address("d", &format!("{n:05}"));
        let operation = Operation::Update { address, shape, condition, checksums, data: value };
        target.driven.submit(Command::Operate { place: PLACE, operation }, Epoch(target.now.0 + n));
    }
    let mut answered = 0;
    while target.driven.step() {
        while let Some((_, reply)) = target.driven.store.take_reply() {
            assert!(matches!(reply, Reply::Operated(Ok(_))), "{reply:?}");
            answered += 1;
        }
    }
    assert_eq!(answered, 3000);
    let stats = target.driven.store.stats();
    assert!(stats.checkpoints > 5 && stats.pending == 0, "{stats:?}");
    target.reopen();
    target.check();
    assert_eq!(target.fetch_single("d", "02999").unwrap(), data(3000, 2999));
}

#[test]
fn an_idle_log_is_sealed_and_then_rests() {
    let mut target = Target::new();
    target.update("d", "a", Shape::Single, &data(10, 1)).unwrap();
    let groups = target.driven.store.stats().groups;
    target.settle();
    assert_eq!(target.driven.store.stats().groups, groups + 1);
    target.settle();
    assert_eq!(target.driven.store.stats().groups, groups + 1);
    assert!(!target.driven.store.has_work());
}

#[test]
fn a_full_pool_that_is_emptied_shows_its_room_within_seconds() {
    let mut target = Target::with(geometry(16 * MIB, 4 * MIB, 64 * MIB), MIB, 16 * MIB);
    let Reply::PoolSpace(Ok(fresh)) = target.run(Command::PoolQuery(PLACE.pool)) else { panic!("it is there") };
    let mut stored = 0;
    while target.update("d", &format!("a{stored}"), Shape::Single, &data(1 << 20, stored)).is_ok() {
        stored += 1;
    }
    assert_eq!(stored, 16, "the pool is full");
    for n in 0..stored {
        target.now = Epoch(target.now.0 + SECOND / 10);
        target.punch(Scope::Akey(address("d", &format!("a{n}")))).unwrap();
    }
    target.now = Epoch(target.now.0 + SECOND);
    target.settle();
    let Reply::PoolSpace(Ok(space)) = target.run(Command::PoolQuery(PLACE.pool)) else { panic!("it is there") };
    assert_eq!(space.data_free, fresh.data_free);
    target.check();
}

#[test]
fn each_kind_of_operation_counts_under_its_own_name() {
    let mut target = Target::new();
    let value = data(100, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    target.fetch_single("d", "a").unwrap();
    target.size("d", "array", Epoch::MAX).unwrap();
    for level in [Level::Objects, Level::Dkeys(OBJECT), Level::Akeys(OBJECT, key("d"))] {
        target.operate(Operation::List { level, after: vec![], limit: 10, epoch: Epoch::MAX }).unwrap();
    }
    target.punch(Scope::Akey(address("d", "a"))).unwrap();
    target.punch(Scope::Akey(address("d", "absent"))).unwrap();
    let damaged = Operation::Update {
        address: address("d", "a"),
        shape: Shape::Single,
        condition: Condition::Always,
        checksums: spoil(&erasure::checksums(ChecksumKind::Crc32c, &value)),
        data: value,
    };
    assert_eq!(target.operate(damaged), Err(Status::Checksum));
    let stats = target.driven.store.stats();
    assert_eq!((stats.updates, stats.reads, stats.lists, stats.punches), (1, 2, 3, 2), "{stats:?}");
    assert_eq!((stats.bytes_written, stats.bytes_read, stats.checksum_errors), (100, 100, 1), "{stats:?}");
}

#[test]
fn many_small_changes_do_not_multiply_what_a_fetch_reads() {
    let mut target = Target::new();
    let length = 512 << 10;
    let mut wanted = data(length, 1).to_vec();
    target.update("d", "a", ARRAY, &Bytes::from(wanted.clone())).unwrap();
    for start in (64..length).step_by(256) {
        let small = data(32, start as u64);
        target.update("d", "a", Shape::array(start as u64), &small).unwrap();
        wanted[start..start + small.len()].copy_from_slice(&small);
    }
    target.reopen();
    let fetch = Operation::Fetch {
        address: address("d", "a"),
        selection: Selection::Array { offset: 0, length: length as u64 },
        epoch: Epoch::MAX,
    };
    let (read, _, answers) = target.watch_reads(std::slice::from_ref(&fetch));
    assert!(read >= length && read <= 2 * length, "{read} bytes read for {length}");
    let Ok(Outcome::Fetched(segments)) = &answers[0] else { panic!("{answers:?}") };
    let found: Vec<u8> = segments.iter().flat_map(|segment| segment.data.to_vec()).collect();
    assert!(found == wanted, "the newest bytes everywhere");
    target.check();
}

#[test]
fn reads_beyond_a_bound_wait_for_their_turn() {
    let mut target = Target::with(geometry(16 * MIB, 32 * MIB, 160 * MIB), 12 * MIB, 160 * MIB);
    let large = data(MAX_VALUE_BYTES, 5);
    target.update("d", "a", Shape::Single, &large).unwrap();
    let fetch = Operation::Fetch { address: address("d", "a"), selection: Selection::Single, epoch: Epoch::MAX };
    let (read, at_once, answers) = target.watch_reads(&vec![fetch; 7]);
    assert_eq!((read, at_once), (7 * MAX_VALUE_BYTES, 2 * MAX_VALUE_BYTES));
    for answer in answers {
        let Ok(Outcome::Fetched(segments)) = answer else { panic!("a fetch was refused") };
        assert!(segments.len() == 1 && segments[0].data == large);
    }
}

#[test]
fn punches_end_where_a_pool_ends_and_what_is_destroyed_still_goes() {
    // History is kept, so nothing that a punch hides is freed meanwhile.
    let mut target = Target::with(geometry(16 * MIB, 4 * MIB, 64 * MIB), MIB, 16 * MIB);
    target.update("d", "a", ARRAY, &data(1 << 20, 1)).unwrap();
    let hole = |n: u64| Scope::Range { address: address("d", "a"), offset: 2 * n, length: 1 };
    let refused = (0..1 << 19).find(|n| target.punch(hole(*n)).is_err()).expect("no pool holds so many holes");
    assert_eq!(target.punch(hole(refused)), Err(Status::NoSpace));
    let Reply::PoolSpace(Ok(space)) = target.run(Command::PoolQuery(PLACE.pool)) else { panic!("there is a pool") };
    assert_eq!(space.scm_free, 0);
    target.check();
    assert_eq!(target.run(Command::ContainerDestroy(PLACE)), Reply::Done(Ok(())));
    target.settle();
    let Reply::PoolSpace(Ok(space)) = target.run(Command::PoolQuery(PLACE.pool)) else { panic!("there is a pool") };
    assert_eq!((space.scm_free, space.data_free), (MIB, 16 * MIB));
    target.check();
}
