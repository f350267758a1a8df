//! Repository metadata of a published repository, its signature, and what can go wrong with any.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use packager_repodata::header::HeaderError;
use packager_repodata::read::ReadError;
use packager_rpm::SigningKey;
use packager_source::stop::Interrupted;

use crate::listed::ListedError;
use crate::operations::{self, Settings};
use crate::publish::RepoError;
use crate::stored::{REPOMD, SIGNATURE};

/// Why metadata cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A package.
    #[error("cannot read the package `{path}`\nhint: it is damaged or no RPM; build or fetch it again, or remove it")]
    Package {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<HeaderError>,
    },
    /// A package that is being written.
    #[error("`{0}` changed while it was read\nhint: wait until it is complete, and run this again")]
    Moving(PathBuf),
    /// A name that metadata cannot carry.
    #[error("the name of `{}` is not UTF-8\nhint: rename it: metadata and addresses cannot carry it", .0.display())]
    Name(PathBuf),
    /// A place for added packages that is none.
    #[error("`{0}` is no place in a repository\nhint: give `--prefix` a folder below it, like `Packages`")]
    Prefix(String),
    /// No metadata.
    #[error("`{0}` has no repodata/repomd.xml\nhint: make it with `packager repo create`")]
    None(PathBuf),
    /// Metadata without an essential part.
    #[error("the metadata of `{folder}` lists no `{wanted}`\nhint: make it again with `packager repo create`")]
    Lacks {
        /// The repository.
        folder: PathBuf,
        /// Type of the part.
        wanted: &'static str,
    },
    /// Metadata that cannot be understood.
    #[error("cannot read the metadata `{path}`\nhint: make it again with `packager repo create`")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<ReadError>,
    },
    /// Compression.
    #[error("`{0}` is neither gzip, zstd, xz nor plain XML\nhint: make it again with `packager repo create`")]
    Compression(PathBuf),
    /// A mirror list that somebody else made.
    #[error(
        "`{0}` is no mirror list that packager made\nhint: remove it, or give `--mirror-list` or `--no-mirror-list`"
    )]
    MirrorList(PathBuf),
    /// A file that is not what metadata lists.
    #[error(transparent)]
    Listed(#[from] ListedError),
    /// Versions of several streams.
    #[error(
        "`{0}` has module streams, whose versions do not follow each other\nhint: remove packages by name with `packager repo remove`"
    )]
    Modular(PathBuf),
    /// Package files that the metadata lists no longer and that are still there.
    #[error(
        "cannot remove `{path}` and {others} others, which the metadata lists no longer\nhint: remove them by hand, or let `packager repo update` list them again"
    )]
    Left {
        /// The first.
        path: PathBuf,
        /// How many more.
        others: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something to remove that is not there.
    #[error("no package of `{folder}` is `{wanted}`\nhint: {near}")]
    Unknown {
        /// The repository.
        folder: PathBuf,
        /// As asked for.
        wanted: String,
        /// What to do.
        near: String,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Signing.
    #[error(transparent)]
    Key(#[from] packager_rpm::KeyError),
}

impl MetadataError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> MetadataError + use<> {
        let path = path.to_owned();
        move |source| MetadataError::Io { path, source }
    }
}

/// Writes `repodata/` for the packages below a folder. gzip, because every dnf reads it; times from the sources, so the same packages
/// give the same metadata whenever they were copied and signed.
pub fn write(folder: &Path, time: i64) -> Result<(), RepoError> {
    let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let settings = Settings { workers, revision: Some(time), latest: Some(time), ..Settings::default() };
    operations::create(folder, &settings)?;
    Ok(())
}

/// Signs `repomd.xml` as of a time; everything else is covered by its hashes.
pub fn sign(folder: &Path, key: &SigningKey, time: i64) -> Result<(), RepoError> {
    Ok(signature(folder, key, time)?)
}

/// See [`sign`].
pub(crate) fn signature(folder: &Path, key: &SigningKey, time: i64) -> Result<(), MetadataError> {
    let repomd = folder.join(REPOMD);
    let bytes = fs::read(&repomd).map_err(MetadataError::at(&repomd))?;
    let path = folder.join(SIGNATURE);
    fs::write(&path, key.sign_detached(&bytes, key.time_for(time))?).map_err(MetadataError::at(&path))
}
