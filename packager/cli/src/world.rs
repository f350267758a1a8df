//! Reads profiles, recipes and templates, and brings them together for one target.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use packager_recipe::diagnostic::{Page, nearest};
use packager_recipe::target::Profile;
use packager_recipe::{Concrete, Facts, Recipe, Target, TargetName, evaluate, spec};
use packager_resolve::plan::CapabilityList;
use packager_resolve::{Plan, plan};
use packager_source::Workspace;
use packager_source::workspace::modified;

use crate::places::Places;

/// The template of the one build system that there is.
const SPEC_TEMPLATE: &str = "cargo.spec.hbs";

/// A recipe with everything that one target needs to build it.
pub(crate) struct Ready {
    pub(crate) recipe: Concrete,
    pub(crate) workspace: Workspace,
    pub(crate) beside: PathBuf,
    pub(crate) spec: String,
    /// Sources, recipe, profiles or templates have changes that are not committed.
    pub(crate) modified: bool,
}

/// All target names, sorted.
pub(crate) fn target_names(places: &Places) -> Result<Vec<String>> {
    let folder = places.root.join("specs/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let entry = entry?;
        if !entry.path().is_dir() {
            continue;
        }
        let system = entry.file_name().to_string_lossy().into_owned();
        for arch in profile(places, &system)?.arches() {
            names.push(TargetName { system: system.clone(), arch }.to_string());
        }
    }
    names.sort();
    Ok(names)
}

fn profile(places: &Places, system: &str) -> Result<Profile> {
    let file = format!("specs/targets/{system}/target.yaml");
    let text = fs::read_to_string(places.root.join(&file)).with_context(|| format!("cannot read `{file}`"))?;
    Ok(Profile::parse(Page { file: &file, text: &text })?)
}

/// One target by name.
pub(crate) fn target(places: &Places, name: &str) -> Result<Target> {
    let known = target_names(places)?;
    if !known.iter().any(|target| target == name) {
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("write `{near}`"),
            None => format!("one of {}", known.join(", ")),
        };
        bail!("no target `{name}`\nhint: {hint}");
    }
    let parsed = TargetName::parse(name).ok_or_else(|| anyhow!("`{name}` ends in no architecture"))?;
    let profile = profile(places, &parsed.system)?;
    Target::new(&parsed, profile).ok_or_else(|| anyhow!("the profile of `{name}` lacks its architecture"))
}

/// A template's text.
pub(crate) fn template(places: &Places, name: &str) -> Result<String> {
    let path = places.root.join("templates").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read the template `{}`", path.display()))
}

/// All recipes, evaluated for a target and rendered.
pub(crate) fn ready(places: &Places, target: &Target) -> Result<Vec<Ready>> {
    let folder = places.root.join("specs");
    let template = template(places, SPEC_TEMPLATE)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.join("recipe.yaml").is_file() {
            names.push(path);
        }
    }
    names.sort();
    names.iter().map(|folder| one(places, folder, target, &template)).collect()
}

fn one(places: &Places, folder: &Path, target: &Target, template: &str) -> Result<Ready> {
    let path = folder.join("recipe.yaml");
    let file = path.strip_prefix(&places.root).unwrap_or(&path).to_string_lossy().into_owned();
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{file}`"))?;
    let page = Page { file: &file, text: &text };
    let recipe = Recipe::parse(page)?;
    let root = folder.join(&recipe.source.path.value);
    let root = root.canonicalize().map_err(|_| {
        page.at(
            &recipe.source.path,
            format!("no folder `{}`", root.display()),
            Some("name it relative to the recipe".to_owned()),
        )
    })?;
    let include: Vec<String> = recipe.source.include.iter().map(|path| path.value.clone()).collect();
    for path in &recipe.source.include {
        if !root.join(&path.value).exists() {
            return Err(page.at(path, format!("no `{}` in the source tree", path.value), None).into());
        }
    }
    let workspace = Workspace::open(&root, &include, epoch()?)?;
    let changelog = root.join(&recipe.source.changelog.value);
    let changelog = fs::read_to_string(&changelog).with_context(|| format!("cannot read `{}`", changelog.display()))?;
    let beside = folder.join("files");
    let facts = Facts {
        version: workspace.version.clone(),
        changelog,
        source_time: workspace.time,
        beside: texts(&beside)?,
        cargo_packages: workspace.packages.clone(),
        programs: workspace.programs.clone(),
    };
    let concrete = evaluate(&recipe, page, target, &facts)
        .map_err(|findings| anyhow!(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")))?;
    let spec = spec::render(SPEC_TEMPLATE, template, &concrete)?;
    let rest = [folder, &places.root.join("specs/targets"), &places.root.join("templates")]
        .map(|path| path.strip_prefix(&places.root).unwrap_or(path).to_owned());
    let modified = workspace.modified || modified(&places.root, &rest)?;
    Ok(Ready { recipe: concrete, workspace, beside, spec, modified })
}

/// `SOURCE_DATE_EPOCH`, when it is set.
fn epoch() -> Result<Option<i64>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => {
            text.parse().map(Some).with_context(|| format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds"))
        }
        Err(_) => Ok(None),
    }
}

fn texts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_dir() {
                let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
                texts.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    Ok(texts)
}

/// The plan for packages of a target, and what it needs.
pub(crate) fn planned(places: &Places, target: &Target, wanted: &[String]) -> Result<(Plan, Vec<Ready>)> {
    let ready = ready(places, target)?;
    let recipes: Vec<Concrete> = ready.iter().map(|ready| ready.recipe.clone()).collect();
    let distribution = CapabilityList::new(&target.name, target.capabilities());
    let plan = plan(&recipes, wanted, &distribution)?;
    let mut ordered = Vec::new();
    let mut rest = ready;
    for step in plan.waves.iter().flatten() {
        let at = rest.iter().position(|ready| ready.recipe.name == step.recipe).context("a step without a recipe")?;
        ordered.push(rest.swap_remove(at));
    }
    Ok((plan, ordered))
}
