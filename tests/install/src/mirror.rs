//! Where Debian's packages come from: what apt on this machine uses, with its proxy and certificate authorities. No host name
//! is written down here.

use std::path::Path;
use std::process::Command;

use system_suite::Outcome;

/// A mirror, as apt knows it.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// Debian's name of the release, from os-release.
    pub(crate) codename: String,
    uri: String,
    environment: Vec<(&'static str, String)>,
}

impl Mirror {
    /// Asks apt.
    pub(crate) fn of_apt() -> Mirror {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let codename = release
            .lines()
            .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
            .expect("hint: the install suite makes Debian roots, and reads release and mirror from a Debian host")
            .trim_matches('"')
            .to_owned();
        let uri = apt_targets(&codename)
            .or_else(|| {
                Outcome::of(Command::new("apt-get").args(["update", "-qq"])).ok();
                apt_targets(&codename)
            })
            .unwrap_or_else(|| panic!("apt has no source of `{codename}`\nhint: see `apt-get indextargets`"));
        let mut environment = Vec::new();
        for (key, variable) in [("Acquire::http::Proxy", "http_proxy"), ("Acquire::https::Proxy", "https_proxy")] {
            environment.extend(apt_setting(key).map(|value| (variable, value)));
        }
        Mirror { codename, uri, environment }
    }

    /// debootstrap into `to`, with downloads kept in `downloads`. `room` is for files that only this run needs.
    pub(crate) fn debootstrap(&self, debian_arch: &str, packages: &[&str], to: &Path, downloads: &Path, room: &Path) {
        let mut command = Command::new("debootstrap");
        command.arg(format!("--arch={debian_arch}")).arg("--variant=minbase");
        command.arg(format!("--include={}", packages.join(",")));
        command.arg(format!("--cache-dir={}", downloads.display()));
        command.arg(&self.codename).arg(to).arg(&self.uri);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(authorities) = apt_setting("Acquire::https::CAInfo") {
            // debootstrap downloads with wget, which takes this from a file only.
            let wgetrc = room.join("wgetrc");
            std::fs::write(&wgetrc, format!("ca_certificate = {authorities}\n")).expect("a file in a fresh folder");
            command.env("WGETRC", wgetrc);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        let made = Outcome::of(&mut command);
        let log = std::fs::read_to_string(to.join("debootstrap/debootstrap.log")).unwrap_or_default();
        assert_eq!(made.code, 0, "debootstrap failed\n{}\n{}\n{log}", tail(&made.stdout), made.stderr);
    }
}

fn apt_targets(codename: &str) -> Option<String> {
    let format = "$(CODENAME) $(REPO_URI)";
    let targets =
        Outcome::of(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]));
    targets.stdout.lines().find_map(|line| Some(line.strip_prefix(codename)?.strip_prefix(' ')?.to_owned()))
}

fn apt_setting(key: &str) -> Option<String> {
    let said = Outcome::of(Command::new("apt-config").args(["shell", "VALUE", key])).stdout;
    let value = said.trim().strip_prefix("VALUE='")?.strip_suffix('\'')?;
    (!value.is_empty() && value != "DIRECT").then(|| value.to_owned())
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
