//! Where repositories are published: named files, each of which is there whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packager_source::stop::Interrupted;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// An address of no known kind.
    #[error("`{0}` is no place to publish at\nhint: name a folder, `ssh://HOST/DIR` or `s3://BUCKET/PREFIX`")]
    Address(String),
    /// An address that lacks something.
    #[error("`{address}` is no place to publish at: {lacks}")]
    Incomplete {
        /// As it was given.
        address: String,
        /// What is missing or too much.
        lacks: &'static str,
    },
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A bucket.
    #[error("cannot {what} `{place}`\nhint: {hint}")]
    Bucket {
        /// What was tried.
        what: String,
        /// The bucket.
        place: String,
        /// What may help.
        hint: &'static str,
        /// Why.
        #[source]
        source: Box<object_store::Error>,
    },
    /// A program did not start.
    #[error("cannot run `{program}`{remedy}")]
    Program {
        /// Its name.
        program: String,
        /// What may help.
        remedy: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program failed.
    #[error(
        "cannot {what} `{place}`: `{program}` ended with {status}{said}\nhint: try the same command by hand; `--ssh` says how to reach the host"
    )]
    Failed {
        /// What was tried.
        what: &'static str,
        /// The place.
        place: String,
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// What it wrote, each line indented.
        said: String,
    },
    /// A file that is too large for what it should be.
    #[error("`{name}` at `{place}` has more than {most} bytes\nhint: it is not what was published there; look at it")]
    Large {
        /// The place.
        place: String,
        /// The file.
        name: String,
        /// How many it may have.
        most: u64,
    },
    /// A name that is none below the place.
    #[error("`{place}` holds `{name}`, which is no name of a published file\nhint: rename or remove it")]
    Name {
        /// The place.
        place: String,
        /// As it is there.
        name: String,
    },
    /// A link to a folder at the place.
    #[error("`{}` is a link to a folder, through which nothing is published\nhint: put the folder itself there, as by a bind mount, or publish where it is", .0.display())]
    Link(PathBuf),
    /// Another publisher.
    #[error("another publisher uses `{place}` for longer than {} seconds{by}\nhint: wait for it, or give `--wait` more seconds", waited.as_secs())]
    Held {
        /// The place.
        place: String,
        /// How long it was waited for.
        waited: Duration,
        /// Who it is, if that is known.
        by: String,
    },
    /// The lock is another publisher's now.
    #[error(
        "another publisher took over `{place}`, because this one was not heard of for too long\nhint: publish again when it has ended"
    )]
    Lost {
        /// The place.
        place: String,
    },
    /// A server that does not know conditions.
    #[error(
        "`{place}` lets two publishers work at once: its server ignores `{condition}`\nhint: see that nobody else publishes there, and give `--unlocked`"
    )]
    NoLock {
        /// The place.
        place: String,
        /// The header.
        condition: &'static str,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// A file that is to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name at the place.
    pub name: String,
    /// Where it lies now.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// A place. Names are relative, with `/` between their parts.
pub trait Place {
    /// As a person writes it.
    fn address(&self) -> &str;

    /// Its folder, if it is one of this machine.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Takes the lock, and waits for it that long.
    fn lock(&self, patience: Duration) -> Result<Box<dyn Held + '_>, PlaceError>;

    /// Names and sizes of all files there; none when there is no such place yet.
    fn list(&self) -> Result<BTreeMap<String, u64>, PlaceError>;

    /// A file; nothing when it is not there.
    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, PlaceError>;

    /// Puts files in any order; each is there whole or not at all. `put` hears of each that is there.
    fn put_all(&self, files: &[Source], put: &mut dyn FnMut(&Source)) -> Result<(), PlaceError>;

    /// Puts one file with these contents, in place of the one that is there.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PlaceError>;

    /// Puts small files of one folder there at one moment, as nearly as the place can; those without contents are removed.
    fn switch(&self, files: &[(&str, Option<&[u8]>)]) -> Result<(), PlaceError>;

    /// Removes files; it is no error when they are not there.
    fn remove(&self, names: &[String]) -> Result<(), PlaceError>;

    /// What was put so far survives a power loss in which what is put from now on survives.
    fn settle(&self) -> Result<(), PlaceError>;
}

/// A lock that goes with the value.
pub trait Held {
    /// An error when it is another's by now.
    fn check(&self) -> Result<(), PlaceError>;
}

/// Settings of places.
#[derive(Debug, Clone)]
pub struct Reach {
    /// How a host is reached: `ssh` with its arguments.
    pub ssh: String,
    /// Address of the server of buckets; as the environment says when absent.
    pub endpoint: Option<String>,
    /// How long a lock in a bucket is good for without being renewed.
    pub lease: Duration,
    /// Whether a bucket is used without a lock.
    pub unlocked: bool,
    /// Files that are put at the same time.
    pub jobs: usize,
}

impl Default for Reach {
    fn default() -> Self {
        Reach { ssh: "ssh".to_owned(), endpoint: None, lease: Duration::from_secs(60), unlocked: false, jobs: 4 }
    }
}

/// The address of a folder below a place.
#[must_use]
pub fn below(address: &str, name: &str) -> String {
    let address = address.trim_end_matches('/');
    match name {
        "" => address.to_owned(),
        _ if address.starts_with("ssh://") => {
            let parts = name.split('/').map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
            format!("{address}/{}", parts.collect::<Vec<_>>().join("/"))
        }
        _ => format!("{address}/{name}"),
    }
}

/// The place that an address names.
pub fn open(address: &str, reach: &Reach) -> Result<Box<dyn Place>, PlaceError> {
    match address.split_once("://") {
        None if address.is_empty() => Err(PlaceError::Address(address.to_owned())),
        None => Ok(Box::new(super::folder::Folder::new(address, address.into()))),
        Some(("file", path)) if path.starts_with('/') => Ok(Box::new(super::folder::Folder::new(address, path.into()))),
        Some(("ssh", _)) => Ok(Box::new(super::host::Host::new(address, reach)?)),
        Some(("s3", _)) => Ok(Box::new(super::bucket::Bucket::new(address, reach)?)),
        Some(_) => Err(PlaceError::Address(address.to_owned())),
    }
}
