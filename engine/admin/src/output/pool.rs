//! A pool as text and JSON, the same in `dmg pool query` and `daos pool query`.

use serde_json::{Value, json};
use types::Size;
use wire::proto::mgmt::{PoolQueryResp, TierStats};

/// As DAOS prints a pool query.
pub fn pool_text(pool: &PoolQueryResp) -> String {
    let PoolQueryResp { uuid, label, total_targets, disabled_targets, svc_ldr, version, state, .. } = pool;
    let name = if label.is_empty() { uuid.clone() } else { format!("{uuid} ({label})") };
    let mut text = format!(
        "Pool {name}, ntarget={total_targets}, disabled={disabled_targets}, leader={svc_ldr}, version={version}, \
         state={state}\nPool health info:\n- {}\nPool space info:\n- Target count: {}\n",
        if *disabled_targets == 0 { "Rebuild idle, 0 objs, 0 recs" } else { "Degraded" },
        pool.active_targets,
    );
    if pool.mem_file_bytes > 0 {
        text.push_str(&format!("- Total memory-file size: {}\n", Size(pool.mem_file_bytes)));
    }
    for (index, tier) in pool.tier_stats.iter().enumerate() {
        let TierStats { total, free, min, max, mean, .. } = *tier;
        text.push_str(&format!(
            "- {}:\n  Total size: {}\n  Free: {}, min:{}, max:{}, mean:{}\n",
            tier_name(pool, index),
            Size(total),
            Size(free),
            Size(min),
            Size(max),
            Size(mean),
        ));
    }
    text.push_str(&format!("Containers: {}\n", pool.containers));
    text
}

fn tier_name(pool: &PoolQueryResp, index: usize) -> String {
    let media = pool.tier_stats.get(index).map_or("", |tier| tier.media_type.as_str());
    match (pool.md_on_ssd_active, index) {
        (true, 0) => "Metadata storage".to_owned(),
        (true, 1) => "Data storage".to_owned(),
        _ => format!("Storage tier {index} ({})", media_name(media, index)),
    }
}

fn media_name(media: &str, index: usize) -> String {
    match (media.to_ascii_lowercase().as_str(), index) {
        ("nvme", _) => "NVMe".to_owned(),
        ("", 0) => "SCM".to_owned(),
        ("", _) => "NVMe".to_owned(),
        (other, _) => other.to_uppercase(),
    }
}

/// Share of `total` that is not free, as a whole percentage.
pub fn used_percent(total: u64, free: u64) -> u64 {
    let used = u128::from(total.saturating_sub(free));
    u64::try_from((used * 100).checked_div(u128::from(total)).unwrap_or(0)).unwrap_or(100)
}

/// DAOS's `PoolInfo`.
pub fn pool_json(pool: &PoolQueryResp) -> Value {
    let tiers: Vec<Value> = pool
        .tier_stats
        .iter()
        .map(|TierStats { total, free, min, max, mean, media_type }| {
            json!({"total": total, "free": free, "min": min, "max": max, "mean": mean, "media_type": media_type})
        })
        .collect();
    json!({
        "uuid": pool.uuid,
        "label": pool.label,
        "state": pool.state,
        "total_targets": pool.total_targets,
        "active_targets": pool.active_targets,
        "total_engines": pool.total_engines,
        "disabled_targets": pool.disabled_targets,
        "version": pool.version,
        "svc_ldr": pool.svc_ldr,
        "svc_reps": pool.svc_reps,
        "tier_stats": tiers,
        "enabled_ranks": pool.enabled_ranks,
        "disabled_ranks": pool.disabled_ranks,
        "pool_layout_ver": pool.pool_layout_ver,
        "mem_file_bytes": pool.mem_file_bytes,
        "md_on_ssd_active": pool.md_on_ssd_active,
        "containers": pool.containers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(md_on_ssd_active: bool) -> PoolQueryResp {
        let tier = |total, media: &str| TierStats {
            total,
            free: total / 2,
            min: total / 8,
            max: total / 4,
            mean: total / 6,
            media_type: media.to_owned(),
        };
        PoolQueryResp {
            uuid: "5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d".to_owned(),
            label: "tank".to_owned(),
            state: "Ready".to_owned(),
            total_targets: 4,
            active_targets: 4,
            total_engines: 1,
            version: 1,
            svc_reps: vec![0],
            enabled_ranks: vec![0],
            tier_stats: vec![tier(8_000_000_000, "scm"), tier(120_000_000_000, "nvme")],
            containers: 2,
            md_on_ssd_active,
            ..PoolQueryResp::default()
        }
    }

    #[test]
    fn tiers_are_named_by_their_medium() {
        insta::assert_snapshot!(pool_text(&pool(false)), @r"
        Pool 5a3c9b1e-0d5f-4a5e-9d0c-0e6f6a1b2c3d (tank), ntarget=4, disabled=0, leader=0, version=1, state=Ready
        Pool health info:
        - Rebuild idle, 0 objs, 0 recs
        Pool space info:
        - Target count: 4
        - Storage tier 0 (SCM):
          Total size: 8.0 GB
          Free: 4.0 GB, min:1.0 GB, max:2.0 GB, mean:1.3 GB
        - Storage tier 1 (NVMe):
          Total size: 120 GB
          Free: 60 GB, min:15 GB, max:30 GB, mean:20 GB
        Containers: 2
        ");
    }

    #[test]
    fn tiers_are_named_by_their_purpose_when_metadata_is_on_ssd() {
        let text = pool_text(&PoolQueryResp { mem_file_bytes: 4_000_000_000, ..pool(true) });
        assert!(text.contains("- Total memory-file size: 4.0 GB\n- Metadata storage:\n"), "{text}");
        assert!(text.contains("- Data storage:\n"), "{text}");
    }

    #[test]
    fn json_has_the_names_of_daos() {
        let json = pool_json(&pool(true));
        assert_eq!(json["tier_stats"][1]["media_type"], "nvme");
        assert_eq!(json["svc_reps"], json!([0]));
        assert_eq!(json["md_on_ssd_active"], json!(true));
    }

    #[test]
    fn percentages_do_not_overflow_or_divide_by_zero() {
        for (total, free, percent) in [(0, 0, 0), (10, 10, 0), (10, 0, 100), (3, 2, 33), (u64::MAX, 0, 100), (1, 5, 0)]
        {
            assert_eq!(used_percent(total, free), percent, "{total} {free}");
        }
    }
}
