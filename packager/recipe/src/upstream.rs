//! How a recipe's binaries are made: a cargo workspace, or an upstream release (its lines are made in `commands`). Options become arguments and
//! features here.

use std::collections::BTreeSet;

use serde_saphyr::Spanned;

use crate::commands;
use crate::concrete::{Archive, CargoBuild, Chosen, SourceFile, is_library};
use crate::diagnostic::{Diagnostic, Page, instead, nearest, one_letter_off};
use crate::evaluate::Facts;
use crate::target::Target;
use crate::written::{Cargo, Choice, Method, Recipe};

/// First number of the patches.
const FIRST_PATCH: usize = 100;

/// What building needs, with nothing left to decide.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) template: String,
    pub(crate) cargo: Option<CargoBuild>,
    pub(crate) archive: Option<Archive>,
    pub(crate) build: Vec<String>,
    pub(crate) install: Vec<String>,
    pub(crate) tools: Vec<String>,
    pub(crate) libraries: Vec<String>,
    pub(crate) options: Vec<Chosen>,
}

/// Evaluates how the binaries are made.
pub(crate) fn method(
    recipe: &Recipe,
    page: Page<'_>,
    version: &str,
    target: &Target,
    facts: &Facts,
    findings: &mut Vec<Diagnostic>,
) -> Built {
    let mut libraries: Vec<String> = recipe.libraries.iter().map(|library| library.value.clone()).collect();
    for library in recipe.libraries.iter().filter(|library| !facts.built.contains(&library.value)) {
        let hint = instead(&library.value, facts.built.iter().map(String::as_str)).unwrap_or_else(|| {
            "write a recipe for it, or make it an option's: a cross build sees packages of recipes only".to_owned()
        });
        findings.push(page.at(library, format!("no recipe builds `{}`", library.value), Some(hint)));
    }
    for wanted in &recipe.build_requires {
        let name = wanted.split_whitespace().next().unwrap_or_default();
        if facts.built.contains(name) && is_library(name) {
            let hint = Some("write it into `libraries`: a cross build sees it there".to_owned());
            findings.push(page.at_key("build-requires", format!("a recipe builds `{name}`"), hint));
        }
    }
    let itself = |library: &&Spanned<String>| {
        let names = recipe.packages.iter().flat_map(|(name, package)| package.provides.iter().chain([name]));
        names.into_iter().any(|name| *name == library.value)
    };
    for library in recipe.libraries.iter().filter(itself) {
        let hint = Some("remove it".to_owned());
        findings.push(page.at(library, format!("the recipe builds `{}` itself", library.value), hint));
    }
    misspelt_libraries(recipe, page, facts, findings);
    let (options, arguments) = chosen(recipe, target, facts, &mut libraries);
    libraries.sort();
    libraries.dedup();
    let tools = recipe.tools.iter().map(|tool| tool.value.clone()).collect();
    let built = if let Method::Cargo(cargo) = recipe.method() {
        cargo_names(cargo, page, facts, findings);
        cargo_features(recipe, page, facts, findings);
        let cargo = Some(cargo_build(recipe, cargo, version, target, arguments));
        Built { template: "cargo.spec.hbs".to_owned(), cargo, ..Built::default() }
    } else {
        Built {
            template: "upstream.spec.hbs".to_owned(),
            archive: archive(recipe, facts),
            build: commands::build(recipe, &arguments),
            install: commands::install(recipe, &arguments),
            ..Built::default()
        }
    };
    Built { tools, libraries, options, ..built }
}

/// What may be on or off, and the arguments that follow. Adds what is linked against.
fn chosen(recipe: &Recipe, target: &Target, facts: &Facts, libraries: &mut Vec<String>) -> (Vec<Chosen>, Vec<String>) {
    let mut arguments = Vec::new();
    let mut options = Vec::new();
    for (name, choice) in &recipe.options {
        let (on, why) = is_on(&choice.value, target, facts);
        arguments.extend(if on { choice.value.on.clone() } else { choice.value.off.clone() });
        if on {
            libraries.extend(choice.value.libraries.iter().cloned());
        }
        options.push(Chosen { name: name.clone(), on, why });
    }
    (options, arguments)
}

/// A library that no recipe builds turns an option off; one that nearly has the name of one that a recipe builds was meant to be that.
fn misspelt_libraries(recipe: &Recipe, page: Page<'_>, facts: &Facts, findings: &mut Vec<Diagnostic>) {
    for (name, choice) in &recipe.options {
        for library in choice.value.libraries.iter().filter(|library| !facts.built.contains(*library)) {
            if let Some(near) = one_letter_off(library, facts.built.iter().map(String::as_str)) {
                let message = format!("no recipe builds `{library}`, a library of the option `{name}`");
                findings.push(page.at(choice, message, Some(format!("write `{near}`"))));
            }
        }
    }
}

