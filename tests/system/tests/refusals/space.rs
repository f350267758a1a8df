//! A pool that is full.

use std::time::{Duration, Instant};

use client::ContainerOptions;
use system_suite::{pattern, runtime};
use types::{Key, ObjectId, Status};

use crate::{cluster_with_pool, still_works};

#[test]
fn a_full_pool_refuses_cleanly_and_takes_writes_again_after_removals() {
    let cluster = cluster_with_pool();
    runtime().block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let container = pool.create_container(ContainerOptions::labelled("fill")).await.unwrap();
        let object = container.object(ObjectId { hi: 0, lo: 1 });
        let akey = Key::try_from("v").unwrap();
        let key = |n: u64| Key::try_from(format!("key{n}").as_str()).unwrap();
        let value = |n: u64| pattern(n, 16 << 20);
        let mut stored = 0;
        let error = loop {
            match object.put(&key(stored), &akey, value(stored)).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 1000, "a pool of a few GiB takes no 1,000 values of 16 MiB");
        };
        assert_eq!(error.status(), Status::NoSpace, "{error}");
        assert!(error.hint().is_some());
        assert_eq!(object.get(&key(stored), &akey).await.unwrap(), None, "the refused value is not there");
        for n in [0, stored / 2, stored - 1] {
            assert!(object.get(&key(n), &akey).await.unwrap().as_deref() == Some(&value(n)[..]), "value {n}");
        }
        for n in 0..stored {
            object.punch_dkey(&key(n)).await.unwrap();
        }
        // What was removed is given back in the background.
        let until = Instant::now() + Duration::from_secs(120);
        while let Err(error) = object.put(&key(0), &akey, value(7)).await {
            assert_eq!(error.status(), Status::NoSpace, "{error}");
            assert!(Instant::now() < until, "removed space does not come back");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(object.get(&key(0), &akey).await.unwrap().as_deref() == Some(&value(7)[..]));
    });
    still_works(&cluster);
}
