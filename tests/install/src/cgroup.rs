//! A cgroup of its own for a container, in every hierarchy that systemd manages.
//!
//! Without it systemd-nspawn would put every container into `payload` beside itself, and two service managers would run
//! one tree.

use std::fs;
use std::path::{Path, PathBuf};

/// Paths that `name` has in the hierarchies of systemd: one on a unified host, two on a hybrid one.
pub(crate) fn paths(name: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut paths = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let at = mounts.lines().find_map(|mount| {
            let mut fields = mount.split(' ').skip(1);
            let (at, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = match controllers {
                "" => kind == "cgroup2",
                "name=systemd" => kind == "cgroup" && options.split(',').any(|option| option == "name=systemd"),
                _ => false,
            };
            ours.then(|| PathBuf::from(at))
        });
        if let Some(at) = at {
            paths.push(at.join(path.trim_start_matches('/')).join(name));
        }
    }
    paths
}

/// Processes of a cgroup and those below it.
pub(crate) fn processes(path: &Path) -> Vec<i32> {
    let listed = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<i32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(processes(&entry.path()));
        }
    }
    found
}

/// Removes a cgroup without processes, and those below it.
pub(crate) fn remove(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(path); // one with a process that is just ending: tried again by the caller
}
