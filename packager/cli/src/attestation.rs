//! What a repository says about itself: the bill of materials of everything in it, and the signed provenance of every file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use packager_build::{Buildroot, Toolchain};
use packager_recipe::Target;
use packager_repo::attested::SUFFIX;
use packager_repo::publish::{self, Extra};
use packager_rpm::cyclonedx::{self, Part};
use packager_rpm::dsse::Envelope;
use packager_rpm::provenance::{Build, Dependency, PAYLOAD_TYPE, Statement, sha256};
use packager_rpm::sbom::{Component, crate_purl};
use packager_rpm::{Inspected, SigningKey};
use packager_source::archive::Place;
use packager_source::digest;
use serde_json::json;

use crate::build::Done;
use crate::world::Sources;

/// Version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) packages: Vec<String>,
    /// Versions and sources in place of the recipes' own.
    pub(crate) versions: Vec<String>,
    pub(crate) url: String,
    pub(crate) buildroot: Buildroot,
}

/// The crates that are compiled into a package: those of its recipe, when it has programs.
pub(crate) fn components<'d>(package: &Inspected, owner: &'d Done) -> &'d [Component] {
    let has_programs = package.files.iter().any(|file| packager_rpm::elf::facts(&file.content).is_some());
    if has_programs { &owner.components } else { &[] }
}

/// The recipe whose source package a package names.
pub(crate) fn owner<'d>(package: &Inspected, done: &'d [Done]) -> Result<&'d Done> {
    done.iter()
        .find(|done| done.artifact.srpm.file_name().is_some_and(|name| name.to_string_lossy() == package.source_rpm))
        .with_context(|| format!("`{}` comes from no source package of this build", package.path.display()))
}

/// The bill of materials of the whole repository; `packages` are signed.
pub(crate) fn bill(id: &str, target: &Target, done: &[Done], packages: &[Inspected], time: i64) -> Result<Extra> {
    let mut parts = Vec::new();
    for package in packages {
        let sum = digest::file(&package.path).with_context(|| format!("cannot read `{}`", package.path.display()))?;
        parts.push(Part { package, sha256: sum, components: components(package, owner(package, done)?) });
    }
    let document = cyclonedx::document(id, &target.name, VERSION, time, &parts);
    Ok((format!("{id}.cdx.json"), serde_json::to_vec_pretty(&document)?))
}

/// The provenance of everything that lies in a finished repository.
pub(crate) fn provenance(
    id: &str,
    target: &Target,
    done: &[Done],
    toolchain: &Toolchain,
    asked: &Asked,
    folder: &Path,
    key: &SigningKey,
) -> Result<Extra> {
    let files = publish::hashed(folder)?;
    let keys: BTreeMap<&str, &str> =
        done.iter().map(|done| (done.ready.recipe.name.as_str(), done.artifact.key.as_str())).collect();
    let times: BTreeMap<&str, i64> =
        done.iter().map(|done| (done.ready.recipe.name.as_str(), done.ready.time)).collect();
    let modified: Vec<&str> =
        done.iter().filter(|done| done.ready.modified).map(|done| done.ready.recipe.name.as_str()).collect();
    let mut internal = json!({
        "buildKeys": keys,
        "sourceTimes": times,
        "uncommittedChanges": modified,
    });
    // Elsewhere the distribution's own tools compile, of which nothing is known here.
    if asked.buildroot == Buildroot::Sandbox {
        internal["tools"] = json!({
            "rustc": toolchain.rust.version,
            "zig": toolchain.zig_version,
            "cargo-zigbuild": toolchain.zigbuild_version,
            "rpmbuild": toolchain.rpm_version,
        });
    }
    let mut invocation = digest::Digest::new();
    for (recipe, key) in &keys {
        invocation.part(recipe, key.as_bytes());
    }
    let mut dependencies = Vec::new();
    for done in done {
        dependencies.extend(sources(done));
    }
    dependencies.sort_by(|one, other| (&one.uri, &one.digest).cmp(&(&other.uri, &other.digest)));
    dependencies.dedup();
    let statement = Statement::new(Build {
        version: VERSION.to_owned(),
        files,
        external: json!({
            "target": target.name,
            "packages": asked.packages,
            "versions": asked.versions,
            "baseUrl": asked.url,
            "buildroot": asked.buildroot.name(),
        }),
        internal,
        dependencies,
        invocation: invocation.hex(),
    });
    let envelope = Envelope::seal(PAYLOAD_TYPE, &serde_json::to_vec(&statement)?, key)?;
    let mut line = serde_json::to_vec(&envelope)?;
    line.push(b'\n');
    Ok((format!("{id}{SUFFIX}"), line))
}

/// The sources of a recipe and the crates that are compiled into its programs.
fn sources(done: &Done) -> Vec<Dependency> {
    let recipe = &done.ready.recipe;
    let mut all = Vec::new();
    match &done.ready.sources {
        Sources::Copies(copies) => {
            let used = recipe.archive.as_ref().and_then(|archive| archive.sha256.as_ref());
            if let Some(copy) = copies.iter().find(|copy| used == Some(&copy.sha256)) {
                let uri = match &copy.place {
                    Place::Url(url) => url.clone(),
                    Place::Debian(path) => format!("pkg:generic/{}@{}?file_name={path}", recipe.name, recipe.version),
                    Place::Git { url, commit, .. } if url.starts_with("http") => format!("git+{url}@{commit}"),
                    // A place of this machine says nothing elsewhere.
                    Place::Git { commit, .. } => {
                        format!("pkg:generic/{}@{}?vcs_commit={commit}", recipe.name, recipe.version)
                    }
                };
                all.push(Dependency { uri, digest: sha256(copy.sha256.clone()) });
            }
        }
        // Where it came from says something on the machine of its user only; its hash says what it is.
        Sources::Given => {
            let uri = format!("pkg:generic/{}@{}", recipe.name, recipe.version);
            let hash = recipe.archive.as_ref().and_then(|archive| archive.sha256.clone());
            all.extend(hash.map(|hash| Dependency { uri, digest: sha256(hash) }));
        }
        Sources::Workspace(workspace) => {
            let digest = workspace.commit.clone().map(|commit| BTreeMap::from([("gitCommit".to_owned(), commit)]));
            let uri = format!("pkg:generic/{}@{}", recipe.name, recipe.version);
            all.push(Dependency { uri, digest: digest.unwrap_or_default() });
        }
    }
    all.extend(
        done.components.iter().map(|part| Dependency { uri: crate_purl(part), digest: sha256(part.sha256.clone()) }),
    );
    all
}
