//! Connections that end, engines that answer wrong, data that arrive damaged.

use std::time::Duration;

use bytes::Bytes;
use daos_client::{Error, Settings};
use erasure::checksums;
use types::{ChecksumKind, Condition, Epoch, Outcome, Segment, Status};

use crate::engine::Trick;
use crate::fake::{Fake, OBJECT, key};

#[tokio::test]
async fn reads_and_plain_changes_are_repeated_when_the_connection_ends() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let (dkey, akey) = (key("d"), key("a"));
    fake.trick([Trick::CloseBefore, Trick::CloseAfter, Trick::RefuseAfter(Status::Unreachable)]);
    object.put(&dkey, &akey, "value").await.unwrap();
    assert_eq!(fake.state().requests.len(), 3, "done twice in vain, and once more");
    fake.trick([Trick::CloseBefore, Trick::CloseAfter]);
    assert_eq!(object.get(&dkey, &akey).await.unwrap().unwrap(), "value");
    fake.trick([Trick::CloseAfter]);
    object.punch_dkey(&dkey).await.unwrap();
    assert_eq!(object.get(&dkey, &akey).await.unwrap(), None);
}

#[tokio::test]
async fn calls_under_way_when_the_connection_ends_are_all_repeated() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    fake.state().hold = 20;
    fake.trick((0..19).map(|_| Trick::Silence).chain([Trick::CloseAfter]));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let object = object.clone();
        tasks.spawn(async move { object.put(&key("d"), &key(&format!("akey {n}")), "x").await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.len(), 20);
    assert_eq!(fake.state().requests.len(), 40);
}

/// An engine may end a connection with a refusal after it did what was asked. Such a change was once sent again, found
/// its own first effect, and was reported as refused by its condition.
#[tokio::test]
async fn a_conditional_change_is_never_sent_twice() {
    for trick in [Trick::CloseBefore, Trick::CloseAfter, Trick::Garbage]
        .into_iter()
        .chain([Status::Unreachable, Status::Busy, Status::Protocol].map(Trick::RefuseAfter))
    {
        let fake = Fake::start().await;
        let object = fake.object().await;
        let (dkey, akey) = (key("lock"), key("owner"));
        let happened = !matches!(trick, Trick::CloseBefore);
        fake.trick([trick.clone()]);
        let error = object.put_if(&dkey, &akey, "me", Condition::Absent).await.unwrap_err();
        assert!(matches!(error, Error::Uncertain { .. }), "{trick:?}: {error}");
        assert!(error.to_string().contains("whether it happened is not known"), "{error}");
        assert_eq!(fake.state().requests.len(), usize::from(happened), "{trick:?}");
        assert_eq!(object.get(&dkey, &akey).await.unwrap().is_some(), happened, "{trick:?}");
    }
}

#[tokio::test]
async fn a_conditional_change_that_never_left_is_tried_again() {
    let mut fake = Fake::start().await;
    // No target was used yet, so that no connection can take the change.
    let object = fake.object().await;
    let addresses = [fake.address(0), fake.address(1)];
    fake.stop(0).await;
    fake.stop(1).await;
    let (dkey, akey) = (key("lock"), key("owner"));
    let mut change = std::pin::pin!(object.put_if(&dkey, &akey, "me", Condition::Absent));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut change).await;
    assert!(early.is_err(), "it waits for the engine: {early:?}");
    for (rank, address) in (0..).zip(addresses) {
        fake.begin(rank, crate::engine::listen(Some(address)).await);
    }
    change.await.unwrap();
    assert_eq!(fake.state().requests, [1]);
}

#[tokio::test]
async fn no_answer_in_time_is_repeated_or_uncertain() {
    let fake = Fake::start().await;
    let settings = Settings { call_timeout: Duration::from_millis(300), ..fake.settings() };
    let object = fake.container(settings).await.object(OBJECT);
    fake.trick([Trick::Silence]);
    object.put(&key("d"), &key("a"), "x").await.unwrap();
    assert_eq!(fake.state().requests.len(), 2);
    fake.trick([Trick::Silence]);
    let error = object.put_if(&key("d"), &key("b"), "x", Condition::Absent).await.unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error}");
    assert_eq!(error.status(), Status::TimedOut);
}

