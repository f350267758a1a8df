//! The order of builds: waves of which none needs a later one, or a circle, named.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::PlanError;
use super::{Provider, Step};

/// What must be built before a recipe, and why.
type Before = BTreeMap<String, String>;

/// Kahn's algorithm, a wave at a time.
pub(super) fn waves(steps: Vec<Step>) -> Result<Vec<Vec<Step>>, PlanError> {
    let mut left: BTreeMap<String, (Before, Step)> =
        steps.into_iter().map(|step| (step.recipe.clone(), (before(&step), step))).collect();
    let mut waves = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    while !left.is_empty() {
        let ready: Vec<String> = left
            .iter()
            .filter(|(_, (before, _))| before.keys().all(|other| done.contains(other)))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            return Err(PlanError::Cycle(circle(&left)));
        }
        waves.push(ready.iter().filter_map(|name| left.remove(name)).map(|(_, step)| step).collect());
        done.extend(ready);
    }
    Ok(waves)
}

fn before(step: &Step) -> Before {
    let mut before = Before::new();
    for link in &step.linked {
        before.insert(
            link.recipe.clone(),
            format!("`{}` links against `{}` of `{}`", step.recipe, link.package, link.recipe),
        );
    }
    for need in &step.needs {
        if let Provider::Recipe { recipe, .. } = &need.provider
            && *recipe != step.recipe
        {
            let why =
                || format!("`{}` of `{}` requires `{}` of `{recipe}`", need.package, step.recipe, need.requirement);
            before.entry(recipe.clone()).or_insert_with(why);
        }
    }
    before
}

/// Walks from what is left to what it waits for until a recipe comes again: everything that is left waits for something that is left.
fn circle(left: &BTreeMap<String, (Before, Step)>) -> Vec<String> {
    let mut way: Vec<(&str, &str)> = Vec::new();
    let mut at = left.keys().next().map_or("", String::as_str);
    loop {
        if let Some(first) = way.iter().position(|(recipe, _)| *recipe == at) {
            return way[first..].iter().map(|(_, why)| (*why).to_owned()).collect();
        }
        let next = left.get(at).and_then(|(before, _)| before.iter().find(|(other, _)| left.contains_key(*other)));
        let Some((next, why)) = next else { return Vec::new() };
        way.push((at, why));
        at = next;
    }
}
