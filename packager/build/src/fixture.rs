//! A job for tests: nothing in it is a real tool, and no step that runs one is reached.

use std::path::{Path, PathBuf};

use packager_recipe::concrete::{Archive, SourceFile};
use packager_recipe::diagnostic::Page;
use packager_recipe::target::Profile;
use packager_recipe::{Concrete, Target, TargetName};
use tempfile::TempDir;

use crate::budget::Budget;
use crate::buildroot::Buildroot;
use crate::stages::{Job, Origin};
use crate::tools::{Rust, Toolchain};

/// What a job borrows.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) recipe: Concrete,
    pub(crate) target: Target,
    pub(crate) toolchain: Toolchain,
    pub(crate) archive: PathBuf,
    budget: Budget,
}

impl Fixture {
    /// Of an upstream project `x` whose archive has this hash.
    pub(crate) fn new(sha256: &str) -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/targets/almalinux-8/target.yaml");
        let text = std::fs::read_to_string(file).expect("a profile");
        let profile = Profile::parse(Page { file: "target.yaml", text: &text }).expect("a profile");
        let name = TargetName::parse("almalinux-8-x86_64").expect("a target");
        let recipe = Concrete {
            name: "x".to_owned(),
            version: "1.0".to_owned(),
            archive: Some(Archive {
                name: "x-1.0.tar.gz".to_owned(),
                sha256: Some(sha256.to_owned()),
                folder: "x-1.0".to_owned(),
            }),
            sources: vec![SourceFile { number: 0, name: "x-1.0.tar.gz".to_owned(), beside_recipe: false }],
            ..Concrete::default()
        };
        let nowhere = folder.path().join("nowhere");
        let toolchain = Toolchain {
            rust: Rust { sysroot: nowhere.clone(), version: String::new() },
            zig: nowhere.clone(),
            zig_version: "0.13.0".to_owned(),
            zigbuild: nowhere.clone(),
            zigbuild_version: String::new(),
            rpm_version: String::new(),
            helpers: String::new(),
            bwrap: nowhere,
        };
        Fixture {
            archive: folder.path().join("archive"),
            recipe,
            target: Target::new(&name, profile).expect("it has that architecture"),
            toolchain,
            budget: Budget::new(1).expect("a pool"),
            folder,
        }
    }

    pub(crate) fn job(&self) -> Job<'_> {
        Job {
            recipe: &self.recipe,
            target: &self.target,
            origin: Origin::Archive(&self.archive),
            time: 0,
            gnu: None,
            linked: &[],
            beside: self.folder.path(),
            spec: "",
            toolchain: &self.toolchain,
            state: self.folder.path(),
            mirror: None,
            offline: true,
            buildroot: Buildroot::Sandbox,
            budget: &self.budget,
            progress: &|_| (),
        }
    }
}
