//! Packages of one repository put into another, beside those that are there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use packager_repodata::Package;
use packager_source::stop::{Interrupted, unless_interrupted};
use packager_source::{Room, digest};

use crate::found::ROOM;
use crate::listed::{Listed, ListedError};

/// What lies beside a package and is about it.
const BESIDE: &str = ".spdx.json";

/// Where packages lie.
const PACKAGES: &str = "Packages";

/// Why packages cannot be put there.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is not what metadata lists.
    #[error(transparent)]
    Listed(#[from] ListedError),
    /// Other bytes under a name.
    #[error(
        "`{there}` is there with other contents than `{here}`\nhint: raise the release of the package; or remove the one that is there, if no host has it"
    )]
    Changed {
        /// The one in the way.
        there: PathBuf,
        /// The one that was to be put.
        here: PathBuf,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CollectError + use<> {
    let path = path.to_owned();
    move |source| CollectError::Io { path, source }
}

/// Copies packages that metadata of `from` lists below `to`, with what lies beside them. Returns how many were not there. Each comes whole, by a rename.
pub fn collect(from: &Path, packages: &[&Package], to: &Path) -> Result<usize, CollectError> {
    let folder = to.join(PACKAGES);
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let room = Room::make(to, ROOM).map_err(at(to))?;
    let by = from.join("repodata/repomd.xml");
    let mut added = 0;
    for package in packages {
        unless_interrupted()?;
        let (location, sha256) = (package.location.href.clone(), package.sha256.clone());
        let here = Listed { location, sha256, bytes: Some(package.size.package) }.check(from, &by)?;
        let there = folder.join(here.file_name().unwrap_or_default());
        if fs::exists(&there).map_err(at(&there))? {
            if digest::file(&there).map_err(at(&there))? != package.sha256 {
                return Err(CollectError::Changed { there, here });
            }
        } else {
            put(&here, &there, &room, Some(package.time.file))?;
            added += 1;
        }
        let [here, there] = [here, there].map(|path| with(&path, BESIDE));
        let same = |bytes: Vec<u8>| fs::read(&there).is_ok_and(|there| there == bytes);
        if here.is_file() && !fs::read(&here).is_ok_and(same) {
            put(&here, &there, &room, None)?;
        }
    }
    Ok(added)
}

fn put(here: &Path, there: &Path, room: &Room, time: Option<i64>) -> Result<(), CollectError> {
    let written = room.path().join("file");
    fs::copy(here, &written).map_err(at(here))?;
    // As the metadata has it: the same packages give the same metadata again.
    if let Some(time) = time.and_then(|time| u64::try_from(time).ok()) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
        File::options().write(true).open(&written).and_then(|file| file.set_modified(time)).map_err(at(&written))?;
    }
    fs::rename(&written, there).map_err(at(there))
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
