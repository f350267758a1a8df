//! How large a new pool is on each of its ranks. Pure: request and free space in, bytes per rank or a fault out.

use types::{Fault, FaultName, Rank, Size, Status};
use wire::fault::Failure;

/// Least SCM per target: below it the store's own structures leave no room for keys (DAOS: 16 MiB).
pub const MIN_SCM_PER_TARGET: u64 = 16 << 20;

/// Least NVMe per target (DAOS: one SPDK blob cluster, 1 GiB).
pub const MIN_NVME_PER_TARGET: u64 = 1 << 30;

/// Share of SCM in a total size without a ratio.
pub const DEFAULT_TIER_RATIO: f64 = 0.06;

/// Shares of a target are whole device blocks.
const BLOCK: u64 = 4096;

/// Ranks listed in a message before it is cut.
const MAX_LISTED_RANKS: usize = 8;

/// The size as asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// Over all ranks and both tiers.
    Total {
        /// Bytes.
        bytes: u64,
        /// Share of SCM, above 0 and at most 1.
        ratio: f64,
    },
    /// On each rank.
    PerRank {
        /// Bytes of SCM.
        scm: u64,
        /// Bytes of NVMe.
        nvme: u64,
    },
    /// Of what is free, 1 to 100.
    Percent(u32),
}

/// Free space of one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankSpace {
    /// The rank.
    pub rank: Rank,
    /// Its targets.
    pub targets: u32,
    /// Bytes of SCM not promised to a pool.
    pub scm_free: u64,
    /// Bytes of NVMe not promised to a pool.
    pub nvme_free: u64,
    /// False when the engine has no block tier of its own and bulk data shares the memory tier: the NVMe minimum does
    /// not apply.
    pub has_block_tier: bool,
}

/// The size of a pool on each of its ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerRank {
    /// Bytes of SCM.
    pub scm: u64,
    /// Bytes of NVMe.
    pub nvme: u64,
}

impl Wanted {
    /// From the fields of a request, of which exactly one way must be used; 0 means not given.
    pub fn from_fields(total: u64, percent: u32, ratio: f64, scm: u64, nvme: u64) -> Result<Wanted, Failure> {
        let invalid = |message: &str| {
            Failure::new(Status::Invalid, message)
                .with_resolution("give a total size, or SCM and NVMe sizes per rank, or a percentage of the free space")
        };
        if !ratio.is_finite() || !(0.0..=1.0).contains(&ratio) {
            return Err(invalid(&format!("the tier ratio {ratio} is not between 0 and 1")));
        }
        match (total, percent, scm, nvme) {
            (0, 0, 0, 0) => Err(invalid("no size is given for the pool")),
            (bytes, 0, 0, 0) => {
                Ok(Wanted::Total { bytes, ratio: if ratio == 0.0 { DEFAULT_TIER_RATIO } else { ratio } })
            }
            (0, percent @ 1..=100, 0, 0) => Ok(Wanted::Percent(percent)),
            (0, percent, 0, 0) => {
                Err(invalid(&format!("{percent} percent of the free space is not between 1 and 100")))
            }
            (0, 0, scm, nvme) => Ok(Wanted::PerRank { scm, nvme }),
            _ => Err(invalid("the pool's size is given in more than one way")),
        }
    }
}

/// Settles the size, or says which limit it breaks.
pub fn settle(wanted: Wanted, ranks: &[RankSpace]) -> Result<PerRank, Failure> {
    let count = ranks.len() as u64;
    let targets = ranks.iter().map(|rank| u64::from(rank.targets.max(1))).max().unwrap_or(1);
    let scm_least = ranks.iter().map(|rank| rank.scm_free).min().unwrap_or(0);
    let nvme_least = ranks.iter().map(|rank| rank.nvme_free).min().unwrap_or(0);
    let unrounded = match wanted {
        Wanted::Total { bytes, ratio } => {
            let per_rank = bytes / count.max(1);
            let scm = (per_rank as f64 * ratio) as u64;
            PerRank { scm, nvme: per_rank.saturating_sub(scm) }
        }
        Wanted::PerRank { scm, nvme } => PerRank { scm, nvme },
        Wanted::Percent(percent) => {
            let share = |free: u64| (u128::from(free) * u128::from(percent) / 100) as u64;
            PerRank { scm: share(scm_least), nvme: share(nvme_least) }
        }
    };
    let unit = targets * BLOCK;
    let size = PerRank { scm: unrounded.scm / unit * unit, nvme: unrounded.nvme / unit * unit };
    check_minimum(size, targets, ranks.iter().any(|rank| rank.has_block_tier))?;
    check_space(size, ranks)?;
    Ok(size)
}

