//! `repo info`: what the metadata of a repository says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use packager_repo::stored::{SIGNATURE, Stored};
use packager_repodata::advisory::Advisory;
use packager_repodata::comps::{Comps, Environment};
use serde_json::json;

use crate::report::{Report, size, table};

pub(super) fn info(folder: &Path, listed: bool) -> Result<Report> {
    let stored = Stored::open(folder)?;
    let packages = stored.primary()?;
    let mut arches: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &packages {
        *arches.entry(&package.arch).or_default() += 1;
    }
    let bytes: u64 = packages.iter().map(|package| package.size.package).sum();
    let signed = folder.join(SIGNATURE).exists();
    let mut text = format!("revision  {}\nsigned    {}\n", stored.repomd.revision, if signed { "yes" } else { "no" });
    writeln!(text, "packages  {}, {}", packages.len(), size(bytes))?;
    for (arch, count) in &arches {
        writeln!(text, "  {arch}  {count}")?;
    }
    let groups = stored.groups()?;
    let advisories = stored.advisories()?;
    text.push_str(&groups.as_ref().map(told_groups).unwrap_or_default());
    text.push_str(&advisories.as_deref().map(told_advisories).unwrap_or_default());
    text.push_str("metadata\n");
    let rows: Vec<Vec<String>> = stored
        .repomd
        .data
        .iter()
        .map(|data| vec![format!("  {}", data.kind), size(data.bytes), data.location.clone()])
        .collect();
    text.push_str(&table(&rows));
    let mut value = json!({
        "revision": stored.repomd.revision,
        "signed": signed,
        "packages": packages.len(),
        "bytes": bytes,
        "arches": arches,
        "metadata": stored.repomd.data.iter().map(|data| json!({
            "type": data.kind, "location": data.location, "sha256": data.sha256, "bytes": data.bytes,
        })).collect::<Vec<_>>(),
    });
    if let Some(Comps { groups, environments }) = &groups {
        let shown = groups.iter().map(|group| {
            let packages: Vec<_> =
                group.members.iter().map(|member| json!({ "name": member.name, "type": member.when.name() })).collect();
            json!({ "id": group.id, "name": group.name, "packages": packages })
        });
        value["groups"] = shown.collect();
        let shown = environments.iter().map(|environment| {
            let Environment { id, name, groups, options, .. } = environment;
            json!({ "id": id, "name": name, "groups": groups, "options": options })
        });
        value["environments"] = shown.collect();
    }
    if let Some(advisories) = &advisories {
        value["advisories"] = json!({ "count": advisories.len(), "types": types(advisories) });
    }
    if listed {
        let rows: Vec<Vec<String>> =
            packages.iter().map(|package| vec![package.nevra(), package.location.href.clone()]).collect();
        text.push_str(&table(&rows));
        value["list"] = packages.iter().map(|package| json!({
            "name": package.name, "epoch": package.evr.epoch, "version": package.evr.version, "release": package.evr.release,
            "arch": package.arch, "location": package.location.href, "sha256": package.sha256, "bytes": package.size.package,
        })).collect();
    }
    Ok(Report::new(text, value))
}

/// Groups with the number of their packages, and environments with their groups.
fn told_groups(comps: &Comps) -> String {
    let Comps { groups, environments } = comps;
    let row = |id: &String, name: &String, what: String| vec![format!("  {id}"), name.clone(), what];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in groups {
        rows.push(row(&group.id, &group.name, format!("{} packages", group.members.len())));
    }
    for environment in environments {
        let ids: Vec<&str> = environment.groups.iter().map(String::as_str).collect();
        rows.push(row(&environment.id, &environment.name, format!("of {}", ids.join(", "))));
    }
    format!("groups    {}\n{}", groups.len(), table(&rows))
}

/// Their number, by type.
fn told_advisories(advisories: &[Advisory]) -> String {
    let types = types(advisories).into_iter().map(|(kind, count)| format!("  {kind}  {count}\n"));
    format!("advisories  {}\n{}", advisories.len(), types.collect::<String>())
}

fn types(advisories: &[Advisory]) -> BTreeMap<&str, usize> {
    let mut types = BTreeMap::new();
    for advisory in advisories {
        *types.entry(advisory.kind.as_str()).or_default() += 1;
    }
    types
}
