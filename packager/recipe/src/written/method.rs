//! How a recipe says its binaries are made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::target::Arch;

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
    /// Binaries that are optimised across crates when they are linked; when any is named, the others are not, which takes a fraction of the
    /// time. When none is, the workspace's profile decides.
    #[serde(default)]
    pub lto: Vec<Spanned<String>>,
    /// Oldest compiler that builds it.
    pub rust: Spanned<String>,
}

/// A project with a `configure` script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Autotools {
    /// Makes `configure` where the archive has none.
    #[serde(default, deserialize_with = "super::present")]
    pub bootstrap: Option<String>,
    /// Arguments of `configure`.
    #[serde(default)]
    pub configure: Vec<String>,
}

/// A project with makefiles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Make {
    /// Arguments of a `./configure` that autoconf did not make; none is run when absent.
    #[serde(default, deserialize_with = "super::present")]
    pub configure: Option<Vec<String>>,
    /// Arguments of `make`.
    #[serde(default)]
    pub build: Vec<String>,
    /// Further arguments of `make install`.
    #[serde(default)]
    pub install: Vec<String>,
    /// It has no `install`: what is packaged are `built` entries.
    #[serde(default)]
    pub no_install: bool,
}

/// A project with a `meson.build`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Meson {
    /// Options by name, meson's own and the project's.
    #[serde(default)]
    pub options: BTreeMap<String, Value>,
    /// Properties of the machine that the project asks a cross file for.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
}

/// A project with a `CMakeLists.txt`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cmake {
    /// Variables by name.
    #[serde(default)]
    pub variables: BTreeMap<String, Value>,
}

/// A value with its kind, which meson and cmake write differently.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected true or false, a whole number, text, or a list of texts; put words like `y` and `no` in quotes"
)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// Several words.
    List(Vec<String>),
}

/// Something that may be on or off, with the arguments of either; for a cargo workspace the features when it is on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Choice {
    /// Wanted.
    pub default: bool,
    /// Only on these architectures; on all when absent.
    #[serde(default, deserialize_with = "super::present")]
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
    #[serde(default, deserialize_with = "super::present")]
    pub reason: Option<String>,
}

/// How the binaries are made.
#[derive(Debug, Clone, Copy)]
pub enum Method<'r> {
    /// A cargo workspace.
    Cargo(&'r Cargo),
    /// `configure` and `make`.
    Autotools(&'r Autotools),
    /// `make`.
    Make(&'r Make),
    /// `meson`.
    Meson(&'r Meson),
    /// `cmake`.
    Cmake(&'r Cmake),
}
