//! The global section.

use std::path::PathBuf;

use types::FaultName;

use super::engine::{self, Inherited};
use super::{across, replicas, schema};
use crate::reader::{Given, Section, parsed};
use crate::report::{Report, quote};
use crate::settings::{ControlMetadata, EnvVar, LogLevel, PciAddress, ServerConfig};
use crate::transport::{self, TransportRole};
use crate::value::{fault_path, pci, provider, system_name, variable};

/// Port of the control plane, of all three files.
pub(crate) const DEFAULT_PORT: u16 = 10001;

/// DAOS's default: everything but hugepages and DAX mappings (core(5)).
const DEFAULT_CORE_DUMP_FILTER: u8 = 0x13;

/// Seconds. DAOS waits 300 between two restarts of an engine; here a backoff with a limit keeps a crash loop in bounds
/// (control's `engine::restart`), and the setting only lengthens it.
const DEFAULT_RESTART_DELAY: u32 = 0;

/// Hugepages are counted in a C int.
const MAX_HUGEPAGES: i64 = i32::MAX as i64;

/// The section as settings. Values that were refused are replaced by their defaults, which nobody sees, because the
/// refusal is an error.
pub(super) fn read(report: &mut Report, top: &Section) -> ServerConfig {
    let bad = FaultName::ServerConfigBadConfig;
    let name = top.parsed(report, "name", bad, system_name).map(value);
    let port = top.port(report, "port", 1, FaultName::ServerConfigBadControlPort).map_or(DEFAULT_PORT, value);
    let mgmt_svc_replicas = replicas::read(report, top, port);
    let metadata = control_metadata(report, top);
    let transport = transport::read(report, top, TransportRole::Server);
    let (fault_path, fault_cb) = fault_domain(report, top);
    let provider = top.parsed(report, "provider", FaultName::ServerConfigBadProvider, provider).map(value);
    let crt_timeout = top.count(report, "crt_timeout", 0, bad).map(value).filter(|seconds| *seconds > 0);
    let disable_srx = flag(report, top, "disable_srx");
    let fabric_auth_key = top.text(report, "fabric_auth_key").map(value);
    let core_dump_filter = top.integer(report, "core_dump_filter", 0..=255, bad).map(value);
    let bdev_exclude = excluded(report, top);
    let disable_hotplug = hotplug_disabled(report, top);
    let hugepages =
        top.integer(report, "nr_hugepages", 0..=MAX_HUGEPAGES, FaultName::ServerConfigNrHugepagesOutOfRange);
    let disable_hugepages = flag(report, top, "disable_hugepages");
    if let Some(pages) = &hugepages
        && pages.value > 0
        && disable_hugepages
    {
        report.fault(
            FaultName::ServerConfigHugepagesDisabledWithNrSet,
            pages.mark,
            &pages.path,
            format!("`nr_hugepages` is {} although `disable_hugepages` is true", pages.value),
            "remove one of the two",
        );
    }
    let inherited = Inherited {
        provider: provider.clone(),
        provider_is_bad: !report.good("provider"),
        crt_timeout,
        disable_srx,
        fabric_auth_key: fabric_auth_key.clone(),
        control_metadata: metadata.is_some() || !report.clean("control_metadata"),
    };
    let sections = top.sections(report, "engines", &schema::ENGINE).map_or(Vec::new(), |given| given.value);
    let engines: Vec<_> = sections.iter().map(|section| engine::read(report, section, &inherited)).collect();
    let allow_numa_imbalance = flag(report, top, "allow_numa_imbalance");
    let context = across::Context {
        allow_numa_imbalance,
        disable_hugepages: disable_hugepages.then(|| top.mark_of("disable_hugepages")),
        bdev_exclude: &bdev_exclude,
        metadata_path: metadata.as_ref(),
    };
    across::check(report, &engines, &context);
    let path = |report: &mut Report, key: &str| top.text(report, key).map(|given| PathBuf::from(given.value));
    ServerConfig {
        name: name.unwrap_or_else(|| "daos_server".to_owned()),
        mgmt_svc_replicas,
        control_metadata: metadata.map(value),
        port,
        control_iface: top.text(report, "control_iface").map(value),
        transport,
        fault_path,
        fault_cb,
        provider,
        crt_timeout,
        disable_srx,
        fabric_auth_key,
        core_dump_filter: core_dump_filter
            .map_or(DEFAULT_CORE_DUMP_FILTER, |bits| u8::try_from(bits).expect("the range ends at 255")),
        bdev_exclude: bdev_exclude.into_iter().map(value).collect(),
        disable_vfio: flag(report, top, "disable_vfio"),
        disable_vmd: flag(report, top, "disable_vmd"),
        disable_hotplug,
        hyperthreads: flag(report, top, "hyperthreads"),
        socket_dir: path(report, "socket_dir").unwrap_or_else(|| PathBuf::from("/var/run/daos_server")),
        nr_hugepages: hugepages.map_or(0, |pages| u32::try_from(pages.value).expect("the range ends at i32::MAX")),
        disable_hugepages,
        allow_numa_imbalance,
        allow_thp: flag(report, top, "allow_thp"),
        kernel_config_path: path(report, "kernel_config_path"),
        system_ram_reserved: ram_reserved(report, top),
        control_log_mask: log_level(report, top),
        control_log_file: path(report, "control_log_file"),
        control_log_json: flag(report, top, "control_log_json"),
        helper_log_file: path(report, "helper_log_file"),
        firmware_helper_log_file: firmware_log(report, top),
        telemetry_port: top
            .port(report, "telemetry_port", 0, FaultName::ServerConfigBadTelemetryPort)
            .map(value)
            .filter(|port| *port != 0),
        disable_engine_auto_restart: flag(report, top, "disable_engine_auto_restart"),
        engine_auto_restart_min_delay: top
            .count(report, "engine_auto_restart_min_delay", 0, bad)
            .map_or(DEFAULT_RESTART_DELAY, value),
        client_env_vars: variables(report, top, "client_env_vars").into_iter().map(value).collect(),
        file_transfer_exec: top
            .section(report, "support_config", &schema::SUPPORT)
            .and_then(|support| support.text(report, "file_transfer_exec"))
            .map(|given| PathBuf::from(given.value)),
        engines: engines.into_iter().map(|engine| engine.config).collect(),
    }
}

