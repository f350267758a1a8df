//! From recipes and what is known of the distribution to a plan.
//!
//! First which recipes are built: a worklist that only ever adds. Then, with all of them known, who answers each requirement: a
//! package of a recipe that is built, or else the distribution.

use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::Concrete;
use packager_recipe::diagnostic::{among, nearest};

use super::fault::PlanError;
use super::order::waves;
use super::ours::Ours;
use super::stand_in::{StandIn, stand_in};
use super::{Choice, Left, Link, Need, Plan, Provided, Provider, State, Step};
use crate::dependency::Dependency;
use crate::distribution::{Distribution, Offered};
use crate::met::{Met, UnmetError, capabilities, met};
use crate::repository::{Answer, Repository};

/// Plans the wanted packages (when none is named, all that are not built on request only) and what they need.
pub fn plan(recipes: &[Concrete], wanted: &[String], distribution: &Distribution) -> Result<Plan, PlanError> {
    let ours = Ours::new(recipes);
    let mut making = Making { ours: &ours, distribution, built: BTreeMap::new(), stand_ins: BTreeMap::new() };
    making.choose(wanted)?;
    let mut steps = Vec::new();
    for (name, reason) in &making.built {
        if let Some(recipe) = ours.recipe(name) {
            steps.push(making.step(recipe, reason)?);
        }
    }
    let provided = making.provided(&steps);
    let left = making.left(&provided);
    let (target, title) = (distribution.name().to_owned(), distribution.title().to_owned());
    Ok(Plan { target, distribution: title, waves: waves(steps)?, provided, left })
}

/// Why a recipe is built.
struct Reason {
    why: String,
    /// It is built although the distribution's package is enough elsewhere.
    although: Option<String>,
    /// Something links against it.
    linked: bool,
}