/// A size with all its digits: rounded, what is asked for and what there is may look the same.
fn exact(bytes: u64) -> String {
    format!("{} ({bytes} bytes)", Size(bytes))
}

fn check_minimum(size: PerRank, targets: u64, block_tier: bool) -> Result<(), Failure> {
    let too_small = |name, tier: &str, given: u64, least: u64, per_target: u64| {
        Failure::from(Fault::new(
            name,
            format!(
                "{} of {tier} per rank is too small: {targets} targets of {} need {}",
                exact(given),
                Size(per_target),
                exact(least)
            ),
            format!("retry with at least {least} bytes of {tier} per rank"),
        ))
    };
    let (scm_least, nvme_least) = (targets * MIN_SCM_PER_TARGET, targets * MIN_NVME_PER_TARGET);
    if size.scm < scm_least {
        return Err(too_small(FaultName::ServerPoolScmTooSmall, "SCM", size.scm, scm_least, MIN_SCM_PER_TARGET));
    }
    // No NVMe at all is a choice (everything in SCM), a little of it is a mistake.
    if block_tier && size.nvme > 0 && size.nvme < nvme_least {
        return Err(too_small(FaultName::ServerPoolNvmeTooSmall, "NVMe", size.nvme, nvme_least, MIN_NVME_PER_TARGET));
    }
    Ok(())
}

