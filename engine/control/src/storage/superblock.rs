//! `daos_control/engine<N>/superblock`: written last when storage is formatted; its presence means "formatted".

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use types::{Fault, FaultName};
use uuid::Uuid;

/// Version of the file's form.
const VERSION: u32 = 1;

/// The record of one engine's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Superblock {
    /// 1.
    pub version: u32,
    /// System name.
    pub system: String,
    /// UUID of the engine instance, also in every device label.
    pub uuid: Uuid,
    /// Rank, once it was given.
    pub rank: Option<u32>,
}

impl Superblock {
    /// For an engine that has not joined yet.
    pub fn new(system: &str, uuid: Uuid) -> Superblock {
        Superblock { version: VERSION, system: system.to_owned(), uuid, rank: None }
    }

    /// Reads it from the engine's directory; `None` when there is none.
    pub fn read(folder: &Path) -> Result<Option<Superblock>, Fault> {
        let path = path(folder);
        let unreadable = |error: String| {
            Fault::new(
                FaultName::Unknown,
                format!("the superblock `{}` cannot be read: {error}", path.display()),
                "restore the file, or format with `dmg storage format --force`, which loses the engine's data",
            )
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let superblock: Superblock = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if superblock.version != VERSION {
            return Err(unreadable(format!("version {} is not {VERSION}", superblock.version)));
        }
        Ok(Some(superblock))
    }

    /// Writes it durably, in place of an older one.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).expect("plain data");
        write_durably(&path(folder), &bytes)
    }

    /// Removes it: the storage counts as unformatted from here on.
    pub fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_file(path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(folder)?.sync_all(),
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("superblock")
}

/// Replaces a file so that after a crash it is the old one or the new one.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    let folder = path.parent().expect("a file has a folder");
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_absent_then_read_back_then_absent_again() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(Superblock::read(folder.path()), Ok(None));
        let superblock = Superblock { rank: Some(3), ..Superblock::new("daos_server", Uuid::from_u128(7)) };
        superblock.write(folder.path()).expect("writes");
        assert_eq!(Superblock::read(folder.path()), Ok(Some(superblock)));
        Superblock::remove(folder.path()).expect("removes");
        Superblock::remove(folder.path()).expect("removes nothing");
        assert_eq!(Superblock::read(folder.path()), Ok(None));
    }

    #[test]
    fn damage_is_a_fault_and_not_unformatted() {
        let folder = tempfile::tempdir().expect("folder");
        for text in [
            "",
            "{}",
            "{\"version\":2,\"system\":\"s\",\"uuid\":\"00000000-0000-0000-0000-000000000001\",\"rank\":null}",
        ] {
            fs::write(folder.path().join("superblock"), text).expect("writes");
            assert!(Superblock::read(folder.path()).is_err(), "{text}");
        }
    }
}
