//! Pools and their containers, through the pool service.

use daos_client::{ContainerOptions, Error, Pool, Property, System};
use types::Status;

use crate::engine::Trick;
use crate::fake::{Fake, POOL};

async fn pool(fake: &Fake) -> Pool {
    System::connect(fake.settings()).await.unwrap().open_pool("tank").await.unwrap()
}

#[tokio::test]
async fn pools_are_found_by_label_and_uuid() {
    let fake = Fake::start().await;
    let system = System::connect(fake.settings()).await.unwrap();
    assert_eq!(system.list_pools().await.unwrap()[0].label, "tank");
    for name in ["tank", POOL, &POOL.to_uppercase()] {
        let pool = system.open_pool(name).await.unwrap();
        assert_eq!((pool.label(), pool.id().to_string().as_str()), ("tank", POOL));
    }
    let Err(error) = system.open_pool("pond").await else { panic!("there is no such pool") };
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (Status::Nonexistent, "open pool `pond`: there is no pool `pond`")
    );
    assert!(error.hint().unwrap().contains("daos pool list"));
}

#[tokio::test]
async fn a_pool_opens_while_the_management_service_is_away() {
    let fake = Fake::start().await;
    let system = System::connect(fake.impatient()).await.unwrap();
    fake.state().no_pools = true;
    assert_eq!(system.open_pool("tank").await.unwrap().label(), "tank");
    let error = system.list_pools().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot list pools through daos_agent: the management service is away");
    assert_eq!(error.hint().unwrap(), "wait for it");
}

#[tokio::test]
async fn containers_from_creation_to_destruction() {
    let fake = Fake::start().await;
    let pool = pool(&fake).await;
    let properties = vec![Property { name: "cksum".to_owned(), value: "crc32".to_owned() }];
    let options = ContainerOptions {
        layout: Some("POSIX".to_owned()),
        properties: properties.clone(),
        ..ContainerOptions::labelled("things")
    };
    let made = pool.create_container(options).await.unwrap();
    let uuid = made.id().to_string();
    for name in ["things", &uuid] {
        let opened = pool.open_container(name).await.unwrap();
        assert_eq!((opened.label(), opened.id()), ("things", made.id()));
    }
    assert_eq!(pool.query_container("things").await.unwrap().container_type, "POSIX");
    assert_eq!(pool.container_properties("things").await.unwrap(), properties);
    assert_eq!(pool.list_containers().await.unwrap().len(), 1);
    assert_eq!(pool.query().await.unwrap().containers, 1);
    assert_eq!(pool.properties(&["scrub".to_owned()]).await.unwrap()[0].value, "scrub!");
    pool.destroy_container("things", false).await.unwrap();
    assert_eq!(pool.list_containers().await.unwrap(), []);
}

#[tokio::test]
async fn what_the_service_says_is_shown_with_its_advice() {
    let fake = Fake::start().await;
    let pool = pool(&fake).await;
    pool.create_container(ContainerOptions::labelled("things")).await.unwrap();
    let Err(error) = pool.create_container(ContainerOptions::labelled("things")).await else { panic!("it exists") };
    assert_eq!(error.to_string(), "create container `things` in pool `tank`: container `things` exists");
    assert_eq!((error.status(), error.hint().as_deref()), (Status::Exists, Some("choose another label")));
    for error in [
        pool.open_container("gone").await.err().unwrap(),
        pool.query_container("gone").await.unwrap_err(),
        pool.destroy_container("gone", true).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Service { .. }), "{error}");
        assert!(error.to_string().ends_with("there is no container `gone`"), "{error}");
    }
}

#[tokio::test]
async fn creation_and_destruction_whose_answers_were_lost_happen_once() {
    let fake = Fake::start().await;
    let pool = pool(&fake).await;
    fake.state().service_tricks.extend([Some(Trick::CloseBefore), Some(Trick::CloseAfter)]);
    let made = pool.create_container(ContainerOptions::labelled("things")).await.unwrap();
    let listed = pool.list_containers().await.unwrap();
    assert_eq!(listed.len(), 1, "the repeat was recognised by its UUID");
    assert_eq!(listed[0].container_uuid, made.id().to_string());
    // The first call finds the container, the second destroys it.
    let id = made.id().to_string();
    fake.state().service_tricks.extend([None, Some(Trick::CloseAfter)]);
    pool.destroy_container(&id, false).await.unwrap();
    assert_eq!(fake.state().containers, []);
}
