//! Snapshots: taken once and destroyed once whatever is lost on the way, and read as of their epoch.

use types::{Depth, End, Epoch, Level, Selection, Status};

use crate::engine::Trick;
use crate::fake::{Fake, OBJECT, key};

#[tokio::test]
async fn what_changed_after_a_snapshot_is_still_read_as_of_it() {
    let fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    let object = container.object(OBJECT);
    let (dkey, akey) = (key("file"), key("data"));
    object.put_array(&dkey, &akey, 0, vec![1; 100]).await.unwrap();
    let before = container.create_snapshot("before").await.unwrap();
    object.put_array(&dkey, &akey, 100, vec![2; 50]).await.unwrap();
    object.put(&key("later"), &akey, "x").await.unwrap();
    assert_eq!(object.array_size(&dkey, &akey).await.unwrap(), 150);
    assert_eq!(object.array_size_at(&dkey, &akey, before.epoch).await.unwrap(), 100);
    let whole = Selection::Array { offset: 0, length: 1000 };
    let segments = object.fetch(&dkey, &akey, whole, before.epoch).await.unwrap();
    assert_eq!(segments.iter().map(|segment| segment.data.len()).sum::<usize>(), 100);
    let names = container.names(Level::Dkeys(OBJECT), Vec::new(), 10, before.epoch).await.unwrap();
    assert_eq!(names.names, ["file"]);
    assert_eq!(container.names(Level::Dkeys(OBJECT), Vec::new(), 10, Epoch::MAX).await.unwrap().names.len(), 2);
    let extents = object.list_extents_at(&dkey, &akey, 0, 10, before.epoch).await.unwrap();
    assert_eq!(extents.stretches.iter().map(|stretch| stretch.length).sum::<u64>(), 100);
    let found = object.query_key_at(None, None, Depth::Dkey, End::Last, before.epoch).await.unwrap();
    assert_eq!(found.unwrap().dkey.unwrap(), "file");
}

#[tokio::test]
async fn snapshots_are_listed_and_destroyed_by_epoch() {
    let fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    let first = container.create_snapshot("first").await.unwrap();
    let second = container.create_snapshot("").await.unwrap();
    let third = container.create_snapshot("third").await.unwrap();
    assert_eq!(container.snapshots().await.unwrap(), [first.clone(), second.clone(), third.clone()]);
    container.destroy_snapshot(second.epoch).await.unwrap();
    assert_eq!(container.snapshots().await.unwrap(), [first.clone(), third.clone()]);
    let unknown = container.destroy_snapshot(second.epoch).await.unwrap_err();
    assert_eq!((unknown.status(), unknown.hint().as_deref()), (Status::Nonexistent, Some("list them")));
    assert!(unknown.to_string().starts_with("destroy a snapshot of container `things`"), "{unknown}");
    container.destroy_snapshots(&[first.epoch, second.epoch, third.epoch]).await.unwrap();
    assert_eq!(container.snapshots().await.unwrap(), []);
}

#[tokio::test]
async fn calls_whose_answers_were_lost_take_and_destroy_one_snapshot() {
    let fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    fake.state().service_tricks.extend([Some(Trick::CloseBefore), Some(Trick::CloseAfter)]);
    let taken = container.create_snapshot("").await.unwrap();
    assert_eq!(
        container.snapshots().await.unwrap(),
        std::slice::from_ref(&taken),
        "the repeat was recognised by its request"
    );
    // The first call lists, the second destroys.
    fake.state().service_tricks.extend([None, Some(Trick::CloseAfter)]);
    container.destroy_snapshot(taken.epoch).await.unwrap();
    assert_eq!(container.snapshots().await.unwrap(), []);
}
