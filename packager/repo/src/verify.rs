//! Verification: from the signature of `repomd.xml` over the hashes in it to every file of the metadata, and over the hashes in
//! those to every package. What no hash leads to does not belong to the repository.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Component, Path, PathBuf};

use packager_repodata::compression::{Compression, decoder};
use packager_repodata::read::{self, ReadError};
use packager_rpm::{KeyError, VerifyingKey, sign};
use packager_source::digest;
use packager_source::stop::unless_interrupted;

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
    /// A file that is not what the metadata says.
    #[error(
        "`{file}` is not what `{by}` lists: {how}\nhint: it was changed after publishing; publish the repository again"
    )]
    Differs {
        /// The file.
        file: PathBuf,
        /// The metadata.
        by: PathBuf,
        /// What differs.
        how: String,
    },
    /// A path that leaves the repository.
    #[error("`{by}` lists `{location}`, which lies outside the repository\nhint: do not use this repository")]
    Outside {
        /// The path.
        location: String,
        /// The metadata.
        by: PathBuf,
    },
    /// A package that no metadata lists.
    #[error("`{0}` is in no metadata\nhint: remove it, or publish the repository again")]
    Unlisted(PathBuf),
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] packager_source::stop::Interrupted),
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> VerifyError + use<> {
    let path = path.to_owned();
    move |source| VerifyError::Read { path, source }
}

/// Verifies a repository and returns its packages.
pub fn verify(folder: &Path, key: &VerifyingKey) -> Result<Vec<PathBuf>, VerifyError> {
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
        let listed = Listed { location: data.location, sha256: data.sha256, bytes: data.bytes };
        let path = as_listed(folder, &listed, &repomd)?;
        if data.kind != "primary" {
            continue;
        }
        let text = decompressed(&path).map_err(reading(&path))?;
        let mut listed = Vec::new();
        read::primary(&text[..], |package| {
            let (location, bytes) = (package.location.href, package.size.package);
            listed.push(Listed { location, sha256: package.sha256, bytes });
            Ok(())
        })
        .map_err(unreadable(&path))?;
        for package in listed {
            unless_interrupted()?;
            let file = as_listed(folder, &package, &path)?;
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

/// A file as metadata lists it.
struct Listed {
    location: String,
    sha256: String,
    bytes: u64,
}

/// The file, if it is what the metadata says.
fn as_listed(folder: &Path, entry: &Listed, by: &Path) -> Result<PathBuf, VerifyError> {
    let inside = Path::new(&entry.location).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside || entry.location.is_empty() {
        return Err(VerifyError::Outside { location: entry.location.clone(), by: by.to_owned() });
    }
    let file = folder.join(&entry.location);
    let bytes = fs::metadata(&file).map_err(reading(&file))?.len();
    let differs = |how: String| VerifyError::Differs { file: file.clone(), by: by.to_owned(), how };
    if bytes != entry.bytes {
        return Err(differs(format!("it has {bytes} bytes instead of {}", entry.bytes)));
    }
    let sum = digest::file(&file).map_err(reading(&file))?;
    if sum != entry.sha256 {
        return Err(differs(format!("its SHA-256 is {sum} instead of {}", entry.sha256)));
    }
    Ok(file)
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
