//! `repo`: metadata of repositories, made, brought up to date, changed, attached, compared, published, served and shown.

pub(crate) mod arguments;
mod attach;
mod info;
mod publish;
mod serve;
mod site;
mod verify;

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use packager_repo::mirror_list::Mirrored;
use packager_repo::operations::{self, Files, Outcome, Settings};
use packager_repo::publish::is_ours;
use packager_repodata::Compression;
use packager_repodata::model::Package;
use packager_resolve::difference::{Change, Difference, differences};
use packager_resolve::retention::{Fate, Rule, retention};
use packager_rpm::SigningKey;
use serde_json::json;

use self::arguments::{MetadataOptions, MirrorOptions, PruneOptions, RepoCommand};
use crate::address;
use crate::places::Places;
use crate::report::{Report, size, table};
use crate::repository::Repository;

/// What is said when a signature went away.
const UNSIGNED: &str = "the metadata was signed before and is not now\nhint: sign it with `--sign-key`\n";

/// Any of them.
pub(crate) fn operate(
    command: &RepoCommand,
    json: bool,
    keys: impl FnOnce() -> Result<PathBuf>,
    places: impl FnOnce() -> Result<Places>,
) -> Result<Report> {
    match command {
        RepoCommand::Create { folder, options } => {
            with(options, folder, |settings| Ok(operations::create(folder, settings)?))
        }
        RepoCommand::Update { folder, options } => {
            with(options, folder, |settings| Ok(operations::update(folder, settings)?))
        }
        RepoCommand::Add { folder, packages, prefix, options } => {
            with(options, folder, |settings| Ok(operations::add(folder, packages, prefix, settings)?))
        }
        RepoCommand::Remove { folder, packages, options } => {
            with(options, folder, |settings| Ok(operations::remove(folder, packages, settings)?))
        }
        RepoCommand::Prune(options) => prune(options),
        RepoCommand::Diff { first, second } => diff(first, second),
        RepoCommand::Attach(options) => attach::attach(options),
        RepoCommand::Detach { folder, kind, stamp } => attach::detach(folder, kind, stamp),
        RepoCommand::Publish(options) => publish::publish(options),
        RepoCommand::Site(options) => site::site(options, &places()?, &keys()?),
        RepoCommand::Verify(options) => verify::verify(options, places),
        RepoCommand::Serve(options) => serve::serve(options, json),
        RepoCommand::Info { folder, packages } => info::info(folder, *packages),
    }
}

/// Does something with the settings that the options ask for, and says what was done.
fn with(
    options: &MetadataOptions,
    folder: &Path,
    operation: impl FnOnce(&Settings<'_>) -> Result<Outcome>,
) -> Result<Report> {
    refuse_published(folder)?;
    let key = options.sign_key.as_deref().map(SigningKey::load).transpose()?;
    let outcome = operation(&settings(options, key.as_ref())?)?;
    Ok(Report::new(told(folder, &outcome), serde_json::to_value(&outcome)?))
}

/// What a build published is one whole: its provenance lists every file, and hosts demand its signature.
fn refuse_published(folder: &Path) -> Result<()> {
    if is_ours(folder) {
        bail!(
            "`{}` was published by `packager build`, as a whole and with one version of each package\nhint: build again to replace it; to keep \
             several versions, collect packages in a folder of their own and use `packager repo update` there",
            folder.display()
        );
    }
    Ok(())
}

fn settings<'k>(options: &MetadataOptions, key: Option<&'k SigningKey>) -> Result<Settings<'k>> {
    let MetadataOptions { workers, compression, revision, sign_key: _, mirror } = options;
    let workers = workers.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let compression = compression.map(|compression| match compression {
        arguments::Compression::Gzip => Compression::Gzip,
        arguments::Compression::Zstd => Compression::Zstd,
    });
    Ok(Settings { workers, compression, revision: *revision, latest: None, key, mirrored: mirrored(mirror)? })
}

/// Whether there is to be a mirror list.
fn mirrored(options: &MirrorOptions) -> Result<Mirrored> {
    Ok(match &options.mirror_list {
        Some(url) => {
            address::check_one("--mirror-list", url)?;
            Mirrored::At(url.clone())
        }
        None if options.no_mirror_list => Mirrored::Nowhere,
        None => Mirrored::AsItWas,
    })
}