/// The value without its place.
pub(super) fn value<T>(given: Given<T>) -> T {
    given.value
}

/// A truth value that is false when absent.
pub(super) fn flag(report: &mut Report, section: &Section, key: &str) -> bool {
    section.boolean(report, key).is_some_and(value)
}

/// `control_log_mask`, which the agent has too.
pub(crate) fn log_level(report: &mut Report, top: &Section) -> LogLevel {
    let words: Vec<(&'static str, LogLevel)> = LogLevel::ALL.iter().map(|level| (level.as_str(), *level)).collect();
    let given = top.parsed(report, "control_log_mask", FaultName::ServerConfigBadConfig, |text| {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        words.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, level)| *level).ok_or_else(|| {
            crate::reader::Problem::new(
                format!("{} is not a level of `control_log_mask`", quote(text)),
                crate::suggest::for_word(text, &names, "`control_log_mask`"),
            )
        })
    });
    given.map_or(LogLevel::Info, value)
}

/// A list of `NAME=value`, each name once.
pub(super) fn variables(report: &mut Report, section: &Section, key: &str) -> Vec<Given<EnvVar>> {
    let mut variables: Vec<Given<EnvVar>> = Vec::new();
    for item in section.texts(report, key).map_or(Vec::new(), value) {
        let Some(given) = parsed(report, item, FaultName::ServerConfigBadConfig, variable) else { continue };
        match variables.iter().find(|other| other.value.name == given.value.name) {
            None => variables.push(given),
            Some(first) => {
                let problem =
                    format!("the variable `{}` is set twice, first on line {}", given.value.name, first.mark.line);
                report.error_at(given.mark, &given.path, problem, "remove one of the two");
            }
        }
    }
    variables
}

