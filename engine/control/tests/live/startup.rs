//! Starts that fail say why, and leave nothing in the way of the next one.

use tokio::io::AsyncWriteExt;
use types::FaultName;

use crate::cluster::{Cluster, SYSTEM, refused};
use wire::proto::mgmt::{GetAttachInfoReq, LeaderQueryReq};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_refused_by_directory_and_by_port() {
    let mut cluster = Cluster::new();
    cluster.start().await.expect("starts");
    let fault = cluster.start().await.expect_err("same directories");
    assert_eq!(fault.name, FaultName::SocketFileInUse);
    assert!(fault.description.contains("socket_dir"), "{}", fault.description);

    let mut other = Cluster::new();
    other.port = cluster.port;
    let fault = other.start().await.expect_err("same port");
    assert_eq!(fault.name, FaultName::ServerConfigBadControlPort);
    assert!(fault.description.contains(&cluster.port.to_string()), "{}", fault.description);
    assert!(fault.resolution.contains("ss -ltnp"), "{}", fault.resolution);
    cluster.stop().await;
    other.start().await.expect("the port is free again");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_settings_are_saved_and_read_back_the_same() {
    let mut cluster = Cluster::new();
    cluster.start().await.expect("starts");
    let text = std::fs::read_to_string(cluster.path("run/.daos_server.active.yml")).expect("saved");
    assert_eq!(config::server(&text).expect("valid").config, cluster.config());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_strangers_do_not_hurt() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff"]
    {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", cluster.port)).await.expect("connects");
        let _ = stream.write_all(garbage).await;
    }
    let wrong = GetAttachInfoReq { sys: "other".to_owned(), all_ranks: false };
    let failure = refused(cluster.mgmt().await.get_attach_info(wrong).await);
    assert_eq!(failure.fault, Some(FaultName::ServerWrongSystem));
    assert!(!failure.resolution.is_empty());

    let leader = LeaderQueryReq { sys: SYSTEM.to_owned() };
    let leader = cluster.mgmt().await.leader_query(leader).await.expect("answers").into_inner();
    assert_eq!(leader.current_leader, format!("127.0.0.1:{}", cluster.port));

    let attach = GetAttachInfoReq { sys: SYSTEM.to_owned(), all_ranks: true };
    let attach = cluster.mgmt().await.get_attach_info(attach).await.expect("answers").into_inner();
    assert_eq!(attach.ms_ranks, [0]);
    assert!(attach.rank_uris[0].uri.starts_with("ofi+tcp://127.0.0.1:"), "{attach:?}");
    assert_eq!(attach.client_net_hint.expect("hint").interface, "lo");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served() {
    let port = crate::cluster::free_port();
    let mut cluster = Cluster::with(&format!("telemetry_port: {port}\n"), "");
    cluster.up().await;
    cluster.mgmt().await.pool_create(cluster.pool("tank")).await.expect("creates");
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("sends");
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await.expect("reads");
    for line in [
        "engine_io_ops_update_total{rank=\"0\",target=\"1\"} 11",
        "engine_arena_over_limit_pages{rank=\"0\",target=\"1\"} 21",
        "daos_server_members{state=\"joined\"} 1",
        "daos_server_engine_restarts_total{instance=\"0\"} 0",
        "daos_server_build_info{version=",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("label=\"tank\",tier=\"scm\"} 67108864"), "{text}");
    cluster.stop().await;
}
