//! Values written, read, removed and batched.

use std::collections::BTreeSet;

use bytes::Bytes;
use daos_client::{ContainerOptions, Error, Property, System};
use erasure::checksums;
use types::{
    Address, ChecksumKind, Condition, Epoch, Key, MAX_VALUE_BYTES, ObjectId, Operation, Outcome, Scope, Segment,
    Selection, Shape, Status,
};

use crate::engine::{MAX_IN_FLIGHT, Trick};
use crate::fake::{Fake, OBJECT, key};

fn fetch(dkey: &str) -> Operation {
    let address = Address { object: OBJECT, dkey: key(dkey), akey: key("a") };
    Operation::Fetch { address, selection: Selection::Single, epoch: Epoch::MAX }
}

fn update(dkey: &str, data: impl Into<Bytes>) -> Operation {
    let data = data.into();
    let address = Address { object: OBJECT, dkey: key(dkey), akey: key("a") };
    Operation::Update {
        address,
        shape: Shape::Single,
        condition: Condition::Always,
        checksums: checksums(ChecksumKind::Crc32c, &data),
        data,
    }
}

#[tokio::test]
async fn single_values_are_written_replaced_and_read_as_of_an_epoch() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let (dkey, akey) = (key("apple"), key("colour"));
    assert_eq!(object.get(&dkey, &akey).await.unwrap(), None);
    let green = object.put(&dkey, &akey, "green").await.unwrap();
    let red = object.put(&dkey, &akey, "red").await.unwrap();
    assert!(red > green);
    assert_eq!(object.get(&dkey, &akey).await.unwrap().unwrap(), "red");
    assert_eq!(object.get_at(&dkey, &akey, green).await.unwrap().unwrap(), "green");
    object.put(&dkey, &akey, "").await.unwrap();
    assert_eq!(object.get(&dkey, &akey).await.unwrap(), Some(Bytes::new()), "an empty value is a value");
}

#[tokio::test]
async fn values_get_checksums_of_the_kind_their_container_was_made_with() {
    let fake = Fake::start().await;
    let pool = System::connect(fake.settings()).await.unwrap().open_pool("tank").await.unwrap();
    for kind in ChecksumKind::ALL {
        let properties = vec![Property { name: "cksum".to_owned(), value: kind.to_string() }];
        let options = ContainerOptions { properties, ..ContainerOptions::labelled(kind.to_string()) };
        let created = pool.create_container(options).await.unwrap();
        let opened = pool.open_container(kind.as_str()).await.unwrap();
        assert_eq!((created.checksum_kind(), opened.checksum_kind()), (kind, kind));
        // The engine refuses any other kind.
        for object in [created.object(OBJECT), opened.object(OBJECT)] {
            object.put(&key("d"), &key("a"), vec![7; 70_000]).await.unwrap();
            assert_eq!(object.get(&key("d"), &key("a")).await.unwrap().unwrap(), vec![7; 70_000]);
        }
    }
    fake.state().containers[0].properties[0].value = "md5".to_owned();
    let error = pool.open_container("crc32").await.map(drop).unwrap_err().to_string();
    assert!(error.contains("`cksum`") && error.contains("`md5`"), "{error}");
}

#[tokio::test]
async fn each_dkey_lies_on_one_target_and_all_targets_are_used() {
    let fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    let object = container.object(OBJECT);
    let mut used = BTreeSet::new();
    for n in 0..40 {
        let (dkey, akey) = (key(&format!("dkey {n}")), key("a"));
        object.put(&dkey, &akey, vec![n; 10]).await.unwrap();
        let holders = fake.holders(&object, &container, &dkey, &akey);
        assert_eq!(holders.len(), 1);
        used.extend(holders);
    }
    assert_eq!(used, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
    for n in 0..40 {
        let value = object.get(&key(&format!("dkey {n}")), &key("a")).await.unwrap();
        assert_eq!(value.unwrap(), vec![n; 10]);
    }
    // One to each target, one to the pool service.
    assert_eq!(fake.state().connections, 5);
}

#[tokio::test]
async fn conditions_are_checked_by_the_target() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let (dkey, akey) = (key("lock"), key("owner"));
    let status = |result: Result<Epoch, Error>| result.unwrap_err().status();
    assert_eq!(status(object.put_if(&dkey, &akey, "me", Condition::Present).await), Status::Nonexistent);
    object.put_if(&dkey, &akey, "me", Condition::Absent).await.unwrap();
    assert_eq!(status(object.put_if(&dkey, &akey, "you", Condition::Absent).await), Status::Exists);
    object.punch_akey(&dkey, &akey, Condition::Present).await.unwrap();
    assert_eq!(status(object.punch_akey(&dkey, &akey, Condition::Present).await), Status::Nonexistent);
}

