//! Rules that hold between engines, and between engines and the global section.

use std::collections::BTreeMap;

use types::FaultName;

use super::engine::Engine;
use crate::document::Mark;
use crate::reader::{Given, Section};
use crate::report::{Report, quote};
use crate::settings::{BlockClass, ControlMetadata, PciAddress, Roles, ScmClass};

/// What the global section says about engines.
pub(super) struct Context<'c> {
    pub(super) allow_numa_imbalance: bool,
    /// Where hugepages were disabled.
    pub(super) disable_hugepages: Option<Mark>,
    pub(super) bdev_exclude: &'c [Given<PciAddress>],
    pub(super) metadata_path: Option<&'c Given<ControlMetadata>>,
}

/// Checks every rule; values that were refused before take no part.
pub(super) fn check(report: &mut Report, engines: &[Engine], context: &Context<'_>) {
    unique(report, engines);
    equal(report, engines);
    devices(report, engines, context);
    targets_per_device(report, engines);
    numa(report, engines, context);
    if let Some(metadata) = context.metadata_path {
        metadata_is_durable(report, engines, metadata);
    }
}

/// The place of a key of one engine, if its value was given and accepted.
fn place<'s>(report: &Report, section: &'s Section, key: &str) -> Option<(&'s Section, Mark)> {
    (section.has(key) && report.good(&section.at(key))).then(|| (section, section.mark_of(key)))
}

/// Which fault two engines with the same value make, and how to speak about it.
struct Unique {
    name: FaultName,
    key: &'static str,
    what: &'static str,
}

fn unique(report: &mut Report, engines: &[Engine]) {
    let fabric = Unique {
        name: FaultName::ServerConfigDuplicateFabric,
        key: "fabric_iface_port",
        what: "provider, interface and port",
    };
    distinct(report, engines, &fabric, |report, engine| {
        place(report, &engine.section, "fabric_iface")?;
        let (section, mark) = place(report, &engine.section, "fabric_iface_port")?;
        let config = &engine.config;
        Some((section, mark, format!("{} {} {}", config.provider, config.fabric_iface, config.fabric_iface_port)))
    });
    let log = Unique { name: FaultName::ServerConfigDuplicateLogFile, key: "log_file", what: "log file" };
    distinct(report, engines, &log, |report, engine| {
        let (section, mark) = place(report, &engine.section, "log_file")?;
        Some((section, mark, engine.config.log_file.as_ref()?.display().to_string()))
    });
    let mount = Unique { name: FaultName::ServerConfigDuplicateScmMount, key: "scm_mount", what: "memory mount" };
    distinct(report, engines, &mount, |report, engine| {
        let (section, mark) = place(report, engine.scm.as_ref()?, "scm_mount")?;
        Some((section, mark, engine.config.scm.mount.display().to_string()))
    });
    let list = Unique {
        name: FaultName::ServerConfigDuplicateScmDeviceList,
        key: "scm_list",
        what: "persistent-memory device",
    };
    distinct(report, engines, &list, |report, engine| {
        let (section, mark) = place(report, engine.scm.as_ref()?, "scm_list")?;
        Some((section, mark, engine.config.scm.device.as_ref()?.display().to_string()))
    });
}

fn distinct<'e>(
    report: &mut Report,
    engines: &'e [Engine],
    rule: &Unique,
    value: impl Fn(&Report, &'e Engine) -> Option<(&'e Section, Mark, String)>,
) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, engine) in engines.iter().enumerate() {
        let Some((section, mark, text)) = value(report, engine) else { continue };
        if let Some(first) = seen.get(&text) {
            let what = rule.what;
            let problem = format!("engines {first} and {index} have the same {what} {}", quote(&text));
            report.fault(
                rule.name,
                mark,
                &section.at(rule.key),
                problem,
                format!("set `{}` of each engine to a value of its own", rule.key),
            );
        } else {
            seen.insert(text, index);
        }
    }
}

