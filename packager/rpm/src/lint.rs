//! rpmlint as a gate: its errors are findings, its warnings are not.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_recipe::target::Severity;
use packager_source::stop;

use crate::gates::Finding;

/// Checks of rpmlint that do not apply to what it is shown here, each with the reason.
const NOT_HERE: [(&str, &str); 9] = [
    ("unknown-key", "rpmlint asks the host's key database; signatures are checked against the given key by `verify`"),
    ("no-signature", "packages are signed after the gates, and a gate of our own checks the signature"),
    ("shlib-policy-name-error", SUSE),
    ("outside-libdir-files", SUSE),
    ("non-versioned-file-in-library-package", SUSE),
    ("executable-in-library-package", SUSE),
    (
        "missing-hash-section",
        "the GNU hash section is enough for every loader that we build for; distributions left the other one",
    ),
    ("no-library-dependency-on", "rpmlint looks for the requirement under the build host's architecture"),
    ("no-group-tag", "no supported distribution uses groups; rpm ignores the tag"),
];

/// Whose rule it is.
const SUSE: &str = "SUSE's policy of one package per library version; Enterprise Linux and openEuler have none such";

/// What it says when it came to its end.
const CLOSING: &str = "specfiles checked";

/// rpmlint that does not run.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// Not installed.
    #[error("`rpmlint` is not installed\nhint: run `scripts/packager`, which installs what builds need")]
    Missing,
    /// It gave up.
    #[error(
        "`rpmlint` did not finish:\n{0}\nhint: run `rpmlint` by hand over the packages below the packager's `artifacts/`"
    )]
    Failed(String),
    /// Another reason.
    #[error("cannot run `rpmlint`")]
    Start(#[source] io::Error),
}

/// Runs rpmlint over packages; debug packages are left out, because its checks are about programs and libraries that run.
pub fn run(packages: &[PathBuf]) -> Result<Vec<Finding>, LintError> {
    let packages: Vec<&PathBuf> = packages.iter().filter(|path| !is_debug(path)).collect();
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    // A person's own filters are not to silence the gate; the spell checker behind it wants to write there.
    // What it unpacks lies there too, so that it goes also when rpmlint is stopped.
    let settings = tempfile::tempdir().map_err(LintError::Start)?;
    let mut rpmlint = Command::new("rpmlint");
    rpmlint
        .args(packages)
        .env("LC_ALL", "C.UTF-8")
        .env("XDG_CONFIG_HOME", settings.path())
        .env("TMPDIR", settings.path());
    let output = match stop::output(&mut rpmlint) {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(LintError::Missing),
        Err(error) => return Err(LintError::Start(error)),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains(CLOSING) {
        return Err(LintError::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(said.lines().filter_map(parse).filter(applies).collect())
}

/// Whether a package file holds debug information or debug sources.
#[must_use]
pub fn is_debug(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.contains("-debuginfo-") || name.contains("-debugsource-")
}

fn applies(finding: &Finding) -> bool {
    NOT_HERE.iter().all(|(name, _)| *name != finding.finding)
}

/// `daos-server.x86_64: E: name details`.
fn parse(line: &str) -> Option<Finding> {
    let (package, rest) = line.split_once(": E: ")?;
    let package = package.split(':').next()?;
    let package = package.rsplit_once('.').map_or(package, |(name, _)| name);
    let (finding, details) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Finding {
        finding: finding.to_owned(),
        severity: Severity::Error,
        package: package.to_owned(),
        message: details.trim().to_owned(),
        hint: format!(
            "correct it, or add a waiver for `{finding}` with a reason to the recipe; `rpmlint -e {finding}` explains it"
        ),
        waived: None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn errors_become_findings() {
        let finding =
            parse("daos-server.x86_64: E: non-standard-dir-perm /etc/daos/certs/clients 700").expect("an error");
        assert_eq!(finding.package, "daos-server");
        assert_eq!(finding.finding, "non-standard-dir-perm");
        assert_eq!(finding.message, "/etc/daos/certs/clients 700");
        assert_eq!(parse("daos.x86_64: W: no-url-tag"), None);
    }
}
