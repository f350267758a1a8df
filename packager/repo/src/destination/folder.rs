//! A folder of this machine as a place: files are written beside and renamed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packager_source::stop::{lock_within, unless_interrupted};
use packager_source::{Room, keep};

use crate::exchange::{exchange, recover, second_name};

use super::place::{Held, Place, PlaceError, Source};

/// Folders in which files are written that are not there yet.
const ROOM: &str = ".publish-";

pub(super) struct Folder {
    address: String,
    root: PathBuf,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PlaceError + use<> {
    let path = path.to_owned();
    move |source| PlaceError::Io { path, source }
}

impl Folder {
    pub(super) fn new(address: &str, root: PathBuf) -> Folder {
        Folder { address: address.to_owned(), root }
    }

    /// Files below a folder of the place, hidden ones too.
    fn below(&self, folder: &Path, files: &mut BTreeMap<String, u64>) -> Result<(), PlaceError> {
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let path = entry.map_err(at(folder))?.path();
            let metadata = match fs::metadata(&path) {
                // Other programs may work here, and links may lead nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(at(&path))?,
            };
            let link = fs::symlink_metadata(&path).is_ok_and(|itself| itself.is_symlink());
            if metadata.is_dir() && link {
                return Err(PlaceError::Link(path));
            } else if metadata.is_dir() {
                self.below(&path, files)?;
            } else if metadata.is_file() {
                let below = path.strip_prefix(&self.root).unwrap_or(&path);
                let name = below.to_str().ok_or_else(|| PlaceError::Name {
                    place: self.address.clone(),
                    name: below.to_string_lossy().into_owned(),
                })?;
                files.insert(name.to_owned(), metadata.len());
            }
        }
        Ok(())
    }

    /// Puts what was written in a room into its place.
    fn take_place(&self, written: &Path, name: &str) -> Result<(), PlaceError> {
        let to = self.root.join(name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        // Everybody may read what is published, whatever the source allowed.
        fs::set_permissions(written, fs::Permissions::from_mode(0o644)).map_err(at(written))?;
        fs::rename(written, &to).map_err(at(&to))
    }
}

/// Gives a file, or all files of a folder, a second name; a copy where the file system has no such thing.
fn linked(from: &Path, to: &Path) -> Result<(), PlaceError> {
    if !fs::symlink_metadata(from).map_err(at(from))?.is_dir() {
        return second_name(from, to).map_err(at(from));
    }
    fs::create_dir(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        linked(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

impl Place for Folder {
    fn address(&self) -> &str {
        &self.address
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn lock(&self, patience: Duration) -> Result<Box<dyn Held + '_>, PlaceError> {
        fs::create_dir_all(&self.root).map_err(at(&self.root))?;
        // The folder itself, as every other command takes it.
        let folder = File::open(&self.root).map_err(at(&self.root))?;
        if !lock_within(patience, || folder.try_lock()).map_err(at(&self.root))? {
            return Err(PlaceError::Held { place: self.address.clone(), waited: patience, by: String::new() });
        }
        // What a stop in the middle of an exchange left aside.
        let metadata = self.root.join("repodata");
        recover(&metadata).map_err(at(&metadata))?;
        Ok(Box::new(Locked { _folder: folder }))
    }

    fn list(&self) -> Result<BTreeMap<String, u64>, PlaceError> {
        let mut files = BTreeMap::new();
        match fs::metadata(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => {
                other.map_err(at(&self.root))?;
                self.below(&self.root, &mut files)?;
            }
        }
        Ok(files)
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, PlaceError> {
        let path = self.root.join(name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(at(&path))?,
        };
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes).map_err(at(&path))?;
        if bytes.len() as u64 > most {
            return Err(PlaceError::Large { place: self.address.clone(), name: name.to_owned(), most });
        }
        Ok(Some(bytes))
    }

    fn put_all(&self, files: &[Source], put: &mut dyn FnMut(&Source)) -> Result<(), PlaceError> {
        let room = Room::make(&self.root, ROOM).map_err(at(&self.root))?;
        for file in files {
            unless_interrupted()?;
            let written = room.path().join("file");
            fs::copy(&file.path, &written).map_err(at(&file.path))?;
            self.take_place(&written, &file.name)?;
            put(file);
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PlaceError> {
        let room = Room::make(&self.root, ROOM).map_err(at(&self.root))?;
        let written = room.path().join("file");
        fs::write(&written, bytes).map_err(at(&written))?;
        File::open(&written).and_then(|file| file.sync_all()).map_err(at(&written))?;
        self.take_place(&written, name)
    }

    /// Everything else of the folder they lie in is linked into a new one, which takes its place by one exchange of names.
    fn switch(&self, files: &[(&str, Option<&[u8]>)]) -> Result<(), PlaceError> {
        let Some(name) = files.first().and_then(|(name, _)| Path::new(name).parent()) else { return Ok(()) };
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let room = Room::make(&self.root, ROOM).map_err(at(&self.root))?;
        let new = room.path().join("new");
        fs::create_dir(&new).map_err(at(&new))?;
        let changing: Vec<&OsStr> = files.iter().filter_map(|(name, _)| Path::new(name).file_name()).collect();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let entry = entry.map_err(at(&folder))?;
            if !changing.contains(&entry.file_name().as_os_str()) {
                linked(&entry.path(), &new.join(entry.file_name()))?;
            }
        }
        for (name, bytes) in files {
            if let Some(bytes) = bytes {
                let path = new.join(Path::new(name).file_name().unwrap_or_default());
                fs::write(&path, bytes).map_err(at(&path))?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).map_err(at(&path))?;
            }
        }
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).map_err(at(&new))?;
        self.settle()?;
        exchange(&new, &folder).map_err(at(&folder))
    }

    fn remove(&self, names: &[String]) -> Result<(), PlaceError> {
        for name in names {
            let path = self.root.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path)(error)),
                _ => {}
            }
            // Folders that nothing is in any more; others refuse.
            let above = path.ancestors().skip(1).take_while(|folder| *folder != self.root);
            let _all_that_can_go = above.take_while(|folder| fs::remove_dir(folder).is_ok()).count();
        }
        Ok(())
    }

    fn settle(&self) -> Result<(), PlaceError> {
        keep::settle(&self.root).map_err(at(&self.root))
    }
}

struct Locked {
    _folder: File,
}

impl Held for Locked {
    fn check(&self) -> Result<(), PlaceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Folder, Place as _};

    /// Other programs put folders beside metadata.
    #[test]
    fn what_lies_beside_the_files_that_change_stays() {
        let room = tempfile::tempdir().expect("a folder");
        let repodata = room.path().join("repodata");
        fs::create_dir_all(repodata.join("deep/er")).expect("folders");
        for (name, text) in [("deep/er/a", "a"), ("b", "b"), ("repomd.xml", "old"), ("repomd.xml.asc", "old")] {
            fs::write(repodata.join(name), text).expect("written");
        }
        let place = Folder::new("here", room.path().to_owned());
        place.switch(&[("repodata/repomd.xml", Some(b"new")), ("repodata/repomd.xml.asc", None)]).expect("switched");
        let read = |name: &str| fs::read_to_string(repodata.join(name)).ok();
        assert_eq!(
            [read("deep/er/a"), read("b"), read("repomd.xml")],
            ["a", "b", "new"].map(|text| Some(text.to_owned()))
        );
        assert_eq!(read("repomd.xml.asc"), None);
        assert_eq!(fs::read_dir(room.path()).expect("a folder").count(), 1, "nothing of the work is left");
    }
}
