//! Packages for the tests of gates: made by the builder of the rpm crate, with programs by the host's C compiler.

use std::fs;
use std::process::Command;

use packager_recipe::concrete::{self, Concrete};
use packager_recipe::diagnostic::Page;
use packager_recipe::target::Profile;
use packager_recipe::{Lock, Target, TargetName};
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

use super::{Finding, Scene, check, waive};
use crate::inspect::Inspected;
use crate::keys::SigningKey;

/// A package in the making; it passes all gates unless something is added.
pub(crate) struct Made<'m> {
    name: String,
    release: String,
    arch: String,
    licence: String,
    compression: CompressionType,
    requires: Vec<Dependency>,
    files: Vec<(Vec<u8>, FileOptions)>,
    links: Vec<FileOptions>,
    key: Option<&'m SigningKey>,
}

impl<'m> Made<'m> {
    /// With a licence text.
    pub(crate) fn new(name: &str) -> Made<'m> {
        let licence = FileOptions::new(format!("/usr/share/licenses/{name}/LICENSE"));
        Made::bare(name).with("the licence", licence)
    }

    /// Without any file.
    pub(crate) fn bare(name: &str) -> Made<'m> {
        Made {
            name: name.to_owned(),
            release: "1.el8".to_owned(),
            arch: "x86_64".to_owned(),
            licence: "MIT".to_owned(),
            compression: CompressionType::Xz,
            requires: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            key: None,
        }
    }

    pub(crate) fn release(mut self, release: &str) -> Self {
        self.release = release.to_owned();
        self
    }

    pub(crate) fn arch(mut self, arch: &str) -> Self {
        self.arch = arch.to_owned();
        self
    }

    pub(crate) fn licence(mut self, licence: &str) -> Self {
        self.licence = licence.to_owned();
        self
    }

    pub(crate) fn compression(mut self, compression: CompressionType) -> Self {
        self.compression = compression;
        self
    }

    pub(crate) fn requires(mut self, dependency: Dependency) -> Self {
        self.requires.push(dependency);
        self
    }

    pub(crate) fn with(mut self, content: impl Into<Vec<u8>>, options: impl Into<FileOptions>) -> Self {
        self.files.push((content.into(), options.into()));
        self
    }

    pub(crate) fn link(mut self, options: impl Into<FileOptions>) -> Self {
        self.links.push(options.into());
        self
    }

    /// A program or library.
    pub(crate) fn library(self, path: &str, bytes: &[u8]) -> Self {
        self.with(bytes, FileOptions::new(path).permissions(0o755))
    }

    pub(crate) fn signed(mut self, key: &'m SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    fn build(self) -> Inspected {
        let config = BuildConfig::v4().source_date(1_790_000_000_u32).compression(self.compression);
        let mut builder = PackageBuilder::new(&self.name, "1", &self.licence, &self.arch, "made for a test");
        builder.using_config(config).release(self.release.clone());
        for dependency in self.requires {
            builder.requires(dependency);
        }
        for (content, options) in self.files {
            builder.with_file_contents(content, options).expect("a file");
        }
        for options in self.links {
            builder.with_symlink(options).expect("a link");
        }
        let room = tempfile::tempdir().expect("a folder");
        let path = room.path().join("made.rpm");
        builder.build().expect("a package").write_file(&path).expect("written");
        if let Some(key) = self.key {
            crate::sign::sign(&path, &path, key, key.time_for(0)).expect("signed");
        }
        Inspected::open(&path).expect("a good package")
    }
}

/// The target of the tests.
pub(crate) fn target() -> Target {
    let name = TargetName::parse("almalinux-8-x86_64").expect("a good name");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/targets/almalinux-8/target.yaml");
    let text = fs::read_to_string(path).expect("a profile");
    let profile = Profile::parse(Page { file: "target.yaml", text: &text }).expect("a good profile");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/targets/almalinux-8/lock.yaml");
    let text = fs::read_to_string(path).expect("a lock");
    let lock = Lock::parse(Page { file: "lock.yaml", text: &text }).expect("a good lock");
    Target::new(&name, profile).expect("its architecture").with_lock(lock)
}

fn recipe(packages: &[Inspected]) -> Concrete {
    let package =
        |package: &Inspected| concrete::Package { name: package.name.clone(), ..concrete::Package::default() };
    Concrete { packages: packages.iter().map(package).collect(), ..Concrete::default() }
}

