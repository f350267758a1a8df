//! The whole file, and what must hold of it before it is evaluated for any target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::changelog::parse_day;
use crate::diagnostic::{Diagnostic, Page};
use crate::version::is_version;
use crate::written::{Also, Archive, Autotools, Cargo, Choice, Cmake, Make, Meson, Method, Package, Patch, Source};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Name of the source package.
    pub name: Spanned<String>,
    /// What its makers call it, when the recipe has another name.
    #[serde(default, deserialize_with = "super::present")]
    pub project: Option<Spanned<String>>,
    /// Version of an upstream release; a cargo workspace has its own.
    #[serde(default, deserialize_with = "super::present")]
    pub version: Option<Spanned<String>>,
    /// The number before the dist tag.
    pub release: u32,
    /// One line, no period.
    pub summary: Spanned<String>,
    /// SPDX expression for the sources of this project.
    pub license: Spanned<String>,
    /// Who answers for the packages: `Name <address>`.
    pub maintainer: Spanned<String>,
    /// Where the project lives.
    #[serde(default, deserialize_with = "super::present")]
    pub url: Option<Spanned<String>>,
    /// Prose.
    pub description: String,
    /// Where the sources are.
    pub source: Source,
    /// Changes to an upstream release.
    #[serde(default)]
    pub patches: Vec<Spanned<Patch>>,
    /// Other releases that can be asked for.
    #[serde(default)]
    pub also: Vec<Spanned<Also>>,
    /// What was asked for instead of the recipe's own version, in words.
    #[serde(skip)]
    pub asked: Option<String>,
    /// Why it is built when it is named or linked against only, not whenever everything is.
    #[serde(default, deserialize_with = "super::present")]
    pub on_request: Option<Spanned<String>>,
    /// A cargo workspace. One of the next five says how the binaries are made.
    #[serde(default, deserialize_with = "super::present")]
    pub cargo: Option<Cargo>,
    /// A project with a `configure` script made by autoconf.
    #[serde(default, deserialize_with = "super::present")]
    pub autotools: Option<Autotools>,
    /// A project with makefiles.
    #[serde(default, deserialize_with = "super::present")]
    pub make: Option<Make>,
    /// A project with a `meson.build`.
    #[serde(default, deserialize_with = "super::present")]
    pub meson: Option<Meson>,
    /// A project with a `CMakeLists.txt`.
    #[serde(default, deserialize_with = "super::present")]
    pub cmake: Option<Cmake>,
    /// Languages beside C.
    #[serde(default)]
    pub languages: Vec<Language>,
    /// Further flags for the compilers.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Programs that the build runs.
    #[serde(default)]
    pub tools: Vec<Spanned<String>>,
    /// What else the build needs, as the distributions call it.
    #[serde(default)]
    pub build_requires: Vec<String>,
    /// What the project installs and no package has: paths below the build root.
    #[serde(default)]
    pub discard: Vec<String>,
    /// Libraries that are nobody else's.
    #[serde(default, deserialize_with = "super::present")]
    pub private: Option<Private>,
    /// Nothing that runs is packaged, so there is nothing to debug.
    #[serde(default)]
    pub no_debug_packages: bool,
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
    pub dispatched: Vec<Spanned<Dispatched>>,
    /// Findings of the gates that are accepted.
    #[serde(default)]
    pub waivers: Vec<Spanned<Waiver>>,
}

/// A language that needs more than a C compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Language {
    /// C++.
    #[serde(rename = "c++")]
    Cxx,
}

/// Libraries that no program finds without being told: in a folder of their own, and not offered to other packages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Private {
    /// Where they are.
    pub folder: String,
    /// What the names of those begin with that are required of one another.
    pub sonames: Vec<String>,
}

/// A package of a distribution that may stand in for what a recipe builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Instead {
    /// Its name, or that of its source package.
    pub package: String,
    /// The oldest version that does; any when absent.
    #[serde(default, deserialize_with = "super::present")]
    pub at_least: Option<String>,
    /// Why none does, whatever its version.
    #[serde(default, deserialize_with = "super::present")]
    pub never: Option<String>,
}

/// Functions that a program calls only on processors that have what they use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dispatched {
    /// Their names, with `*` for any text.
    pub functions: Vec<String>,
    /// Only in this package.
    #[serde(default, deserialize_with = "super::present")]
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
    #[serde(default, deserialize_with = "super::present")]
    pub package: Option<String>,
    /// Only when the finding's text contains this.
    #[serde(default, deserialize_with = "super::present")]
    pub containing: Option<String>,
    /// Why it is right as it is.
    pub reason: String,
}

impl Recipe {
    /// Reads a recipe.
    pub fn parse(page: Page<'_>) -> Result<Recipe, Diagnostic> {
        let recipe: Recipe = page.read()?;
        for waiver in &recipe.waivers {
            if waiver.value.reason.trim().is_empty() {
                return Err(page.at(waiver, "a waiver needs a reason", None));
            }
        }
        for instead in &recipe.instead {
            let bad = |text: &str| text.is_empty() || text.contains(char::is_whitespace);
            let Instead { package, at_least, never } = &instead.value;
            if bad(package) {
                return Err(page.at(instead, format!("`{package}` is no name of a package"), None));
            }
            if let Some(version) = at_least.as_deref().filter(|version| bad(version)) {
                let hint = Some("write it like `\"1.20\"`".to_owned());
                return Err(page.at(instead, format!("`{version}` is no version"), hint));
            }
            if at_least.is_some() && never.is_some() {
                let hint = Some("remove one of them".to_owned());
                return Err(page.at(instead, "`at-least` and `never` exclude each other", hint));
            }
            if never.as_deref().is_some_and(is_no_reason) {
                return Err(page.at(instead, "`never` needs a reason", Some("say why in a few words".to_owned())));
            }
        }
        if let Some(reason) = recipe.on_request.as_ref().filter(|reason| is_no_reason(&reason.value)) {
            let hint = "say in a few words why it is not built with all others, or remove the key";
            return Err(page.at(reason, "`on-request` needs a reason", Some(hint.to_owned())));
        }
        recipe.whole(page)?;
        Ok(recipe)
    }

