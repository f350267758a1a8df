//! The build plan: what is built for one target, in which wave, and why. Data with no choices left in it.

use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::Concrete;
use packager_recipe::concrete::Chosen;
use serde::Serialize;

use crate::capability::Capability;

/// Something that can answer requirements.
pub trait Repository {
    /// For messages: `openeuler-22.03-aarch64`.
    fn name(&self) -> &str;
    /// The provided capability that answers the requirement.
    fn provider(&self, requirement: &Capability) -> Option<Capability>;
}

/// A list of capabilities under a name.
#[derive(Debug, Clone)]
pub struct CapabilityList {
    name: String,
    provides: BTreeMap<String, Vec<Capability>>,
}

impl CapabilityList {
    /// Takes capabilities as rpm writes them.
    #[must_use]
    pub fn new(name: &str, provides: impl IntoIterator<Item = String>) -> CapabilityList {
        let mut by_name: BTreeMap<String, Vec<Capability>> = BTreeMap::new();
        for capability in provides.into_iter().map(|text| Capability::parse(&text)) {
            by_name.entry(capability.name.clone()).or_default().push(capability);
        }
        CapabilityList { name: name.to_owned(), provides: by_name }
    }
}

impl Repository for CapabilityList {
    fn name(&self) -> &str {
        &self.name
    }

    fn provider(&self, requirement: &Capability) -> Option<Capability> {
        self.provides.get(&requirement.name)?.iter().find(|provided| provided.satisfies(requirement)).cloned()
    }
}

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
        /// The capability it offers.
        capability: String,
    },
}

/// A requirement of a package and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Which binary package needs it.
    pub package: String,
    /// The requirement.
    pub requirement: String,
    /// Who answers it.
    #[serde(flatten)]
    pub provider: Provider,
}

/// One source package to build.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Source package.
    pub recipe: String,
    /// `name-version-release` with dist tag.
    pub nvr: String,
    /// Binary packages.
    pub packages: Vec<String>,
    /// Why it is built.
    pub why: String,
    /// What it needs at run time beside what its binaries will show.
    pub needs: Vec<Need>,
    /// Recipes whose packages it links against.
    pub links: Vec<String>,
    /// What may be on or off, and which it is.
    pub options: Vec<Chosen>,
    /// What is out of the ordinary about its sources.
    pub source: Option<String>,
}

/// What is built for one target. Steps of one wave do not need each other.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// `<distribution>-<release>-<arch>`.
    pub target: String,
    /// In order.
    pub waves: Vec<Vec<Step>>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// Nobody has this name.
    #[error("no recipe builds a package `{name}`\nhint: known packages: {known}")]
    UnknownPackage {
        /// As asked for.
        name: String,
        /// All binary packages.
        known: String,
    },
    /// Nobody provides this.
    #[error(
        "`{package}` requires `{requirement}`, which neither `{target}` nor a recipe provides\nhint: correct the requirement, \
         or add the capability to `provides:` of the target profile if the distribution has it"
    )]
    Unprovided {
        /// Who asks.
        package: String,
        /// For what.
        requirement: String,
        /// On which target.
        target: String,
    },
    /// Recipes that need each other.
    #[error("recipes need each other: {0}\nhint: split one of them")]
    Cycle(String),
}

