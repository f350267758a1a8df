//! Round trips, golden bytes, truncation and damage.

use super::answer::RawAnswer;
use super::*;
use crate::frame::{HEADER_BYTES, Kind};
use proptest::prelude::*;
use types::{Answer, Outcome, Segment, Status, Stretch};

fn flat(body: Body) -> Bytes {
    Bytes::from(body.into_frame(Kind::Request, 0, 0).concat()).slice(HEADER_BYTES..)
}

fn key() -> impl Strategy<Value = Key> {
    prop::collection::vec(any::<u8>(), 1..40).prop_map(|bytes| Key::new(&bytes).unwrap())
}

fn object() -> impl Strategy<Value = ObjectId> {
    any::<(u64, u64)>().prop_map(|(hi, lo)| ObjectId { hi, lo })
}

fn address() -> impl Strategy<Value = Address> {
    (object(), key(), key()).prop_map(|(object, dkey, akey)| Address { object, dkey, akey })
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![0usize..100, 4000usize..5000].prop_map(|length| Bytes::from(vec![7; length]))
}

fn condition() -> impl Strategy<Value = Condition> {
    prop::sample::select(vec![
        Condition::Always,
        Condition::Absent,
        Condition::Present,
        Condition::DkeyAbsent,
        Condition::DkeyPresent,
    ])
}

fn checksums() -> impl Strategy<Value = Checksums> {
    (prop::sample::select(&ChecksumKind::ALL[..]), 0usize..4, any::<u8>())
        .prop_map(|(kind, count, byte)| Checksums::from_bytes(kind, &vec![byte; count * kind.bytes()]).unwrap())
}

fn operation() -> impl Strategy<Value = Operation> {
    let shape = prop_oneof![
        Just(Shape::Single),
        any::<(u64, u32)>().prop_map(|(offset, record_bytes)| Shape::Array { offset, record_bytes })
    ];
    let selection = prop_oneof![
        Just(Selection::Single),
        any::<(u64, u64)>().prop_map(|(offset, length)| Selection::Array { offset, length })
    ];
    let scope = prop_oneof![
        object().prop_map(Scope::Object),
        (object(), key()).prop_map(|(object, dkey)| Scope::Dkey(object, dkey)),
        address().prop_map(Scope::Akey),
        (address(), any::<u64>(), any::<u64>()).prop_map(|(address, offset, length)| Scope::Range {
            address,
            offset,
            length
        }),
    ];
    let level = prop_oneof![
        Just(Level::Objects),
        object().prop_map(Level::Dkeys),
        (object(), key()).prop_map(|(object, dkey)| Level::Akeys(object, dkey)),
    ];
    let epoch = any::<u64>().prop_map(Epoch);
    prop_oneof![
        (address(), shape, condition(), checksums(), payload()).prop_map(
            |(address, shape, condition, checksums, data)| Operation::Update {
                address,
                shape,
                condition,
                checksums,
                data
            }
        ),
        (address(), selection, epoch.clone()).prop_map(|(address, selection, epoch)| Operation::Fetch {
            address,
            selection,
            epoch
        }),
        (scope, condition()).prop_map(|(scope, condition)| Operation::Punch { scope, condition }),
        (level, prop::collection::vec(any::<u8>(), 0..40), 1..=MAX_LIST_ENTRIES, epoch.clone())
            .prop_map(|(level, after, limit, epoch)| Operation::List { level, after, limit, epoch }),
        (address(), epoch.clone()).prop_map(|(address, epoch)| Operation::ArraySize { address, epoch }),
        (address(), any::<u64>(), 1..=MAX_LIST_ENTRIES, epoch.clone())
            .prop_map(|(address, from, limit, epoch)| { Operation::Extents { address, from, limit, epoch } }),
        (object(), prop::option::of(key()), prop::option::of(key()), 0usize..3, any::<bool>(), epoch).prop_map(
            |(object, dkey, akey, depth, last, epoch)| Operation::QueryKey {
                object,
                dkey,
                akey,
                depth: [Depth::Dkey, Depth::Akey, Depth::Extent][depth],
                end: if last { End::Last } else { End::First },
                epoch
            }
        ),
    ]
}

