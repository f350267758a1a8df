//! `storage:` of one engine: exactly one memory tier, first, and the block tiers after it.

use std::path::PathBuf;

use types::FaultName;

use super::global::{absolute, value};
use super::schema::{BLOCK_KEYS, SCM_KEYS};
use crate::reader::{Given, Section};
use crate::report::{Report, quote};
use crate::settings::{BlockClass, BlockTier, Role, Roles, ScmClass, ScmTier};
use crate::value::{bus_range, looks_like_pci, pci};

/// Least ramdisk, in GiB, as in DAOS.
const MIN_RAMDISK_GIB: u32 = 4;

/// Largest size in GiB: 16 PiB, so that bytes never overflow.
const MAX_SIZE_GIB: i64 = 16 << 20;

/// Most devices that DAOS would make of one file tier.
const MAX_DEVICES: i64 = 1024;

/// A tier with its section.
pub(super) struct Tier<T> {
    pub(super) value: T,
    pub(super) section: Section,
}

/// The tiers of one engine, as far as they are readable.
pub(super) struct Tiers {
    pub(super) scm: Option<Tier<ScmTier>>,
    pub(super) blocks: Vec<Tier<BlockTier>>,
}

/// Stands for a memory tier that was refused.
pub(super) fn placeholder() -> ScmTier {
    ScmTier {
        class: ScmClass::Ram,
        mount: PathBuf::new(),
        device: None,
        size_gib: 0,
        mem_ratio: 100,
        hugepages_disabled: true,
    }
}

#[derive(Clone, Copy)]
enum Class {
    Scm(ScmClass),
    Block(BlockClass),
}

/// Reads the tiers. `readable` is false when `storage` itself was refused.
pub(super) fn read(report: &mut Report, engine: &Section, sections: Vec<Section>, readable: bool) -> Tiers {
    let mut tiers = Tiers { scm: None, blocks: Vec::new() };
    let mut unknown = !readable;
    for (index, section) in sections.into_iter().enumerate() {
        match class(report, &section) {
            None => unknown = true,
            Some(Class::Scm(class)) => {
                if tiers.scm.is_some() || index > 0 {
                    let problem =
                        if tiers.scm.is_some() { "a second memory tier" } else { "a memory tier after a block tier" };
                    let remedy = "give each engine exactly one tier of class `ram` or `dcpm`, and give it first";
                    report.error_at(section.mark_of("class"), &section.at("class"), problem, remedy);
                }
                let value = scm(report, &section, class);
                if tiers.scm.is_none() {
                    tiers.scm = Some(Tier { value, section });
                }
            }
            Some(Class::Block(class)) => {
                let value = block(report, &section, class);
                tiers.blocks.push(Tier { value, section });
            }
        }
    }
    if tiers.scm.is_none() && !unknown {
        report.fault(
            FaultName::ScmConfigTierMissing,
            engine.mark_of("storage"),
            &engine.at("storage"),
            "the engine has no memory tier",
            "add a first tier of class `ram` or `dcpm` to `storage`",
        );
    }
    tiers
}

fn class(report: &mut Report, section: &Section) -> Option<Class> {
    let words = [
        ("ram", Class::Scm(ScmClass::Ram)),
        ("dcpm", Class::Scm(ScmClass::Dcpm)),
        ("nvme", Class::Block(BlockClass::Nvme)),
        ("file", Class::Block(BlockClass::File)),
        ("kdev", Class::Block(BlockClass::Kdev)),
    ];
    if !section.has("class") {
        let remedy = "set `class` to `ram`, `dcpm`, `nvme`, `file` or `kdev`";
        report.error_at(section.mark(), &section.at("class"), "the tier has no `class`", remedy);
        return None;
    }
    section.word(report, "class", FaultName::BdevFormatUnknownClass, &words).map(value)
}

/// Reports keys of the other kind of tier.
fn foreign(report: &mut Report, section: &Section, keys: &[&str], class: &str) {
    for key in keys.iter().filter(|key| section.has(key)) {
        let problem = format!("`{key}` in a tier of class `{class}`");
        report.error_at(section.mark_of(key), &section.at(key), problem, format!("remove `{key}` or change `class`"));
    }
}

