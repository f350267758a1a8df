//! Which packages of a repository stay when old versions go: the newest of each name, the young ones, and whatever these need.
//! packager/docs/retention.md has the rules.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;

use packager_repodata::model::Package;
use serde::Serialize;

use crate::capability::compare;
use crate::met::met;
use crate::repository::{CapabilityList, Repository};

/// Which packages stay by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Versions of each name and architecture.
    pub newest: NonZeroUsize,
    /// Those built at this time or later, in seconds since 1970.
    pub built_since: Option<i64>,
}

/// What becomes of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// It is among the newest versions.
    Newest,
    /// It is young.
    Young,
    /// A package that stays requires it.
    Required {
        /// That package, as `name-[epoch:]version-release.arch`.
        by: String,
        /// What it requires.
        requirement: String,
    },
    /// A package that stays was built from it.
    Source {
        /// That package.
        of: String,
    },
    /// It goes.
    Old,
}

/// What becomes of each package, in the order in which they are given.
#[must_use]
pub fn retention(packages: &[Package], rule: &Rule) -> Vec<Fate> {
    let mut fates = by_rule(packages, rule);
    let mut kept = CapabilityList::new("kept");
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let mut old: Vec<usize> = Vec::new();
    for (index, fate) in fates.iter().enumerate() {
        match fate {
            Fate::Old => old.push(index),
            _ => {
                kept.add(&index.to_string(), capabilities(&packages[index]));
                waiting.push_back(index);
            }
        }
    }
    // The newest first: of several that would do, that one stays.
    old.sort_by(|one, other| versions(&packages[*other], &packages[*one]));
    let mut candidates = CapabilityList::new("old");
    for index in &old {
        candidates.add(&index.to_string(), capabilities(&packages[*index]));
    }
    let sources: BTreeMap<&str, usize> = old
        .iter()
        .filter(|index| packages[**index].arch == "src")
        .map(|index| (packages[*index].file_name(), *index))
        .collect();
    while let Some(index) = waiting.pop_front() {
        let package = &packages[index];
        let mut stays = Vec::new();
        if let Some(source) = sources.get(package.source_rpm.as_str()) {
            stays.push((*source, Fate::Source { of: package.nevra() }));
        }
        for requirement in package.requires.iter().map(ToString::to_string) {
            for needed in needed(&requirement, &kept, &candidates) {
                let fate = Fate::Required { by: package.nevra(), requirement: requirement.clone() };
                stays.push((needed, fate));
            }
        }
        for (index, fate) in stays {
            if fates[index] == Fate::Old {
                fates[index] = fate;
                kept.add(&index.to_string(), capabilities(&packages[index]));
                waiting.push_back(index);
            }
        }
    }
    fates
}

/// The packages among the old ones without which a requirement would no longer be met here. What nobody here meets is the distribution's.
fn needed(requirement: &str, kept: &CapabilityList, candidates: &CapabilityList) -> Vec<usize> {
    if met(requirement, &[kept]).is_ok() {
        return Vec::new();
    }
    let parts = met(requirement, &[kept, candidates]).unwrap_or_default();
    let preferred = parts.iter().filter_map(|part| part.answers.first());
    preferred
        .filter(|answer| answer.repository == candidates.name())
        .filter_map(|answer| answer.package.parse().ok())
        .collect()
}

fn by_rule(packages: &[Package], rule: &Rule) -> Vec<Fate> {
    let mut same: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, package) in packages.iter().enumerate() {
        same.entry((&package.name, &package.arch)).or_default().push(index);
    }
    let mut fates = vec![Fate::Old; packages.len()];
    for mut versions_of in same.into_values() {
        versions_of.sort_by(|one, other| versions(&packages[*other], &packages[*one]));
        let mut rank = 0;
        for (place, index) in versions_of.iter().enumerate() {
            // One version may lie in two places.
            if place > 0 && versions(&packages[versions_of[place - 1]], &packages[*index]) != Ordering::Equal {
                rank += 1;
            }
            if rank < rule.newest.get() {
                fates[*index] = Fate::Newest;
            } else if rule.built_since.is_some_and(|since| packages[*index].time.build >= since) {
                fates[*index] = Fate::Young;
            }
        }
    }
    fates
}

/// As rpm compares them.
fn versions(one: &Package, other: &Package) -> Ordering {
    compare(&one.evr.to_string(), &other.evr.to_string())
}

