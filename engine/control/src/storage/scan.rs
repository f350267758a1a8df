//! What storage this host has, by its settings and as found.

use std::fs;
use std::path::Path;

use config::ScmClass;
use media::Inspection;
use wire::proto::ctl::{BdevDevice, MemInfo, ScmMount, StorageScanResp};

use super::mount::Usage;
use super::{bdev, pmem, scm, superblock::Superblock};
use crate::engine::Instance;
use crate::harness::Harness;
use crate::system::membership::NO_RANK;

/// Looks at everything. Blocks on the disks.
pub(crate) fn scan(host: &str, harness: &Harness) -> StorageScanResp {
    StorageScanResp {
        host: host.to_owned(),
        bdevs: harness.iter().flat_map(devices).collect(),
        scm: harness.iter().map(memory_tier).collect(),
        mem: Some(memory()),
    }
}

fn devices(instance: &Instance) -> Vec<BdevDevice> {
    let storage = &instance.storage;
    let own = Superblock::read(&storage.folder).ok().flatten().map(|superblock| superblock.uuid);
    let tiers = storage.engine.bdevs.iter();
    tiers
        .flat_map(|tier| tier.devices.iter().map(move |path| (tier, path)))
        .map(|(tier, path)| {
            let inspection = media::inspect(Path::new(path));
            let (state, formatted, uuid) = match &inspection {
                Ok(Inspection::Formatted(label)) if Some(label.engine) == own => {
                    ("NORMAL", true, label.device.to_string())
                }
                // Of another engine, or of a format that was not finished.
                Ok(Inspection::Formatted(label)) => ("EVICTED", true, label.device.to_string()),
                Ok(Inspection::OtherVersion(_) | Inspection::Damaged(_)) => ("EVICTED", true, String::new()),
                Ok(Inspection::Unformatted) | Err(_) => ("NEW", false, String::new()),
            };
            BdevDevice {
                path: path.clone(),
                class: tier.class.as_str().to_owned(),
                roles: tier.roles.iter().map(|role| role.as_str().to_owned()).collect(),
                total_bytes: bdev::size(Path::new(path)).unwrap_or(u64::from(tier.size_gib) << 30),
                formatted,
                state: state.to_owned(),
                engine: instance.index,
                uuid,
            }
        })
        .collect()
}

fn memory_tier(instance: &Instance) -> ScmMount {
    let tier = &instance.storage.engine.scm;
    let (mounted, unmounted) = match tier.class {
        // What it will have, all of it free.
        ScmClass::Ram => {
            let bytes = instance.storage.scm_bytes;
            (scm::tmpfs(&tier.mount), Usage { total: bytes, available: bytes })
        }
        ScmClass::Dcpm => {
            let device = tier.device.as_deref().and_then(|device| bdev::size(device).ok());
            (pmem::usage(tier), Usage { total: device.unwrap_or(0), available: 0 })
        }
    };
    let Usage { total, available } = mounted.unwrap_or(unmounted);
    ScmMount {
        path: tier.mount.display().to_string(),
        class: tier.class.as_str().to_owned(),
        total_bytes: total,
        avail_bytes: available,
        usable_bytes: available,
        mounted: mounted.is_some(),
        engine: instance.index,
        rank: instance.snapshot().rank.unwrap_or(NO_RANK),
    }
}

/// Memory of this host, from /proc/meminfo.
pub(crate) fn memory() -> MemInfo {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    MemInfo {
        mem_total: field("MemTotal") * 1024,
        mem_available: field("MemAvailable") * 1024,
        hugepages_total: field("HugePages_Total"),
        hugepage_size: field("Hugepagesize") * 1024,
    }
}
