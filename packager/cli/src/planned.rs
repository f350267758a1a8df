//! What is built for a target, in which order, and from which sources: the plan over all recipes, and the archives that it needs.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use packager_build::schedule::AfterFailure;
use packager_recipe::{Concrete, Target};
use packager_resolve::plan::{PlanError, installable};
use packager_resolve::{Distribution, Plan, plan};
use packager_source::stop::unless_interrupted;

use crate::given::Given;
use crate::places::Places;
use crate::progress::Line;
use crate::report::say;
use crate::world::{Ready, Sources, archives, ready, written};

/// The plan for packages of a target, and what it needs in the order of building.
pub(crate) fn planned(
    places: &Places,
    target: &Target,
    wanted: &[String],
    given: &Given,
) -> Result<(Plan, Vec<Ready>)> {
    let ready = ready(places, target, given)?;
    let recipes: Vec<Concrete> = ready.iter().map(|ready| ready.recipe.clone()).collect();
    let plan = match plan(&recipes, wanted, &Distribution::new(target)) {
        Ok(plan) => plan,
        Err(error) => return Err(located(places, error)?),
    };
    installable(&plan, &recipes, target)?;
    let mut ordered: Vec<Ready> = Vec::new();
    let mut rest = ready;
    for step in plan.waves.iter().flatten() {
        let at = rest.iter().position(|ready| ready.recipe.name == step.recipe).context("a step without a recipe")?;
        let mut ready = rest.swap_remove(at);
        // What a library links against is needed too when something links against the library.
        let further = ordered.iter().filter(|done| step.links.contains(&done.recipe.name)).flat_map(|done| &done.links);
        let links: BTreeSet<&String> = step.links.iter().chain(further).collect();
        ready.links = links.into_iter().cloned().collect();
        ordered.push(ready);
    }
    Ok((plan, ordered))
}

/// What failed, by recipe.
pub(crate) type Faults = Vec<(String, anyhow::Error)>;

/// As [`planned`], with the archives of upstream releases fetched.
pub(crate) fn fetched(
    places: &Places,
    target: &Target,
    wanted: &[String],
    given: &Given,
) -> Result<(Plan, Vec<Ready>)> {
    let (plan, ready, faults) = fetched_with_faults(places, target, wanted, given, AfterFailure::Stop)?;
    match faults.into_iter().next() {
        Some((_, fault)) => Err(fault),
        None => Ok((plan, ready)),
    }
}

/// As [`fetched`], with the recipes whose archive cannot be had, and why.
pub(crate) fn fetched_with_faults(
    places: &Places,
    target: &Target,
    wanted: &[String],
    given: &Given,
    after_failure: AfterFailure,
) -> Result<(Plan, Vec<Ready>, Faults)> {
    let (plan, ready) = planned(places, target, wanted, given)?;
    let mut faults = Vec::new();
    let mut other = false;
    for ready in &ready {
        match fetch(places, ready, given) {
            Ok(another) => other |= another,
            Err(error) => {
                unless_interrupted()?;
                faults.push((ready.recipe.name.clone(), error));
                if after_failure == AfterFailure::Stop {
                    break;
                }
            }
        }
    }
    // Which copy was had decides names in the spec.
    if other {
        let (plan, ready) = planned(places, target, wanted, given)?;
        return Ok((plan, ready, faults));
    }
    Ok((plan, ready, faults))
}

/// Has the archive of a recipe at hand. Whether it is another copy than the plan was made with.
fn fetch(places: &Places, ready: &Ready, given: &Given) -> Result<bool> {
    if let Sources::Workspace(workspace) = &ready.sources
        && workspace.cut
    {
        say!(
            "packager: warning: the clone `{}` ends before the last change of the sources of `{}`: their time, and every byte that follows \
             from it, depends on its depth; `git fetch --unshallow` mends it",
            workspace.root.display(),
            ready.recipe.name
        );
    }
    let Sources::Copies(copies) = &ready.sources else { return Ok(false) };
    if copies.is_empty() {
        let name = &ready.recipe.name;
        bail!(
            "no archive of `{name}` {} is locked: its hash is not known\nhint: give the sources with `--source {name}=PATH`",
            ready.recipe.version
        );
    }
    let archives = archives(places);
    let right = match archives.verified(copies) {
        Some(right) => right,
        None => {
            let line = Line::begin(&ready.recipe.nvr());
            line.step("fetching the sources");
            let right = archives.fetch(copies, given.offline()).with_context(|| ready.recipe.name.clone())?;
            line.end("sources fetched");
            right
        }
    };
    given.remember(&ready.recipe.name, right);
    let planned = ready.recipe.archive.as_ref().and_then(|archive| archive.sha256.as_ref());
    Ok(planned != Some(&copies[right].sha256))
}

/// A requirement that nobody meets, with the place where a recipe has it.
fn located(places: &Places, error: PlanError) -> Result<anyhow::Error> {
    let (PlanError::Unprovided { package, requirement, .. } | PlanError::Unreadable { package, requirement, .. }) =
        &error
    else {
        return Ok(error.into());
    };
    let text = error.to_string();
    let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
    for written in written(places)? {
        let entries = written.recipe.packages.get(package).into_iter().flat_map(|package| &package.requires);
        if let Some(entry) = entries.into_iter().find(|entry| entry.value.trim() == requirement) {
            return Ok(written.page().at(entry, message, Some(hint.to_owned())).into());
        }
    }
    Ok(error.into())
}