/// Plans the wanted packages (when none is named, all that are not built on request only) and what they need.
pub fn plan(recipes: &[Concrete], wanted: &[String], distribution: &dyn Repository) -> Result<Plan, PlanError> {
    let owner = owners(recipes);
    let mut queue: Vec<(&Concrete, String)> = Vec::new();
    if wanted.is_empty() {
        let all = recipes.iter().filter(|recipe| !recipe.on_request);
        queue.extend(all.map(|recipe| (recipe, "all packages were asked for".to_owned())));
    }
    for name in wanted {
        let recipe = owner.get(name.as_str()).ok_or_else(|| PlanError::UnknownPackage {
            name: name.clone(),
            known: owner.keys().copied().collect::<Vec<_>>().join(", "),
        })?;
        queue.push((recipe, format!("`{name}` was asked for")));
    }
    let mut steps: BTreeMap<String, (Step, BTreeSet<String>)> = BTreeMap::new();
    while let Some((recipe, why)) = queue.pop() {
        if steps.contains_key(&recipe.name) {
            continue;
        }
        let needs = needs_of(recipe, &owner, distribution)?;
        let mut before = BTreeSet::new();
        for need in &needs {
            if let Provider::Recipe { recipe: other, package } = &need.provider
                && *other != recipe.name
            {
                before.insert(other.clone());
                queue.push((owner[package.as_str()], format!("`{}` requires `{}`", need.package, need.requirement)));
            }
        }
        let mut links = BTreeSet::new();
        for library in &recipe.libraries {
            // Evaluation refuses names that no recipe builds.
            if let Some(other) = owner.get(library.as_str()).filter(|other| other.name != recipe.name) {
                links.insert(other.name.clone());
                queue.push((other, format!("`{}` links against `{library}`", recipe.name)));
            }
        }
        before.extend(links.iter().cloned());
        let packages = recipe.packages.iter().map(|package| package.name.clone()).collect();
        let (links, options) = (links.into_iter().collect(), recipe.options.clone());
        let (name, nvr, source) = (recipe.name.clone(), recipe.nvr(), recipe.source_remark());
        let step = Step { recipe: name, nvr, packages, why, needs, links, options, source };
        steps.insert(recipe.name.clone(), (step, before));
    }
    Ok(Plan { target: distribution.name().to_owned(), waves: waves(steps)? })
}

/// Who builds a package, by its name and by the further names it provides.
fn owners(recipes: &[Concrete]) -> BTreeMap<&str, &Concrete> {
    let mut owners = BTreeMap::new();
    for recipe in recipes {
        for package in &recipe.packages {
            owners.insert(package.name.as_str(), recipe);
            for provided in &package.provides {
                owners.insert(provided.split(' ').next().unwrap_or_default(), recipe);
            }
        }
    }
    owners
}

fn needs_of(
    recipe: &Concrete,
    owner: &BTreeMap<&str, &Concrete>,
    distribution: &dyn Repository,
) -> Result<Vec<Need>, PlanError> {
    let mut needs = Vec::new();
    for package in &recipe.packages {
        for text in package.requires.iter().chain(&package.requires_pre) {
            // `name%{?_isa} = %{version}-%{release}` is ours by construction.
            let name = text.split(['%', ' ']).next().unwrap_or_default();
            let provider = match owner.get(name) {
                Some(other) => Provider::Recipe { recipe: other.name.clone(), package: name.to_owned() },
                None => match distribution.provider(&Capability::parse(text)) {
                    Some(capability) => Provider::Distribution { capability: capability.to_string() },
                    None => {
                        return Err(PlanError::Unprovided {
                            package: package.name.clone(),
                            requirement: text.clone(),
                            target: distribution.name().to_owned(),
                        });
                    }
                },
            };
            needs.push(Need { package: package.name.clone(), requirement: text.clone(), provider });
        }
    }
    Ok(needs)
}

/// Kahn's algorithm, a wave at a time.
fn waves(mut steps: BTreeMap<String, (Step, BTreeSet<String>)>) -> Result<Vec<Vec<Step>>, PlanError> {
    let mut waves = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    while !steps.is_empty() {
        let ready: Vec<String> =
            steps.iter().filter(|(_, (_, before))| before.is_subset(&done)).map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            return Err(PlanError::Cycle(steps.keys().cloned().collect::<Vec<_>>().join(", ")));
        }
        waves.push(ready.iter().filter_map(|name| steps.remove(name)).map(|(step, _)| step).collect());
        done.extend(ready);
    }
    Ok(waves)
}