fn control_metadata(report: &mut Report, top: &Section) -> Option<Given<ControlMetadata>> {
    let section = top.section(report, "control_metadata", &schema::CONTROL_METADATA)?;
    let device = section.text(report, "device").map(|given| PathBuf::from(given.value));
    let allow_spdk_conf_override = flag(report, &section, "allow_spdk_conf_override");
    let Some(path) = section.text(report, "path") else {
        if device.is_some() {
            report.fault(
                FaultName::ServerConfigControlMetadataNoPath,
                section.mark_of("device"),
                &section.at("device"),
                "`control_metadata` has a `device` but no `path` to mount it on",
                "set `path` to the directory that is to hold the control plane's metadata",
            );
        }
        return None;
    };
    absolute(report, &path);
    Some(Given {
        value: ControlMetadata { path: PathBuf::from(&path.value), device, allow_spdk_conf_override },
        mark: path.mark,
        path: path.path,
    })
}

/// Reports a path that depends on the directory in which the server happens to be started.
pub(super) fn absolute(report: &mut Report, path: &Given<String>) {
    if !path.value.starts_with('/') {
        let problem = format!("{} is not an absolute path", quote(&path.value));
        report.error_at(path.mark, &path.path, problem, "write the path from the root, beginning with `/`");
    }
}

fn fault_domain(report: &mut Report, top: &Section) -> (Option<String>, Option<PathBuf>) {
    let callback = top.text(report, "fault_cb");
    let path = top.text(report, "fault_path");
    if let (Some(_), Some(callback)) = (&path, &callback) {
        report.fault(
            FaultName::ServerConfigBothFaultPathAndCb,
            callback.mark,
            &callback.path,
            "both `fault_path` and `fault_cb` are given",
            "remove one of the two",
        );
    }
    let path = path.and_then(|given| match fault_path(&given.value) {
        Ok(canonical) => Some(canonical),
        Err((name, problem)) => {
            report.fault(name, given.mark, &given.path, problem.description, problem.remedy);
            None
        }
    });
    (path, callback.map(|given| PathBuf::from(given.value)))
}

fn excluded(report: &mut Report, top: &Section) -> Vec<Given<PciAddress>> {
    let items = top.texts(report, "bdev_exclude").map_or(Vec::new(), value);
    items.into_iter().filter_map(|item| parsed(report, item, FaultName::BdevBadPCIAddress, pci)).collect()
}

/// 2.6 asked whether to enable hot-plug and 2.8 whether to disable it; unset means off there and on here.
fn hotplug_disabled(report: &mut Report, top: &Section) -> bool {
    let disable = top.boolean(report, "disable_hotplug");
    let Some(enable) = top.boolean(report, "enable_hotplug") else { return disable.is_some_and(value) };
    let name = FaultName::ServerConfigEnableHotplugDeprecated;
    let (mark, path) = (top.mark_of("enable_hotplug"), top.at("enable_hotplug"));
    match disable {
        Some(disable) => {
            let problem = "both `disable_hotplug` and its 2.6 opposite `enable_hotplug` are given";
            report.fault(name, mark, &path, problem, "remove `enable_hotplug`");
            disable.value
        }
        None => {
            let remedy = format!("write `disable_hotplug: {}`", !enable.value);
            report.notice(name, mark, &path, "`enable_hotplug` is the 2.6 opposite of `disable_hotplug`", remedy);
            !enable.value
        }
    }
}

fn ram_reserved(report: &mut Report, top: &Section) -> Option<u32> {
    top.count(report, "system_ram_reserved", 1, FaultName::ServerConfigSysRsvdZero).map(value)
}

fn firmware_log(report: &mut Report, top: &Section) -> Option<PathBuf> {
    let given = top.text(report, "firmware_helper_log_file")?;
    report.notice(
        FaultName::ServerConfigBadConfig,
        top.mark_of("firmware_helper_log_file"),
        &given.path,
        "`firmware_helper_log_file` is deprecated; nothing writes it",
        "remove the key",
    );
    Some(PathBuf::from(given.value))
}
