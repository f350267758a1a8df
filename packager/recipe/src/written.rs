//! A recipe as it stands in `specs/<package>/recipe.yaml`, with the positions of what may be wrong.
//!
//! The keys are described in packager/docs/pipeline.md. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::diagnostic::{Diagnostic, Page};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Name of the source package.
    pub name: Spanned<String>,
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
    /// How the binaries are made.
    pub cargo: Cargo,
    /// The binary packages by name.
    pub packages: BTreeMap<String, Package>,
    /// Findings of the gates that are accepted.
    #[serde(default)]
    pub waivers: Vec<Spanned<Waiver>>,
}

/// A cargo workspace in the file system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Its root, relative to the recipe file.
    pub path: Spanned<String>,
    /// Files and folders that go into the source tarball.
    pub include: Vec<Spanned<String>>,
    /// The changelog in the workspace that becomes `%changelog`.
    pub changelog: Spanned<String>,
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
    /// One line, no period.
    pub summary: String,
    /// Prose; the recipe's when absent.
    pub description: Option<String>,
    /// Own packages by name (same version and release), or capabilities of the target.
    #[serde(default)]
    pub requires: Vec<Spanned<String>>,
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
    pub(crate) const KINDS: [&'static str; 11] = [
        "binary",
        "completions",
        "file",
        "directory",
        "unit",
        "sysctl",
        "tmpfiles",
        "sysusers",
        "firewalld",
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
            ("config", self.config, kind == "file"),
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

impl Recipe {
    /// Reads a recipe.
    pub fn parse(page: Page<'_>) -> Result<Recipe, Diagnostic> {
        let recipe: Recipe = serde_saphyr::from_str(page.text).map_err(|error| page.reading(&error))?;
        for waiver in &recipe.waivers {
            if waiver.value.reason.trim().is_empty() {
                return Err(page.at(waiver, "a waiver needs a reason", None));
            }
        }
        Ok(recipe)
    }
}
