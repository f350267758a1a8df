//! Takes away what a container leaves on the host.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use system_suite::wait_for;

use crate::cgroup;

/// How long the kernel may take to end what was killed.
const ENDING: Duration = Duration::from_secs(60);

/// Where systemd-nspawn keeps its own state.
const NSPAWN: &str = "/run/systemd/nspawn";

/// Ends the container whose folder this is, unmounts what is mounted below and removes the folder, its cgroups and its
/// traces in `/run`. systemd inside outlives a killed systemd-nspawn: what is in the container's cgroups is killed.
pub fn sweep(folder: &Path, keep: bool) -> io::Result<()> {
    let name = machine(folder);
    let lock = lock_of(&folder.join("root"));
    for path in cgroup::paths(&name) {
        wait_for("the container's cgroup is empty", ENDING, || {
            for pid in cgroup::processes(&path) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // one that has just ended
            }
            cgroup::remove(&path);
            (!path.exists()).then_some(())
        });
    }
    system_suite::sweep(folder, keep)?;
    // Both are there only when systemd-nspawn was killed.
    let _ = fs::remove_dir(Path::new(NSPAWN).join("propagate").join(name));
    if let Some(lock) = lock {
        let _ = fs::remove_file(lock);
    }
    Ok(())
}

/// The lock file that systemd-nspawn keeps for a root.
fn lock_of(root: &Path) -> Option<PathBuf> {
    let root = fs::metadata(root).ok()?;
    Some(Path::new(NSPAWN).join(format!("locks/inode-{}:{}", root.dev(), root.ino())))
}

/// The name of a folder's container, of its cgroups and of its machine.
pub(crate) fn machine(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