/// Whether an option is on, and why.
fn is_on(choice: &Choice, target: &Target, facts: &Facts) -> (bool, String) {
    let missing = choice.libraries.iter().find(|library| !facts.built.contains(*library));
    let reason = choice.reason.clone();
    if choice.arches.as_ref().is_some_and(|arches| !arches.contains(&target.arch)) {
        (false, format!("it is not for {}", target.arch))
    } else if !choice.default {
        (false, reason.unwrap_or_else(|| "the recipe leaves it off".to_owned()))
    } else if let Some(missing) = missing {
        (false, format!("no recipe builds `{missing}`, and a cross build sees nothing else"))
    } else {
        (true, reason.unwrap_or_else(|| "the recipe wants it".to_owned()))
    }
}

/// The sources that the packager itself brings.
pub(crate) fn first_sources(name: &str, version: &str, archive: Option<&Archive>) -> Vec<SourceFile> {
    if let Some(archive) = archive {
        return vec![SourceFile { number: 0, name: archive.name.clone(), beside_recipe: false }];
    }
    ["", "-vendor", "-docs"]
        .iter()
        .enumerate()
        .map(|(number, part)| SourceFile {
            number,
            name: format!("{name}-{version}{part}.tar.xz"),
            beside_recipe: false,
        })
        .collect()
}

/// Adds the patches to the sources and returns their numbers.
pub(crate) fn patches(
    recipe: &Recipe,
    page: Page<'_>,
    facts: &Facts,
    sources: &mut Vec<SourceFile>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<usize> {
    let mut numbers = Vec::new();
    for (index, patch) in recipe.patches.iter().enumerate() {
        let file = &patch.value.file;
        if facts.beside.get(file).is_some_and(|text| text.trim().is_empty()) {
            let hint = Some("make it anew, or remove it".to_owned());
            findings.push(page.at(patch, format!("the patch `{file}` is empty"), hint));
        }
        if !facts.beside.contains_key(file) {
            let near = instead(file, facts.beside.keys().map(String::as_str));
            let hint = near.unwrap_or_else(|| "put it there, or remove the patch".to_owned());
            findings.push(page.at(patch, format!("no file `{file}` beside the recipe, in `files/`"), Some(hint)));
        }
        sources.push(SourceFile { number: FIRST_PATCH + index, name: file.clone(), beside_recipe: true });
        numbers.push(FIRST_PATCH + index);
    }
    numbers
}

fn archive(recipe: &Recipe, facts: &Facts) -> Option<Archive> {
    if facts.given_archive.is_some() {
        return facts.given_archive.clone();
    }
    let written = &recipe.source.archives.get(facts.archive)?.value;
    let folder = written.folder.clone().unwrap_or_else(|| recipe.folder());
    let name = match written.url.as_deref().or(written.debian.as_deref()) {
        Some(place) => place.rsplit('/').next().unwrap_or_default().to_owned(),
        None => format!("{folder}.tar"),
    };
    Some(Archive { name, sha256: written.sha256.clone(), folder })
}

/// Names below `cargo:` that the workspace does not have: found here, not after minutes of compiling.
fn cargo_names(cargo: &Cargo, page: Page<'_>, facts: &Facts, findings: &mut Vec<Diagnostic>) {
    let mut check = |names: &[Spanned<String>], known: &BTreeSet<String>, what: &str| {
        for name in names.iter().filter(|name| !known.contains(&name.value)) {
            let hint = instead(&name.value, known.iter().map(String::as_str));
            findings.push(page.at(name, format!("the source tree has no {what} `{}`", name.value), hint));
        }
    };
    check(&cargo.packages, &facts.cargo_packages, "cargo package");
    check(&cargo.manual, &facts.programs, "program");
    check(&cargo.completions, &facts.programs, "program");
    check(&cargo.lto, &facts.programs, "program");
}

/// Options of a cargo workspace are features of its packages: `package/feature`, which cargo knows how to leave out.
fn cargo_features(recipe: &Recipe, page: Page<'_>, facts: &Facts, findings: &mut Vec<Diagnostic>) {
    for (name, choice) in &recipe.options {
        if !choice.value.off.is_empty() {
            let hint = Some("remove `off`".to_owned());
            findings.push(page.at(choice, format!("features of cargo are left out, so `{name}` has no `off`"), hint));
        }
        for feature in &choice.value.on {
            let package = feature.split_once('/').map(|(package, _)| package);
            if package.is_none_or(|package| !facts.cargo_packages.contains(package)) {
                let near = nearest(package.unwrap_or(feature), facts.cargo_packages.iter().map(String::as_str));
                let hint = near.map_or("write `package/feature`".to_owned(), |near| format!("write `{near}/...`"));
                findings.push(page.at(choice, format!("`{feature}` is no feature of a cargo package"), Some(hint)));
            }
        }
    }
}

fn cargo_build(recipe: &Recipe, cargo: &Cargo, version: &str, target: &Target, features: Vec<String>) -> CargoBuild {
    let plain = |names: &[Spanned<String>]| names.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
    CargoBuild {
        rustflags: rustflags(&recipe.name.value, version, target),
        rust: cargo.rust.value.clone(),
        glibc: target.glibc().to_string(),
        packages: plain(&cargo.packages),
        features,
        manual: plain(&cargo.manual),
        completions: plain(&cargo.completions),
        lto: cargo.lto.iter().map(|program| program.value.replace('-', "_")).collect(),
    }
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
