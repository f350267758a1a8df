//! The crates a workspace needs, as one tarball that makes its build independent of any network.
//!
//! cargo itself vendors, prunes `Cargo.lock` to what the shipped members reach, and checks every crate against it. Nothing may be in the
//! pruned lock that is not in the committed one. Crates that no program needs (other operating systems', tests') are
//! hollowed: cargo wants to read their manifests, and nothing else of them is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::keep;
use crate::manifest::{self, ManifestError};
use crate::room::{self, Room};
use crate::stop;
use crate::tarball::Contents;
use crate::workspace::Workspace;

/// Rust's names of the platforms that we build for, and build on.
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Tells cargo to take crates from `vendor/` and nowhere else.
const CARGO_CONFIG: &str = "[source.crates-io]\nreplace-with = \"vendored\"\n\n[source.vendored]\ndirectory = \"vendor\"\n\n[net]\noffline = true\n";

/// What else can be wrong with a tree that cargo itself vendored.
const METADATA_HINT: &str = "when it speaks of a feature, correct `on:` in `options:` of the recipe; else the vendored tree is incomplete, which is a mistake in the packager";

/// A vendored crate, for licences and the bill of materials.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SPDX expression as its authors wrote it.
    pub license: String,
    /// SHA-256 of the crate file.
    pub sha256: String,
    /// It becomes part of the programs; the others run while they are built.
    pub linked: bool,
}

/// What vendoring gives; lies in a folder of its own.
#[derive(Debug, Clone)]
pub struct Vendored {
    /// `vendor.tar.xz`: `vendor/` and `.cargo/config.toml` below the source folder.
    pub tarball: PathBuf,
    /// `Cargo.lock` of the shipped members, as cargo itself prunes it.
    pub lock: String,
    /// The crates that are compiled, for the programs or to build them.
    pub crates: Vec<Crate>,
}

/// Why crates cannot be vendored.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// A file operation.
    #[error("cannot prepare `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// cargo said no.
    #[error("`cargo {what}` failed:\n{said}\nhint: {hint}")]
    Cargo {
        /// The subcommand.
        what: &'static str,
        /// Its words.
        said: String,
        /// Remedy.
        hint: &'static str,
    },
    /// cargo would need a crate that the committed lock does not hold.
    #[error("`{name} {version}` is not in the committed `Cargo.lock`\nhint: run `cargo check` and commit `Cargo.lock`")]
    NotLocked {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
    },
    /// A manifest or lock.
    #[error("in `{path}`")]
    Manifest {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// cargo's metadata.
    #[error("`cargo metadata` gave no valid JSON")]
    Metadata(#[source] serde_json::Error),
}

/// The part of `cargo metadata` that we read.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct MetadataPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

/// A dependency.
#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// `build`, `dev`, or nothing for what is linked.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Metadata {
    /// What the members reach over edges of which `follow` accepts one kind, through packages that `pass` accepts.
    fn reached(
        &self,
        follow: impl Fn(Option<&str>) -> bool,
        pass: impl Fn(&MetadataPackage) -> bool,
    ) -> BTreeSet<&str> {
        let packages: BTreeMap<&str, &MetadataPackage> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut queue: Vec<&str> = self
            .packages
            .iter()
            .filter(|package| package.source.is_none())
            .map(|package| package.id.as_str())
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = queue.pop() {
            if !packages.get(id).is_some_and(|package| pass(package)) || !reached.insert(id) {
                continue;
            }
            let edges = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            queue.extend(
                edges
                    .filter(|edge| edge.dep_kinds.iter().any(|kind| follow(kind.kind.as_deref())))
                    .map(|edge| edge.pkg.as_str()),
            );
        }
        reached
    }
}

impl MetadataPackage {
    /// It runs inside the compiler.
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

impl Vendored {
    /// Reads what an earlier run left in `store/<key>`.
    pub fn stored(store: &Path, key: &str) -> Option<Vendored> {
        let folder = store.join(key);
        let crates = serde_json::from_slice(&fs::read(folder.join("crates.json")).ok()?).ok()?;
        let lock = fs::read_to_string(folder.join("Cargo.lock")).ok()?;
        let tarball = folder.join("vendor.tar.xz");
        keep::used(&folder);
        tarball.is_file().then_some(Vendored { tarball, lock, crates })
    }

