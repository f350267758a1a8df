//! The build plan: what is built for one target, in which wave, what the distribution provides, and why. Data with no choices left in it.
//!
//! `make` chooses, `order` puts builds into waves, `stand_in` says whether a package of the distribution makes a build unnecessary,
//! `installable` whether dnf could install the result. The rules are in packager/docs/plan.md.

mod fault;
mod installable;
mod make;
mod order;
mod ours;
mod stand_in;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use packager_recipe::concrete::Chosen;
use serde::Serialize;

pub use fault::PlanError;
pub use installable::{InstallError, installable};
pub use make::plan;

/// Who answers a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Provider {
    /// A recipe of ours.
    Recipe {
        /// Source package.
        recipe: String,
        /// Binary package.
        package: String,
    },
    /// The target distribution.
    Distribution {
        /// Binary package.
        package: String,
        /// The capability it offers.
        capability: String,
    },
}

/// A requirement of a package and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Which binary package needs it.
    pub package: String,
    /// The requirement; of a rich one, the part that is answered here.
    pub requirement: String,
    /// The whole requirement, when it is a rich one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rich: Option<String>,
    /// Who answers it.
    #[serde(flatten)]
    pub provider: Provider,
    /// Who could have, and why another one was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// One of several providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The others.
    pub instead_of: Vec<String>,
    /// Why this one.
    pub why: String,
}

/// A package of another recipe that is linked against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Link {
    /// The recipe.
    pub recipe: String,
    /// The package as the recipe names it.
    pub package: String,
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is built.
    Built,
    /// It was built before, from the same inputs.
    Cached,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Built => "built",
            State::Cached => "cached",
        })
    }
}

/// One source package to build.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Source package.
    pub recipe: String,
    /// What its makers call it, when the recipe has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `name-version-release` with dist tag.
    pub nvr: String,
    /// `version-release` with dist tag.
    pub evr: String,
    /// Whether it was built before; planning alone does not know.
    pub state: State,
    /// Binary packages.
    pub packages: Vec<String>,
    /// What these are also called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// Why it is in the plan.
    pub why: String,
    /// Why the distribution's packages do not make it unnecessary, where the recipe names some.
    pub not_instead: Vec<String>,
    /// What it needs at run time beside what its binaries will show.
    pub needs: Vec<Need>,
    /// Recipes whose packages it links against.
    pub links: Vec<String>,
    /// The packages of these.
    pub linked: Vec<Link>,
    /// What may be on or off, and which it is.
    pub options: Vec<Chosen>,
    /// What is out of the ordinary about its sources.
    pub source: Option<String>,
    /// Libraries of the distribution that a cross build does not see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// A package that the distribution provides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provided {
    /// Its name.
    pub package: String,
    /// `[epoch:]version[-release]`, when it is known.
    pub evr: Option<String>,
    /// Its repository, when it is known.
    pub repository: Option<String>,
    /// Name, version and repository in words.
    pub described: String,
    /// Where it is known from.
    pub known_from: String,
    /// The recipes that are not built because of it.
    pub stands_in_for: Vec<String>,
    /// Why it is taken.
    pub why: String,
}

/// A recipe that is not built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Source package.
    pub recipe: String,
    /// What its makers call it, when the recipe has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `version-release` with dist tag.
    pub evr: String,
    /// Binary packages.
    pub packages: Vec<String>,
    /// What these are also called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// Why it is not built.
    pub why: String,
    /// What the distribution has of it, where the recipe names packages.
    pub instead: Vec<String>,
    /// What is out of the ordinary about its sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Libraries of the distribution that a cross build does not see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// What is built for one target. Steps of one wave do not need each other.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// `<distribution>-<release>-<arch>`.
    pub target: String,
    /// The distribution for people.
    pub distribution: String,
    /// In order.
    pub waves: Vec<Vec<Step>>,
    /// By name.
    pub provided: Vec<Provided>,
    /// The other recipes, by name.
    pub left: Vec<Left>,
}

impl Plan {
    /// All steps, with the number of their wave from 1.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        (1..).zip(&self.waves).flat_map(|(number, wave)| wave.iter().map(move |step| (number, step)))
    }

    /// The step that a person means, by the same names as those by which it is asked for.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<(usize, &Step)> {
        called(
            name,
            self.steps().map(|(wave, step)| {
                let project = step.project.as_deref().into_iter().collect();
                ((wave, step), [words(&step.packages), vec![step.recipe.as_str()], project, words(&step.provides)])
            }),
        )
    }

    /// The recipe that is not built and that a person means, by the same names.
    #[must_use]
    pub fn left(&self, name: &str) -> Option<&Left> {
        called(
            name,
            self.left.iter().map(|left| {
                let project = left.project.as_deref().into_iter().collect();
                (left, [words(&left.packages), vec![left.recipe.as_str()], project, words(&left.provides)])
            }),
        )
    }

    /// The packages a person installs of what was asked for: of a recipe those that are not for compiling, if there are others; else what has or
    /// provides the name.
    /// When nothing was named, those of recipes that no other one links against. dnf adds what they require.
    #[must_use]
    pub fn to_install<'p>(&'p self, asked: &'p [String]) -> Vec<&'p str> {
        let running = |step: &'p Step| {
            let (compiling, running): (Vec<&str>, Vec<&str>) =
                words(&step.packages).into_iter().partition(|name| name.ends_with("-devel"));
            if running.is_empty() { compiling } else { running }
        };
        let mut packages = Vec::new();
        if asked.is_empty() {
            let linked: BTreeSet<&String> = self.steps().flat_map(|(_, step)| &step.links).collect();
            let tops = self.steps().filter(|(_, step)| !linked.contains(&step.recipe));
            packages.extend(tops.flat_map(|(_, step)| running(step)));
        }
        for name in asked {
            let Some((_, step)) = self.step(name) else { continue };
            let own = step.packages.contains(name) || step.provides.contains(name);
            match *name == step.recipe || !own {
                true => packages.extend(running(step)),
                false => packages.push(name),
            }
        }
        let mut seen = BTreeSet::new();
        packages.retain(|package| seen.insert(*package));
        packages
    }
}

fn words(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// What a person means by a name: the first whose package has it, else whose recipe, else what its makers call it, else what a package provides.
fn called<'n, T>(name: &str, all: impl Iterator<Item = (T, [Vec<&'n str>; 4])>) -> Option<T> {
    all.filter_map(|(one, names)| Some((names.iter().position(|names| names.contains(&name))?, one)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, one)| one)
}
