//! `dmg pool list`: every pool with its space.

use agent::grpc::within;
use serde_json::{Value, json};
use types::Size;
use wire::fault::Failure;
use wire::proto::mgmt::{ListPoolsReq, PoolEntry, PoolQueryResp, TierStats};

use super::{QUERY_TIMEOUT, Settings, ask, pool};
use crate::output::{Report, Table, fold_ranks, pool_json, used_percent};

/// A pool and what it said when it was asked.
struct Row {
    entry: PoolEntry,
    query: Option<Result<PoolQueryResp, Failure>>,
}

pub(super) async fn run(settings: &Settings, verbose: bool, no_query: bool) -> Result<Report, Failure> {
    let request = ListPoolsReq { sys: settings.system.clone() };
    let answer = ask(settings, |mut service| {
        let request = within(QUERY_TIMEOUT, request.clone());
        async move { service.list_pools(request).await }
    })
    .await?;
    let mut rows = Vec::new();
    for entry in answer.pools {
        let query = match no_query {
            true => None,
            false => Some(pool::query(settings, &entry.uuid).await),
        };
        rows.push(Row { entry, query });
    }
    Ok(report(&rows, verbose))
}

fn report(rows: &[Row], verbose: bool) -> Report {
    let text = match (rows.is_empty(), verbose) {
        (true, _) => "No pools in system\n".to_owned(),
        (false, true) => verbose_lines(rows),
        (false, false) => lines(rows),
    };
    let pools: Vec<Value> = rows.iter().map(json_of).collect();
    let failed: Vec<(&str, &Failure)> =
        rows.iter().filter_map(|row| Some((name_of(&row.entry), row.query.as_ref()?.as_ref().err()?))).collect();
    let failure = failed.first().map(|(name, first)| Failure {
        message: format!("{} of {} pools did not answer; `{name}`: {}", failed.len(), rows.len(), first.message),
        ..(*first).clone()
    });
    Report::new(text, json!({"pools": pools})).failed(failure)
}

fn name_of(entry: &PoolEntry) -> &str {
    if entry.label.is_empty() { &entry.uuid } else { &entry.label }
}

fn json_of(row: &Row) -> Value {
    match &row.query {
        Some(Ok(query)) => pool_json(query),
        other => json!({
            "uuid": row.entry.uuid,
            "label": row.entry.label,
            "state": row.entry.state,
            "svc_ldr": row.entry.svc_ldr,
            "svc_reps": row.entry.svc_reps,
            "query_error": match other { Some(Err(failure)) => json!(failure.message), _ => Value::Null },
            "query_status": match other { Some(Err(failure)) => failure.status.code(), _ => 0 },
        }),
    }
}

/// Difference between the fullest and the emptiest target, as a share of what one target holds.
fn imbalance(tier: &TierStats, targets: u32) -> u64 {
    let each = tier.total.checked_div(u64::from(targets)).unwrap_or(0);
    used_percent(each, each.saturating_sub(tier.max.saturating_sub(tier.min)))
}

fn lines(rows: &[Row]) -> String {
    let mut table = Table::new(["Pool", "Size", "State", "Used", "Imbalance", "Disabled"]);
    for Row { entry, query } in rows {
        let name = name_of(entry).to_owned();
        let Some(Ok(pool)) = query else {
            let unknown = || "-".to_owned();
            table.row([name, unknown(), entry.state.clone(), unknown(), unknown(), unknown()]);
            continue;
        };
        let sum = |field: fn(&TierStats) -> u64| pool.tier_stats.iter().map(field).sum::<u64>();
        let (total, free) = (sum(|tier| tier.total), sum(|tier| tier.free));
        let worst = pool.tier_stats.iter().map(|tier| imbalance(tier, pool.active_targets)).max().unwrap_or(0);
        table.row([
            name,
            Size(total).to_string(),
            pool.state.clone(),
            format!("{}%", used_percent(total, free)),
            format!("{worst}%"),
            format!("{}/{}", pool.disabled_targets, pool.total_targets),
        ]);
    }
    table.render()
}