fn scm(report: &mut Report, section: &Section, class: ScmClass) -> ScmTier {
    foreign(report, section, &BLOCK_KEYS, class.as_str());
    let mut tier = ScmTier { class, ..placeholder() };
    match section.text(report, "scm_mount") {
        Some(mount) => {
            absolute(report, &mount);
            tier.mount = PathBuf::from(mount.value);
        }
        None if report.good(&section.at("scm_mount")) => {
            let remedy = "set `scm_mount` to the directory to mount it on, for example `/mnt/daos0`";
            report.error_at(section.mark(), &section.at("scm_mount"), "the memory tier has no `scm_mount`", remedy);
        }
        None => {}
    }
    let size = section.integer(report, "scm_size", 0..=MAX_SIZE_GIB, FaultName::ServerConfigBadConfig);
    let ratio = section.integer(report, "scm_mem_ratio", 1..=100, FaultName::ServerConfigBadConfig);
    let hugepages = section.boolean(report, "scm_hugepages_disabled");
    let list = section.texts(report, "scm_list");
    match class {
        ScmClass::Ram => {
            if let Some(list) = list {
                let problem = "`scm_list` in a tier of class `ram`";
                report.error_at(list.mark, &list.path, problem, "remove `scm_list`, or set `class` to `dcpm`");
            }
            if let Some(size) = size {
                tier.size_gib = gib(&size);
                if tier.size_gib != 0 && tier.size_gib < MIN_RAMDISK_GIB {
                    report.fault(
                        FaultName::ServerConfigRamdiskUnderMinMem,
                        size.mark,
                        &size.path,
                        format!("`scm_size` is {} GiB, less than {MIN_RAMDISK_GIB} GiB", tier.size_gib),
                        format!("set `scm_size` to {MIN_RAMDISK_GIB} or more, or to 0 to have it computed"),
                    );
                }
            }
            tier.mem_ratio = ratio.map_or(100, |ratio| u8::try_from(ratio.value).expect("the range ends at 100"));
            tier.hugepages_disabled = hugepages.is_none_or(value);
        }
        ScmClass::Dcpm => {
            for (key, given) in [
                ("scm_size", size.is_some_and(|size| size.value > 0)),
                ("scm_mem_ratio", ratio.is_some()),
                ("scm_hugepages_disabled", hugepages.is_some()),
            ] {
                if given {
                    let problem = format!("`{key}` in a tier of class `dcpm`");
                    report.error_at(
                        section.mark_of(key),
                        &section.at(key),
                        problem,
                        format!("remove `{key}`, or set `class` to `ram`"),
                    );
                }
            }
            tier.device = persistent_device(report, section, list);
        }
    }
    tier
}

fn persistent_device(
    report: &mut Report,
    section: &Section,
    list: Option<Given<Vec<Given<String>>>>,
) -> Option<PathBuf> {
    let remedy = "list one namespace, for example `scm_list: [/dev/pmem0]`";
    match list {
        Some(list) if list.value.len() == 1 => list.value.into_iter().next().map(|given| PathBuf::from(given.value)),
        Some(list) => {
            let problem = format!("`scm_list` has {} devices instead of one", list.value.len());
            report.error_at(list.mark, &list.path, problem, remedy);
            None
        }
        None => {
            if report.good(&section.at("scm_list")) {
                let problem = "the tier of class `dcpm` has no `scm_list`";
                report.error_at(section.mark(), &section.at("scm_list"), problem, remedy);
            }
            None
        }
    }
}

fn gib(size: &Given<i64>) -> u32 {
    u32::try_from(size.value).expect("the range ends at MAX_SIZE_GIB")
}