fn told(folder: &Path, outcome: &Outcome) -> String {
    let Outcome { packages, read, removed, written, unsigned, revision } = outcome;
    let folder = folder.display();
    if !written {
        return format!("{folder}: nothing to do, {packages} packages\n");
    }
    let mut text =
        format!("{folder}: {packages} packages, {} read, {} removed, revision {revision}\n", read.len(), removed.len());
    if *unsigned {
        text.push_str(UNSIGNED);
    }
    text
}

/// `repo prune`.
fn prune(options: &PruneOptions) -> Result<Report> {
    let PruneOptions { folder, keep, days, dry_run, metadata_only, options } = options;
    refuse_published(folder)?;
    let key = options.sign_key.as_deref().map(SigningKey::load).transpose()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let built_since = days.map(|days| i64::try_from(now).unwrap_or(i64::MAX) - i64::from(days) * 86_400);
    let rule = Rule { newest: *keep, built_since };
    let mut listed = Vec::new();
    let files = match (*dry_run, *metadata_only) {
        (true, _) => Files::Untouched,
        (false, true) => Files::Leave,
        (false, false) => Files::Delete,
    };
    let outcome = operations::retain(folder, files, &settings(options, key.as_ref())?, |packages| {
        let fates = retention(packages, &rule);
        let stays = fates.iter().map(|fate| *fate != Fate::Old).collect();
        let described = |package: &Package| (package.nevra(), package.location.href.clone(), package.size.package);
        listed = packages.iter().map(described).zip(fates).collect();
        stays
    })?;
    let (mut rows, mut values, mut gone, mut bytes_gone) = (Vec::new(), Vec::new(), 0, 0);
    for ((nevra, location, bytes), fate) in listed {
        match &fate {
            Fate::Old => {
                gone += 1;
                bytes_gone += bytes;
                rows.push(vec!["goes".to_owned(), nevra.clone(), size(bytes)]);
            }
            Fate::Required { by, requirement } => {
                rows.push(vec!["stays".to_owned(), nevra.clone(), format!("{by} requires {requirement}")]);
            }
            Fate::Source { of } => rows.push(vec!["stays".to_owned(), nevra.clone(), format!("source of {of}")]),
            Fate::Newest | Fate::Young => {}
        }
        let mut value = serde_json::to_value(&fate)?;
        value["package"] = nevra.into();
        value["location"] = location.into();
        value["bytes"] = bytes.into();
        values.push(value);
    }
    let (would, stay) = (if *dry_run { "would " } else { "" }, values.len() - gone);
    let mut text = table(&rows);
    writeln!(
        text,
        "{}: {stay} packages {would}stay, {gone} {would}go ({} of packages)",
        folder.display(),
        size(bytes_gone)
    )?;
    if outcome.unsigned {
        text.push_str(UNSIGNED);
    }
    let value = json!({ "dry_run": dry_run, "packages": values, "bytes_gone": bytes_gone, "outcome": outcome });
    Ok(Report::new(text, value))
}

/// `repo diff`.
fn diff(first: &str, second: &str) -> Result<Report> {
    let [first, second] = [first, second].map(|place| Repository::open(place)?.primary());
    let found = differences(&first?, &second?);
    let (mut text, mut counts) = (String::new(), [0; 3]);
    for Difference { name, arch, evr, change } in &found {
        let (kind, sign, why) = match change {
            Change::Added => (0, '+', ""),
            Change::Removed => (1, '-', ""),
            Change::Rebuilt { .. } => (2, '~', "  rebuilt: other bytes"),
        };
        counts[kind] += 1;
        writeln!(text, "{sign} {name}-{evr}.{arch}{why}")?;
    }
    let [added, removed, rebuilt] = counts;
    writeln!(text, "{added} added, {removed} removed, {rebuilt} rebuilt")?;
    Ok(Report::new(text, json!({ "differences": found, "added": added, "removed": removed, "rebuilt": rebuilt })))
}
