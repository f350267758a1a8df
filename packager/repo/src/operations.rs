//! What is done with metadata: create it for a folder of packages, bring it up to date, add and remove packages that need not be there,
//! keep some of them and remove the files of the others.
//!
//! New metadata is made beside the old and takes its place by one exchange of names, after which the old is gone. One operation at a
//! time: the folder itself is locked. When nothing changed nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use packager_repodata::model::{Data, Package};
use packager_repodata::read::Place;
use packager_repodata::write::Format;
use packager_repodata::{Compression, model};
use packager_rpm::SigningKey;
use packager_source::{Room, keep as disk};
use serde::Serialize;

use crate::exchange::{self, exchange};
use crate::found::{self, Found, ROOM};
use crate::listed::{self, ListedError};
use crate::metadata::{self, MetadataError};
use crate::mirror_list::{self, Mirrored};
use crate::spliced::{self, Change, Known};
use crate::stored::{REPOMD, SIGNATURE, Stored};
use crate::written::{self, Origin};

/// Packages that are read one after the other when the lists around them are copied; more are read side by side.
const FEW: usize = 32;

/// How metadata is made.
#[derive(Debug)]
pub struct Settings<'s> {
    /// Packages that are read at the same time.
    pub workers: NonZeroUsize,
    /// Of what is written; as it was, else gzip, when absent.
    pub compression: Option<Compression>,
    /// Revision and times in `repomd.xml`, in seconds since 1970; the time of the newest package when absent.
    pub revision: Option<i64>,
    /// Packages count as no newer than this.
    pub latest: Option<i64>,
    /// Signs what is written.
    pub key: Option<&'s SigningKey>,
    /// Whether there is a mirror list.
    pub mirrored: Mirrored,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        let mirrored = Mirrored::AsItWas;
        Settings { workers: NonZeroUsize::MIN, compression: None, revision: None, latest: None, key: None, mirrored }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Packages in the metadata.
    pub packages: usize,
    /// Locations of those that were read.
    pub read: Vec<String>,
    /// Locations of those that are listed no longer.
    pub removed: Vec<String>,
    /// Whether anything was written.
    pub written: bool,
    /// Whether a signature went away because no key was given.
    pub unsigned: bool,
    /// Revision of the metadata.
    pub revision: String,
}

/// Makes metadata for all packages below a folder, whatever there was before.
pub fn create(folder: &Path, settings: &Settings<'_>) -> Result<Outcome, MetadataError> {
    let _held = lock(folder)?;
    let found = found::below(folder)?;
    let origins = found.into_iter().map(Origin::Read).collect();
    replace(folder, origins, Vec::new(), None, settings)
}

/// Brings metadata up to date. Packages whose location, size and time are in it already are not read.
pub fn update(folder: &Path, settings: &Settings<'_>) -> Result<Outcome, MetadataError> {
    let held = lock(folder)?;
    let Some(stored) = Stored::find(folder)? else {
        drop(held);
        return create(folder, settings);
    };
    let described = stored.places()?;
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, place) in described.iter().enumerate() {
        if place.location.base.is_empty() {
            known.insert(&place.location.href, index);
        }
    }
    let (mut kept, mut read) = (Vec::new(), Vec::new());
    for found in found::below(folder)? {
        let same = |place: &Place| place.bytes == found.bytes && place.time == found.time;
        match known.get(found.href.as_str()).filter(|index| same(&described[**index])) {
            Some(index) => kept.push(*index),
            None => read.push(found),
        }
    }
    if read.is_empty() && kept.len() == described.len() && as_asked(folder, &stored, settings)? {
        return Ok(unchanged(&stored, described.len()));
    }
    let places: BTreeSet<&str> = read.iter().map(|found| found.href.as_str()).collect();
    let kept: BTreeSet<usize> = kept.into_iter().collect();
    let gone = |(index, place): (usize, &Place)| {
        let href = &place.location.href;
        (!kept.contains(&index) && !places.contains(href.as_str())).then(|| href.clone())
    };
    let removed: Vec<String> = described.iter().enumerate().filter_map(gone).collect();
    if read.len() <= FEW {
        let stays: Vec<bool> = (0..described.len()).map(|index| kept.contains(&index)).collect();
        let new = read.iter().map(|found| written::described(found, settings)).collect::<Result<Vec<_>, _>>()?;
        if let Some(outcome) = splice(folder, &stored, &stays, &new, settings)? {
            return Ok(Outcome { removed, ..outcome });
        }
    }
    let mut packages = stored.primary()?;
    stored.complete(&mut packages)?;
    let known = packages.into_iter().enumerate().filter(|(index, _)| kept.contains(index));
    let mut origins: Vec<Origin> = known.map(|(_, package)| Origin::Known(Box::new(package))).collect();
    origins.extend(read.into_iter().map(Origin::Read));
    replace(folder, origins, removed, Some(&stored), settings)
}

