//! Publishing what was built: what the repository is made from, its bills of materials, and what a person is told.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use packager_build::Toolchain;
use packager_recipe::Target;
use packager_recipe::spec::Templates;
use packager_repo::publish::{self, Description, Extra, Published, RepoError};
use packager_repodata::Package;
use packager_rpm::gates::{self, catalogue};
use packager_rpm::sbom;
use packager_rpm::{Inspected, SigningKey, VerifyingKey, sign};
use packager_source::Digest;
use packager_source::stop::unless_interrupted;
use serde_json::{Value, json};

use crate::announced::Announced;
use crate::attestation::{self, Asked};
use crate::build::{Built, Done};
use crate::check::{REMEDY, described};
use crate::keys::DEVELOPMENT_USER;
use crate::places::Places;
use crate::report::{size, table};
use crate::world::{self, Ready};

/// Id of the repository: name of its `.repo` file.
pub(crate) const REPOSITORY: &str = "daos";

/// Raised when the packager publishes other files from the same builds.
const GENERATION: &str = "3";

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
    asked: Asked,
    announced: Announced,
    mirrored: bool,
}

impl Plan {
    /// For recipes with their build keys, as asked for; `mirrored`: to be read through a mirror list.
    pub(crate) fn new(
        places: &Places,
        target: &Target,
        ready: &[Ready],
        keys: &[&str],
        asked: Asked,
        mirrored: bool,
    ) -> Result<Plan> {
        let url = &asked.url;
        let repo_file = repo_file(places, target, url, mirrored)?;
        let announced = Announced::read(places)?;
        let settings = settings(target, ready, &repo_file, &asked, &announced)?;
        Ok(Plan { inputs: format!("{} {url}", keys.join(" ")), settings, repo_file, asked, announced, mirrored })
    }

    /// Whether a repository was made from just this, and signed with this key as it is now: an extended one is to be published.
    pub(crate) fn made(&self, record: &Published, key: &VerifyingKey) -> bool {
        let Published { inputs, settings, key: fingerprint, certificate, files: _ } = record;
        let by_key = *fingerprint == key.facts().fingerprint && *certificate == key.digest();
        by_key && *inputs == self.inputs && *settings == self.settings
    }
}

/// Refuses to replace what a release key signed by what the development key signs: nobody who forgot `--sign-key` wants that.
pub(crate) fn keep_release(folder: &Path, development: &VerifyingKey) -> Result<()> {
    let Some(record) = publish::current(folder) else { return Ok(()) };
    if record.key == development.facts().fingerprint {
        return Ok(());
    }
    // Another development key, which was lost.
    let user = VerifyingKey::load(&folder.join(publish::key_file(REPOSITORY))).map(|key| key.facts().user);
    if user.as_ref().is_ok_and(|user| user.starts_with(DEVELOPMENT_USER)) {
        return Ok(());
    }
    bail!(
        "`{}` is signed by {} ({}), and would be signed by the development key\nhint: give `--sign-key FILE`, or another folder with `--out`",
        folder.display(),
        user.unwrap_or_else(|_| "another key".to_owned()),
        record.key
    )
}

/// Everything that decides what is published but not what is built: the `.repo` file, what was asked for as the provenance states it, what
/// the gates go by, groups and advisories.
fn settings(target: &Target, ready: &[Ready], repo_file: &str, asked: &Asked, announced: &Announced) -> Result<String> {
    let mut digest = Digest::new();
    state(asked, &mut digest);
    announced.state(&mut digest);
    digest.part("generation", GENERATION.as_bytes());
    digest.part("repo file", repo_file.as_bytes());
    digest.part("profile", &serde_json::to_vec(&target.profile)?);
    digest.part("lock", &serde_json::to_vec(&target.lock)?);
    for gate in catalogue::all() {
        digest.part(gate.id, gate.looks_for.as_bytes());
    }
    for ready in ready {
        digest.part("dispatched", &serde_json::to_vec(&ready.recipe.dispatched)?);
        digest.part("waivers", &serde_json::to_vec(&ready.recipe.waivers)?);
        digest.part("released", &serde_json::to_vec(&ready.recipe.released)?);
    }
    Ok(digest.hex())
}

/// Adds what was asked for. Address and buildroot are in what is built from already.
fn state(asked: &Asked, digest: &mut Digest) {
    let Asked { packages, versions, url: _, buildroot: _ } = asked;
    for (name, words) in [("packages", packages), ("versions", versions)] {
        digest.part(name, &words.len().to_le_bytes());
        for word in words {
            digest.part(name, word.as_bytes());
        }
    }
}

fn repo_file(places: &Places, target: &Target, url: &str, mirrored: bool) -> Result<String> {
    let data = json!({
        "id": REPOSITORY,
        "title": format!("DAOS packages for {} {}", target.profile.title, target.arch),
        "url": url,
        "mirrored": mirrored,
        "key_file": publish::key_file(REPOSITORY),
        "module_hotfixes": target.profile.module_hotfixes,
    });
    let template = "repository.repo.hbs";
    Ok(Templates::new([])?.render(template, &world::template(places, template)?, &data)?)
}

