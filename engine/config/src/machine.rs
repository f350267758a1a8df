//! Memory: what the settings mean on a machine of a given size.
//!
//! The formulas are DAOS's (server/storage/scm.go, server/config/server.go) with two changes, so that a virtual
//! machine of 4 GiB can run an engine: the share of the system scales with the machine when it is not set, and engines
//! without real NVMe need neither hugepages nor the large reserve of SPDK.

use types::{Fault, FaultName, Size};

use crate::settings::{BlockClass, EngineConfig, ScmClass, ServerConfig};
use crate::{Finding, Severity};

/// What a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// `MemTotal` of /proc/meminfo.
    pub mem_total_kib: u64,
    /// `Hugepagesize` of /proc/meminfo.
    pub hugepage_kib: u64,
    /// Cores that the server may use.
    pub cores: u32,
    /// NUMA nodes.
    pub numa_nodes: u32,
}

/// The system's share when `system_ram_reserved` is not set: a quarter of memory, between these two. DAOS takes a
/// fixed 16 GiB (2.6) or 64 GiB (2.8), more than many machines have.
const SYSTEM_LEAST: Size = Size::gib(1);
const SYSTEM_MOST: Size = Size::gib(16);

/// An engine's own memory for each target.
const RESERVE_PER_TARGET: Size = Size::mib(128);
/// Its least on real NVMe, where SPDK and DPDK take their share.
const RESERVE_LEAST_NVME: Size = Size::gib(1);
/// Its least otherwise: buffers and tables of our own.
const RESERVE_LEAST: Size = Size::mib(256);

/// Hugepage memory of one target with NVMe.
const HUGEPAGES_PER_TARGET: Size = Size::gib(1);

/// Least computed ramdisk. DAOS asks for 4 GiB, which holds here for written sizes only.
const RAMDISK_LEAST: Size = Size::gib(1);

/// Memory left to the system.
pub fn system_ram_reserved_bytes(config: &ServerConfig, machine: &Machine) -> u64 {
    match config.system_ram_reserved {
        Some(gib) => Size::gib(u64::from(gib)).bytes(),
        None => (machine.mem_total_kib * 1024 / 4).clamp(SYSTEM_LEAST.bytes(), SYSTEM_MOST.bytes()),
    }
}

/// Hugepages that the server sets up for all engines: `nr_hugepages` if set, otherwise 1 GiB for each target with
/// NVMe and for the service thread of each engine with metadata on SSD; none without NVMe.
pub fn hugepages(config: &ServerConfig, machine: &Machine) -> u64 {
    if config.disable_hugepages {
        return 0;
    }
    if config.nr_hugepages > 0 {
        return u64::from(config.nr_hugepages);
    }
    let units: u64 = config
        .engines
        .iter()
        .filter(|engine| has_nvme(engine))
        .map(|engine| {
            let alone_on_pmem = engine.scm.class == ScmClass::Dcpm && engine.targets == 1;
            u64::from(engine.targets) + u64::from(engine.metadata_on_ssd() || alone_on_pmem)
        })
        .sum();
    units * HUGEPAGES_PER_TARGET.bytes() / (machine.hugepage_kib.max(1) * 1024)
}

/// Memory of one engine beside its ramdisk: 128 MiB for each target, at least 1 GiB with NVMe and 256 MiB without.
pub fn engine_reserve_bytes(engine: &EngineConfig) -> u64 {
    let least = if has_nvme(engine) { RESERVE_LEAST_NVME } else { RESERVE_LEAST };
    (u64::from(engine.targets) * RESERVE_PER_TARGET.bytes()).max(least.bytes())
}

