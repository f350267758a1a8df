//! Engines that die, that cannot start, that outlive their server.

use wire::proto::mgmt::{SystemStartReq, SystemStopReq};

use crate::cluster::{Cluster, SYSTEM};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_comes_back_with_its_rank() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    let before = cluster.until_state("joined").await;
    cluster.kill_engine();
    let after = cluster.until(|member| member.state == "joined" && member.incarnation > before.incarnation).await;
    assert_eq!((after.rank, after.uuid), (before.rank, before.uuid));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_automatic_restart_the_reason_is_kept() {
    let mut cluster = Cluster::with("disable_engine_auto_restart: true\n", "");
    cluster.up().await;
    cluster.kill_engine();
    let member = cluster.until_state("errored").await;
    assert!(member.info.contains("signal 9"), "{}", member.info);
    let start = SystemStartReq { sys: SYSTEM.to_owned(), ranks: "0".to_owned() };
    let results = cluster.mgmt().await.system_start(start).await.expect("starts").into_inner().results;
    assert!(!results[0].errored, "{results:?}");
    cluster.until_state("joined").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_start_says_its_last_words() {
    let mut cluster = Cluster::with("disable_engine_auto_restart: true\n", "");
    cluster.up().await;
    cluster.stop().await;
    cluster.engine_lines = "  env_vars: [FAKE_EXIT=3]\n".to_owned();
    cluster.start().await.expect("the server stays up");
    let member = cluster.until_state("errored").await;
    assert!(member.info.contains("exit code 3: the fake engine was told to fail"), "{}", member.info);
    let start = SystemStartReq { sys: SYSTEM.to_owned(), ranks: String::new() };
    let results = cluster.mgmt().await.system_start(start).await.expect("answers").into_inner().results;
    assert!(results[0].errored && results[0].msg.contains("told to fail"), "{results:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_cannot_mend_is_not_restarted() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    cluster.stop().await;
    cluster.engine_lines = "  env_vars: [FAKE_EXIT=1, \"FAKE_WORDS=this data cannot be trusted\"]\n".to_owned();
    cluster.start().await.expect("the server stays up");
    let member = cluster.until_state("errored").await;
    assert!(member.info.contains("cannot be trusted") && member.info.contains("not started again"), "{}", member.info);
    cluster.stop().await;
}

/// It said "formatted" once, and `dmg system query` knew of no rank, while the engine died again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_format_tells_when_its_engine_does_not_start() {
    let mut cluster = Cluster::with("", "  env_vars: [FAKE_EXIT=1]\n");
    cluster.start().await.expect("starts");
    let results = cluster.format(false).await;
    let [.., last] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!((last.kind.as_str(), last.ok), ("engine", false));
    assert!(last.error.contains("told to fail") && last.resolution.contains("dmg system start"), "{last:?}");
    let member = cluster.until_state("errored").await;
    assert_eq!(member.rank, u32::MAX);
    assert!(member.info.contains("engine 0 did not start") && member.info.contains("told to fail"), "{member:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_and_start_by_rank() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    let stop = |ranks: &str, force| SystemStopReq { sys: SYSTEM.to_owned(), ranks: ranks.to_owned(), force };
    let answer = cluster.mgmt().await.system_stop(stop("0-2", false)).await.expect("stops").into_inner();
    assert_eq!(answer.absent_ranks, "1,2");
    assert_eq!((answer.results[0].state.as_str(), answer.results[0].errored), ("stopped", false));
    assert_eq!(cluster.engine_pid(), None);
    assert!(cluster.mgmt().await.system_stop(stop("x", false)).await.is_err());
    let start = SystemStartReq { sys: SYSTEM.to_owned(), ranks: String::new() };
    let answer = cluster.mgmt().await.system_start(start).await.expect("starts").into_inner();
    assert_eq!(answer.results[0].state, "joined", "a start is over when the engine serves");
    let answer = cluster.mgmt().await.system_stop(stop("", true)).await.expect("stops").into_inner();
    assert_eq!(answer.results[0].state, "stopped");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_outlives_its_server_is_adopted() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    cluster.mgmt().await.pool_create(cluster.pool("tank")).await.expect("creates");
    let (pid, before) = (cluster.engine_pid(), cluster.until_state("joined").await);
    cluster.server.take().expect("runs").abandon().await;
    cluster.start().await.expect("starts again");
    let after = cluster.until_state("joined").await;
    assert_eq!((cluster.engine_pid(), after.incarnation), (pid, before.incarnation), "the same process");

    // Supervision goes on: it is stopped, and started again when it dies.
    cluster.kill_engine();
    let restarted = cluster.until(|member| member.state == "joined" && member.incarnation > before.incarnation).await;
    assert_ne!(cluster.engine_pid(), pid);
    assert_eq!(restarted.rank, 0);
    cluster.stop().await;
    assert_eq!(cluster.engine_pid(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rank_and_the_pools_survive_a_restart_of_everything() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    cluster.mgmt().await.pool_create(cluster.pool("tank")).await.expect("creates");
    let before = cluster.until_state("joined").await;
    cluster.stop().await;
    cluster.start().await.expect("starts again");
    let after = cluster.until_state("joined").await;
    assert_eq!((after.rank, after.uuid), (before.rank, before.uuid));
    let request = wire::proto::mgmt::PoolQueryReq { sys: SYSTEM.to_owned(), id: "tank".to_owned() };
    let pool = cluster.mgmt().await.pool_query(request).await.expect("answers").into_inner();
    assert_eq!((pool.state.as_str(), pool.tier_stats[0].total), ("Ready", 64 << 20));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_does_not_answer_is_called_unresponsive() {
    let mut cluster = Cluster::with("", "  env_vars: [FAKE_MUTE=1]\n");
    cluster.up().await;
    let member = cluster.until_state("unresponsive").await;
    assert!(member.info.contains("pings"), "{}", member.info);
    cluster.stop().await;
}