/// What must be the same in every engine: the control plane sizes memory and pools for one kind of engine.
fn equal(report: &mut Report, engines: &[Engine]) {
    let Some((first, rest)) = engines.split_first() else { return };
    for (index, engine) in rest.iter().enumerate() {
        let index = index + 1;
        let (one, other) = (&first.config, &engine.config);
        let mut differ = |section: Option<&Section>, key: &str, name, values: (String, String)| {
            let Some(section) = section.filter(|section| report.good(&section.at(key))) else { return };
            if values.0 == values.1 || !report.good(&first.section.at(key)) {
                return;
            }
            let problem = format!("engine {index} has `{key}` {}, engine 0 has {}", quote(&values.1), quote(&values.0));
            report.fault(
                name,
                section.mark_of(key),
                &section.at(key),
                problem,
                format!("set `{key}` of every engine to the same value"),
            );
        };
        let section = Some(&engine.section);
        differ(
            section,
            "targets",
            FaultName::ServerConfigTargetCountMismatch,
            (one.targets.to_string(), other.targets.to_string()),
        );
        differ(
            section,
            "nr_xs_helpers",
            FaultName::ServerConfigHelperStreamCountMismatch,
            (one.nr_xs_helpers.to_string(), other.nr_xs_helpers.to_string()),
        );
        differ(
            section,
            "provider",
            FaultName::ServerConfigBadProvider,
            (one.provider.to_string(), other.provider.to_string()),
        );
        differ(
            section,
            "disable_srx",
            FaultName::ServerConfigBadConfig,
            (one.disable_srx.to_string(), other.disable_srx.to_string()),
        );
        if first.scm.is_none() {
            continue;
        }
        let scm = engine.scm.as_ref();
        let classes = (one.scm.class.as_str().to_owned(), other.scm.class.as_str().to_owned());
        differ(scm, "class", FaultName::ServerConfigScmDiffClass, classes);
        if one.scm.class == ScmClass::Ram && other.scm.class == ScmClass::Ram {
            let values = (one.scm.hugepages_disabled.to_string(), other.scm.hugepages_disabled.to_string());
            differ(scm, "scm_hugepages_disabled", FaultName::ServerConfigScmHugeEnabled, values);
        }
        block_tiers(report, index, first, engine);
    }
}

fn block_tiers(report: &mut Report, index: usize, first: &Engine, engine: &Engine) {
    let usable = |engine: &Engine| engine.section.has("storage") && report.clean(&engine.section.at("storage"));
    if !usable(first) || !usable(engine) {
        return;
    }
    let (mark, path) = (engine.section.mark_of("storage"), engine.section.at("storage"));
    let roles = |engine: &Engine| {
        engine.config.bdevs.iter().map(|tier| tier.roles).filter(|roles| *roles != Roles::NONE).collect::<Vec<_>>()
    };
    if roles(first) != roles(engine) {
        let written = |roles: Vec<Roles>| {
            let tiers: Vec<String> = roles.iter().map(ToString::to_string).collect();
            if tiers.is_empty() { "no roles".to_owned() } else { quote(&tiers.join(" | ")) }
        };
        let problem = format!(
            "the block tiers of engine {index} have {}, those of engine 0 {}",
            written(roles(engine)),
            written(roles(first))
        );
        let remedy = "give the block tiers of every engine the same roles";
        report.fault(FaultName::ServerConfigEngineBdevRolesMismatch, mark, &path, problem, remedy);
    }
    let count = |engine: &Engine| engine.config.bdevs.iter().map(|tier| tier.devices.len()).sum::<usize>();
    if count(first) != count(engine) {
        let problem = format!("engine {index} has {} block devices, engine 0 has {}", count(engine), count(first));
        let remedy = "give every engine the same number of devices; pools are limited by the engine with the fewest";
        report.notice(FaultName::ServerConfigBdevCountMismatch, mark, &path, problem, remedy);
    }
}

/// Every device in one tier of one engine; none of them excluded; one kind in one server.
fn devices(report: &mut Report, engines: &[Engine], context: &Context<'_>) {
    let mut seen: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut kind: Option<BlockClass> = None;
    for (index, engine) in engines.iter().enumerate() {
        for (tier_index, (tier, section)) in engine.config.bdevs.iter().zip(&engine.blocks).enumerate() {
            let (mark, path) = (section.mark_of("bdev_list"), section.at("bdev_list"));
            for device in &tier.devices {
                match seen.get(device.as_str()) {
                    None => {
                        seen.insert(device, (index, tier_index));
                    }
                    Some((first, _)) if *first == index => {
                        let problem = format!("the device {} is in two tiers of engine {index}", quote(device));
                        report.fault(
                            FaultName::BdevDuplicatesInDeviceList,
                            mark,
                            &path,
                            problem,
                            "list each device in one tier",
                        );
                    }
                    Some((first, _)) => {
                        let problem = format!("engines {first} and {index} both list the device {}", quote(device));
                        let remedy = "list each device in `bdev_list` of one engine";
                        report.fault(FaultName::ServerConfigOverlappingBdevDeviceList, mark, &path, problem, remedy);
                    }
                }
                if tier.class == BlockClass::Nvme
                    && let Some(excluded) =
                        context.bdev_exclude.iter().find(|excluded| excluded.value.to_string() == *device)
                {
                    let problem = format!(
                        "the device {} is also in `bdev_exclude` on line {}",
                        quote(device),
                        excluded.mark.line
                    );
                    report.fault(
                        FaultName::ServerConfigBdevExcludeClash,
                        mark,
                        &path,
                        problem,
                        "remove it from one of the two lists",
                    );
                }
            }
            if tier.class == BlockClass::Nvme && context.disable_hugepages.is_some() {
                report.fault(
                    FaultName::ServerConfigHugepagesDisabledWithNvmeBdevs,
                    section.mark_of("class"),
                    &section.at("class"),
                    "a tier of class `nvme` needs hugepages, but `disable_hugepages` is true",
                    "remove `disable_hugepages`, or use the class `file` or `kdev`",
                );
            }
            // Within one engine the roles have reported it already.
            let first = *kind.get_or_insert(tier.class);
            if first.is_emulated() != tier.class.is_emulated() && tier_index == 0 && report.good(&section.at("class")) {
                let problem = format!(
                    "engine {index} has class `{}`, an engine before it `{}`",
                    tier.class.as_str(),
                    first.as_str()
                );
                let remedy = "use either `nvme` or the emulated classes `file` and `kdev` in one server";
                report.fault(
                    FaultName::BdevConfigTierTypeMismatch,
                    section.mark_of("class"),
                    &section.at("class"),
                    problem,
                    remedy,
                );
            }
        }
    }
}

