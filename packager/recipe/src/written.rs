//! A recipe as it stands in `specs/<package>/recipe.yaml`, with the positions of what may be wrong.
//!
//! The keys are described in packager/docs/pipeline.md. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::changelog::parse_day;
use crate::diagnostic::{Diagnostic, Page};
use crate::target::Arch;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Name of the source package.
    pub name: Spanned<String>,
    /// Version of an upstream release; a cargo workspace has its own.
    pub version: Option<Spanned<String>>,
    /// The number before the dist tag.
    pub release: u32,
    /// One line, no period.
    pub summary: String,
    /// SPDX expression for the sources of this project.
    pub license: String,
    /// Who answers for the packages: `Name <address>`.
    pub maintainer: String,
    /// Where the project lives.
    pub url: Option<String>,
    /// Prose.
    pub description: String,
    /// Where the sources are.
    pub source: Source,
    /// Changes to an upstream release.
    #[serde(default)]
    pub patches: Vec<Spanned<Patch>>,
    /// A cargo workspace. One of the next three says how the binaries are made.
    pub cargo: Option<Cargo>,
    /// A project with a `configure` script.
    pub autotools: Option<Autotools>,
    /// A project with makefiles.
    pub make: Option<Make>,
    /// Programs that the build runs.
    #[serde(default)]
    pub tools: Vec<Spanned<String>>,
    /// Packages of other recipes that are linked against.
    #[serde(default)]
    pub libraries: Vec<Spanned<String>>,
    /// What may be on or off.
    #[serde(default)]
    pub options: BTreeMap<String, Spanned<Choice>>,
    /// Packages of distributions that make building this unnecessary; the first that a distribution has is looked at first.
    #[serde(default)]
    pub instead: Vec<Spanned<Instead>>,
    /// The binary packages by name.
    pub packages: BTreeMap<String, Package>,
    /// Functions that are called only after asking the processor.
    #[serde(default)]
    pub dispatched: Vec<Dispatched>,
    /// Findings of the gates that are accepted.
    #[serde(default)]
    pub waivers: Vec<Spanned<Waiver>>,
}

/// A cargo workspace in the file system, or the archive of an upstream release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Root of the workspace, relative to the recipe file.
    pub path: Option<Spanned<String>>,
    /// Files and folders that go into the source tarball.
    #[serde(default)]
    pub include: Vec<Spanned<String>>,
    /// The changelog in the workspace that becomes `%changelog`.
    pub changelog: Option<Spanned<String>>,
    /// Copies of one release; the first that can be had is used.
    #[serde(default)]
    pub archives: Vec<Spanned<Archive>>,
    /// Day of the release, `2025-01-31`.
    pub released: Option<Spanned<String>>,
}

/// An archive. One of `url` and `debian` says where it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Archive {
    /// Its address.
    pub url: Option<String>,
    /// Its path below `pool/main/` of a Debian mirror.
    pub debian: Option<String>,
    /// Its hash, in hexadecimal.
    pub sha256: String,
    /// Its top folder; `<name>-<version>` when absent.
    pub folder: Option<String>,
}

/// A change to an upstream release.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Patch {
    /// Beside the recipe.
    pub file: String,
    /// Why it is needed.
    pub reason: String,
}

/// A project with a `configure` script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Autotools {
    /// Makes `configure` where the archive has none.
    pub bootstrap: Option<String>,
    /// Arguments of `configure`.
    #[serde(default)]
    pub configure: Vec<String>,
}

/// A project with makefiles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Make {
    /// Arguments of `make`.
    #[serde(default)]
    pub build: Vec<String>,
    /// Further arguments of `make install`.
    #[serde(default)]
    pub install: Vec<String>,
}

/// Something that may be on or off, with the arguments of either; for a cargo workspace the features when it is on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Choice {
    /// Wanted.
    pub default: bool,
    /// Only on these architectures; on all when absent.
    pub arches: Option<Vec<Arch>>,
    /// Packages of other recipes that it links against.
    #[serde(default)]
    pub libraries: Vec<String>,
    /// Arguments when it is on.
    #[serde(default)]
    pub on: Vec<String>,
    /// Arguments when it is off.
    #[serde(default)]
    pub off: Vec<String>,
    /// Why it is off by default, or what it is for.
    pub reason: Option<String>,
}

