//! `repo attach`, `repo detach`: metadata of other kinds than the lists of packages.

use std::path::Path;

use anyhow::{Result, bail};
use packager_repo::attached::{self, Attached};
use packager_repo::operations::Settings;
use packager_repo::publish::is_ours;
use packager_repodata::Compression;
use packager_rpm::SigningKey;

use super::arguments::{AttachOptions, Stamp, Storing};
use super::{UNSIGNED, mirrored};
use crate::report::Report;

pub(super) fn attach(options: &AttachOptions) -> Result<Report> {
    let AttachOptions { folder, file, kind, compression, stamp } = options;
    let (storing, compression) = match compression {
        Some(Storing::Gzip) => (attached::Storing::Compressed, Some(Compression::Gzip)),
        Some(Storing::Zstd) => (attached::Storing::Compressed, Some(Compression::Zstd)),
        Some(Storing::None) => (attached::Storing::AsItIs, None),
        None => (attached::Storing::Compressed, None),
    };
    with(folder, stamp, compression, |settings| Ok(attached::attach(folder, kind, file, storing, settings)?))
}

pub(super) fn detach(folder: &Path, kind: &str, stamp: &Stamp) -> Result<Report> {
    with(folder, stamp, None, |settings| Ok(attached::detach(folder, kind, settings)?))
}

/// Does something with the settings that are asked for, and says what was done.
fn with(
    folder: &Path,
    stamp: &Stamp,
    compression: Option<Compression>,
    operation: impl FnOnce(&Settings<'_>) -> Result<Attached>,
) -> Result<Report> {
    if is_ours(folder) {
        bail!(
            "`{}` was published by `packager build`, and its provenance lists every file\nhint: write groups into `specs/groups.yaml` and \
             security advisories into `specs/security.yaml`, and build again; for anything else copy the packages into a folder of their own",
            folder.display()
        );
    }
    let Stamp { revision, sign_key, mirror } = stamp;
    let mirrored = mirrored(mirror)?;
    let key = sign_key.as_deref().map(SigningKey::load).transpose()?;
    let (revision, key) = (*revision, key.as_ref());
    let done = operation(&Settings { compression, revision, key, mirrored, ..Settings::default() })?;
    Ok(Report::new(told(folder, &done), serde_json::to_value(&done)?))
}

fn told(folder: &Path, done: &Attached) -> String {
    let Attached { kind, location, removed, written, unsigned, revision } = done;
    let folder = folder.display();
    if !written {
        return format!("{folder}: nothing to do, {kind} is there\n");
    }
    let gone = removed.iter().map(|location| format!("  removed  {location}\n"));
    let new = location.iter().map(|location| format!("  listed   {location}\n"));
    let what = if location.is_some() { "attached" } else { "detached" };
    let mut text = format!("{folder}: {kind} {what}, revision {revision}\n{}", gone.chain(new).collect::<String>());
    if *unsigned {
        text.push_str(UNSIGNED);
    }
    text
}