    /// Vendors the crates of a workspace, with `features` (`package/feature`) beside the default ones, into `store/<key>`. The folder
    /// appears when it is complete.
    pub fn make(
        workspace: &Workspace,
        features: &[String],
        cargo: &Path,
        offline: bool,
        store: &Path,
        key: &str,
    ) -> Result<Vendored, VendorError> {
        if let Some(stored) = Vendored::stored(store, key) {
            return Ok(stored);
        }
        let io_at = |path: &Path| {
            let path = path.to_owned();
            move |source| VendorError::Io { path, source }
        };
        let work = Room::make(store, ".vendor-").map_err(io_at(store))?;
        let tree = work.path().join("tree");
        // The whole lock, which cargo prunes: how it writes a dependency depends on what else is there.
        workspace.contents("tree", &workspace.lock).unpack(work.path()).map_err(io_at(&tree))?;
        let mut vendor = Command::new(cargo);
        vendor.args(["vendor", "--quiet", "--versioned-dirs", "--respect-source-config"]);
        if offline {
            vendor.arg("--offline");
        }
        run(
            vendor.arg("vendor").current_dir(&tree),
            "vendor",
            "when it speaks of the network, try again with it: crates are fetched once",
        )?;

        let lock_path = tree.join("Cargo.lock");
        let lock = fs::read_to_string(&lock_path).map_err(io_at(&lock_path))?;
        let parse = |text: &str| {
            manifest::locked(text).map_err(|source| VendorError::Manifest { path: lock_path.clone(), source })
        };
        let (committed, locked) = (parse(&workspace.lock)?, parse(&lock)?);
        if let Some((name, version, _)) = locked.difference(&committed).next() {
            return Err(VendorError::NotLocked { name: name.clone(), version: version.clone() });
        }
        fs::create_dir_all(tree.join(".cargo")).map_err(io_at(&tree))?;
        fs::write(tree.join(".cargo/config.toml"), CARGO_CONFIG).map_err(io_at(&tree))?;
        let crates = compiled(cargo, &tree, features, &locked)?;
        hollow_others(&tree.join("vendor"), &crates)?;

        let ready = work.path().join("ready");
        fs::create_dir(&ready).map_err(io_at(&ready))?;
        let mut contents = Contents::new();
        contents.tree("vendor", &tree.join("vendor")).map_err(io_at(&tree))?;
        contents.text(".cargo/config.toml", CARGO_CONFIG);
        contents.write(&ready.join("vendor.tar.xz"), workspace.time).map_err(io_at(&ready))?;
        let listed = serde_json::to_vec_pretty(&crates).map_err(VendorError::Metadata)?;
        fs::write(ready.join("crates.json"), listed).map_err(io_at(&ready))?;
        fs::write(ready.join("Cargo.lock"), &lock).map_err(io_at(&ready))?;
        // An empty file would be read as one: what is kept is not looked at again.
        for name in ["crates.json", "Cargo.lock"] {
            File::open(ready.join(name)).and_then(|file| file.sync_all()).map_err(io_at(&ready))?;
        }
        let folder = store.join(key);
        if let Some(stored) = Vendored::stored(store, key) {
            return Ok(stored); // another packager was faster
        }
        // Not readable as complete: left by an older packager.
        room::discard(&folder).map_err(io_at(&folder))?;
        fs::rename(&ready, &folder).map_err(io_at(&folder))?;
        Ok(Vendored { tarball: folder.join("vendor.tar.xz"), lock, crates })
    }
}

/// The crates that one of our platforms compiles, for the programs or for build scripts; not for tests.
fn compiled(
    cargo: &Path,
    tree: &Path,
    features: &[String],
    locked: &BTreeSet<(String, String, Option<String>)>,
) -> Result<Vec<Crate>, VendorError> {
    let sums: BTreeMap<(&str, &str), &str> = locked
        .iter()
        .filter_map(|(name, version, sum)| Some(((name.as_str(), version.as_str()), sum.as_deref()?)))
        .collect();
    let mut crates: BTreeMap<(String, String), Crate> = BTreeMap::new();
    for platform in PLATFORMS {
        let mut command = Command::new(cargo);
        command.args(["metadata", "--format-version=1", "--frozen", "--filter-platform", platform]).current_dir(tree);
        for feature in features {
            command.args(["--features", feature]);
        }
        let output = run(&mut command, "metadata", METADATA_HINT)?;
        let metadata: Metadata = serde_json::from_slice(&output).map_err(VendorError::Metadata)?;
        let used = metadata.reached(|kind| kind != Some("dev"), |_| true);
        let linked = metadata.reached(|kind| kind.is_none(), |package| !package.is_macro());
        for package in
            metadata.packages.iter().filter(|package| package.source.is_some() && used.contains(package.id.as_str()))
        {
            let entry = crates.entry((package.name.clone(), package.version.clone())).or_insert_with(|| Crate {
                name: package.name.clone(),
                version: package.version.clone(),
                license: package.license.clone().unwrap_or_else(|| "NOASSERTION".to_owned()),
                sha256: sums
                    .get(&(package.name.as_str(), package.version.as_str()))
                    .copied()
                    .unwrap_or_default()
                    .to_owned(),
                linked: false,
            });
            entry.linked |= linked.contains(package.id.as_str());
        }
    }
    Ok(crates.into_values().collect())
}

fn hollow_others(vendor: &Path, crates: &[Crate]) -> Result<(), VendorError> {
    let keep: BTreeSet<String> = crates.iter().map(|entry| format!("{}-{}", entry.name, entry.version)).collect();
    let io_at = |source| VendorError::Io { path: vendor.to_owned(), source };
    for entry in fs::read_dir(vendor).map_err(io_at)? {
        let entry = entry.map_err(io_at)?;
        if keep.contains(entry.file_name().to_string_lossy().as_ref()) {
            continue;
        }
        let folder = entry.path();
        let manifest_path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest_path).map_err(io_at)?;
        let text =
            manifest::hollow(&text).map_err(|source| VendorError::Manifest { path: manifest_path.clone(), source })?;
        let sums = fs::read(folder.join(".cargo-checksum.json")).map_err(io_at)?;
        let sums: serde_json::Value = serde_json::from_slice(&sums).map_err(VendorError::Metadata)?;
        fs::remove_dir_all(&folder).map_err(io_at)?;
        fs::create_dir_all(folder.join("src")).map_err(io_at)?;
        fs::write(&manifest_path, text).map_err(io_at)?;
        fs::write(folder.join("src/lib.rs"), "").map_err(io_at)?;
        let hollow = serde_json::json!({ "files": {}, "package": sums.get("package") });
        fs::write(folder.join(".cargo-checksum.json"), hollow.to_string()).map_err(io_at)?;
    }
    Ok(())
}