/// A package of a distribution that may stand in for what a recipe builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Instead {
    /// Its name, or that of its source package.
    pub package: String,
    /// The oldest version that does; any when absent.
    pub at_least: Option<String>,
}

/// The cargo project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cargo {
    /// Cargo packages to build.
    pub packages: Vec<Spanned<String>>,
    /// Binaries with a hidden `manpage` subcommand.
    #[serde(default)]
    pub manual: Vec<Spanned<String>>,
    /// Binaries with `completion bash|zsh|fish`.
    #[serde(default)]
    pub completions: Vec<Spanned<String>>,
    /// Oldest compiler that builds it.
    pub rust: String,
}

/// One binary package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Package {
    /// One line, no period; the recipe's when absent.
    pub summary: Option<String>,
    /// Prose; the recipe's when absent.
    pub description: Option<String>,
    /// Own packages by name (same version and release), or capabilities of the target.
    #[serde(default)]
    pub requires: Vec<Spanned<String>>,
    /// Further names it answers to, with its version and release.
    #[serde(default)]
    pub provides: Vec<String>,
    /// What the package contains.
    #[serde(default)]
    pub files: Vec<Spanned<Entry>>,
}

/// One thing in a package. Exactly one of the keys up to `doc` says what it is; `to` and `config` belong to a `file`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// A program that cargo built; goes to the programs folder, with its manual page.
    pub binary: Option<String>,
    /// Shell completions of programs.
    pub completions: Option<Vec<String>>,
    /// A file beside the recipe; needs `to`.
    pub file: Option<String>,
    /// A folder that the package owns.
    pub directory: Option<String>,
    /// A systemd unit beside the recipe.
    pub unit: Option<String>,
    /// Kernel settings beside the recipe, applied at installation.
    pub sysctl: Option<String>,
    /// Folders made at boot, beside the recipe.
    pub tmpfiles: Option<String>,
    /// Users and groups, beside the recipe; also made by `%pre` for older rpm.
    pub sysusers: Option<String>,
    /// A service definition for firewalld, beside the recipe.
    pub firewalld: Option<String>,
    /// A path or pattern below the build root that `make install` filled.
    pub installed: Option<String>,
    /// A licence text in the source tree.
    pub licence: Option<String>,
    /// A document in the source tree.
    pub doc: Option<String>,
    /// Where a `file` goes.
    pub to: Option<String>,
    /// The administrator edits it: kept on upgrade, with the new one beside it.
    #[serde(default)]
    pub config: bool,
    /// Permission bits in octal, as text.
    pub mode: Option<String>,
    /// Owner; root when absent.
    pub user: Option<String>,
    /// Group; root when absent.
    pub group: Option<String>,
}

/// Functions that a program calls only on processors that have what they use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dispatched {
    /// Their names, with `*` for any text.
    pub functions: Vec<String>,
    /// Only in this package.
    pub package: Option<String>,
    /// What chooses them.
    pub reason: String,
}

/// An accepted finding and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Waiver {
    /// The finding's name, as the gate prints it.
    pub finding: String,
    /// Only for this package.
    pub package: Option<String>,
    /// Only when the finding's text contains this.
    pub containing: Option<String>,
    /// Why it is right as it is.
    pub reason: String,
}

impl Entry {
    /// The keys of which exactly one says what an entry is.
    pub(crate) const KINDS: [&'static str; 12] = [
        "binary",
        "completions",
        "file",
        "directory",
        "unit",
        "sysctl",
        "tmpfiles",
        "sysusers",
        "firewalld",
        "installed",
        "licence",
        "doc",
    ];

    /// Those of them that are there.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        let there = [
            self.binary.is_some(),
            self.completions.is_some(),
            self.file.is_some(),
            self.directory.is_some(),
            self.unit.is_some(),
            self.sysctl.is_some(),
            self.tmpfiles.is_some(),
            self.sysusers.is_some(),
            self.firewalld.is_some(),
            self.installed.is_some(),
            self.licence.is_some(),
            self.doc.is_some(),
        ];
        Entry::KINDS.into_iter().zip(there).filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
    }

    /// Further keys that are there although entries of this kind have no use for them.
    pub(crate) fn useless(&self, kind: &str) -> Vec<&'static str> {
        let owned = !["completions", "licence", "doc"].contains(&kind);
        [
            ("to", self.to.is_some(), kind == "file"),
            ("config", self.config, ["file", "installed"].contains(&kind)),
            ("mode", self.mode.is_some(), owned),
            ("user", self.user.is_some(), owned),
            ("group", self.group.is_some(), owned),
        ]
        .into_iter()
        .filter(|(_, there, useful)| *there && !useful)
        .map(|(key, _, _)| key)
        .collect()
    }
}

