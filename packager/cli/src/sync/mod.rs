//! `targets sync`: a lock of what a distribution's repositories offer. packager/docs/target-locks.md describes the result.

mod select;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail};
use packager_recipe::lock::Lock;
use packager_recipe::{Arch, TargetName};
use packager_repodata::write::Format;
use packager_resolve::asked::{Asked, asked};
use packager_rpm::VerifyingKey;
use packager_source::digest;
use serde_json::json;

use crate::arguments::SyncOptions;
use crate::places::Places;
use crate::progress::Line;
use crate::report::Report;
use crate::repository::Repository;
use crate::world;
use select::{Source, installable, select};

/// Folders at the end of an address that name no repository.
const NAMELESS: [&str; 3] = ["os", "x86_64", "aarch64"];

/// `targets sync`.
pub(crate) fn sync(places: &Places, options: &SyncOptions) -> Result<Report> {
    let target = world::target(places, &options.target)?;
    let name = TargetName::parse(&options.target).context("a target without an architecture")?;
    let keys = options.key.iter().map(|path| VerifyingKey::load(path)).collect::<Result<Vec<_>, _>>()?;
    let mut wanted = asked(&world::recipes(places)?);
    let written = world::written_lock(places, &name.system)?.unwrap_or_default();
    wanted.names.extend(written.names());
    let mut sources: Vec<Source> = Vec::new();
    let mut read = Vec::new();
    for repo in &options.repo {
        let (label, place) = labelled(repo);
        if sources.iter().any(|source| source.name == label) {
            bail!("two repositories are called `{label}`\nhint: name them, for instance `--repo update=...`");
        }
        let line = Line::begin(&label);
        line.step("reading");
        let source = source(label.clone(), place, &keys, &wanted, &target)?;
        line.end(&format!("{} packages", source.packages.len()));
        read.push(json!({ "name": label, "packages": source.packages.len(), "from": source.from }));
        sources.push(source);
    }
    let lock = select(sources, &wanted);
    if !options.allow_absent {
        all_there(&written, &lock, target.arch)?;
    }
    let file = world::synced_lock(&name.system, name.arch);
    let heading = format!(
        "What the repositories of {} for {} offer, as far as recipes ask for it. Made by `packager targets sync`;\ndo not edit it: \
         what else is to be asked for goes into `lock.yaml`. Format: packager/docs/target-locks.md.",
        target.profile.title, target.arch
    );
    let changes = changes(&target.lock, &lock, target.arch);
    world::replace(&places.root.join(&file), &lock.text(&heading))?;
    let kept: usize = lock.known.iter().map(|known| known.packages.len()).sum();
    let absent: Vec<&String> = lock.known.iter().flat_map(|known| &known.absent).collect();
    let mut text = format!("{file}: {kept} packages kept, {} names are absent\n", absent.len());
    for change in &changes {
        text.push_str(&format!("  {change}\n"));
    }
    if keys.is_empty() {
        text.push_str("signatures were not checked\nhint: name the distribution's key with `--key`\n");
    }
    let value = json!({ "lock": file, "repositories": read, "packages": kept, "absent": absent, "changes": changes, "signed": !keys.is_empty() });
    Ok(Report::new(text, value))
}

