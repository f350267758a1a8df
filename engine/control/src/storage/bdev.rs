//! Block devices of one engine: what is there, how large it is, and making files of class `file`.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use config::{BlockClass, BlockTier, EngineConfig};
use types::{Fault, FaultName, Size};

/// Bytes of every device of the engine, by tier; files of class `file` are made or grown.
pub(crate) fn provide(engine: &EngineConfig) -> Result<Vec<Vec<u64>>, Fault> {
    engine
        .bdevs
        .iter()
        .map(|tier| tier.devices.iter().map(|path| provide_one(tier, Path::new(path))).collect())
        .collect()
}

fn provide_one(tier: &BlockTier, path: &Path) -> Result<u64, Fault> {
    let wanted = Size::gib(u64::from(tier.size_gib)).bytes();
    match tier.class {
        BlockClass::File => make_file(path, wanted).map(|()| wanted),
        BlockClass::Kdev => {
            let found = size(path).map_err(|error| unusable(path, &error))?;
            if wanted > found {
                return Err(Fault::new(
                    FaultName::BdevFormatFailure,
                    format!("`{}` has {}, less than its `bdev_size` of {}", path.display(), Size(found), Size(wanted)),
                    "reduce `bdev_size`, or leave it out to use the whole device, and restart daos_server",
                ));
            }
            Ok(if wanted > 0 { wanted } else { found })
        }
        BlockClass::Nvme => Err(Fault::new(
            FaultName::BdevFormatUnknownClass,
            format!("this build has no driver for the device `{}` of class `nvme`", path.display()),
            "use class `kdev` with the kernel's device, for example `/dev/nvme0n1`, and restart daos_server",
        )),
    }
}

/// A file of the size, its blocks reserved so that a full file system is found now and not by a write later.
fn make_file(path: &Path, bytes: u64) -> Result<(), Fault> {
    let attempt = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        if file.metadata()?.len() > bytes {
            file.set_len(bytes)?;
        }
        let length = i64::try_from(bytes).map_err(io::Error::other)?;
        match nix::fcntl::posix_fallocate(&file, 0, length) {
            // Not every file system reserves; a sparse file is then the best there is.
            Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::EINVAL) => file.set_len(bytes)?,
            other => other?,
        }
        file.sync_all()
    };
    attempt().map_err(|error| {
        let no_space = error.raw_os_error() == Some(libc::ENOSPC);
        if no_space {
            // Do not leave a file system full behind.
            let _ = std::fs::remove_file(path);
        }
        Fault::new(
            FaultName::BdevFormatFailure,
            format!("cannot make the file `{}` of {}: {error}", path.display(), Size(bytes)),
            if no_space {
                "reduce `bdev_size` or free space on that file system, and restart daos_server"
            } else {
                "make the directory writable for daos_server's user, or change `bdev_list`, and restart daos_server"
            },
        )
    })
}

/// Bytes of a file or block device.
pub(crate) fn size(path: &Path) -> io::Result<u64> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a block device"));
    }
    File::open(path)?.seek(SeekFrom::End(0))
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        FaultName::BdevNotFound,
        format!("the device `{}` cannot be used: {error}", path.display()),
        "check the path in `bdev_list` and that daos_server's user may read and write the device",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Roles;

    fn tier(class: BlockClass, size_gib: u32) -> BlockTier {
        BlockTier { class, devices: Vec::new(), size_gib, number: 0, busid_range: None, roles: Roles::ALL }
    }

    #[test]
    fn a_file_is_made_with_its_folder_and_has_its_size() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("deep/bdev");
        make_file(&path, 1 << 20).expect("makes");
        assert_eq!(size(&path).expect("there"), 1 << 20);
        make_file(&path, 2 << 20).expect("grows");
        assert_eq!(provide_one(&tier(BlockClass::Kdev, 0), &path), Ok(2 << 20));
        let fault = provide_one(&tier(BlockClass::Kdev, 1), &path).expect_err("too small");
        assert_eq!(fault.name, FaultName::BdevFormatFailure);
    }

    #[test]
    fn what_is_no_device_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let missing = folder.path().join("missing");
        for path in [folder.path(), missing.as_path()] {
            let fault = provide_one(&tier(BlockClass::Kdev, 0), path).expect_err("unusable");
            assert_eq!(fault.name, FaultName::BdevNotFound);
        }
        let fault = provide_one(&tier(BlockClass::Nvme, 0), Path::new("0000:81:00.0")).expect_err("no driver");
        assert_eq!(fault.name, FaultName::BdevFormatUnknownClass);
    }
}