/// How a recipe says its binaries are made.
#[derive(Debug, Clone, Copy)]
pub enum Method<'r> {
    /// A cargo workspace.
    Cargo(&'r Cargo),
    /// `configure` and `make`.
    Autotools(&'r Autotools),
    /// `make`.
    Make(&'r Make),
}

impl Recipe {
    /// Reads a recipe.
    pub fn parse(page: Page<'_>) -> Result<Recipe, Diagnostic> {
        let recipe: Recipe = serde_saphyr::from_str(page.text).map_err(|error| page.reading(&error))?;
        for waiver in &recipe.waivers {
            if waiver.value.reason.trim().is_empty() {
                return Err(page.at(waiver, "a waiver needs a reason", None));
            }
        }
        for instead in &recipe.instead {
            let bad = |text: &str| text.is_empty() || text.contains(char::is_whitespace);
            let Instead { package, at_least } = &instead.value;
            if bad(package) {
                return Err(page.at(instead, format!("`{package}` is no name of a package"), None));
            }
            if let Some(version) = at_least.as_deref().filter(|version| bad(version)) {
                let hint = Some("write it like `\"1.20\"`".to_owned());
                return Err(page.at(instead, format!("`{version}` is no version"), hint));
            }
        }
        recipe.whole(page)?;
        Ok(recipe)
    }

    /// How the binaries are made. Checked when the recipe was read.
    #[must_use]
    pub fn method(&self) -> Method<'_> {
        match (&self.cargo, &self.autotools, &self.make) {
            (Some(cargo), _, _) => Method::Cargo(cargo),
            (_, Some(autotools), _) => Method::Autotools(autotools),
            (_, _, Some(make)) => Method::Make(make),
            _ => unreachable!("`parse` refuses a recipe without one"),
        }
    }

    /// What its kind of source and its way of building need.
    fn whole(&self, page: Page<'_>) -> Result<(), Diagnostic> {
        let at_name = |message: &str, hint: &str| Err(page.at(&self.name, message, Some(hint.to_owned())));
        let ways = [self.cargo.is_some(), self.autotools.is_some(), self.make.is_some()];
        if ways.iter().filter(|way| **way).count() != 1 {
            return at_name("the recipe does not say how it is built", "give one of `cargo`, `autotools`, `make`");
        }
        let source = &self.source;
        if self.cargo.is_some() {
            if source.path.is_none() || source.changelog.is_none() || source.include.is_empty() {
                return at_name(
                    "a cargo project needs its workspace",
                    "give `source:` `path`, `include` and `changelog`",
                );
            }
            if let Some(version) = &self.version {
                let hint = Some("remove the key".to_owned());
                return Err(page.at(version, "the version of a cargo project is its workspace's", hint));
            }
            return Ok(());
        }
        if source.archives.is_empty() || self.version.is_none() || source.released.is_none() {
            return at_name(
                "an upstream project needs a version and its archive",
                "give `version`, and `source:` `archives` and `released`",
            );
        }
        if let Some(released) = source.released.as_ref().filter(|day| parse_day(&day.value).is_none()) {
            let hint = Some("write it like `2025-01-31`".to_owned());
            return Err(page.at(released, format!("`{}` is no day", released.value), hint));
        }
        for archive in &source.archives {
            let value = &archive.value;
            if value.url.is_some() == value.debian.is_some() {
                return Err(page.at(archive, "an archive has either `url` or `debian`", None));
            }
            if value.sha256.len() != 64 || !value.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                let hint = Some("write the 64 lower-case digits that `sha256sum` prints".to_owned());
                return Err(page.at(archive, format!("`{}` is no SHA-256", value.sha256), hint));
            }
        }
        for patch in &self.patches {
            if patch.value.reason.trim().is_empty() {
                return Err(page.at(patch, "a patch needs a reason", None));
            }
        }
        Ok(())
    }
}