/// Adds packages to metadata. One that lies in the repository is listed where it lies; any other below `prefix`, where it has to be put.
/// What was listed at the same place is replaced.
pub fn add(folder: &Path, files: &[PathBuf], prefix: &str, settings: &Settings<'_>) -> Result<Outcome, MetadataError> {
    let _held = lock(folder)?;
    let stored = Stored::open(folder)?;
    let mut added = BTreeMap::new();
    for file in files {
        let package = Found::at(file, place(folder, file, prefix)?)?.read()?;
        added.insert(package.location.href.clone(), package);
    }
    // What is said of it in the primary list holds its hash and its time: the other lists say the same then.
    let said = |package: &Package| Format::Primary.text([package].into_iter());
    let texts: BTreeMap<String, String> = added.iter().map(|(href, package)| (href.clone(), said(package))).collect();
    let mut there = BTreeSet::new();
    let is_there = |known: &Known, text: &str| {
        if texts.get(&known.href).is_some_and(|said| said.contains(text)) {
            there.insert(known.href.clone());
        }
    };
    if let Some(known) = spliced::scan(&stored, is_there)? {
        added.retain(|href, _| !there.contains(href));
        if added.is_empty() && as_asked(folder, &stored, settings)? {
            return Ok(unchanged(&stored, known.len()));
        }
        let stays: Vec<bool> = known.iter().map(|known| known.is_based || !added.contains_key(&known.href)).collect();
        let new: Vec<Package> = added.values().cloned().collect();
        let change = Change { known: &known, stays: &stays, new: &new };
        if let Some(outcome) = splice_known(folder, &stored, &change, settings)? {
            return Ok(outcome);
        }
    }
    let mut packages = stored.primary()?;
    stored.complete(&mut packages)?;
    added.retain(|_, package| !packages.contains(package));
    if added.is_empty() && as_asked(folder, &stored, settings)? {
        return Ok(unchanged(&stored, packages.len()));
    }
    packages.retain(|package| !package.location.base.is_empty() || !added.contains_key(&package.location.href));
    let read: Vec<String> = added.keys().cloned().collect();
    let all = packages.into_iter().chain(added.into_values()).map(Box::new).map(Origin::Known).collect();
    let outcome = replace(folder, all, Vec::new(), Some(&stored), settings)?;
    Ok(Outcome { read, ..outcome })
}

/// Removes packages from metadata, not from the disk: by location, file name, NEVRA or name.
pub fn remove(folder: &Path, wanted: &[String], settings: &Settings<'_>) -> Result<Outcome, MetadataError> {
    let _held = lock(folder)?;
    let stored = Stored::open(folder)?;
    let mut packages = stored.primary()?;
    for wanted in wanted {
        if !packages.iter().any(|package| is(package, wanted)) {
            let near = near(&packages, wanted);
            return Err(MetadataError::Unknown { folder: folder.to_owned(), wanted: wanted.clone(), near });
        }
    }
    let stays: Vec<bool> = packages.iter().map(|package| !wanted.iter().any(|wanted| is(package, wanted))).collect();
    if let Some(outcome) = splice(folder, &stored, &stays, &[], settings)? {
        let gone = packages.into_iter().zip(stays).filter(|(_, stays)| !stays);
        return Ok(Outcome { removed: gone.map(|(package, _)| package.location.href).collect(), ..outcome });
    }
    stored.complete(&mut packages)?;
    let (gone, left): (Vec<_>, Vec<_>) =
        packages.into_iter().partition(|package| wanted.iter().any(|wanted| is(package, wanted)));
    let removed = gone.into_iter().map(|package| package.location.href).collect();
    let left = left.into_iter().map(Box::new).map(Origin::Known).collect();
    replace(folder, left, removed, Some(&stored), settings)
}

