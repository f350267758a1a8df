//! All packages that a resolution may speak of: those installed and those that repositories offer.
//!
//! It holds texts as they came and one index, from the name of a capability (or the path of a file) to who provides it. Dependencies are
//! read when a resolution first visits their package, so most of a distribution is never looked at. Ids are dense and follow
//! the order of addition, which is the last criterion of every choice.

use serde::{Deserialize, Serialize};

use crate::architecture::Architectures;
use crate::capability::{Capability, Range, Relation, overlap, split};
use crate::dependency::Dependency;
use crate::evr::Evr;
use crate::index::{Index, NameId, Offer};

/// A package as its repository describes it: dependencies as rpm writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// `[epoch:]version-release`.
    pub evr: String,
    /// `x86_64`, `noarch`.
    pub arch: String,
    /// Capabilities; the package's own name at its version is always among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// What must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// What must not be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// Packages, by name and version, that it takes the place of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obsoletes: Vec<String>,
    /// What is installed with it when that is possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommends: Vec<String>,
    /// What is preferred where there is a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggests: Vec<String>,
    /// It is installed with these when that is possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supplements: Vec<String>,
    /// It is preferred where there is a choice and one of these is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enhances: Vec<String>,
    /// Paths; the ones that somebody may require are enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// Why a package cannot be part of a universe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// A name that cannot be one.
    #[error("a package of `{repository}` has the name `{name}`\nhint: a name is not empty and holds no blank")]
    Name {
        /// Where it was offered.
        repository: String,
        /// As it was read.
        name: String,
    },
    /// A version that cannot be one.
    #[error("the package `{name}` of `{repository}` has the version `{evr}`\nhint: write `[epoch:]version-release`")]
    Version {
        /// Where it was offered.
        repository: String,
        /// The package.
        name: String,
        /// As it was read.
        evr: String,
    },
    /// More than ids can name.
    #[error("more than 4294967294 packages")]
    TooMany,
}

/// A package of a universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(u32);

impl PackageId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A repository of a universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryId(u32);

/// The repository of what is installed.
pub const INSTALLED: RepositoryId = RepositoryId(0);

/// Priority of a repository that names none, as in dnf.
pub const PRIORITY_DEFAULT: i32 = 99;

#[derive(Debug)]
struct Source {
    name: String,
    priority: i32,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) package: Package,
    pub(crate) name: NameId,
    pub(crate) evr: Evr,
    pub(crate) repository: RepositoryId,
}

/// See the header.
#[derive(Debug)]
pub struct Universe {
    architectures: Architectures,
    sources: Vec<Source>,
    entries: Vec<Entry>,
    index: Index,
    supplementing: Vec<PackageId>,
    installed: Vec<PackageId>,
}

impl Universe {
    /// An empty one for machines of an architecture.
    #[must_use]
    pub fn new(arch: &str) -> Universe {
        Universe {
            architectures: Architectures::new(arch),
            sources: vec![Source { name: "installed".to_owned(), priority: PRIORITY_DEFAULT }],
            entries: Vec::new(),
            index: Index::default(),
            supplementing: Vec::new(),
            installed: Vec::new(),
        }
    }

