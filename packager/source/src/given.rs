//! Sources that a person gives in place of a recipe's: a folder, an archive, or the address of one. They become an archive in the same
//! store as the locked ones, under their hash.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{self, DownloadError};
use crate::digest;
use crate::examined;
use crate::room::Room;
use crate::tarball::Contents;
use crate::tree::{self, Entry, Git};

/// What was made of given sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// File name of the archive.
    pub name: String,
    /// Its hash, under which it is kept.
    pub sha256: String,
    /// Its top folder.
    pub folder: String,
}

/// Why sources cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing is there.
    #[error("no sources at `{0}`\nhint: name a folder, an archive, or the address of one")]
    Absent(String),
    /// The address is far and the network is not to be used.
    #[error("`{0}` is on the network, which is not to be used\nhint: name a file or folder, or leave out `--offline`")]
    Offline(String),
    /// It cannot be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// It is no archive of one folder, or not one to unpack.
    #[error(
        "`{place}` cannot be taken as an archive: {reason}\nhint: pack the folder of the sources as a whole, as tar, gz, bz2, xz or zst"
    )]
    Form {
        /// As given.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> GivenError + use<> {
    let path = path.to_owned();
    move |source| GivenError::Io { path, source }
}

/// Takes sources into the store of archives. A folder is packed below `folder`, with one time for all its files, without what git
/// ignores and without git's own files.
pub fn take(place: &str, folder: &str, time: i64, store: &Path, offline: bool) -> Result<Given, GivenError> {
    let path = Path::new(place.strip_prefix("file://").unwrap_or(place));
    let room = Room::make(store, ".given-").map_err(at(store))?;
    let part = room.path().join("part");
    let (name, folder) = if path.is_dir() {
        contents(path, folder).and_then(|contents| contents.write(&part, time)).map_err(at(path))?;
        (format!("{folder}.tar.xz"), folder.to_owned())
    } else {
        if path.is_file() {
            fs::copy(path, &part).map(drop).map_err(at(path))?;
        } else if !place.contains("://") {
            return Err(GivenError::Absent(place.to_owned()));
        } else if offline {
            return Err(GivenError::Offline(place.to_owned()));
        } else {
            archive::download(place, &part, archive::ARCHIVE_BYTES_MAX)?;
        }
        let name = place.rsplit('/').next().unwrap_or_default().to_owned();
        (name, top_folder(place, &part)?)
    };
    let sha256 = digest::file(&part).map_err(at(&part))?;
    let home = store.join(&sha256);
    fs::rename(&part, &home).map_err(at(&home))?;
    Ok(Given { name, sha256, folder })
}

/// The files of a folder below `prefix`.
fn contents(root: &Path, prefix: &str) -> io::Result<Contents> {
    let mut entries = BTreeMap::new();
    tree::gather(root, prefix, Git::of(root).as_ref(), &mut entries)?;
    let mut contents = Contents::new();
    for (inside, entry) in entries {
        match entry {
            Entry::File(path) => contents.file(inside, path),
            Entry::Link(to) => contents.link(inside, to),
        }
    }
    Ok(contents)
}

/// As names of packages and versions are.
fn is_plain(folder: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._+~-".contains(letter);
    folder.starts_with(|first: char| first.is_ascii_alphanumeric()) && folder.chars().all(allowed)
}

/// The one folder that an archive holds.
fn top_folder(place: &str, archive: &Path) -> Result<String, GivenError> {
    let form = |reason: String| GivenError::Form { place: place.to_owned(), reason };
    let top = examined::top_folder(archive).map_err(form)?;
    // It goes into the spec, where `%` and blanks mean something.
    if !is_plain(&top) {
        let top = top.escape_debug();
        return Err(form(format!("its folder `{top}` has more in its name than letters, digits and `._+~-`")));
    }
    Ok(top)
}