/// An SSD's blobstore has room for 64 targets with one role each, and for a third of that with three (DAOS).
const BLOBS_PER_DEVICE: u32 = 64;

fn targets_per_device(report: &mut Report, engines: &[Engine]) {
    for engine in engines {
        for (tier, section) in engine.config.bdevs.iter().zip(&engine.blocks) {
            if tier.class != BlockClass::Nvme || tier.devices.is_empty() || !report.good(&engine.section.at("targets"))
            {
                continue;
            }
            let roles = u32::try_from(tier.roles.iter().count().max(1)).expect("three roles at most");
            let devices = u32::try_from(tier.devices.len()).unwrap_or(u32::MAX);
            let limit = (BLOBS_PER_DEVICE / roles).saturating_mul(devices);
            if engine.config.targets > limit {
                let problem = format!(
                    "{} targets on {devices} devices with {roles} roles each, more than {limit}",
                    engine.config.targets
                );
                report.error_at(
                    section.mark_of("bdev_list"),
                    &section.at("bdev_list"),
                    problem,
                    "reduce `targets` or list more devices",
                );
            }
        }
    }
}

/// As many engines on one NUMA node as on another, if every engine says where it is.
fn numa(report: &mut Report, engines: &[Engine], context: &Context<'_>) {
    let nodes: Vec<u32> = engines.iter().filter_map(|engine| engine.config.pinned_numa_node).collect();
    if context.allow_numa_imbalance || nodes.len() != engines.len() {
        return;
    }
    let mut count: BTreeMap<u32, usize> = BTreeMap::new();
    for node in &nodes {
        *count.entry(*node).or_default() += 1;
    }
    let (Some(most), Some(least)) = (count.values().max(), count.values().min()) else { return };
    if most == least {
        return;
    }
    let crowded =
        engines.iter().rev().find(|engine| engine.config.pinned_numa_node.is_some_and(|node| count[&node] == *most));
    if let Some(engine) = crowded {
        let spread: Vec<String> = count.iter().map(|(node, engines)| format!("{engines} on node {node}")).collect();
        report.fault(
            FaultName::ServerConfigEngineNUMAImbalance,
            engine.section.mark_of("pinned_numa_node"),
            &engine.section.at("pinned_numa_node"),
            format!("the engines are spread unevenly: {}", spread.join(", ")),
            "pin as many engines to each NUMA node, or set `allow_numa_imbalance: true`",
        );
    }
}

/// Control metadata must survive a restart, so it cannot lie in a memory tier.
fn metadata_is_durable(report: &mut Report, engines: &[Engine], metadata: &Given<ControlMetadata>) {
    for (index, engine) in engines.iter().enumerate() {
        let mount = &engine.config.scm.mount;
        let usable = engine.scm.as_ref().is_some_and(|scm| place(report, scm, "scm_mount").is_some());
        if usable && engine.config.scm.class == ScmClass::Ram && metadata.value.path.starts_with(mount) {
            let problem =
                format!("`control_metadata.path` lies in `scm_mount` of engine {index}, which is lost at restart");
            report.error_at(
                metadata.mark,
                &metadata.path,
                problem,
                "set `control_metadata.path` to a directory on disk",
            );
        }
    }
}
