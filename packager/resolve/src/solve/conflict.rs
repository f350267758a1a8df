//! Why there is no transaction: the smallest set of rules that contradict each other, in sentences.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::logic::Literal;
use super::request::Aim;
use super::rules::{Rules, Why};
use super::sat::contradiction;
use crate::capability::{Capability, split};
use crate::dependency::Dependency;
use crate::universe::{PackageId, Universe};

/// Attempts at making the set smaller. Each one is a run of the solver over the set, which has rarely more than a few dozen rules.
const TRIALS_MAX: usize = 400;

/// Packages that one sentence names.
const NAMED_MAX: usize = 5;

/// Sentences; a person reads no more, and the first ones are what was asked for.
const SENTENCES_MAX: usize = 24;

/// Rules that cannot hold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Each a fact that takes part: together they cannot be.
    pub sentences: Vec<String>,
    /// What can be done.
    pub hint: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this cannot be done:")?;
        for sentence in &self.sentences {
            write!(f, "\n  - {sentence}")?;
        }
        write!(f, "\nhint: {}", self.hint)
    }
}

/// Explains rules that contradict each other.
pub(crate) fn explain(rules: &Rules<'_>) -> Conflict {
    // Clauses with one reason are one fact.
    let mut groups: Vec<(&Why<'_>, Vec<Vec<Literal>>)> = Vec::new();
    for (literals, reason) in rules.all() {
        if rules.request.allow_erasing && matches!(reason, Why::Keep { .. }) {
            continue;
        }
        match groups.last_mut() {
            Some((why, clauses)) if *why == reason => clauses.push(literals.to_vec()),
            _ => groups.push((reason, vec![literals.to_vec()])),
        }
    }
    let clauses: Vec<Vec<Vec<Literal>>> = groups.iter().map(|(_, clauses)| clauses.clone()).collect();
    let core = contradiction(rules.universe.len(), &clauses, TRIALS_MAX);
    let mut facts: Vec<(&Why<'_>, &[Vec<Literal>])> =
        core.iter().map(|at| (groups[*at].0, groups[*at].1.as_slice())).collect();
    facts.sort_by_key(|(why, _)| rank(why));
    let mut sentences = Vec::new();
    let mut places: BTreeMap<&str, Vec<PackageId>> = BTreeMap::new();
    for (why, clauses) in &facts {
        match why {
            // All packages of one name that exclude each other are one sentence.
            Why::SameName { left, right } => {
                let known = places.entry(rules.universe.package(*left).name.as_str()).or_default();
                for package in [*left, *right] {
                    if !known.contains(&package) {
                        known.push(package);
                    }
                }
            }
            _ => sentences.push(sentence(rules, why, clauses)),
        }
    }
    for (name, packages) in places {
        sentences.push(format!("only one version of `{name}` can be installed: {}", named(rules.universe, &packages)));
    }
    if sentences.len() > SENTENCES_MAX {
        let more = sentences.len() - SENTENCES_MAX;
        sentences.truncate(SENTENCES_MAX);
        sentences.push(format!("and {more} more of the kind"));
    }
    Conflict { hint: hint(&facts), sentences }
}

/// What was asked for first, then what follows from it.
fn rank(why: &Why<'_>) -> usize {
    match why {
        Why::Install { .. } => 0,
        Why::Erase { .. } => 1,
        Why::Keep { .. } => 2,
        Why::Requires { .. } | Why::Unreadable { .. } | Why::Foreign { .. } | Why::LockStep { .. } => 3,
        Why::Conflicts { .. } | Why::Obsoletes { .. } | Why::SameName { .. } => 4,
    }
}

fn sentence(rules: &Rules<'_>, why: &Why<'_>, clauses: &[Vec<Literal>]) -> String {
    let universe = rules.universe;
    let candidates: Vec<PackageId> =
        clauses.iter().flatten().filter(|literal| literal.there).map(|literal| literal.package).collect();
    match why {
        Why::Install { aim } => match rules.aims.get(*aim) {
            Some(Aim::Install { text, .. }) => {
                format!("`{text}` was asked for, which is {}", named(universe, &candidates))
            }
            _ => "something was asked for".to_owned(),
        },
        Why::Erase { aim } => match rules.aims.get(*aim) {
            Some(Aim::Erase { text, packages }) => {
                let here: Vec<PackageId> = packages.iter().copied().filter(|id| universe.is_installed(*id)).collect();
                format!("`{text}` was to be removed, which is {}", named(universe, &here))
            }
            _ => "something was to be removed".to_owned(),
        },
        Why::Keep { package } => {
            let updates: Vec<PackageId> = candidates.into_iter().filter(|id| id != package).collect();
            let nevra = universe.nevra(*package);
            if updates.is_empty() {
                format!("{nevra} is installed and must stay; there is no update of it")
            } else {
                format!("{nevra} is installed and must stay, or become {}", named(universe, &updates))
            }
        }
        Why::Requires { package, text } => {
            let nevra = universe.nevra(*package);
            if candidates.is_empty() {
                format!("{nevra} requires `{text}`, {}", nobody(universe, text))
            } else {
                format!("{nevra} requires `{text}`, which is provided by {}", named(universe, &candidates))
            }
        }
        Why::Conflicts { package, other: Some(other), text } => {
            let (package, other) = (*package, *other);
            let how = if split(text).0 == universe.package(other).name { "" } else { ", which it provides" };
            format!("{} conflicts with `{text}`: {}{how}", universe.nevra(package), universe.nevra(other))
        }
        Why::Conflicts { package, text, .. } => format!("{} conflicts with `{text}`", universe.nevra(*package)),
        Why::Obsoletes { package, other, text } => {
            format!("{} obsoletes `{text}`, which is {}", universe.nevra(*package), universe.nevra(*other))
        }
        Why::SameName { left, right } => {
            format!("{} and {} cannot be installed together", universe.nevra(*left), universe.nevra(*right))
        }
        Why::LockStep { package } => {
            let package = universe.package(*package);
            let (name, evr) = (&package.name, &package.evr);
            format!(
                "`{name}` is offered for a better architecture than {}, so {name}-{evr}.{} is installed only beside that one at the same version",
                package.arch, package.arch
            )
        }
        Why::Foreign { package } => {
            let arch = &universe.package(*package).arch;
            format!("{} is for {arch}, which a machine of {} does not run", universe.nevra(*package), universe.arch())
        }
        Why::Unreadable { package, fault } => {
            format!("{} has a dependency that cannot be read: {fault}", universe.nevra(*package))
        }
    }
}

/// Why a requirement has no provider.
fn nobody(universe: &Universe, text: &str) -> String {
    match Dependency::parse(text) {
        Ok(Dependency::Capability(Capability { name, version: Some(_) })) => {
            let offers = universe.offers(&name);
            if offers.is_empty() {
                "which nobody provides".to_owned()
            } else {
                format!("which nobody provides: {}", offered(universe, &offers))
            }
        }
        _ => "which nobody provides".to_owned(),
    }
}

/// What is offered under a name, the newest first.
pub(crate) fn offered(universe: &Universe, offers: &[(PackageId, String)]) -> String {
    let mut offers: Vec<&(PackageId, String)> = offers.iter().collect();
    offers.sort_by(|left, right| universe.entry(right.0).evr.cmp(&universe.entry(left.0).evr));
    let more = offers.len().saturating_sub(NAMED_MAX);
    let mut parts: Vec<String> = offers
        .iter()
        .take(NAMED_MAX)
        .map(|(id, text)| {
            let package = universe.package(*id);
            if *text == format!("{} = {}", package.name, package.evr) {
                format!("there is {} ({})", universe.nevra(*id), universe.repository_of(*id))
            } else {
                format!("{} ({}) provides `{text}`", universe.nevra(*id), universe.repository_of(*id))
            }
        })
        .collect();
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join(", ")
}

fn named(universe: &Universe, packages: &[PackageId]) -> String {
    let mut packages = packages.to_vec();
    packages.sort_by(|left, right| universe.entry(*right).evr.cmp(&universe.entry(*left).evr).then(left.cmp(right)));
    packages.dedup();
    let more = packages.len().saturating_sub(NAMED_MAX);
    let mut parts: Vec<String> = packages
        .iter()
        .take(NAMED_MAX)
        .map(|id| format!("{} ({})", universe.nevra(*id), universe.repository_of(*id)))
        .collect();
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    match parts.pop() {
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} or {last}", parts.join(", ")),
        None => "nothing".to_owned(),
    }
}

fn hint(facts: &[(&Why<'_>, &[Vec<Literal>])]) -> String {
    let any = |test: &dyn Fn(&Why<'_>) -> bool| facts.iter().any(|(why, _)| test(why));
    let unprovided = facts.iter().any(|(why, clauses)| {
        matches!(why, Why::Requires { .. }) && clauses.iter().any(|clause| !clause.iter().any(|literal| literal.there))
    });
    if any(&|why| matches!(why, Why::Keep { .. })) {
        "allow that installed packages are removed (`--allow-erasing`), or ask for other versions".to_owned()
    } else if unprovided {
        "add a repository that provides what is missing, or ask for another version".to_owned()
    } else if any(&|why| matches!(why, Why::Unreadable { .. })) {
        "correct the dependency in the package".to_owned()
    } else if any(&|why| matches!(why, Why::Foreign { .. })) {
        "name the architecture of the machine with `--arch`".to_owned()
    } else {
        "leave out one of the packages that exclude each other, or ask for another version".to_owned()
    }
}
