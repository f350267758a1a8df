//! `daos_control.yml`: from text to [`ControlConfig`] or to everything that is wrong with it.

use types::FaultName;

use crate::hostlist::{self, MAX_HOSTS};
use crate::reader::{Schema, Section, parsed};
use crate::report::{Report, conclude, quote};
use crate::server::DEFAULT_PORT;
use crate::settings::{ControlConfig, HostPort, TransportConfig};
use crate::transport::{self, TransportRole};
use crate::value::system_name;
use crate::{Checked, Finding, Places, document};

pub(crate) static CONTROL: Schema = Schema {
    name: "",
    keys: &["name", "port", "hostlist", "transport_config"],
    hints: &[
        ("access_points", "write `hostlist`; `access_points` belongs in `daos_server.yml` and `daos_agent.yml`"),
        ("mgmt_svc_replicas", "write `hostlist`; `mgmt_svc_replicas` belongs in `daos_server.yml`"),
        ("hosts", "write `hostlist`"),
        ("host_list", "write `hostlist`"),
    ],
    relatives: &[],
};

impl Default for ControlConfig {
    /// What `dmg` uses when there is no file.
    fn default() -> ControlConfig {
        ControlConfig {
            name: "daos_server".to_owned(),
            port: DEFAULT_PORT,
            hostlist: vec![HostPort::new("localhost", DEFAULT_PORT)],
            transport: TransportConfig::default_for(TransportRole::Admin),
        }
    }
}

/// Checks the text of `daos_control.yml`. All findings come at once, in file order.
pub fn control(text: &str) -> Result<Checked<ControlConfig>, Vec<Finding>> {
    let mut report = Report::default();
    let config = document::parse(text, &mut report).and_then(|root| {
        if root.is_empty_section() {
            let remedy = "write at least `hostlist`, or remove the file to use the built-in settings";
            report.error_at(document::Mark::START, "", "the file has no settings", remedy);
            return None;
        }
        let top = Section::open(&mut report, &root, "", &CONTROL)?;
        Some((read(&mut report, &top), Places::of(&root)))
    });
    conclude(report, config)
}

fn read(report: &mut Report, top: &Section) -> ControlConfig {
    let defaults = ControlConfig::default();
    let name = top.parsed(report, "name", FaultName::ServerConfigBadConfig, system_name);
    let port =
        top.port(report, "port", 1, FaultName::ClientConfigBadControlPort).map_or(DEFAULT_PORT, |given| given.value);
    ControlConfig {
        name: name.map_or(defaults.name, |given| given.value),
        port,
        hostlist: hosts(report, top, port),
        transport: transport::read(report, top, TransportRole::Admin),
    }
}

fn hosts(report: &mut Report, top: &Section, port: u16) -> Vec<HostPort> {
    let Some(given) = top.texts(report, "hostlist") else { return vec![HostPort::new("localhost", port)] };
    let mut hosts: Vec<HostPort> = Vec::new();
    let empty = given.value.is_empty();
    for item in given.value {
        let Some(expanded) = parsed(report, item, FaultName::ClientConnectionBadHost, |text| {
            hostlist::problem(hostlist::expand(text, port))
        }) else {
            continue;
        };
        for host in expanded.value {
            if hosts.len() >= MAX_HOSTS {
                let problem = format!("`hostlist` names more than {MAX_HOSTS} hosts");
                report.fault(
                    FaultName::ClientConnectionBadHost,
                    expanded.mark,
                    &expanded.path,
                    problem,
                    "shorten the list",
                );
                return hosts;
            }
            if hosts.contains(&host) {
                let problem = format!("the host {} is listed twice", quote(&host.to_string()));
                report.notice(
                    FaultName::ClientConnectionBadHost,
                    expanded.mark,
                    &expanded.path,
                    problem,
                    "remove one of the two",
                );
            } else {
                hosts.push(host);
            }
        }
    }
    if empty {
        let remedy = "list at least one server, or remove `hostlist` to use this host";
        report.fault(FaultName::ClientConfigEmptyHostList, given.mark, &given.path, "`hostlist` lists no host", remedy);
    }
    hosts
}
