//! `daos_agent.yml`: from text to [`AgentConfig`] or to everything that is wrong with it.

use std::path::PathBuf;

use types::FaultName;

use crate::document::{self, Kind};
use crate::reader::{Given, Problem, Schema, Section};
use crate::report::{Report, conclude, quote};
use crate::server::{DEFAULT_PORT, hosts, log_level};
use crate::settings::{AgentConfig, CredentialConfig, FabricDevice, FabricInterfaces, HostPort, MappedUser, UserKey};
use crate::transport::{self, TransportRole};
use crate::value::{duration, system_name};
use crate::{Checked, Finding, Places};

pub(crate) static AGENT: Schema = Schema {
    name: "",
    keys: &[
        "name",
        "access_points",
        "port",
        "runtime_dir",
        "log_file",
        "control_log_mask",
        "transport_config",
        "credential_config",
        "disable_caching",
        "cache_expiration",
        "disable_auto_evict",
        "enable_evict_on_start",
        "exclude_fabric_ifaces",
        "include_fabric_ifaces",
        "fabric_ifaces",
        "telemetry_port",
        "telemetry_enabled",
        "telemetry_retain",
        "telemetry_enabled_procs",
        "telemetry_disabled_procs",
    ],
    hints: &[
        ("mgmt_svc_replicas", "write `access_points`; only `daos_server.yml` has `mgmt_svc_replicas`"),
        ("hostlist", "write `access_points`; `hostlist` belongs in `daos_control.yml`"),
        ("socket_dir", "write `runtime_dir`; `socket_dir` belongs in `daos_server.yml`"),
        ("control_log_file", "write `log_file`"),
    ],
    relatives: &[&CREDENTIALS, &INTERFACES, &DEVICE],
};

pub(crate) static CREDENTIALS: Schema = Schema {
    name: "credential_config",
    keys: &["cache_expiration", "client_user_map"],
    hints: &[],
    relatives: &[&AGENT],
};

pub(crate) static USER: Schema = Schema {
    name: "credential_config.client_user_map",
    keys: &["user", "group", "groups"],
    hints: &[],
    relatives: &[],
};

pub(crate) static INTERFACES: Schema =
    Schema { name: "fabric_ifaces[]", keys: &["numa_node", "devices"], hints: &[], relatives: &[&DEVICE] };

pub(crate) static DEVICE: Schema =
    Schema { name: "fabric_ifaces[].devices[]", keys: &["iface", "domain"], hints: &[], relatives: &[&INTERFACES] };

/// `(uid_t)-1`, which means "no user" to the kernel.
const RESERVED_UID: i64 = u32::MAX as i64;

/// Checks the text of `daos_agent.yml`. All findings come at once, in file order.
pub fn agent(text: &str) -> Result<Checked<AgentConfig>, Vec<Finding>> {
    let mut report = Report::default();
    let config = document::parse(text, &mut report).and_then(|root| {
        let top = Section::open(&mut report, &root, "", &AGENT)?;
        Some((read(&mut report, &top), Places::of(&root)))
    });
    conclude(report, config)
}

fn read(report: &mut Report, top: &Section) -> AgentConfig {
    let bad = FaultName::ServerConfigBadConfig;
    let name = top.parsed(report, "name", bad, system_name);
    let port =
        top.port(report, "port", 1, FaultName::ClientConfigBadControlPort).map_or(DEFAULT_PORT, |given| given.value);
    let telemetry = Telemetry::read(report, top);
    let flag = |report: &mut Report, key| top.boolean(report, key).is_some_and(|given| given.value);
    let path = |report: &mut Report, key| top.text(report, key).map(|given| PathBuf::from(given.value));
    let exclude = interfaces(report, top, "exclude_fabric_ifaces");
    let include = interfaces(report, top, "include_fabric_ifaces");
    exclusive(report, top, ["exclude_fabric_ifaces", "include_fabric_ifaces"]);
    AgentConfig {
        name: name.map_or_else(|| "daos_server".to_owned(), |given| given.value),
        access_points: access_points(report, top, port),
        port,
        runtime_dir: path(report, "runtime_dir").unwrap_or_else(|| PathBuf::from("/var/run/daos_agent")),
        log_file: path(report, "log_file"),
        control_log_mask: log_level(report, top),
        transport: transport::read(report, top, TransportRole::Agent),
        credentials: credentials(report, top),
        disable_caching: flag(report, "disable_caching"),
        cache_expiration_min: top.count(report, "cache_expiration", 0, bad).map_or(0, |given| given.value),
        disable_auto_evict: flag(report, "disable_auto_evict"),
        enable_evict_on_start: flag(report, "enable_evict_on_start"),
        exclude_fabric_ifaces: exclude,
        include_fabric_ifaces: include,
        fabric_ifaces: fabric_interfaces(report, top),
        telemetry_port: telemetry.port,
        telemetry_enabled: telemetry.enabled,
        telemetry_retain: telemetry.retain,
        telemetry_enabled_procs: telemetry.enabled_procs,
        telemetry_disabled_procs: telemetry.disabled_procs,
    }
}

