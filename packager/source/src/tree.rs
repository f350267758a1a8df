//! The files of a folder that are its sources: without what git ignores, unless it is tracked all the same, and without git's own.
//! Symbolic links stay what they are, until [`follow`] puts what they lead to in the place of those that would lead nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use git2::Repository;

/// One member of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Where it lies.
    File(PathBuf),
    /// A symbolic link: what is written in it.
    Link(PathBuf),
}

/// What git says of files.
pub(crate) struct Git {
    pub(crate) repository: Repository,
    /// Everything that is tracked, by its place below the top folder.
    tracked: BTreeSet<PathBuf>,
}

impl Git {
    /// The repository of a folder. One around it that ignores the whole folder has nothing to say about what is in it.
    pub(crate) fn of(root: &Path) -> Option<Git> {
        let repository = Repository::discover(root).ok()?;
        let tracked = repository.index().map(|index| {
            index.iter().map(|entry| PathBuf::from(OsStr::from_bytes(&entry.path))).collect::<BTreeSet<_>>()
        });
        let git = Git { tracked: tracked.unwrap_or_default(), repository };
        (!git.leaves_out(root)).then_some(git)
    }

    /// Whether a file or folder is ignored, and nothing in it is tracked all the same.
    fn leaves_out(&self, path: &Path) -> bool {
        if !self.repository.is_path_ignored(path).unwrap_or(false) {
            return false;
        }
        let below = self.repository.workdir().and_then(|top| {
            let (top, folder) = (top.canonicalize().ok()?, path.parent()?.canonicalize().ok()?);
            folder.strip_prefix(top).ok().map(|folder| folder.join(path.file_name().unwrap_or_default()))
        });
        below.is_none_or(|below| {
            !self.tracked.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
        })
    }
}

/// Adds what lies at a path, with everything below it, under `inside`. A link that is named itself is followed.
pub(crate) fn gather(
    path: &Path,
    inside: &str,
    git: Option<&Git>,
    entries: &mut BTreeMap<String, Entry>,
) -> io::Result<()> {
    if git.is_some_and(|git| git.leaves_out(path)) {
        return Ok(());
    }
    if fs::metadata(path)?.is_dir() {
        return below(path, inside, git, entries);
    }
    entries.insert(inside.to_owned(), Entry::File(path.to_owned()));
    Ok(())
}

fn below(folder: &Path, inside: &str, git: Option<&Git>, entries: &mut BTreeMap<String, Entry>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path, kind) = (entry.file_name(), entry.path(), entry.file_type()?);
        if name == ".git" || git.is_some_and(|git| git.leaves_out(&path)) {
            continue;
        }
        let inside = format!("{inside}/{}", name.to_string_lossy());
        if kind.is_symlink() {
            entries.insert(inside, Entry::Link(fs::read_link(&path)?));
        } else if kind.is_dir() {
            below(&path, &inside, git, entries)?;
        } else if kind.is_file() {
            entries.insert(inside, Entry::File(path));
        }
    }
    Ok(())
}

/// Puts what links lead to in their places, but where that is another file that is shipped: then the link still leads there.
pub(crate) fn follow(
    root: &Path,
    git: Option<&Git>,
    entries: &mut BTreeMap<String, Entry>,
) -> Result<(), (PathBuf, io::Error)> {
    loop {
        let lost = entries.iter().find_map(|(inside, entry)| match entry {
            Entry::Link(to) if !leads_to_entry(root, inside, to, entries) => Some(inside.clone()),
            _ => None,
        });
        let Some(inside) = lost else { return Ok(()) };
        let path = root.join(&inside);
        let put = |entries: &mut BTreeMap<String, Entry>| {
            let (there, here) = (path.canonicalize()?, path.parent().unwrap_or(root).canonicalize()?);
            if here.starts_with(&there) {
                return Err(io::Error::other("the link leads to a folder that it is in"));
            }
            entries.remove(&inside);
            gather(&path, &inside, git, entries)
        };
        put(entries).map_err(|error| (path.clone(), error))?;
    }
}

/// Whether a relative link leads to a file that is shipped from the same tree.
fn leads_to_entry(root: &Path, inside: &str, to: &Path, entries: &BTreeMap<String, Entry>) -> bool {
    let resolved = || {
        let (root, there) = (root.canonicalize().ok()?, root.join(inside).canonicalize().ok()?);
        Some(there.strip_prefix(root).ok()?.to_str()?.to_owned())
    };
    to.is_relative() && resolved().is_some_and(|there| matches!(entries.get(&there), Some(Entry::File(_))))
}
