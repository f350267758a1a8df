//! The memory tier of class `dcpm`: a file system on persistent memory, mounted at `scm_mount` from the namespace in `scm_list`.
//!
//! It holds the control records and one file with the logs and checkpoints of the engine. The administrator makes it, once; where daos_server
//! may mount, it mounts it again after a restart of the host. It never makes a file system: that would end whatever is there.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use config::ScmTier;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use types::{Fault, FaultName};

use super::mount::{Usage, has_option, probe};

/// Left to the file system for control records.
const RESERVED_BYTES: u64 = 64 << 20;
/// The file takes whole units of this.
const UNIT_BYTES: u64 = 1 << 20;
/// The unit in which the system counts what a file takes.
const BLOCK_BYTES: u64 = 512;
/// File systems that know DAX.
const KINDS: [&str; 2] = ["ext4", "xfs"];

/// The file with the engine's logs and checkpoints.
pub(crate) fn file(tier: &ScmTier) -> PathBuf {
    tier.mount.join("daos_metadata")
}

/// Space of the file system, `None` while it is not mounted.
pub(crate) fn usage(tier: &ScmTier) -> Option<Usage> {
    let namespace = namespace(tier).ok()?;
    if !is_mounted(&tier.mount, namespace.rdev()) {
        return None;
    }
    Usage::at(&tier.mount).ok()
}

/// Makes sure that the namespace is mounted and may be written.
pub(crate) fn prepare(tier: &ScmTier) -> Result<(), Fault> {
    let namespace = namespace(tier)?;
    let path = &tier.mount;
    if !is_mounted(path, namespace.rdev()) {
        fs::create_dir_all(path).map_err(|error| unmounted(tier, &error.to_string()))?;
        attempt(device(tier), path).map_err(|reason| unmounted(tier, &reason))?;
    }
    probe(path).map_err(|fault| Fault {
        resolution: format!("`chown -R` `{}` to daos_server's user and restart daos_server", path.display()),
        ..fault
    })
}

/// Bytes that the file can have: what is free and what an earlier format gave it.
pub(crate) fn provide(tier: &ScmTier) -> Result<u64, Fault> {
    // Not its length: a format that was cut short may have set that and reserved nothing.
    let earlier = fs::metadata(file(tier)).map_or(0, |metadata| metadata.len().min(metadata.blocks() * BLOCK_BYTES));
    let free = Usage::at(&tier.mount).map_err(|error| unmounted(tier, &error.to_string()))?.available;
    Ok((free + earlier).saturating_sub(RESERVED_BYTES) / UNIT_BYTES * UNIT_BYTES)
}

fn device(tier: &ScmTier) -> &Path {
    tier.device.as_deref().expect("the configuration requires it for this class")
}

fn namespace(tier: &ScmTier) -> Result<fs::Metadata, Fault> {
    let device = device(tier);
    let unusable = |reason: String| {
        Fault::new(
            FaultName::ScmNoPMem,
            format!("the namespace `{}` of `scm_list` cannot be used: {reason}", device.display()),
            "make it with `ndctl create-namespace --mode=fsdax`, or correct `scm_list`, and restart daos_server",
        )
    };
    let metadata = fs::metadata(device).map_err(|error| unusable(error.to_string()))?;
    if !metadata.file_type().is_block_device() {
        return Err(unusable("it is no block device".to_owned()));
    }
    Ok(metadata)
}

/// True when the file system at `path` lies on the device with this number.
fn is_mounted(path: &Path, number: u64) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.dev() == number)
}

/// Mounts it with DAX or not at all; else says why each kind of file system did not.
fn attempt(device: &Path, path: &Path) -> Result<(), String> {
    let flags = MsFlags::MS_NOATIME | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let mut reasons = Vec::new();
    for kind in KINDS {
        match mount(Some(device), path, Some(kind), flags, Some("dax")) {
            // XFS goes on without DAX where the device has none, and what is mounted elsewhere keeps its options.
            Ok(()) if !has_option(path, "dax") => {
                let left = umount2(path, MntFlags::empty()).err().map_or("", |_| ", and it stays mounted");
                reasons.push(format!("{kind}: the device has no DAX{left}"));
            }
            Ok(()) => return Ok(()),
            Err(Errno::EPERM) => return Err(Errno::EPERM.desc().to_owned()),
            Err(error) => reasons.push(format!("{kind}: {}", error.desc())),
        }
    }
    Err(reasons.join("; "))
}

fn unmounted(tier: &ScmTier, reason: &str) -> Fault {
    let (device, path) = (device(tier).display(), tier.mount.display());
    Fault::new(
        FaultName::StoragePathAccessDenied,
        format!("`{device}` is not mounted at `scm_mount` `{path}`, and mounting it failed: {reason}"),
        format!(
            "as root: `mkfs.ext4 {device}` if it has no file system yet, `mount -o dax {device} {path}`, `chown` the mount \
             point to daos_server's user, enter it in /etc/fstab, and restart daos_server"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(device: &str, mount: &Path) -> ScmTier {
        ScmTier {
            class: config::ScmClass::Dcpm,
            mount: mount.to_owned(),
            device: Some(PathBuf::from(device)),
            size_gib: 0,
            mem_ratio: 100,
            hugepages_disabled: true,
        }
    }

    #[test]
    fn what_is_no_namespace_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("folder");
        for (device, reason) in [("/dev/pmem-of-nobody", "No such file"), ("/dev/null", "no block device")] {
            let tier = tier(device, folder.path());
            let fault = prepare(&tier).expect_err("unusable");
            assert_eq!(fault.name, FaultName::ScmNoPMem);
            assert!(fault.description.contains(device) && fault.description.contains(reason), "{}", fault.description);
            assert_eq!(usage(&tier), None);
        }
    }

    #[test]
    fn the_file_takes_what_is_free_and_what_it_has_but_not_what_it_was_only_promised() {
        let folder = tempfile::tempdir().expect("folder");
        let tier = tier("/dev/null", folder.path());
        let before = provide(&tier).expect("a folder has space");
        assert_eq!(before % UNIT_BYTES, 0);
        fs::File::create(file(&tier)).and_then(|file| file.set_len(1 << 43)).expect("a file without blocks");
        assert!(provide(&tier).expect("still") < 1 << 42);
    }
}
