//! Arguments and `daos_agent.yml` as the settings of one run.

use std::io::ErrorKind;
use std::path::Path;

use config::AgentConfig;
use types::{Fault, FaultName, Status};
use wire::fault::Failure;

use crate::cli::Globals;

/// Where this distribution keeps the file.
pub(crate) const DEFAULT_PATH: &str = "/etc/daos/daos_agent.yml";

/// What an absent file stands for: every key of it has a default.
const NO_SETTINGS: &str = "{}";

/// Reads the file that applies and lets the arguments override it.
pub(crate) fn load(globals: &Globals, default_path: &Path) -> Result<AgentConfig, Failure> {
    let (path, text) = match &globals.config_path {
        Some(path) => (path.as_path(), std::fs::read(path)),
        None => (default_path, std::fs::read(default_path)),
    };
    let text = match text {
        Err(error) if error.kind() == ErrorKind::NotFound && globals.config_path.is_none() => NO_SETTINGS.to_owned(),
        Err(error) => return Err(unreadable(path, &error).into()),
        Ok(bytes) => config::text(bytes).map_err(|finding| not_text(path, finding))?,
    };
    let Globals { config_path: _, insecure, runtime_dir, logfile, debug: _, json: _ } = globals;
    let mut config = parse(path, &text)?;
    config.transport.allow_insecure |= insecure;
    if let Some(runtime_dir) = runtime_dir {
        config.runtime_dir.clone_from(runtime_dir);
    }
    if let Some(logfile) = logfile {
        config.log_file = Some(logfile.clone());
    }
    Ok(config)
}

fn parse(path: &Path, text: &str) -> Result<AgentConfig, Failure> {
    let checked = config::agent(text).map_err(|findings| {
        let name = findings.first().map_or(FaultName::ServerConfigBadConfig, |finding| finding.name);
        let shown = config::render(&findings, &path.display().to_string(), text);
        Failure::new(
            Status::Invalid,
            format!("the configuration cannot be used ({})\n{}", name.as_str(), shown.trim_end()),
        )
    })?;
    for notice in &checked.notices {
        // the log is not open yet: its file is a setting
        eprintln!("daos_agent: {}:{}: {}; {}", path.display(), notice.line, notice.description, notice.resolution);
    }
    Ok(checked.config)
}

fn not_text(path: &Path, finding: config::Finding) -> Fault {
    let place = format!("{}:{}:{}", path.display(), finding.line, finding.column);
    Fault::new(finding.name, format!("{place}: {}", finding.description), finding.resolution)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(
        FaultName::ServerConfigNoConfigPath,
        format!("cannot read the configuration `{}`: {error}", path.display()),
        format!("name a readable file with -o, or remove the option to use {DEFAULT_PATH}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
        let path = folder.path().join("daos_agent.yml");
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn arguments_override_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, "name: here\nruntime_dir: /run/a\nlog_file: /tmp/a\naccess_points: ['a:1', b]\n");
        let plain = Globals { config_path: Some(path.clone()), ..Globals::default() };
        let config = load(&plain, Path::new(DEFAULT_PATH)).unwrap();
        assert_eq!((config.name.as_str(), config.runtime_dir.as_path()), ("here", Path::new("/run/a")));
        assert!(!config.transport.allow_insecure);
        assert_eq!(config.access_points[1].to_string(), "b:10001");
        let globals =
            Globals { insecure: true, runtime_dir: Some("/run/b".into()), logfile: Some("/tmp/b".into()), ..plain };
        let config = load(&globals, Path::new(DEFAULT_PATH)).unwrap();
        assert!(config.transport.allow_insecure);
        assert_eq!(config.runtime_dir, Path::new("/run/b"));
        assert_eq!(config.log_file.as_deref(), Some(Path::new("/tmp/b")));
    }

    #[test]
    fn only_a_default_file_may_be_absent() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent.yml");
        let config = load(&Globals::default(), &absent).unwrap();
        assert_eq!(config.access_points[0].to_string(), "localhost:10001");
        let named = Globals { config_path: Some(absent.clone()), ..Globals::default() };
        let failure = load(&named, &absent).unwrap_err();
        assert_eq!(failure.fault, Some(FaultName::ServerConfigNoConfigPath));
    }

    #[test]
    fn a_wrong_file_is_shown_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let globals = Globals { config_path: Some(file(&folder, "acess_points: [a]\n")), ..Globals::default() };
        let failure = load(&globals, Path::new(DEFAULT_PATH)).unwrap_err();
        assert!(
            failure.message.contains("daos_agent.yml:1:1") && failure.message.contains("access_points"),
            "{failure}"
        );
    }
}
