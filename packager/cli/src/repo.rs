//! `repo`: metadata of repositories, made, brought up to date, changed and shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Result;
use packager_repo::operations::{self, Outcome, Settings};
use packager_repo::stored::Stored;
use packager_repodata::Compression;
use packager_rpm::SigningKey;
use serde_json::json;

use crate::arguments::{self, MetadataOptions, RepoCommand};
use crate::report::{Report, size, table};

/// Any of them.
pub(crate) fn operate(command: &RepoCommand) -> Result<Report> {
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
        RepoCommand::Info { folder, packages } => info(folder, *packages),
    }
}

/// Does something with the settings that the options ask for, and says what was done.
fn with(
    options: &MetadataOptions,
    folder: &Path,
    operation: impl FnOnce(&Settings<'_>) -> Result<Outcome>,
) -> Result<Report> {
    let MetadataOptions { workers, compression, revision, sign_key } = options;
    let key = sign_key.as_deref().map(SigningKey::load).transpose()?;
    let workers = workers.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let compression = compression.map(|compression| match compression {
        arguments::Compression::Gzip => Compression::Gzip,
        arguments::Compression::Zstd => Compression::Zstd,
    });
    let settings = Settings { workers, compression, revision: *revision, latest: None, key: key.as_ref() };
    let outcome = operation(&settings)?;
    Ok(Report::new(told(folder, &outcome), serde_json::to_value(&outcome)?))
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
        text.push_str("the metadata was signed before and is not now\nhint: sign it with `--sign-key`\n");
    }
    text
}

/// `repo info`.
fn info(folder: &Path, listed: bool) -> Result<Report> {
    let stored = Stored::open(folder)?;
    let packages = stored.primary()?;
    let mut arches: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &packages {
        *arches.entry(&package.arch).or_default() += 1;
    }
    let bytes: u64 = packages.iter().map(|package| package.size.package).sum();
    let signed = folder.join("repodata/repomd.xml.asc").exists();
    let mut text = format!("revision  {}\nsigned    {}\n", stored.repomd.revision, if signed { "yes" } else { "no" });
    writeln!(text, "packages  {}, {}", packages.len(), size(bytes))?;
    for (arch, count) in &arches {
        writeln!(text, "  {arch}  {count}")?;
    }
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