#[cfg(test)]
mod tests {
    use super::{GivenError, take};
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    fn listing(store: &Path, sha256: &str) -> String {
        let output = Command::new("tar").arg("-tvf").arg(store.join(sha256)).output().expect("tar");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn folders_that_mean_something_in_a_spec_are_refused() {
        let room = tempfile::tempdir().expect("a folder");
        let store = room.path().join("store");
        for name in ["arg%(touch PWNED)", "a b;touch pwned", "-rf", "%{x}"] {
            let archive = room.path().join("x.tar");
            fs::create_dir_all(room.path().join(name)).expect("a folder");
            fs::write(room.path().join(name).join("a.c"), "").expect("written");
            let status =
                Command::new("tar").arg("-C").arg(room.path()).arg("-cf").arg(&archive).arg("--").arg(name).status();
            assert!(status.expect("tar").success());
            let refused = take(&archive.display().to_string(), "x-1", 1_790_000_000, &store, true);
            assert!(
                matches!(&refused, Err(GivenError::Form { reason, .. }) if reason.contains("letters, digits")),
                "{name}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_folder_is_packed_the_same_wherever_it_lies() {
        let room = tempfile::tempdir().expect("a folder");
        let store = room.path().join("store");
        let mut given = Vec::new();
        for place in ["one", "another"] {
            let folder = room.path().join(place);
            fs::create_dir_all(folder.join("src/.git")).expect("folders");
            fs::write(folder.join("src/.git/config"), place).expect("written");
            fs::write(folder.join("src/a.c"), "int a;\n").expect("written");
            std::os::unix::fs::symlink("src/a.c", folder.join("b.c")).expect("a link");
            given.push(take(&folder.display().to_string(), "x-1", 1_790_000_000, &store, true).expect("taken"));
        }
        assert_eq!(given[0], given[1]);
        assert_eq!((given[0].name.as_str(), given[0].folder.as_str()), ("x-1.tar.xz", "x-1"));
        let listing = listing(&store, &given[0].sha256);
        assert!(listing.contains("x-1/b.c -> src/a.c") && listing.contains("x-1/src/a.c"), "{listing}");
        assert!(!listing.contains(".git"), "{listing}");
    }

    #[test]
    fn what_git_ignores_is_left_out_but_not_what_it_tracks() {
        let room = tempfile::tempdir().expect("a folder");
        let top = room.path().join("top");
        let tree = top.join("ignored/tree");
        fs::create_dir_all(tree.join("out")).expect("folders");
        for name in ["a.c", "a.o", "kept.o", "out/table.c", "out/made.c"] {
            fs::write(tree.join(name), name).expect("written");
        }
        let git = |folder: &Path, words: &[&str]| {
            let done = Command::new("git").arg("-C").arg(folder).args(words).status().expect("git");
            assert!(done.success(), "git {words:?}");
        };
        let store = room.path().join("store");
        let listed = || {
            let given = take(&tree.display().to_string(), "x-1", 0, &store, true).expect("taken");
            listing(&store, &given.sha256)
        };
        // A repository around it that ignores all of it.
        git(room.path(), &["init", "-q", "top"]);
        fs::write(top.join(".gitignore"), "ignored/\n").expect("written");
        assert!(listed().contains("x-1/a.o"), "{}", listed());
        // Its own.
        git(&top.join("ignored"), &["init", "-q", "tree"]);
        fs::write(tree.join(".gitignore"), "*.o\nout/\n").expect("written");
        git(&tree, &["add", "-f", "kept.o", "out/table.c"]);
        let listing = listed();
        for there in ["x-1/a.c", "x-1/kept.o", "x-1/out/table.c"] {
            assert!(listing.contains(there), "{there}\n{listing}");
        }
        for absent in ["a.o", "made.c"] {
            assert!(!listing.contains(absent), "{absent}\n{listing}");
        }
    }

    #[test]
    fn an_archive_keeps_its_bytes_and_its_folder() {
        let room = tempfile::tempdir().expect("a folder");
        let store = room.path().join("store");
        fs::create_dir(room.path().join("x-abc")).expect("a folder");
        fs::write(room.path().join("x-abc/a.c"), "").expect("written");
        fs::write(room.path().join("stray"), "").expect("written");
        let pack = |name: &str, what: &[&str]| {
            let made = Command::new("tar").current_dir(room.path()).arg("-czf").arg(name).args(what).status();
            assert!(made.expect("tar").success());
            room.path().join(name).display().to_string()
        };
        let good = pack("x.tar.gz", &["x-abc"]);
        let given = take(&good, "x-1", 0, &store, true).expect("taken");
        assert_eq!((given.name.as_str(), given.folder.as_str()), ("x.tar.gz", "x-abc"));
        assert_eq!(fs::read(store.join(&given.sha256)).expect("kept"), fs::read(&good).expect("there"));
        let bad = pack("y.tar.gz", &["x-abc", "stray"]);
        let error = take(&bad, "x-1", 0, &store, true).expect_err("two things").to_string();
        assert!(error.contains("it has `x-abc` and `stray` at its top") && error.contains("hint: "), "{error}");
        let error =
            take(&room.path().join("stray").display().to_string(), "x-1", 0, &store, true).expect_err("no archive");
        assert!(matches!(error, GivenError::Form { .. }), "{error}");
        let half = room.path().join("half.tar.gz");
        let whole = fs::read(&good).expect("there");
        fs::write(&half, &whole[..whole.len() / 2]).expect("written");
        let error = take(&half.display().to_string(), "x-1", 0, &store, true).expect_err("half").to_string();
        assert!(error.contains("half.tar.gz` cannot be taken as an archive: ") && error.contains("hint: "), "{error}");
        assert!(matches!(take("/nowhere", "x", 0, &store, true), Err(GivenError::Absent(_))));
        assert!(matches!(take("http://far.invalid/x.tar", "x", 0, &store, true), Err(GivenError::Offline(_))));
    }
}
