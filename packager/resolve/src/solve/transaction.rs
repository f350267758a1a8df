//! What happens to each package, and why, in words.

use std::collections::HashMap;
use std::fmt::Write;

use serde::Serialize;

use super::decide::{Cause, Decision};
use super::request::Aim;
use super::rules::{Rules, Why};
use crate::universe::PackageId;

/// What happens to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Install,
    /// It takes the place of an older one of its name.
    Upgrade,
    /// It takes the place of a newer one of its name.
    Downgrade,
    /// It takes the place of one of its name and version.
    Change,
    /// It goes.
    Remove,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Change::Install => "install",
            Change::Upgrade => "upgrade",
            Change::Downgrade => "downgrade",
            Change::Change => "change",
            Change::Remove => "remove",
        }
    }
}

/// One package of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// What happens.
    pub change: Change,
    /// `name-evr.arch` of what comes, or of what goes.
    pub package: String,
    /// Where it comes from; `installed` for what goes.
    pub repository: String,
    /// Installed packages whose place it takes, as `name-evr.arch`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// The reason, in words.
    pub why: String,
}

/// What is to be done, sorted by kind and name. Empty when everything asked for is there already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// One per package that comes, and per package that goes without one that takes its place.
    pub actions: Vec<Action>,
}

/// Reads the transaction off a decision.
pub(crate) fn of(rules: &Rules<'_>, decision: &Decision) -> Transaction {
    let universe = rules.universe;
    let mut replaced: HashMap<PackageId, Vec<PackageId>> = HashMap::new();
    let mut removed = Vec::new();
    let new: Vec<PackageId> =
        rules.visited.iter().copied().filter(|id| !universe.is_installed(*id) && decision.is_there(*id)).collect();
    for gone in universe.installed().iter().copied().filter(|id| !decision.is_there(*id)) {
        let namesake = universe
            .namesakes(gone)
            .iter()
            .copied()
            .find(|id| !universe.is_installed(*id) && decision.is_there(*id) && universe.same_colour(*id, gone));
        let heir = namesake.or_else(|| new.iter().copied().find(|id| universe.obsoletes(*id, gone).is_some()));
        match heir {
            Some(heir) => replaced.entry(heir).or_default().push(gone),
            None => removed.push(gone),
        }
    }
    let needed = needed(rules, decision);
    let mut actions = Vec::new();
    for id in new {
        let replaces = replaced.remove(&id).unwrap_or_default();
        let older = replaces.iter().copied().find(|gone| universe.entry(*gone).name == universe.entry(id).name);
        let change =
            older.map_or(Change::Install, |older| match universe.entry(id).evr.cmp(&universe.entry(older).evr) {
                std::cmp::Ordering::Less => Change::Downgrade,
                std::cmp::Ordering::Equal => Change::Change,
                std::cmp::Ordering::Greater => Change::Upgrade,
            });
        actions.push(Action {
            change,
            package: universe.nevra(id),
            repository: universe.repository_of(id).to_owned(),
            replaces: replaces.iter().map(|gone| universe.nevra(*gone)).collect(),
            why: why_new(rules, decision, &needed, id, older.or_else(|| replaces.first().copied())),
        });
    }
    for id in removed {
        actions.push(Action {
            change: Change::Remove,
            package: universe.nevra(id),
            repository: universe.repository_of(id).to_owned(),
            replaces: Vec::new(),
            why: why_gone(rules, decision, id),
        });
    }
    actions.sort_by(|left, right| (left.change, &left.package).cmp(&(right.change, &right.package)));
    Transaction { actions }
}

/// A requirement that only this package answers; one of what is new says more than one of what was there.
type Needed<'a> = HashMap<PackageId, (bool, PackageId, &'a str)>;

