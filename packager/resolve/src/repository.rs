//! Who answers a requirement: packages under a name that provide capabilities and paths.

use std::collections::BTreeMap;

use crate::capability::Capability;

/// Something that can answer requirements.
pub trait Repository {
    /// For messages: `openeuler-22.03-aarch64`.
    fn name(&self) -> &str;
    /// Every package that is known to answer the requirement, the preferred one first and each once.
    fn providers(&self, requirement: &Capability) -> Vec<Answer>;
}

/// A package that answers a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Name of the repository.
    pub repository: String,
    /// Name of the package.
    pub package: String,
    /// What of it answers.
    pub capability: Capability,
}

impl Answer {
    /// Whether two answers come from one package.
    pub(crate) fn same_package(&self, other: &Answer) -> bool {
        self.repository == other.repository && self.package == other.package
    }
}

/// Packages with what they provide.
#[derive(Debug, Clone)]
pub struct CapabilityList {
    name: String,
    provides: BTreeMap<String, Vec<(String, Capability)>>,
}

impl CapabilityList {
    /// An empty list.
    #[must_use]
    pub fn new(name: &str) -> CapabilityList {
        CapabilityList { name: name.to_owned(), provides: BTreeMap::new() }
    }

    /// Adds what a package provides, as rpm writes it: capabilities and paths.
    pub fn add(&mut self, package: &str, provides: impl IntoIterator<Item = String>) {
        for capability in provides.into_iter().map(|text| Capability::parse(&text)) {
            self.insert(package, capability);
        }
    }

    pub(crate) fn insert(&mut self, package: &str, capability: Capability) {
        self.provides.entry(capability.name.clone()).or_default().push((package.to_owned(), capability));
    }

    /// What is provided under a name, at any version.
    pub(crate) fn offers(&self, name: &str) -> &[(String, Capability)] {
        self.provides.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Repository for CapabilityList {
    fn name(&self) -> &str {
        &self.name
    }

    fn providers(&self, requirement: &Capability) -> Vec<Answer> {
        let mut found: Vec<Answer> = Vec::new();
        for (package, capability) in self.offers(&requirement.name) {
            if capability.satisfies(requirement) && !found.iter().any(|answer| answer.package == *package) {
                let (repository, package) = (self.name.clone(), package.clone());
                found.push(Answer { repository, package, capability: capability.clone() });
            }
        }
        found
    }
}
