//! Publishing: everything is made in a folder beside the repository and takes its place by one exchange of names. A reader sees
//! the old repository or the new one, and a stop at any moment leaves the old one ([`crate::exchange`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packager_repodata::Package;
use packager_rpm::{KeyError, SigningKey, sign};
use packager_source::{Room, digest};
use serde::{Deserialize, Serialize};

use crate::attached::{self, AttachError, Attachment};
use crate::exchange::{self, Lock};
use crate::metadata::{self, MetadataError};
use crate::mirror_list;
use crate::operations::Settings;
use crate::stored::Stored;

/// The record of what a repository was made from.
pub(crate) const RECORD: &str = ".packager.json";

/// Why a repository cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something else is in the way.
    #[error("`{0}` is there and is no repository that packager made\nhint: name another folder, or move it away")]
    InTheWay(PathBuf),
    /// Making metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Groups and advisories.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Keys and detached signatures.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Signing packages.
    #[error(transparent)]
    Sign(#[from] sign::SignError),
    /// The record.
    #[error("cannot write the record of the repository")]
    Record(#[from] serde_json::Error),
}

impl RepoError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> RepoError + use<> {
        let path = path.to_owned();
        move |source| RepoError::Io { path, source }
    }
}

/// What a repository is made from.
#[derive(Debug, Clone)]
pub struct Description<'d> {
    /// Where it is published.
    pub folder: &'d Path,
    /// Its id: the name of the `.repo` file and of the key file.
    pub id: &'d str,
    /// The text of the `.repo` file.
    pub repo_file: String,
    /// Under which address hosts read it through a mirror list.
    pub mirrored: Option<&'d str>,
    /// Unsigned binary packages.
    pub packages: &'d [PathBuf],
    /// Unsigned source packages.
    pub sources: &'d [PathBuf],
    /// Build keys and whatever else decides the contents.
    pub inputs: String,
    /// Hash over what decides the rest: the `.repo` file, what was asked for, and what the gates go by.
    pub settings: String,
    /// Time of the sources.
    pub time: i64,
}

/// What was published, and from what.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Published {
    /// See [`Description::inputs`].
    pub inputs: String,
    /// See [`Description::settings`].
    pub settings: String,
    /// Fingerprint of the key.
    pub key: String,
    /// Hash over the key as it is published ([`packager_rpm::VerifyingKey::digest`]); empty in records of earlier versions.
    #[serde(default)]
    pub certificate: String,
    /// Files with their sizes, relative to the repository.
    pub files: Vec<(String, u64)>,
}

/// Whether a folder is a repository that packager made, whole or not.
#[must_use]
pub fn is_ours(folder: &Path) -> bool {
    folder.join(RECORD).is_file()
}

/// Puts back a repository that a stop during its replacement left aside.
pub fn recover(folder: &Path) -> Result<(), RepoError> {
    if exchange::is_aside(folder) {
        let _lock = Lock::take(folder).map_err(RepoError::at(folder))?;
        exchange::recover(folder).map_err(RepoError::at(folder))?;
    }
    Ok(())
}

/// The record of a repository, if it is whole: every file is there with its size.
#[must_use]
pub fn current(folder: &Path) -> Option<Published> {
    let record: Published = serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok()?;
    let whole = record.files.iter().all(|(path, size)| {
        fs::metadata(folder.join(path)).is_ok_and(|metadata| metadata.is_file() && metadata.len() == *size)
    });
    whole.then_some(record)
}

/// Refuses a place at which there is something that a repository would destroy. An empty folder may be replaced.
fn replaceable(folder: &Path) -> Result<(), RepoError> {
    let there = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(RepoError::at(folder))?,
    };
    let empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if there.is_dir() && (is_ours(folder) || empty()) {
        return Ok(());
    }
    Err(RepoError::InTheWay(folder.to_owned()))
}

/// Refuses a place at which a repository cannot be made, before anything is made for it.
pub fn possible(folder: &Path) -> Result<(), RepoError> {
    replaceable(folder)?;
    room_for(folder).map(drop)
}

/// The folder beside a repository in which the next one is made.
fn room_for(folder: &Path) -> Result<Room, RepoError> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    Room::make(parent, ".repo-").map_err(RepoError::at(parent))
}

/// Name of the public key file of a repository.
#[must_use]
pub fn key_file(id: &str) -> String {
    format!("RPM-GPG-KEY-{id}")
}

/// Name of the same key for tools that do not know OpenPGP.
fn pem_file(id: &str) -> String {
    format!("{id}.pem")
}

/// Signs, describes and publishes. `finish` sees the signed packages before metadata is written, to check them and to add files; `announce`
/// sees them as the metadata lists them, and says what else it is to list; `attest` sees the repository with everything else in it, and adds
/// what says so. The first and the last name files by their path below the repository.
pub fn publish<E: From<RepoError>>(
    description: &Description<'_>,
    key: &SigningKey,
    finish: impl FnOnce(&Path, &[PathBuf]) -> Result<Vec<Extra>, E>,
    announce: impl FnOnce(&[Package]) -> Vec<Attachment>,
    attest: impl FnOnce(&Path) -> Result<Vec<Extra>, E>,
) -> Result<Published, E> {
    let folder = description.folder;
    replaceable(folder)?;
    let room = room_for(folder)?;
    let new = room.path().join("repo");
    let signed = sign_all(description, &new, key)?;
    add(&new, finish(&new, &signed)?)?;
    write_rest(description, &new, key, announce)?;
    add(&new, attest(&new)?)?;
    let record = record(description, &new, key)?;
    take_place(&new, folder)?;
    Ok(record)
}