struct Making<'m, 'r> {
    ours: &'m Ours<'r>,
    distribution: &'m Distribution,
    built: BTreeMap<String, Reason>,
    /// Recipes that are not built, as long as nothing else asks for them.
    stand_ins: BTreeMap<String, (&'m Offered, String)>,
}

impl<'m, 'r> Making<'m, 'r> {
    /// Decides which recipes are built.
    fn choose(&mut self, wanted: &[String]) -> Result<(), PlanError> {
        let mut queue: Vec<(&'r Concrete, Reason)> = Vec::new();
        for name in wanted {
            let Some(recipe) = self.ours.called(name) else {
                let hint = among(name, self.ours.names());
                return Err(PlanError::UnknownPackage { name: name.clone(), hint });
            };
            // Who names a package wants it built.
            queue.push((recipe, Reason { why: format!("`{name}` was asked for"), although: None, linked: false }));
        }
        for recipe in self.ours.recipes() {
            if recipe.asked.is_some() || recipe.given.is_some() {
                // Nothing of the distribution's is what was asked for.
                let why = "its version or sources were asked for".to_owned();
                if wanted.is_empty() {
                    queue.push((recipe, Reason { why, although: None, linked: false }));
                }
                continue;
            }
            match stand_in(recipe, self.distribution) {
                StandIn::Enough { package, why } => {
                    self.stand_ins.insert(recipe.name.clone(), (package, why));
                }
                StandIn::No(_) if wanted.is_empty() && recipe.on_request.is_none() => {
                    queue.push((
                        recipe,
                        Reason { why: "all packages were asked for".to_owned(), although: None, linked: false },
                    ));
                }
                StandIn::No(_) => {}
            }
        }
        queue.reverse();
        while let Some((recipe, reason)) = queue.pop() {
            if self.built.contains_key(&recipe.name) {
                continue;
            }
            self.built.insert(recipe.name.clone(), reason);
            for need in self.needs(recipe)? {
                if let Provider::Recipe { recipe: other, .. } = &need.provider
                    && let Some(other) = self.ours.recipe(other)
                {
                    let why = format!("`{}` requires `{}`", need.package, need.requirement);
                    let although = self.stand_ins.get(&other.name).map(|(package, _)| {
                        format!("{}'s {} does not answer that", self.distribution.title(), package.described())
                    });
                    queue.push((other, Reason { why, although, linked: false }));
                }
            }
            for link in self.linked(recipe) {
                if let Some(other) = self.ours.recipe(&link.recipe) {
                    let why = format!("`{}` links against `{}`", recipe.name, link.package);
                    let although = self.stand_ins.get(&other.name).map(|(package, _)| {
                        format!(
                            "{}'s {} would be enough on a host, but a cross build sees packages of recipes only",
                            self.distribution.title(),
                            package.described()
                        )
                    });
                    queue.push((other, Reason { why, although, linked: true }));
                }
            }
        }
        Ok(())
    }

    /// Packages of other recipes that a recipe links against. Evaluation refuses names that no recipe builds.
    fn linked(&self, recipe: &Concrete) -> BTreeSet<Link> {
        let link = |name: &String| {
            let (other, _) = self.ours.owner(name).filter(|(other, _)| other.name != recipe.name)?;
            Some(Link { recipe: other.name.clone(), package: name.clone() })
        };
        recipe.libraries.iter().filter_map(link).collect()
    }

    fn step(&self, recipe: &Concrete, reason: &Reason) -> Result<Step, PlanError> {
        let linked = self.linked(recipe);
        let links: BTreeSet<&String> = linked.iter().map(|link| &link.recipe).collect();
        let not_instead = match (stand_in(recipe, self.distribution), &reason.although) {
            (StandIn::No(mut reasons), _) => {
                if reason.linked && !recipe.instead.is_empty() {
                    reasons.push("none would do here: a cross build sees packages of recipes only".to_owned());
                }
                reasons
            }
            (StandIn::Enough { .. }, Some(although)) => vec![although.clone()],
            (StandIn::Enough { why, .. }, None) => vec![format!("{why}, but {}", reason.why)],
        };
        Ok(Step {
            recipe: recipe.name.clone(),
            project: recipe.project.clone(),
            nvr: recipe.nvr(),
            evr: recipe.evr(),
            state: State::Built,
            packages: recipe.packages.iter().map(|package| package.name.clone()).collect(),
            provides: recipe.provided_names().map(str::to_owned).collect(),
            why: reason.why.clone(),
            not_instead,
            needs: self.needs(recipe)?,
            links: links.into_iter().cloned().collect(),
            linked: linked.into_iter().collect(),
            options: recipe.options.clone(),
            source: recipe.source_remark(),
            unseen: recipe.unseen().into_iter().map(str::to_owned).collect(),
        })
    }

    /// Everything that the packages of a recipe require, with who answers it as far as is decided.
    fn needs(&self, recipe: &Concrete) -> Result<Vec<Need>, PlanError> {
        let mut needs = Vec::new();
        for package in &recipe.packages {
            for written in package.requires.iter().chain(&package.requires_pre) {
                let text = recipe.expanded(written);
                let all = met(&text, &[self.ours, self.distribution])
                    .map_err(|fault| self.unmet(&recipe.name, &package.name, &text, fault))?;
                needs.extend(all.into_iter().map(|met| self.need(&package.name, &text, met)));
            }
        }
        needs.dedup();
        Ok(needs)
    }

    fn need(&self, package: &str, text: &str, met: Met) -> Need {
        let Met { part, answers } = met;
        let at = self.preferred(&answers);
        let taken = &answers[at];
        let choice = (answers.len() > 1).then(|| {
            let others = answers.iter().enumerate().filter(|(other, _)| *other != at);
            Choice {
                instead_of: others.map(|(_, answer)| self.described(answer)).collect(),
                why: self.preference(taken, &part),
            }
        });
        let requirement = part.to_string();
        let rich = text.starts_with('(').then(|| text.to_owned());
        Need { package: package.to_owned(), requirement, rich, provider: self.provider(taken), choice }
    }

    /// The first that is built or has nobody standing in for it; else the distribution's.
    fn preferred(&self, answers: &[Answer]) -> usize {
        let ours = |answer: &Answer| self.maker(answer);
        let built = |answer: &Answer| ours(answer).is_some_and(|recipe| self.built.contains_key(&recipe.name));
        let spare = |answer: &Answer| ours(answer).is_some_and(|recipe| !self.stand_ins.contains_key(&recipe.name));
        let first = |test: &dyn Fn(&Answer) -> bool| answers.iter().position(test);
        first(&built).or_else(|| first(&spare)).or_else(|| first(&|answer| ours(answer).is_none())).unwrap_or(0)
    }

    fn preference(&self, taken: &Answer, part: &Dependency) -> String {
        let named = matches!(part, Dependency::Capability(capability) if capability.name == taken.package);
        match self.maker(taken) {
            Some(recipe) => match self.built.get(&recipe.name) {
                Some(_) if named => format!("`{}` is built by a recipe and has the name", taken.package),
                _ => "packages of recipes go before the distribution's, then by name".to_owned(),
            },
            None => match self.stand_ins.values().find(|(package, _)| package.name == taken.package) {
                Some((_, why)) => why.clone(),
                None => "it is the first that the lock of the target lists".to_owned(),
            },
        }
    }

    fn maker(&self, answer: &Answer) -> Option<&'r Concrete> {
        self.ours.maker(&answer.package).filter(|_| answer.repository == self.ours.name())
    }

    fn described(&self, answer: &Answer) -> String {
        match self.maker(answer) {
            Some(recipe) => format!("{} {} of the recipe `{}`", answer.package, recipe.evr(), recipe.name),
            None => {
                let package = self.distribution.package(&answer.package).map(Offered::described);
                format!("{} of {}", package.unwrap_or_else(|| answer.package.clone()), self.distribution.title())
            }
        }
    }

    fn provider(&self, answer: &Answer) -> Provider {
        let package = answer.package.clone();
        match self.maker(answer) {
            Some(recipe) => Provider::Recipe { recipe: recipe.name.clone(), package },
            None => Provider::Distribution { package, capability: answer.capability.to_string() },
        }
    }

