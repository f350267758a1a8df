//! The fault domain of this host: `fault_path`, what `fault_cb` prints, or `/hostname`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use config::ServerConfig;
use types::{Fault, FaultName};

use crate::network;

/// Decides it.
pub(crate) fn of(config: &ServerConfig, file: Option<&Path>) -> Result<String, Fault> {
    if let Some(path) = &config.fault_path {
        return Ok(path.clone());
    }
    match &config.fault_cb {
        Some(program) => ask(program, file.and_then(Path::parent)),
        None => Ok(format!("/{}", network::hostname())),
    }
}

/// Runs the callback, after DAOS's checks that nobody else could have put it there.
fn ask(program: &Path, config_folder: Option<&Path>) -> Result<String, Fault> {
    let fault = |name, problem: &str, resolution: &str| {
        Fault::new(name, format!("the fault domain callback `{}` {problem}", program.display()), resolution)
    };
    let metadata = std::fs::symlink_metadata(program).map_err(|error| {
        let problem = format!("cannot be found: {error}");
        fault(
            FaultName::ServerConfigFaultCallbackNotFound,
            &problem,
            "correct `fault_cb` and restart the control server",
        )
    })?;
    let beside = config_folder.is_none_or(|folder| program.starts_with(folder));
    if metadata.is_symlink() || metadata.mode() & 0o6022 != 0 || !beside {
        return Err(fault(
            FaultName::ServerConfigFaultCallbackInsecure,
            "is a link, setuid, writable by others, or not under the configuration file's directory",
            "put the program itself beside the configuration file with mode 0755 and restart the control server",
        ));
    }
    let output = Command::new(program).output().map_err(|error| {
        let problem = format!("cannot be run: {error}");
        fault(
            FaultName::ServerConfigFaultCallbackBadPerms,
            &problem,
            "make it executable and restart the control server",
        )
    })?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        let problem = format!("ended with {}", output.status);
        return Err(fault(
            FaultName::ServerConfigFaultCallbackFailed,
            &problem,
            "correct the program and restart the control server",
        ));
    }
    match text.as_str() {
        "" => Err(fault(
            FaultName::ServerConfigFaultCallbackEmpty,
            "printed nothing",
            "let it print a fault domain, as in `/rack1/node2`, and restart the control server",
        )),
        path if path.starts_with('/') && path.split('/').skip(1).all(|part| !part.is_empty()) => Ok(text),
        path => Err(fault(
            FaultName::ServerConfigFaultDomainInvalid,
            &format!("printed `{path}`, which is no fault domain"),
            "let it print a fault domain, as in `/rack1/node2`, and restart the control server",
        )),
    }
}