fn verbose_lines(rows: &[Row]) -> String {
    let mut table = Table::new([
        "Label",
        "UUID",
        "State",
        "SvcReps",
        "SCM Size",
        "SCM Used",
        "SCM Imbalance",
        "NVME Size",
        "NVME Used",
        "NVME Imbalance",
        "Disabled",
    ]);
    for Row { entry, query } in rows {
        let answered = query.as_ref().and_then(|query| query.as_ref().ok());
        let tier = |index: usize| answered.and_then(|pool| Some((pool.tier_stats.get(index)?, pool.active_targets)));
        let cell = |index, show: fn((&TierStats, u32)) -> String| tier(index).map_or_else(|| "-".to_owned(), show);
        let size: fn((&TierStats, u32)) -> String = |(tier, _)| Size(tier.total).to_string();
        let used: fn((&TierStats, u32)) -> String = |(tier, _)| Size(tier.total.saturating_sub(tier.free)).to_string();
        let spread: fn((&TierStats, u32)) -> String = |(tier, targets)| format!("{}%", imbalance(tier, targets));
        table.row([
            entry.label.clone(),
            entry.uuid.clone(),
            answered.map_or_else(|| entry.state.clone(), |pool| pool.state.clone()),
            fold_ranks(&entry.svc_reps),
            cell(0, size),
            cell(0, used),
            cell(0, spread),
            cell(1, size),
            cell(1, used),
            cell(1, spread),
            answered.map_or_else(|| "-".to_owned(), |pool| format!("{}/{}", pool.disabled_targets, pool.total_targets)),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Status;

    fn row(label: &str, query: Option<Result<PoolQueryResp, Failure>>) -> Row {
        let entry = PoolEntry {
            uuid: "5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d".to_owned(),
            label: label.to_owned(),
            svc_reps: vec![0],
            state: "Ready".to_owned(),
            svc_ldr: 0,
        };
        Row { entry, query }
    }

    fn answered() -> Row {
        let tier = |total: u64| TierStats {
            total,
            free: total / 4 * 3,
            min: total / 16,
            max: total / 8,
            mean: total / 12,
            media_type: String::new(),
        };
        row(
            "tank",
            Some(Ok(PoolQueryResp {
                state: "Ready".to_owned(),
                total_targets: 4,
                active_targets: 4,
                tier_stats: vec![tier(4_000_000_000), tier(60_000_000_000)],
                ..PoolQueryResp::default()
            })),
        )
    }

    fn text(report: &Report) -> String {
        String::from_utf8(report.text.clone()).unwrap()
    }

    #[test]
    fn the_table_sums_both_tiers() {
        insta::assert_snapshot!(text(&report(&[answered()], false)), @r"
        Pool Size  State Used Imbalance Disabled
        ---- ----  ----- ---- --------- --------
        tank 64 GB Ready 25%  25%       0/4
        ");
    }

    #[test]
    fn verbose_shows_each_tier() {
        insta::assert_snapshot!(text(&report(&[answered()], true)), @r"
        Label UUID                                 State SvcReps SCM Size SCM Used SCM Imbalance NVME Size NVME Used NVME Imbalance Disabled
        ----- ----                                 ----- ------- -------- -------- ------------- --------- --------- -------------- --------
        tank  5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d Ready 0       4.0 GB   1.0 GB   25%           60 GB     15 GB     25%            0/4
        ");
    }

    #[test]
    fn a_pool_that_does_not_answer_is_listed_and_fails_the_command() {
        let silent = Failure::new(Status::TimedOut, "rank 3 does not answer");
        let report = report(&[answered(), row("lost", Some(Err(silent)))], false);
        insta::assert_snapshot!(text(&report), @r"
        Pool Size  State Used Imbalance Disabled
        ---- ----  ----- ---- --------- --------
        tank 64 GB Ready 25%  25%       0/4
        lost -     Ready -    -         -
        ");
        assert_eq!(report.response["pools"][1]["query_status"], -1011);
        let failure = report.failure.expect("one pool did not answer");
        assert_eq!(failure.message, "1 of 2 pools did not answer; `lost`: rank 3 does not answer");
    }

    #[test]
    fn no_pools_and_no_query_are_no_failures() {
        assert_eq!(text(&report(&[], false)), "No pools in system\n");
        let unasked = report(&[row("tank", None)], false);
        assert!(unasked.failure.is_none());
        assert_eq!(unasked.response["pools"][0]["query_error"], Value::Null);
    }
}
