//! Shell lines that a package runs at installation and removal.
//!
//! The macros of systemd-rpm-macros are not used: they differ between the distributions, and a build host need not have
//! them. Every line ends in success: a failing scriptlet leaves a half-installed package behind.

/// `%post` and `%postun` line of packages with libraries, for distributions whose glibc has no file trigger for it.
pub(crate) const LOADER_CACHE: &str = "[ ! -x /sbin/ldconfig ] || /sbin/ldconfig";

/// `%post` for units: presets on first installation, as distribution policy demands; never `enable`.
pub(crate) fn units_post(units: &[String]) -> Vec<String> {
    when_any(units, "if [ $1 -eq 1 ] && [ -x /usr/bin/systemctl ]; then", |names| {
        format!("    systemctl --no-reload preset {names} >/dev/null 2>&1 || :")
    })
}

/// `%preun` for units: stop and disable on removal, not on upgrade. What a unit left running, whose main process is gone, ends too, and
/// no unit stays behind as failed.
pub(crate) fn units_preun(units: &[String]) -> Vec<String> {
    when_any(units, "if [ $1 -eq 0 ] && [ -x /usr/bin/systemctl ]; then", |names| {
        let words = ["--no-reload disable --now", "kill --kill-who=all", "reset-failed"];
        words.map(|words| format!("    systemctl {words} {names} >/dev/null 2>&1 || :")).join("\n")
    })
}

/// `%post` lines for the keys of a sysctl.d file: on first installation, what the next boot would set, from all such files of the host.
pub(crate) fn sysctl_post(file: &str) -> Vec<String> {
    let keys: Vec<_> = file
        .lines()
        .map(|line| line.trim_start_matches('-').trim())
        .filter(|line| !line.starts_with(['#', ';']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, _)| format!("--prefix={}", key.trim()))
        .collect();
    let program = "/usr/lib/systemd/systemd-sysctl";
    if keys.is_empty() {
        return Vec::new();
    }
    vec![
        format!("if [ $1 -eq 1 ] && [ -x {program} ]; then"),
        format!("    {program} {} >/dev/null 2>&1 || :", keys.join(" ")),
        "fi".to_owned(),
    ]
}

/// `%post` line that makes the folders of one tmpfiles.d file.
pub(crate) fn tmpfiles_post(name: &str) -> String {
    format!("[ ! -x /usr/bin/systemd-tmpfiles ] || systemd-tmpfiles --create {name} >/dev/null 2>&1 || :")
}

fn when_any(units: &[String], condition: &str, line: impl FnOnce(String) -> String) -> Vec<String> {
    if units.is_empty() {
        return Vec::new();
    }
    vec![condition.to_owned(), line(units.join(" ")), "fi".to_owned()]
}