fn capabilities(package: &Package) -> Vec<String> {
    let provides = package.provides.iter().map(ToString::to_string);
    provides.chain(package.files.iter().map(|file| file.path.clone())).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use packager_repodata::model::{Comparison, Constraint, Dependency, Evr, Location, Package};

    use super::{Fate, Rule, retention};

    fn dependency(text: &str) -> Dependency {
        let Some((name, version)) = text.split_once(" = ").filter(|_| !text.starts_with('(')) else {
            return Dependency { name: text.to_owned(), ..Dependency::default() };
        };
        let constraint = Constraint {
            comparison: Comparison::Equal,
            epoch: "0".into(),
            version: version.to_owned(),
            release: "1".into(),
        };
        Dependency { name: name.to_owned(), constraint: Some(constraint), pre: false }
    }

    /// Built on day `version`.
    fn package(name: &str, version: &str, requires: &[&str]) -> Package {
        let mut package = Package {
            name: name.to_owned(),
            arch: "x86_64".to_owned(),
            evr: Evr { epoch: 0, version: version.to_owned(), release: "1".to_owned() },
            source_rpm: format!("{name}-{version}-1.src.rpm"),
            provides: vec![dependency(&format!("{name} = {version}"))],
            requires: requires.iter().map(|text| dependency(text)).collect(),
            location: Location { href: format!("{name}-{version}-1.x86_64.rpm"), base: String::new() },
            ..Package::default()
        };
        package.time.build = version.parse::<i64>().unwrap_or(0) * 86_400;
        package
    }

    fn source(name: &str, version: &str) -> Package {
        let href = format!("Source/{name}-{version}-1.src.rpm");
        let location = Location { href, base: String::new() };
        Package { arch: "src".to_owned(), source_rpm: String::new(), location, ..package(name, version, &[]) }
    }

    fn kept(packages: &[Package], newest: usize, since_day: Option<i64>) -> Vec<String> {
        let newest = NonZeroUsize::new(newest).expect("one at least");
        let rule = Rule { newest, built_since: since_day.map(|day| day * 86_400) };
        let fates = retention(packages, &rule);
        let kept = packages.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Old);
        kept.map(|(package, _)| format!("{} {}", package.name, package.evr.version)).collect()
    }

    #[test]
    fn the_newest_and_the_young_stay_as_rpm_orders_versions() {
        let all = ["9", "10", "2"].map(|version| package("a", version, &[]));
        assert_eq!(kept(&all, 1, None), ["a 10"]);
        assert_eq!(kept(&all, 2, None), ["a 9", "a 10"]);
        assert_eq!(kept(&all, 1, Some(3)), ["a 9", "a 10"]);
        assert_eq!(kept(&all, 1, Some(11)), ["a 10"]);
        assert_eq!(kept(&[], 1, None), [""; 0]);
        let mut other = package("a", "2", &[]);
        other.arch = "aarch64".to_owned();
        other.evr.epoch = 1;
        assert_eq!(kept(&[all[0].clone(), other], 1, None), ["a 9", "a 2"]);
    }

    #[test]
    fn one_version_in_two_places_counts_once() {
        let mut twice = package("a", "9", &[]);
        twice.location.href = "again/a-9-1.x86_64.rpm".to_owned();
        let all = [package("a", "9", &[]), twice, package("a", "8", &[]), package("a", "7", &[])];
        assert_eq!(kept(&all, 2, None), ["a 9", "a 9", "a 8"]);
    }

    #[test]
    fn what_a_kept_package_requires_stays_and_what_that_requires() {
        let all = [
            package("server", "3", &["fabric = 1", "libc"]),
            package("fabric", "3", &[]),
            package("fabric", "2", &[]),
            package("fabric", "1", &["verbs"]),
            package("verbs", "1", &["/usr/bin/ibv"]),
            package("verbs-old", "1", &[]),
        ];
        assert_eq!(kept(&all, 1, None), ["server 3", "fabric 3", "fabric 1", "verbs 1", "verbs-old 1"]);
        let fates = retention(&all, &Rule { newest: NonZeroUsize::MIN, built_since: None });
        assert_eq!(fates[3], Fate::Required { by: "server-3-1.x86_64".into(), requirement: "fabric = 1-1".into() });
        assert_eq!(fates[2], Fate::Old);
    }

    #[test]
    fn of_several_old_ones_that_would_do_the_newest_stays() {
        let mut all = vec![package("user", "1", &["plugin"])];
        for version in ["1", "3", "2"] {
            let mut old = package("plug", version, &[]);
            old.provides.push(dependency("plugin"));
            all.push(old);
        }
        all.push(package("plug", "4", &[]));
        assert_eq!(kept(&all, 1, None), ["user 1", "plug 3", "plug 4"]);
    }

    #[test]
    fn the_source_of_what_stays_stays() {
        let all = [
            package("user", "2", &["tool = 1"]),
            package("tool", "1", &[]),
            package("tool", "2", &[]),
            source("tool", "1"),
            source("tool", "2"),
            source("user", "1"),
            source("user", "2"),
        ];
        assert_eq!(kept(&all, 1, None), ["user 2", "tool 1", "tool 2", "tool 1", "tool 2", "user 2"]);
    }

    #[test]
    fn rich_dependencies_count() {
        let all = [
            package("user", "1", &["(a = 1 or b = 2)", "(c = 1 if a)"]),
            package("a", "1", &[]),
            package("a", "2", &[]),
            package("b", "2", &[]),
            package("c", "1", &[]),
            package("c", "2", &[]),
        ];
        // `b = 2` is there, and of the condition `a` is, so `c = 1` has to stay.
        assert_eq!(kept(&all, 1, None), ["user 1", "a 2", "b 2", "c 1", "c 2"]);
    }
}