    /// How the binaries are made. Checked when the recipe was read.
    #[must_use]
    pub fn method(&self) -> Method<'_> {
        self.methods().into_iter().flatten().next().expect("`parse` refuses a recipe without one")
    }

    /// The versions that can be asked for, the recipe's own first.
    pub fn versions(&self) -> impl Iterator<Item = &str> + Clone {
        let own = self.version.iter().map(|version| version.value.as_str());
        own.chain(self.also.iter().map(|also| also.value.version.value.as_str()))
    }

    /// The recipe of one of its versions.
    #[must_use]
    pub fn with(&self, version: &str) -> Option<Recipe> {
        let own = self.version.as_ref()?;
        if own.value == version {
            return Some(self.clone());
        }
        let also = &self.also.iter().find(|also| also.value.version.value == version)?.value;
        let asked =
            format!("version {version}, which {} pins, in place of the recipe's own {}", also.pinned_by, own.value);
        Some(Recipe {
            version: Some(also.version.clone()),
            source: Source {
                archives: also.archives.clone(),
                released: Some(also.released.clone()),
                ..self.source.clone()
            },
            patches: also.patches.clone(),
            asked: Some(asked),
            ..self.clone()
        })
    }

    /// The top folder of an upstream release, unless its archive says otherwise.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name.value, self.version.as_ref().map_or("", |version| &version.value))
    }

    fn methods(&self) -> [Option<Method<'_>>; 5] {
        [
            self.cargo.as_ref().map(Method::Cargo),
            self.autotools.as_ref().map(Method::Autotools),
            self.make.as_ref().map(Method::Make),
            self.meson.as_ref().map(Method::Meson),
            self.cmake.as_ref().map(Method::Cmake),
        ]
    }

    /// What its kind of source and its way of building need.
    fn whole(&self, page: Page<'_>) -> Result<(), Diagnostic> {
        let at_name = |message: &str, hint: &str| Err(page.at(&self.name, message, Some(hint.to_owned())));
        let hint = "give one of `cargo`, `autotools`, `make`, `meson`, `cmake`";
        match self.methods().iter().flatten().count() {
            0 => return at_name("the recipe does not say how it is built", hint),
            1 => {}
            _ => return at_name("the recipe says more than once how it is built", hint),
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
            let useless = [
                ("project", self.project.is_some()),
                ("archives", !source.archives.is_empty()),
                ("released", source.released.is_some()),
                ("patches", !self.patches.is_empty()),
                ("also", !self.also.is_empty()),
                ("languages", !self.languages.is_empty()),
                ("flags", !self.flags.is_empty()),
                ("tools", !self.tools.is_empty()),
                ("build-requires", !self.build_requires.is_empty()),
                ("discard", !self.discard.is_empty()),
                ("private", self.private.is_some()),
                ("no-debug-packages", self.no_debug_packages),
            ];
            if let Some((key, _)) = useless.iter().find(|(_, there)| *there) {
                return at_name(&format!("a cargo project has no use for `{key}`"), "remove the key");
            }
            return Ok(());
        }
        let useless = [
            ("path", source.path.is_some()),
            ("include", !source.include.is_empty()),
            ("changelog", source.changelog.is_some()),
        ];
        if let Some((key, _)) = useless.iter().find(|(_, there)| *there) {
            return at_name(&format!("an upstream project has no use for `{key}` of `source:`"), "remove the key");
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
        if let Some(version) = self.version.as_ref().filter(|version| !is_version(&version.value)) {
            let hint =
                "write what upstream calls it with letters, digits and `._+~^` only; the release is the key `release`";
            return Err(page.at(version, format!("`{}` is no version for rpm", version.value), Some(hint.to_owned())));
        }
        for archive in &source.archives {
            Archive::whole(archive, page, source.archives.len() > 1, self.on_request.is_some())?;
        }
        for (index, also) in self.also.iter().enumerate() {
            let version = &also.value.version;
            if self.versions().take(index + 1).any(|known| known == version.value) {
                return Err(page.at(version, format!("version `{}` is there twice", version.value), None));
            }
            if also.value.pinned_by.trim().is_empty() {
                return Err(page.at(
                    also,
                    "a version needs somebody who wants it",
                    Some("fill in `pinned-by`".to_owned()),
                ));
            }
            let whole = self.with(&version.value).filter(|_| !also.value.archives.is_empty());
            let Some(whole) = whole else {
                return Err(page.at(version, "a version needs its archive", Some("give `archives`".to_owned())));
            };
            // Its own versions are this recipe's, and being looked at.
            Recipe { also: Vec::new(), ..whole }.whole(page)?;
        }
        for patch in &self.patches {
            if patch.value.reason.trim().is_empty() {
                return Err(page.at(patch, "a patch needs a reason", None));
            }
        }
        Ok(())
    }
}

/// YAML's words for yes and no say nothing.
fn is_no_reason(text: &str) -> bool {
    matches!(text.trim(), "" | "true" | "false" | "yes" | "no")
}
