//! A cargo workspace as a source: which files, what they hash to, which version, and from when.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Repository, Status, StatusOptions};

use crate::digest::Digest;
use crate::manifest::{self, ManifestError};
use crate::tarball::{self, Contents};

/// A workspace in the file system, restricted to what one recipe ships.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its root.
    pub root: PathBuf,
    /// Files relative to the root, sorted.
    pub files: BTreeSet<String>,
    /// `workspace.package.version`.
    pub version: String,
    /// Seconds since 1970: of the last commit that changed one of the files.
    pub time: i64,
    /// Some files differ from what is committed.
    pub modified: bool,
    /// The last commit that changed them.
    pub commit: Option<String>,
    /// Names of the cargo packages among the files.
    pub packages: BTreeSet<String>,
    /// Names of the programs they build.
    pub programs: BTreeSet<String>,
    /// The root manifest with only the members that are shipped.
    pub manifest: String,
    /// The committed `Cargo.lock`.
    pub lock: String,
    /// What the shipped members may reach in it: decides the hash, so that crates of other members do not.
    reached: String,
}

/// Why a workspace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A file or folder of `include:` is not there.
    #[error("`{path}` of `source: include:` does not exist below `{root}`")]
    Missing {
        /// As written.
        path: String,
        /// The workspace.
        root: PathBuf,
    },
    /// Reading failed.
    #[error("cannot read `{path}`")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The version-control state cannot be read.
    #[error("cannot read the git repository at `{root}`")]
    Git {
        /// The workspace.
        root: PathBuf,
        /// Why.
        #[source]
        source: git2::Error,
    },
    /// The root manifest is not as expected.
    #[error("in `{path}`")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// Neither git nor the caller says from when the sources are.
    #[error(
        "`{0}` is no git repository, so the time of its sources is unknown\nhint: set SOURCE_DATE_EPOCH to their time in seconds since 1970"
    )]
    NoTime(PathBuf),
}

impl Workspace {
    /// Reads the workspace. `time` overrides the time of the last commit.
    pub fn open(root: &Path, include: &[String], time: Option<i64>) -> Result<Workspace, WorkspaceError> {
        let git_error = |source| WorkspaceError::Git { root: root.to_owned(), source };
        let repository = Repository::discover(root).ok();
        let mut files = BTreeSet::new();
        for path in include {
            let full = root.join(path);
            if !full.exists() {
                return Err(WorkspaceError::Missing { path: path.clone(), root: root.to_owned() });
            }
            gather(root, path, repository.as_ref(), &mut files)
                .map_err(|source| WorkspaceError::Read { path: full, source })?;
        }
        let manifest_path = root.join("Cargo.toml");
        let text = fs::read_to_string(&manifest_path)
            .map_err(|source| WorkspaceError::Read { path: manifest_path.clone(), source })?;
        let manifest_error = |source| WorkspaceError::Manifest { path: manifest_path.clone(), source };
        let Members { packages, programs, inherited } = members(root, &files)?;
        let (manifest, version) = manifest::restrict(&text, &files, &inherited).map_err(manifest_error)?;
        let (lock, reached) = locked(root, &packages)?;
        let History { commit, commit_time, modified } = match &repository {
            Some(repository) => history(repository, root, include).map_err(git_error)?,
            None => History::default(),
        };
        let time = time.or(commit_time).ok_or_else(|| WorkspaceError::NoTime(root.to_owned()))?;
        Ok(Workspace {
            root: root.to_owned(),
            files,
            version,
            time,
            modified,
            commit,
            packages,
            programs,
            manifest,
            lock,
            reached,
        })
    }

    /// Hash over all names and contents.
    pub fn digest(&self) -> io::Result<String> {
        let mut digest = Digest::new();
        for file in &self.files {
            match file.as_str() {
                "Cargo.toml" => digest.part(file, self.manifest.as_bytes()),
                "Cargo.lock" => digest.part(file, self.reached.as_bytes()),
                _ => {
                    let path = self.root.join(file);
                    digest.part(file, &fs::read(&path)?);
                    digest.part("executable", &[u8::from(tarball::is_executable(&path)?)]);
                }
            }
        }
        Ok(digest.hex())
    }

    /// The source tree below `folder`, with the restricted manifest and the given lock.
    #[must_use]
    pub fn contents(&self, folder: &str, lock: &str) -> Contents {
        let mut contents = Contents::new();
        for file in &self.files {
            contents.file(format!("{folder}/{file}"), self.root.join(file));
        }
        contents.text(format!("{folder}/Cargo.toml"), self.manifest.clone());
        contents.text(format!("{folder}/Cargo.lock"), lock.to_owned());
        contents
    }
}

/// What the shipped members are called, build, and take from the workspace.
#[derive(Default)]
struct Members {
    packages: BTreeSet<String>,
    programs: BTreeSet<String>,
    inherited: BTreeSet<String>,
}