fn names(previous: &[Inspected], packages: &[Inspected], change: impl FnOnce(&mut Concrete)) -> Vec<String> {
    let mut recipe = recipe(packages);
    change(&mut recipe);
    let target = target();
    let findings = check(packages, &recipe, &Scene::new(packages, previous, &target));
    let mut names: Vec<String> = findings.into_iter().map(|finding| finding.finding).collect();
    names.sort();
    names.dedup();
    names
}

/// What the builder of the rpm crate cannot set.
fn completed<const N: usize>(made: [Made<'_>; N]) -> Vec<Inspected> {
    let complete = |made: Made<'_>| Inspected { source_rpm: "app-1-1.el8.src.rpm".to_owned(), ..made.build() };
    made.into_iter().map(complete).collect()
}

/// The gates that find something in packages of one recipe, each once, sorted.
pub(crate) fn found<const N: usize>(made: [Made<'_>; N]) -> Vec<String> {
    found_with(made, |_| ())
}

/// As [`found`], with something else in the recipe.
pub(crate) fn found_with<const N: usize>(made: [Made<'_>; N], change: impl FnOnce(&mut Concrete)) -> Vec<String> {
    names(&[], &completed(made), change)
}

/// All findings, after the recipe's waivers.
pub(crate) fn waived<const N: usize>(made: [Made<'_>; N], change: impl FnOnce(&mut Concrete)) -> Vec<Finding> {
    let packages = completed(made);
    let mut recipe = recipe(&packages);
    change(&mut recipe);
    let target = target();
    let mut findings = check(&packages, &recipe, &Scene::new(&packages, &[], &target));
    waive(&mut findings, &packages.iter().collect::<Vec<_>>(), &recipe, &target);
    findings
}

/// As [`found`], with packages in the repository already.
pub(crate) fn found_after<const N: usize>(previous: [Made<'_>; N], made: [Made<'_>; N]) -> Vec<String> {
    names(&completed(previous), &completed(made), |_| ())
}

/// As [`found`], without what the builder cannot set.
pub(crate) fn found_as_is<const N: usize>(made: [Made<'_>; N]) -> Vec<String> {
    let packages: Vec<Inspected> = made.into_iter().map(Made::build).collect();
    names(&[], &packages, |_| ())
}

/// A flag that lets a library need `needed` in a version.
pub(crate) fn version_node(version: &str) -> String {
    format!("{NEEDS}{version}")
}

const NEEDS: &str = "needs=";

/// A shared library without libc.
pub(crate) fn c_library(code: &str, flags: &[&str]) -> Vec<u8> {
    let mut all = vec!["-shared", "-fPIC", "-Wl,-z,now"];
    all.extend_from_slice(flags);
    compile(code, &all)
}

/// A program without libc.
pub(crate) fn c_program(code: &str, flags: &[&str]) -> Vec<u8> {
    compile(code, flags)
}

/// A program without its debug information, and that alone, as find-debuginfo parts them.
pub(crate) fn parted(bytes: &[u8]) -> [Vec<u8>; 2] {
    let room = tempfile::tempdir().expect("a folder");
    let (path, debug) = (room.path().join("file"), room.path().join("debug"));
    fs::write(&path, bytes).expect("written");
    let done = Command::new("eu-strip").arg("-f").arg(&debug).arg(&path).status().expect("elfutils");
    assert!(done.success(), "eu-strip");
    [path, debug].map(|path| fs::read(path).expect("readable"))
}

fn compile(code: &str, flags: &[&str]) -> Vec<u8> {
    let room = tempfile::tempdir().expect("a folder");
    let path = |name: &str| room.path().join(name);
    let run = |source: &str, text: &str, output: &str, flags: &[String]| {
        fs::write(path(source), text).expect("written");
        let made = Command::new("cc")
            .args(["-nostdlib", "-o"])
            .arg(path(output))
            .arg(path(source))
            .args(flags)
            .output()
            .expect("a C compiler");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let mut plain: Vec<String> = Vec::new();
    for flag in flags {
        let Some(version) = flag.strip_prefix(NEEDS) else {
            plain.push((*flag).to_owned());
            continue;
        };
        fs::write(path("map"), format!("{version} {{ global: needed; }};")).expect("written");
        let map = format!("-Wl,--version-script={}", path("map").display());
        let node = ["-shared".to_owned(), "-fPIC".to_owned(), "-Wl,-soname,libneeded.so.1".to_owned(), map];
        run("needed.c", "int needed(void) { return 1; }", "libneeded.so", &node);
        plain.push(path("libneeded.so").display().to_string());
    }
    run("code.c", code, "linked", &plain);
    fs::read(path("linked")).expect("linked")
}

/// A package as it is read.
pub(crate) fn inspected(made: Made<'_>) -> Inspected {
    made.build()
}
