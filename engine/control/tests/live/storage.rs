//! Format: waiting for it, doing it, refusing it.

use types::FaultName;
use wire::proto::ctl::{FormatResult, StorageScanReq, StorageUsageReq};
use wire::proto::mgmt::{ListPoolsReq, SystemStopReq};

use crate::cluster::{Cluster, SYSTEM, refused};

fn faults(results: &[FormatResult]) -> Vec<&str> {
    results.iter().filter(|result| !result.ok).map(|result| result.fault.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unformatted_engine_waits_and_starts_after_the_format() {
    let mut cluster = Cluster::new();
    cluster.start().await.expect("starts");
    assert_eq!(cluster.members().await, []);
    let scan = || async {
        let request = StorageScanReq { sys: SYSTEM.to_owned() };
        cluster.ctl().await.storage_scan(request).await.expect("scans").into_inner()
    };
    let before = scan().await;
    assert_eq!((before.bdevs[0].formatted, before.bdevs[0].state.as_str()), (false, "NEW"));
    let results = cluster.format(false).await;
    assert_eq!(results.iter().map(|result| result.kind.as_str()).collect::<Vec<_>>(), ["scm", "bdev"]);
    let member = cluster.until_state("joined").await;
    assert_eq!((member.rank, member.fabric_contexts), (0, 2));
    let after = scan().await;
    assert_eq!((after.bdevs[0].formatted, after.bdevs[0].total_bytes), (true, 3 << 30));
    assert_eq!(after.bdevs[0].roles, ["wal", "meta", "data"]);
    assert!(after.mem.expect("memory").mem_total > 0);
    let usage = StorageUsageReq { sys: SYSTEM.to_owned() };
    let usage = cluster.ctl().await.storage_usage(usage).await.expect("answers").into_inner();
    assert_eq!(usage.engines[0].tiers.len(), 4);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_format_needs_nobody() {
    let mut cluster = Cluster::new();
    let options = control::Options { auto_format: true, ..cluster.options() };
    cluster.server = Some(control::Server::start(cluster.config(), options).await.expect("starts"));
    cluster.until_state("joined").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_and_formatted_engines_are_not_formatted() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    cluster.mgmt().await.pool_create(cluster.pool("tank")).await.expect("creates");
    assert_eq!(faults(&cluster.format(false).await), [FaultName::ClientFormatRunningSystem.as_str()]);
    assert_eq!(faults(&cluster.format(true).await), [FaultName::ClientFormatRunningSystem.as_str()]);
    let stop = SystemStopReq { sys: SYSTEM.to_owned(), ranks: String::new(), force: false };
    cluster.mgmt().await.system_stop(stop).await.expect("stops");
    assert_eq!(faults(&cluster.format(false).await), [FaultName::StorageAlreadyFormatted.as_str()]);
    assert_eq!(cluster.members().await[0].state, "stopped", "a refusal changes nothing");

    let before = cluster.members().await[0].uuid.clone();
    assert!(faults(&cluster.format(true).await).is_empty());
    let member = cluster.until_state("joined").await;
    assert_ne!(member.uuid, before);
    assert_eq!(member.rank, 0, "the only member begins the system anew");
    let pools = cluster.mgmt().await.list_pools(ListPoolsReq { sys: SYSTEM.to_owned() }).await.expect("lists");
    assert!(pools.into_inner().pools.is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_of_somebody_else_is_respected() {
    let mut cluster = Cluster::new();
    let device = std::fs::File::create(cluster.path("bdev")).expect("makes");
    device.set_len(3 << 30).expect("grows");
    let label = media::Label {
        device: uuid::Uuid::from_u128(1),
        engine: uuid::Uuid::from_u128(2),
        system: "elsewhere".to_owned(),
        total_bytes: 3 << 30,
        arena_bytes: 1 << 20,
        slices: Vec::new(),
    };
    let path = cluster.path("bdev");
    let open = || media::OpenDevice::open(&path).expect("opens");
    media::label::write(&open(), &label).expect("writes");
    cluster.start().await.expect("starts");
    let results = cluster.format(false).await;
    assert_eq!(faults(&results), [FaultName::StorageAlreadyFormatted.as_str()]);
    assert_eq!(results[1].device, cluster.path("bdev").display().to_string());
    assert!(faults(&cluster.format(true).await).is_empty());
    cluster.until_state("joined").await;

    // The label goes astray while the engine is down.
    cluster.stop().await;
    media::label::write(&open(), &label).expect("writes");
    cluster.start().await.expect("the server stays up");
    let member = cluster.until_state("errored").await;
    assert!(member.info.contains("label of another engine"), "{}", member.info);
    cluster.stop().await;
    media::label::clear(&open()).expect("clears");
    cluster.start().await.expect("the server stays up");
    cluster.until(|member| member.info.contains("lost its label")).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_layout_is_told_and_the_server_stays_up() {
    let mut cluster = Cluster::new();
    cluster.up().await;
    cluster.stop().await;
    let conf = cluster.path("metadata/daos_control/engine0/daos_nvme.conf");
    let text = std::fs::read_to_string(&conf).expect("conf");
    std::fs::write(&conf, text.replace("\"targets\": 2", "\"targets\": 4")).expect("writes");
    cluster.start().await.expect("the server stays up");
    let member = cluster.until_state("errored").await;
    assert!(member.info.contains("`targets` 4"), "{}", member.info);
    let failure = refused(cluster.mgmt().await.pool_create(cluster.pool("tank")).await);
    assert_eq!(failure.fault, Some(FaultName::ServerPoolInvalidNumRanks));
    cluster.stop().await;
}