/// Bytes of memory for the arenas of each engine, in both classes of memory tier: `scm_size` if set, otherwise an equal part of what
/// hugepages, the system and the engines leave. All engines have the same, as `scm_size` is refused when one part cannot hold it.
pub fn ramdisk_bytes(config: &ServerConfig, machine: &Machine) -> Result<u64, Fault> {
    let engines = config.engines.len() as u64;
    if engines == 0 {
        return Ok(0);
    }
    let total = machine.mem_total_kib * 1024;
    let pages = hugepages(config, machine).saturating_mul(machine.hugepage_kib * 1024);
    let system = system_ram_reserved_bytes(config, machine);
    let reserve: u64 = config.engines.iter().map(engine_reserve_bytes).sum();
    let taken = pages.saturating_add(system).saturating_add(reserve);
    let each = total.saturating_sub(taken) / engines;
    // Whole MiB, so that targets divide it evenly and the number can be read.
    let each = each >> 20 << 20;
    let account = format!(
        "of {} of memory, {} go to hugepages, {} to the system and {} to {} engines",
        gib(total),
        gib(pages),
        gib(system),
        gib(reserve),
        config.engines.len()
    );
    let written = config.engines.iter().map(|engine| u64::from(engine.scm.size_gib)).max().unwrap_or(0);
    let written = Size::gib(written).bytes();
    if each < RAMDISK_LEAST.bytes() {
        let least = taken.saturating_add(RAMDISK_LEAST.bytes() * engines);
        return Err(Fault::new(
            FaultName::ScmRamdiskLowMem,
            format!(
                "total memory insufficient for the memory tiers: want {}, have {}; {account}",
                gib(least),
                gib(total)
            ),
            "reduce `targets`, `nr_hugepages` or `system_ram_reserved`, or add memory, and restart daos_server",
        ));
    }
    if written > each {
        return Err(Fault::new(
            FaultName::ServerConfigRamdiskOverMaxMem,
            format!(
                "`scm_size` is {} GiB, more than the {} that each engine can have; {account}",
                written >> 30,
                gib(each)
            ),
            format!("set `scm_size` to {} or less, or to 0 to have it computed, and restart daos_server", each >> 30),
        ));
    }
    Ok(if written > 0 { written } else { each })
}

/// In the unit of `scm_size` and `system_ram_reserved`.
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}

fn has_nvme(engine: &EngineConfig) -> bool {
    engine.bdevs.iter().any(|tier| tier.class == BlockClass::Nvme)
}

/// What the settings ask of the machine and it does not have.
pub fn check_machine(config: &ServerConfig, machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |severity, name, path: String, description: String, resolution: &str| {
        findings.push(Finding {
            severity,
            name,
            line: 0,
            column: 0,
            path,
            description,
            resolution: resolution.to_owned(),
        });
    };
    let bad = FaultName::ServerConfigBadConfig;
    for (index, engine) in config.engines.iter().enumerate() {
        if let Some(node) = engine.pinned_numa_node.filter(|node| *node >= machine.numa_nodes) {
            let description = format!("`pinned_numa_node` is {node}, but the machine has {} nodes", machine.numa_nodes);
            let path = format!("engines[{index}].pinned_numa_node");
            find(Severity::Error, bad, path, description, "pin the engine to a node that exists, counted from 0");
        }
        if let Some(core) = engine.first_core.filter(|core| *core >= machine.cores) {
            let description = format!("`first_core` is {core}, but the machine has {} cores", machine.cores);
            let path = format!("engines[{index}].first_core");
            find(Severity::Error, bad, path, description, "choose a core that exists, counted from 0");
        }
    }
    let threads: u64 =
        config.engines.iter().map(|engine| u64::from(engine.targets) + u64::from(engine.nr_xs_helpers)).sum();
    if threads > u64::from(machine.cores) {
        let description = format!("{threads} targets and helper threads on {} cores", machine.cores);
        find(
            Severity::Notice,
            bad,
            "engines".to_owned(),
            description,
            "reduce `targets` or `nr_xs_helpers` so that each thread has a core",
        );
    }
    if let Err(fault) = ramdisk_bytes(config, machine) {
        let path = if fault.name == FaultName::ServerConfigRamdiskOverMaxMem {
            let fixed = config.engines.iter().position(|engine| engine.scm.size_gib > 0).unwrap_or(0);
            format!("engines[{fixed}].storage[0].scm_size")
        } else if config.system_ram_reserved.is_some() {
            "system_ram_reserved".to_owned()
        } else {
            "engines".to_owned()
        };
        find(Severity::Error, fault.name, path, fault.description, &fault.resolution);
    }
    findings
}

#[cfg(test)]
mod tests;
