//! Bringing a repository to where readers take it from, so that they see the old one or the new one (packager/docs/publishing.md).
//!
//! [`place`] is what the protocol needs of a destination, [`folder`], [`host`] and [`bucket`] (with its lock, [`lease`]) are destinations, [`contents`] is
//! what a folder has to publish, [`record`] what was published before. The protocol itself is here.

mod bucket;
mod contents;
mod folder;
mod host;
mod lease;
pub mod place;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use packager_repodata::read;
use packager_source::digest;
use packager_source::stop::{Interrupted, lock_within, unless_interrupted};
use serde::Serialize;

use crate::ListedError;
use crate::metadata::MetadataError;
use crate::mirror_list::{Entry, MIRROR_LIST};
use crate::stored::{METADATA_BYTES_MAX, POINTER_BYTES_MAX, REPOMD, SIGNATURE, Stored};
pub use contents::repositories;
use contents::{Contents, Kind, Wanted};
use place::{Held, Place, PlaceError, Source};
pub(crate) use record::RECORD;
use record::{Files, Generation, Published, RECORD_BYTES_MAX, Record, RecordError};

/// Files put by others that are looked at whether they are the same.
const LOOKED_AT_BYTES_MAX: u64 = 64 << 20;

/// Why a repository was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The destination.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Its record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The metadata of the folder.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A file that is not what metadata lists.
    #[error(transparent)]
    Listed(#[from] ListedError),
    /// A file of the folder.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that no address can carry.
    #[error("the name of `{}` is not UTF-8\nhint: rename it: addresses cannot carry it", .0.display())]
    Name(PathBuf),
    /// A link to a folder.
    #[error("`{}` is a link to a folder\nhint: put the folder itself there", .0.display())]
    Link(PathBuf),
    /// No signature.
    #[error("the metadata of `{}` is not signed\nhint: sign it: `packager repo update --sign-key FILE`; or let hosts accept it unsigned, with `--allow-unsigned`", .0.display())]
    Unsigned(PathBuf),
    /// Metadata that changes under its name.
    #[error(
        "the metadata `{location}` of `{folder}` does not carry its SHA-256 in its name\nhint: make it again with `packager repo create`, or `createrepo_c --unique-md-filenames`"
    )]
    Unhashed {
        /// The repository.
        folder: PathBuf,
        /// The file.
        location: String,
    },
    /// One within the other.
    #[error("`{}` is published in itself\nhint: publish it in a folder that is neither in it nor above it", .0.display())]
    Itself(PathBuf),
    /// A place that is a repository, for a folder that has several.
    #[error(
        "`{place}` is a repository itself, and what is to be published has repositories below it\nhint: publish at another place, or remove the one that is there"
    )]
    Above {
        /// The destination.
        place: String,
    },
    /// Another command works in the folder.
    #[error("another command changes `{}` just now\nhint: wait for it, or give `--wait` more seconds", .0.display())]
    Busy(PathBuf),
    /// The folder changed.
    #[error("`{}` changed while it was published; what readers see is the repository of before\nhint: publish again", .0.display())]
    Moving(PathBuf),
    /// A package that changed under its name.
    #[error(
        "`{name}` is at `{place}` with other contents (SHA-256 {there} there, {here} here)\nhint: raise its release; or give `--replace`, and readers that know the old one fail until they refresh"
    )]
    Changed {
        /// The file.
        name: String,
        /// The destination.
        place: String,
        /// Its hash there.
        there: String,
        /// Its hash here.
        here: String,
    },
    /// A file of others.
    #[error(
        "`{name}` is at `{place}`, and was not put there by `packager repo publish`\nhint: move it away, or give `--replace`"
    )]
    Foreign {
        /// The file.
        name: String,
        /// The destination.
        place: String,
    },
    /// A mirror list of other metadata.
    #[error("the mirror list of `{}` is of other metadata, or not signed as that is\nhint: make it anew: `packager repo update`, with `--sign-key` if it is to be signed; or take it away with `--no-mirror-list`", .0.display())]
    OtherList(PathBuf),
    /// Metadata at the destination that cannot be taken over.
    #[error(
        "the repository at `{place}` cannot be taken over: {why}\nhint: publish at another place, or remove it first"
    )]
    TakeOver {
        /// The destination.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl PublishError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> PublishError + use<> {
        let path = path.to_owned();
        move |source| PublishError::Io { path, source }
    }
}

