//! What the system says of a mount point, for both classes of memory tier.

use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statfs::{Statfs, statfs};
use types::{Fault, FaultName};

/// Space at a mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) total: u64,
    pub(crate) available: u64,
}

impl Usage {
    pub(super) fn at(path: &Path) -> io::Result<Usage> {
        Ok(Usage::of(&statfs(path)?))
    }

    pub(super) fn of(stat: &Statfs) -> Usage {
        let block = u64::try_from(stat.block_size()).unwrap_or(0);
        Usage { total: stat.blocks() * block, available: stat.blocks_available() * block }
    }
}

/// True when `path` itself is listed in /proc/self/mountinfo.
pub(super) fn is_mount_point(path: &Path) -> bool {
    file_system_options(path).is_some()
}

/// Whether the file system mounted at `path` itself has an option, with or without a value.
pub(super) fn has_option(path: &Path, option: &str) -> bool {
    let options = file_system_options(path).unwrap_or_default();
    options.split(',').any(|given| given.split('=').next() == Some(option))
}

/// The options of the file system that was mounted last at `path`.
fn file_system_options(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    table.lines().rev().find_map(|line| {
        let at = unescape(line.split(' ').nth(4)?);
        (Path::new(&at) == path).then(|| line.rsplit(' ').next().unwrap_or_default().to_owned())
    })
}

/// Spaces and backslashes are octal in mountinfo (proc(5)).
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// A directory that cannot be written is found here and not by the engine.
pub(super) fn probe(path: &Path) -> Result<(), Fault> {
    let file = path.join(".probe");
    fs::write(&file, b"").map_err(|error| denied(path, "cannot write", &error))?;
    let _ = fs::remove_file(file);
    Ok(())
}

pub(super) fn denied(path: &Path, attempt: &str, error: &io::Error) -> Fault {
    Fault::new(
        FaultName::StoragePathAccessDenied,
        format!("{attempt} at `scm_mount` `{}`: {error}", path.display()),
        "make the directory, give it to daos_server's user (`chown`, after a `mount`), and restart daos_server",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mount_point_of_its_own_counts() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(!is_mount_point(folder.path()) && !is_mount_point(Path::new("/nonexistent")));
        assert!(is_mount_point(Path::new("/proc")));
        assert_eq!(unescape("/mnt/a\\040b"), "/mnt/a b");
    }

    #[test]
    fn options_are_those_of_the_mount_itself() {
        assert!(has_option(Path::new("/proc"), "rw") && !has_option(Path::new("/proc"), "dax"));
        assert!(!has_option(Path::new("/proc/sys/kernel"), "rw"));
    }
}
