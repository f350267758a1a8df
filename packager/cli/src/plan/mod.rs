//! `plan`: what would be built, and why, for people, programs and pictures. The plan itself is made in packager/resolve.

mod dot;
mod explain;
mod graph;
mod svg;
mod tree;

use anyhow::{Result, bail};
use packager_recipe::diagnostic::nearest;
use packager_resolve::plan::State;
use packager_resolve::{Distribution, Plan};

use crate::arguments::{PlanFormat, PlanOptions};
use crate::build;
use crate::given::Given;
use crate::places::Places;
use crate::planned;
use crate::report::Report;
use crate::world;

/// What becomes of a recipe that needs libraries of the distribution.
const UNSEEN: &str = "a cross build does not see them; `--buildroot host` and `mock` do, and so does who builds its source package there";

/// `plan`.
pub(crate) fn plan(places: &Places, options: &PlanOptions) -> Result<Report> {
    let target = world::target(places, &options.which.target)?;
    let (mut plan, ready) =
        planned::planned(places, &target, &options.which.packages, &Given::parse(&options.which.sources, false)?)?;
    // Without the tools of a build nobody can say what is in the store; the plan is the same.
    let unknown = match build::cached(places, &target, &ready) {
        Ok(cached) => {
            for step in plan.waves.iter_mut().flatten().filter(|step| cached.contains(&step.recipe)) {
                step.state = State::Cached;
            }
            None
        }
        Err(error) => Some(format!("what was built before is not known: {error}")),
    };
    let text = match (&options.explain, options.format) {
        (Some(name), _) => match explain::explain(&plan, &Distribution::new(&target), name) {
            Some(text) => text,
            None => bail!("nobody knows a package `{name}` here\nhint: {}", near(&plan, name)),
        },
        (None, PlanFormat::Tree) => tree::tree(&plan, unknown.as_deref()),
        (None, PlanFormat::Json) => format!("{:#}\n", serde_json::to_value(&plan)?),
        (None, PlanFormat::Dot) => dot::dot(&plan),
        (None, PlanFormat::Svg) => svg::svg(&plan),
    };
    Ok(Report::new(text, serde_json::to_value(&plan)?))
}

fn near(plan: &Plan, name: &str) -> String {
    let built = plan.steps().flat_map(|(_, step)| step.packages.iter().chain([&step.recipe]).chain(&step.project));
    let left = plan.left.iter().flat_map(|left| left.packages.iter().chain([&left.recipe]).chain(&left.project));
    let provided = plan.provided.iter().map(|provided| &provided.package);
    let mut known: Vec<&str> = built.chain(left).chain(provided).map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("write `{near}`"),
        None => format!("it has {}", known.join(", ")),
    }
}

/// `1 wave`, `2 waves`.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