fn stretch() -> impl Strategy<Value = Stretch> {
    any::<(u64, u64, u64)>().prop_map(|(offset, length, epoch)| Stretch { offset, length, epoch: Epoch(epoch) })
}

fn answer() -> impl Strategy<Value = Answer> {
    let segment = (any::<u64>(), checksums(), payload()).prop_map(|(offset, checksums, data)| Segment {
        offset,
        checksums,
        data,
    });
    let name = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let found = name.clone();
    prop_oneof![
        prop::sample::select(Status::ALL).prop_map(Err),
        any::<u64>().prop_map(|epoch| Ok(Outcome::Changed(Epoch(epoch)))),
        prop::collection::vec(segment, 0..4).prop_map(|segments| Ok(Outcome::Fetched(segments))),
        (prop::collection::vec(name.clone(), 0..5), any::<bool>())
            .prop_map(|(names, more)| Ok(Outcome::Listed { names, more })),
        any::<u64>().prop_map(|size| Ok(Outcome::Size(size))),
        (any::<u32>(), prop::collection::vec(stretch(), 0..5), any::<bool>())
            .prop_map(|(record_bytes, stretches, more)| Ok(Outcome::Extents { record_bytes, stretches, more })),
        (prop::option::of(name), prop::option::of(found), prop::option::of(stretch()))
            .prop_map(|(dkey, akey, stretch)| Ok(Outcome::Found { dkey, akey, stretch })),
    ]
}

fn place() -> Place {
    Place { pool: PoolId(Uuid::from_u128(0x1111)), container: ContainerId(Uuid::from_u128(0x2222)) }
}

proptest! {
    #[test]
    fn requests_round_trip_at_the_length_foretold(operations in prop::collection::vec(operation(), 1..5)) {
        let foretold: usize = operations.iter().map(encoded_length).sum();
        let request = Request { place: place(), operations };
        let body = request.encode();
        prop_assert_eq!(body.length(), 32 + foretold);
        let count = request.operations.len() as u16;
        prop_assert_eq!(Request::decode(flat(body), count).unwrap(), request);
    }

    #[test]
    fn answers_round_trip(answers in prop::collection::vec(answer(), 0..5)) {
        let decoded = decode_answers(flat(encode_answers(&answers)), answers.len() as u16).unwrap();
        prop_assert_eq!(decoded, answers);
    }

    #[test]
    fn damage_gives_another_message_or_a_refusal(operation in operation(), at: prop::sample::Index, value: u8, cut: prop::sample::Index) {
        let whole = flat(Request { place: place(), operations: vec![operation] }.encode());
        let mut bytes = whole.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = Request::decode(Bytes::from(bytes), 1);
        let cut = cut.index(whole.len());
        prop_assert!(Request::decode(whole.slice(..cut), 1).is_err());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), count: u16) {
        let bytes = Bytes::from(bytes);
        let _ = Request::decode(bytes.clone(), count);
        let _ = decode_answers(bytes, count);
    }
}

