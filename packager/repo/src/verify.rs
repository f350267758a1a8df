//! Verification: from the signature of `repomd.xml` over the hashes in it to every file of the metadata, and over the hashes in
//! those to every package. What no hash leads to does not belong to the repository. Where there is a provenance, every file is held against it
//! too ([`crate::attested`]).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use packager_repodata::compression::{Compression, decoder};
use packager_repodata::read::{self, ReadError};
use packager_rpm::{KeyError, VerifyingKey, sign};
use packager_source::stop::unless_interrupted;

use crate::attested::{self, AttestError, Attested};
use crate::listed::{Listed, ListedError};
use crate::stored::METADATA_BYTES_MAX;

/// Why a repository is not as it was signed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file operation.
    #[error("cannot read `{path}`\nhint: name a folder with `repodata/`; a part of a repository is missing")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Keys and detached signatures.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A package.
    #[error(transparent)]
    Package(#[from] sign::SignError),
    /// Metadata that cannot be understood.
    #[error("`{path}` is no repository metadata\nhint: publish the repository again")]
    Metadata {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<ReadError>,
    },
    /// A file that is not what metadata lists.
    #[error(transparent)]
    Listed(#[from] ListedError),
    /// A package that no metadata lists.
    #[error("`{0}` is in no metadata\nhint: remove it, or publish the repository again")]
    Unlisted(PathBuf),
    /// A file for hosts that makes dnf trust too much.
    #[error(
        "`{file}` lets dnf accept what nobody signed: `{key}` is not on\nhint: it was changed; publish the repository again"
    )]
    Unguarded {
        /// The `.repo` file.
        file: PathBuf,
        /// What guards.
        key: &'static str,
    },
    /// The provenance.
    #[error(transparent)]
    Provenance(#[from] AttestError),
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] packager_source::stop::Interrupted),
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> VerifyError + use<> {
    let path = path.to_owned();
    move |source| VerifyError::Read { path, source }
}

/// A repository that is as it was signed.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Its packages.
    pub packages: Vec<PathBuf>,
    /// Its provenance, when it has one.
    pub provenance: Option<Attested>,
}

/// Verifies a repository: packages and metadata, and the provenance when there is one.
pub fn verify(folder: &Path, key: &VerifyingKey) -> Result<Verified, VerifyError> {
    let packages = listed(folder, key)?;
    let provenance = attested::verify(folder, key)?;
    guarded(folder)?;
    Ok(Verified { packages, provenance })
}

/// The packages that signed metadata leads to.
fn listed(folder: &Path, key: &VerifyingKey) -> Result<Vec<PathBuf>, VerifyError> {
    let repomd = folder.join("repodata/repomd.xml");
    fs::metadata(&repomd).map_err(reading(&repomd))?;
    key.verify_file(&repomd, &folder.join("repodata/repomd.xml.asc"))?;
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| VerifyError::Metadata { path, source: Box::new(source) }
    };
    let text = fs::read(&repomd).map_err(reading(&repomd))?;
    let mut packages = Vec::new();
    for data in read::repomd(&text[..]).map_err(unreadable(&repomd))?.data {
        let path = Listed::from(&data).check(folder, &repomd)?;
        if data.kind != "primary" {
            continue;
        }
        let text = decompressed(&path).map_err(reading(&path))?;
        let mut listed = Vec::new();
        read::primary(&text[..], |package| {
            let (location, bytes) = (package.location.href, package.size.package);
            listed.push(Listed { location, sha256: package.sha256, bytes: Some(bytes) });
            Ok(())
        })
        .map_err(unreadable(&path))?;
        for package in listed {
            unless_interrupted()?;
            let file = package.check(folder, &path)?;
            sign::verify(&file, key)?;
            packages.push(file);
        }
    }
    let known: BTreeSet<&PathBuf> = packages.iter().collect();
    if let Some(stray) = rpms(folder)?.into_iter().find(|path| !known.contains(path)) {
        return Err(VerifyError::Unlisted(stray));
    }
    Ok(packages)
}

/// Settings by which dnf looks at signatures.
const GUARDS: [&str; 2] = ["gpgcheck", "repo_gpgcheck"];

/// The files that hosts take from the repository demand signatures: nothing signs these files but the provenance. Where they send dnf to, and
/// for which key, is not looked at here.
fn guarded(folder: &Path) -> Result<(), VerifyError> {
    for entry in fs::read_dir(folder).map_err(reading(folder))? {
        let file = entry.map_err(reading(folder))?.path();
        if file.extension().is_none_or(|extension| extension != "repo") {
            continue;
        }
        let text = fs::read_to_string(&file).map_err(reading(&file))?;
        if let Some(key) = GUARDS.into_iter().find(|key| !on_everywhere(&text, key)) {
            return Err(VerifyError::Unguarded { file, key });
        }
    }
    Ok(())
}

/// Whether every section of a file of settings has a key, and switches it on. A line that begins with a blank belongs to the value before it.
fn on_everywhere(text: &str, key: &str) -> bool {
    let mut sections: Vec<bool> = Vec::new();
    let mut of_key = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let setting = line.split_once('=').filter(|(name, _)| name.trim_end() == key);
        if line.starts_with('[') {
            sections.push(false);
        } else if line.starts_with([' ', '\t']) {
            if let Some(on) = sections.last_mut().filter(|_| of_key) {
                *on = false;
            }
            continue;
        } else if let (Some(on), Some((_, value))) = (sections.last_mut(), setting) {
            *on = ["1", "yes", "true", "on"].contains(&value.trim().to_lowercase().as_str());
        }
        of_key = setting.is_some();
    }
    sections.into_iter().all(|on| on)
}

fn decompressed(path: &Path) -> io::Result<Vec<u8>> {
    let Some(compression) = Compression::of(&path.to_string_lossy()) else {
        let what = "metadata must be compressed with gzip, zstd or xz, or not at all";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    };
    let mut text = Vec::new();
    decoder(BufReader::new(File::open(path)?), compression, METADATA_BYTES_MAX)?.read_to_end(&mut text)?;
    Ok(text)
}

/// All package files below a folder.
fn rpms(folder: &Path) -> Result<Vec<PathBuf>, VerifyError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(reading(folder))? {
        let entry = entry.map_err(reading(folder))?;
        let path = entry.path();
        if entry.file_type().map_err(reading(&path))?.is_dir() {
            found.extend(rpms(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rpm") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::on_everywhere;

    #[test]
    fn a_guard_is_on_in_every_section() {
        for good in ["[a]\ngpgcheck=1\n", "# [x]\n\n[a]\nname=b\n  c\ngpgcheck = True\n[b]\ngpgcheck=yes\n", ""] {
            assert!(on_everywhere(good, "gpgcheck"), "{good}");
        }
        for bad in [
            "[a]\ngpgcheck=0\n",
            "[a]\nrepo_gpgcheck=1\n",
            "[a]\n#gpgcheck=1\n",
            "gpgcheck=1\n[a]\n",
            "[a]\ngpgcheck=1\n[b]\nname=b\n",
            "[a]\ngpgcheck=1\ngpgcheck=0\n",
            "[a]\nname=b\n gpgcheck=1\n",
            "[a]\ngpgcheck=1\n 0\n",
        ] {
            assert!(!on_everywhere(bad, "gpgcheck"), "{bad}");
        }
    }
}
