//! Kinds of keys, record sizes, conditions on dkeys, first and last keys, stretches of arrays.

use bytes::Bytes;
use types::{
    Address, ChecksumKind, Condition, Depth, End, Epoch, Key, Level, ObjectId, Operation, Outcome, Scope, Selection,
    Shape, Status, Stretch,
};

use crate::target::{OBJECT, Target, address, data, key};

/// An object of DAOS's type MULTI_UINT64, whose keys are integers.
const NUMBERS: ObjectId = ObjectId { hi: 4 << 56, lo: 1 };
/// An object of type MULTI_LEXICAL.
const WORDS: ObjectId = ObjectId { hi: 7 << 56, lo: 1 };

fn update(
    target: &mut Target,
    address: Address,
    shape: Shape,
    condition: Condition,
    data: &Bytes,
) -> Result<Epoch, Status> {
    let checksums = erasure::checksums(ChecksumKind::Crc32c, data);
    match target.operate(Operation::Update { address, shape, condition, checksums, data: data.clone() })? {
        Outcome::Changed(epoch) => Ok(epoch),
        other => panic!("{other:?}"),
    }
}

fn number(dkey: u64, akey: u64) -> Address {
    Address { object: NUMBERS, dkey: Key::from_u64(dkey), akey: Key::from_u64(akey) }
}

fn query(
    target: &mut Target,
    object: ObjectId,
    keys: (Option<&Key>, Option<&Key>),
    depth: Depth,
    end: End,
) -> Result<Found, Status> {
    let (dkey, akey) = (keys.0.cloned(), keys.1.cloned());
    match target.operate(Operation::QueryKey { object, dkey, akey, depth, end, epoch: Epoch::MAX })? {
        Outcome::Found { dkey, akey, stretch } => Ok((dkey, akey, stretch.map(|one| (one.offset, one.length)))),
        other => panic!("{other:?}"),
    }
}

type Found = (Option<Bytes>, Option<Bytes>, Option<(u64, u64)>);