fn run(command: &mut Command, what: &'static str, hint: &'static str) -> Result<Vec<u8>, VendorError> {
    // The workspace's own settings must not reach into the staged copy.
    command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    let output = stop::output(command)
        .map_err(|source| VendorError::Io { path: PathBuf::from(command.get_program()), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(VendorError::Cargo { what, said: String::from_utf8_lossy(&output.stderr).trim().to_owned(), hint })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::Vendored;
    use crate::workspace::Workspace;

    const SUM: &str = "1111111111111111111111111111111111111111111111111111111111111111";

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, text).expect("written");
        }
    }

    /// Such a crate was hollowed out, and missed in the bill of materials: cargo was asked about the default features only.
    #[test]
    fn a_crate_behind_a_feature_that_is_on_stays_whole() {
        let room = tempfile::tempdir().expect("a folder");
        let far = room.path().join("far");
        let sums = format!("{{\"files\":{{}},\"package\":\"{SUM}\"}}");
        write(
            &far.join("behind"),
            &[
                ("Cargo.toml", "[package]\nname = \"behind\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n"),
                ("src/lib.rs", "pub fn whole() {}\n"),
                (".cargo-checksum.json", &sums),
            ],
        );
        let root = room.path().join("tree");
        let manifest = "[workspace]\nmembers = [\"a\"]\nresolver = \"2\"\n[workspace.package]\nversion = \"1.0.0\"\n";
        let member = "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[features]\nextra = [\"dep:behind\"]\n\
             [dependencies]\nbehind = { version = \"1\", optional = true }\n";
        let lock = format!(
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"behind\",\n]\n\n[[package]]\nname = \"behind\"\n\
             version = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{SUM}\"\n"
        );
        let config =
            format!("[source.crates-io]\nreplace-with = \"far\"\n[source.far]\ndirectory = \"{}\"\n", far.display());
        write(
            &root,
            &[
                ("Cargo.toml", manifest),
                ("Cargo.lock", &lock),
                (".cargo/config.toml", &config),
                ("a/Cargo.toml", member),
                ("a/src/main.rs", "fn main() {}\n"),
            ],
        );
        let include = ["Cargo.toml", "Cargo.lock", ".cargo", "a"].map(str::to_owned);
        let workspace = Workspace::open(&root, &include, Some(0)).expect("a workspace");
        let store = room.path().join("store");
        let make = |features: &[String], key: &str| {
            Vendored::make(&workspace, features, Path::new(env!("CARGO")), true, &store, key).map(|vendored| {
                let parts = vendored.crates.iter().map(|part| (part.name.clone(), part.linked));
                let mut tar = Command::new("tar");
                tar.arg("-xOf").arg(vendored.tarball).arg("vendor/behind-1.0.0/src/lib.rs");
                let text = String::from_utf8(tar.output().expect("tar").stdout).expect("text");
                (parts.collect::<Vec<_>>(), text)
            })
        };
        assert_eq!(make(&[], "off").expect("vendored"), (vec![], String::new()));
        let on = make(&["a/extra".to_owned()], "on").expect("vendored");
        assert_eq!(on, (vec![("behind".to_owned(), true)], "pub fn whole() {}\n".to_owned()));
        let error = make(&["a/none".to_owned()], "wrong").expect_err("there is no such feature").to_string();
        assert!(error.contains("none") && error.contains("`on:` in `options:`"), "{error}");
    }
}
