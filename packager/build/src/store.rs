//! Finished builds by key. An artifact appears by one rename when it is complete, and is never changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packager_rpm::{PackageError, inspect};
use packager_source::{keep, room};

/// The folder of all artifacts.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// One finished, unsigned build.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its key.
    pub key: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// The source package.
    pub srpm: PathBuf,
    /// The binary packages, sorted by name.
    pub rpms: Vec<PathBuf>,
}

impl Store {
    /// A store in a folder, which need not exist yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Store {
        Store { folder }
    }

    /// The artifact of a key, if it was built.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Artifact> {
        let folder = self.folder.join(key);
        keep::used(&folder);
        Artifact::read(key, &folder).ok()
    }

    /// Forgets an artifact that was damaged since. It goes at once for whoever looks, whenever this is stopped.
    pub(crate) fn forget(&self, artifact: &Artifact) -> io::Result<()> {
        room::discard(&artifact.folder).map(drop)
    }

    /// Takes a finished folder.
    pub fn put(&self, key: &str, ready: &Path) -> io::Result<Artifact> {
        fs::create_dir_all(&self.folder)?;
        // What a `forget` left that was killed.
        room::sweep(&self.folder, ".")?;
        let home = self.folder.join(key);
        if let Ok(there) = Artifact::read(key, &home) {
            return Ok(there); // another packager was faster
        }
        room::discard(&home)?;
        fs::rename(ready, &home)?;
        Artifact::read(key, &home)
    }
}

impl Artifact {
    /// Why its packages are no longer what was put here; nothing when they are, or when that cannot be told now.
    pub(crate) fn damage(&self) -> Option<PackageError> {
        let all = self.rpms.iter().chain([&self.srpm]);
        all.map(|path| inspect::intact(path)).find_map(|looked| looked.err().filter(PackageError::is_damage))
    }

    /// Reads a folder of packages.
    pub fn read(key: &str, folder: &Path) -> io::Result<Artifact> {
        let mut rpms = Vec::new();
        let mut srpm = None;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(".src.rpm") {
                srpm = Some(path);
            } else if name.ends_with(".rpm") {
                rpms.push(path);
            }
        }
        rpms.sort();
        let srpm = srpm.filter(|_| !rpms.is_empty());
        let srpm = srpm.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the folder holds no complete build"))?;
        Ok(Artifact { key: key.to_owned(), folder: folder.to_owned(), srpm, rpms })
    }
}
