//! `repo verify`: a repository is as it was signed, and hosts can install what is in it.

use std::error::Error;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use packager_repo::stored::{POINTER_BYTES_MAX, REPOMD};
use packager_repo::verify::{self, Absent, Verified, VerifyError};
use packager_repodata::model;
use packager_resolve::{CapabilityList, Distribution, Package, Repository as Answering, met};
use packager_rpm::VerifyingKey;
use packager_source::archive;
use packager_source::digest;
use serde_json::json;

use super::arguments::VerifyOptions;
use crate::places::Places;
use crate::report::Report;
use crate::repository::{below, is_address, packages};
use crate::world;

/// How often a repository that changes while it is read is read again.
const TRIES: usize = 3;

/// A requirement that nobody answers.
struct Unmet {
    package: String,
    requirement: String,
    why: String,
}

pub(super) fn verify(options: &VerifyOptions, places: impl FnOnce() -> Result<Places>) -> Result<Report> {
    let VerifyOptions { place, key, with, target } = options;
    let key = VerifyingKey::load(key)?;
    // What has to be had first is asked for first.
    let target = target.as_deref().map(|target| world::target(&places()?, target)).transpose()?;
    let verified = if is_address(place) { elsewhere(place, &key)? } else { verify::verify(Path::new(place), &key)? };
    let Verified { packages: listed, provenance } = verified;
    let asked = !with.is_empty() || target.is_some();
    let others = with.iter().map(|place| Ok((place.as_str(), packages(place)?)));
    let others = others.collect::<Result<Vec<_>>>()?;
    let distribution = target.as_ref().map(Distribution::new);
    let count = listed.len();
    let unmet = if asked { unmet(listed, others, distribution.as_ref()) } else { Vec::new() };
    let mut text = format!("{place}: {count} packages are as signed by {}\n", key.facts().user);
    match &provenance {
        Some(attested) => text.push_str(&format!("provenance of {} files\n", attested.statement.subject.len())),
        None if is_address(place) => text.push_str("provenance is looked at in a folder only\n"),
        None => text.push_str("it has no provenance\n"),
    }
    for Unmet { package, requirement, why } in &unmet {
        text.push_str(&format!("{package} requires `{requirement}`: {why}\n"));
    }
    match (asked, unmet.len()) {
        (false, _) => text.push_str("what packages require was not looked at: name `--target` or `--with`\n"),
        (true, 0) => text.push_str("everything that packages require is there\n"),
        (true, count) => text.push_str(&format!(
            "{count} requirements are not met\nhint: publish what is missing, or name what hosts have with `--with`\n"
        )),
    }
    let values: Vec<_> = unmet
        .iter()
        .map(|unmet| json!({ "package": unmet.package, "requirement": unmet.requirement, "why": unmet.why }))
        .collect();
    let value = json!({
        "packages": count, "key": key.facts(), "provenance": provenance, "requirements_looked_at": asked, "unmet": values,
    });
    Ok(Report { good: unmet.is_empty(), ..Report::new(text, value) })
}

/// A repository behind an address. One that is published anew meanwhile is read again.
fn elsewhere(place: &str, key: &VerifyingKey) -> Result<Verified> {
    let mut tries = TRIES;
    loop {
        let room = tempfile::tempdir().context("cannot make a temporary folder")?;
        let fetch = |name: &str, to: &Path, bytes: u64| {
            archive::download(&below(place, name), to, bytes).map_err(|error| match error.is_absent {
                true => Box::new(Absent(error.to_string())) as Box<dyn Error + Send + Sync>,
                false => error.into(),
            })
        };
        let error = match verify::verify_fetched(room.path(), &fetch, key) {
            Ok(verified) => return Ok(verified),
            Err(error @ VerifyError::Interrupted(_)) => return Err(error.into()),
            Err(error) => error,
        };
        if !changed(place, room.path()) {
            let what =
                if matches!(error, VerifyError::Fetch { .. }) { "cannot be read" } else { "is not as it was signed" };
            return Err(error).with_context(|| format!("the repository `{place}` {what}"));
        }
        tries -= 1;
        if tries == 0 {
            bail!("the repository `{place}` changes all the time\nhint: wait until nobody publishes there");
        }
    }
}

/// Whether `repomd.xml` is another one by now.
fn changed(place: &str, room: &Path) -> bool {
    let again = room.join("again");
    let fetched = archive::download(&below(place, REPOMD), &again, POINTER_BYTES_MAX);
    let sum = |path: &Path| digest::file(path).ok();
    fetched.is_ok() && fs::exists(room.join(REPOMD)).unwrap_or(false) && sum(&again) != sum(&room.join(REPOMD))
}

/// What binary packages require and neither they nor what hosts have beside them provide.
fn unmet(
    listed: Vec<model::Package>,
    others: Vec<(&str, Vec<Package>)>,
    distribution: Option<&Distribution>,
) -> Vec<Unmet> {
    let listed: Vec<(String, Package)> = listed
        .into_iter()
        .filter(|package| package.arch != "src")
        .map(|package| (package.nevra(), Package::from(package)))
        .collect();
    let mut ours = CapabilityList::new("the repository");
    for (nevra, package) in &listed {
        ours.add(nevra, package.provides.iter().chain(&package.files).cloned());
    }
    let mut beside = Vec::new();
    for (place, packages) in others {
        let mut list = CapabilityList::new(place);
        for package in packages {
            list.add(&package.name, package.provides.into_iter().chain(package.files));
        }
        beside.push(list);
    }
    let mut repositories: Vec<&dyn Answering> = vec![&ours];
    repositories.extend(beside.iter().map(|list| list as &dyn Answering));
    repositories.extend(distribution.map(|distribution| distribution as &dyn Answering));
    let mut found = Vec::new();
    for (nevra, package) in &listed {
        for requirement in &package.requires {
            if let Err(why) = met(requirement, &repositories) {
                let (package, requirement, why) = (nevra.clone(), requirement.clone(), why.to_string());
                found.push(Unmet { package, requirement, why });
            }
        }
    }
    found
}
