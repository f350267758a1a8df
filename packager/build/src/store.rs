//! Finished builds by key. An artifact appears by one rename when it is complete, and is never changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packager_rpm::{PackageError, inspect};
use packager_source::{keep, room};

/// File in an artifact with the names of its packages, a line each: one that is lost is missed.
const LIST: &str = "packages";

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
        let home = self.folder.join(key);
        if let Ok(there) = Artifact::read(key, &home) {
            return Ok(there); // another packager was faster
        }
        room::discard(&home)?;
        fs::write(ready.join(LIST), names(&Artifact::read(key, ready)?))?;
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
        let incomplete = || io::Error::new(io::ErrorKind::NotFound, "the folder holds no complete build");
        let srpm = srpm.ok_or_else(incomplete)?;
        let artifact = Artifact { key: key.to_owned(), folder: folder.to_owned(), srpm, rpms };
        // A folder that is not in the store yet has no list.
        match fs::read_to_string(folder.join(LIST)) {
            Ok(list) if list != names(&artifact) => Err(incomplete()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(artifact),
        }
    }
}

/// What an artifact consists of, as its list has it.
fn names(artifact: &Artifact) -> String {
    let all = artifact.rpms.iter().chain([&artifact.srpm]);
    all.map(|path| format!("{}\n", path.file_name().unwrap_or_default().display())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Store;

    #[test]
    fn an_artifact_that_lost_a_package_was_not_built() {
        let room = tempfile::tempdir().expect("a folder");
        let store = Store::new(room.path().join("artifacts"));
        let ready = || {
            let folder = room.path().join("ready");
            fs::create_dir(&folder).expect("a folder");
            for name in ["x-1-1.x86_64.rpm", "x-debuginfo-1-1.x86_64.rpm", "x-1-1.src.rpm"] {
                fs::write(folder.join(name), name).expect("a file");
            }
            folder
        };
        let put = store.put("key", &ready()).expect("taken");
        assert_eq!((put.rpms.len(), store.get("key").expect("it is there").rpms), (2, put.rpms.clone()));
        fs::remove_file(&put.rpms[1]).expect("removed");
        assert!(store.get("key").is_none());
        assert_eq!(store.put("key", &ready()).expect("taken").rpms, put.rpms);
        assert!(store.get("key").is_some());
    }
}