fn check_space(size: PerRank, ranks: &[RankSpace]) -> Result<(), Failure> {
    let short: Vec<&RankSpace> =
        ranks.iter().filter(|rank| rank.scm_free < size.scm || rank.nvme_free < size.nvme).collect();
    if short.is_empty() {
        return Ok(());
    }
    let mut listed: Vec<String> = short
        .iter()
        .take(MAX_LISTED_RANKS)
        .map(|rank| format!("rank {} has {} SCM and {} NVMe", rank.rank, exact(rank.scm_free), exact(rank.nvme_free)))
        .collect();
    if short.len() > MAX_LISTED_RANKS {
        listed.push(format!("{} more ranks are short too", short.len() - MAX_LISTED_RANKS));
    }
    let message = format!(
        "not enough free space for {} SCM and {} NVMe per rank: {}",
        exact(size.scm),
        exact(size.nvme),
        listed.join(", ")
    );
    Err(Failure::new(Status::NoSpace, message)
        .with_resolution("ask for less, or for a percentage of the free space (`--size=100%`), or destroy a pool"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn space(rank: u32, scm_gib: u64, nvme_gib: u64) -> RankSpace {
        RankSpace {
            rank: Rank(rank),
            targets: 2,
            scm_free: scm_gib * GIB,
            nvme_free: nvme_gib * GIB,
            has_block_tier: true,
        }
    }

    #[test]
    fn exactly_one_way_of_giving_the_size() {
        assert_eq!(Wanted::from_fields(9, 0, 0.0, 0, 0), Ok(Wanted::Total { bytes: 9, ratio: DEFAULT_TIER_RATIO }));
        assert_eq!(Wanted::from_fields(0, 100, 0.0, 0, 0), Ok(Wanted::Percent(100)));
        assert_eq!(Wanted::from_fields(0, 0, 0.0, 1, 2), Ok(Wanted::PerRank { scm: 1, nvme: 2 }));
        for (total, percent, ratio, scm, nvme) in [
            (0, 0, 0.0, 0, 0),
            (1, 1, 0.0, 0, 0),
            (1, 0, 0.0, 1, 0),
            (0, 101, 0.0, 0, 0),
            (1, 0, 1.5, 0, 0),
            (1, 0, f64::NAN, 0, 0),
        ] {
            let refused = Wanted::from_fields(total, percent, ratio, scm, nvme);
            assert_eq!(refused.map_err(|failure| failure.status), Err(Status::Invalid));
        }
    }

    #[test]
    fn a_total_is_split_over_ranks_and_tiers() {
        let size = settle(Wanted::Total { bytes: 100 * GIB, ratio: 0.06 }, &[space(0, 9, 90), space(1, 9, 90)]);
        let size = size.expect("fits");
        assert_eq!(size.scm % 8192, 0);
        assert!(size.scm <= 3 * GIB && size.scm > 3 * GIB - 8192, "{size:?}");
        assert!(size.nvme <= 47 * GIB && size.nvme > 47 * GIB - 16384, "{size:?}");
    }

    #[test]
    fn a_percentage_is_of_the_smallest_rank() {
        let size = settle(Wanted::Percent(50), &[space(0, 8, 80), space(1, 4, 20)]).expect("fits");
        assert_eq!(size, PerRank { scm: 2 * GIB, nvme: 10 * GIB });
    }

    #[test]
    fn minimum_sizes_are_per_target() {
        let fault = |scm, nvme| settle(Wanted::PerRank { scm, nvme }, &[space(0, 9, 90)]).map_err(|f| f.fault);
        assert_eq!(fault(31 << 20, 2 * GIB), Err(Some(FaultName::ServerPoolScmTooSmall)));
        assert_eq!(fault(32 << 20, 2 * GIB - 8192), Err(Some(FaultName::ServerPoolNvmeTooSmall)));
        assert_eq!(fault(32 << 20, 2 * GIB), Ok(PerRank { scm: 32 << 20, nvme: 2 * GIB }));
        assert_eq!(fault(32 << 20, 0), Ok(PerRank { scm: 32 << 20, nvme: 0 }));
        let memory_only = RankSpace { has_block_tier: false, ..space(0, 9, 1) };
        let small = settle(Wanted::PerRank { scm: 32 << 20, nvme: 8192 }, &[memory_only]);
        assert_eq!(small, Ok(PerRank { scm: 32 << 20, nvme: 8192 }));
    }

    #[test]
    fn a_lack_of_space_says_what_each_rank_has() {
        let failure = settle(Wanted::PerRank { scm: 2 * GIB, nvme: 50 * GIB }, &[space(0, 9, 90), space(1, 1, 20)])
            .expect_err("rank 1 is short");
        assert_eq!(failure.status, Status::NoSpace);
        let expected = ": rank 1 has 1.1 GB (1073741824 bytes) SCM and 21 GB (21474836480 bytes) NVMe";
        assert!(failure.message.ends_with(expected), "{}", failure.message);
    }

    #[test]
    fn a_size_that_almost_fits_is_told_with_all_its_digits() {
        let two = |wanted| settle(wanted, &[space(0, 2, 90)]).expect_err("it does not fit").message;
        let lack = two(Wanted::PerRank { scm: 2 * GIB + 8192, nvme: 2 * GIB });
        assert!(
            lack.contains("for 2.1 GB (2147491840 bytes) SCM") && lack.contains("has 2.1 GB (2147483648 bytes) SCM")
        );
        let least = two(Wanted::PerRank { scm: GIB, nvme: 2 * GIB - 8192 });
        assert!(least.starts_with("2.1 GB (2147475456 bytes) of NVMe per rank is too small"), "{least}");
        assert!(least.ends_with("targets of 1.1 GB need 2.1 GB (2147483648 bytes)"), "{least}");
    }

    #[test]
    fn sizes_near_the_end_of_the_number_range_do_not_overflow() {
        assert!(settle(Wanted::Total { bytes: u64::MAX, ratio: 1.0 }, &[space(0, 1, 1)]).is_err());
        assert!(settle(Wanted::PerRank { scm: u64::MAX, nvme: u64::MAX }, &[space(0, 1, 1)]).is_err());
    }
}