#[tokio::test]
async fn a_refusal_by_the_target_is_returned_at_once_with_its_meaning() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    fake.trick([Trick::Instead(vec![Err(Status::NoSpace)])]);
    let error = object.put(&key("d"), &key("a"), "x").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "write dkey `d` akey `a` of object 7.1: DER_NOSPACE(-1007): no space on storage target"
    );
    assert!(error.hint().unwrap().contains("daos pool query"));
    assert_eq!((error.status(), fake.state().requests.len()), (Status::NoSpace, 1));
}

#[tokio::test]
async fn damaged_data_are_found_at_their_place() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    object.put(&key("d"), &key("a"), vec![1; 100_000]).await.unwrap();
    fake.trick([Trick::FlipBit]);
    let error = object.get(&key("d"), &key("a")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "read dkey `d` akey `a` of object 7.1: the data received does not match its checksum at byte 98304"
    );
    assert_eq!(error.status(), Status::Checksum);
    object.put_array(&key("d"), &key("array"), 1000, vec![1; 40_000]).await.unwrap();
    fake.trick([Trick::FlipBit]);
    let error = object.get_array_filled(&key("d"), &key("array"), 0, 50_000).await.unwrap_err();
    assert!(matches!(error, Error::Checksum { offset: 33_768, .. }), "{error}");
    let address = types::Address { object: OBJECT, dkey: key("d"), akey: key("a") };
    let read = types::Operation::Fetch { address, selection: types::Selection::Single, epoch: Epoch::MAX };
    fake.trick([Trick::FlipBit]);
    assert_eq!(object.batch(vec![read.clone(), read]).await.unwrap_err().status(), Status::Checksum);
}

#[tokio::test]
async fn what_is_no_answer_is_a_broken_protocol() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    object.put(&key("d"), &key("a"), "x").await.unwrap();
    fake.trick([Trick::Garbage]);
    let error = object.get(&key("d"), &key("a")).await.unwrap_err();
    assert!(error.to_string().contains("sent a bad frame: the magic number is 0x5a5a5a5a"), "{error}");
    let piece = |offset, data: &'static str| Segment {
        offset,
        checksums: checksums(ChecksumKind::Crc32c, data.as_bytes()),
        data: Bytes::from(data),
    };
    let outcomes = [
        Outcome::Size(1),
        Outcome::Changed(Epoch(1)),
        Outcome::Listed { names: Vec::new(), more: false },
        // An empty reply was once read as an empty value.
        Outcome::Fetched(Vec::new()),
        Outcome::Fetched(vec![piece(0, "x"), piece(1, "y")]),
    ];
    let tricks = outcomes.into_iter().map(|outcome| Trick::Instead(vec![Ok(outcome)]));
    for trick in [Trick::OneLess].into_iter().chain(tricks) {
        fake.trick([trick.clone()]);
        let error = object.get(&key("d"), &key("a")).await.unwrap_err();
        assert_eq!(error.status(), Status::Protocol, "{trick:?}: {error}");
    }
    for pieces in
        [vec![piece(9, "x")], vec![piece(19, "xy")], vec![piece(12, "xy"), piece(13, "z")], vec![piece(u64::MAX, "x")]]
    {
        fake.trick([Trick::Instead(vec![Ok(Outcome::Fetched(pieces))])]);
        let error = object.get_array_filled(&key("d"), &key("a"), 10, 10).await.unwrap_err();
        assert_eq!(error.status(), Status::Protocol, "{error}");
    }
    assert_eq!(object.get(&key("d"), &key("a")).await.unwrap().unwrap(), "x", "the next call works");
}

#[tokio::test]
async fn a_dropped_call_leaves_the_connection_in_order() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    object.put(&key("d"), &key("a"), "x").await.unwrap();
    fake.trick([Trick::Silence]);
    let given_up = tokio::time::timeout(Duration::from_millis(50), object.get(&key("d"), &key("a"))).await;
    assert!(given_up.is_err());
    assert_eq!(object.get(&key("d"), &key("a")).await.unwrap().unwrap(), "x");
    assert_eq!(fake.state().connections, 2, "the same connection as before");
}