/// What becomes of package files that are listed no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// They are removed, once no metadata lists them.
    Delete,
    /// They are left, or lie elsewhere.
    Leave,
    /// Nothing is done at all; what would be done is looked at.
    Untouched,
}

/// Keeps the packages for which `stays` answers true, in the order in which it is given them; the others go.
pub fn retain(
    folder: &Path,
    files: Files,
    settings: &Settings<'_>,
    stays: impl FnOnce(&[Package]) -> Vec<bool>,
) -> Result<Outcome, MetadataError> {
    let _held = lock(folder)?;
    let stored = Stored::open(folder)?;
    if stored.repomd.data.iter().any(|data| data.kind == "modules") {
        return Err(MetadataError::Modular(folder.to_owned()));
    }
    let mut packages = stored.primary()?;
    stored.complete(&mut packages)?;
    let stays = stays(&packages);
    if stays.iter().all(|stays| *stays) && as_asked(folder, &stored, settings)? {
        return Ok(unchanged(&stored, packages.len()));
    }
    let flags = stays.clone();
    let (kept, gone): (Vec<_>, Vec<_>) = packages.into_iter().zip(stays).partition(|(_, stays)| *stays);
    let ours = |packages: &[(Package, bool)]| -> Vec<String> {
        let here = packages.iter().filter(|(package, _)| package.location.base.is_empty());
        here.map(|(package, _)| package.location.href.clone()).collect()
    };
    // As paths: the same one can be written in several ways.
    let listed: BTreeSet<PathBuf> = ours(&kept).into_iter().map(|href| folder.join(href)).collect();
    let unlisted = own_files(folder, &ours(&gone))?;
    let removed: Vec<String> = gone.into_iter().map(|(package, _)| package.location.href).collect();
    if files == Files::Untouched {
        return Ok(Outcome { removed, ..unchanged(&stored, kept.len()) });
    }
    let outcome = match splice(folder, &stored, &flags, &[], settings)? {
        Some(outcome) => Outcome { removed, ..outcome },
        None => {
            let kept = kept.into_iter().map(|(package, _)| Origin::Known(Box::new(package))).collect();
            replace(folder, kept, removed, Some(&stored), settings)?
        }
    };
    if files == Files::Delete {
        // No power loss brings metadata back that lists what is gone.
        disk::settle(folder).map_err(MetadataError::at(folder))?;
        delete(unlisted.into_iter().filter(|file| !listed.contains(file)))?;
    }
    Ok(outcome)
}

/// Where packages of a repository lie that may be removed: a location that leads out of it, also by a link to a folder, is refused. Those
/// that are not there are left out.
fn own_files(folder: &Path, locations: &[String]) -> Result<Vec<PathBuf>, MetadataError> {
    let repomd = folder.join(REPOMD);
    let root = folder.canonicalize().map_err(MetadataError::at(folder))?;
    let mut files = Vec::new();
    for location in locations {
        let file = listed::place(location, folder, &repomd)?;
        // Metadata may say anything: only packages are removed.
        if location.starts_with("repodata/") || !location.ends_with(".rpm") {
            return Err(ListedError::Outside { by: repomd, location: location.clone() }.into());
        }
        let parent = file.parent().unwrap_or(folder);
        match parent.canonicalize() {
            Ok(parent) if !parent.starts_with(&root) => {
                return Err(ListedError::Outside { by: repomd, location: location.clone() }.into());
            }
            Ok(_) => files.push(file),
            Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {}
            Err(error) => return Err(MetadataError::at(parent)(error)),
        }
    }
    Ok(files)
}

/// Removes all that can be removed, then says what could not.
fn delete(files: impl Iterator<Item = PathBuf>) -> Result<(), MetadataError> {
    let mut left = Vec::new();
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => left.push((file, error)),
            _ => {}
        }
    }
    let others = left.len().saturating_sub(1);
    left.into_iter().next().map_or(Ok(()), |(path, source)| Err(MetadataError::Left { path, others, source }))
}

