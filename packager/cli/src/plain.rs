//! Operations that build nothing: targets, plan, spec, check.

use std::path::PathBuf;

use anyhow::{Result, bail};
use packager_resolve::plan::Provider;
use packager_rpm::{Inspected, check as gates, lint};
use serde_json::json;

use crate::arguments::{CheckOptions, PlanOptions, Which};
use crate::given::Given;
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
    let (plan, _) =
        world::planned(places, &target, &options.which.packages, &Given::parse(&options.which.sources, false)?)?;
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
            if let Some(source) = &step.source {
                text.push_str(&format!("  sources: {source}\n"));
            }
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
    let (_, ready) = world::planned(places, &target, &which.packages, &Given::parse(&which.sources, false)?)?;
    let text = ready.iter().map(|ready| ready.spec.as_str()).collect::<Vec<_>>().join("\n");
    let specs: serde_json::Map<_, _> =
        ready.iter().map(|ready| (ready.recipe.name.clone(), json!(ready.spec))).collect();
    Ok(Report::new(text, json!(specs)))
}

/// `check`.
pub(crate) fn check(places: &Places, options: &CheckOptions) -> Result<Report> {
    let target = world::target(places, &options.target)?;
    let packages = options.packages.iter().map(|path| Inspected::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut findings = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for ready in world::ready(places, &target, &Given::default())? {
        let source = format!("{}-{}-", ready.recipe.name, ready.recipe.version);
        let ours: Vec<&Inspected> = packages.iter().filter(|package| package.source_rpm.starts_with(&source)).collect();
        let files: Vec<PathBuf> = ours.iter().map(|package| package.path.clone()).collect();
        if ours.is_empty() {
            continue;
        }
        seen.extend(files.iter().cloned());
        let mut found = gates(ours, &packages, &ready.recipe, &target);
        found.extend(lint::run(&files)?);
        packager_rpm::gates::waive(&mut found, &ready.recipe);
        findings.extend(found);
    }
    if let Some(stray) = packages.iter().find(|package| !seen.contains(&package.path)) {
        bail!(
            "`{}` comes from no recipe for {}\nhint: name binary packages that were built from these sources",
            stray.path.display(),
            target.name
        );
    }
    let open = findings.iter().filter(|finding| finding.waived.is_none()).count();
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&described(finding));
    }
    text.push_str(&format!("{} packages, {open} findings, {} waived\n", packages.len(), findings.len() - open));
    let mut report = Report::new(text, json!({ "findings": findings, "open": open }));
    report.good = open == 0;
    Ok(report)
}

/// A finding in one or two lines.
pub(crate) fn described(finding: &packager_rpm::Finding) -> String {
    match &finding.waived {
        Some(reason) => format!("waived: {}: {}: {} ({reason})\n", finding.package, finding.finding, finding.message),
        None => format!("{}: {}: {}\n  hint: {}\n", finding.package, finding.finding, finding.message, finding.hint),
    }
}
