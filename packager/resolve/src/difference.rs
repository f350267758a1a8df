//! How two repositories differ in the packages they have.

use std::collections::BTreeMap;

use packager_repodata::model::Package;
use serde::Serialize;

use crate::capability::compare;

/// How a version of a package differs between two repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// Only the second has this version.
    Added,
    /// Only the first has this version.
    Removed,
    /// Both have it, with different bytes.
    Rebuilt {
        /// SHA-256 in the first repository.
        from: String,
        /// SHA-256 in the second.
        to: String,
    },
}

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub arch: String,
    /// `[epoch:]version-release`.
    pub evr: String,
    /// How.
    #[serde(flatten)]
    pub change: Change,
}

/// What differs from the first repository to the second, by name, architecture and version, the oldest version first.
#[must_use]
pub fn differences(first: &[Package], second: &[Package]) -> Vec<Difference> {
    let (first, second) = (by_version(first), by_version(second));
    let mut found = Vec::new();
    for key in first.keys().chain(second.keys().filter(|key| !first.contains_key(key))) {
        let change = match (first.get(key), second.get(key)) {
            (Some(from), Some(to)) if from == to => continue,
            (Some(from), Some(to)) => Change::Rebuilt { from: from.join(" "), to: to.join(" ") },
            (Some(_), None) => Change::Removed,
            (None, _) => Change::Added,
        };
        let (name, arch, evr) = key;
        found.push(Difference { name: (*name).to_owned(), arch: (*arch).to_owned(), evr: evr.to_string(), change });
    }
    found.sort_by(|one, other| {
        let names = (&one.name, &one.arch).cmp(&(&other.name, &other.arch));
        names.then_with(|| compare(&one.evr, &other.evr)).then_with(|| one.evr.cmp(&other.evr))
    });
    found
}

/// The hashes of each version, sorted: one version may lie in two places.
fn by_version(packages: &[Package]) -> BTreeMap<(&str, &str, String), Vec<&str>> {
    let mut found: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for package in packages {
        let Package { name, arch, evr, sha256, .. } = package;
        found.entry((name.as_str(), arch.as_str(), evr.to_string())).or_default().push(sha256);
    }
    for hashes in found.values_mut() {
        hashes.sort_unstable();
        hashes.dedup();
    }
    found
}

#[cfg(test)]
mod tests {
    use packager_repodata::model::{Evr, Package};

    use super::{Change, differences};

    fn package(name: &str, version: &str, sha256: &str) -> Package {
        let evr = Evr { epoch: 0, version: version.to_owned(), release: "1".to_owned() };
        let (name, arch, sha256) = (name.to_owned(), "noarch".to_owned(), sha256.to_owned());
        Package { name, arch, evr, sha256, ..Package::default() }
    }

    #[test]
    fn versions_come_go_and_are_rebuilt() {
        let first = [package("b", "1", "x"), package("a", "9", "y"), package("same", "1", "z")];
        let second =
            [package("same", "1", "z"), package("same", "1", "z"), package("a", "10", "u"), package("b", "1", "v")];
        let found: Vec<(String, String, Change)> =
            differences(&first, &second).into_iter().map(|one| (one.name, one.evr, one.change)).collect();
        let rebuilt = Change::Rebuilt { from: "x".into(), to: "v".into() };
        let expected = [("a", "9-1", Change::Removed), ("a", "10-1", Change::Added), ("b", "1-1", rebuilt)];
        assert_eq!(found, expected.map(|(name, evr, change)| (name.to_owned(), evr.to_owned(), change)));
        assert_eq!(differences(&first, &first), []);
    }
}
