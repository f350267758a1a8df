//! The memory tier of class `ram`: a tmpfs at `scm_mount`.
//!
//! Mounting needs root (CAP_SYS_ADMIN). Without it the mount point is used as a plain directory and the arena is
//! anonymous memory, so that development needs no privilege. A tmpfs left over by an earlier run is reused when it is
//! not larger than settled (DAOS accepts mounts made by the administrator under the same rule).

use std::fs;
use std::path::Path;
use std::sync::Once;

use config::ScmTier;
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use types::{Fault, FaultName, Size};

use super::mount::{Usage, denied, is_mount_point, probe};

/// The notice is the same at every start of every engine; once per process is enough.
static SAID_UNPRIVILEGED: Once = Once::new();

/// The tmpfs at `path`; `None` when there is another file system or no such directory.
pub(crate) fn tmpfs(path: &Path) -> Option<Usage> {
    let stat = statfs(path).ok().filter(|stat| stat.filesystem_type() == TMPFS_MAGIC)?;
    // A directory inside somebody else's tmpfs (/tmp, /run) is not a mount of ours.
    if !is_mount_point(path) {
        return None;
    }
    Some(Usage::of(&stat))
}

/// Makes the mount point usable and says whether a tmpfs is mounted there.
pub(crate) fn prepare(tier: &ScmTier, bytes: u64) -> Result<bool, Fault> {
    let path = &tier.mount;
    fs::create_dir_all(path).map_err(|error| denied(path, "cannot make the directory", &error))?;
    if let Some(usage) = tmpfs(path) {
        let options = format!("size={bytes}");
        // One of ours from before a change of the settings; the kernel refuses when more is in use.
        let shrink = || mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_REMOUNT, Some(options.as_str())).is_ok();
        if usage.total <= bytes || shrink() {
            return Ok(true);
        }
        return Err(Fault::new(
            FaultName::ScmRamdiskBadSize,
            format!(
                "the tmpfs at `{}` has {}, more than the {} settled",
                path.display(),
                Size(usage.total),
                Size(bytes)
            ),
            format!("unmount it (`umount {}`), or raise `scm_size`, and restart daos_server", path.display()),
        ));
    }
    let huge = if tier.hugepages_disabled { "" } else { ",huge=always" };
    let options = format!("size={bytes},mode=0700{huge}");
    match mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_NOATIME, Some(options.as_str())) {
        Ok(()) => Ok(true),
        Err(nix::errno::Errno::EPERM) => {
            SAID_UNPRIVILEGED.call_once(|| {
                tracing::warn!(
                    "`scm_mount` is used without a tmpfs: mounting needs root; the arena is anonymous memory"
                );
            });
            probe(path)?;
            Ok(false)
        }
        Err(error) => Err(denied(path, "cannot mount a tmpfs", &error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tmpfs_of_its_own_counts() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(tmpfs(folder.path()), None);
        assert_eq!(tmpfs(Path::new("/nonexistent")), None);
        assert_eq!(tmpfs(Path::new("/proc")), None);
    }

    #[test]
    fn a_mount_point_that_cannot_be_made_is_a_fault() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("file");
        fs::write(&file, b"").expect("writes");
        let tier = ScmTier {
            class: config::ScmClass::Ram,
            mount: file.join("mount"),
            device: None,
            size_gib: 0,
            mem_ratio: 100,
            hugepages_disabled: true,
        };
        let fault = prepare(&tier, 1 << 20).expect_err("a file is no directory");
        assert_eq!(fault.name, FaultName::StoragePathAccessDenied);
    }
}
