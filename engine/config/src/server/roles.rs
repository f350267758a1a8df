//! Roles of block tiers: DAOS's rules (faults 309 and 312 to 319) and the defaults with metadata on SSD.

use types::FaultName;

use super::tier::{Tier, Tiers};
use crate::report::Report;
use crate::settings::{BlockTier, Role, Roles, ScmClass};

/// Most block tiers with roles: there are three roles and each is in one tier.
const MAX_TIERS: usize = 3;

/// The block tiers with their roles settled, or with a finding for each rule they break.
pub(super) fn settle(report: &mut Report, tiers: &Tiers, control_metadata: bool) -> Vec<BlockTier> {
    let blocks = &tiers.blocks;
    let mut settled: Vec<BlockTier> = blocks.iter().map(|tier| tier.value.clone()).collect();
    let (Some(scm), Some(first)) = (&tiers.scm, blocks.first()) else { return settled };
    for tier in blocks.iter().filter(|tier| tier.value.class.is_emulated() != first.value.class.is_emulated()) {
        let (here, there) = (tier.value.class.as_str(), first.value.class.as_str());
        at(
            report,
            tier,
            "class",
            FaultName::BdevConfigTierTypeMismatch,
            format!("a tier of class `{here}` beside one of class `{there}`"),
            "use either `nvme` or the emulated classes `file` and `kdev` in one server",
        );
    }
    if blocks.iter().any(|tier| !report.clean(&tier.section.at("bdev_roles"))) {
        return settled;
    }
    if blocks.iter().all(|tier| tier.value.roles == Roles::NONE) {
        match (control_metadata, scm.value.class) {
            (false, _) if blocks.len() > 1 => at(
                report,
                &blocks[1],
                "class",
                FaultName::BdevConfigMultiTierWithoutRoles,
                format!("{} block tiers without roles", blocks.len()),
                match scm.value.class {
                    ScmClass::Ram => {
                        "keep one block tier, or set `control_metadata.path` and `bdev_roles` of every tier"
                    }
                    ScmClass::Dcpm => "keep one block tier: beside class `dcpm` it holds bulk data only",
                },
            ),
            (false, _) => {}
            (true, ScmClass::Dcpm) => at(
                report,
                first,
                "class",
                FaultName::BdevConfigControlMetadataNoRoles,
                "`control_metadata` is set but the block tiers have no roles and the memory tier is of class `dcpm`"
                    .to_owned(),
                "remove `control_metadata`, or use a memory tier of class `ram`",
            ),
            (true, ScmClass::Ram) if blocks.len() > MAX_TIERS => too_many(report, blocks),
            (true, ScmClass::Ram) => {
                let defaults = defaults(blocks.len());
                settled.iter_mut().zip(defaults).for_each(|(tier, roles)| tier.roles = roles);
            }
        }
        return settled;
    }
    if scm.value.class == ScmClass::Dcpm {
        for tier in blocks.iter().filter(|tier| tier.value.roles != Roles::NONE) {
            at(
                report,
                tier,
                "bdev_roles",
                FaultName::BdevConfigRolesWithDCPM,
                "roles beside a memory tier of class `dcpm`, which keeps its metadata itself".to_owned(),
                "remove `bdev_roles`, or use a memory tier of class `ram`",
            );
        }
        return settled;
    }
    with_roles(report, blocks, control_metadata);
    settled
}

/// What each tier gets when none says anything.
fn defaults(tiers: usize) -> Vec<Roles> {
    match tiers {
        1 => vec![Roles::ALL],
        2 => vec![Roles::of(&[Role::Wal]), Roles::of(&[Role::Meta, Role::Data])],
        _ => Role::ALL.iter().map(|role| Roles::of(&[*role])).collect(),
    }
}

fn with_roles(report: &mut Report, blocks: &[Tier<BlockTier>], control_metadata: bool) {
    if blocks.len() > MAX_TIERS {
        too_many(report, blocks);
    }
    let mut missing = false;
    for tier in blocks.iter().filter(|tier| tier.value.roles == Roles::NONE) {
        missing = true;
        at(
            report,
            tier,
            "class",
            FaultName::BdevConfigRolesMissing,
            "a block tier without roles beside one with roles".to_owned(),
            "set `bdev_roles` of every block tier or of none",
        );
    }
    if !control_metadata && let Some(tier) = blocks.iter().find(|tier| tier.value.roles != Roles::NONE) {
        at(
            report,
            tier,
            "bdev_roles",
            FaultName::BdevConfigRolesNoControlMetadata,
            "roles without `control_metadata`".to_owned(),
            "set `control_metadata.path` at the top level, or remove `bdev_roles`",
        );
    }
    let no_meta = |roles: Roles| roles.has(Role::Wal) && roles.has(Role::Data) && !roles.has(Role::Meta);
    let mut split = false;
    for tier in blocks.iter().filter(|tier| no_meta(tier.value.roles)) {
        split = true;
        at(
            report,
            tier,
            "bdev_roles",
            FaultName::BdevConfigRolesWalDataNoMeta,
            "the roles `wal` and `data` without `meta` in one tier".to_owned(),
            "give the tier `meta` too, or move `wal` or `data` to another tier",
        );
    }
    if missing || split {
        return; // the counts below follow from these findings
    }
    for role in Role::ALL {
        let having: Vec<&Tier<BlockTier>> = blocks.iter().filter(|tier| tier.value.roles.has(role)).collect();
        let place = match having.len() {
            1 => continue,
            0 => &blocks[0],
            _ => having[1],
        };
        at(
            report,
            place,
            "bdev_roles",
            FaultName::BdevConfigRolesBadNr,
            format!("the role `{}` is in {} block tiers instead of one", role.as_str(), having.len()),
            "give each of `wal`, `meta` and `data` to exactly one block tier",
        );
    }
}

fn too_many(report: &mut Report, blocks: &[Tier<BlockTier>]) {
    at(
        report,
        &blocks[MAX_TIERS],
        "class",
        FaultName::BdevConfigBadNrTiersWithRoles,
        format!("{} block tiers with metadata on SSD, more than {MAX_TIERS}", blocks.len()),
        "merge block tiers until there are at most three",
    );
}

fn at(report: &mut Report, tier: &Tier<BlockTier>, key: &str, name: FaultName, problem: String, remedy: &str) {
    report.fault(name, tier.section.mark_of(key), &tier.section.at(key), problem, remedy);
}