/// The lock of a repository: its own folder, so nothing is left lying in what is served. Metadata that a stop left aside is put back.
pub(crate) fn lock(folder: &Path) -> Result<File, MetadataError> {
    let held = File::open(folder).map_err(MetadataError::at(folder))?;
    held.lock().map_err(MetadataError::at(folder))?;
    let place = folder.join("repodata");
    exchange::recover(&place).map_err(MetadataError::at(&place))?;
    Ok(held)
}

/// Whether metadata that says the right thing also says it as it was asked for.
fn as_asked(folder: &Path, stored: &Stored, settings: &Settings<'_>) -> Result<bool, MetadataError> {
    let signed = settings.key.map_or(Ok(true), |key| is_by(key, folder))?;
    let revision = settings.revision.is_none_or(|revision| stored.repomd.revision == revision.to_string());
    let stored = stored.compression()?;
    let mirrored = mirror_list::is_as_asked(folder, &settings.mirrored)?;
    Ok(signed && mirrored && revision && settings.compression.is_none_or(|compression| compression == stored))
}

/// Whether metadata is signed, and by this key.
pub(crate) fn is_by(key: &SigningKey, folder: &Path) -> Result<bool, MetadataError> {
    let public = key.public()?;
    Ok(public.verify_file(&folder.join(REPOMD), &signature(folder)).is_ok())
}

fn signature(folder: &Path) -> PathBuf {
    folder.join(SIGNATURE)
}

fn unchanged(stored: &Stored, packages: usize) -> Outcome {
    let revision = stored.repomd.revision.clone();
    Outcome { packages, read: Vec::new(), removed: Vec::new(), written: false, unsigned: false, revision }
}

/// As [`replace`], where little changes and the lists are written as ours are: `stays` says of each package whether it does, in the order of the lists.
/// Nothing is done, and nothing answered, where they are not.
fn splice(
    folder: &Path,
    stored: &Stored,
    stays: &[bool],
    new: &[Package],
    settings: &Settings<'_>,
) -> Result<Option<Outcome>, MetadataError> {
    match spliced::scan(stored, |_, _| ())?.filter(|known| known.len() == stays.len()) {
        Some(known) => splice_known(folder, stored, &Change { known: &known, stays, new }, settings),
        None => Ok(None),
    }
}

/// See [`splice`].
fn splice_known(
    folder: &Path,
    stored: &Stored,
    change: &Change<'_>,
    settings: &Settings<'_>,
) -> Result<Option<Outcome>, MetadataError> {
    let room = Room::make(folder, ROOM).map_err(MetadataError::at(folder))?;
    let place = room.path().join("repodata");
    let others = keep(&place, stored.others()?)?;
    let compression = compression(Some(stored), settings)?;
    let Some((data, newest)) = change.write(stored, compression, &place)? else { return Ok(None) };
    let repomd = written::repomd_of(data, newest, settings, &place, others)?;
    let unsigned = take_place(folder, &room, &repomd.revision, settings)?;
    let mut read: Vec<String> = change.new.iter().map(|package| package.location.href.clone()).collect();
    read.sort_by(|one, other| written::rank(one).cmp(&written::rank(other)));
    let (packages, revision) = (change.packages(), repomd.revision);
    Ok(Some(Outcome { packages, read, removed: Vec::new(), written: true, unsigned, revision }))
}

/// Makes new metadata and puts it in place of what there is.
fn replace(
    folder: &Path,
    mut origins: Vec<Origin>,
    removed: Vec<String>,
    stored: Option<&Stored>,
    settings: &Settings<'_>,
) -> Result<Outcome, MetadataError> {
    origins.sort_by(|one, other| one.rank().cmp(&other.rank()));
    let room = Room::make(folder, ROOM).map_err(MetadataError::at(folder))?;
    let new = room.path().join("repodata");
    let others = stored.map(Stored::others).transpose()?;
    let others = keep(&new, others.unwrap_or_default())?;
    let compression = compression(stored, settings)?;
    let repomd = written::write(&origins, settings, compression, &new, others)?;
    let unsigned = take_place(folder, &room, &repomd.revision, settings)?;
    let read = origins.iter().filter(|origin| matches!(origin, Origin::Read(_)));
    Ok(Outcome {
        packages: origins.len(),
        read: read.map(|origin| origin.href().to_owned()).collect(),
        removed,
        written: true,
        unsigned,
        revision: repomd.revision,
    })
}