    fn unmet(&self, recipe: &str, package: &str, requirement: &str, fault: UnmetError) -> PlanError {
        let (package, requirement) = (package.to_owned(), requirement.to_owned());
        let missing = match fault {
            UnmetError::Unreadable(fault) => {
                let fault = Box::new(fault);
                return PlanError::Unreadable { recipe: recipe.to_owned(), package, requirement, fault };
            }
            UnmetError::Missing(missing) => missing,
        };
        let title = self.distribution.title();
        let mut there = Vec::new();
        let mut known_absent = None;
        let capabilities: Vec<_> = missing.iter().flat_map(capabilities).collect();
        for capability in &capabilities {
            there.extend(self.ours.offers(&capability.name));
            there.extend(self.distribution.offers(&capability.name).map(|offers| format!("{title} has {offers}")));
            known_absent =
                known_absent.or_else(|| Some((&capability.name, self.distribution.absent(&capability.name)?)));
        }
        let nobody = if missing.len() == 1 && missing[0].to_string() == requirement {
            format!("neither {title} nor a recipe is known to provide")
        } else {
            let parts: Vec<String> = missing.iter().map(|part| format!("`{part}`")).collect();
            format!("cannot be met: neither {title} nor a recipe is known to provide {}", parts.join(" or "))
        };
        let (cannot, hint) = if !there.is_empty() {
            let cannot = format!("{nobody}: {}", there.join("; "));
            (cannot, "ask for a version that is there, or raise the version of the recipe".to_owned())
        } else if let Some((name, from)) = known_absent {
            let cannot = format!("{nobody}: `{name}` is absent ({from})");
            (cannot, format!("write a recipe for `{name}`, or remove the requirement"))
        } else if let [capability] = capabilities.as_slice()
            && let Some(near) = nearest(&capability.name, self.ours.packages())
        {
            (nobody, format!("write `{near}`"))
        } else {
            let hint = "correct the requirement; if the distribution has it, run `packager targets sync` or add it to the target's \
                        `lock.yaml` (packager/docs/target-locks.md)";
            (nobody, hint.to_owned())
        };
        PlanError::Unprovided { package, requirement, cannot, hint }
    }

    /// The distribution's packages that answer something or stand in for a recipe.
    fn provided(&self, steps: &[Step]) -> Vec<Provided> {
        let mut provided: BTreeMap<String, Provided> = BTreeMap::new();
        let entry = |package: &Offered, why: String| Provided {
            package: package.name.clone(),
            evr: package.evr().map(str::to_owned),
            repository: package.repository.clone(),
            described: package.described(),
            known_from: package.from.clone(),
            stands_in_for: Vec::new(),
            why,
        };
        let used: BTreeSet<&String> = steps.iter().flat_map(|step| &step.needs).filter_map(distributions).collect();
        for (recipe, (package, why)) in &self.stand_ins {
            // What would not be built anyway is worth a word where something makes use of the other.
            let missed = self.ours.recipe(recipe).is_some_and(|recipe| recipe.on_request.is_none());
            if !self.built.contains_key(recipe) && (missed || used.contains(&package.name)) {
                let known = provided.entry(package.name.clone()).or_insert_with(|| entry(package, why.clone()));
                known.stands_in_for.push(recipe.clone());
            }
        }
        for need in steps.iter().flat_map(|step| &step.needs) {
            if let Some(package) = distributions(need).and_then(|package| self.distribution.package(package)) {
                let why = format!("`{}` requires `{}`", need.package, need.requirement);
                provided.entry(package.name.clone()).or_insert_with(|| entry(package, why));
            }
        }
        provided.into_values().collect()
    }

    /// The recipes that are not built, but for those that something of the distribution's stands in for.
    fn left(&self, provided: &[Provided]) -> Vec<Left> {
        let stood_in: BTreeSet<&String> = provided.iter().flat_map(|provided| &provided.stands_in_for).collect();
        let left = self.ours.recipes().filter(|recipe| !self.built.contains_key(&recipe.name));
        let left = left.filter(|recipe| !stood_in.contains(&recipe.name));
        left.map(|recipe| Left {
            recipe: recipe.name.clone(),
            project: recipe.project.clone(),
            evr: recipe.evr(),
            packages: recipe.packages.iter().map(|package| package.name.clone()).collect(),
            provides: recipe.provided_names().map(str::to_owned).collect(),
            why: match &recipe.on_request {
                Some(reason) => format!("it is built on request only: {reason}"),
                None => "nothing that was asked for needs it".to_owned(),
            },
            instead: match stand_in(recipe, self.distribution) {
                StandIn::Enough { why, .. } => vec![why],
                StandIn::No(reasons) => reasons,
            },
            source: recipe.source_remark(),
            unseen: recipe.unseen().into_iter().map(str::to_owned).collect(),
        })
        .collect()
    }
}

/// The package of the distribution that answers.
fn distributions(need: &Need) -> Option<&String> {
    match &need.provider {
        Provider::Distribution { package, .. } => Some(package),
        Provider::Recipe { .. } => None,
    }
}
