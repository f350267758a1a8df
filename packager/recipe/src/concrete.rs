//! A recipe evaluated for one target: nothing left to decide. This is what the spec templates see and what plans are made of.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::changelog::Release;
use crate::written::{Dispatched, Instead, Private, Waiver};

/// One source package for one target.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Concrete {
    /// Source package name.
    pub name: String,
    /// What its makers call it, when the recipe has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Version: the upstream release's, or the cargo workspace's.
    pub version: String,
    /// Release without the dist tag.
    pub release: u32,
    /// Dist tag with its dot.
    pub dist: String,
    /// One line.
    pub summary: String,
    /// SPDX expression.
    pub license: String,
    /// `Name <address>`.
    pub maintainer: String,
    /// The `Vendor` tag.
    pub vendor: String,
    /// Project page; empty when there is none.
    pub url: String,
    /// Prose.
    pub description: String,
    /// `<distribution>-<release>-<arch>`.
    pub target: String,
    /// rpm's architecture.
    pub arch: String,
    /// File name of the spec template.
    pub template: String,
    /// The cargo build; absent for upstream projects.
    pub cargo: Option<CargoBuild>,
    /// The archive of an upstream project; absent for cargo projects.
    pub archive: Option<Archive>,
    /// Where the sources came from when they are not the recipe's.
    pub given: Option<String>,
    /// What was asked for instead of the recipe's own version, in words.
    pub asked: Option<String>,
    /// Patches by source number.
    pub patches: Vec<usize>,
    /// Lines of `%build`, for upstream projects.
    pub build: Vec<String>,
    /// It has parts in C++.
    pub cxx: bool,
    /// For a cross file of meson.
    pub properties: BTreeMap<String, String>,
    /// Programs that the build runs.
    pub tools: Vec<String>,
    /// What else the build needs, as the distributions call it.
    pub build_requires: Vec<String>,
    /// Packages of other recipes that are linked against.
    pub libraries: Vec<String>,
    /// What may be on or off, and which it is.
    pub options: Vec<Chosen>,
    /// Packages of distributions that may stand in for it.
    pub instead: Vec<Instead>,
    /// Libraries that are not offered to other packages.
    pub private: Option<Private>,
    /// Nothing that runs is packaged.
    pub no_debug_packages: bool,
    /// Why it is built only when it is named, linked against, or one of its packages is required.
    pub on_request: Option<String>,
    /// No binary package has the source package's name.
    pub without_main: bool,
    /// All sources, in the order of their numbers.
    pub sources: Vec<SourceFile>,
    /// Lines of `%install`.
    pub install: Vec<String>,
    /// Binary packages, the one named like the source package first if there is one.
    pub packages: Vec<Package>,
    /// Newest first.
    pub changelog: Vec<ChangelogEntry>,
    /// What was released, newest first. The spec does not have it.
    #[serde(skip)]
    pub released: Vec<Release>,
    /// Functions that are called only after asking the processor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dispatched: Vec<Dispatched>,
    /// Accepted findings.
    pub waivers: Vec<Waiver>,
}

/// What cargo builds.
#[derive(Debug, Clone, Serialize)]
pub struct CargoBuild {
    /// Flags for the compiler, the same in our sandbox and in anyone's rebuild.
    pub rustflags: String,
    /// Oldest compiler.
    pub rust: String,
    /// Newest glibc the programs may need.
    pub glibc: String,
    /// Cargo packages to build.
    pub packages: Vec<String>,
    /// Their features that are on: `package/feature`.
    pub features: Vec<String>,
    /// Programs with a manual page.
    pub manual: Vec<String>,
    /// Programs with completions.
    pub completions: Vec<String>,
    /// What rustc calls the crates of the programs that are optimised across crates when they are linked.
    pub lto: Vec<String>,
}

/// The archive of an upstream release.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Archive {
    /// Its file name.
    pub name: String,
    /// Its hash; none is known where the caller must give the sources.
    pub sha256: Option<String>,
    /// Its top folder.
    pub folder: String,
}

/// An option and what was chosen.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// On or off.
    pub on: bool,
    /// Why.
    pub why: String,
}

/// A source of the spec.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct SourceFile {
    /// Its number in the spec.
    pub number: usize,
    /// Its file name.
    pub name: String,
    /// It lies beside the recipe (the others are made by the packager).
    pub beside_recipe: bool,
}

/// A binary package.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// It has the source package's name, so its sections carry no `-n`.
    pub main: bool,
    /// One line.
    pub summary: String,
    /// Prose.
    pub description: String,
    /// `Requires` as written into the spec.
    pub requires: Vec<String>,
    /// `Provides` as written into the spec.
    pub provides: Vec<String>,
    /// `Requires` that must hold before `%pre` runs.
    pub requires_pre: Vec<String>,
    /// Lines of `%pre`.
    pub pre: Vec<String>,
    /// Lines of `%post`.
    pub post: Vec<String>,
    /// Lines of `%preun`.
    pub preun: Vec<String>,
    /// Lines of `%postun`.
    pub postun: Vec<String>,
    /// Lines of `%files`.
    pub files: Vec<String>,
    /// Paths with permission bits beyond plain ones, or other owners: declared, so the gates accept exactly these.
    pub special_modes: Vec<String>,
}

/// An entry of `%changelog`.
#[derive(Debug, Clone, Serialize)]
pub struct ChangelogEntry {
    /// `Mon Nov 23 2026`.
    pub date: String,
    /// `version-release` without the dist tag.
    pub evr: String,
    /// One item per change.
    pub items: Vec<String>,
}

impl Concrete {
    /// What its packages are also called, without versions.
    pub fn provided_names(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().flat_map(|package| &package.provides).filter_map(|text| text.split_whitespace().next())
    }

    /// `name-version-release` with the dist tag.
    #[must_use]
    pub fn nvr(&self) -> String {
        format!("{}-{}", self.name, self.evr())
    }

    /// `version-release` with the dist tag.
    #[must_use]
    pub fn evr(&self) -> String {
        format!("{}-{}{}", self.version, self.release, self.dist)
    }

    /// A dependency of one of its packages with the macros filled in that evaluation writes.
    #[must_use]
    pub fn expanded(&self, text: &str) -> String {
        let release = format!("{}{}", self.release, self.dist);
        text.replace("%{?_isa}", "").replace("%{version}", &self.version).replace("%{release}", &release)
    }

    /// What is out of the ordinary about its sources.
    #[must_use]
    pub fn source_remark(&self) -> Option<String> {
        if let Some(place) = &self.given {
            return Some(format!("`{place}`, given in place of what the recipe locks"));
        }
        if self.asked.is_some() {
            return self.asked.clone();
        }
        let unlocked = self.archive.as_ref().is_some_and(|archive| archive.sha256.is_none());
        unlocked.then(|| format!("no archive is locked: it is built with `--source {}=PATH` only", self.name))
    }

    /// Libraries of the distribution that the build needs: a cross build does not see them. Evaluation refuses those that recipes make.
    #[must_use]
    pub fn unseen(&self) -> Vec<&str> {
        let names = self.build_requires.iter().filter_map(|wanted| wanted.split_whitespace().next());
        names.filter(|name| is_library(name)).collect()
    }

    /// `name-version`: the folder in the source tarball.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// Whether a requirement of a build is of something that is compiled or linked against.
pub(crate) fn is_library(name: &str) -> bool {
    ["-devel", "-static"].iter().any(|end| name.ends_with(end)) || name.starts_with("pkgconfig(")
}