/// How a repository is published.
#[derive(Debug, Clone)]
pub struct Options {
    /// Generations whose files stay.
    pub keep: usize,
    /// Whether files may change under their names.
    pub replace: bool,
    /// Whether metadata without signature is good enough.
    pub allow_unsigned: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// How long another publisher is waited for.
    pub patience: Duration,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Files that were put, in this order, without what leads to them.
    pub put: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there.
    pub there: usize,
    /// Files that were removed.
    pub removed: Vec<String>,
    /// Packages in the metadata.
    pub packages: usize,
    /// Of the metadata.
    pub revision: String,
    /// Whether anything was written.
    pub written: bool,
    /// Generations at the destination.
    pub generations: usize,
    /// Whether a mirror list went, through which hosts may read.
    pub list_gone: bool,
}

/// What there is to do.
struct Plan {
    /// Where the destination is now.
    record: Record,
    /// Where it will be.
    next: Record,
    /// What the record there says.
    written: Option<Record>,
    put: Vec<Wanted>,
    there: usize,
    /// Whether what leads to the rest changes.
    switch: bool,
    /// Whether the mirror list goes.
    list_gone: bool,
    remove: Vec<String>,
}

impl Plan {
    fn is_done(&self) -> bool {
        let Plan { put, remove, switch, written, next, .. } = self;
        written.as_ref() == Some(next) && put.is_empty() && remove.is_empty() && !switch
    }
}

/// Publishes the repository in a folder; `told` hears of each file that was put and of how many there are.
pub fn publish(
    folder: &Path,
    place: &dyn Place,
    options: &Options,
    told: &mut dyn FnMut(&Source, usize),
) -> Result<Done, PublishError> {
    if place.folder().is_some_and(|to| is_within(folder, to)) {
        return Err(PublishError::Itself(folder.to_owned()));
    }
    // Commands that change it wait for us.
    let held = File::open(folder).map_err(PublishError::at(folder))?;
    let taken = lock_within(options.patience, || held.try_lock_shared()).map_err(PublishError::at(folder))?;
    if !taken {
        return Err(PublishError::Busy(folder.to_owned()));
    }
    let contents = Contents::of(folder)?;
    // What is no repository has some below it.
    if contents.repomd.is_none() && repositories(folder)?.len() < 2 {
        return Err(MetadataError::None(folder.to_owned()).into());
    }
    if contents.repomd.is_some() && contents.signature.is_none() && !options.allow_unsigned {
        return Err(PublishError::Unsigned(folder.to_owned()));
    }
    if options.dry_run {
        let plan = plan(&contents, place, options)?;
        return Ok(done(&contents, &plan, false));
    }
    let lock = place.lock(options.patience)?;
    let plan = plan(&contents, place, options)?;
    if plan.is_done() {
        return Ok(done(&contents, &plan, false));
    }
    put(folder, &contents, &plan, place, &*lock, told)?;
    Ok(done(&contents, &plan, true))
}

/// Whether one of two folders is the other or lies below it.
fn is_within(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        // The last parts may not be there yet.
        let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
        there.map(|(above, real)| real.join(path.strip_prefix(above).unwrap_or(Path::new(""))))
    };
    let absolute = |path: &Path| std::path::absolute(path).ok().as_deref().and_then(real);
    match (absolute(one), absolute(other)) {
        (Some(one), Some(other)) => one.starts_with(&other) || other.starts_with(&one),
        _ => false,
    }
}

/// Names of all files that were published in a folder, of every generation that is kept. None where nothing was, or its record is damaged.
#[must_use]
pub fn published(folder: &Path) -> BTreeSet<String> {
    let text = File::open(folder.join(RECORD)).and_then(|file| {
        let mut text = Vec::new();
        file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    });
    let record = text.ok().and_then(|text| Record::parse(&text, "").ok()).unwrap_or_default();
    let files = record.generations.into_iter().map(|generation| generation.files).chain([record.pending]);
    files.flat_map(Files::into_keys).collect()
}

