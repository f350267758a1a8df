//! A cargo workspace as a source: which files, what they hash to, which version, and from when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Repository, Status, StatusOptions};

use crate::digest::Digest;
use crate::manifest::{self, ManifestError};
use crate::tarball::{self, Contents};
use crate::tree::{self, Entry, Git};

/// A workspace in the file system, restricted to what one recipe ships.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its root.
    pub root: PathBuf,
    /// Files and symbolic links relative to the root, sorted.
    pub files: BTreeSet<String>,
    /// Those that are links, with what is written in them.
    links: BTreeMap<String, PathBuf>,
    /// `workspace.package.version`.
    pub version: String,
    /// Seconds since 1970: of the last commit that changed one of the files.
    pub time: i64,
    /// The clone's history ends before that commit, so the time is that of the oldest commit there is.
    pub cut: bool,
    /// Some files differ from what is committed.
    pub modified: bool,
    /// The last commit that changed them; none where the history that was cloned does not reach it.
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
        let git = Git::of(root);
        let mut entries = BTreeMap::new();
        for path in include {
            let full = root.join(path);
            if !full.exists() {
                return Err(WorkspaceError::Missing { path: path.clone(), root: root.to_owned() });
            }
            tree::gather(&full, path, git.as_ref(), &mut entries)
                .map_err(|source| WorkspaceError::Read { path: full, source })?;
        }
        tree::follow(root, git.as_ref(), &mut entries)
            .map_err(|(path, source)| WorkspaceError::Read { path, source })?;
        let files: BTreeSet<String> = entries.keys().cloned().collect();
        let links = entries.into_iter().filter_map(|(file, entry)| match entry {
            Entry::Link(to) => Some((file, to)),
            Entry::File(_) => None,
        });
        let manifest_path = root.join("Cargo.toml");
        let text = fs::read_to_string(&manifest_path)
            .map_err(|source| WorkspaceError::Read { path: manifest_path.clone(), source })?;
        let manifest_error = |source| WorkspaceError::Manifest { path: manifest_path.clone(), source };
        let Members { packages, programs, inherited } = members(root, &files)?;
        let (manifest, version) = manifest::restrict(&text, &files, &inherited).map_err(manifest_error)?;
        let (lock, reached) = locked(root, &packages)?;
        let History { commit, commit_time, modified, cut } = match &git {
            Some(git) => history(&git.repository, root, include).map_err(git_error)?,
            None => History::default(),
        };
        let cut = cut && time.is_none();
        let time = time.or(commit_time).ok_or_else(|| WorkspaceError::NoTime(root.to_owned()))?;
        Ok(Workspace {
            root: root.to_owned(),
            files,
            links: links.collect(),
            version,
            time,
            cut,
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
            if let Some(to) = self.links.get(file) {
                digest.part(file, to.as_os_str().as_encoded_bytes());
                digest.part("link", &[]);
                continue;
            }
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
            match self.links.get(file) {
                Some(to) => contents.link(format!("{folder}/{file}"), to.clone()),
                None => contents.file(format!("{folder}/{file}"), self.root.join(file)),
            }
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

/// The last commit that changed an included path, and whether something is uncommitted.
#[derive(Default)]
struct History {
    commit: Option<String>,
    commit_time: Option<i64>,
    modified: bool,
    /// The clone ends before that commit: the time is that of the oldest one there is.
    cut: bool,
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
    let all: Vec<PathBuf> = include.iter().map(PathBuf::from).collect();
    let mut same = true;
    while let Ok(parent) = commit.parent(0) {
        same = ids(&parent)? == now;
        if !same {
            break;
        }
        commit = parent;
    }
    // A shallow clone hides a parent, but not that there is one.
    let mut header = commit.raw_header_bytes().split(|byte| *byte == b'\n');
    let cut = same && header.any(|line| line.starts_with(b"parent "));
    Ok(History {
        commit: (!cut).then(|| commit.id().to_string()),
        commit_time: Some(commit.time().seconds()),
        modified: changed(repository, &base, &all)?,
        cut,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::{Workspace, WorkspaceError};
    use crate::tarball::Contents;

    fn git(folder: &Path, words: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(folder).args(["-c", "user.name=name", "-c", "user.email=name@packager.invalid"]);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        git.env("GIT_COMMITTER_DATE", "1700000000 +0000").env("GIT_AUTHOR_DATE", "1700000000 +0000");
        assert!(git.args(words).status().expect("git").success(), "git {words:?}");
    }

    /// A workspace of one member, not yet committed.
    fn workspace(root: &Path) {
        fs::create_dir_all(root.join("a/src")).expect("folders");
        let manifest = "[workspace]\nmembers = [\"a\"]\n[workspace.package]\nversion = \"1.0.0\"\n";
        for (file, text) in [
            ("Cargo.toml", manifest),
            ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n"),
            ("a/Cargo.toml", "[package]\nname = \"a\"\nversion = \"1.0.0\"\n"),
            ("a/src/main.rs", "fn main() {}\n"),
            ("README", "first\n"),
        ] {
            fs::write(root.join(file), text).expect("written");
        }
        git(root, &["init", "-q"]);
    }

    fn open(root: &Path, time: Option<i64>) -> Result<Workspace, WorkspaceError> {
        Workspace::open(root, &["Cargo.toml", "Cargo.lock", "a"].map(str::to_owned), time)
    }

    fn listing(contents: &Contents, folder: &Path) -> String {
        let tar = folder.join("out.tar.xz");
        contents.write(&tar, 0).expect("written");
        let output = Command::new("tar").arg("-tvf").arg(tar).output().expect("tar");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// As of sources that are given.
    #[test]
    fn what_is_tracked_is_shipped_though_it_is_ignored_and_links_stay_links() {
        let room = tempfile::tempdir().expect("a folder");
        let root = room.path().join("tree");
        workspace(&root);
        fs::create_dir(root.join("a/out")).expect("a folder");
        for name in ["a/out/table.rs", "a/out/made.rs", ".gitignore"] {
            fs::write(root.join(name), "out/\n").expect("written");
        }
        for (to, link) in [("src/main.rs", "a/link"), ("../README", "a/readme"), ("src", "a/more"), ("link", "a/twice")]
        {
            std::os::unix::fs::symlink(to, root.join(link)).expect("a link");
        }
        git(&root, &["add", "-f", "a/out/table.rs"]);
        let opened = open(&root, Some(0)).expect("a workspace");
        let listing = listing(&opened.contents("x", ""), room.path());
        // What is not shipped itself is shipped in the link's place.
        for there in
            ["x/a/out/table.rs", "x/a/link -> src/main.rs", "x/a/readme\n", "x/a/more/main.rs\n", "x/a/twice -> link"]
        {
            assert!(listing.contains(there), "{there}\n{listing}");
        }
        assert!(!listing.contains("made.rs"), "{listing}");
        for to in ["/nowhere", "..", "."] {
            let link = root.join("a/bad");
            std::os::unix::fs::symlink(to, &link).expect("a link");
            let error = open(&root, Some(0)).expect_err("it cannot be followed").to_string();
            assert!(error.contains("a/bad"), "{error}");
            fs::remove_file(link).expect("removed");
        }
        let before = opened.digest().expect("a hash");
        fs::remove_file(root.join("a/link")).expect("removed");
        std::os::unix::fs::symlink("Cargo.toml", root.join("a/link")).expect("a link");
        assert_ne!(open(&root, Some(0)).expect("a workspace").digest().expect("a hash"), before);
    }

    /// The time of the oldest commit depends on the depth of the clone, and the key with it.
    #[test]
    fn a_shallow_clone_says_that_it_does_not_know_the_time() {
        let room = tempfile::tempdir().expect("a folder");
        let root = room.path().join("tree");
        workspace(&root);
        git(&root, &["add", "."]);
        git(&root, &["commit", "-q", "-m", "first"]);
        let first = open(&root, None).expect("a workspace");
        for text in ["second", "third"] {
            fs::write(root.join("README"), text).expect("written");
            git(&root, &["commit", "-q", "-a", "-m", text]);
        }
        let url = format!("file://{}", root.display());
        for depth in ["1", "2"] {
            git(room.path(), &["clone", "-q", "--depth", depth, &url, depth]);
            let shallow = room.path().join(depth);
            let cut = open(&shallow, None).expect("a workspace");
            assert_eq!((cut.time, cut.commit, cut.cut), (1_700_000_000, None, true));
            let told = open(&shallow, Some(5)).expect("a time was given");
            assert_eq!((told.time, told.commit, told.cut, told.modified), (5, None, false, false));
        }
        // Whole, or as deep as it needs to be.
        git(room.path(), &["clone", "-q", "--depth", "3", &url, "3"]);
        let whole = open(&room.path().join("3"), None).expect("all of it");
        assert_eq!((whole.commit, whole.cut), (first.commit, false));
        fs::write(root.join("a/src/main.rs"), "fn main() { }\n").expect("written");
        git(&root, &["commit", "-q", "-a", "-m", "fourth"]);
        git(room.path(), &["clone", "-q", "--depth", "2", &url, "4"]);
        let enough = open(&room.path().join("4"), None).expect("the last commit changed it");
        assert_eq!(enough.commit, open(&root, None).expect("a workspace").commit);
    }
}