#[test]
fn golden_bytes_of_version_2() {
    let hex = |bytes: Bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let update = Operation::Update {
        address: Address {
            object: ObjectId { hi: 1, lo: 2 },
            dkey: Key::new(b"d").unwrap(),
            akey: Key::new(b"ak").unwrap(),
        },
        shape: Shape::array(5),
        condition: Condition::Absent,
        checksums: Checksums::from_bytes(ChecksumKind::Crc32c, &[1, 2, 3, 4]).unwrap(),
        data: Bytes::from_static(b"xyz"),
    };
    let body = flat(Request { place: place(), operations: vec![update] }.encode());
    let expected = concat!(
        "00000000000000000000000000001111", // pool
        "00000000000000000000000000002222", // container
        "0101010101000000",                 // update, array, absent, CRC32C; record bytes
        "01000000000000000200000000000000", // object
        "0100020001000000",                 // key lengths, checksum count
        "0500000000000000",                 // offset
        "0000000000000000",                 // length
        "0000000000000000",                 // epoch
        "0300000000000000",                 // data length
        "64616b0102030478797a",             // d, ak, checksum, data
    );
    assert_eq!(hex(body), expected);
    let checksums = Checksums::from_bytes(ChecksumKind::Crc64, &[1, 0, 0, 0, 0, 0, 0, 2]).unwrap();
    let fetched = Ok(Outcome::Fetched(vec![Segment { offset: 9, checksums, data: Bytes::from_static(b"q") }]));
    let expected = concat!(
        "0000000002000000000000000000000001000000",
        "00000000",                         // answer
        "09000000000000000100000001000200", // segment, CRC64
        "010000000000000271",
        "13fcffff00000000000000000000000000000000",
        "00000000", // refused
    );
    assert_eq!(hex(flat(encode_answers(&[fetched, Err(Status::Nonexistent)]))), expected);
}

#[test]
fn fields_an_operation_does_not_use_must_be_zero() {
    let punch = Operation::Punch { scope: Scope::Object(ObjectId { hi: 0, lo: 1 }), condition: Condition::Always };
    let whole = flat(Request { place: place(), operations: vec![punch] }.encode());
    for at in [3, 4, 24, 26, 28, 32, 40, 48, 56, 60] {
        let mut bytes = whole.to_vec();
        bytes[32 + at] = 1;
        assert!(matches!(Request::decode(Bytes::from(bytes), 1), Err(BodyError::Undefined { .. })), "offset {at}");
    }
}

#[test]
fn counts_and_lengths_beyond_the_body_allocate_nothing() {
    let mut raw = RawAnswer { form: 2, count: U32::new(u32::MAX), ..RawAnswer::default() };
    assert!(matches!(decode_answers(Bytes::copy_from_slice(raw.as_bytes()), 1), Err(BodyError::Short { .. })));
    raw.form = 3;
    assert!(matches!(decode_answers(Bytes::copy_from_slice(raw.as_bytes()), 1), Err(BodyError::Short { .. })));
}

#[test]
fn checksums_have_a_kind_exactly_when_there_are_some() {
    let update = |checksums| {
        let key = Key::new(b"k").unwrap();
        let address = Address { object: ObjectId { hi: 0, lo: 1 }, dkey: key.clone(), akey: key };
        let (shape, condition, data) = (Shape::Single, Condition::Always, Bytes::from_static(b"x"));
        let operations = vec![Operation::Update { address, shape, condition, checksums, data }];
        flat(Request { place: place(), operations }.encode()).to_vec()
    };
    let with = |body: &[u8], changes: &[(usize, u8)]| {
        let mut body = body.to_vec();
        changes.iter().for_each(|(at, value)| body[32 + at] = *value);
        Request::decode(Bytes::from(body), 1).unwrap_err()
    };
    let undefined = |value| BodyError::Undefined { field: "checksum_kind", value };
    let (none, one) =
        (update(Checksums::none()), update(Checksums::from_bytes(ChecksumKind::Crc32c, &[9; 4]).unwrap()));
    assert_eq!(with(&none, &[(3, 1)]), undefined(1));
    assert_eq!(with(&one, &[(3, 0)]), undefined(0));
    assert_eq!(with(&one, &[(3, 4)]), undefined(4));
    assert_eq!(with(&one, &[(3, 3)]), BodyError::Short { field: "checksums", wanted: 32, left: 5 });
    assert_eq!(with(&one, &[(29, 4)]), BodyError::Limit { field: "checksum_count", value: 1025, limit: 1024 });
}
