//! Engines that go away, come back elsewhere, or are not who they were; and the agent that says where they are.

use std::time::Duration;

use daos_client::{Error, Settings, System};
use types::Status;

use crate::engine::listen;
use crate::fake::{Fake, OBJECT, key};

#[tokio::test]
async fn an_engine_that_comes_back_elsewhere_is_found_again() {
    let mut fake = Fake::start().await;
    let object = fake.object().await;
    for n in 0..8 {
        object.put(&key(&format!("dkey {n}")), &key("a"), "x").await.unwrap();
    }
    let old = fake.address(1);
    fake.stop(1).await;
    let listener = listen(None).await;
    assert_ne!(listener.local_addr().unwrap(), old);
    fake.begin(1, listener);
    for n in 0..8 {
        assert_eq!(object.get(&key(&format!("dkey {n}")), &key("a")).await.unwrap().unwrap(), "x");
    }
}

/// A service knows of a client's handles only while it is connected; a client that only reads and writes must not count as
/// none after an engine was away.
#[tokio::test]
async fn what_is_open_is_opened_again_after_the_service_was_away() {
    let mut fake = Fake::start().await;
    let object = fake.object().await;
    let before = fake.state().opens;
    fake.stop(0).await;
    fake.begin(0, listen(None).await);
    for n in 0..8 {
        object.put(&key(&format!("dkey {n}")), &key("a"), "x").await.unwrap();
    }
    assert_eq!(fake.state().opens, before + 2, "the pool and the container, once");
}

/// Engines started again may take each other's ports while a client still has the addresses of before: its values went
/// to the wrong rank, where no reader looks for them.
#[tokio::test]
async fn a_value_does_not_land_on_a_rank_that_took_the_address() {
    let mut fake = Fake::start().await;
    let container = fake.container(fake.settings()).await;
    let object = container.object(OBJECT);
    let addresses = [fake.address(0), fake.address(1)];
    fake.stop(0).await;
    fake.stop(1).await;
    fake.begin(0, listen(Some(addresses[1])).await);
    fake.begin(1, listen(Some(addresses[0])).await);
    let fresh = System::connect(fake.settings()).await.unwrap().open_pool("tank").await.unwrap();
    let fresh = fresh.open_container("things").await.unwrap().object(OBJECT);
    for n in 0..8 {
        let dkey = key(&format!("dkey {n}"));
        object.put(&dkey, &key("a"), "x").await.unwrap();
        assert_eq!(fresh.get(&dkey, &key("a")).await.unwrap().unwrap(), "x", "written where readers look");
    }
}

#[tokio::test]
async fn an_engine_that_stays_away_is_given_up_after_the_time_set() {
    let mut fake = Fake::start().await;
    let settings = Settings { retry_for: Duration::from_millis(200), ..fake.settings() };
    let object = fake.container(settings).await.object(OBJECT);
    object.put(&key("d"), &key("a"), "x").await.unwrap();
    fake.stop(0).await;
    fake.stop(1).await;
    let started = std::time::Instant::now();
    let error = object.get(&key("d"), &key("a")).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20), "no call timeout was waited for");
    assert!(matches!(error, Error::Connection { .. }), "{error}");
    assert!(error.to_string().starts_with("read dkey `d` akey `a` of object 7.1: "), "{error}");
    assert_eq!(error.status(), Status::Unreachable);
    assert!(error.hint().unwrap().contains("dmg system query"));
}

#[tokio::test]
async fn without_an_agent_the_error_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { agent_dir: folder.path().to_owned(), ..Settings::default() };
    let Err(error) = System::connect(settings).await else { panic!("nobody listens") };
    assert!(matches!(error, Error::Agent { away: true, .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("start daos_agent") && hint.contains("DAOS_AGENT_DRPC_DIR"), "{hint}");
    assert_eq!(error.status(), Status::Unreachable);
}

#[tokio::test]
async fn an_agent_that_went_away_does_not_stop_what_is_open() {
    let mut fake = Fake::start().await;
    let object = fake.object().await;
    fake.stop_agent().await;
    object.put(&key("d"), &key("a"), "x").await.unwrap();
    fake.trick([crate::engine::Trick::CloseAfter]);
    assert_eq!(object.get(&key("d"), &key("a")).await.unwrap().unwrap(), "x");
}

#[tokio::test]
async fn a_system_name_that_cannot_be_is_refused() {
    let fake = Fake::start().await;
    for name in ["", "sixteen_bytes_xx"] {
        let settings = Settings { system: name.to_owned(), ..fake.settings() };
        let Err(error) = System::connect(settings).await else { panic!("`{name}` was taken") };
        assert!(error.to_string().contains("1 to 15 bytes"), "{error}");
    }
}

#[tokio::test]
async fn patience_has_no_upper_limit() {
    let fake = Fake::start().await;
    let object = fake.container(Settings { retry_for: Duration::MAX, ..fake.settings() }).await.object(OBJECT);
    fake.trick([crate::engine::Trick::CloseBefore]);
    object.put(&key("d"), &key("a"), "x").await.unwrap();
}