/// As asked for, else as the lists are, else as every dnf reads it.
pub(crate) fn compression(stored: Option<&Stored>, settings: &Settings<'_>) -> Result<Compression, MetadataError> {
    Ok(match (settings.compression, stored.map(Stored::compression).transpose()?) {
        (Some(compression), _) | (None, Some(compression @ (Compression::Gzip | Compression::Zstd))) => compression,
        (None, _) => Compression::default(),
    })
}

/// Signs the metadata in a room, when there is a key, and puts it in place of what there is. Whether a signature went away with that.
pub(crate) fn take_place(
    folder: &Path,
    room: &Room,
    revision: &str,
    settings: &Settings<'_>,
) -> Result<bool, MetadataError> {
    let time = revision.parse().unwrap_or(0);
    if let Some(key) = settings.key {
        metadata::signature(room.path(), key, time)?;
    }
    if let Some(address) = mirror_list::wanted(folder, &settings.mirrored)? {
        mirror_list::write(room.path(), folder, &address, settings.key, time)?;
    }
    let unsigned = settings.key.is_none() && signature(folder).exists();
    let place = folder.join("repodata");
    exchange(&room.path().join("repodata"), &place).map_err(MetadataError::at(&place))?;
    Ok(unsigned)
}

/// Takes metadata files along that are not written anew. Those outside `repodata/` stay where they are.
pub(crate) fn keep(new: &Path, others: Vec<(Data, PathBuf)>) -> Result<Vec<Data>, MetadataError> {
    fs::create_dir_all(new).map_err(MetadataError::at(new))?;
    let mut kept = Vec::new();
    for (data, path) in others {
        if let Some(name) = data.location.strip_prefix("repodata/") {
            let to = new.join(name);
            let parent = to.parent().unwrap_or(new);
            fs::create_dir_all(parent).map_err(MetadataError::at(parent))?;
            fs::copy(&path, &to).map_err(MetadataError::at(&path))?;
        }
        kept.push(data);
    }
    Ok(kept)
}

/// Where an added file is listed.
fn place(folder: &Path, file: &Path, prefix: &str) -> Result<String, MetadataError> {
    let name = || MetadataError::Name(file.to_owned());
    let real = file.canonicalize().map_err(MetadataError::at(file))?;
    let root = folder.canonicalize().map_err(MetadataError::at(folder))?;
    if let Ok(inside) = real.strip_prefix(&root) {
        return Ok(inside.to_str().ok_or_else(name)?.to_owned());
    }
    let file_name = file.file_name().and_then(|name| name.to_str()).ok_or_else(name)?;
    if prefix.starts_with('/') || !(prefix.is_empty() || listed::is_inside(prefix)) || prefix.starts_with("repodata") {
        return Err(MetadataError::Prefix(prefix.to_owned()));
    }
    let prefix = prefix.trim_matches('/');
    Ok(if prefix.is_empty() { file_name.to_owned() } else { format!("{prefix}/{file_name}") })
}

/// Whether a package is what a person calls so.
fn is(package: &Package, wanted: &str) -> bool {
    let Package { name, arch, evr: model::Evr { version, release, .. }, location, .. } = package;
    [location.href.as_str(), package.file_name(), name].contains(&wanted)
        || package.nevra() == wanted
        || format!("{name}-{version}-{release}.{arch}") == wanted
        || format!("{name}-{version}-{release}") == wanted
}

/// What to do when nothing is called so.
fn near(packages: &[Package], wanted: &str) -> String {
    let mut like: BTreeSet<String> = BTreeSet::new();
    for package in packages {
        if wanted.starts_with(&package.name) || package.name.contains(wanted) {
            like.insert(package.nevra());
        }
    }
    match like.len() {
        0 => "name a location, a file, a name or a NEVRA; `packager repo info --packages` lists them".to_owned(),
        _ => format!("there is {}", like.into_iter().take(5).collect::<Vec<_>>().join(", ")),
    }
}
