//! `install-suite-base`: the package that tells dnf what the Debian root has.
//!
//! Everything it provides was found in the root: sonames with their symbol versions, as rpm's own generator `elfdeps` writes them for a
//! library package; programs by path, under both names where `/bin` is `/usr/bin`; packages by Debian's name and version. Two
//! are called otherwise where RPM comes from, and are also provided by those names: Debian's `passwd` is `shadow-utils` of
//! Enterprise Linux and `shadow` of openEuler. It holds no file and requires nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rpm::{BuildConfig, Dependency, PackageBuilder};

use crate::repository::{self, Repository};
use crate::root::Root;

const NAME: &str = "install-suite-base";

/// What RPM distributions call a package of Debian's.
const RENAMED: [(&str, &[&str]); 1] = [("passwd", &["shadow-utils", "shadow"])];

impl Root {
    /// A signed repository with the base package of this root, in `folder`.
    #[must_use]
    pub fn base_repository(&self, target: &str, folder: &Path) -> Repository {
        let mut builder =
            PackageBuilder::new(NAME, "1", "Apache-2.0", self.architecture.rpm(), "Base system of the install suite");
        builder.using_config(BuildConfig::v4()).release("1");
        builder.description("What the Debian root of the install suite has, told to dnf. For tests only.");
        for name in sonames(&self.folder).into_iter().chain(programs(&self.folder)) {
            builder.provides(Dependency::any(name));
        }
        for (name, version) in debian_packages(&self.folder) {
            builder.provides(Dependency::eq(name, version));
        }
        let package = folder.join(format!("{NAME}.rpm"));
        fs::create_dir_all(folder).expect("a folder of the test");
        builder.build().and_then(|built| built.write_file(&package)).unwrap_or_else(|error| panic!("{NAME}: {error}"));
        let repo_file = format!(
            "[{NAME}]\nname=Base system of the install suite\nbaseurl=http://base.invalid\nenabled=1\ngpgcheck=1\n\
             repo_gpgcheck=1\ngpgkey=http://base.invalid/{}\n",
            packager_repo::publish::key_file(NAME)
        );
        repository::publish(target, NAME, &[package], repo_file, &folder.join("repository"))
    }
}

/// Capabilities of the shared libraries in the folders that the loader searches.
fn sonames(root: &Path) -> BTreeSet<String> {
    let mut libraries = Vec::new();
    for folder in ["usr/lib", "usr/lib64", "lib", "lib64"] {
        let folder = root.join(folder);
        if folder.is_symlink() || !folder.is_dir() {
            continue; // a second name of a folder below /usr
        }
        let folders = [folder.clone()].into_iter().chain(entries(&folder).into_iter().filter(|path| {
            // Debian's folder of an architecture, such as x86_64-linux-gnu.
            path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-linux-gnu"))
        }));
        for folder in folders {
            libraries.extend(entries(&folder).into_iter().filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !path.is_symlink() && path.is_file() && (name.ends_with(".so") || name.contains(".so."))
            }));
        }
    }
    let mut elfdeps = Command::new("/usr/lib/rpm/elfdeps")
        .arg("--provides")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("hint: elfdeps comes with rpm, which scripts/packager installs");
    let names: String = libraries.iter().map(|path| format!("{}\n", path.display())).collect();
    let mut stdin = elfdeps.stdin.take().expect("it is piped");
    let feed = std::thread::spawn(move || stdin.write_all(names.as_bytes()));
    let output = elfdeps.wait_with_output().expect("elfdeps ends");
    feed.join().expect("it does not panic").expect("elfdeps reads all names");
    let mut found: BTreeSet<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let loaders = ["ld-linux-x86-64.so.2()(64bit)", "ld-linux-aarch64.so.1()(64bit)"];
    assert!(loaders.iter().any(|loader| found.contains(*loader)), "elfdeps finds no loader in the root");
    // What glibc's package says beside its sonames: its loader reads GNU hash tables.
    found.insert("rtld(GNU_HASH)".to_owned());
    found
}

fn programs(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["bin", "sbin", "usr/bin", "usr/sbin"] {
        let paths = entries(&root.join(folder));
        names.extend(paths.iter().filter_map(|path| Some(format!("/{folder}/{}", path.file_name()?.to_str()?))));
    }
    names
}

fn debian_packages(root: &Path) -> BTreeSet<(String, String)> {
    let status = fs::read_to_string(root.join("var/lib/dpkg/status")).expect("a Debian root has a package database");
    let mut found = BTreeSet::new();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (Some(name), Some(version), Some("install ok installed")) =
            (field("Package"), field("Version"), field("Status"))
        else {
            continue;
        };
        // The upstream part, without epoch and Debian's revision: what an RPM would have as its version.
        let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
        let upstream = upstream.rsplit_once('-').map_or(upstream, |(upstream, _)| upstream).replace('-', ".");
        found.insert((name.to_owned(), upstream.clone()));
        for (_, others) in RENAMED.iter().filter(|(debian, _)| *debian == name) {
            found.extend(others.iter().map(|other| ((*other).to_owned(), upstream.clone())));
        }
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
