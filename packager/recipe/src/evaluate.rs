//! As written -> concrete: every entry becomes an install line, a `%files` line and scriptlet lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use crate::changelog;
use crate::concrete::{ChangelogEntry, Concrete, SourceFile};
use crate::diagnostic::{Diagnostic, Page, nearest};
use crate::package::Gathering;
use crate::target::Target;
use crate::written::Recipe;

/// What evaluation needs to know about the world.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Version of the cargo workspace.
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
}

/// Evaluates a recipe, or says everything that is wrong with it.
pub fn evaluate(recipe: &Recipe, page: Page<'_>, target: &Target, facts: &Facts) -> Result<Concrete, Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let name = recipe.name.value.clone();
    if !recipe.packages.contains_key(&name) {
        let hint = Some(format!("add `{name}:` below `packages:`"));
        findings.push(page.at(&recipe.name, format!("no package is named `{name}` like the recipe"), hint));
    }
    let mut sources = ["", "-vendor", "-docs"]
        .iter()
        .enumerate()
        .map(|(number, part)| SourceFile {
            number,
            name: format!("{name}-{}{part}.tar.xz", facts.version),
            beside_recipe: false,
        })
        .collect::<Vec<_>>();
    let mut install = Vec::new();
    let mut packages = Vec::new();
    for (package_name, written) in &recipe.packages {
        let mut gathering =
            Gathering { recipe, page, facts, sources: &mut sources, install: &mut install, findings: &mut findings };
        packages.push(gathering.package(package_name, written));
    }
    packages.sort_by_key(|package| (!package.main, package.name.clone()));
    for waiver in &recipe.waivers {
        if let Some(package) = waiver.value.package.as_deref().filter(|package| !recipe.packages.contains_key(*package))
        {
            let hint =
                nearest(package, recipe.packages.keys().map(String::as_str)).map(|near| format!("write `{near}`"));
            findings.push(page.at(waiver, format!("a waiver for an unknown package `{package}`"), hint));
        }
    }
    cargo_names(recipe, page, facts, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let plain = |names: &[Spanned<String>]| names.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
    Ok(Concrete {
        version: facts.version.clone(),
        release: recipe.release,
        dist: target.profile.dist.clone(),
        summary: recipe.summary.clone(),
        license: recipe.license.clone(),
        maintainer: recipe.maintainer.clone(),
        vendor: target.profile.vendor.clone(),
        url: recipe.url.clone().unwrap_or_default(),
        description: wrapped(&recipe.description),
        target: target.name.clone(),
        arch: target.arch.name().to_owned(),
        rustflags: rustflags(&name, &facts.version, target),
        rust: recipe.cargo.rust.clone(),
        cargo_packages: plain(&recipe.cargo.packages),
        manual: plain(&recipe.cargo.manual),
        completions: plain(&recipe.cargo.completions),
        sources,
        install,
        packages,
        changelog: changelog_entries(recipe, facts),
        waivers: recipe.waivers.iter().map(|waiver| waiver.value.clone()).collect(),
        name,
    })
}

/// Names below `cargo:` that the workspace does not have: found here, not after minutes of compiling.
fn cargo_names(recipe: &Recipe, page: Page<'_>, facts: &Facts, findings: &mut Vec<Diagnostic>) {
    let mut check = |names: &[Spanned<String>], known: &BTreeSet<String>, what: &str| {
        for name in names.iter().filter(|name| !known.contains(&name.value)) {
            let hint = nearest(&name.value, known.iter().map(String::as_str)).map(|near| format!("write `{near}`"));
            findings.push(page.at(name, format!("the source tree has no {what} `{}`", name.value), hint));
        }
    };
    check(&recipe.cargo.packages, &facts.cargo_packages, "cargo package");
    check(&recipe.cargo.manual, &facts.programs, "program");
    check(&recipe.cargo.completions, &facts.programs, "program");
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

/// Flags for rustc. Paths are remapped in panic messages only: debug information keeps them for `find-debuginfo`, which
/// rewrites them to `/usr/src/debug` and collects the sources.
fn rustflags(name: &str, version: &str, target: &Target) -> String {
    format!(
        "-C target-cpu={} -C relro-level=full -C relocation-model=pic -C link-arg=-Wl,--build-id=sha1 --remap-path-scope=macro \
         --remap-path-prefix=%{{_builddir}}/{name}-{version}=/usr/src/debug/{name}-{version} \
         --remap-path-prefix=%{{_builddir}}=/usr/src/debug",
        target.cpu()
    )
}

fn changelog_entries(recipe: &Recipe, facts: &Facts) -> Vec<ChangelogEntry> {
    let today = facts.source_time.div_euclid(86_400);
    changelog::parse(&facts.changelog)
        .into_iter()
        .map(|release| {
            let version = release.version.unwrap_or_else(|| facts.version.clone());
            let number = if version == facts.version { recipe.release } else { 1 };
            // A bare percent sign would begin a macro.
            let items = release.items.into_iter().map(|item| item.replace('%', "%%")).collect();
            ChangelogEntry {
                date: changelog::rpm_date(release.day.unwrap_or(today)),
                evr: format!("{version}-{number}"),
                items,
            }
        })
        .collect()
}
