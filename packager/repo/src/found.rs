//! Packages as they lie in a folder: which there are, and what one says. A package is read once, from front to back: its header becomes
//! metadata, all of it goes into its hash, nothing of its payload is kept.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use packager_repodata::Package;
use packager_repodata::header::Headers;
use packager_repodata::package::{Outside, describe};
use packager_source::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::metadata::MetadataError;

/// Large enough that reading costs nothing beside hashing, small enough to stay in a processor's cache.
const BLOCK_BYTES: usize = 128 << 10;

/// What our own work folders beside metadata begin with.
pub(crate) const ROOM: &str = ".repodata-";

/// A package file.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Where metadata says that it lies.
    pub(crate) href: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its modification time, in seconds since 1970.
    pub(crate) time: i64,
}

impl Found {
    /// A package file that will be listed at a place.
    pub(crate) fn at(path: &Path, href: String) -> Result<Found, MetadataError> {
        let metadata = fs::metadata(path).map_err(MetadataError::at(path))?;
        Ok(Found { path: path.to_owned(), href, bytes: metadata.len(), time: metadata.mtime() })
    }

    /// What metadata says about it.
    pub(crate) fn read(&self) -> Result<Package, MetadataError> {
        let failed = MetadataError::at(&self.path);
        let file = File::open(&self.path).map_err(MetadataError::at(&self.path))?;
        let front = BufReader::with_capacity(BLOCK_BYTES / 2, file);
        let mut reading = Hashing { from: front, sum: Sha256::new(), bytes: 0 };
        let headers = Headers::read(&mut reading)
            .map_err(|source| MetadataError::Package { path: self.path.clone(), source: Box::new(source) })?;
        reading.drain().map_err(failed)?;
        if reading.bytes != self.bytes {
            return Err(MetadataError::Moving(self.path.clone()));
        }
        let sha256 = hex(&reading.sum.finalize());
        let outside = Outside { sha256, bytes: self.bytes, time: self.time, href: self.href.clone() };
        describe(&headers, outside)
            .map_err(|source| MetadataError::Package { path: self.path.clone(), source: Box::new(source) })
    }
}

/// A reader that hashes what passes.
struct Hashing<R> {
    from: R,
    sum: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(block)?;
        self.sum.update(&block[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<R: Read> Hashing<R> {
    fn drain(&mut self) -> io::Result<()> {
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            match self.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// All package files below a folder, in the order of metadata. Links to files are followed, links to folders are not.
pub(crate) fn below(folder: &Path) -> Result<Vec<Found>, MetadataError> {
    let mut all = Vec::new();
    walk(folder, "", &mut all)?;
    all.sort_by(|one, other| rank(&one.href).cmp(&rank(&other.href)));
    Ok(all)
}

/// As [`Package::rank`].
fn rank(href: &str) -> (&str, &str) {
    (href.rsplit('/').next().unwrap_or_default(), href)
}

fn walk(folder: &Path, below: &str, all: &mut Vec<Found>) -> Result<(), MetadataError> {
    for entry in fs::read_dir(folder).map_err(MetadataError::at(folder))? {
        let entry = entry.map_err(MetadataError::at(folder))?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|_| MetadataError::Name(path.clone()))?;
        let kind = entry.file_type().map_err(MetadataError::at(&path))?;
        if kind.is_dir() {
            let own = name.starts_with(ROOM) || below.is_empty() && name == "repodata";
            if !own {
                walk(&path, &format!("{below}{name}/"), all)?;
            }
        } else if name.ends_with(".rpm") {
            let found = Found::at(&path, format!("{below}{name}"))?;
            if !kind.is_symlink() || path.is_file() {
                all.push(found);
            }
        }
    }
    Ok(())
}
