//! Operations that build nothing: targets, plan, spec.

use anyhow::{Result, bail};
use packager_resolve::plan::Provider;
use serde_json::json;

use crate::arguments::{PlanOptions, Which};
use crate::places::Places;
use crate::report::{Report, table};
use crate::world;

/// `targets list`.
pub(crate) fn targets(places: &Places) -> Result<Report> {
    let mut rows = vec![["TARGET", "TITLE", "DIST", "GLIBC", "RPM"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for name in world::target_names(places)? {
        let target = world::target(places, &name)?;
        let profile = &target.profile;
        rows.push(vec![name, profile.title.clone(), profile.dist.clone(), profile.glibc.clone(), profile.rpm.clone()]);
        values.push(serde_json::to_value(&target)?);
    }
    Ok(Report::new(table(&rows), json!(values)))
}

/// `targets show`.
pub(crate) fn target(places: &Places, name: &str) -> Result<Report> {
    let target = world::target(places, name)?;
    let profile = &target.profile;
    let rows = [
        ("target", target.name.as_str()),
        ("title", &profile.title),
        ("vendor", &profile.vendor),
        ("dist tag", &profile.dist),
        ("glibc floor", &profile.glibc),
        ("GLIBCXX floor", &profile.glibcxx),
        ("CXXABI floor", &profile.cxxabi),
        ("rpm", &profile.rpm),
        ("processor", target.cpu()),
        ("binary payload", &profile.binary_payload),
        ("source payload", &profile.source_payload),
        ("build-id links", &profile.build_id_links),
    ]
    .map(|(name, value)| vec![name.to_owned(), value.to_owned()]);
    let mut text = table(&rows);
    text.push_str("offers\n");
    for capability in &profile.provides {
        text.push_str(&format!("  {capability}\n"));
    }
    text.push_str("  and what follows from its glibc\n");
    let mut value = serde_json::to_value(&target)?;
    value["capabilities"] = json!(target.capabilities());
    Ok(Report::new(text, value))
}

/// `plan`.
pub(crate) fn plan(places: &Places, options: &PlanOptions) -> Result<Report> {
    let target = world::target(places, &options.which.target)?;
    let (plan, _) = world::planned(places, &target, &options.which.packages)?;
    let mut text = String::new();
    for (number, wave) in plan.waves.iter().enumerate() {
        for step in wave {
            let explained = options.explain.as_ref();
            if explained.is_some_and(|package| !step.packages.contains(package)) {
                continue;
            }
            text.push_str(&format!(
                "wave {}: {}: {}\n  because {}\n",
                number + 1,
                step.nvr,
                step.packages.join(", "),
                step.why
            ));
            for option in &step.options {
                let state = if option.on { "on" } else { "off" };
                text.push_str(&format!("  {} {state}: {}\n", option.name, option.why));
            }
            for recipe in &step.links {
                text.push_str(&format!("  links against the packages of `{recipe}`\n"));
            }
            for need in step.needs.iter().filter(|need| explained.is_none_or(|package| need.package == *package)) {
                let from = match &need.provider {
                    Provider::Recipe { recipe, package } => format!("`{package}` of the recipe `{recipe}`"),
                    Provider::Distribution { capability } => format!("`{capability}` of {}", target.profile.title),
                };
                text.push_str(&format!("  {} needs {}: from {from}\n", need.package, need.requirement));
            }
        }
    }
    if text.is_empty() {
        bail!("the plan has no package `{}`", options.explain.as_deref().unwrap_or_default());
    }
    Ok(Report::new(text, serde_json::to_value(&plan)?))
}

/// `spec`.
pub(crate) fn spec(places: &Places, which: &Which) -> Result<Report> {
    let target = world::target(places, &which.target)?;
    let (_, ready) = world::planned(places, &target, &which.packages)?;
    let text = ready.iter().map(|ready| ready.spec.as_str()).collect::<Vec<_>>().join("\n");
    let specs: serde_json::Map<_, _> =
        ready.iter().map(|ready| (ready.recipe.name.clone(), json!(ready.spec))).collect();
    Ok(Report::new(text, json!(specs)))
}
