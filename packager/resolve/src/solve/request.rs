//! What is asked for, and the way from there to the answer.

use super::conflict::{self, Conflict};
use super::decide::Decision;
use super::rules::Rules;
use super::transaction::{self, Transaction};
use crate::dependency::Dependency;
use crate::fault::ParseError;
use crate::universe::{PackageId, Universe};

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// A package or capability is to be there: `name`, `name.arch`, `name-evr[.arch]`, `name >= evr`, a capability, a path, or a rich dependency.
    Install(String),
    /// Installed packages are to go.
    Erase(String),
    /// Installed packages are to be as new as possible.
    Update(String),
    /// Everything installed is to be as new as possible.
    UpdateAll,
}

/// All wishes, and how far one may go for them.
#[derive(Debug, Clone)]
pub struct Request {
    /// In order of importance.
    pub goals: Vec<Goal>,
    /// Installed packages that stand in the way may be removed.
    pub allow_erasing: bool,
    /// Recommended and supplementing packages are installed too.
    pub weak: bool,
}

impl Request {
    /// With weak dependencies, and without removing what stands in the way.
    #[must_use]
    pub fn new(goals: Vec<Goal>) -> Request {
        Request { goals, allow_erasing: false, weak: true }
    }
}

/// Why there is no transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A goal that cannot be read.
    #[error(
        "cannot read what to {verb}: {fault}\nhint: write a name, `name >= version`, a capability, a path or a rich dependency"
    )]
    Goal {
        /// `install`, `erase` or `update`.
        verb: &'static str,
        /// What is wrong with it.
        fault: ParseError,
    },
    /// Nobody has it.
    #[error("nobody provides `{wanted}`\nhint: {hint}")]
    Nobody {
        /// As asked for.
        wanted: String,
        /// What there is instead.
        hint: String,
    },
    /// It is not there.
    #[error("no installed package is `{wanted}`\nhint: {hint}")]
    NotInstalled {
        /// As asked for.
        wanted: String,
        /// What there is instead.
        hint: String,
    },
    /// The goals contradict the packages or each other.
    #[error("{0}")]
    Conflict(Conflict),
}

/// A goal, with the packages it is about.
#[derive(Debug, Clone)]
pub(crate) enum Aim {
    /// One of these; or, for a rich dependency, its clauses.
    Install { text: String, clauses: super::logic::Clauses },
    /// None of these.
    Erase { text: String, packages: Vec<PackageId> },
    /// These are to be updated.
    Update { packages: Vec<PackageId> },
}

/// Runs that follow a better choice; each one replaces a choice that turned out to be unneeded, so few are ever taken.
const RUNS_MAX: usize = 16;

/// What the request does to the installed packages of the universe.
pub fn resolve(universe: &Universe, request: &Request) -> Result<Transaction, RequestError> {
    let aims = request.goals.iter().map(|goal| aim(universe, goal)).collect::<Result<Vec<_>, _>>()?;
    let rules = Rules::new(universe, request, &aims);
    let mut better = Vec::new();
    let mut best = None;
    for _ in 0..RUNS_MAX {
        let Some(decision) = Decision::make(&rules, &better) else {
            // Decisions keep everything satisfiable, so only the first run can find a contradiction.
            return match best {
                Some(decision) => Ok(transaction::of(&rules, &decision)),
                None => Err(RequestError::Conflict(conflict::explain(&rules))),
            };
        };
        let improvement = decision.improvement(&better);
        best = Some(decision);
        match improvement {
            Some(improvement) => better.push(improvement),
            None => break,
        }
    }
    let decision = best.expect("at least one run, and each one returns or decides");
    Ok(transaction::of(&rules, &decision))
}

fn aim(universe: &Universe, goal: &Goal) -> Result<Aim, RequestError> {
    match goal {
        Goal::UpdateAll => Ok(Aim::Update { packages: universe.installed().to_vec() }),
        Goal::Install(text) => {
            let dependency = read("install", text)?;
            let nobody = || RequestError::Nobody { wanted: text.clone(), hint: instead(universe, &dependency) };
            let packages = universe.meant(text, &dependency);
            let clauses = if matches!(dependency, Dependency::Capability(_)) {
                let runs = |id: &PackageId| universe.arch_rank(*id).is_some() || universe.is_installed(*id);
                if packages.is_empty() {
                    return Err(nobody());
                }
                if !packages.iter().any(runs) {
                    return Err(RequestError::Nobody { wanted: text.clone(), hint: foreign(universe, &packages) });
                }
                vec![packages.into_iter().map(|package| super::logic::Literal { package, there: true }).collect()]
            } else {
                super::logic::clauses(universe, &dependency, true).map_err(|_| RequestError::Goal {
                    verb: "install",
                    fault: ParseError::new(text, 0, "a dependency of at most 4096 combinations"),
                })?
            };
            if clauses.iter().any(Vec::is_empty) {
                return Err(nobody());
            }
            Ok(Aim::Install { text: text.clone(), clauses })
        }
        Goal::Erase(text) => {
            let dependency = read("erase", text)?;
            let packages = universe.meant(text, &dependency);
            if packages.iter().any(|id| universe.is_installed(*id)) {
                return Ok(Aim::Erase { text: text.clone(), packages });
            }
            Err(not_installed(universe, text))
        }
        Goal::Update(text) => {
            let dependency = read("update", text)?;
            let mut packages = universe.meant(text, &dependency);
            // `update a-2` is about the installed `a`, whatever its version.
            let names: Vec<&str> = packages.iter().map(|id| universe.package(*id).name.as_str()).collect();
            packages = universe
                .installed()
                .iter()
                .copied()
                .filter(|id| names.contains(&universe.package(*id).name.as_str()))
                .collect();
            if packages.is_empty() {
                return Err(not_installed(universe, text));
            }
            Ok(Aim::Update { packages })
        }
    }
}

fn read(verb: &'static str, text: &str) -> Result<Dependency, RequestError> {
    Dependency::parse(text).map_err(|fault| RequestError::Goal { verb, fault })
}

fn not_installed(universe: &Universe, text: &str) -> RequestError {
    let names = universe.installed().iter().map(|id| universe.package(*id).name.as_str());
    let hint = match packager_recipe::diagnostic::nearest(text, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a package that is installed".to_owned(),
    };
    RequestError::NotInstalled { wanted: text.to_owned(), hint }
}

/// What there is in place of a capability that nobody provides.
fn instead(universe: &Universe, dependency: &Dependency) -> String {
    let Dependency::Capability(capability) = dependency else {
        return "leave out the parts that nobody provides".to_owned();
    };
    let offers = universe.offers(&capability.name);
    if offers.is_empty() {
        let names = universe.all().map(|id| universe.package(id).name.as_str());
        return match packager_recipe::diagnostic::nearest(&capability.name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add a repository that has it".to_owned(),
        };
    }
    conflict::offered(universe, &offers)
}

fn foreign(universe: &Universe, packages: &[PackageId]) -> String {
    let nevras: Vec<String> = packages.iter().take(3).map(|id| universe.nevra(*id)).collect();
    format!("there is {}, which a machine of {} does not run", nevras.join(", "), universe.arch())
}
