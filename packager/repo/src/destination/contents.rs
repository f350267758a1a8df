//! What a folder has to publish, in the order in which readers may come to know of it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packager_repodata::model::{Data, Package};
use packager_source::digest;
use packager_source::stop::unless_interrupted;

use super::PublishError;
use super::place::Source;
use super::record::{Files, Published};
use crate::listed::{self, Listed};
use crate::mirror_list;
use crate::stored::{REPOMD, SIGNATURE, Stored};

/// What changes when a repository is published again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Never changes under its name.
    Package,
    /// Never changes under its name.
    Metadata,
    /// Keys, pages, provenance.
    Other,
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) source: Source,
    /// As metadata says it, or as it is.
    pub(super) sha256: String,
}

/// Everything that is to be published of a folder, but for repositories below it.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) revision: String,
    pub(super) packages: usize,
    pub(super) files: Vec<Wanted>,
    /// `repomd.xml`; a folder above repositories has none.
    pub(super) repomd: Option<Vec<u8>>,
    /// Its signature.
    pub(super) signature: Option<Vec<u8>>,
    /// What leads to it in another way.
    pub(super) mirror_list: Option<Vec<u8>>,
    /// The folder that it leads to.
    pub(super) list: Option<String>,
}

impl Contents {
    /// Of a folder: a whole repository, or what lies above several. Packages and metadata are looked at by size only.
    pub(super) fn of(folder: &Path) -> Result<Contents, PublishError> {
        let mut contents = Contents {
            revision: String::new(),
            packages: 0,
            files: Vec::new(),
            repomd: None,
            signature: None,
            mirror_list: None,
            list: None,
        };
        let mut known = BTreeSet::new();
        if let Some(stored) = Stored::find(folder)? {
            contents.listed(folder, &stored, &mut known)?;
        }
        for (name, path) in others(folder)? {
            if known.contains(&name) {
                continue;
            }
            unless_interrupted()?;
            let bytes = fs::metadata(&path).map_err(PublishError::at(&path))?.len();
            let sha256 = digest::file(&path).map_err(PublishError::at(&path))?;
            contents.files.push(Wanted { kind: Kind::Other, source: Source { name, path, bytes }, sha256 });
        }
        contents.files.sort_by(|one, other| (one.kind, &one.source.name).cmp(&(other.kind, &other.source.name)));
        Ok(contents)
    }

    /// Adds what the metadata leads to.
    fn listed(&mut self, folder: &Path, stored: &Stored, known: &mut BTreeSet<String>) -> Result<(), PublishError> {
        let path = folder.join(REPOMD);
        let repomd = fs::read(&path).map_err(PublishError::at(&path))?;
        let packages = stored.primary()?;
        for (kind, listed) in listed_files(&packages, &stored.repomd.data) {
            if kind == Kind::Metadata && !listed.location.contains(&listed.sha256) {
                return Err(PublishError::Unhashed { folder: folder.to_owned(), location: listed.location });
            }
            let path = listed.of_size(folder, &path)?;
            let bytes = fs::metadata(&path).map_err(PublishError::at(&path))?.len();
            // One file may be listed several times, and in several ways.
            let name = named(&path, folder)?;
            if known.insert(name.clone()) {
                self.files.push(Wanted { kind, source: Source { name, path, bytes }, sha256: listed.sha256 });
            }
        }
        self.repomd = Some(repomd);
        self.signature = signature(folder)?;
        self.led(folder)?;
        self.revision.clone_from(&stored.repomd.revision);
        self.packages = packages.len();
        if self.changed(folder)? {
            return Err(PublishError::Moving(folder.to_owned()));
        }
        Ok(())
    }

    /// Adds what the mirror list leads to, which must be of this metadata, and signed if that is.
    fn led(&mut self, folder: &Path) -> Result<(), PublishError> {
        let Some((text, entry)) = mirror_list::listed(folder)? else { return Ok(()) };
        if !mirror_list::is_of(folder, &entry)? {
            return Err(PublishError::OtherList(folder.to_owned()));
        }
        let led = mirror_list::led(folder, &entry)?;
        if self.signature.is_some() && !led.is_signed {
            return Err(PublishError::OtherList(folder.to_owned()));
        }
        let repomd = folder.join(REPOMD);
        for listed in led.listed {
            let path = listed.of_size(folder, &repomd)?;
            let bytes = fs::metadata(&path).map_err(PublishError::at(&path))?.len();
            let (name, sha256) = (listed.location, listed.sha256);
            if self.files.iter().all(|file| file.source.name != name) {
                self.files.push(Wanted { kind: Kind::Metadata, source: Source { name, path, bytes }, sha256 });
            }
        }
        for name in led.pointers {
            let path = folder.join(&name);
            let bytes = fs::metadata(&path).map_err(PublishError::at(&path))?.len();
            let sha256 = digest::file(&path).map_err(PublishError::at(&path))?;
            self.files.push(Wanted { kind: Kind::Metadata, source: Source { name, path, bytes }, sha256 });
        }
        self.list = Some(entry.folder());
        self.mirror_list = Some(text);
        Ok(())
    }

