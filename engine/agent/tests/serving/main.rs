//! The real `daos_agent` between a client's socket and servers in this process: servers that are away and come back,
//! caching, SIGUSR2, leftovers of an agent that was killed, a second agent, and a clean end.

#![allow(clippy::disallowed_methods)] // it makes the files and folders of a host

mod host;
mod server;

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use types::{FaultName, Status};
use wire::proto::drpc::Method;
use wire::proto::mgmt::{GetAttachInfoReq, GetAttachInfoResp, ListPoolsReq, ListPoolsResp};

use host::{Agent, Host, until};
use server::Fake;

fn request() -> GetAttachInfoReq {
    GetAttachInfoReq { sys: "daos_server".to_owned(), all_ranks: true }
}

#[tokio::test]
async fn attach_info_comes_with_an_interface_and_is_asked_for_once() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let agent = Agent::start(&host).await;
    until("the agent asked by itself", || fake.asked() == 1).await;
    for _ in 0..3 {
        let answer: GetAttachInfoResp = agent.call(Method::GetAttachInfo, &request()).await.unwrap();
        assert_eq!(answer.rank_uris[0].uri, "ofi+tcp://127.0.0.1:31416");
        assert_eq!(answer.client_net_hint.unwrap().interface, "lo", "the engine is on loopback");
    }
    assert_eq!(fake.asked(), 1);
}

#[tokio::test]
async fn without_caching_every_client_asks() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "disable_caching: true\n");
    let agent = Agent::start(&host).await;
    for _ in 0..2 {
        agent.call::<GetAttachInfoResp>(Method::GetAttachInfo, &request()).await.unwrap();
    }
    assert_eq!(fake.asked(), 2);
}

#[tokio::test]
async fn sigusr2_asks_again() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let agent = Agent::start(&host).await;
    until("the agent asked by itself", || fake.asked() == 1).await;
    fake.set_uri("ofi+tcp://127.0.0.1:31999");
    agent.signal(Signal::SIGUSR2);
    until("the agent asked again", || fake.asked() == 2).await;
    let answer: GetAttachInfoResp = agent.call(Method::GetAttachInfo, &request()).await.unwrap();
    assert_eq!(answer.rank_uris[0].uri, "ofi+tcp://127.0.0.1:31999");
}

#[tokio::test]
async fn servers_that_are_away_are_explained_and_noticed_when_they_come() {
    let address = server::closed_port().await;
    let host = Host::new(&address, "");
    let agent = Agent::start(&host).await;
    let failure = agent.call::<GetAttachInfoResp>(Method::GetAttachInfo, &request()).await.unwrap_err();
    assert_eq!((failure.fault, failure.status), (Some(FaultName::ClientConnectionRefused), Status::Unreachable));
    assert!(failure.message.contains(&address) && failure.resolution.contains("daos_server"), "{failure}");
    let fake = Fake::start_on(&address).await;
    until("the agent noticed the server", || fake.asked() > 0).await;
    let answer: GetAttachInfoResp = agent.call(Method::GetAttachInfo, &request()).await.unwrap();
    assert_eq!(answer.sys, "daos_server");
}

#[tokio::test]
async fn a_system_without_ranks_is_not_remembered() {
    let fake = Fake::start().await;
    fake.set_uri("");
    let host = Host::new(&fake.address(), "");
    let agent = Agent::start(&host).await;
    let answer: GetAttachInfoResp = agent.call(Method::GetAttachInfo, &request()).await.unwrap();
    assert!(answer.rank_uris.is_empty());
    fake.set_uri("ofi+tcp://127.0.0.1:31416");
    let answer: GetAttachInfoResp = agent.call(Method::GetAttachInfo, &request()).await.unwrap();
    assert_eq!(answer.rank_uris.len(), 1);
}

#[tokio::test]
async fn access_points_are_tried_in_turn() {
    let fake = Fake::start().await;
    let host = Host::new(&format!("{}', '{}", server::closed_port().await, fake.address()), "");
    let agent = Agent::start(&host).await;
    let pools: ListPoolsResp = agent.call(Method::ListPools, &ListPoolsReq { sys: String::new() }).await.unwrap();
    assert_eq!(pools.pools[0].label, "tank");
}

#[tokio::test]
async fn another_system_and_another_method_are_refused() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let agent = Agent::start(&host).await;
    let other = GetAttachInfoReq { sys: "other".to_owned(), all_ranks: true };
    let failure = agent.call::<GetAttachInfoResp>(Method::GetAttachInfo, &other).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ServerWrongSystem));
    let failure = agent.call::<GetAttachInfoResp>(Method::SetRank, &other).await.unwrap_err();
    assert_eq!(failure.status, Status::Invalid);
}

#[tokio::test]
async fn a_second_agent_in_the_same_folder_is_refused() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let agent = Agent::start(&host).await;
    let second = host.run(&[]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("SocketFileInUse: code = 6 resolution"), "{said}");
    agent.call::<GetAttachInfoResp>(Method::GetAttachInfo, &request()).await.expect("the first one still serves");
}

#[tokio::test]
async fn the_socket_of_a_killed_agent_is_replaced_and_that_of_an_ended_one_is_gone() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let mut first = Agent::start(&host).await;
    first.signal(Signal::SIGKILL);
    first.ended().await;
    assert!(host.socket().exists(), "a killed agent leaves its socket");
    let mut second = Agent::start(&host).await;
    second.call::<GetAttachInfoResp>(Method::GetAttachInfo, &request()).await.unwrap();
    let mode = host.socket().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o777, "every user may connect");
    second.signal(Signal::SIGTERM);
    assert_eq!(second.ended().await.code(), Some(0));
    assert!(!host.socket().exists());
}

#[tokio::test]
async fn nonsense_on_the_socket_ends_that_connection_only() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let agent = Agent::start(&host).await;
    for nonsense in [&[0xff_u8; 64][..], &[1, 0, 0, 0, 0xff], &[0, 0, 0, 0]] {
        host.speak(nonsense).await;
    }
    agent.call::<GetAttachInfoResp>(Method::GetAttachInfo, &request()).await.unwrap();
}

#[tokio::test]
async fn attach_info_can_be_dumped() {
    let fake = Fake::start().await;
    let host = Host::new(&fake.address(), "");
    let dumped = host.run(&["dump-attachinfo", "--json"]).await;
    assert!(dumped.status.success());
    let envelope: serde_json::Value = serde_json::from_slice(&dumped.stdout).unwrap();
    assert_eq!(envelope["response"]["rank_uris"][0]["rank"], 0);
    assert_eq!(envelope["status"], 0);
}
