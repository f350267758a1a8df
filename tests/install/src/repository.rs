//! Signed repositories: the produced one, and others made from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use packager_repo::publish::{self, Description, RepoError};
use packager_rpm::{Inspected, SigningKey};
use system_suite::{Outcome, outside_cargo};

use crate::host;

/// Id of the produced repository.
const ID: &str = "daos";

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// For whom its packages are.
    pub target: String,
    /// Where it lies.
    pub folder: PathBuf,
    id: String,
}

/// `scripts/packager build`. Tests that run side by side wait for one build instead of each making its own.
fn build(arguments: &[&str]) {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut build = Command::new(host::workspace().join("scripts/packager"));
    build.arg("build").args(arguments).current_dir(host::workspace());
    Outcome::of(outside_cargo(&mut build)).ok();
}

impl Repository {
    /// The repository of a target, as `scripts/packager build` makes it.
    #[must_use]
    pub fn produced(target: &str) -> Repository {
        host::ready();
        let folder = match std::env::var_os("INSTALL_SUITE_DIST") {
            Some(dist) => PathBuf::from(dist).join(target),
            None => {
                build(&["--target", target]);
                host::workspace().join("dist").join(target)
            }
        };
        Repository::in_folder(target, folder)
    }

    /// A repository of packages alone, in the folder of its target below `out`.
    #[must_use]
    pub fn of(packages: &[&str], target: &str, out: &str) -> Repository {
        host::ready();
        build(&[&["--target", target, "--out", out], packages].concat());
        Repository::in_folder(target, Path::new(out).join(target))
    }

    fn in_folder(target: &str, folder: PathBuf) -> Repository {
        let repository = Repository { target: target.to_owned(), folder, id: ID.to_owned() };
        assert!(
            publish::current(&repository.folder).is_some(),
            "`{}` is no complete repository\nhint: make it with scripts/packager build --target {target}, and `--out` where it belongs elsewhere",
            repository.folder.display()
        );
        let ours = signing_key().public().expect("a key has a public part");
        let theirs = fs::read_to_string(repository.folder.join(publish::key_file(ID))).unwrap_or_default();
        assert_eq!(
            theirs.trim(),
            ours.armored().trim(),
            "the repository was not signed with this machine's development key"
        );
        repository
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The text of its `.repo` file.
    #[must_use]
    pub fn repo_file(&self) -> String {
        let path = self.folder.join(format!("{}.repo", self.id));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Its binary packages, those for debugging left out: the storage stack and the libraries that are built for it.
    #[must_use]
    pub fn packages(&self) -> Vec<PathBuf> {
        let is_wanted = |path: &PathBuf| {
            let name = file_name(path);
            name.ends_with(".rpm") && !name.contains("-debuginfo-") && !name.contains("-debugsource-")
        };
        list(&self.folder.join("Packages")).into_iter().filter(is_wanted).collect()
    }

    /// Those of them that are the storage stack.
    #[must_use]
    pub fn stack(&self) -> Vec<PathBuf> {
        let mut packages = self.packages();
        packages.retain(|path| file_name(path).starts_with("daos"));
        packages
    }

    /// The source package of the storage stack.
    #[must_use]
    pub fn source_package(&self) -> PathBuf {
        let mut found = list(&self.folder.join("Source"));
        found.retain(|path| {
            let name = file_name(path);
            name.starts_with("daos-") && name.ends_with(".src.rpm")
        });
        found.pop().expect("a repository has its source package")
    }

    /// `version-release` of the storage stack.
    #[must_use]
    pub fn version(&self) -> String {
        let package = Inspected::open(&self.stack()[0]).expect("a package of the repository");
        format!("{}-{}", package.version, package.release)
    }

    /// A copy without packages for debugging, to be changed.
    #[must_use]
    pub fn copy(&self, to: &Path) -> Repository {
        fs::create_dir_all(to.join("Packages")).expect("a folder of the test");
        for package in self.packages() {
            fs::copy(&package, to.join("Packages").join(package.file_name().expect("a file"))).expect("a copy");
        }
        let copied = Command::new("cp").arg("-a").arg(self.folder.join("repodata")).arg(to).status().expect("cp runs");
        assert!(copied.success(), "the metadata can be copied");
        for name in [format!("{ID}.repo"), publish::key_file(ID)] {
            fs::copy(self.folder.join(&name), to.join(&name)).expect("a copy");
        }
        Repository { folder: to.to_owned(), ..self.clone() }
    }

    /// Writes its metadata anew and signs them with a key.
    pub fn describe(&self, key: &SigningKey) {
        let repodata = self.folder.join("repodata");
        fs::remove_dir_all(&repodata).expect("a repository has metadata");
        packager_repo::metadata::write(&self.folder, 0).expect("packages can be described");
        packager_repo::metadata::sign(&self.folder, key, 0).expect("a key signs");
    }
}

/// Publishes packages with the development key.
pub(crate) fn publish(target: &str, id: &str, packages: &[PathBuf], repo_file: String, to: &Path) -> Repository {
    let description = Description {
        mirrored: None,
        folder: to,
        id,
        repo_file,
        packages,
        sources: &[],
        inputs: String::new(),
        settings: String::new(),
        time: 0,
    };
    let added = |_: &Path, _: &[PathBuf]| Ok::<_, RepoError>(Vec::new());
    let attested = |_: &Path| Ok(Vec::new());
    publish::publish(&description, &signing_key(), added, |_| Vec::new(), attested)
        .unwrap_or_else(|error| panic!("publishing {id}: {error}"));
    Repository { target: target.to_owned(), folder: to.to_owned(), id: id.to_owned() }
}

/// The development key, with which `scripts/packager build` signs when no other is given.
#[must_use]
pub fn signing_key() -> SigningKey {
    let from = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let data = from("XDG_DATA_HOME").or_else(|| Some(from("HOME")?.join(".local/share"))).expect("hint: set HOME");
    let path = data.join("packager/keys/development.secret.asc");
    SigningKey::load(&path)
        .unwrap_or_else(|error| panic!("{error}\nhint: scripts/packager build makes the development key"))
}

/// A key that nobody trusts, made once: making one takes a while.
#[must_use]
pub fn other_key() -> SigningKey {
    let folder = host::cache().join("roots");
    let path = folder.join("untrusted.secret.asc");
    if !path.exists() {
        let key =
            SigningKey::generate("UNTRUSTED KEY of the install suite <untrusted@packager.invalid>").expect("a key");
        key.save(&folder, "untrusted").expect("the cache can be written");
    }
    SigningKey::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn file_name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