/// What was established by hand must still be there: the distribution has more repositories than most people name.
fn all_there(written: &Lock, lock: &Lock, arch: Arch) -> Result<()> {
    // The lists that locks are written from often have names of source packages.
    let names = lock.packages(arch).flat_map(|(_, locked)| [Some(locked.name.as_str()), locked.source.as_deref()]);
    let known: BTreeSet<&str> = names.flatten().collect();
    let gone = || written.packages(arch).filter(|(_, locked)| !known.contains(locked.name.as_str()));
    let names: BTreeSet<&str> = gone().map(|(_, locked)| locked.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.into_iter().collect();
    let repositories: BTreeSet<&str> = gone().filter_map(|(known, _)| known.repository.as_deref()).collect();
    let repositories: Vec<&str> = repositories.into_iter().collect();
    let places = if repositories.is_empty() { String::new() } else { format!(" in {}", repositories.join(", ")) };
    bail!(
        "these repositories have no {}, which the target's `lock.yaml` knows{places}; nothing was written\nhint: name the repositories that have \
         them too, or, if they are really gone, use `--allow-absent`",
        names.join(", ")
    )
}

/// A repository's name, given or else the last folder that says something, and its place.
fn labelled(repo: &str) -> (String, &str) {
    // An address may hold `=` itself, after its `:`.
    if let Some((name, place)) = repo.split_once('=').filter(|(name, _)| !name.contains([':', '/'])) {
        return (name.to_owned(), place);
    }
    let parts = || repo.trim_end_matches('/').rsplit('/').filter(|part| !part.is_empty());
    let name = parts().find(|part| !NAMELESS.contains(part)).or_else(|| parts().next()).unwrap_or(repo);
    (name.to_owned(), repo)
}

fn source(
    name: String,
    place: &str,
    keys: &[VerifyingKey],
    asked: &Asked,
    target: &packager_recipe::Target,
) -> Result<Source> {
    let mut repository = Repository::open(place)?;
    let signed = match keys {
        [] => "signature not checked".to_owned(),
        keys => format!("signed by {}", repository.signer(keys)?.facts().fingerprint),
    };
    let sum = digest::file(&repository.repomd()).context("cannot read repomd.xml again")?;
    let from = format!("repodata, revision {}, SHA-256 of repomd.xml {sum}, {signed}", repository.revision());
    let mut packages = repository.primary()?;
    packages.retain(|package| installable(package, target.arch));
    // Other paths are in the primary metadata already.
    let deep =
        asked.names.iter().any(|name| name.starts_with('/') && !packager_repodata::model::is_primary(name.as_bytes()));
    if deep {
        repository.need(Format::Filelists)?;
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, package) in packages.iter().enumerate() {
            places.entry(package.sha256.clone()).or_default().push(place);
        }
        repository.file_lists(|sha256, files| {
            for place in places.get(&sha256).into_iter().flatten() {
                packages[*place].files =
                    files.iter().filter(|file| asked.names.contains(&file.path)).cloned().collect();
            }
        })?;
    }
    if packages.is_empty() {
        bail!("the repository `{place}` has no package for {}\nhint: name the one of this architecture", target.arch);
    }
    Ok(Source { name, from, packages })
}

/// What a reviewer looks at first.
fn changes(before: &Lock, after: &Lock, arch: Arch) -> Vec<String> {
    let versions = |lock: &Lock| -> BTreeMap<String, String> {
        let packages = lock.packages(arch).map(|(_, locked)| locked);
        packages
            .map(|locked| (locked.name.clone(), locked.evr.clone().unwrap_or_else(|| "unknown".to_owned())))
            .collect()
    };
    let (before, after) = (versions(before), versions(after));
    let mut changes = Vec::new();
    for (name, version) in &after {
        match before.get(name) {
            Some(known) if known == version => {}
            Some(known) => changes.push(format!("{name}: {known} became {version}")),
            None => changes.push(format!("{name} {version} is new")),
        }
    }
    changes.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("{name} is gone")));
    changes
}

#[cfg(test)]
mod tests {
    use super::labelled;

    #[test]
    fn a_repository_is_called_after_what_says_something() {
        for (repo, name, place) in [
            ("OS=/srv/os", "OS", "/srv/os"),
            ("/srv/22.03/everything/aarch64/", "everything", "/srv/22.03/everything/aarch64/"),
            ("http://h.invalid/9/AppStream/x86_64/os", "AppStream", "http://h.invalid/9/AppStream/x86_64/os"),
            ("http://h.invalid/get?arch=x86_64", "get?arch=x86_64", "http://h.invalid/get?arch=x86_64"),
            ("EPOL/main=repo", "main=repo", "EPOL/main=repo"),
            ("os", "os", "os"),
        ] {
            assert_eq!(labelled(repo), (name.to_owned(), place));
        }
    }
}
