//! What `dmg storage format` prints for fixed answers.

use config::HostPort;
use types::FaultName;

use super::*;

fn result(device: &str, kind: &str) -> FormatResult {
    FormatResult { device: device.to_owned(), kind: kind.to_owned(), ok: true, ..FormatResult::default() }
}

fn refused(device: &str) -> FormatResult {
    FormatResult {
        ok: false,
        fault: "StorageAlreadyFormatted".to_owned(),
        error: "it is formatted".to_owned(),
        resolution: "retry with --force".to_owned(),
        ..result(device, "bdev")
    }
}

fn answers(hosts: &[(&str, Vec<FormatResult>)]) -> Answers<StorageFormatResp> {
    let answer = |host: &str, results: &Vec<FormatResult>| {
        Ok(StorageFormatResp { host: host.to_owned(), results: results.clone() })
    };
    Answers(hosts.iter().map(|(host, results)| (HostPort::new(*host, 10001), answer(host, results))).collect())
}

fn text(report: &Report) -> String {
    String::from_utf8(report.text.clone()).unwrap()
}

#[test]
fn the_summary_counts_what_was_formatted() {
    let both = vec![result("/mnt/daos", "scm"), result("/var/daos/bdev", "bdev")];
    let report = report(&answers(&[("node1", both.clone()), ("node2", both)]), false);
    insta::assert_snapshot!(text(&report), @r"
    Format Summary:
      Hosts     SCM Devices NVMe Devices
      -----     ----------- ------------
      node[1-2] 1           1
    ");
    assert!(report.failure.is_none());
}

#[test]
fn verbose_has_a_line_per_device() {
    let both = vec![result("/mnt/daos", "scm"), result("/var/daos/bdev", "bdev")];
    insta::assert_snapshot!(text(&report(&answers(&[("node1", both)]), true)), @r"
    -----
    node1
    -----

      SCM Mount Engine Format Result
      --------- ------ -------------
      /mnt/daos 0      CMD SUCCESS

      NVMe Device    Engine Format Result
      -----------    ------ -------------
      /var/daos/bdev 0      CMD SUCCESS
    ");
}

#[test]
fn an_engine_that_did_not_start_is_the_failure() {
    let engine = FormatResult {
        device: "engine 0".to_owned(),
        kind: "engine".to_owned(),
        error: "it did not start: exit code 1".to_owned(),
        ..refused("engine 0")
    };
    let report =
        report(&answers(&[("node1", vec![result("/mnt/daos", "scm"), result("/dev/a", "bdev"), engine])]), true);
    assert!(text(&report).contains("/dev/a      0      CMD SUCCESS"), "{}", text(&report));
    let failure = report.failure.expect("the engine did not start");
    assert_eq!(failure.message, "the storage was formatted, but engine 0: it did not start: exit code 1");
}

#[test]
fn a_device_that_was_not_formatted_is_the_failure() {
    let report =
        report(&answers(&[("node1", vec![result("/mnt/daos", "scm"), refused("/dev/a"), refused("/dev/b")])]), false);
    insta::assert_snapshot!(text(&report), @r"
    Errors:
      Hosts Device Error
      ----- ------ -----
      node1 /dev/a it is formatted
      node1 /dev/b it is formatted

    Format Summary:
      Hosts SCM Devices NVMe Devices
      ----- ----------- ------------
      node1 1           0
    ");
    let failure = report.failure.expect("two devices failed");
    assert_eq!(failure.fault, Some(FaultName::StorageAlreadyFormatted));
    assert_eq!(failure.message, "`/dev/a` was not formatted: it is formatted (1 more devices failed)");
    assert_eq!(failure.resolution, "retry with --force");
}
