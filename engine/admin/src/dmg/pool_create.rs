//! `dmg pool create`: how large, on which ranks, for whom.
//!
//! Either a total size (`--size`, or a share of the free space) with a tier ratio, or the sizes per rank of both tiers.

use std::str::FromStr;

use agent::grpc::within;
use clap::Args;
use serde_json::{Value, json};
use types::{Label, Size};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::mgmt::{PoolCreateReq, PoolCreateResp};

use super::{CHANGE_TIMEOUT, Settings, ask};
use crate::output::{Report, Setting, fold_ranks};
use crate::owner::{own_group, own_user};

/// Arguments of `dmg pool create`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the pool: 1 to 127 of letters, digits and :._-
    pub label: Label,
    /// Total over all ranks, as in 8GiB, or a share of the free space, as in 50%
    #[arg(short = 'z', long, required_unless_present = "scm_size", conflicts_with_all = ["scm_size", "nvme_size"])]
    pub size: Option<Total>,
    /// Percentage of --size in each tier, as in 6,94 or 6
    #[arg(short = 't', long, value_name = "SCM%[,NVME%]", requires = "size", conflicts_with = "scm_size")]
    pub tier_ratio: Option<TierRatio>,
    /// Number of ranks to use, chosen by the system
    #[arg(short = 'k', long, conflicts_with = "ranks", value_parser = clap::value_parser!(u32).range(1..))]
    pub nranks: Option<u32>,
    /// SCM (metadata) per rank
    #[arg(short, long, visible_alias = "meta-size", value_name = "SIZE")]
    pub scm_size: Option<Size>,
    /// NVMe (data) per rank
    #[arg(short, long, visible_alias = "data-size", value_name = "SIZE", requires = "scm_size")]
    pub nvme_size: Option<Size>,
    /// Ranks to use, as in 0,2-4; all that have joined when absent
    #[arg(short, long, value_name = "RANKS")]
    pub ranks: Option<RankList>,
    /// Properties as name:value, divided by commas
    #[arg(short = 'P', long, value_delimiter = ',', value_name = "NAME:VALUE")]
    pub properties: Vec<Setting>,
    /// Number of pool service replicas
    #[arg(short = 'v', long, value_parser = clap::value_parser!(u32).range(1..))]
    pub nsvc: Option<u32>,
    /// Owner, as in alice@; the caller when absent
    #[arg(short, long)]
    pub user: Option<String>,
    /// Owning group, as in users@; the caller's when absent
    #[arg(short, long)]
    pub group: Option<String>,
}

/// `--size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Bytes over all ranks.
    Bytes(Size),
    /// Percent of what is free.
    Percent(u32),
}

impl FromStr for Total {
    type Err = String;
    fn from_str(text: &str) -> Result<Total, String> {
        let Some(percent) = text.trim().strip_suffix('%') else {
            let size: Size = text.parse().map_err(|error: types::ParseSizeError| error.to_string())?;
            return if size.bytes() == 0 {
                Err("a pool needs a size above 0".to_owned())
            } else {
                Ok(Total::Bytes(size))
            };
        };
        match percent.trim().parse::<u32>() {
            Ok(percent @ 1..=100) => Ok(Total::Percent(percent)),
            _ => Err(format!("`{text}` is not a share: a whole percentage from 1% to 100%")),
        }
    }
}

/// `--tier-ratio`: the share of SCM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TierRatio(f64);

impl FromStr for TierRatio {
    type Err = String;
    fn from_str(text: &str) -> Result<TierRatio, String> {
        let bad = || format!("`{text}` is not a ratio: percentages that add up to 100, as in `6,94`");
        let percent = |part: &str| part.trim().trim_end_matches('%').parse::<f64>().map_err(|_| bad());
        let (scm, nvme) = match text.split_once(',') {
            Some((scm, nvme)) => (percent(scm)?, percent(nvme)?),
            None => (percent(text)?, 100.0 - percent(text)?),
        };
        let sound = scm > 0.0 && nvme >= 0.0 && (scm + nvme - 100.0).abs() < 1e-6;
        if sound { Ok(TierRatio(scm / 100.0)) } else { Err(bad()) }
    }
}

/// Most ranks one argument may name; a pool cannot have more (16-bit group number, DAOS's limit on targets).
const MAX_RANKS: usize = 65_536;

/// `--ranks`: numbers and ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankList(Vec<u32>);