/// Minutes have passed since the place was looked at: others may have published there, or put something else there.
fn take_place(new: &Path, folder: &Path) -> Result<(), RepoError> {
    let _lock = Lock::take(folder).map_err(RepoError::at(folder))?;
    exchange::recover(folder).map_err(RepoError::at(folder))?;
    replaceable(folder)?;
    exchange::exchange(new, folder).map_err(RepoError::at(folder))
}

/// A further file: its path below the repository, and its contents.
pub type Extra = (String, Vec<u8>);

fn add(folder: &Path, extra: Vec<Extra>) -> Result<(), RepoError> {
    for (name, bytes) in extra {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(RepoError::at(&path))?;
    }
    Ok(())
}

fn sign_all(description: &Description<'_>, new: &Path, key: &SigningKey) -> Result<Vec<PathBuf>, RepoError> {
    let time = key.time_for(description.time);
    let mut signed = Vec::new();
    for (part, packages) in [("Packages", description.packages), ("Source", description.sources)] {
        let to = new.join(part);
        fs::create_dir_all(&to).map_err(RepoError::at(&to))?;
        for package in packages {
            let path = to.join(package.file_name().unwrap_or_default());
            sign::sign(package, &path, key, time)?;
            signed.push(path);
        }
    }
    Ok(signed)
}

fn write_rest(
    description: &Description<'_>,
    new: &Path,
    key: &SigningKey,
    announce: impl FnOnce(&[Package]) -> Vec<Attachment>,
) -> Result<(), RepoError> {
    let public = key.public()?;
    let files = vec![
        (key_file(description.id), public.armored().as_bytes().to_vec()),
        (pem_file(description.id), public.pem().into_bytes()),
        (format!("{}.repo", description.id), description.repo_file.clone().into_bytes()),
    ];
    add(new, files)?;
    metadata::write(new, description.time)?;
    let packages = Stored::open(new)?.primary()?;
    attached::attach_texts(new, &announce(&packages), &Settings::default())?;
    metadata::sign(new, key, description.time)?;
    if let Some(address) = description.mirrored {
        mirror_list::write(new, new, address, Some(key), description.time)?;
    }
    Ok(())
}

fn record(description: &Description<'_>, new: &Path, key: &SigningKey) -> Result<Published, RepoError> {
    let mut files = Vec::new();
    list(new, new, &mut files).map_err(RepoError::at(new))?;
    files.sort();
    let public = key.public()?;
    let published = Published {
        inputs: description.inputs.clone(),
        settings: description.settings.clone(),
        key: public.facts().fingerprint,
        certificate: public.digest(),
        files,
    };
    let path = new.join(RECORD);
    fs::write(&path, serde_json::to_vec_pretty(&published)?).map_err(RepoError::at(&path))?;
    Ok(published)
}

/// All files of a repository with their SHA-256, by path below it.
pub fn hashed(folder: &Path) -> Result<Vec<(String, String)>, RepoError> {
    let mut files = Vec::new();
    list(folder, folder, &mut files).map_err(RepoError::at(folder))?;
    let hash = |(name, _): (String, u64)| {
        let path = folder.join(&name);
        Ok((name, digest::file(&path).map_err(RepoError::at(&path))?))
    };
    files.into_iter().map(hash).collect()
}

/// All files below a folder with their sizes, by path relative to `root`.
pub(crate) fn list(root: &Path, folder: &Path, files: &mut Vec<(String, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = fs::metadata(&path)?;
        if metadata.is_dir() {
            list(root, &path, files)?;
        } else {
            let below = path.strip_prefix(root).expect("listed below the root").to_string_lossy().into_owned();
            files.push((below, metadata.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Published, RECORD, RepoError, current, is_ours, possible, recover, take_place};

    fn made(room: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let folder = room.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("which"), text).expect("a file");
        let files = vec![("which".to_owned(), text.len() as u64)];
        let [inputs, settings, key, certificate] = ["inputs", "settings", "key", "certificate"].map(str::to_owned);
        let record = Published { inputs, settings, key, certificate, files };
        fs::write(folder.join(RECORD), serde_json::to_vec(&record).expect("text")).expect("a file");
        folder
    }

    #[test]
    fn a_repository_that_was_set_aside_comes_back_before_anything_is_decided() {
        let room = tempfile::tempdir().expect("a folder");
        let aside = made(room.path(), ".place.packager-old", "old");
        let place = room.path().join("place");
        assert!(current(&place).is_none());
        recover(&place).expect("put back");
        possible(&place).expect("it can be published here");
        assert!(current(&place).is_some() && !aside.exists());
        let names = fs::read_dir(room.path()).expect("a folder").count();
        assert_eq!(names, 1, "no lock and no work folder is left");
    }

    #[test]
    fn what_came_meanwhile_is_replaced_only_if_it_is_a_repository() {
        let room = tempfile::tempdir().expect("a folder");
        let place = made(room.path(), "place", "of another packager");
        take_place(&made(room.path(), "new", "ours"), &place).expect("the later one counts");
        assert_eq!(fs::read_to_string(place.join("which")).expect("a file"), "ours");
        fs::remove_file(place.join(RECORD)).expect("removed");
        assert!(!is_ours(&place));
        let refused = take_place(&made(room.path(), "new", "later"), &place);
        assert!(matches!(refused, Err(RepoError::InTheWay(path)) if path == place));
    }

    #[test]
    fn records_of_earlier_versions_can_be_read() {
        let text = r#"{"inputs":"a b","settings":"c","key":"d","files":[]}"#;
        let record: Published = serde_json::from_str(text).expect("a record");
        assert_eq!(record.certificate, "");
    }
}
