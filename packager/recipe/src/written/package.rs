//! A binary package as written, and what it contains.

use serde::Deserialize;
use serde_saphyr::Spanned;

/// One binary package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Package {
    /// One line, no period; the recipe's when absent.
    #[serde(default, deserialize_with = "super::present")]
    pub summary: Option<Spanned<String>>,
    /// Prose; the recipe's when absent.
    #[serde(default, deserialize_with = "super::present")]
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

/// One thing in a package. Exactly one of the keys up to `doc` says what it is; `to` says where a `file` or what was `built` goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// A program that cargo built; goes to the programs folder, with its manual page.
    #[serde(default, deserialize_with = "super::present")]
    pub binary: Option<String>,
    /// Shell completions of programs.
    #[serde(default, deserialize_with = "super::present")]
    pub completions: Option<Vec<String>>,
    /// A file beside the recipe; needs `to`.
    #[serde(default, deserialize_with = "super::present")]
    pub file: Option<String>,
    /// A folder that the package owns.
    #[serde(default, deserialize_with = "super::present")]
    pub directory: Option<String>,
    /// A systemd unit beside the recipe.
    #[serde(default, deserialize_with = "super::present")]
    pub unit: Option<String>,
    /// Kernel settings beside the recipe, applied at installation.
    #[serde(default, deserialize_with = "super::present")]
    pub sysctl: Option<String>,
    /// Folders made at boot, beside the recipe.
    #[serde(default, deserialize_with = "super::present")]
    pub tmpfiles: Option<String>,
    /// Users and groups, beside the recipe; also made by `%pre` for older rpm.
    #[serde(default, deserialize_with = "super::present")]
    pub sysusers: Option<String>,
    /// A service definition for firewalld, beside the recipe.
    #[serde(default, deserialize_with = "super::present")]
    pub firewalld: Option<String>,
    /// A path or pattern below the build root that `make install` filled.
    #[serde(default, deserialize_with = "super::present")]
    pub installed: Option<String>,
    /// A file or pattern in the source tree after the build; needs `to`, a folder.
    #[serde(default, deserialize_with = "super::present")]
    pub built: Option<String>,
    /// A licence text in the source tree.
    #[serde(default, deserialize_with = "super::present")]
    pub licence: Option<String>,
    /// A document in the source tree.
    #[serde(default, deserialize_with = "super::present")]
    pub doc: Option<String>,
    /// Where a `file` goes, or the folder for what was `built`.
    #[serde(default, deserialize_with = "super::present")]
    pub to: Option<String>,
    /// The administrator edits it: kept on upgrade, with the new one beside it.
    #[serde(default)]
    pub config: bool,
    /// Permission bits in octal, as text.
    #[serde(default, deserialize_with = "super::present")]
    pub mode: Option<String>,
    /// Owner; root when absent.
    #[serde(default, deserialize_with = "super::present")]
    pub user: Option<String>,
    /// Group; root when absent.
    #[serde(default, deserialize_with = "super::present")]
    pub group: Option<String>,
}

impl Entry {
    /// The keys of which exactly one says what an entry is.
    pub(crate) const KINDS: [&'static str; 13] = [
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
        "built",
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
            self.built.is_some(),
            self.licence.is_some(),
            self.doc.is_some(),
        ];
        Entry::KINDS.into_iter().zip(there).filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
    }

    /// Further keys that are there although entries of this kind have no use for them.
    pub(crate) fn useless(&self, kind: &str) -> Vec<&'static str> {
        let owned = !["completions", "licence", "doc"].contains(&kind);
        [
            ("to", self.to.is_some(), ["file", "built"].contains(&kind)),
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
