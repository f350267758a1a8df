//! Lists of what lies on several targets, page by page.

use bytes::Bytes;
use daos_client::{Names, Object};
use types::{Epoch, Level, ObjectId, Outcome};

use crate::engine::Trick;
use crate::fake::{Fake, OBJECT, key};

async fn all_dkeys(object: &Object, limit: u32) -> Vec<Bytes> {
    let (mut found, mut after) = (Vec::new(), Vec::new());
    loop {
        let Names { names, more } = object.list_dkeys(&after, limit).await.unwrap();
        assert!(names.len() <= limit as usize);
        assert!(!more || !names.is_empty(), "a page that goes on has an anchor");
        after = names.last().map(|last| last.to_vec()).unwrap_or_default();
        found.extend(names);
        if !more {
            return found;
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_give_every_dkey_once_and_in_order() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let mut expected: Vec<Bytes> = (0..57).map(|n| Bytes::from(format!("dkey {n}"))).collect();
    for name in &expected {
        object.put(&types::Key::new(name).unwrap(), &key("a"), "x").await.unwrap();
    }
    expected.sort();
    for limit in [1, 2, 7, 56, 57, 58, 1024] {
        assert_eq!(all_dkeys(&object, limit).await, expected, "{limit} at a time");
    }
    let last = object.list_dkeys(&expected[55], 1).await.unwrap();
    assert_eq!(last, Names { names: vec![expected[56].clone()], more: false });
}

#[tokio::test]
async fn akeys_and_objects_are_listed_as_of_now_and_before() {
    let fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    let ids: Vec<ObjectId> = (0..9).map(|n| ObjectId { hi: n % 3, lo: n }).collect();
    let mut before = Epoch::ZERO;
    for id in &ids {
        for dkey in ["d", "e", "f"] {
            before = container.object(*id).put(&key(dkey), &key("a"), "x").await.unwrap();
        }
    }
    let mut sorted = ids.clone();
    sorted.sort();
    let (first, more) = container.list_objects(None, 4).await.unwrap();
    assert_eq!((&first[..], more), (&sorted[..4], true));
    let (rest, more) = container.list_objects(first.last().copied(), 100).await.unwrap();
    assert_eq!((&rest[..], more), (&sorted[4..], false));

    let object = container.object(ids[0]);
    for akey in ["c", "b"] {
        object.put(&key("d"), &key(akey), "x").await.unwrap();
    }
    let names = object.list_akeys(&key("d"), b"a", 1).await.unwrap();
    assert_eq!(names, Names { names: vec!["b".into()], more: true });
    let level = || Level::Akeys(ids[0], key("d"));
    let names = container.names(level(), Vec::new(), 10, before).await.unwrap();
    assert_eq!(names, Names { names: vec!["a".into()], more: false });
    object.punch().await.unwrap();
    assert_eq!(container.names(level(), Vec::new(), 10, Epoch::MAX).await.unwrap().names.len(), 0);
    assert_eq!(container.list_objects(None, 100).await.unwrap().0.len(), 8);
}

/// A page that goes on without a name gives no anchor: a reader that follows `more` would ask for it forever.
#[tokio::test]
async fn pages_that_are_no_part_of_the_list_are_refused() {
    let fake = Fake::start().await;
    let object = fake.object().await;
    let pages: [(&[&'static str], bool); 4] =
        [(&[], true), (&["b", "a"], false), (&["A"], false), (&["b", "c", "d"], false)];
    for (names, more) in pages {
        let names = names.iter().map(|name| Bytes::from(*name)).collect();
        fake.trick([Trick::Instead(vec![Ok(Outcome::Listed { names, more })])]);
        let error = object.list_akeys(&key("d"), b"a", 2).await.unwrap_err();
        assert!(error.to_string().contains(&format!("list akeys of dkey `d` of object {OBJECT}")), "{error}");
        assert_eq!(error.status(), types::Status::Protocol);
    }
}