/// Signs, checks what was signed with rpm itself, adds bills of materials and provenance, and publishes.
pub(crate) fn publish(
    target: &Target,
    toolchain: &Toolchain,
    built: &Built,
    folder: &Path,
    plan: Plan,
    key: &SigningKey,
) -> Result<()> {
    let Plan { repo_file, inputs, settings, asked, announced, mirrored } = plan;
    let done = &built.done;
    let packages: Vec<PathBuf> = built.packages.iter().map(|package| package.path.clone()).collect();
    let sources: Vec<PathBuf> = done.iter().map(|done| done.artifact.srpm.clone()).collect();
    let time = done.iter().map(|done| done.ready.time).max().unwrap_or(0);
    let description = Description {
        folder,
        id: REPOSITORY,
        repo_file,
        mirrored: mirrored.then_some(asked.url.as_str()),
        packages: &packages,
        sources: &sources,
        inputs,
        settings,
        time,
    };
    let finish = |new: &Path, signed: &[PathBuf]| -> Result<Vec<Extra>> {
        let public = key.public().map_err(RepoError::from)?;
        for path in signed {
            sign::verify(path, &public)?;
        }
        sign::verify_with_rpm(signed, &public)?;
        let binary = signed.iter().filter(|path| !path.to_string_lossy().ends_with(".src.rpm"));
        let binary = binary.map(|path| Inspected::open(path)).collect::<Result<Vec<_>, _>>()?;
        accepted(&binary, done, target)?;
        let mut beside = vec![attestation::bill(REPOSITORY, target, done, &binary, time)?];
        for package in &binary {
            beside.push(bill(new, package, done, target)?);
        }
        unless_interrupted()?;
        Ok(beside)
    };
    let attest = |new: &Path| -> Result<Vec<Extra>> {
        Ok(vec![attestation::provenance(REPOSITORY, target, done, toolchain, &asked, new, key)?])
    };
    let announce = |packages: &[Package]| announced.texts(REPOSITORY, done, packages);
    publish::publish::<anyhow::Error>(&description, key, finish, announce, attest)?;
    Ok(())
}

/// The gates ran before signing; this is the one that needs signatures.
fn accepted(signed: &[Inspected], done: &[Done], target: &Target) -> Result<()> {
    let mut open = String::new();
    for package in signed {
        let recipe = &attestation::owner(package, done)?.ready.recipe;
        let findings = gates::signatures(package, recipe, target);
        let texts = findings.iter().filter(|finding| finding.is_open()).map(|finding| described(finding, REMEDY));
        open.extend(texts);
    }
    if open.is_empty() {
        Ok(())
    } else {
        bail!("signatures keep the packages out of the repository:\n{}", open.trim_end())
    }
}

/// The bill of materials of a signed package, and where it goes.
fn bill(repository: &Path, package: &Inspected, done: &[Done], target: &Target) -> Result<Extra> {
    let owner = attestation::owner(package, done)?;
    let sum = packager_source::digest::file(&package.path)?;
    let components = attestation::components(package, owner);
    let document = sbom::document(package, &sum, components, owner.ready.time, &target.name);
    let below = package.path.strip_prefix(repository).unwrap_or(&package.path);
    Ok((format!("{}.spdx.json", below.display()), serde_json::to_vec_pretty(&document)?))
}

/// What was published and how to install what was asked for.
pub(crate) fn closing(
    target: &Target,
    built: &Built,
    install: &[&str],
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
    let repo_file = folder.join(format!("{REPOSITORY}.repo"));
    let install = [
        format!("sudo cp {} /etc/yum.repos.d/", repo_file.display()),
        format!("sudo dnf install {}", install.join(" ")),
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
    let warnings = built.warnings.iter().map(|finding| described(finding, REMEDY)).collect::<String>();
    text.insert_str(0, &warnings);
    let stages: Vec<Value> = built
        .stages
        .iter()
        .map(|stage| json!({ "of": stage.of, "stage": stage.name, "seconds": stage.seconds }))
        .collect();
    let value = json!({
        "target": target.name, "repository": folder, "key": fingerprint, "development_key": development,
        "uncommitted_sources": modified, "packages": values, "install": install, "state": "built", "seconds": seconds,
        "stages": stages, "warnings": built.warnings,
    });
    (text, value)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use packager_build::Buildroot;
    use packager_repo::publish::Published;
    use packager_rpm::SigningKey;
    use packager_source::Digest;

    use super::{Announced, Asked, Plan, state};

    fn asked(packages: &[&str], versions: &[&str]) -> Asked {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let url = "file:///repository".to_owned();
        Asked { packages: words(packages), versions: words(versions), url, buildroot: Buildroot::Sandbox }
    }

    #[test]
    fn what_was_asked_for_is_part_of_the_record() {
        let hash = |packages: &[&str], versions: &[&str]| {
            let mut digest = Digest::new();
            state(&asked(packages, versions), &mut digest);
            digest.hex()
        };
        let different = [
            hash(&[], &[]),
            hash(&["isa-l"], &[]),
            hash(&["isa-l", "daos"], &[]),
            hash(&[], &["isa-l"]),
            hash(&["isa-l"], &["isa-l=2.30.0"]),
            hash(&["isa-l"], &["isa-l=2.31.0"]),
        ];
        for (place, one) in different.iter().enumerate() {
            assert!(!different[place + 1..].contains(one), "{place}");
        }
    }

    #[test]
    fn a_repository_with_another_state_of_its_key_is_not_made() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpm/tests/keys/test.secret.asc");
        let key = SigningKey::load(&path).and_then(|key| key.public()).expect("a key");
        let plan = Plan {
            repo_file: String::new(),
            inputs: "key file:///repository".to_owned(),
            settings: "hash".to_owned(),
            asked: asked(&[], &[]),
            announced: Announced::default(),
            mirrored: false,
        };
        let record = Published {
            inputs: plan.inputs.clone(),
            settings: plan.settings.clone(),
            key: key.facts().fingerprint,
            certificate: key.digest(),
            files: Vec::new(),
        };
        assert!(plan.made(&record, &key));
        // As before the key was extended, and as earlier versions wrote it.
        for certificate in ["0".repeat(64), String::new()] {
            assert!(!plan.made(&Published { certificate, ..record.clone() }, &key));
        }
        assert!(!plan.made(&Published { key: "another".to_owned(), ..record }, &key));
    }
}
