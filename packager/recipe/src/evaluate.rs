//! As written -> concrete: every entry becomes an install line, a `%files` line and scriptlet lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use crate::changelog;
use crate::concrete::{Archive, ChangelogEntry, Concrete};
use crate::diagnostic::{Diagnostic, Page, instead};
use crate::owners;
use crate::package::Gathering;
use crate::target::Target;
use crate::upstream::{self, Built};
use crate::values::{self, escaped};
use crate::version;
use crate::written::{Language, Method, Recipe, Value};

/// What evaluation needs to know about the world.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Version of the cargo workspace, as cargo spells it.
    pub version: String,
    /// Text of the changelog.
    pub changelog: String,
    /// Time of the sources in seconds since 1970.
    pub source_time: i64,
    /// Files beside the recipe, by name; what is no text is read as well as can be.
    pub beside: BTreeMap<String, String>,
    /// Names of the cargo packages in the source tree.
    pub cargo_packages: BTreeSet<String>,
    /// Names of the programs they build.
    pub programs: BTreeSet<String>,
    /// Which of the recipe's archives is at hand; the first when none is.
    pub archive: usize,
    /// Where the sources are that the caller gave in place of the recipe's.
    pub given: Option<String>,
    /// The archive of them, for an upstream project.
    pub given_archive: Option<Archive>,
    /// Packages that other recipes build, with the further names they provide.
    pub built: BTreeSet<String>,
}

/// Evaluates a recipe, or says everything that is wrong with it.
pub fn evaluate(recipe: &Recipe, page: Page<'_>, target: &Target, facts: &Facts) -> Result<Concrete, Vec<Diagnostic>> {
    let mut findings = values::unsound(recipe, page);
    if !findings.is_empty() {
        return Err(findings);
    }
    let name = recipe.name.value.clone();
    let version =
        recipe.version.as_ref().map_or_else(|| version::of_cargo(&facts.version), |version| version.value.clone());
    let mut method = upstream::method(recipe, page, &version, target, facts, &mut findings);
    let mut sources = upstream::first_sources(&name, &version, method.archive.as_ref());
    let mut install = std::mem::take(&mut method.install);
    let mut packages = Vec::new();
    for (package_name, written) in &recipe.packages {
        let mut gathering =
            Gathering { recipe, page, facts, sources: &mut sources, install: &mut install, findings: &mut findings };
        packages.push(gathering.package(package_name, written));
    }
    findings.extend(listed_twice(recipe, page));
    let of_packages = packages.iter().flat_map(|package| package.files.iter().chain(&package.requires));
    findings.extend(values::run_while_read(of_packages.chain(&method.build).chain(&install), recipe, page));
    packages.sort_by_key(|package| (!package.main, package.name.clone()));
    findings.extend(owners::nobody_makes(recipe, page, facts));
    for waiver in &recipe.waivers {
        findings.extend(unknown(recipe, page, waiver, waiver.value.package.as_deref(), "a waiver"));
    }
    for functions in &recipe.dispatched {
        findings.extend(unknown(recipe, page, functions, functions.value.package.as_deref(), "functions"));
    }
    let patches = upstream::patches(recipe, page, facts, &mut sources, &mut findings);
    let changelog = changelog_entries(recipe, &version, facts);
    if !findings.is_empty() {
        return Err(findings);
    }
    let Built { template, cargo, archive, build, install: _, tools, libraries, options } = method;
    Ok(Concrete {
        version,
        release: recipe.release,
        dist: target.profile.dist.clone(),
        // rpm has one summary for the source package and the binary package of its name.
        summary: match packages.first().filter(|first| first.main) {
            Some(main) => main.summary.clone(),
            None => escaped(&recipe.summary.value),
        },
        without_main: !packages.iter().any(|package| package.main),
        license: recipe.license.value.clone(),
        maintainer: escaped(&recipe.maintainer.value),
        vendor: target.profile.vendor.clone(),
        url: recipe.url.as_ref().map(|url| escaped(&url.value)).unwrap_or_default(),
        description: wrapped(&escaped(&recipe.description)),
        target: target.name.clone(),
        arch: target.arch.name().to_owned(),
        template,
        cargo,
        archive,
        given: facts.given.clone(),
        asked: recipe.asked.clone(),
        project: recipe.project.as_ref().map(|project| project.value.clone()),
        patches,
        build,
        cxx: recipe.languages.contains(&Language::Cxx),
        properties: properties(recipe),
        tools,
        build_requires: recipe.build_requires.clone(),
        libraries,
        options,
        instead: recipe.instead.iter().map(|instead| instead.value.clone()).collect(),
        private: recipe.private.clone(),
        no_debug_packages: recipe.no_debug_packages,
        on_request: recipe.on_request.as_ref().map(|reason| reason.value.clone()),
        sources,
        install,
        packages,
        changelog,
        released: changelog::released(&facts.changelog),
        dispatched: recipe.dispatched.iter().map(|functions| functions.value.clone()).collect(),
        waivers: recipe.waivers.iter().map(|waiver| waiver.value.clone()).collect(),
        name,
    })
}

