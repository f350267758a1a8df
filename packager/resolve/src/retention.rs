//! Which packages of a repository stay when old versions go: the newest of each name, the young ones, and whatever these need.
//! packager/docs/retention.md has the rules.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;

use packager_repodata::model::Package;
use serde::Serialize;

use crate::architecture::{Architectures, NOARCH};
use crate::capability::{Capability, compare};
use crate::dependency::Dependency;
use crate::met::{capabilities, parts};
use crate::repository::{Answer, CapabilityList, Repository};

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
    let mut keeping = Keeping::new(packages, by_rule(packages, rule));
    while let Some(index) = keeping.waiting.pop_front() {
        keeping.needs_of(index);
    }
    keeping.fates
}

/// What a machine of one architecture finds: what stays, and what may go.
struct Machine {
    architectures: Architectures,
    kept: CapabilityList,
    /// The newest first: of several that would do, that one stays.
    old: CapabilityList,
    /// Requirements that were looked at. What stays grows only, so what is met stays met.
    seen: BTreeSet<String>,
}

struct Keeping<'p> {
    packages: &'p [Package],
    fates: Vec<Fate>,
    /// Those that stay and whose needs were not looked at.
    waiting: VecDeque<usize>,
    machines: Vec<Machine>,
    /// Capabilities and paths that somebody requires: of millions of files few are.
    required: BTreeSet<String>,
    /// Source packages by file name.
    sources: BTreeMap<&'p str, Vec<usize>>,
    /// One version may lie in several places.
    same: BTreeMap<String, Vec<usize>>,
}

