//! `check`: the gates over packages, by hand or on the way into a repository, and what each gate looks for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use packager_recipe::diagnostic::nearest;
use packager_recipe::target::Severity;
use packager_recipe::{Concrete, Target};
use packager_rpm::gates::{Gate, catalogue, waive};
use packager_rpm::{Finding, Inspected, Scene, check as look, lint};
use packager_source::stop::unless_interrupted;
use serde_json::{Value, json};

use crate::arguments::CheckOptions;
use crate::given::Given;
use crate::places::Places;
use crate::report::{Report, table};
use crate::world;

/// `check`.
pub(crate) fn check(places: &Places, options: &CheckOptions) -> Result<Report> {
    let target = options.target.as_ref().map(|name| world::target(places, name)).transpose()?;
    match &target {
        Some(target) if !options.list && options.explain.is_none() => packages(places, options, target),
        target => gates(options, target.as_ref()),
    }
}

/// What the gates look for, for a target or as they are everywhere.
pub(crate) fn gates(options: &CheckOptions, target: Option<&Target>) -> Result<Report> {
    match &options.explain {
        Some(id) => explain(id, target),
        None => Ok(list(target)),
    }
}

/// `check --list`.
fn list(target: Option<&Target>) -> Report {
    let mut rows = vec![["GATE", "FINDING IS", "LOOKS FOR"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for gate in catalogue::all() {
        rows.push(vec![gate.id.to_owned(), severity(gate, target).to_owned(), gate.looks_for.to_owned()]);
        values.push(value(gate, target));
    }
    Report::new(table(&rows), json!(values))
}

/// `check --explain`.
fn explain(id: &str, target: Option<&Target>) -> Result<Report> {
    let gate = catalogue::find(id).ok_or_else(|| {
        let hint = match nearest(id, catalogue::all().iter().map(|gate| gate.id)) {
            Some(near) => format!("write `{near}`"),
            None => format!("`packager check --list` names all; `rpmlint -e {id}` explains what rpmlint finds"),
        };
        anyhow!("there is no gate `{id}`\nhint: {hint}")
    })?;
    let rows = [
        ("gate", gate.id),
        ("looks for", gate.looks_for),
        ("because", gate.why),
        ("mend", gate.mend),
        ("finding is", severity(gate, target)),
    ];
    Ok(Report::new(table(&rows.map(|(name, text)| vec![name.to_owned(), text.to_owned()])), value(gate, target)))
}

fn severity(gate: &Gate, target: Option<&Target>) -> &'static str {
    match target.map_or(gate.severity, |target| gate.severity_for(target)) {
        Severity::Error => "an error",
        Severity::Warning => "a warning",
    }
}

fn value(gate: &Gate, target: Option<&Target>) -> Value {
    let Gate { id, looks_for, why, mend, severity } = gate;
    let severity = target.map_or(*severity, |target| gate.severity_for(target));
    json!({ "id": id, "looks_for": looks_for, "why": why, "mend": mend, "severity": severity })
}

fn packages(places: &Places, options: &CheckOptions, target: &Target) -> Result<Report> {
    let packages = options.packages.iter().map(|path| Inspected::open(path)).collect::<Result<Vec<_>, _>>()?;
    let before = match &options.previous {
        Some(folder) => previous(folder, &packages)?,
        None => Vec::new(),
    };
    let scene = Scene::new(&packages, &before, target);
    let mut findings = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for ready in world::ready(places, target, &Given::default())? {
        let source = format!("{}-{}-", ready.recipe.name, ready.recipe.version);
        let ours: Vec<&Inspected> = packages.iter().filter(|package| package.source_rpm.starts_with(&source)).collect();
        if ours.is_empty() {
            continue;
        }
        seen.extend(ours.iter().map(|package| package.path.clone()));
        findings.extend(of_recipe(&ours, &ready.recipe, &scene)?);
    }
    if let Some(stray) = packages.iter().find(|package| !seen.contains(&package.path)) {
        bail!(
            "`{}` comes from no recipe for {}\nhint: name binary packages that were built from these sources",
            stray.path.display(),
            target.name
        );
    }
    let open = findings.iter().filter(|finding| finding.is_open()).count();
    let waived = findings.iter().filter(|finding| finding.waived.is_some()).count();
    let warnings = findings.len() - open - waived;
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&described(finding, "hint"));
    }
    text.push_str(&format!("{} packages, {open} findings, {warnings} warnings, {waived} waived\n", packages.len()));
    let mut report = Report::new(text, json!({ "findings": findings, "open": open, "warnings": warnings }));
    report.good = open == 0;
    Ok(report)
}

/// What all gates and rpmlint find in the packages of one recipe.
pub(crate) fn of_recipe(ours: &[&Inspected], recipe: &Concrete, scene: &Scene<'_>) -> Result<Vec<Finding>> {
    let files: Vec<PathBuf> = ours.iter().map(|package| package.path.clone()).collect();
    let mut findings = look(ours.iter().copied(), recipe, scene);
    findings.extend(lint::run(&files)?);
    waive(&mut findings, ours, recipe, scene.target);
    unless_interrupted()?;
    Ok(findings)
}

/// The packages of a repository that have the names of packages which are to replace them.
pub(crate) fn previous(repository: &Path, replacing: &[Inspected]) -> Result<Vec<Inspected>> {
    let folder = repository.join("Packages");
    let mut found = Vec::new();
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read `{}`", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // `name-version-release.arch.rpm`: what nobody replaces need not be read.
        let name = name.strip_suffix(".rpm").and_then(|name| name.rsplitn(3, '-').nth(2));
        if name.is_some_and(|name| replacing.iter().any(|package| package.name == name)) {
            found.push(Inspected::open(&path)?);
        }
    }
    Ok(found)
}

/// What to do about a finding, where other lines are hints already.
pub(crate) const REMEDY: &str = "remedy";

/// A finding in one or two lines; what to do about it is its `hint`, or a `remedy` where other lines are hints.
pub(crate) fn described(finding: &Finding, remedy: &str) -> String {
    let Finding { finding: id, severity, package, message, hint, waived } = finding;
    match (waived, severity) {
        (Some(reason), _) => format!("waived: {package}: {id}: {message} ({reason})\n"),
        (None, Severity::Error) => format!("{package}: {id}: {message}\n  {remedy}: {hint}\n"),
        (None, Severity::Warning) => format!("warning: {package}: {id}: {message}\n  {remedy}: {hint}\n"),
    }
}