/// Entries that put what the project installs into two packages, or into one twice.
fn listed_twice(recipe: &Recipe, page: Page<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, package) in &recipe.packages {
        for entry in &package.files {
            let Some(path) = &entry.value.installed else { continue };
            if let Some(first) = known.insert(path, name) {
                let hint =
                    Some("remove one of the two: where both packages need it, one requires the other".to_owned());
                findings.push(page.at(entry, format!("`{path}` is in the package `{first}` already"), hint));
            }
        }
    }
    findings
}

/// A finding about something that is for one package, when no package has the name.
fn unknown<T>(
    recipe: &Recipe,
    page: Page<'_>,
    place: &Spanned<T>,
    package: Option<&str>,
    what: &str,
) -> Option<Diagnostic> {
    let package = package.filter(|package| !recipe.packages.contains_key(*package))?;
    let hint = instead(package, recipe.packages.keys().map(String::as_str));
    Some(page.at(place, format!("{what} for an unknown package `{package}`"), hint))
}

/// Properties for a cross file of meson, as it writes values.
fn properties(recipe: &Recipe) -> BTreeMap<String, String> {
    let Method::Meson(meson) = recipe.method() else { return BTreeMap::new() };
    let text = |text: &String| format!("'{text}'");
    let written = |value: &Value| match value {
        Value::Switch(on) => on.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(word) => text(word),
        Value::List(words) => format!("[{}]", words.iter().map(text).collect::<Vec<_>>().join(", ")),
    };
    meson.properties.iter().map(|(name, value)| (name.clone(), written(value))).collect()
}

/// Width at which tools show descriptions without breaking lines themselves.
const DESCRIPTION_CHARS: usize = 78;

/// Prose broken into lines; empty lines part paragraphs.
pub(crate) fn wrapped(prose: &str) -> String {
    let mut paragraphs = Vec::new();
    for paragraph in prose.trim().split("\n\n") {
        let mut lines = vec![String::new()];
        for word in paragraph.split_whitespace() {
            let line = lines.last_mut().expect("begun with one");
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > DESCRIPTION_CHARS {
                lines.push(word.to_owned());
                continue;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        paragraphs.push(lines.join("\n"));
    }
    paragraphs.join("\n\n")
}

fn changelog_entries(recipe: &Recipe, version: &str, facts: &Facts) -> Vec<ChangelogEntry> {
    let today = facts.source_time.div_euclid(86_400);
    if recipe.cargo.is_none() {
        let mut items = vec![match &facts.given {
            Some(_) => format!("Built from other sources than the release {version}"),
            None => format!("Packaged from the upstream release {version}"),
        }];
        items.extend(recipe.patches.iter().map(|patch| format!("{}: {}", patch.value.file, patch.value.reason)));
        let items = items.into_iter().map(|item| escaped(&item)).collect();
        let evr = format!("{version}-{}", recipe.release);
        return vec![ChangelogEntry { date: changelog::rpm_date(today), evr, items }];
    }
    changelog::parse(&facts.changelog)
        .into_iter()
        .map(|release| {
            let version_of = release.version.map_or_else(|| version.to_owned(), |own| version::of_cargo(&own));
            let number = if version_of == version { recipe.release } else { 1 };
            // A bare percent sign would begin a macro.
            let items = release.items.into_iter().map(|item| escaped(&item)).collect();
            ChangelogEntry {
                date: changelog::rpm_date(release.day.unwrap_or(today)),
                evr: format!("{version_of}-{number}"),
                items,
            }
        })
        .collect()
}
