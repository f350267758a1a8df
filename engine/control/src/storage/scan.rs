//! What storage this host has, by its settings and as found.

use std::fs;
use std::path::Path;

use wire::proto::ctl::{BdevDevice, MemInfo, ScmMount, StorageScanResp};

use super::{bdev, scm, superblock::Superblock};
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
    let superblock = Superblock::read(&storage.folder).ok().flatten();
    let formatted = superblock.is_some();
    let uuid = superblock.map(|superblock| superblock.uuid.to_string()).unwrap_or_default();
    let conf = if formatted { storage.read_conf().ok() } else { None };
    let tiers = storage.engine.bdevs.iter();
    tiers
        .flat_map(|tier| tier.devices.iter().map(move |path| (tier, path)))
        .map(|(tier, path)| {
            let recorded = conf.iter().flat_map(|conf| &conf.tiers).flat_map(|tier| &tier.devices);
            let recorded = recorded.filter(|device| device.path == *path).map(|device| device.bytes).next();
            BdevDevice {
                path: path.clone(),
                class: tier.class.as_str().to_owned(),
                roles: tier.roles.iter().map(|role| role.as_str().to_owned()).collect(),
                total_bytes: recorded
                    .or_else(|| bdev::size(Path::new(path)).ok())
                    .unwrap_or(u64::from(tier.size_gib) << 30),
                formatted,
                state: if formatted { "NORMAL" } else { "NEW" }.to_owned(),
                engine: instance.index,
                uuid: uuid.clone(),
            }
        })
        .collect()
}

fn memory_tier(instance: &Instance) -> ScmMount {
    let tier = &instance.storage.engine.scm;
    let mounted = scm::tmpfs(&tier.mount);
    let total = mounted.map_or(instance.storage.scm_bytes, |usage| usage.total);
    let available = mounted.map_or(total, |usage| usage.available);
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
