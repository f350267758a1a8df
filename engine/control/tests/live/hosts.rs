//! Two servers of one system, as on two hosts: the second joins through gRPC and serves no management.

use types::Status;
use wire::proto::mgmt::{LeaderQueryReq, SystemQueryReq, SystemStartReq, SystemStopReq};

use crate::cluster::{Cluster, SYSTEM, refused};

async fn two() -> (Cluster, Cluster) {
    let mut first = Cluster::new();
    first.up().await;
    let mut second = Cluster::new();
    second.leader = Some(first.port);
    second.start().await.expect("starts");
    let results = second.format(false).await;
    assert!(results.iter().all(|result| result.ok), "{results:?}");
    first.until(|member| member.rank == 1 && member.state == "joined").await;
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_host_s_engine_is_a_member_that_can_be_stopped_and_started() {
    let (mut first, mut second) = two().await;
    let query = SystemQueryReq { sys: SYSTEM.to_owned(), ranks: String::new() };
    let failure = refused(second.mgmt().await.system_query(query).await);
    assert_eq!(failure.status, Status::NotLeader);
    assert!(failure.message.contains(&format!("127.0.0.1:{}", first.port)), "{failure}");

    let leader = LeaderQueryReq { sys: SYSTEM.to_owned() };
    let leader = second.mgmt().await.leader_query(leader).await.expect("every server knows").into_inner();
    assert_eq!(leader.current_leader, format!("127.0.0.1:{}", first.port));

    let stop = SystemStopReq { sys: SYSTEM.to_owned(), ranks: "1".to_owned(), force: false };
    let answer = first.mgmt().await.system_stop(stop).await.expect("stops").into_inner();
    assert_eq!((answer.results[0].state.as_str(), answer.results[0].errored), ("stopped", false), "{answer:?}");
    assert_eq!(second.engine_pid(), None);
    let start = SystemStartReq { sys: SYSTEM.to_owned(), ranks: String::new() };
    first.mgmt().await.system_start(start).await.expect("starts");
    first.until(|member| member.rank == 1 && member.state == "joined").await;
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_gone_is_noticed_and_its_pools_ranks_are_refused() {
    let (mut first, mut second) = two().await;
    let both = first.mgmt().await.pool_create(first.pool("both")).await.expect("creates").into_inner();
    assert_eq!((both.tgt_ranks.as_slice(), both.svc_ldr), (&[0, 1][..], 0));
    assert_eq!(both.mem_file_bytes, both.tier_bytes[0], "on each rank");
    let mut remote_only = first.pool("far");
    remote_only.ranks = vec![1];
    let failure = refused(first.mgmt().await.pool_create(remote_only.clone()).await);
    assert!(failure.message.contains("management host"), "{failure}");

    second.kill_server().await;
    first.until(|member| member.rank == 1 && member.state == "unresponsive").await;
    let failure = refused(first.mgmt().await.pool_create(remote_only).await);
    assert!(failure.message.contains("not joined: 1"), "{failure}");
    second.start().await.expect("comes back");
    first.until(|member| member.rank == 1 && member.state == "joined").await;
    second.stop().await;
    first.until(|member| member.rank == 1 && member.state != "joined").await;
    first.stop().await;
}
