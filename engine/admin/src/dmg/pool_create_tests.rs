//! The sizes, ratios and ranks people type, the request they give, and what is printed.

use clap::Parser;

use super::*;
use crate::dmg::{Cli, Command, pool};

fn arguments(line: &[&str]) -> Result<Arguments, clap::Error> {
    let cli = Cli::try_parse_from(["dmg", "pool", "create"].iter().chain(line))?;
    match cli.command {
        Command::Pool(pool::Command::Create(arguments)) => Ok(arguments),
        other => panic!("not a create: {other:?}"),
    }
}

fn requested(line: &[&str]) -> PoolCreateReq {
    request("daos_server", arguments(line).unwrap_or_else(|error| panic!("{error}")), Uuid::nil())
}

#[test]
fn a_total_goes_with_a_ratio() {
    let request = requested(&["tank", "-z", "8GiB", "-t", "6,94", "-k", "2", "-v", "1"]);
    assert_eq!((request.total_bytes, request.percent), (8 << 30, 0));
    assert!((request.tier_ratio - 0.06).abs() < 1e-9);
    assert_eq!((request.num_ranks, request.num_svc_reps), (2, 1));
    assert_eq!(requested(&["tank", "--size", "50%"]).percent, 50);
    assert!((requested(&["tank", "-z100%", "-t=10"]).tier_ratio - 0.1).abs() < 1e-9);
}

#[test]
fn sizes_per_rank_go_with_ranks_properties_and_owner() {
    let request = requested(&[
        "tank",
        "--scm-size",
        "1GiB",
        "--data-size",
        "10GB",
        "-r",
        "[4,0-2]",
        "-P",
        "reclaim:disabled,rd_fac:0",
        "-u",
        "alice@",
        "-g",
        "users@",
    ]);
    assert_eq!((request.scm_bytes, request.nvme_bytes), (1 << 30, 10_000_000_000));
    assert_eq!(request.ranks, [0, 1, 2, 4]);
    assert_eq!(request.properties[1].name, "rd_fac");
    assert_eq!((request.user.as_str(), request.group.as_str()), ("alice@", "users@"));
}

#[test]
fn what_contradicts_or_is_no_number_is_refused() {
    for line in [
        &["tank"][..],
        &["-z", "8G"],
        &["tank", "-z", "8G", "-s", "1G"],
        &["tank", "-n", "8G"],
        &["tank", "-s", "1G", "-t", "6"],
        &["tank", "-z", "8G", "-r", "0", "-k", "1"],
        &["tank", "-z", "0"],
        &["tank", "-z", "0%"],
        &["tank", "-z", "101%"],
        &["tank", "-z", "lots"],
        &["tank", "-z", "8G", "-t", "6,95"],
        &["tank", "-z", "8G", "-t", "0"],
        &["tank", "-z", "8G", "-r", "3-1"],
        &["tank", "-z", "8G", "-r", "0-4294967295"],
        &["tank", "-z", "8G", "-k", "0"],
        &["tank", "-z", "8G", "-P", "reclaim"],
        &["bad label", "-z", "8G"],
        &["5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d", "-z", "8G"],
    ] {
        assert!(arguments(line).is_err(), "{line:?}");
    }
}

#[test]
fn without_options_the_caller_owns_the_pool() {
    let request = requested(&["tank", "-z", "8G"]);
    assert!(request.user.is_empty() || request.user.ends_with('@'), "{}", request.user);
}

fn created(md_on_ssd_active: bool) -> String {
    let answer = PoolCreateResp {
        uuid: Uuid::nil().to_string(),
        svc_ldr: 1,
        svc_reps: vec![1],
        tgt_ranks: vec![0, 1],
        tier_bytes: vec![240_000_000, 3_760_000_000],
        mem_file_bytes: 240_000_000,
        md_on_ssd_active,
        label: "tank".to_owned(),
    };
    let report = report(&requested(&["tank", "-z", "8G"]), &answer);
    assert_eq!(report.response["tgt_ranks"], json!([0, 1]));
    String::from_utf8(report.text).unwrap()
}

#[test]
fn a_pool_with_metadata_on_ssd_is_described_by_purpose() {
    insta::assert_snapshot!(created(true), @r"
    Pool created with 6.00%,94.00% storage tier ratio
    -------------------------------------------------
      UUID            : 00000000-0000-0000-0000-000000000000
      Label           : tank
      Service Leader  : 1
      Service Ranks   : 1
      Storage Ranks   : [0-1]
      Total Size      : 8.0 GB
      Metadata Storage: 480 MB (240 MB / rank)
      Data Storage    : 7.5 GB (3.8 GB / rank)
      Memory File Size: 480 MB (240 MB / rank)
    ");
}

#[test]
fn a_pool_on_persistent_memory_is_described_by_tier() {
    assert!(created(false).contains("  Storage tier 1 (NVMe): 7.5 GB (3.8 GB / rank)\n"));
}