fn done(contents: &Contents, plan: &Plan, written: bool) -> Done {
    Done {
        put: plan.put.iter().map(|file| file.source.name.clone()).collect(),
        bytes: plan.put.iter().map(|file| file.source.bytes).sum(),
        there: plan.there,
        removed: plan.remove.clone(),
        packages: contents.packages,
        revision: contents.revision.clone(),
        written,
        generations: plan.next.generations.len(),
        list_gone: plan.list_gone,
    }
}

fn plan(contents: &Contents, place: &dyn Place, options: &Options) -> Result<Plan, PublishError> {
    let there = place.list()?;
    let stored = place.read(RECORD, RECORD_BYTES_MAX)?;
    let written = stored.as_deref().map(|text| Record::parse(text, place.address())).transpose()?;
    let mut record = written.clone().unwrap_or_default();
    let repomd = place.read(REPOMD, METADATA_BYTES_MAX)?;
    let signature = place.read(SIGNATURE, POINTER_BYTES_MAX)?;
    let mirror_list = place.read(MIRROR_LIST, POINTER_BYTES_MAX)?;
    if contents.repomd.is_none() && repomd.is_some() {
        return Err(PublishError::Above { place: place.address().to_owned() });
    }
    if let Some(repomd) = repomd.as_ref().filter(|_| contents.repomd.is_some()) {
        served(&mut record, repomd, place)?;
    }
    // Who reads through the list may have another generation, where a publisher was killed between the two.
    let mut held = 0;
    if let Some(text) = mirror_list.as_ref().filter(|_| contents.repomd.is_some()) {
        match led_to(&mut record, text, place) {
            Ok(generations) => held = generations,
            // Damaged: what was published is known, and is put in order again.
            Err(_) if options.replace || record.generations.iter().any(|generation| generation.list.is_some()) => {}
            Err(error) => return Err(error),
        }
    }
    let mut put = Vec::new();
    for file in &contents.files {
        if !is_there(file, &record, &there, place, options)? {
            put.push(file.clone());
        }
    }
    let newest = Generation {
        revision: contents.revision.clone(),
        repomd: contents.repomd_sha256(),
        list: contents.list.clone(),
        files: contents.entries(),
    };
    let mut next = record.clone();
    let switch = contents.repomd.is_some()
        && (&repomd, &signature, &mirror_list) != (&contents.repomd, &contents.signature, &contents.mirror_list);
    // Who took the list a moment ago follows it now: what it leads to goes with a later run at the earliest.
    let least = if switch && held > 0 { 1 + held } else { 1 };
    next.advance(newest, options.keep.max(least));
    // Repositories below this place are others' affair, also where their files were ours once.
    let repositories = there.keys().filter_map(|name| name.strip_suffix(REPOMD));
    // What the mirror list leads to is none.
    let is_other = |folder: &&str| !folder.is_empty() && !format!("/{folder}").contains("/repodata/");
    let repositories: Vec<&str> = repositories.filter(is_other).collect();
    let ours = |name: &&String| !repositories.iter().any(|folder| name.starts_with(folder));
    let gone = next.pending.keys().filter(|name| there.contains_key(*name)).filter(ours);
    let remove: Vec<String> = gone.cloned().collect();
    next.pending.clear();
    let list_gone = contents.repomd.is_some() && mirror_list.is_some() && contents.mirror_list.is_none();
    Ok(Plan { switch, list_gone, written, there: contents.files.len() - put.len(), record, next, put, remove })
}

/// Makes the generation that readers see the first one of the record. One that it does not know comes of a publication that was
/// killed before it wrote the record, or of another program: what its metadata lists is taken over.
fn served(record: &mut Record, repomd: &[u8], place: &dyn Place) -> Result<(), PublishError> {
    let sha256 = digest::bytes(repomd);
    // The newest of those with this metadata: it may have been published under several addresses.
    let known = record.generations.iter().position(|generation| generation.repomd == sha256);
    let generation = match known {
        Some(at) => record.generations.remove(at),
        None => match taken_over(None, repomd, sha256, place) {
            // Damaged: what was published is known, and is put in order again.
            Err(PublishError::TakeOver { .. } | PublishError::Metadata(_) | PublishError::Listed(_))
                if !record.generations.is_empty() =>
            {
                return Ok(());
            }
            other => other?,
        },
    };
    record.generations.insert(0, generation);
    Ok(())
}

