//! What `dmg storage scan` prints for fixed answers.

use config::HostPort;
use types::{Fault, FaultName};
use wire::proto::ctl::MemInfo;

use super::*;

fn scan(host: &str, avail_bytes: u64) -> StorageScanResp {
    StorageScanResp {
        host: host.to_owned(),
        bdevs: vec![BdevDevice {
            path: "/var/daos/bdev".to_owned(),
            class: "file".to_owned(),
            roles: vec!["meta".to_owned(), "wal".to_owned(), "data".to_owned()],
            total_bytes: 16 << 30,
            formatted: false,
            state: "NEW".to_owned(),
            engine: 0,
            uuid: format!("uuid of {host}"),
        }],
        scm: vec![ScmMount {
            path: "/mnt/daos".to_owned(),
            class: "ram".to_owned(),
            total_bytes: 4 << 30,
            avail_bytes,
            usable_bytes: 0,
            mounted: true,
            engine: 0,
            rank: 0,
        }],
        mem: Some(MemInfo { mem_total: 8 << 30, mem_available: 4 << 30, hugepages_total: 0, hugepage_size: 2 << 20 }),
    }
}

fn answers(hosts: &[(&str, Result<StorageScanResp, Failure>)]) -> Answers<StorageScanResp> {
    Answers(hosts.iter().map(|(host, answer)| (HostPort::new(*host, 10001), answer.clone())).collect())
}

fn refused() -> Failure {
    Fault::new(FaultName::ClientConnectionRefused, "the connection to `x` was refused", "start daos_server").into()
}

fn text(report: &Report) -> String {
    String::from_utf8(report.text.clone()).unwrap()
}

#[test]
fn equal_hosts_share_a_line_whatever_is_free() {
    let report = scan_report(&answers(&[("node1", Ok(scan("node1", 1))), ("node2", Ok(scan("node2", 2)))]), false);
    insta::assert_snapshot!(text(&report), @r"
    Hosts     SCM Total        NVMe Total
    -----     ---------        ----------
    node[1-2] 4.3 GB (1 mount) 17 GB (1 device)
    ");
    assert!(report.failure.is_none());
}

#[test]
fn verbose_lists_devices_by_host() {
    let report = scan_report(&answers(&[("node1", Ok(scan("node1", 1 << 30)))]), true);
    insta::assert_snapshot!(text(&report), @r"
    -----
    node1
    -----

      SCM Mount Class Engine Mounted Capacity Available
      --------- ----- ------ ------- -------- ---------
      /mnt/daos ram   0      yes     4.3 GB   1.1 GB

      Device         Class Role(s)       Engine Formatted Status Capacity
      ------         ----- -------       ------ --------- ------ --------
      /var/daos/bdev file  meta,wal,data 0      no        NEW    17 GB
    ");
}

#[test]
fn hosts_that_fail_alike_are_one_line_and_the_rest_is_shown() {
    let report = scan_report(
        &answers(&[("node1", Err(refused())), ("node2", Err(refused())), ("node3", Ok(scan("node3", 0)))]),
        false,
    );
    insta::assert_snapshot!(text(&report), @r"
    Errors:
      Hosts     Error
      -----     -----
      node[1-2] connection refused

    Hosts SCM Total        NVMe Total
    ----- ---------        ----------
    node3 4.3 GB (1 mount) 17 GB (1 device)
    ");
    let failure = report.failure.expect("two hosts failed");
    assert_eq!((failure.message.as_str(), failure.resolution.as_str()), ("2 of 3 hosts failed", "start daos_server"));
    assert_eq!(report.response["host_errors"]["connection refused"]["hosts"], "node[1-2]");
}

#[test]
fn a_single_host_fails_with_its_own_fault() {
    let report = scan_report(&answers(&[("node1", Err(refused()))]), false);
    assert_eq!(text(&report), "");
    assert_eq!(report.failure.expect("it failed").fault, Some(FaultName::ClientConnectionRefused));
}

#[test]
fn json_has_devices_mounts_and_memory() {
    let report = scan_report(&answers(&[("node1", Ok(scan("node1", 7)))]), false);
    let storage = &report.response["HostStorage"]["0"]["storage"];
    assert_eq!(storage["nvme_devices"][0]["formatted"], json!(false));
    assert_eq!(storage["scm_mount_points"][0]["avail_bytes"], 7);
    assert_eq!(storage["mem_info"]["mem_total_kb"], 8 << 20);
    assert_eq!(report.response["HostStorage"]["0"]["hosts"], "node1");
}