fn access_points(report: &mut Report, top: &Section, port: u16) -> Vec<HostPort> {
    let bad = FaultName::ClientConfigBadAccessPoints;
    let Some(given) = hosts(report, top, "access_points", port, bad) else {
        return vec![HostPort::new("localhost", port)];
    };
    if given.value.is_empty() && report.clean(&given.path) {
        let remedy = "list the hosts of the management service, or remove `access_points` to ask this host";
        report.fault(bad, given.mark, &given.path, "`access_points` lists no host", remedy);
    }
    given.value.into_iter().map(|host| host.value).collect()
}

/// Reports the second of two keys that exclude each other.
fn exclusive(report: &mut Report, top: &Section, keys: [&str; 2]) {
    if keys.iter().all(|key| top.has(key)) {
        let [one, other] = keys;
        let problem = format!("both `{one}` and `{other}` are given");
        report.error_at(top.mark_of(other), &top.at(other), problem, "remove one of the two");
    }
}

fn interfaces(report: &mut Report, top: &Section, key: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in top.texts(report, key).map_or(Vec::new(), |given| given.value) {
        if names.contains(&item.value) {
            let problem = format!("the interface {} is listed twice", quote(&item.value));
            report.error_at(item.mark, &item.path, problem, "remove one of the two");
        } else {
            names.push(item.value);
        }
    }
    names
}

fn credentials(report: &mut Report, top: &Section) -> CredentialConfig {
    let mut config = CredentialConfig::default();
    let Some(section) = top.section(report, "credential_config", &CREDENTIALS) else { return config };
    let bad = FaultName::ServerConfigBadConfig;
    if let Some(expiration) = section.parsed(report, "cache_expiration", bad, duration) {
        config.cache_expiration = expiration.value;
    }
    let Some(map) = section.node("client_user_map") else { return config };
    let Kind::Mapping(mapping) = &map.value.kind else {
        let problem = format!("`client_user_map` must be a section, found {}", map.value.describe());
        report.error_at(map.mark, &map.path, problem, "write `uid:` lines, each with `user` below it");
        return config;
    };
    for duplicate in &mapping.duplicates {
        let problem =
            format!("the user {} is mapped twice, first on line {}", quote(&duplicate.key), duplicate.first.line);
        let path = format!("{}.{}", map.path, duplicate.key);
        report.error_at(duplicate.mark, &path, problem, "remove one of the two");
    }
    for entry in &mapping.entries {
        let path = format!("{}.{}", map.path, entry.key);
        let key = match user_key(&entry.key) {
            Ok(key) => Some(key),
            Err(problem) => {
                report.error_at(entry.key_mark, &path, problem.description, problem.remedy);
                None
            }
        };
        if let (Some(key), Some(user)) = (key, mapped_user(report, entry, &path)) {
            config.client_user_map.push((key, user));
        }
    }
    config
}

fn user_key(text: &str) -> Result<UserKey, Problem> {
    if text == "default" {
        return Ok(UserKey::Default);
    }
    let remedy = "write a user id, or `default` for every other";
    match text.parse::<i64>() {
        Ok(RESERVED_UID) => Err(Problem::new(format!("the user id {RESERVED_UID} is reserved"), remedy)),
        Ok(uid) => u32::try_from(uid)
            .map(UserKey::Uid)
            .map_err(|_| Problem::new(format!("{} is not a user id", quote(text)), remedy)),
        Err(_) => Err(Problem::new(format!("{} is not a user id", quote(text)), remedy)),
    }
}

fn mapped_user(report: &mut Report, entry: &crate::document::Entry, path: &str) -> Option<MappedUser> {
    let section = Section::open(report, &entry.value, path, &USER)?;
    let Some(user) = section.text(report, "user") else {
        if report.good(&section.at("user")) {
            report.error_at(section.mark(), &section.at("user"), "the mapping has no `user`", "set `user` to a name");
        }
        return None;
    };
    let group = section.text(report, "group").map(|given| given.value);
    let groups = section.texts(report, "groups").map_or(Vec::new(), |given| given.value);
    Some(MappedUser { user: user.value, group, groups: groups.into_iter().map(|given| given.value).collect() })
}