/// Makes the generation that a mirror list leads to one of the first of the record, and says how many these are. One that the record does not know comes of a publication that was
/// killed; a list of somebody else's is an error.
fn led_to(record: &mut Record, text: &[u8], place: &dyn Place) -> Result<usize, PublishError> {
    let foreign = || PublishError::Foreign { name: MIRROR_LIST.to_owned(), place: place.address().to_owned() };
    let entry = Entry::parse(text).ok_or_else(foreign)?;
    let folder = entry.folder();
    let is_its = |generation: &Generation| generation.list.as_deref() == Some(folder.as_str());
    let generation = match record.generations.iter().position(is_its) {
        Some(0) => return Ok(1),
        Some(at) => record.generations.remove(at),
        None => {
            let repomd = format!("{folder}/{REPOMD}");
            let bytes = place.read(&repomd, METADATA_BYTES_MAX)?.ok_or_else(foreign)?;
            let mut generation = taken_over(Some(&entry), &bytes, entry.of.clone(), place)?;
            let there = place.list()?;
            for name in [repomd, format!("{folder}/{SIGNATURE}")] {
                if let Some(bytes) = there.get(&name) {
                    let sha256 = record.known(&name).into_iter().next().unwrap_or_default().to_owned();
                    generation.files.insert(name, Published { sha256, bytes: *bytes });
                }
            }
            generation
        }
    };
    let at = record.generations.len().min(1);
    record.generations.insert(at, generation);
    Ok(at + 1)
}

/// What metadata at a place leads to: the repository's own, or that which a mirror list leads to.
fn taken_over(
    entry: Option<&Entry>,
    repomd: &[u8],
    sha256: String,
    place: &dyn Place,
) -> Result<Generation, PublishError> {
    let cannot = |why: String| PublishError::TakeOver { place: place.address().to_owned(), why };
    let below = |name: &str| entry.map_or_else(|| name.to_owned(), |entry| format!("{}/{name}", entry.folder()));
    let room = tempfile::tempdir().map_err(PublishError::at(&std::env::temp_dir()))?;
    let listed = read::repomd(repomd).map_err(|error| cannot(error.to_string()))?;
    for data in &listed.data {
        contents::inside(&data.location)?;
        if data.kind == "primary" {
            let bytes = place.read(&below(&data.location), METADATA_BYTES_MAX)?;
            let bytes = bytes.ok_or_else(|| cannot(format!("`{}` is missing", below(&data.location))))?;
            write(&room.path().join(&data.location), &bytes)?;
        }
    }
    write(&room.path().join(REPOMD), repomd)?;
    let mut packages = Stored::open(room.path())?.primary()?;
    if let Some(entry) = entry {
        // Named by the repository's address, they are its own.
        let own = format!("{}/", entry.address);
        packages
            .iter_mut()
            .filter(|package| package.location.base == own)
            .for_each(|package| package.location.base.clear());
    }
    let mut files = Files::new();
    for (kind, file) in contents::listed_files(&packages, &listed.data) {
        contents::inside(&file.location)?;
        let name = if kind == Kind::Metadata { below(&file.location) } else { file.location };
        files.insert(name, Published { sha256: file.sha256, bytes: file.bytes.unwrap_or(0) });
    }
    Ok(Generation { revision: listed.revision, repomd: sha256, list: entry.map(Entry::folder), files })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(PublishError::at(folder))?;
    std::fs::write(path, bytes).map_err(PublishError::at(path))
}

/// Whether a file need not be put. What must not be put is an error.
fn is_there(
    file: &Wanted,
    record: &Record,
    there: &BTreeMap<String, u64>,
    place: &dyn Place,
    options: &Options,
) -> Result<bool, PublishError> {
    let Source { name, bytes, .. } = &file.source;
    let Some(size) = there.get(name) else { return Ok(false) };
    if let Some(seen) = record.seen(name).filter(|seen| seen.sha256 != file.sha256)
        && file.kind != Kind::Other
        && !options.replace
    {
        let (name, place, there) = (name.clone(), place.address().to_owned(), seen.sha256.clone());
        return Err(PublishError::Changed { name, place, there, here: file.sha256.clone() });
    }
    let known = record.known(name);
    if known.is_empty() && !options.replace {
        let small = *size == *bytes && *size <= LOOKED_AT_BYTES_MAX;
        let same = small && place.read(name, *size)?.is_some_and(|there| digest::bytes(&there) == file.sha256);
        return if same {
            Ok(true)
        } else {
            Err(PublishError::Foreign { name: name.clone(), place: place.address().to_owned() })
        };
    }
    Ok(size == bytes && known == BTreeSet::from([file.sha256.as_str()]))
}

