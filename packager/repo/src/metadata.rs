//! Repository metadata, and its signature.

use std::fs;
use std::path::Path;
use std::process::Command;

use packager_rpm::SigningKey;
use packager_source::stop;

use crate::publish::RepoError;

/// Writes `repodata/` for the packages below a folder. gzip, because every dnf reads it; no databases, because dnf makes
/// its own; times from the sources, so the same packages give the same metadata.
pub fn write(folder: &Path, time: i64) -> Result<(), RepoError> {
    let mut createrepo = Command::new("createrepo_c");
    createrepo
        .args(["--quiet", "--no-database", "--compress-type=gz", "--general-compress-type=gz", "--checksum=sha256"])
        .args(["--unique-md-filenames", "--set-timestamp-to-revision"])
        .arg(format!("--revision={time}"))
        .env("SOURCE_DATE_EPOCH", time.to_string())
        .arg(folder);
    let output = stop::output(&mut createrepo).map_err(RepoError::at(Path::new("createrepo_c")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(RepoError::Metadata(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Signs `repomd.xml`; everything else is covered by its hashes.
pub fn sign(folder: &Path, key: &SigningKey) -> Result<(), RepoError> {
    let repomd = folder.join("repodata/repomd.xml");
    let bytes = fs::read(&repomd).map_err(RepoError::at(&repomd))?;
    let signature = folder.join("repodata/repomd.xml.asc");
    fs::write(&signature, key.sign_detached(&bytes)?).map_err(RepoError::at(&signature))
}
