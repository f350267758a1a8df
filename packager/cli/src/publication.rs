//! Publishing what was built: what the repository is made from, its bills of materials, and what a person is told.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use packager_recipe::Target;
use packager_recipe::spec::Templates;
use packager_repo::publish::{self, Description, Published, RepoError};
use packager_rpm::sbom::{self, Component};
use packager_rpm::{Inspected, SigningKey, sign};
use packager_source::Digest;
use packager_source::stop::unless_interrupted;
use serde_json::{Value, json};

use crate::build::{Built, Done};
use crate::places::Places;
use crate::report::{size, table};
use crate::world::{self, Ready};

/// Id of the repository: name of its `.repo` file.
const REPOSITORY: &str = "daos";

/// Who signed.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'s> {
    pub(crate) fingerprint: &'s str,
    pub(crate) development: bool,
}

/// What a repository is to be made from, beside its packages.
pub(crate) struct Plan {
    repo_file: String,
    inputs: String,
    settings: String,
}

impl Plan {
    /// For recipes with their build keys, published under an address.
    pub(crate) fn new(places: &Places, target: &Target, ready: &[Ready], keys: &[&str], url: &str) -> Result<Plan> {
        let repo_file = repo_file(places, target, url)?;
        let settings = settings(target, ready, &repo_file)?;
        Ok(Plan { inputs: format!("{} {url}", keys.join(" ")), settings, repo_file })
    }

    /// Whether a repository was made from just this, and signed with this key.
    pub(crate) fn made(&self, record: &Published, fingerprint: &str) -> bool {
        record.inputs == self.inputs && record.settings == self.settings && record.key == fingerprint
    }
}

/// Everything that decides what is published but not what is built: the `.repo` file, and what the gates go by.
fn settings(target: &Target, ready: &[Ready], repo_file: &str) -> Result<String> {
    let mut digest = Digest::new();
    digest.part("repo file", repo_file.as_bytes());
    digest.part("profile", &serde_json::to_vec(&target.profile)?);
    digest.part("lock", &serde_json::to_vec(&target.lock)?);
    for ready in ready {
        digest.part("waivers", &serde_json::to_vec(&ready.recipe.waivers)?);
    }
    Ok(digest.hex())
}

fn repo_file(places: &Places, target: &Target, url: &str) -> Result<String> {
    let data = json!({
        "id": REPOSITORY,
        "title": format!("DAOS packages for {} {}", target.profile.title, target.arch),
        "url": url,
        "key_file": publish::key_file(REPOSITORY),
        "module_hotfixes": target.profile.module_hotfixes,
    });
    let template = "repository.repo.hbs";
    Ok(Templates::new([])?.render(template, &world::template(places, template)?, &data)?)
}

/// Signs, checks what was signed with rpm itself, and publishes.
pub(crate) fn publish(target: &Target, built: &Built, folder: &Path, plan: Plan, key: &SigningKey) -> Result<()> {
    let Plan { repo_file, inputs, settings } = plan;
    let done = &built.done;
    let packages: Vec<PathBuf> = built.packages.iter().map(|package| package.path.clone()).collect();
    let sources: Vec<PathBuf> = done.iter().map(|done| done.artifact.srpm.clone()).collect();
    let time = done.iter().map(|done| done.ready.time).max().unwrap_or(0);
    let description = Description {
        folder,
        id: REPOSITORY,
        repo_file,
        packages: &packages,
        sources: &sources,
        extra: Vec::new(),
        inputs,
        settings,
        time,
    };
    publish::publish::<anyhow::Error>(&description, key, |signed| {
        let public = key.public().map_err(RepoError::from)?;
        for path in signed {
            sign::verify(path, &public)?;
        }
        sign::verify_with_rpm(signed, &public)?;
        let mut beside = Vec::new();
        for path in signed.iter().filter(|path| !path.to_string_lossy().ends_with(".src.rpm")) {
            beside.push(bill(path, done, target)?);
        }
        unless_interrupted()?;
        Ok(beside)
    })?;
    Ok(())
}

/// The bill of materials of a signed package, and where it goes.
fn bill(path: &Path, done: &[Done], target: &Target) -> Result<(PathBuf, Vec<u8>)> {
    let package = Inspected::open(path)?;
    let owner = done
        .iter()
        .find(|done| done.artifact.srpm.file_name().is_some_and(|name| name.to_string_lossy() == package.source_rpm))
        .with_context(|| format!("`{}` comes from no source package of this build", path.display()))?;
    // Only packages with programs contain the crates.
    let has_programs = package.files.iter().any(|file| packager_rpm::elf::facts(&file.content).is_some());
    let components: &[Component] = if has_programs { &owner.components } else { &[] };
    let sum = packager_source::digest::file(path)?;
    let document = sbom::document(&package, &sum, components, owner.ready.time, &target.name);
    let mut name = path.as_os_str().to_owned();
    name.push(".spdx.json");
    Ok((PathBuf::from(name), serde_json::to_vec_pretty(&document)?))
}

/// What was published and how to install it.
pub(crate) fn closing(
    target: &Target,
    built: &Built,
    folder: &Path,
    signer: Signer<'_>,
    seconds: f64,
) -> (String, Value) {
    let Signer { fingerprint, development } = signer;
    let mut rows = vec![["PACKAGE", "SIZE", "INSTALLED", "STATE"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for done in &built.done {
        for package in &built.packages[done.packages.clone()] {
            let (nevra, bytes, installed) = (package.nevra(), package.bytes, package.installed_bytes);
            rows.push(vec![nevra.clone(), size(bytes), size(installed), done.state.to_owned()]);
            values.push(json!({ "nevra": nevra, "bytes": bytes, "installed_bytes": installed, "state": done.state }));
        }
    }
    let installable: Vec<&str> =
        built.packages.iter().filter(|package| !package.is_debug()).map(|package| package.name.as_str()).collect();
    let repo_file = folder.join(format!("{REPOSITORY}.repo"));
    let install = [
        format!("sudo cp {} /etc/yum.repos.d/", repo_file.display()),
        format!("sudo dnf install {}", installable.join(" ")),
    ];
    let modified = built.done.iter().any(|done| done.ready.modified);
    let mut text = table(&rows);
    text.push_str(&format!("\nrepository  {}\nsigned by   {fingerprint}", folder.display()));
    text.push_str(if development { " (development key: not for release)\n" } else { "\n" });
    if modified {
        text.push_str("sources     or recipes have changes that are not committed\n");
    }
    text.push_str(&format!(
        "time        {seconds:.1} s\n\nInstall on {}:\n  {}\n  {}\n",
        target.profile.title, install[0], install[1]
    ));
    let stages: Vec<Value> = built
        .stages
        .iter()
        .map(|stage| json!({ "of": stage.of, "stage": stage.name, "seconds": stage.seconds }))
        .collect();
    let value = json!({
        "target": target.name, "repository": folder, "key": fingerprint, "development_key": development,
        "uncommitted_sources": modified, "packages": values, "install": install, "state": "built", "seconds": seconds,
        "stages": stages,
    });
    (text, value)
}