#[tokio::test]
async fn arrays_are_cut_into_extents_and_have_holes() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let (dkey, akey) = (key("file"), key("data"));
    let data: Vec<u8> = (0..(2 << 20) + 5).map(|n: u32| (n % 251) as u8).collect();
    object.put_array(&dkey, &akey, 100, data.clone()).await.unwrap();
    assert_eq!(fake.state().requests, [1, 1, 1], "two whole extents and a rest");
    let end = 100 + data.len() as u64;
    assert_eq!(object.array_size(&dkey, &akey).await.unwrap(), end);
    object.punch_range(&dkey, &akey, 200, 50).await.unwrap();
    let segments = object.get_array(&dkey, &akey, 0, end + 100).await.unwrap();
    let ranges: Vec<(u64, usize)> = segments.iter().map(|Segment { offset, data, .. }| (*offset, data.len())).collect();
    assert_eq!(ranges, [(100, 100), (250, data.len() - 150)]);
    let mut expected = [vec![0; 100], data, vec![0; 100]].concat();
    expected[200..250].fill(0);
    assert_eq!(object.get_array_filled(&dkey, &akey, 0, end + 100).await.unwrap(), expected);
    assert_eq!(object.get(&dkey, &akey).await.unwrap_err().status(), Status::Invalid, "an array is no single value");
}

#[tokio::test]
async fn removal_reaches_what_it_names_and_no_more() {
    let fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    let (one, other) = (container.object(OBJECT), container.object(ObjectId { hi: 7, lo: 2 }));
    for n in 0..12 {
        let dkey = key(&format!("dkey {n}"));
        for akey in ["a", "b"] {
            one.put(&dkey, &key(akey), "1").await.unwrap();
            other.put(&dkey, &key(akey), "2").await.unwrap();
        }
    }
    one.punch_akey(&key("dkey 0"), &key("a"), Condition::Always).await.unwrap();
    assert_eq!(one.get(&key("dkey 0"), &key("a")).await.unwrap(), None);
    assert_eq!(one.get(&key("dkey 0"), &key("b")).await.unwrap().unwrap(), "1");
    one.punch_dkey(&key("dkey 0")).await.unwrap();
    assert_eq!(one.get(&key("dkey 0"), &key("b")).await.unwrap(), None);
    assert_eq!(one.list_dkeys(b"", 100).await.unwrap().names.len(), 11);
    one.punch().await.unwrap();
    assert_eq!(one.list_dkeys(b"", 100).await.unwrap().names, Vec::<Bytes>::new(), "on every target");
    assert_eq!(other.list_dkeys(b"", 100).await.unwrap().names.len(), 12);
}