fn read(root: &Path, file: &str) -> Result<String, WorkspaceError> {
    let path = root.join(file);
    fs::read_to_string(&path).map_err(|source| WorkspaceError::Read { path, source })
}

fn members(root: &Path, files: &BTreeSet<String>) -> Result<Members, WorkspaceError> {
    let mut members = Members::default();
    for file in files.iter().filter(|file| *file == "Cargo.toml" || file.ends_with("/Cargo.toml")) {
        let at = |source| WorkspaceError::Manifest { path: root.join(file), source };
        let folder = file.strip_suffix("Cargo.toml").unwrap_or_default();
        let place = format!("{folder}src/bin/");
        let sources: BTreeSet<String> =
            files.iter().filter_map(|path| path.strip_prefix(&place)?.split('/').next().map(str::to_owned)).collect();
        let sources: Vec<String> = sources.into_iter().collect();
        let text = read(root, file)?;
        members.inherited.extend(manifest::inherited(&text).map_err(at)?);
        members.packages.extend(manifest::package_name(&text).map_err(at)?);
        let has = |path: &str| files.contains(&format!("{folder}{path}"));
        members.programs.extend(manifest::programs(&text, has, &sources).map_err(at)?);
    }
    Ok(members)
}

/// The lock, and what the members may reach in it.
fn locked(root: &Path, members: &BTreeSet<String>) -> Result<(String, String), WorkspaceError> {
    let lock = read(root, "Cargo.lock")?;
    let reached = manifest::prune(&lock, members)
        .map_err(|source| WorkspaceError::Manifest { path: root.join("Cargo.lock"), source })?;
    Ok((lock, reached))
}

/// Whether git knows of changes below some paths that are not committed. Nothing is modified where there is no git.
pub fn modified(root: &Path, paths: &[PathBuf]) -> Result<bool, WorkspaceError> {
    let git_error = |source| WorkspaceError::Git { root: root.to_owned(), source };
    match Repository::discover(root) {
        Ok(repository) => changed(&repository, &below(&repository, root), paths).map_err(git_error),
        Err(_) => Ok(false),
    }
}

/// Where a folder lies in the repository's tree.
fn below(repository: &Repository, root: &Path) -> PathBuf {
    let place = repository.workdir().and_then(|top| {
        let (root, top) = (root.canonicalize().ok()?, top.canonicalize().ok()?);
        root.strip_prefix(top).ok().map(Path::to_owned)
    });
    place.unwrap_or_default()
}

fn changed(repository: &Repository, base: &Path, paths: &[PathBuf]) -> Result<bool, git2::Error> {
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(false);
    for path in paths {
        options.pathspec(base.join(path));
    }
    let statuses = repository.statuses(Some(&mut options))?;
    Ok(statuses.iter().any(|entry| !entry.status().is_ignored() && entry.status() != Status::CURRENT))
}

/// Paths that say from when the sources are. The root manifest and the lock also change with members that are not shipped.
fn dated(include: &[String]) -> Vec<&String> {
    let sources: Vec<&String> =
        include.iter().filter(|path| !["Cargo.toml", "Cargo.lock"].contains(&path.as_str())).collect();
    if sources.is_empty() { include.iter().collect() } else { sources }
}

fn gather(root: &Path, path: &str, git: Option<&Repository>, files: &mut BTreeSet<String>) -> io::Result<()> {
    let full = root.join(path);
    if git.is_some_and(|git| git.is_path_ignored(&full).unwrap_or(false)) {
        return Ok(());
    }
    if !fs::metadata(&full)?.is_dir() {
        files.insert(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(&full)? {
        let name = entry?.file_name();
        gather(root, &format!("{path}/{}", name.to_string_lossy()), git, files)?;
    }
    Ok(())
}

/// The last commit that changed an included path, and whether something is uncommitted.
#[derive(Default)]
struct History {
    commit: Option<String>,
    commit_time: Option<i64>,
    modified: bool,
}

fn history(repository: &Repository, root: &Path, include: &[String]) -> Result<History, git2::Error> {
    let Ok(head) = repository.head() else { return Ok(History::default()) };
    let base = below(repository, root);
    let paths: Vec<PathBuf> = dated(include).into_iter().map(|path| base.join(path)).collect();
    let ids = |commit: &git2::Commit<'_>| -> Result<Vec<Option<git2::Oid>>, git2::Error> {
        let tree = commit.tree()?;
        Ok(paths.iter().map(|path| tree.get_path(path).ok().map(|entry| entry.id())).collect())
    };
    let mut commit = head.peel_to_commit()?;
    let now = ids(&commit)?;
    while let Ok(parent) = commit.parent(0) {
        if ids(&parent)? != now {
            break;
        }
        commit = parent;
    }
    let all: Vec<PathBuf> = include.iter().map(PathBuf::from).collect();
    Ok(History {
        commit: Some(commit.id().to_string()),
        commit_time: Some(commit.time().seconds()),
        modified: changed(repository, &base, &all)?,
    })
}