/// What the record says of a file while it is put. Where other bytes may be under its name nobody knows which they are, until it was put.
fn about_to_be(file: &Wanted, record: &Record) -> Published {
    let known = record.known(&file.source.name);
    let alone = known.iter().all(|sha256| *sha256 == file.sha256);
    Published { sha256: if alone { file.sha256.clone() } else { String::new() }, bytes: file.source.bytes }
}

/// Puts packages, then metadata, then the rest.
fn put_files(
    folder: &Path,
    plan: &Plan,
    place: &dyn Place,
    lock: &dyn Held,
    told: &mut dyn FnMut(&Source, usize),
) -> Result<(), PublishError> {
    for kind in [Kind::Package, Kind::Metadata, Kind::Other] {
        lock.check()?;
        let files: Vec<&Wanted> = plan.put.iter().filter(|file| file.kind == kind).collect();
        for file in &files {
            unless_interrupted()?;
            file.checked(folder)?;
        }
        let sources: Vec<Source> = files.iter().map(|file| file.source.clone()).collect();
        if !sources.is_empty() {
            place.put_all(&sources, &mut |file| told(file, plan.put.len()))?;
        }
    }
    Ok(())
}

/// The order is the protocol: see packager/docs/publishing.md.
fn put(
    folder: &Path,
    contents: &Contents,
    plan: &Plan,
    place: &dyn Place,
    lock: &dyn Held,
    told: &mut dyn FnMut(&Source, usize),
) -> Result<(), PublishError> {
    let mut about = plan.record.clone();
    for file in &plan.put {
        about.pending.insert(file.source.name.clone(), about_to_be(file, &plan.record));
    }
    // Also which generation readers see now.
    if (plan.switch || !plan.put.is_empty()) && plan.written.as_ref() != Some(&about) {
        place.put(RECORD, &about.text())?;
    }
    let all = put_files(folder, plan, place, lock, told);
    if contents.changed(folder)? {
        // What was put may be of either; none of it counts as there.
        for file in &plan.put {
            about
                .pending
                .insert(file.source.name.clone(), Published { sha256: String::new(), bytes: file.source.bytes });
        }
        place.put(RECORD, &about.text())?;
        return Err(PublishError::Moving(folder.to_owned()));
    }
    all?;
    place.settle()?;
    lock.check()?;
    if plan.switch {
        let files = [
            (REPOMD, contents.repomd.as_deref()),
            (SIGNATURE, contents.signature.as_deref()),
            (MIRROR_LIST, contents.mirror_list.as_deref()),
        ];
        place.switch(&files)?;
    }
    place.settle()?;
    let mut now = plan.next.clone();
    let leaving = |name: &String| {
        let entry = about.pending.get(name).or_else(|| about.seen(name));
        entry.map(|entry| (name.clone(), entry.clone()))
    };
    now.pending = plan.remove.iter().filter_map(leaving).collect();
    if now != about {
        lock.check()?;
        place.put(RECORD, &now.text())?;
    }
    if !plan.remove.is_empty() {
        lock.check()?;
        place.settle()?;
        place.remove(&plan.remove)?;
        place.put(RECORD, &plan.next.text())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn folders_within_each_other_are_known_also_by_links() {
        let room = tempfile::tempdir().expect("a folder");
        let [repository, link] = ["repository", "link"].map(|name| room.path().join(name));
        std::fs::create_dir(&repository).expect("a folder");
        std::os::unix::fs::symlink(&repository, &link).expect("a link");
        for within in
            [repository.clone(), link.clone(), repository.join("not/there"), link.join("x"), room.path().to_owned()]
        {
            assert!(is_within(&repository, &within), "{}", within.display());
        }
        for apart in [room.path().join("other"), room.path().join("repository-2"), room.path().join("a/b")] {
            assert!(!is_within(&repository, &apart), "{}", apart.display());
        }
    }
}
