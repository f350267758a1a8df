//! The provenance of a repository: who signed it, and whether it speaks of every file that is there and of no other.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use packager_rpm::VerifyingKey;
use packager_rpm::dsse::{Envelope, EnvelopeError};
use packager_rpm::provenance::{PAYLOAD_TYPE, Statement};
use packager_source::stop::{Interrupted, unless_interrupted};
use serde::Serialize;

use crate::destination::RECORD as PUBLICATION;
use crate::listed::{Listed, ListedError};
use crate::publish::{RECORD, list};

/// What files of envelopes, one in a line, end in (in-toto attestation framework, "Bundle").
pub const SUFFIX: &str = ".intoto.jsonl";

/// What names of statements have in them.
const STATEMENT: &str = ".intoto.json";

/// The most that such a file may have: a statement of the whole stack for one target has a tenth of a mebibyte.
const BYTES_MAX: u64 = 64 << 20;

/// A provenance that fits its repository.
#[derive(Debug, Clone, Serialize)]
pub struct Attested {
    /// Where it is written.
    pub file: PathBuf,
    /// What it says.
    pub statement: Statement,
}

/// Why a repository is not what its provenance says.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// A file operation.
    #[error("cannot read `{path}`")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not an envelope, or not with a statement in it.
    #[error(
        "`{0}` holds no provenance of this packager\nhint: it was changed, or is another tool's; publish the repository again"
    )]
    Foreign(PathBuf),
    /// An envelope that the key did not sign.
    #[error("the provenance `{file}` is not accepted")]
    Envelope {
        /// Where.
        file: PathBuf,
        /// Why.
        #[source]
        source: EnvelopeError,
    },
    /// A file that is another one.
    #[error(transparent)]
    Listed(#[from] ListedError),
    /// A file that it does not speak of.
    #[error(
        "`{file}` is in no provenance\nhint: it was added after publishing; remove it, or publish the repository again"
    )]
    Unlisted {
        /// The file.
        file: PathBuf,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Verifies the provenance of a repository; nothing when it has none. Others may have put statements of their own beside it. `published` are
/// the files of [`crate::destination::published`].
pub(crate) fn verify(
    folder: &Path,
    key: &VerifyingKey,
    published: &BTreeSet<String>,
) -> Result<Option<Attested>, AttestError> {
    let mut refused = None;
    for file in found(folder)? {
        match opened(&file, key) {
            Ok(statement) => return fits(folder, file, statement, published).map(Some),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(None), Err)
}

/// The provenance in a file, when the key signed it.
fn opened(file: &Path, key: &VerifyingKey) -> Result<Statement, AttestError> {
    let mut text = String::new();
    File::open(file)
        .and_then(|reader| reader.take(BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| AttestError::Read { path: file.to_owned(), source })?;
    let foreign = || AttestError::Foreign(file.to_owned());
    let envelope: Envelope = serde_json::from_str(text.lines().next().unwrap_or_default()).map_err(|_| foreign())?;
    let payload = envelope.open(key).map_err(|source| AttestError::Envelope { file: file.to_owned(), source })?;
    let statement: Statement = serde_json::from_slice(&payload).map_err(|_| foreign())?;
    if envelope.payload_type != PAYLOAD_TYPE || !statement.is_provenance() {
        return Err(foreign());
    }
    Ok(statement)
}

/// Every file of the repository is what its provenance says, and no other is there.
fn fits(
    folder: &Path,
    file: PathBuf,
    statement: Statement,
    published: &BTreeSet<String>,
) -> Result<Attested, AttestError> {
    let mut known = BTreeSet::new();
    for subject in &statement.subject {
        unless_interrupted()?;
        let sha256 = subject.digest.get("sha256").cloned().unwrap_or_default();
        let listed = Listed { location: subject.name.clone(), bytes: None, sha256 };
        known.insert(listed.check(folder, &file)?);
    }
    let mut files = Vec::new();
    list(folder, folder, &mut files).map_err(|source| AttestError::Read { path: folder.to_owned(), source })?;
    let stray = files.into_iter().find(|(name, _)| {
        let before = published.contains(name) && is_of_generation(name);
        !is_about(name) && !before && !known.contains(&folder.join(name))
    });
    if let Some((name, _)) = stray {
        return Err(AttestError::Unlisted { file: folder.join(name) });
    }
    Ok(Attested { file, statement })
}

/// Whether a file is about the repository and no part of it: the record, and statements with their signatures, also those that a release
/// pipeline adds after publishing (`provenance.intoto.json.asc`).
fn is_about(name: &str) -> bool {
    name == RECORD || name == PUBLICATION || !name.contains('/') && name.contains(STATEMENT)
}

/// Whether a file of a generation before may stay: packages, whose signatures are looked at, what is about them, and metadata, which nothing
/// leads to. Nobody signed the record that knows them, so it excuses nothing else.
fn is_of_generation(name: &str) -> bool {
    [".rpm", ".rpm.spdx.json"].iter().any(|ending| name.ends_with(ending)) || name.starts_with("repodata/")
}

fn found(folder: &Path) -> Result<Vec<PathBuf>, AttestError> {
    let failed = |source| AttestError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.to_string_lossy().ends_with(SUFFIX) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::is_about;

    #[test]
    fn statements_are_no_part_of_what_they_are_about() {
        for name in ["daos.intoto.jsonl", "provenance.intoto.json", "provenance.intoto.json.asc", ".packager.json"] {
            assert!(is_about(name), "{name}");
        }
        for name in ["daos.repo", "Packages/x.intoto.json", "Packages/.packager.json", "intoto.json"] {
            assert!(!is_about(name), "{name}");
        }
    }
}
