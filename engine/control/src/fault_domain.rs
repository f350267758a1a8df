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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Asks a shell script with this body and mode beside the configuration file.
    fn answer(body: &str, mode: u32) -> Result<String, FaultName> {
        let folder = tempfile::tempdir().expect("folder");
        let program = folder.path().join("domain.sh");
        std::fs::write(&program, format!("#!/bin/sh\n{body}\n")).expect("writes");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).expect("sets the mode");
        // Another test's fork may hold the script open for writing for a moment.
        loop {
            match ask(&program, Some(folder.path())) {
                Err(fault) if fault.description.contains("Text file busy") => std::thread::yield_now(),
                other => return other.map_err(|fault| fault.name),
            }
        }
    }

    #[test]
    fn what_a_callback_may_print_and_be() {
        assert_eq!(answer("echo /rack1/node2", 0o755), Ok("/rack1/node2".to_owned()));
        assert_eq!(answer("exit 0", 0o755), Err(FaultName::ServerConfigFaultCallbackEmpty));
        assert_eq!(answer("echo rack1", 0o755), Err(FaultName::ServerConfigFaultDomainInvalid));
        assert_eq!(answer("echo /a//b", 0o755), Err(FaultName::ServerConfigFaultDomainInvalid));
        assert_eq!(answer("echo /a; exit 1", 0o755), Err(FaultName::ServerConfigFaultCallbackFailed));
        assert_eq!(answer("echo /a", 0o777), Err(FaultName::ServerConfigFaultCallbackInsecure));
        assert_eq!(answer("echo /a", 0o4755), Err(FaultName::ServerConfigFaultCallbackInsecure));
        assert_eq!(answer("echo /a", 0o600), Err(FaultName::ServerConfigFaultCallbackBadPerms));
        let missing = ask(Path::new("/nonexistent"), None).map_err(|fault| fault.name);
        assert_eq!(missing, Err(FaultName::ServerConfigFaultCallbackNotFound));
        let elsewhere = ask(Path::new("/bin/sh"), Some(Path::new("/etc/daos"))).map_err(|fault| fault.name);
        assert_eq!(elsewhere, Err(FaultName::ServerConfigFaultCallbackInsecure));
    }
}
