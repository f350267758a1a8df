//! Arguments and `daos_control.yml` as the settings of one run.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use agent::grpc::Security;
use config::{ControlConfig, HostPort, TransportRole, hostlist};
use types::{Fault, FaultName, Status};
use wire::fault::Failure;

use super::cli::Globals;

/// Where this distribution keeps the file.
const SYSTEM_PATH: &str = "/etc/daos/daos_control.yml";
/// Its name in a home directory.
const HOME_NAME: &str = ".daos_control.yml";

/// Settled, nothing left to look up.
pub struct Settings {
    /// Name of the system every request is meant for.
    pub system: String,
    /// Servers to talk to.
    pub hosts: Vec<HostPort>,
    /// How.
    pub security: Security,
}

/// Files to look for when none is named, first one first.
#[derive(Debug, Clone)]
pub struct Searched(pub Vec<PathBuf>);

impl Searched {
    /// In the caller's home directory, then of the system.
    pub fn of_this_user() -> Searched {
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(HOME_NAME));
        Searched(home.into_iter().chain([PathBuf::from(SYSTEM_PATH)]).collect())
    }
}

/// Reads the file that applies and lets the arguments override it.
pub fn load(globals: &Globals, searched: &Searched) -> Result<Settings, Failure> {
    let ControlConfig { name, port, hostlist, mut transport } = read(globals, searched)?;
    transport.allow_insecure |= globals.insecure;
    let hosts = match &globals.host_list {
        None => hostlist,
        Some(list) => hostlist::expand(list, port)
            .map_err(|error| Fault::new(FaultName::ClientConnectionBadHost, error.to_string(), error.hint()))?,
    };
    let security = Security::load(&transport, TransportRole::Admin)?;
    Ok(Settings { system: name, hosts, security })
}

fn read(globals: &Globals, searched: &Searched) -> Result<ControlConfig, Failure> {
    if let Some(path) = &globals.config_path {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        return parse(path, &text_of(path, bytes)?);
    }
    for path in &searched.0 {
        match std::fs::read(path) {
            Ok(bytes) => return parse(path, &text_of(path, bytes)?),
            Err(error) if error.kind() == ErrorKind::NotFound => tracing::debug!(path = %path.display(), "not there"),
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    Ok(ControlConfig::default())
}

fn parse(path: &Path, text: &str) -> Result<ControlConfig, Failure> {
    tracing::debug!(path = %path.display(), "configuration");
    let checked = config::control(text).map_err(|findings| {
        let name = findings.first().map_or(FaultName::ServerConfigBadConfig, |finding| finding.name);
        let shown = config::render(&findings, &path.display().to_string(), text);
        Failure::new(
            Status::Invalid,
            format!("the configuration cannot be used ({})\n{}", name.as_str(), shown.trim_end()),
        )
    })?;
    for notice in &checked.notices {
        tracing::warn!(line = notice.line, "{}; {}", notice.description, notice.resolution);
    }
    Ok(checked.config)
}

fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, Fault> {
    config::text(bytes).map_err(|finding| {
        let place = format!("{}:{}:{}", path.display(), finding.line, finding.column);
        Fault::new(finding.name, format!("{place}: {}", finding.description), finding.resolution)
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Fault::new(
        FaultName::ServerConfigNoConfigPath,
        format!("cannot read the configuration `{}`: {error}", path.display()),
        "name a readable file with -o, or remove the option to use ~/.daos_control.yml or /etc/daos/daos_control.yml",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn hosts(settings: Result<Settings, Failure>) -> Vec<String> {
        settings.unwrap_or_else(|failure| panic!("{failure}")).hosts.iter().map(HostPort::to_string).collect()
    }

    const INSECURE: &str = "transport_config: {allow_insecure: true}\n";

    #[test]
    fn the_named_file_wins_then_the_first_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        let home = file(folder.path(), "home.yml", &format!("hostlist: [home]\n{INSECURE}"));
        let system = file(folder.path(), "system.yml", &format!("hostlist: [system]\n{INSECURE}"));
        let named = file(folder.path(), "named.yml", &format!("hostlist: ['named[1-2]']\nport: 7\n{INSECURE}"));
        let searched = Searched(vec![folder.path().join("absent.yml"), home, system]);
        assert_eq!(hosts(load(&Globals::default(), &searched)), ["home:10001"]);
        let globals = Globals { config_path: Some(named), ..Globals::default() };
        assert_eq!(hosts(load(&globals, &searched)), ["named1:7", "named2:7"]);
        let globals = Globals { host_list: Some("a[1-2],b:9".to_owned()), ..globals };
        assert_eq!(hosts(load(&globals, &searched)), ["a1:7", "a2:7", "b:9"]);
    }

    #[test]
    fn without_any_file_the_built_in_default_serves() {
        let globals = Globals { insecure: true, ..Globals::default() };
        let settings = load(&globals, &Searched(vec![])).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(settings.system, "daos_server");
        assert!(matches!(settings.security, Security::Insecure));
        assert_eq!(hosts(load(&globals, &Searched(vec![]))), ["localhost:10001"]);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let failure = |path: PathBuf, list: Option<&str>| {
            let globals = Globals { config_path: Some(path), host_list: list.map(str::to_owned), ..Globals::default() };
            load(&globals, &Searched(vec![])).err().expect("a failure")
        };
        let absent = failure(folder.path().join("absent.yml"), None);
        assert_eq!(absent.fault, Some(FaultName::ServerConfigNoConfigPath));
        let misspelt = failure(file(folder.path(), "bad.yml", "hostlsit: [a]\n"), None);
        assert!(misspelt.message.contains("bad.yml:1:1") && misspelt.message.contains("hostlist"), "{misspelt}");
        let latin = folder.path().join("latin.yml");
        std::fs::write(&latin, b"# caf\xe9\n").unwrap();
        let latin = failure(latin, None);
        assert_eq!(latin.fault, Some(FaultName::ServerConfigBadConfig));
        assert!(latin.message.contains("latin.yml:1:6") && latin.resolution.contains("UTF-8"), "{latin}");
        let good = file(folder.path(), "good.yml", INSECURE);
        assert_eq!(failure(good, Some("node[1")).fault, Some(FaultName::ClientConnectionBadHost));
    }
}
