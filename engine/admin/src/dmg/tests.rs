//! `dmg` against a server in this process, over real sockets on 127.0.0.1: what travels, and what is printed when the
//! server is away, of another system, or secured differently.

mod fake;

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use serde_json::json;
use types::{FaultName, Status};
use wire::fault::Failure;
use wire::proto::mgmt::PoolCreateReq;

use super::{Cli, run};
use crate::output::Report;
use fake::{Fake, certificates, closed_port, serve, serve_tls};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    fn control(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("daos_control.yml");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn insecure(&self) -> PathBuf {
        self.control("transport_config: {allow_insecure: true}\n")
    }
}

async fn dmg(config: &Path, hosts: &str, line: &[&str]) -> Result<Report, Failure> {
    let config = config.to_str().unwrap();
    let cli = Cli::try_parse_from(["dmg", "-o", config, "-l", hosts].iter().chain(line)).unwrap();
    run(cli).await
}

fn text(report: &Report) -> String {
    String::from_utf8(report.text.clone()).unwrap()
}

#[test]
fn the_arguments_do_not_contradict_each_other() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_description() {
    fn check(command: &clap::Command) {
        for sub in command.get_subcommands() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
            check(sub);
        }
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    }
    check(&Cli::command());
}

#[tokio::test]
async fn a_pool_is_created_listed_queried_and_destroyed() {
    let (files, fake) = (Files::new(), Fake::default());
    let (config, host) = (files.insecure(), serve(fake.clone()).await);
    let created = dmg(&config, &host, &["pool", "create", "tank", "-z", "8GiB", "-P", "reclaim:lazy"]).await.unwrap();
    assert!(text(&created).starts_with("Pool created with 6.00%,94.00% storage tier ratio\n"), "{}", text(&created));
    let sent: PoolCreateReq = fake.created().expect("the server saw it");
    assert_eq!((sent.sys.as_str(), sent.label.as_str(), sent.total_bytes), ("daos_server", "tank", 8 << 30));
    assert_eq!(created.response["uuid"], json!(sent.uuid));
    let list = dmg(&config, &host, &["pool", "list"]).await.unwrap();
    insta::assert_snapshot!(text(&list), @r"
    Pool Size   State Used Imbalance Disabled
    ---- ----   ----- ---- --------- --------
    tank 8.6 GB Ready 50%  0%        0/2
    ");
    let query = dmg(&config, &host, &["pool", "query", "tank"]).await.unwrap();
    assert_eq!(query.response["label"], "tank");
    let properties = dmg(&config, &host, &["pool", "get-prop", "tank", "reclaim"]).await.unwrap();
    assert_eq!(properties.response, json!([{"name": "reclaim", "value": "lazy"}]));
    let again = dmg(&config, &host, &["pool", "create", "tank", "-z", "1GiB"]).await.unwrap_err();
    assert_eq!((again.fault, again.status), (Some(FaultName::ServerPoolDuplicateLabel), Status::Exists));
    assert!(!again.resolution.is_empty());
    dmg(&config, &host, &["pool", "destroy", "tank", "--recursive"]).await.unwrap();
    let gone = dmg(&config, &host, &["pool", "query", "tank"]).await.unwrap_err();
    assert_eq!(gone.status, Status::Nonexistent);
}

#[tokio::test]
async fn the_management_service_is_found_behind_servers_that_do_not_serve_it() {
    let files = Files::new();
    let follower = serve(Fake { follower: true, ..Fake::default() }).await;
    let leader = serve(Fake::default()).await;
    let hosts = format!("{},{follower},{leader}", closed_port().await);
    let report = dmg(&files.insecure(), &hosts, &["system", "query"]).await.unwrap();
    assert_eq!(report.response["members"][0]["state"], "joined");
    let hosts = format!("{},{follower}", closed_port().await);
    let failure = dmg(&files.insecure(), &hosts, &["system", "query"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ClientConnectionRefused), "the server that is away, not the follower");
    assert!(failure.message.contains(&follower) && failure.message.contains("refused"), "{failure}");
}

#[tokio::test]
async fn a_server_that_is_away_is_named_with_what_to_do() {
    let (files, host) = (Files::new(), closed_port().await);
    for line in [&["system", "query"][..], &["pool", "list"]] {
        let failure = dmg(&files.insecure(), &host, line).await.unwrap_err();
        assert_eq!(failure.fault, Some(FaultName::ClientConnectionRefused));
        assert!(failure.resolution.contains("start daos_server"), "{failure}");
    }
    let scan = dmg(&files.insecure(), &host, &["storage", "scan"]).await.unwrap();
    assert_eq!(scan.failure.expect("the only host is away").fault, Some(FaultName::ClientConnectionRefused));
}

#[tokio::test]
async fn a_server_of_another_system_refuses() {
    let (files, host) = (Files::new(), serve(Fake::default()).await);
    let config = files.control("name: other\ntransport_config: {allow_insecure: true}\n");
    let failure = dmg(&config, &host, &["system", "query"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ServerWrongSystem));
}

#[tokio::test]
async fn hosts_are_asked_together_and_grouped() {
    let files = Files::new();
    let (one, two, away) = (serve(Fake::default()).await, serve(Fake::default()).await, closed_port().await);
    let report = dmg(&files.insecure(), &format!("{one},{two},{away}"), &["storage", "scan"]).await.unwrap();
    assert_eq!(report.failure.as_ref().expect("one is away").message, "1 of 3 hosts failed");
    assert_eq!(report.response["HostStorage"].as_object().unwrap().len(), 1);
    assert!(text(&report).contains("connection refused"), "{}", text(&report));
}

#[tokio::test]
async fn both_sides_with_certificates_of_one_authority_talk() {
    let (files, authority) = (Files::new(), certificates("server"));
    let host = serve_tls(Fake::default(), &authority).await;
    let config = files.control(&authority.write(files.folder.path()));
    let report = dmg(&config, &host, &["system", "query"]).await.unwrap();
    assert_eq!(report.response["members"][0]["rank"], 0);
}

#[tokio::test]
async fn an_agent_certificate_does_not_make_a_server() {
    let (files, authority) = (Files::new(), certificates("agent"));
    let host = serve_tls(Fake::default(), &authority).await;
    let config = files.control(&authority.write(files.folder.path()));
    let failure = dmg(&config, &host, &["system", "query"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ClientConnectionClosed));
    assert!(failure.message.contains("common name `agent`"), "{failure}");
}

#[tokio::test]
async fn another_authority_is_not_believed() {
    let files = Files::new();
    let host = serve_tls(Fake::default(), &certificates("server")).await;
    let config = files.control(&certificates("server").write(files.folder.path()));
    let failure = dmg(&config, &host, &["system", "query"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ClientConnectionClosed));
}

#[tokio::test]
async fn security_on_one_side_only_is_explained() {
    let (files, authority) = (Files::new(), certificates("server"));
    let secure = serve_tls(Fake::default(), &authority).await;
    let failure = dmg(&files.insecure(), &secure, &["system", "query"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ClientConnectionClosed));
    assert!(failure.resolution.contains("allow_insecure"), "{failure}");
    let plain = serve(Fake::default()).await;
    let config = files.control(&authority.write(files.folder.path()));
    let failure = dmg(&config, &plain, &["system", "query"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::ClientConnectionClosed));
    assert!(failure.resolution.contains("allow_insecure"), "{failure}");
}

#[tokio::test]
async fn missing_certificates_are_a_fault_of_security() {
    let files = Files::new();
    let absent = files.folder.path().join("absent");
    let config = files.control(&format!("transport_config: {{ca_cert: {}}}\n", absent.display()));
    let failure = dmg(&config, "127.0.0.1:1", &["pool", "list"]).await.unwrap_err();
    assert_eq!(failure.fault, Some(FaultName::SecurityMissingCertFile));
}