fn extents(target: &mut Target, address: &Address, limit: u32) -> (u32, Vec<Stretch>) {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let operation = Operation::Extents { address: address.clone(), from, limit, epoch: Epoch::MAX };
        match target.operate(operation).unwrap() {
            Outcome::Extents { record_bytes, stretches, more } => {
                assert!(stretches.len() <= limit as usize);
                all.extend(stretches);
                if !more {
                    return (record_bytes, all);
                }
                from = all.last().map(|last| last.offset + last.length).expect("more comes after something");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn integer_keys_are_listed_in_their_order_from_any_anchor() {
    let mut target = Target::new();
    let numbers = [300, 1, 255, 256, u64::MAX, 1 << 40];
    for n in numbers {
        update(&mut target, number(n, n), Shape::Single, Condition::Always, &data(5, n)).unwrap();
    }
    let mut expected = numbers;
    expected.sort_unstable();
    for _ in 0..2 {
        let listed: Vec<u64> = target
            .list(&Level::Dkeys(NUMBERS), Epoch::MAX)
            .iter()
            .map(|name| u64::from_le_bytes(name[..].try_into().unwrap()))
            .collect();
        assert_eq!(listed, expected);
        target.reopen();
    }
    // An anchor that is not there any more.
    target.punch(Scope::Dkey(NUMBERS, Key::from_u64(255))).unwrap();
    let after = 255u64.to_le_bytes().to_vec();
    let list = Operation::List { level: Level::Dkeys(NUMBERS), after, limit: 1, epoch: Epoch::MAX };
    let next = Bytes::copy_from_slice(&256u64.to_le_bytes());
    assert_eq!(target.operate(list), Ok(Outcome::Listed { names: vec![next], more: true }));
    target.check();
}

#[test]
fn a_key_of_another_kind_than_the_object_s_is_refused() {
    let mut target = Target::new();
    let odd = Address { object: NUMBERS, dkey: key("seven"), akey: Key::from_u64(1) };
    assert_eq!(update(&mut target, odd.clone(), Shape::Single, Condition::Always, &data(5, 1)), Err(Status::Invalid));
    assert_eq!(target.punch(Scope::Akey(odd)), Err(Status::Invalid));
    assert_eq!(target.punch(Scope::Dkey(NUMBERS, key("seven"))), Err(Status::Invalid));
    let list = Operation::List { level: Level::Dkeys(NUMBERS), after: b"abc".to_vec(), limit: 1, epoch: Epoch::MAX };
    assert_eq!(target.operate(list), Err(Status::Invalid));
    assert_eq!(target.driven.store.stats().updates, 0);
}

#[test]
fn first_and_last_keys_are_found_past_what_was_punched() {
    let mut target = Target::new();
    for n in [5, 70, 900] {
        update(&mut target, number(n, 2), Shape::array(100), Condition::Always, &data(50, n)).unwrap();
        update(&mut target, number(n, 1), Shape::Single, Condition::Always, &data(50, n)).unwrap();
    }
    target.punch(Scope::Akey(number(900, 2))).unwrap();
    target.punch(Scope::Dkey(NUMBERS, Key::from_u64(5))).unwrap();
    let bytes = |n: u64| Some(Bytes::copy_from_slice(&n.to_le_bytes()));
    let mut ask = |keys, depth, end| query(&mut target, NUMBERS, keys, depth, end);
    assert_eq!(ask((None, None), Depth::Dkey, End::Last), Ok((bytes(900), None, None)));
    assert_eq!(ask((None, None), Depth::Dkey, End::First), Ok((bytes(70), None, None)));
    assert_eq!(ask((None, None), Depth::Akey, End::Last), Ok((bytes(900), bytes(1), None)));
    let (seventy, two) = (Key::from_u64(70), Key::from_u64(2));
    assert_eq!(ask((Some(&seventy), None), Depth::Akey, End::Last), Ok((None, bytes(2), None)));
    // The last dkey with an array in that akey, and where it ends.
    assert_eq!(ask((None, Some(&two)), Depth::Extent, End::Last), Ok((bytes(70), None, Some((100, 50)))));
    assert_eq!(ask((Some(&seventy), Some(&two)), Depth::Extent, End::First), Ok((None, None, Some((100, 50)))));
    let nine = Key::from_u64(9);
    assert_eq!(ask((None, Some(&nine)), Depth::Extent, End::Last), Err(Status::Nonexistent));
    assert_eq!(ask((Some(&seventy), None), Depth::Dkey, End::Last), Err(Status::Invalid));
    target.update("d", "a", Shape::Single, &data(5, 1)).unwrap();
    assert_eq!(query(&mut target, OBJECT, (None, None), Depth::Dkey, End::Last), Err(Status::Invalid), "no order");
    let word = |text: &str| Address { object: WORDS, dkey: key(text), akey: key("a") };
    for text in ["pear", "apple", "plum"] {
        update(&mut target, word(text), Shape::Single, Condition::Always, &data(5, 1)).unwrap();
    }
    let last = Ok((Some(Bytes::from_static(b"plum")), None, None));
    assert_eq!(query(&mut target, WORDS, (None, None), Depth::Dkey, End::Last), last);
    target.check();
}

#[test]
fn the_first_write_fixes_the_record_size_until_a_punch() {
    let mut target = Target::new();
    let (eight, four) =
        (|offset| Shape::Array { offset, record_bytes: 8 }, Shape::Array { offset: 0, record_bytes: 4 });
    assert_eq!(target.update("d", "a", eight(4), &data(8, 1)), Err(Status::Invalid), "offset");
    assert_eq!(target.update("d", "a", eight(8), &data(9, 1)), Err(Status::Invalid), "length");
    let none = Shape::Array { offset: 0, record_bytes: 0 };
    assert_eq!(target.update("d", "a", none, &data(8, 1)), Err(Status::Invalid));
    target.update("d", "a", eight(16), &data(16, 1)).unwrap();
    for _ in 0..2 {
        assert_eq!(target.update("d", "a", four, &data(8, 1)), Err(Status::Invalid));
        assert_eq!(target.update("d", "a", Shape::array(0), &data(8, 1)), Err(Status::Invalid));
        target.update("d", "a", eight(32), &data(8, 1)).unwrap();
        assert_eq!(target.fetch_array("d", "a", (4, 8), Epoch::MAX), Err(Status::Invalid));
        let range = Scope::Range { address: address("d", "a"), offset: 16, length: 4 };
        assert_eq!(target.punch(range), Err(Status::Invalid));
        assert_eq!(extents(&mut target, &address("d", "a"), 10).0, 8);
        target.check();
        target.reopen();
    }
    target.punch(Scope::Akey(address("d", "a"))).unwrap();
    target.update("d", "a", four, &data(8, 1)).unwrap();
    assert_eq!(extents(&mut target, &address("d", "a"), 10).0, 4);
    // An array of bytes that is there keeps its size too.
    target.update("d", "bytes", Shape::array(3), &data(5, 1)).unwrap();
    assert_eq!(target.update("d", "bytes", four, &data(8, 1)), Err(Status::Invalid));
    target.check();
}

#[test]
fn conditions_on_dkeys_look_at_all_their_akeys() {
    let mut target = Target::new();
    let value = data(5, 1);
    let mut put = |akey: &str, condition| target.update_if("d", akey, Shape::Single, condition, &value);
    assert_eq!(put("a", Condition::DkeyPresent), Err(Status::Nonexistent));
    put("a", Condition::DkeyAbsent).unwrap();
    assert_eq!(put("b", Condition::DkeyAbsent), Err(Status::Exists));
    put("b", Condition::DkeyPresent).unwrap();
    let punch = |scope, condition| Operation::Punch { scope, condition };
    let dkey = Scope::Dkey(OBJECT, key("d"));
    target.operate(punch(dkey.clone(), Condition::Present)).unwrap();
    assert_eq!(target.operate(punch(dkey, Condition::Present)), Err(Status::Nonexistent));
    assert_eq!(target.operate(punch(Scope::Object(OBJECT), Condition::Present)), Err(Status::Nonexistent));
    assert_eq!(target.update_if("d", "a", Shape::Single, Condition::DkeyPresent, &value), Err(Status::Nonexistent));
    target.update_if("d", "a", Shape::Single, Condition::DkeyAbsent, &value).unwrap();
    assert!(target.operate(punch(Scope::Object(OBJECT), Condition::Present)).is_ok());
    target.check();
}

#[test]
fn stretches_are_listed_page_by_page_as_the_array_is_read() {
    let mut target = Target::new();
    let far = 1 << 50;
    let first = target.update("d", "a", Shape::array(0), &data(100_000, 1)).unwrap();
    let second = target.update("d", "a", Shape::array(40_000), &data(10, 2)).unwrap();
    target.punch(Scope::Range { address: address("d", "a"), offset: 50_000, length: 20_000 }).unwrap();
    let third = target.update("d", "a", Shape::array(far), &data(3, 3)).unwrap();
    let stretch = |offset, length, epoch| Stretch { offset, length, epoch };
    let expected = [
        stretch(0, 40_000, first),
        stretch(40_000, 10, second),
        stretch(40_010, 9_990, first),
        stretch(70_000, 30_000, first),
        stretch(far, 3, third),
    ];
    for limit in [1, 2, 100] {
        let (record_bytes, found) = extents(&mut target, &address("d", "a"), limit);
        assert_eq!((record_bytes, &found[..]), (1, &expected[..]), "limit {limit}");
    }
    // From the middle of one, and as of before.
    let from = Operation::Extents { address: address("d", "a"), from: 30_000, limit: 1, epoch: first };
    let cut = Outcome::Extents { record_bytes: 1, stretches: vec![stretch(30_000, 70_000, first)], more: false };
    assert_eq!(target.operate(from), Ok(cut));
    let none = Operation::Extents { address: address("d", "none"), from: 0, limit: 1, epoch: Epoch::MAX };
    assert_eq!(target.operate(none), Ok(Outcome::Extents { record_bytes: 1, stretches: vec![], more: false }));
    target.update("d", "single", Shape::Single, &data(5, 1)).unwrap();
    let single = Operation::Extents { address: address("d", "single"), from: 0, limit: 1, epoch: Epoch::MAX };
    assert_eq!(target.operate(single), Err(Status::Invalid));
    assert!(target.fetch("d", "a", Selection::Array { offset: far, length: 3 }, Epoch::MAX).is_ok());
}

#[test]
fn many_small_stretches_are_listed_like_one_by_one_reads() {
    let mut target = Target::new();
    for n in 0..2000u64 {
        let offset = n * 37 % 2000 * 100;
        target.update("d", "a", Shape::array(offset), &data(60, n)).unwrap();
    }
    let (_, found) = extents(&mut target, &address("d", "a"), 1024);
    assert_eq!(found.len(), 2000);
    assert!(found.iter().enumerate().all(|(n, one)| (one.offset, one.length) == (n as u64 * 100, 60)));
    let last = query(&mut target, OBJECT, (Some(&key("d")), Some(&key("a"))), Depth::Extent, End::Last);
    assert_eq!(last, Ok((None, None, Some((199_900, 60)))));
}