#[tokio::test]
async fn a_hundred_calls_share_a_connection_and_are_answered_in_any_order() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let dkey = key("one dkey, one target");
    // No answer leaves before all have been asked, and then the last goes first.
    let calls = usize::from(MAX_IN_FLIGHT);
    fake.state().hold = calls;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..calls {
        let (object, dkey) = (object.clone(), dkey.clone());
        tasks.spawn(async move { object.put(&dkey, &key(&format!("akey {n}")), n.to_string()).await.unwrap() });
    }
    let epochs: BTreeSet<Epoch> = tasks.join_all().await.into_iter().collect();
    assert_eq!(epochs.len(), calls);
    fake.state().hold = 0;
    for n in 0..calls {
        assert_eq!(object.get(&dkey, &key(&format!("akey {n}"))).await.unwrap().unwrap(), n.to_string());
    }
    assert_eq!(fake.state().connections, 2);
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_and_sent_in_few_frames() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let writes: Vec<Operation> = (0..300).map(|n| update(&format!("dkey {n}"), n.to_string())).collect();
    let answers = object.batch(writes).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Outcome::Changed(_)))));
    {
        let state = fake.state();
        assert_eq!(state.requests.iter().sum::<usize>(), 300);
        assert!(state.requests.iter().all(|count| *count <= 64) && state.requests.len() < 12, "{:?}", state.requests);
    }
    let reads = (0..300).map(|n| fetch(&format!("dkey {}", n * 2))).collect();
    let answers = object.batch(reads).await.unwrap();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(Outcome::Fetched(segments)) => assert_eq!(segments[0].data, (n * 2).to_string()),
            Err(Status::Nonexistent) => assert!(n >= 150),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(object.batch(Vec::new()).await.unwrap(), []);
}

#[tokio::test]
async fn a_batch_of_large_values_fits_its_frames() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let value = Bytes::from(vec![3; 12 << 20]);
    // One dkey, so that all belong to one target: no more than two fit beside each other.
    object.batch((0..3).map(|_| update("d", value.clone())).collect()).await.unwrap();
    assert_eq!(fake.state().requests, [2, 1]);
}

#[tokio::test]
async fn what_did_not_fit_into_the_reply_of_a_batch_is_asked_for_alone() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    object.put(&key("d"), &key("a"), "value").await.unwrap();
    fake.state().requests.clear();
    fake.trick([Trick::Instead(vec![Err(Status::Nonexistent), Err(Status::TooBig)])]);
    let answers = object.batch(vec![fetch("d"), fetch("d")]).await.unwrap();
    assert_eq!(answers[0], Err(Status::Nonexistent));
    assert!(matches!(&answers[1], Ok(Outcome::Fetched(segments)) if segments[0].data == "value"), "{answers:?}");
    assert_eq!(fake.state().requests, [2, 1]);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let (dkey, akey) = (key("d"), key("a"));
    let large = Bytes::from(vec![0; MAX_VALUE_BYTES + 1]);
    let errors = [
        object.put(&dkey, &akey, large.clone()).await.unwrap_err(),
        object.batch(vec![update("d", "fine"), update("d", large)]).await.unwrap_err(),
        object.put_array(&dkey, &akey, (1 << 63) - 1, "two").await.unwrap_err(),
        object.put_array(&dkey, &akey, u64::MAX, "two").await.unwrap_err(),
        object.put_array(&dkey, &akey, 0, "").await.unwrap_err(),
        object.get_array(&dkey, &akey, 0, MAX_VALUE_BYTES as u64 + 1).await.unwrap_err(),
        object.get_array_filled(&dkey, &akey, 0, u64::MAX).await.unwrap_err(),
        object.list_dkeys(b"", 0).await.unwrap_err(),
        object.list_akeys(&dkey, b"", 1025).await.unwrap_err(),
        object
            .batch(vec![Operation::Punch { scope: Scope::Object(OBJECT), condition: Condition::Always }])
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
        assert_eq!(error.status(), Status::Invalid);
    }
    assert!(Key::new(b"").is_err() && Key::new(&[0; 4097]).is_err(), "bad keys cannot even be made");
    assert_eq!(fake.state().requests, [0; 0]);
}

/// Placement hashes the object with the dkey. A batch through the handle of one object once sent operations on another
/// one to the targets of the first, where no reader looks for them.
#[tokio::test]
async fn a_batch_does_not_take_operations_on_another_object() {
    let fake = Fake::start().await;
    let object = fake.container(fake.settings()).await.object(ObjectId { hi: 7, lo: 99 });
    let error = object.batch(vec![update("d", "lost")]).await.unwrap_err();
    assert!(error.to_string().contains("the batch is for object 7.99"), "{error}");
    assert_eq!(fake.state().requests, [0; 0]);
}
