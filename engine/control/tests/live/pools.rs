//! Pools through gRPC, from request to the engine's answer.

use types::{FaultName, Status};
use wire::proto::mgmt::{
    ListPoolsReq, PoolCreateReq, PoolDestroyReq, PoolEntry, PoolGetPropReq, PoolQueryReq, PoolSetPropReq,
};

use crate::cluster::{Cluster, SYSTEM, property, refused};

async fn list(cluster: &Cluster) -> Vec<PoolEntry> {
    let request = ListPoolsReq { sys: SYSTEM.to_owned() };
    cluster.mgmt().await.list_pools(request).await.expect("lists").into_inner().pools
}

fn destroy(id: &str, recursive: bool) -> PoolDestroyReq {
    PoolDestroyReq { sys: SYSTEM.to_owned(), id: id.to_owned(), force: false, recursive }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_pool_is_the_engine_s_share_of_its_metadata() {
    let mut cluster = Cluster::new();
    cluster.memory_keys = ", scm_mem_ratio: 25".to_owned();
    cluster.up().await;
    let mut mgmt = cluster.mgmt().await;
    let created = mgmt.pool_create(cluster.pool("tank")).await.expect("creates").into_inner();
    assert_eq!((created.tier_bytes[0], created.mem_file_bytes), (64 << 20, 16 << 20));
    let request = PoolQueryReq { sys: SYSTEM.to_owned(), id: "tank".to_owned() };
    let answer = mgmt.pool_query(request).await.expect("answers").into_inner();
    assert_eq!((answer.tier_stats[0].total, answer.mem_file_bytes), (64 << 20, 16 << 20));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_query_change_destroy() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    let mut mgmt = cluster.mgmt().await;
    let request = PoolCreateReq {
        scm_bytes: 0,
        nvme_bytes: 0,
        total_bytes: 5 << 29,
        properties: vec![property("reclaim", "time")],
        ..cluster.pool("tank")
    };
    let created = mgmt.pool_create(request.clone()).await.expect("creates").into_inner();
    assert_eq!((created.svc_ldr, created.tgt_ranks.as_slice(), created.md_on_ssd_active), (0, &[0][..], true));
    assert_eq!(created.tier_bytes.len(), 2);
    assert!(created.tier_bytes.iter().sum::<u64>() <= 5 << 29);
    assert_eq!(mgmt.pool_create(request).await.expect("a retry is recognised").into_inner(), created);
    assert_eq!(list(&cluster).await.len(), 1);

    for id in ["tank", &created.uuid] {
        let request = PoolQueryReq { sys: SYSTEM.to_owned(), id: id.to_owned() };
        let answer = mgmt.pool_query(request).await.expect("answers").into_inner();
        assert_eq!(
            (answer.label.as_str(), answer.state.as_str(), answer.enabled_ranks.as_slice()),
            ("tank", "Ready", &[0][..])
        );
        assert_eq!(answer.tier_stats[0].total, created.tier_bytes[0]);
    }
    let get = |names: &[&str]| PoolGetPropReq {
        sys: SYSTEM.to_owned(),
        id: "tank".to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let all = mgmt.pool_get_prop(get(&[])).await.expect("answers").into_inner().properties;
    assert_eq!(all[0], property("label", "tank"));
    assert!(all.contains(&property("owner", "root@")) && all.contains(&property("reclaim", "time")), "{all:?}");
    let one = mgmt.pool_get_prop(get(&["scrub"])).await.expect("answers").into_inner().properties;
    assert_eq!(one, [property("scrub", "off")]);
    assert_eq!(refused(mgmt.pool_get_prop(get(&["colour"])).await).status, Status::Invalid);

    let set = |properties| PoolSetPropReq { sys: SYSTEM.to_owned(), id: "tank".to_owned(), properties };
    mgmt.pool_set_prop(set(vec![property("label", "lake"), property("space_rb", "7%")])).await.expect("sets");
    assert_eq!(list(&cluster).await[0].label, "lake");
    assert_eq!(refused(mgmt.pool_set_prop(set(vec![property("scrub", "off")])).await).status, Status::Nonexistent);
    mgmt.pool_destroy(destroy("lake", false)).await.expect("destroys");
    assert_eq!(list(&cluster).await, []);
    assert_eq!(refused(mgmt.pool_destroy(destroy("lake", false)).await).status, Status::Nonexistent);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_and_by_which_name() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    let mut mgmt = cluster.mgmt().await;
    mgmt.pool_create(cluster.pool("tank")).await.expect("creates");
    let cases: Vec<(PoolCreateReq, Status, Option<FaultName>)> = vec![
        (cluster.pool(""), Status::Invalid, Some(FaultName::ServerPoolNoLabel)),
        (cluster.pool("a b"), Status::Invalid, None),
        (cluster.pool("tank"), Status::Exists, Some(FaultName::ServerPoolDuplicateLabel)),
        (
            PoolCreateReq { scm_bytes: 1 << 20, ..cluster.pool("p") },
            Status::Invalid,
            Some(FaultName::ServerPoolScmTooSmall),
        ),
        (
            PoolCreateReq { nvme_bytes: 1 << 30, ..cluster.pool("p") },
            Status::Invalid,
            Some(FaultName::ServerPoolNvmeTooSmall),
        ),
        (PoolCreateReq { nvme_bytes: 60 << 30, ..cluster.pool("p") }, Status::NoSpace, None),
        (PoolCreateReq { percent: 50, ..cluster.pool("p") }, Status::Invalid, None),
        (
            PoolCreateReq { ranks: vec![0, 3], ..cluster.pool("p") },
            Status::Invalid,
            Some(FaultName::ServerPoolInvalidRanks),
        ),
        (
            PoolCreateReq { num_ranks: 2, ..cluster.pool("p") },
            Status::Invalid,
            Some(FaultName::ServerPoolInvalidNumRanks),
        ),
        (
            PoolCreateReq { num_svc_reps: 2, ..cluster.pool("p") },
            Status::Invalid,
            Some(FaultName::ServerPoolInvalidServiceReps),
        ),
        (PoolCreateReq { properties: vec![property("colour", "red")], ..cluster.pool("p") }, Status::Invalid, None),
        (PoolCreateReq { properties: vec![property("rd_fac", "1")], ..cluster.pool("p") }, Status::Invalid, None),
        (
            PoolCreateReq { sys: "other".to_owned(), ..cluster.pool("p") },
            Status::Invalid,
            Some(FaultName::ServerWrongSystem),
        ),
        (PoolCreateReq { uuid: "x".to_owned(), ..cluster.pool("p") }, Status::Invalid, None),
    ];
    for (request, status, fault) in cases {
        let failure = refused(mgmt.pool_create(request.clone()).await);
        assert_eq!((failure.status, failure.fault), (status, fault), "{request:?}: {failure}");
    }
    assert_eq!(list(&cluster).await.len(), 1, "a refusal leaves nothing");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_with_containers_goes_only_as_a_whole() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    let mut mgmt = cluster.mgmt().await;
    mgmt.pool_create(cluster.pool("full")).await.expect("creates");
    let failure = refused(mgmt.pool_destroy(destroy("full", false)).await);
    assert_eq!(failure.fault, Some(FaultName::ServerPoolHasContainers));
    assert_eq!(list(&cluster).await[0].state, "Ready");
    mgmt.pool_destroy(destroy("full", true)).await.expect("destroys");
    assert_eq!(list(&cluster).await, []);
    cluster.stop().await;
}

/// The engine takes the request and dies: nobody knows whether the pool exists. It is gone when the engine is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_was_cut_off_is_cleaned_up() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    let (mut mgmt, request) = (cluster.mgmt().await, cluster.pool("lost"));
    let creating = tokio::spawn(async move { mgmt.pool_create(request).await });
    while list(&cluster).await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(list(&cluster).await[0].state, "Creating");
    cluster.kill_engine();
    assert!(creating.await.expect("answers").is_err());
    cluster.until_state("joined").await;
    let began = std::time::Instant::now();
    while !list(&cluster).await.is_empty() {
        assert!(began.elapsed() < crate::cluster::DEADLINE, "the pool stays");
        tokio::task::yield_now().await;
    }
    cluster.stop().await;
}
