//! What is built for a target, in which order, and from which sources: the plan over all recipes, and the archives that it needs.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use packager_recipe::{Concrete, Target};
use packager_resolve::plan::{PlanError, installable};
use packager_resolve::{Distribution, Plan, plan};

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

/// As [`planned`], with the archives of upstream releases fetched.
pub(crate) fn fetched(
    places: &Places,
    target: &Target,
    wanted: &[String],
    given: &Given,
) -> Result<(Plan, Vec<Ready>)> {
    let (plan, ready) = planned(places, target, wanted, given)?;
    let archives = archives(places);
    let mut other = false;
    for ready in &ready {
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
        let Sources::Copies(copies) = &ready.sources else { continue };
        if copies.is_empty() {
            let name = &ready.recipe.name;
            bail!(
                "no archive of `{name}` {} is locked: its hash is not known\nhint: give the sources with `--source {name}=PATH`",
                ready.recipe.version
            );
        }
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
        let planned = ready.recipe.archive.as_ref().and_then(|archive| archive.sha256.as_ref());
        other |= planned != Some(&copies[right].sha256);
        given.remember(&ready.recipe.name, right);
    }
    // Which copy was had decides names in the spec.
    if other { planned(places, target, wanted, given) } else { Ok((plan, ready)) }
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
