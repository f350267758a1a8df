//! `dmg storage query usage`: how much of each host's storage is promised to pools.

use agent::grpc::within;
use serde_json::{Map, Value, json};
use types::Size;
use wire::fault::Failure;
use wire::proto::ctl::{StorageUsageReq, StorageUsageResp, TierUsage};

use super::fanout::{Answers, ask_every};
use super::{QUERY_TIMEOUT, Settings};
use crate::output::{Report, Table, fold_hosts, used_percent};

pub(super) async fn run(settings: &Settings) -> Result<Report, Failure> {
    let sys = settings.system.clone();
    let answers = ask_every(settings, move |mut service| {
        let request = within(QUERY_TIMEOUT, StorageUsageReq { sys: sys.clone() });
        async move { service.storage_usage(request).await }
    });
    Ok(report(&answers.await))
}

/// Bytes of one tier over all engines of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    total: u64,
    free: u64,
}

impl Sum {
    /// The memory tier, or what pools can store data on; space of the log and of checkpoints belongs to neither.
    fn of(usage: &StorageUsageResp, scm: bool) -> Sum {
        let wanted = |tier: &&TierUsage| match tier.tier.to_ascii_lowercase().as_str() {
            "scm" => scm,
            "nvme" | "data" => !scm,
            _ => false,
        };
        let tiers = usage.engines.iter().flat_map(|engine| &engine.tiers).filter(wanted);
        tiers.fold(Sum::default(), |sum, tier| Sum {
            total: sum.total.saturating_add(tier.total_bytes),
            free: sum.free.saturating_add(tier.free_bytes),
        })
    }
}

fn report(answers: &Answers<StorageUsageResp>) -> Report {
    let sums = |usage: &StorageUsageResp| (Sum::of(usage, true), Sum::of(usage, false));
    let groups = answers.grouped(|one, other| one.engines == other.engines);
    let mut text = answers.failure_lines();
    if !groups.is_empty() {
        let mut table =
            Table::new(["Hosts", "SCM-Total", "SCM-Free", "SCM-Used", "NVMe-Total", "NVMe-Free", "NVMe-Used"]);
        for (hosts, usage) in &groups {
            let (scm, nvme) = sums(usage);
            let used = |sum: Sum| format!("{} %", used_percent(sum.total, sum.free));
            table.row([
                fold_hosts(hosts),
                Size(scm.total).to_string(),
                Size(scm.free).to_string(),
                used(scm),
                Size(nvme.total).to_string(),
                Size(nvme.free).to_string(),
                used(nvme),
            ]);
        }
        text.push_str(&table.render());
    }
    let storage: Map<String, Value> = groups
        .iter()
        .enumerate()
        .map(|(index, (hosts, usage))| {
            (index.to_string(), json!({"hosts": fold_hosts(hosts), "engines": engines_json(usage)}))
        })
        .collect();
    Report::new(text, json!({"host_errors": answers.failures_json(), "HostStorage": storage})).failed(answers.failure())
}

fn engines_json(usage: &StorageUsageResp) -> Vec<Value> {
    let tier = |tier: &TierUsage| {
        json!({
            "tier": tier.tier,
            "total_bytes": tier.total_bytes,
            "avail_bytes": tier.free_bytes,
            "usable_bytes": tier.usable_bytes,
        })
    };
    usage
        .engines
        .iter()
        .map(|engine| {
            let tiers: Vec<Value> = engine.tiers.iter().map(tier).collect();
            json!({"instance": engine.engine, "rank": engine.rank, "tiers": tiers})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::HostPort;
    use types::Status;
    use wire::proto::ctl::EngineUsage;

    fn usage(free: u64) -> StorageUsageResp {
        let tier = |tier: &str, total_bytes, free_bytes| TierUsage {
            tier: tier.to_owned(),
            total_bytes,
            free_bytes,
            usable_bytes: free_bytes,
        };
        let tiers = vec![tier("scm", 8_000_000_000, free), tier("nvme", 120_000_000_000, free), tier("wal", 9, 9)];
        StorageUsageResp { host: "any".to_owned(), engines: vec![EngineUsage { engine: 0, rank: 0, tiers }] }
    }

    #[test]
    fn hosts_with_the_same_usage_share_a_line() {
        let host = |name: &str| HostPort::new(name, 10001);
        let answers = Answers(vec![
            (host("node1"), Ok(usage(4_000_000_000))),
            (host("node2"), Ok(usage(8_000_000_000))),
            (host("node3"), Ok(usage(4_000_000_000))),
            (host("node4"), Err(Failure::new(Status::Unreachable, "engine is not started"))),
        ]);
        let report = report(&answers);
        insta::assert_snapshot!(String::from_utf8(report.text).unwrap(), @r"
        Errors:
          Hosts Error
          ----- -----
          node4 engine is not started

        Hosts     SCM-Total SCM-Free SCM-Used NVMe-Total NVMe-Free NVMe-Used
        -----     --------- -------- -------- ---------- --------- ---------
        node[1,3] 8.0 GB    4.0 GB   50 %     120 GB     4.0 GB    96 %
        node2     8.0 GB    8.0 GB   0 %      120 GB     8.0 GB    93 %
        ");
        assert_eq!(report.failure.expect("a host failed").message, "1 of 4 hosts failed");
        assert_eq!(report.response["HostStorage"]["0"]["engines"][0]["tiers"][0]["avail_bytes"], 4_000_000_000_u64);
    }
}