fn block(report: &mut Report, section: &Section, class: BlockClass) -> BlockTier {
    foreign(report, section, &SCM_KEYS, class.as_str());
    let bad = FaultName::ServerConfigBadConfig;
    let devices = devices(report, section, class);
    let size = section.integer(report, "bdev_size", 0..=MAX_SIZE_GIB, bad);
    let number = section.integer(report, "bdev_number", 0..=MAX_DEVICES, bad);
    let busid_range = section.parsed(report, "bdev_busid_range", bad, bus_range).map(value);
    if class == BlockClass::File
        && size.as_ref().is_none_or(|size| size.value == 0)
        && report.good(&section.at("bdev_size"))
    {
        let problem = "the tier of class `file` has no `bdev_size`";
        let remedy = "set `bdev_size` to the size of each file in GiB";
        report.error_at(section.mark(), &section.at("bdev_size"), problem, remedy);
    }
    let unused = |report: &mut Report, key: &str| {
        let problem = format!("`{key}` has no effect in a tier of class `{}`", class.as_str());
        report.notice(bad, section.mark_of(key), &section.at(key), problem, format!("remove `{key}`"));
    };
    if class != BlockClass::File && size.is_some() {
        unused(report, "bdev_size");
    }
    if number.is_some() {
        unused(report, "bdev_number");
    }
    if class != BlockClass::Nvme && busid_range.is_some() {
        unused(report, "bdev_busid_range");
    }
    BlockTier {
        class,
        devices,
        size_gib: if class == BlockClass::File { size.as_ref().map_or(0, gib) } else { 0 },
        number: number.map_or(0, |number| u32::try_from(number.value).expect("the range ends at MAX_DEVICES")),
        busid_range,
        roles: roles(report, section),
    }
}

fn devices(report: &mut Report, section: &Section, class: BlockClass) -> Vec<String> {
    let example = match class {
        BlockClass::Nvme => "`[\"0000:81:00.0\"]`",
        BlockClass::File => "`[/var/daos/bdev0]`",
        BlockClass::Kdev => "`[/dev/sdb]`",
    };
    let list = section.texts(report, "bdev_list");
    if list.as_ref().is_none_or(|list| list.value.is_empty()) {
        if report.good(&section.at("bdev_list")) {
            let problem = format!("the tier of class `{}` lists no devices", class.as_str());
            let remedy = format!("set `bdev_list`, for example to {example}");
            report.error_at(section.mark_of("bdev_list"), &section.at("bdev_list"), problem, remedy);
        }
        return Vec::new();
    }
    let mut devices: Vec<(String, usize)> = Vec::new();
    for item in list.map_or(Vec::new(), value) {
        let (mark, path) = (item.mark, item.path.clone());
        let name = if class == BlockClass::Nvme {
            let Some(address) = crate::reader::parsed(report, item, FaultName::BdevBadPCIAddress, pci) else {
                continue;
            };
            address.value.to_string()
        } else if looks_like_pci(&item.value) {
            let problem = format!("the PCI address {} in a tier of class `{}`", quote(&item.value), class.as_str());
            report.error_at(mark, &path, problem, "list paths, or set `class` to `nvme`");
            continue;
        } else {
            item.value
        };
        match devices.iter().find(|(other, _)| *other == name) {
            None => devices.push((name, mark.line)),
            Some((_, first)) => {
                let problem = format!("the device {} is listed twice, first on line {first}", quote(&name));
                report.fault(FaultName::BdevDuplicatesInDeviceList, mark, &path, problem, "remove one of the two");
            }
        }
    }
    devices.into_iter().map(|(name, _)| name).collect()
}

fn roles(report: &mut Report, section: &Section) -> Roles {
    let mut roles = Vec::new();
    for item in section.texts(report, "bdev_roles").map_or(Vec::new(), value) {
        match Role::ALL.into_iter().find(|role| role.as_str() == item.value) {
            Some(role) if roles.contains(&role) => {
                let problem = format!("the role `{}` is given twice in one tier", role.as_str());
                report.error_at(item.mark, &item.path, problem, "remove one of the two");
            }
            Some(role) => roles.push(role),
            None => {
                let remedy = crate::suggest::for_word(&item.value, &Role::ALL.map(Role::as_str), "`bdev_roles`");
                let problem = format!("{} is not a role", quote(&item.value));
                report.fault(FaultName::BdevConfigOptFlagUnknown, item.mark, &item.path, problem, remedy);
            }
        }
    }
    Roles::of(&roles)
}