fn needed<'a>(rules: &Rules<'a>, decision: &Decision) -> Needed<'a> {
    let mut needed: Needed<'a> = HashMap::new();
    for (literals, why) in rules.all() {
        let Why::Requires { package, text } = why else { continue };
        if !decision.is_there(*package) {
            continue;
        }
        let mut holding = literals.iter().filter(|literal| decision.is_there(literal.package) == literal.there);
        if let (Some(literal), None) = (holding.next(), holding.next())
            && literal.there
        {
            let candidate = (rules.universe.is_installed(*package), *package, *text);
            needed.entry(literal.package).and_modify(|known| *known = candidate.min(*known)).or_insert(candidate);
        }
    }
    needed
}

fn why_new(
    rules: &Rules<'_>,
    decision: &Decision,
    needed: &Needed<'_>,
    id: PackageId,
    replaced: Option<PackageId>,
) -> String {
    let universe = rules.universe;
    let asked = rules.aims.iter().find_map(|aim| match aim {
        Aim::Install { text, clauses } => {
            clauses.iter().flatten().any(|literal| literal.there && literal.package == id).then_some(text)
        }
        _ => None,
    });
    if let Some(text) = asked {
        return format!("`{text}` was asked for");
    }
    match decision.causes.get(&id) {
        Some(Cause::Recommended { by, text }) => return format!("{} recommends `{text}`", universe.nevra(*by)),
        Some(Cause::Supplements { text }) => return format!("it supplements `{text}`"),
        Some(Cause::Update { of }) if rules.updated().contains(of) => {
            return format!("it is an update of {}", universe.nevra(*of));
        }
        _ => {}
    }
    let found = needed.get(&id);
    match (found, replaced) {
        (Some((_, package, text)), _) => format!("{} requires `{text}`", universe.nevra(*package)),
        (None, Some(replaced)) => format!("{} cannot stay", universe.nevra(replaced)),
        (None, None) => "it satisfies what was asked for".to_owned(),
    }
}

fn why_gone(rules: &Rules<'_>, decision: &Decision, id: PackageId) -> String {
    let universe = rules.universe;
    for (literals, why) in rules.all() {
        let about = literals.iter().any(|literal| literal.package == id && !literal.there);
        // The rule that does not hold once the package is there as well.
        let broken = about
            && literals.iter().all(|literal| {
                let there = literal.package == id || decision.is_there(literal.package);
                there != literal.there
            });
        if !broken {
            continue;
        }
        match why {
            Why::Erase { aim } => {
                if let Some(Aim::Erase { text, .. }) = rules.aims.get(*aim) {
                    return format!("`{text}` was to be removed");
                }
            }
            Why::Requires { text, .. } => return format!("it requires `{text}`, which nothing provides any more"),
            Why::Conflicts { package, text, other } => {
                let other = if *package == id {
                    other.map(|other| universe.nevra(other))
                } else {
                    Some(universe.nevra(*package))
                };
                let other = other.unwrap_or_else(|| "what is to be there".to_owned());
                return format!("it cannot be beside {other} (conflict `{text}`)");
            }
            Why::Obsoletes { package, .. } => return format!("{} obsoletes it", universe.nevra(*package)),
            Why::SameName { left, right } => {
                let other = if *left == id { *right } else { *left };
                return format!("{} takes its place", universe.nevra(other));
            }
            _ => {}
        }
    }
    "it cannot be beside what was asked for".to_owned()
}

impl std::fmt::Display for Transaction {
    /// One line per package: what happens to it, from where, in whose place, and why.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.actions.is_empty() {
            return writeln!(f, "nothing to do");
        }
        for action in &self.actions {
            let mut line = format!("{:<9} {}", action.change.word(), action.package);
            if action.change != Change::Remove {
                write!(line, " from {}", action.repository)?;
            }
            if !action.replaces.is_empty() {
                write!(line, " in place of {}", action.replaces.join(", "))?;
            }
            writeln!(f, "{line}: {}", action.why)?;
        }
        Ok(())
    }
}
