//! The whole file, and what must hold of it before it is evaluated for any target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::changelog::parse_day;
use crate::diagnostic::{Diagnostic, Page};
use crate::written::{Autotools, Cargo, Choice, Cmake, Make, Meson, Method, Package};

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
    /// Other releases that can be asked for.
    #[serde(default)]
    pub also: Vec<Spanned<Also>>,
    /// What was asked for instead of the recipe's own version, in words.
    #[serde(skip)]
    pub asked: Option<String>,
    /// Built when it is named or linked against, not whenever everything is.
    #[serde(default)]
    pub on_request: bool,
    /// A cargo workspace. One of the next five says how the binaries are made.
    pub cargo: Option<Cargo>,
    /// A project with a `configure` script made by autoconf.
    pub autotools: Option<Autotools>,
    /// A project with makefiles.
    pub make: Option<Make>,
    /// A project with a `meson.build`.
    pub meson: Option<Meson>,
    /// A project with a `CMakeLists.txt`.
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

/// Another release of the same project, built by the same rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Also {
    /// Its version.
    pub version: Spanned<String>,
    /// Who pins it: `DAOS 2.6.0`.
    pub pinned_by: String,
    /// Day of the release.
    pub released: Spanned<String>,
    /// Copies of it.
    pub archives: Vec<Spanned<Archive>>,
    /// Changes to it; those of the recipe's own version are not for it.
    #[serde(default)]
    pub patches: Vec<Spanned<Patch>>,
}

/// An archive. One of `url`, `debian` and `git` says where it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Archive {
    /// Its address.
    pub url: Option<String>,
    /// Its path below `pool/main/` of a Debian mirror.
    pub debian: Option<String>,
    /// A repository whose `commit` is made into an archive.
    pub git: Option<String>,
    /// The id of the commit, 40 hexadecimal digits.
    pub commit: Option<String>,
    /// Its hash, in hexadecimal. Without one it is not fetched: `--source` gives the sources.
    pub sha256: Option<String>,
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
    pub at_least: Option<String>,
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
        if self.methods().iter().flatten().count() != 1 {
            return at_name(
                "the recipe does not say how it is built",
                "give one of `cargo`, `autotools`, `make`, `meson`, `cmake`",
            );
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
        for archive in &source.archives {
            self.archive(page, archive)?;
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

    fn archive(&self, page: Page<'_>, archive: &Spanned<Archive>) -> Result<(), Diagnostic> {
        let value = &archive.value;
        if [&value.url, &value.debian, &value.git].into_iter().flatten().count() != 1 {
            return Err(page.at(archive, "an archive has one of `url`, `debian` and `git`", None));
        }
        if value.git.is_some() != value.commit.is_some() {
            return Err(page.at(archive, "`git` and `commit` belong together", None));
        }
        if let Some(url) = &value.git {
            let far = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
            let authority = far.map(|rest| rest.split('/').next().unwrap_or_default());
            if authority.is_none() && !url.starts_with("file:///") && !url.starts_with('/') {
                let hint = Some("write an address with `https:`, or a path from the root".to_owned());
                return Err(page.at(archive, format!("`{url}` is no repository that can be read"), hint));
            }
            if authority.is_some_and(|authority| authority.contains('@')) {
                let hint = Some("recipes and what is published name it; take the credentials out".to_owned());
                return Err(page.at(archive, "an address with credentials", hint));
            }
        }
        let is_id = |id: &String| id.len() == 40 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if let Some(commit) = value.commit.as_ref().filter(|commit| !is_id(commit)) {
            let hint = Some("write all 40 lower-case digits: branches and tags move".to_owned());
            return Err(page.at(archive, format!("`{commit}` is no commit"), hint));
        }
        match &value.sha256 {
            Some(sum) if sum.len() != 64 || !sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
                let hint = Some("write the 64 lower-case digits that `sha256sum` prints".to_owned());
                Err(page.at(archive, format!("`{sum}` is no SHA-256"), hint))
            }
            None if self.source.archives.len() > 1 => {
                let hint = Some("add its hash, or remove the other archives".to_owned());
                Err(page.at(archive, "an archive without `sha256` beside others", hint))
            }
            None if !self.on_request => {
                let hint = Some("add its hash, or `on-request: true`".to_owned());
                Err(page.at(archive, "an archive without `sha256` in a recipe that is always built", hint))
            }
            _ => Ok(()),
        }
    }
}