impl<'p> Keeping<'p> {
    fn new(packages: &'p [Package], fates: Vec<Fate>) -> Keeping<'p> {
        let mut required = BTreeSet::new();
        let mut sources: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (index, package) in packages.iter().enumerate() {
            same.entry(package.nevra()).or_default().push(index);
            if is_source(package) {
                sources.entry(package.file_name()).or_default().push(index);
                continue;
            }
            names.insert(&package.arch);
            for text in package.requires.iter().map(ToString::to_string) {
                required.extend(capabilities(&read(&text)).into_iter().map(|capability| capability.name.clone()));
            }
        }
        if names.len() > 1 {
            names.remove(NOARCH);
        }
        let machine = |name: &&str| Machine {
            architectures: Architectures::new(name),
            kept: CapabilityList::new("kept"),
            old: CapabilityList::new("old"),
            seen: BTreeSet::new(),
        };
        let machines = names.iter().map(machine).collect();
        let mut keeping = Keeping { packages, fates, waiting: VecDeque::new(), machines, required, sources, same };
        let mut newest: Vec<usize> = (0..packages.len()).collect();
        newest.sort_by(|one, other| versions(&packages[*other], &packages[*one]));
        for index in newest {
            if keeping.fates[index] == Fate::Old {
                keeping.offer(index, |machine| &mut machine.old);
            } else {
                keeping.stays(index);
            }
        }
        keeping
    }

    /// Adds what a package provides to a list of every machine that it is for. Source packages provide nothing that can be installed, although
    /// they say that they do.
    fn offer(&mut self, index: usize, list: impl Fn(&mut Machine) -> &mut CapabilityList) {
        let package = &self.packages[index];
        if is_source(package) {
            return;
        }
        let mut provides: Vec<Capability> =
            package.provides.iter().map(|provided| Capability::parse(&provided.to_string())).collect();
        provides.extend(package.files.iter().map(|file| Capability { name: file.path.clone(), version: None }));
        provides.retain(|capability| self.required.contains(&capability.name));
        for machine in &mut self.machines {
            if machine.architectures.rank(&package.arch).is_some() {
                for capability in &provides {
                    list(machine).insert(&index.to_string(), capability.clone());
                }
            }
        }
    }

    /// A package that stays by itself, or for another one.
    fn stays(&mut self, index: usize) {
        self.offer(index, |machine| &mut machine.kept);
        self.waiting.push_back(index);
    }

    /// Keeps a package that would go, wherever it lies.
    fn keep(&mut self, index: usize, fate: &Fate) {
        for index in self.same.get(&self.packages[index].nevra()).cloned().unwrap_or_default() {
            if self.fates[index] == Fate::Old {
                self.fates[index] = fate.clone();
                self.stays(index);
            }
        }
    }

    /// Keeps what a package needs.
    fn needs_of(&mut self, index: usize) {
        let package = &self.packages[index];
        if is_source(package) {
            return; // what it is built with is not what it is there for
        }
        for source in self.sources.get(package.source_rpm.as_str()).cloned().unwrap_or_default() {
            self.keep(source, &Fate::Source { of: package.nevra() });
        }
        for requirement in package.requires.iter().map(ToString::to_string) {
            for machine in 0..self.machines.len() {
                let machine = &mut self.machines[machine];
                if machine.architectures.rank(&package.arch).is_none() || !machine.seen.insert(requirement.clone()) {
                    continue;
                }
                let mut needed = Vec::new();
                needs(&read(&requirement), machine, self.packages, &mut needed);
                for needed in needed {
                    self.keep(needed, &Fate::Required { by: package.nevra(), requirement: requirement.clone() });
                }
            }
        }
    }
}

/// The packages among the old ones without which a dependency would no longer be met here. What nobody here meets is the distribution's; who
/// else will be on a system is not known, so of a condition everything is wanted that it may ask for.
fn needs(dependency: &Dependency, machine: &Machine, packages: &[Package], found: &mut Vec<usize>) {
    let Machine { kept, old, .. } = machine;
    match dependency {
        Dependency::And(all) => all.iter().for_each(|part| needs(part, machine, packages, found)),
        Dependency::If(then, _, otherwise) | Dependency::Unless(then, _, otherwise) => {
            [then].into_iter().chain(otherwise).for_each(|part| needs(part, machine, packages, found));
        }
        Dependency::Or(all) => {
            let any = |lists: &[&dyn Repository]| all.iter().find(|part| parts(part, lists).is_ok());
            if let Some(part) = any(&[kept]).or_else(|| any(&[kept, old])) {
                needs(part, machine, packages, found);
            }
        }
        Dependency::Capability(_) | Dependency::With(_) | Dependency::Without(..) => {
            // Of the machine's own architecture rather than of one that it also runs; of what stays rather than of what would go.
            let rank = |answer: &Answer| {
                let index = answer.package.parse::<usize>().ok()?;
                let foreign = machine.architectures.rank(&packages[index].arch)? > 1;
                Some((foreign, answer.repository == old.name(), index))
            };
            let answers = parts(dependency, &[kept, old]).unwrap_or_default();
            let best = answers
                .iter()
                .flat_map(|part| &part.answers)
                .filter_map(rank)
                .min_by_key(|(foreign, old, _)| (*foreign, *old));
            found.extend(best.filter(|(_, old, _)| *old).map(|(_, _, index)| index));
        }
    }
}

/// A requirement that is no dependency, like a path with a blank in it, is taken by its whole text.
fn read(text: &str) -> Dependency {
    let whole = || Dependency::Capability(Capability { name: text.to_owned(), version: None });
    Dependency::parse(text).unwrap_or_else(|_| whole())
}

fn is_source(package: &Package) -> bool {
    ["src", "nosrc"].contains(&package.arch.as_str())
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
            source("user", "1"),
            source("user", "2"),
        ];
        // Source packages say that they provide what is built from them, and come first in metadata.
        let all: Vec<Package> = [source("tool", "1"), source("tool", "2")].into_iter().chain(all).collect();
        assert_eq!(kept(&all, 1, None), ["tool 1", "tool 2", "user 2", "tool 1", "tool 2", "user 2"]);
    }

    #[test]
    fn each_machine_needs_its_own() {
        let of = |arch: &str, mut package: Package| {
            package.arch = arch.to_owned();
            package
        };
        let mut all = vec![of("noarch", package("user", "3", &["fabric = 1"]))];
        for version in ["1", "2"] {
            for arch in ["aarch64", "i686", "x86_64"] {
                all.push(of(arch, package("fabric", version, &[])));
            }
        }
        let fates = retention(&all, &Rule { newest: NonZeroUsize::MIN, built_since: None });
        let gone = all.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Old).count();
        assert_eq!(gone, 0, "of all three somebody needs the first version");
        all[0].arch = "aarch64".to_owned();
        let fates = retention(&all, &Rule { newest: NonZeroUsize::MIN, built_since: None });
        let gone: Vec<&str> =
            all.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Old).map(|(old, _)| old.arch.as_str()).collect();
        assert_eq!(gone, ["i686", "x86_64"]);
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
        // `b = 2` is there; whether `a` will be on a system nobody knows, so `c = 1` has to stay.
        assert_eq!(kept(&all, 1, None), ["user 1", "a 2", "b 2", "c 1", "c 2"]);
        // What the distribution has of it does not hide what we have.
        for requirement in ["(a = 1 and glibc)", "(a = 1 if glibc)", "(a = 1 unless glibc)", "(glibc or a = 1)"] {
            let all = [package("user", "1", &[requirement]), package("a", "1", &[]), package("a", "2", &[])];
            assert_eq!(kept(&all, 1, None), ["user 1", "a 1", "a 2"], "{requirement}");
        }
    }
}