impl FromStr for RankList {
    type Err = String;
    fn from_str(text: &str) -> Result<RankList, String> {
        let bad = || format!("`{text}` is not a list of ranks: numbers and ranges, as in `0,2-4`");
        let inner = text.trim();
        let inner = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(inner);
        let mut ranks = Vec::new();
        for part in inner.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |digits: &str| digits.trim().parse::<u32>().map_err(|_| bad());
            let (first, last) = (number(first)?, number(last)?);
            if first > last || (last - first) as usize >= MAX_RANKS - ranks.len() {
                return Err(bad());
            }
            ranks.extend(first..=last);
        }
        ranks.sort_unstable();
        ranks.dedup();
        Ok(RankList(ranks))
    }
}

pub(super) async fn run(settings: &Settings, arguments: Arguments) -> Result<Report, Failure> {
    let request = request(&settings.system, arguments, Uuid::new_v4());
    let answer = ask(settings, |mut service| {
        let request = within(CHANGE_TIMEOUT, request.clone());
        async move { service.pool_create(request).await }
    })
    .await?;
    Ok(report(&request, &answer))
}

fn request(system: &str, arguments: Arguments, uuid: Uuid) -> PoolCreateReq {
    let Arguments { label, size, tier_ratio, nranks, scm_size, nvme_size, ranks, properties, nsvc, user, group } =
        arguments;
    let (total_bytes, percent) = match size {
        Some(Total::Bytes(size)) => (size.bytes(), 0),
        Some(Total::Percent(percent)) => (0, percent),
        None => (0, 0),
    };
    PoolCreateReq {
        sys: system.to_owned(),
        uuid: uuid.to_string(),
        label: label.to_string(),
        user: user.unwrap_or_else(own_user),
        group: group.unwrap_or_else(own_group),
        total_bytes,
        percent,
        tier_ratio: tier_ratio.map_or(0.0, |ratio| ratio.0),
        scm_bytes: scm_size.map_or(0, Size::bytes),
        nvme_bytes: nvme_size.map_or(0, Size::bytes),
        ranks: ranks.map_or_else(Vec::new, |list| list.0),
        num_ranks: nranks.unwrap_or(0),
        num_svc_reps: nsvc.unwrap_or(0),
        properties: properties.into_iter().map(Setting::into_property).collect(),
    }
}

fn report(request: &PoolCreateReq, answer: &PoolCreateResp) -> Report {
    let response: Value = json!({
        "uuid": answer.uuid,
        "label": request.label,
        "svc_ldr": answer.svc_ldr,
        "svc_reps": answer.svc_reps,
        "tgt_ranks": answer.tgt_ranks,
        "tier_bytes": answer.tier_bytes,
        "mem_file_bytes": answer.mem_file_bytes,
        "md_on_ssd_active": answer.md_on_ssd_active,
    });
    Report::new(created_lines(request, answer), response)
}

fn created_lines(request: &PoolCreateReq, answer: &PoolCreateResp) -> String {
    let ranks = answer.tgt_ranks.len() as u64;
    let per_rank: u64 = answer.tier_bytes.iter().sum();
    let names = match answer.md_on_ssd_active {
        true => ["Metadata Storage", "Data Storage"],
        false => ["Storage tier 0 (SCM)", "Storage tier 1 (NVMe)"],
    };
    let mut lines = vec![
        ("UUID", answer.uuid.clone()),
        ("Label", request.label.clone()),
        ("Service Leader", answer.svc_ldr.to_string()),
        ("Service Ranks", fold_ranks(&answer.svc_reps)),
        ("Storage Ranks", fold_ranks(&answer.tgt_ranks)),
        ("Total Size", Size(per_rank.saturating_mul(ranks)).to_string()),
    ];
    for (name, bytes) in names.into_iter().zip(&answer.tier_bytes) {
        lines.push((name, format!("{} ({} / rank)", Size(bytes.saturating_mul(ranks)), Size(*bytes))));
    }
    if answer.md_on_ssd_active {
        let bytes = answer.mem_file_bytes;
        lines.push(("Memory File Size", format!("{} ({} / rank)", Size(bytes.saturating_mul(ranks)), Size(bytes))));
    }
    let shares: Vec<String> = answer
        .tier_bytes
        .iter()
        .map(|bytes| format!("{:.2}%", 100.0 * *bytes as f64 / (per_rank.max(1)) as f64))
        .collect();
    let title = format!("Pool created with {} storage tier ratio", shares.join(","));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let body: String = lines.iter().map(|(name, value)| format!("  {name:width$}: {value}\n")).collect();
    format!("{title}\n{}\n{body}", "-".repeat(title.len()))
}

#[cfg(test)]
#[path = "pool_create_tests.rs"]
mod tests;
