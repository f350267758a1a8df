//! Block devices of one engine: what is there, and how large it is or is to be.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use config::{BlockClass, BlockTier, EngineConfig};
use types::{Fault, FaultName, Size};

/// Bytes of every device of the engine, by tier; files of class `file` may not exist yet.
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
        BlockClass::File => make_folder(path).map(|()| wanted),
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

/// The folder of a file of class `file`. The file itself is made, and resized, by `daos_engine --format` alone, which first locks it and looks
/// for a label: it may be another engine's.
fn make_folder(path: &Path) -> Result<(), Fault> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).map_err(|error| {
        Fault::new(
            FaultName::BdevFormatFailure,
            format!("cannot make the folder of `{}`: {error}", path.display()),
            "make it and give it to daos_server's user, or change `bdev_list`, and restart daos_server",
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
    fn a_file_gets_its_folder_and_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("deep/bdev");
        assert_eq!(provide_one(&tier(BlockClass::File, 1), &path), Ok(1 << 30));
        assert!(!path.exists() && path.parent().is_some_and(Path::is_dir));
        // Another engine's, perhaps: its length is not ours to change.
        File::create(&path).and_then(|file| file.set_len(2 << 30)).expect("makes");
        assert_eq!(provide_one(&tier(BlockClass::File, 1), &path), Ok(1 << 30));
        assert_eq!(size(&path).expect("there"), 2 << 30);
        assert_eq!(provide_one(&tier(BlockClass::Kdev, 0), &path), Ok(2 << 30));
        let fault = provide_one(&tier(BlockClass::Kdev, 3), &path).expect_err("too small");
        assert_eq!(fault.name, FaultName::BdevFormatFailure);
        let fault = provide_one(&tier(BlockClass::File, 1), &path.join("below")).expect_err("a file is no folder");
        assert!(fault.description.contains("below"), "{fault}");
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