    /// Whether the folder is another repository by now: builds replace it whole.
    pub(super) fn changed(&self, folder: &Path) -> Result<bool, PublishError> {
        let path = folder.join(REPOMD);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self.repomd.is_some()),
            other => Ok(Some(other.map_err(PublishError::at(&path))?) != self.repomd),
        }
    }

    /// Of `repomd.xml`; empty without one.
    pub(super) fn repomd_sha256(&self) -> String {
        self.repomd.as_deref().map(digest::bytes).unwrap_or_default()
    }

    /// As the record has them.
    pub(super) fn entries(&self) -> Files {
        let entry = |file: &Wanted| {
            (file.source.name.clone(), Published { sha256: file.sha256.clone(), bytes: file.source.bytes })
        };
        self.files.iter().map(entry).collect()
    }
}

impl Wanted {
    /// The file again, if it is what it should be.
    pub(super) fn checked(&self, folder: &Path) -> Result<(), PublishError> {
        let listed =
            Listed { location: self.source.name.clone(), bytes: Some(self.source.bytes), sha256: self.sha256.clone() };
        listed.check(folder, &folder.join(REPOMD))?;
        Ok(())
    }
}

/// What metadata lists below its own place.
pub(super) fn listed_files<'l>(packages: &'l [Package], data: &'l [Data]) -> impl Iterator<Item = (Kind, Listed)> + 'l {
    let here = packages.iter().filter(|package| package.location.base.is_empty());
    let packages = here.map(|package| Listed {
        location: package.location.href.clone(),
        bytes: Some(package.size.package),
        sha256: package.sha256.clone(),
    });
    let packages = packages.map(|listed| (Kind::Package, listed));
    packages.chain(data.iter().map(|data| (Kind::Metadata, Listed::from(data))))
}

/// The name of a file below a folder.
fn named(path: &Path, folder: &Path) -> Result<String, PublishError> {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| PublishError::Name(path.to_owned()))
}

/// What lies right in a folder and is not hidden.
fn visible(folder: &Path) -> Result<Vec<PathBuf>, PublishError> {
    let entries = fs::read_dir(folder).map_err(PublishError::at(folder))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(PublishError::at(folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Names of the repositories in a folder, those furthest below first and the folder itself last: pages that lead to them come when they are
/// there.
pub fn repositories(folder: &Path) -> Result<Vec<String>, PublishError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for path in visible(&at)? {
            if !fs::symlink_metadata(&path).map_err(PublishError::at(&path))?.is_dir() {
                continue;
            }
            // Metadata for the mirror list is no repository of its own.
            if path.file_name().is_some_and(|name| name == "repodata") {
                continue;
            }
            if path.join(REPOMD).is_file() {
                found.push(named(&path, folder)?);
            }
            folders.push(path);
        }
    }
    let depth = |name: &String| name.matches('/').count();
    found.sort_by(|one, other| depth(other).cmp(&depth(one)).then_with(|| one.cmp(other)));
    found.push(String::new());
    Ok(found)
}

/// All other files of the folder: what is hidden and other metadata is left out.
fn others(folder: &Path) -> Result<Vec<(String, PathBuf)>, PublishError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for path in visible(&at)? {
            if path == folder.join("repodata") {
                continue;
            }
            let itself = fs::symlink_metadata(&path).map_err(PublishError::at(&path))?;
            let real = fs::metadata(&path).map_err(PublishError::at(&path))?;
            if itself.is_symlink() && real.is_dir() {
                return Err(PublishError::Link(path));
            } else if real.is_dir() {
                // Another repository is published by itself.
                if !path.join(REPOMD).is_file() {
                    folders.push(path);
                }
            } else if real.is_file() {
                found.push((named(&path, folder)?, path));
            }
        }
    }
    Ok(found)
}

/// The signature of the metadata.
fn signature(folder: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    let path = folder.join(SIGNATURE);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(PublishError::at(&path)),
    }
}

/// See [`listed::place`].
pub(super) fn inside(location: &str) -> Result<(), crate::ListedError> {
    listed::place(location, Path::new(""), Path::new(REPOMD)).map(drop)
}