fn fabric_interfaces(report: &mut Report, top: &Section) -> Vec<FabricInterfaces> {
    let bad = FaultName::ServerConfigBadConfig;
    let mut nodes: Vec<FabricInterfaces> = Vec::new();
    for section in top.sections(report, "fabric_ifaces", &INTERFACES).map_or(Vec::new(), |given| given.value) {
        let numa_node = section.integer(report, "numa_node", 0..=1023, bad).map_or(0, |given| given.value);
        let numa_node = u32::try_from(numa_node).expect("the range ends at 1023");
        if nodes.iter().any(|other| other.numa_node == numa_node) && report.good(&section.at("numa_node")) {
            let problem = format!("the NUMA node {numa_node} has two entries");
            report.error_at(
                section.mark_of("numa_node"),
                &section.at("numa_node"),
                problem,
                "write one entry with all devices of the node",
            );
        }
        let devices = section.sections(report, "devices", &DEVICE);
        if devices.as_ref().is_none_or(|devices| devices.value.is_empty()) && report.clean(&section.at("devices")) {
            let remedy = "list its interfaces, for example `devices: [{iface: eth0}]`";
            report.error_at(section.mark(), &section.at("devices"), "the entry has no `devices`", remedy);
        }
        let devices = devices.map_or(Vec::new(), |given| given.value);
        nodes.push(FabricInterfaces { numa_node, devices: fabric_devices(report, &devices) });
    }
    nodes
}

/// One entry per interface. A list item that holds only `domain` completes the one before it: published guides write
/// the two as separate items.
fn fabric_devices(report: &mut Report, sections: &[Section]) -> Vec<FabricDevice> {
    let mut devices: Vec<FabricDevice> = Vec::new();
    for section in sections {
        let iface = section.text(report, "iface").map(|given| given.value);
        let domain: Option<Given<String>> = section.text(report, "domain");
        match (iface, domain, devices.last_mut()) {
            (Some(iface), domain, _) => devices.push(FabricDevice { iface, domain: domain.map(|given| given.value) }),
            (None, Some(domain), Some(last)) if last.domain.is_none() => {
                report.notice(
                    FaultName::ServerConfigBadConfig,
                    domain.mark,
                    &domain.path,
                    format!("the list item holds only a domain; it is taken for the domain of `{}`", last.iface),
                    "write `iface` and `domain` in one item, with one `-`",
                );
                last.domain = Some(domain.value);
            }
            (None, _, _) if report.clean(section.path()) => {
                report.error_at(
                    section.mark(),
                    &section.at("iface"),
                    "the device has no `iface`",
                    "set `iface` to an interface, for example `eth0`",
                );
            }
            (None, _, _) => {}
        }
    }
    devices
}

/// The telemetry keys, which depend on each other.
#[derive(Default)]
struct Telemetry {
    port: Option<u16>,
    enabled: bool,
    retain: Option<std::time::Duration>,
    enabled_procs: Option<String>,
    disabled_procs: Option<String>,
}

impl Telemetry {
    fn read(report: &mut Report, top: &Section) -> Telemetry {
        let bad = FaultName::ServerConfigBadConfig;
        let port =
            top.port(report, "telemetry_port", 0, FaultName::ServerConfigBadTelemetryPort).map(|given| given.value);
        let telemetry = Telemetry {
            port: port.filter(|port| *port != 0),
            enabled: top.boolean(report, "telemetry_enabled").is_some_and(|given| given.value),
            retain: top
                .parsed(report, "telemetry_retain", bad, duration)
                .map(|given| given.value)
                .filter(|retain| !retain.is_zero()),
            enabled_procs: top.text(report, "telemetry_enabled_procs").map(|given| given.value),
            disabled_procs: top.text(report, "telemetry_disabled_procs").map(|given| given.value),
        };
        let mut needs = |key: &str, other: &str, present: bool, remedy: &str| {
            if !present && report.good(other) {
                report.error_at(top.mark_of(key), &top.at(key), format!("`{key}` needs `{other}`"), remedy);
            }
        };
        if telemetry.enabled {
            needs(
                "telemetry_enabled",
                "telemetry_port",
                telemetry.port.is_some(),
                "set `telemetry_port`, usually to 9192",
            );
        }
        for (key, given) in [
            ("telemetry_retain", telemetry.retain.is_some()),
            ("telemetry_enabled_procs", telemetry.enabled_procs.is_some()),
            ("telemetry_disabled_procs", telemetry.disabled_procs.is_some()),
        ] {
            if given {
                needs(key, "telemetry_enabled", telemetry.enabled, "set `telemetry_enabled: true`, or remove the key");
            }
        }
        exclusive(report, top, ["telemetry_enabled_procs", "telemetry_disabled_procs"]);
        telemetry
    }
}
