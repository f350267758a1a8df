//! Finding, reading and checking `daos_server.yml`.

use std::path::{Path, PathBuf};

use config::{Checked, Finding, Overrides, ServerConfig, Severity};
use types::{Fault, FaultName};

use crate::network::interfaces;
use crate::server::machine;

/// Where the file is when `-o` does not say.
const DEFAULT_PATH: &str = "/etc/daos/daos_server.yml";

/// A file that was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Reads the file at `given`, or the default one.
pub(super) fn read(given: Option<&Path>) -> Result<Source, Fault> {
    let path = given.map_or_else(|| PathBuf::from(DEFAULT_PATH), Path::to_path_buf);
    match std::fs::read(&path) {
        Ok(bytes) => match config::text(bytes) {
            Ok(text) => Ok(Source { path, text }),
            Err(finding) => {
                let place = format!("{}:{}:{}", path.display(), finding.line, finding.column);
                Err(Fault::new(finding.name, format!("{place}: {}", finding.description), finding.resolution))
            }
        },
        Err(error) => Err(Fault::new(
            FaultName::ServerConfigNoConfigPath,
            format!("cannot read the configuration file `{}`: {error}", path.display()),
            "name an existing file with `-o`, or put one at /etc/daos/daos_server.yml, and restart the control server",
        )),
    }
}

/// What the settings are checked for: a file is validated on one host for others too, which have other interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Start,
    Validate,
}

/// All findings: of the file, of this machine, and of what this build cannot run. The settings when none is an error.
pub(super) fn check(source: &Source, overrides: &Overrides, purpose: Purpose) -> (Option<ServerConfig>, Vec<Finding>) {
    let (config, mut findings, places) = match config::server_with(&source.text, overrides) {
        Ok(Checked { config, notices, places }) => (config, notices, places),
        Err(findings) => return (None, findings),
    };
    findings.extend(config::unsupported(&config, fabric::PROVIDERS));
    findings.extend(config::check_machine(&config, &machine()));
    findings.extend(fabric_interfaces(&config, purpose));
    if config.engines.is_empty() {
        findings.push(Finding {
            severity: Severity::Notice,
            name: FaultName::ServerConfigNoEngines,
            line: 0,
            column: 0,
            path: "engines".to_owned(),
            description: "no engines are configured; the server answers dmg but runs no engine".to_owned(),
            resolution: "add an `engines` section, unless this host is only to be scanned".to_owned(),
        });
    }
    places.locate(&mut findings);
    let usable = findings.iter().all(|finding| finding.severity == Severity::Notice);
    (usable.then_some(config), findings)
}

/// Interfaces of the engines that this host does not have.
fn fabric_interfaces(config: &ServerConfig, purpose: Purpose) -> Vec<Finding> {
    let here: Vec<String> = interfaces().into_iter().map(|interface| interface.name).collect();
    let missing = (0..).zip(&config.engines).filter(|(_, engine): &(usize, _)| !here.contains(&engine.fabric_iface));
    missing
        .map(|(index, engine)| Finding {
            severity: if purpose == Purpose::Start { Severity::Error } else { Severity::Notice },
            name: FaultName::ServerConfigBadConfig,
            line: 0,
            column: 0,
            path: format!("engines[{index}].fabric_iface"),
            description: format!(
                "this host has no interface `{}`; it has {}",
                engine.fabric_iface,
                here.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
            resolution: match purpose {
                Purpose::Start => "set `fabric_iface` to an interface of this host and restart daos_server".to_owned(),
                Purpose::Validate => {
                    "set `fabric_iface` to an interface of this host, unless the file is for another one".to_owned()
                }
            },
        })
        .collect()
}
