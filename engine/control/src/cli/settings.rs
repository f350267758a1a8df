//! Finding, reading and checking `daos_server.yml`.

use std::path::{Path, PathBuf};

use config::{Checked, Finding, Overrides, ServerConfig, Severity};
use types::{Fault, FaultName};

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
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Source { path, text }),
        Err(error) => Err(Fault::new(
            FaultName::ServerConfigNoConfigPath,
            format!("cannot read the configuration file `{}`: {error}", path.display()),
            "name an existing file with `-o`, or put one at /etc/daos/daos_server.yml, and restart the control server",
        )),
    }
}

/// All findings: of the file, of this machine, and of what this build cannot run. The settings when none is an error.
pub(super) fn check(source: &Source, overrides: &Overrides) -> (Option<ServerConfig>, Vec<Finding>) {
    let (config, mut findings) = match config::server_with(&source.text, overrides) {
        Ok(Checked { config, notices, .. }) => (config, notices),
        Err(findings) => return (None, findings),
    };
    findings.extend(config::unsupported(&config));
    findings.extend(config::check_machine(&config, &machine()));
    let usable = findings.iter().all(|finding| finding.severity == Severity::Notice);
    (usable.then_some(config), findings)
}
