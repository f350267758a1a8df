//! Command line and environment of `daos_engine`. Pure.

use std::ffi::OsString;
use std::path::Path;

use config::{EngineConfig, ServerConfig};

/// Variables of the server's own environment that every engine gets.
const ALWAYS_PASSED: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "RUST_BACKTRACE"];

/// `daos_engine`'s arguments.
pub(crate) fn arguments(server: &ServerConfig, engine: &EngineConfig, index: u32, conf: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: OsString| {
        arguments.push(name.into());
        arguments.push(value);
    };
    option("-t", engine.targets.to_string().into());
    option("-x", engine.nr_xs_helpers.to_string().into());
    if let Some(core) = engine.first_core {
        option("-f", core.to_string().into());
    }
    if let Some(node) = engine.pinned_numa_node {
        option("-p", node.to_string().into());
    }
    option("-g", server.name.clone().into());
    option("-d", server.socket_dir.clone().into());
    option("-s", engine.scm.mount.clone().into());
    option("-n", conf.into());
    option("-I", index.to_string().into());
    arguments
}

/// `daos_engine`'s environment. `own` reads the server's; settings of the file win over it, `env_vars` over all.
pub(crate) fn environment(engine: &EngineConfig, own: impl Fn(&str) -> Option<OsString>) -> Vec<(String, OsString)> {
    let mut variables: Vec<(String, OsString)> = Vec::new();
    let mut set = |name: &str, value: OsString| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value));
    };
    for name in ALWAYS_PASSED.into_iter().chain(engine.env_pass_through.iter().map(String::as_str)) {
        if let Some(value) = own(name) {
            set(name, value);
        }
    }
    set("D_INTERFACE", engine.fabric_iface.clone().into());
    set("D_PORT", engine.fabric_iface_port.to_string().into());
    set("D_PROVIDER", engine.provider.name.clone().into());
    set("D_LOG_MASK", engine.log_mask.clone().into());
    if let Some(file) = &engine.log_file {
        set("D_LOG_FILE", file.clone().into());
    }
    if let Some(seconds) = engine.crt_timeout {
        set("CRT_TIMEOUT", seconds.to_string().into());
    }
    if let Some(key) = &engine.fabric_auth_key {
        set("D_PROVIDER_AUTH_KEY", key.clone().into());
    }
    for variable in &engine.env_vars {
        set(&variable.name, variable.value.clone().into());
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
name: daos_server
port: 10001
provider: ofi+tcp
socket_dir: /run/test
control_metadata: {path: /var/daos}
engines:
- targets: 2
  nr_xs_helpers: 1
  first_core: 3
  fabric_iface: lo
  fabric_iface_port: 31416
  log_file: /tmp/engine.log
  env_vars: [FI_X=1, D_PORT=9]
  env_pass_through: [HOME]
  storage:
  - {class: ram, scm_mount: /mnt/daos}
  - {class: file, bdev_list: [/var/daos/bdev], bdev_size: 6}
";

    #[test]
    fn the_command_line_and_environment_of_an_engine() {
        let server = config::server(FILE).expect("valid").config;
        let engine = &server.engines[0];
        let line = arguments(&server, engine, 0, Path::new("/c/daos_nvme.conf"));
        let line: Vec<&str> = line.iter().filter_map(|argument| argument.to_str()).collect();
        assert_eq!(line.join(" "), "-t 2 -x 1 -f 3 -g daos_server -d /run/test -s /mnt/daos -n /c/daos_nvme.conf -I 0");
        let own = |name: &str| match name {
            "HOME" | "PATH" | "SECRET" => Some(OsString::from(format!("/{name}"))),
            _ => None,
        };
        let mut variables: Vec<String> = environment(engine, own)
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.to_string_lossy()))
            .collect();
        variables.sort();
        assert_eq!(
            variables,
            [
                "D_INTERFACE=lo",
                "D_LOG_FILE=/tmp/engine.log",
                "D_LOG_MASK=ERR",
                "D_PORT=9",
                "D_PROVIDER=ofi+tcp",
                "FI_X=1",
                "HOME=/HOME",
                "PATH=/PATH"
            ]
        );
    }
}