    /// A repository with dnf's priority: the lower number is preferred.
    pub fn repository(&mut self, name: &str, priority: i32) -> RepositoryId {
        self.sources.push(Source { name: name.to_owned(), priority });
        RepositoryId(u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds a package of a repository, or of [`INSTALLED`].
    pub fn add(&mut self, repository: RepositoryId, package: Package) -> Result<PackageId, PackageError> {
        let source = || self.sources[repository.0 as usize].name.clone();
        if package.name.is_empty() || package.name.contains(char::is_whitespace) {
            return Err(PackageError::Name { repository: source(), name: package.name });
        }
        let evr = Evr::split(&package.evr);
        // rpm allows `-` between version and release only.
        if evr.version.is_empty() || evr.version.contains('-') || package.evr.contains(char::is_whitespace) {
            return Err(PackageError::Version { repository: source(), name: package.name, evr: package.evr });
        }
        let id = match u32::try_from(self.entries.len()) {
            Ok(id) if id < u32::MAX => PackageId(id),
            _ => return Err(PackageError::TooMany),
        };
        let name = self.index.provide(&package.name, id, Offer::Itself);
        self.index.name_package(name, id);
        for (number, text) in (0..).zip(&package.provides) {
            self.index.provide(split(text).0, id, Offer::Provide(number));
        }
        for path in &package.files {
            self.index.provide(path, id, Offer::File);
        }
        for text in &package.obsoletes {
            self.index.obsolete(split(text).0, id);
        }
        if !package.supplements.is_empty() {
            self.supplementing.push(id);
        }
        if repository == INSTALLED {
            self.installed.push(id);
        }
        self.entries.push(Entry { package, name, evr, repository });
        Ok(id)
    }

    /// How many packages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// `name-evr.arch`.
    #[must_use]
    pub fn nevra(&self, id: PackageId) -> String {
        let package = self.package(id);
        format!("{}-{}.{}", package.name, package.evr, package.arch)
    }

    /// The package as it was added.
    #[must_use]
    pub fn package(&self, id: PackageId) -> &Package {
        &self.entry(id).package
    }

    /// The name of the package's repository.
    #[must_use]
    pub fn repository_of(&self, id: PackageId) -> &str {
        &self.sources[self.entry(id).repository.0 as usize].name
    }

    /// The machine's architecture.
    #[must_use]
    pub fn arch(&self) -> &str {
        self.architectures.machine()
    }

    pub(crate) fn entry(&self, id: PackageId) -> &Entry {
        &self.entries[id.index()]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = PackageId> {
        (0..self.entries.len()).map(|index| PackageId(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    pub(crate) fn installed(&self) -> &[PackageId] {
        &self.installed
    }

    pub(crate) fn is_installed(&self, id: PackageId) -> bool {
        self.entry(id).repository == INSTALLED
    }

    pub(crate) fn priority(&self, id: PackageId) -> i32 {
        self.sources[self.entry(id).repository.0 as usize].priority
    }

    /// Packages that supplement something.
    pub(crate) fn supplementing(&self) -> &[PackageId] {
        &self.supplementing
    }

    /// Place of the package's architecture among those that the machine runs, the best first; `None` for the others.
    pub(crate) fn arch_rank(&self, id: PackageId) -> Option<usize> {
        self.architectures.rank(&self.package(id).arch)
    }

    /// Whether two packages have a bit width in common, so that one takes the other's place.
    pub(crate) fn same_colour(&self, left: PackageId, right: PackageId) -> bool {
        let colour = |id| crate::architecture::colour(&self.package(id).arch);
        colour(left) & colour(right) != 0
    }

    /// Packages of this name.
    pub(crate) fn named(&self, name: &str) -> &[PackageId] {
        self.index.known(name).map_or(&[], |name| self.index.packages(name))
    }

    /// Packages with the same name, itself among them.
    pub(crate) fn namesakes(&self, id: PackageId) -> &[PackageId] {
        self.index.packages(self.entry(id).name)
    }

    /// Packages that name this one's name among what they obsolete.
    pub(crate) fn obsoleters(&self, id: PackageId) -> &[PackageId] {
        self.index.obsoleters(self.entry(id).name)
    }

    /// Who provides the capability, in order and once each.
    pub(crate) fn providers(&self, wanted: &Capability) -> Vec<PackageId> {
        let Some(name) = self.index.known(&wanted.name) else { return Vec::new() };
        let range = wanted.range();
        let mut found: Vec<PackageId> = Vec::new();
        for (id, offer) in self.index.providers(name) {
            if found.last() != Some(&id) && self.answers(id, offer, range) {
                found.push(id);
            }
        }
        found
    }

    fn answers(&self, id: PackageId, offer: Offer, wanted: Option<Range<'_>>) -> bool {
        let package = self.package(id);
        match offer {
            Offer::Itself => overlap(Some((Relation::Equal, &package.evr)), wanted),
            Offer::Provide(number) => {
                package.provides.get(number as usize).is_some_and(|text| overlap(split(text).1, wanted))
            }
            Offer::File => true,
        }
    }

    /// Everybody who provides the name at any version, with what they provide.
    pub(crate) fn offers(&self, name: &str) -> Vec<(PackageId, String)> {
        let Some(name) = self.index.known(name) else { return Vec::new() };
        self.index
            .providers(name)
            .filter_map(|(id, offer)| {
                let package = self.package(id);
                match offer {
                    Offer::Itself => Some((id, format!("{} = {}", package.name, package.evr))),
                    Offer::Provide(number) => Some((id, package.provides.get(number as usize)?.clone())),
                    Offer::File => None,
                }
            })
            .collect()
    }

    /// Whether a text in `obsoletes` is about the package: by name and version, never by what it provides.
    pub(crate) fn is_meant(&self, id: PackageId, text: &str) -> bool {
        let (name, range) = split(text);
        let package = self.package(id);
        package.name == name && overlap(Some((Relation::Equal, &package.evr)), range)
    }

    /// The text with which one package obsoletes another; packages of one name do not obsolete each other.
    pub(crate) fn obsoletes(&self, id: PackageId, other: PackageId) -> Option<&str> {
        if self.entry(id).name == self.entry(other).name {
            return None;
        }
        self.package(id).obsoletes.iter().map(String::as_str).find(|text| self.is_meant(other, text))
    }

    /// Packages that a person means: `name`, `name.arch`, `name-evr`, `name-evr.arch`, `name >= evr`; then what is provided.
    pub(crate) fn meant(&self, text: &str, dependency: &Dependency) -> Vec<PackageId> {
        let Dependency::Capability(capability) = dependency else { return Vec::new() };
        let range = capability.range();
        let exact = |ids: &[PackageId]| -> Vec<PackageId> {
            ids.iter().copied().filter(|id| self.answers(*id, Offer::Itself, range)).collect()
        };
        let named = exact(self.named(&capability.name));
        if !named.is_empty() {
            return named;
        }
        if capability.version.is_none() && !text.starts_with('/') {
            // Every `-` and `.` may be the end of the name.
            let mut found: Vec<PackageId> = Vec::new();
            for (at, _) in text.match_indices(['-', '.']) {
                found.extend(self.named(&text[..at]).iter().copied().filter(|id| self.is_called(*id, text)));
            }
            found.sort_unstable();
            found.dedup();
            if !found.is_empty() {
                return found;
            }
        }
        self.providers(capability)
    }

    fn is_called(&self, id: PackageId, text: &str) -> bool {
        let package = self.package(id);
        let Some(rest) = text.strip_prefix(package.name.as_str()) else { return false };
        let plain = package.evr.split_once(':').map_or(package.evr.as_str(), |(_, rest)| rest);
        let version = self.entry(id).evr.version.as_str();
        let rest = match rest.strip_suffix(package.arch.as_str()).and_then(|rest| rest.strip_suffix('.')) {
            Some("") => return true,
            Some(rest) => rest,
            None => rest,
        };
        rest.strip_prefix('-').is_some_and(|rest| rest == package.evr || rest == plain || rest == version)
    }
}
