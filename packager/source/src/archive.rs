//! Archives of upstream releases, kept by hash. Nothing is taken from the store for a recipe whose SHA-256 is not the one the recipe names,
//! whatever the network gave. Sources that a person gave ([`crate::given`]) lie there under their own hash.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::digest::{self, hex};
use crate::git;
use crate::keep;
use crate::room::Room;
use crate::stop::{self, Interrupted, unless_interrupted};

/// The largest archive of the stack has 16 MB; a server that sends without end is stopped here.
pub const ARCHIVE_BYTES_MAX: u64 = 2 << 30;

/// Downloads as apt does.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// A host that does not answer: the next copy is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A whole transfer of the largest archive over a slow line.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(1800);

/// Why a Debian copy cannot be asked for.
const NO_MIRROR: &str = "this machine has no Debian mirror";

/// Where a copy of a release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `http:`, `https:` or `file:`.
    Url(String),
    /// A path below `pool/main/` of the Debian mirrors of this machine.
    Debian(String),
    /// A commit of a git repository.
    Git {
        /// `http:`, `https:`, `file:` or a folder.
        url: String,
        /// Its id, in hexadecimal.
        commit: String,
        /// The top folder of the archive that is made of it.
        folder: String,
    },
}

/// A copy of a release, with the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Where it is.
    pub place: Place,
    /// Its hash, in hexadecimal.
    pub sha256: String,
}

/// Why no copy was had.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file operation.
    #[error("cannot use `{path}`")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// None of them.
    #[error("no copy of the source archive can be had:\n{}\nhint: {hint}", reasons.join("\n"))]
    None {
        /// One line for each copy.
        reasons: Vec<String>,
        /// Remedy.
        hint: &'static str,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Why one copy was not had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("{0}")]
    Http(#[from] Box<ureq::Error>),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Apt(String),
    #[error("{0}")]
    Git(#[from] git2::Error),
    #[error("the server says `{0}`")]
    Refused(String),
    #[error("the server does not speak git's smart protocol")]
    NoGit,
    #[error("the name of a file in `{0}` is not UTF-8")]
    Name(String),
    #[error("its SHA-256 is {0}")]
    Hash(String),
    #[error("it has more than {0} bytes")]
    TooLong(u64),
    #[error("{0}")]
    Interrupted(#[from] Interrupted),
}

impl CopyError {
    /// Whether who was asked says that there is nothing.
    fn is_absent(&self) -> bool {
        match self {
            CopyError::Http(error) => matches!(**error, ureq::Error::StatusCode(404 | 410)),
            CopyError::Io(error) => error.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// The store of archives.
#[derive(Debug, Clone)]
pub struct Archives {
    folder: PathBuf,
    mirror: Option<PathBuf>,
}

impl Archives {
    /// A store in a folder, which need not exist yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Archives {
        Archives { folder, mirror: None }
    }

    /// Looks into a folder, where archives lie under their hashes too, before anywhere else.
    #[must_use]
    pub fn with_mirror(self, mirror: Option<PathBuf>) -> Archives {
        Archives { mirror, ..self }
    }

    /// The first of the copies that is here under its hash, unread: for what says what would be done, not for builds.
    #[must_use]
    pub fn at_hand(&self, copies: &[Copy]) -> Option<usize> {
        copies.iter().position(|copy| {
            let path = self.folder.join(&copy.sha256);
            keep::used(&path);
            path.is_file()
        })
    }

    /// The first of the copies that is here, hashed anew: people put archives here by hand, and disks fail.
    #[must_use]
    pub fn verified(&self, copies: &[Copy]) -> Option<usize> {
        let right = |sha256: &str| digest::file(&self.folder.join(sha256)).is_ok_and(|sum| sum == sha256);
        let verified = copies.iter().position(|copy| right(&copy.sha256))?;
        keep::used(&self.folder.join(&copies[verified].sha256));
        Some(verified)
    }

    /// Gets the first copy that can be had, and says which one it is: of copies with one hash the first, as `verified` will say from now on, wherever
    /// it came from. What is built must not depend on that.
    pub fn fetch(&self, copies: &[Copy], offline: bool) -> Result<usize, ArchiveError> {
        if let Some(verified) = self.verified(copies) {
            return Ok(verified);
        }
        let room = Room::make(&self.folder, ".fetch-")
            .map_err(|source| ArchiveError::Io { path: self.folder.clone(), source })?;
        let part = room.path().join("part");
        let mut reasons = Vec::new();
        for sha256 in copies.iter().map(|copy| &copy.sha256).collect::<BTreeSet<_>>() {
            let kept = self.folder.join(sha256);
            if let Ok(sum) = digest::file(&kept) {
                reasons.push(format!("  {}: its SHA-256 is {sum}, the recipe says {sha256}", kept.display()));
            }
        }
        let mirrored = copies.iter().enumerate().filter_map(|(index, copy)| {
            let path = self.mirror.as_ref()?.join(&copy.sha256);
            path.is_file().then(|| (index, Place::Url(format!("file://{}", path.display()))))
        });
        let named = copies.iter().enumerate().map(|(index, copy)| (index, copy.place.clone()));
        for (index, from) in mirrored.chain(named) {
            let sha256 = &copies[index].sha256;
            let places = from.addresses();
            if places.is_empty() {
                reasons.push(format!("  {NO_MIRROR}"));
            }
            for place in places {
                unless_interrupted()?;
                if offline && place.contains("://") && !place.starts_with("file:") {
                    reasons.push(format!("  {place}: the network is not to be used"));
                    continue;
                }
                let got = from.transfer(&place, &part).and_then(|sum| agree(sum, sha256));
                match got {
                    Ok(()) => {
                        let first = copies.iter().position(|copy| copy.sha256 == *sha256);
                        return self.keep(&part, sha256).map(|()| first.unwrap_or(index));
                    }
                    Err(CopyError::Interrupted(interrupted)) => return Err(interrupted.into()),
                    Err(CopyError::Hash(sum)) => {
                        reasons.push(format!("  {place}: its SHA-256 is {sum}, the recipe says {sha256}"));
                    }
                    Err(error) => reasons.push(format!("  {place}: {error}")),
                }
            }
        }
        let hint = if offline {
            "run the same command once without `--offline`"
        } else {
            "check the network, and `sha256:` in the recipe (`packager lock --verify` compares all copies); a copy by hand goes to `archives/<sha256>` in the packager's state folder or in a mirror"
        };
        Err(ArchiveError::None { reasons, hint })
    }

    fn keep(&self, part: &Path, sha256: &str) -> Result<(), ArchiveError> {
        let home = self.folder.join(sha256);
        fs::rename(part, &home).map_err(|source| ArchiveError::Io { path: home, source })
    }

    /// The hash of what is at a place now, or why nothing can be had from there. Nothing is kept.
    pub fn look(&self, place: &Place) -> Result<Result<String, String>, ArchiveError> {
        let room = Room::make(&self.folder, ".fetch-")
            .map_err(|source| ArchiveError::Io { path: self.folder.clone(), source })?;
        let mut reason = NO_MIRROR.to_owned();
        for address in place.addresses() {
            unless_interrupted()?;
            match place.transfer(&address, &room.path().join("part")) {
                Ok(sum) => return Ok(Ok(sum)),
                Err(CopyError::Interrupted(interrupted)) => return Err(interrupted.into()),
                Err(error) => reason = error.to_string(),
            }
        }
        Ok(Err(reason))
    }
}

impl Place {
    /// Where it can be asked for.
    fn addresses(&self) -> Vec<String> {
        match self {
            Place::Url(url) | Place::Git { url, .. } => vec![url.clone()],
            Place::Debian(path) => debian_mirrors().iter().map(|mirror| format!("{mirror}/pool/main/{path}")).collect(),
        }
    }

    /// Copies what is at one of its addresses, and says what it hashes to.
    fn transfer(&self, address: &str, part: &Path) -> Result<String, CopyError> {
        match self {
            Place::Debian(_) if Path::new(APT_HELPER).is_file() => transfer_with_apt(address, part),
            Place::Git { url, commit, folder } => {
                git::export(&agent(), url, commit, folder, part)?;
                Ok(digest::file(part)?)
            }
            _ => transfer(address, part, ARCHIVE_BYTES_MAX),
        }
    }
}

fn agree(sum: String, sha256: &str) -> Result<(), CopyError> {
    if sum == sha256 { Ok(()) } else { Err(CopyError::Hash(sum)) }
}

/// From a Debian mirror as apt gets it: with the machine's proxies and credentials.
fn transfer_with_apt(place: &str, part: &Path) -> Result<String, CopyError> {
    let output = stop::output(Command::new(APT_HELPER).args(["download-file", place]).arg(part))?;
    unless_interrupted()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| line.starts_with("E:")).unwrap_or("apt says no").to_owned();
        return Err(CopyError::Apt(last));
    }
    Ok(digest::file(part)?)
}

/// Why a file was not had.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch `{place}`: {reason}\nhint: check the address and the network")]
pub struct DownloadError {
    /// Its address.
    pub place: String,
    /// Why.
    pub reason: String,
    /// Who was asked says that there is nothing.
    pub is_absent: bool,
}

/// Fetches a file of at most so many bytes, whose contents somebody else checks.
pub fn download(place: &str, to: &Path, most: u64) -> Result<(), DownloadError> {
    transfer(place, to, most).map(drop).map_err(|error| DownloadError {
        place: place.to_owned(),
        reason: error.to_string(),
        is_absent: error.is_absent(),
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(CONNECT_TIMEOUT))
        .timeout_recv_body(Some(TRANSFER_TIMEOUT))
        .build()
        .into()
}

/// Copies what is there, and says what it hashes to.
fn transfer(place: &str, part: &Path, most: u64) -> Result<String, CopyError> {
    let mut body: Box<dyn Read> = match place.strip_prefix("file://") {
        Some(path) => Box::new(File::open(path)?),
        None => {
            let response = agent().get(place).call().map_err(Box::new)?;
            Box::new(response.into_body().into_reader())
        }
    };
    let mut file = File::create(part)?;
    let mut sum = Sha256::new();
    let mut bytes = 0_u64;
    let mut block = vec![0_u8; 1 << 16];
    loop {
        unless_interrupted()?;
        let read = body.read(&mut block)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        if bytes > most {
            return Err(CopyError::TooLong(most));
        }
        sum.update(&block[..read]);
        file.write_all(&block[..read])?;
    }
    file.sync_all()?;
    Ok(hex(&sum.finalize()))
}

/// The Debian mirrors that this machine installs its own packages from.
fn debian_mirrors() -> Vec<String> {
    let mut texts = vec![fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    for entry in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        texts.push(fs::read_to_string(entry.path()).unwrap_or_default());
    }
    mirrors(texts.iter().map(String::as_str))
}

/// The mirrors in texts of sources.list(5), in either of its formats.
fn mirrors<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in texts.flat_map(str::lines).map(str::trim) {
        let words = match line.split_once(char::is_whitespace) {
            Some(("deb" | "deb-src" | "URIs:", words)) => words,
            _ => continue,
        };
        let addresses =
            words.split_whitespace().filter(|word| word.starts_with("http://") || word.starts_with("https://"));
        for address in addresses.map(|address| address.trim_end_matches('/')) {
            // The security archive and those of others have other pools.
            if address.ends_with("/debian") && !found.iter().any(|known| known == address) {
                found.push(address.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{ArchiveError, Archives, Copy, Place, mirrors};
    use crate::digest;
    use std::fs;

    #[test]
    fn mirrors_of_both_formats_are_found_once() {
        let list = "deb [signed-by=/k.gpg] http://one.invalid/debian/ bookworm main\ndeb http://sec.invalid/debian-security b main\n";
        let deb822 = "Types: deb\nURIs: https://two.invalid/debian http://one.invalid/debian\nSuites: x\n# URIs: http://no.invalid/debian\n";
        assert_eq!(mirrors([list, deb822].into_iter()), ["http://one.invalid/debian", "https://two.invalid/debian"]);
    }

    #[test]
    fn the_first_copy_with_the_right_hash_is_kept_and_no_other() {
        let room = tempfile::tempdir().expect("a folder");
        let right = room.path().join("right.tar.gz");
        fs::write(&right, "right").expect("written");
        let wrong = room.path().join("wrong.tar.gz");
        fs::write(&wrong, "wrong").expect("written");
        let sha256 = digest::file(&right).expect("a hash");
        let copy = |path: &std::path::Path| Copy {
            place: Place::Url(format!("file://{}", path.display())),
            sha256: sha256.clone(),
        };
        let archives = Archives::new(room.path().join("archives"));
        let missing = copy(&room.path().join("nowhere"));
        let error = archives.fetch(&[missing.clone(), copy(&wrong)], false).expect_err("neither is right");
        let text = error.to_string();
        assert!(text.contains("nowhere: ") && text.contains("its SHA-256 is ") && text.contains("hint: "), "{text}");
        assert_eq!(fs::read_dir(room.path().join("archives")).expect("the store").count(), 0);
        let copies = [missing, copy(&wrong), copy(&right)];
        // The third is right; by its hash it is the first, now and later.
        assert_eq!(archives.fetch(&copies, false).expect("the third is right"), 0);
        assert_eq!(archives.fetch(&copies, true).expect("it is here"), 0);
        // Changed afterwards: it is not taken, and another copy takes its place.
        let kept = room.path().join("archives").join(&sha256);
        fs::write(&kept, "changed").expect("written");
        let error = archives.fetch(&copies[..2], true).expect_err("no copy is right").to_string();
        assert!(error.contains("archives/") && error.contains("its SHA-256 is "), "{error}");
        assert_eq!(archives.fetch(&copies, true).expect("from the third copy"), 0);
        assert_eq!(fs::read(&kept).expect("kept"), b"right");
        // Of copies with other bytes the damaged one is passed over, though it is there under its name.
        let other = Copy { place: Place::Url("http://far.invalid/x".to_owned()), sha256: "11".repeat(32) };
        fs::write(room.path().join("archives").join(&other.sha256), "half").expect("written");
        let both = [other, copies[0].clone()];
        assert_eq!((archives.at_hand(&both), archives.verified(&both)), (Some(0), Some(1)));
        assert_eq!(archives.fetch(&both, true).expect("the second is right"), 1);
        // A mirror comes first, and is believed no more than any other place.
        let mirror = room.path().join("mirror");
        fs::create_dir(&mirror).expect("a folder");
        fs::write(mirror.join(&sha256), "wrong").expect("written");
        let elsewhere = Archives::new(room.path().join("elsewhere")).with_mirror(Some(mirror.clone()));
        let error = elsewhere.fetch(&copies[..1], true).expect_err("the mirror's is wrong").to_string();
        assert!(error.contains("mirror/") && error.contains("its SHA-256 is "), "{error}");
        fs::write(mirror.join(&sha256), "right").expect("written");
        assert_eq!(elsewhere.fetch(&copies[..1], true).expect("from the mirror"), 0);
        let right = Place::Url(format!("file://{}", right.display()));
        assert_eq!(elsewhere.look(&right).expect("looked"), Ok(sha256));
        let far = Copy { place: Place::Url("http://far.invalid/x".to_owned()), sha256: "00".repeat(32) };
        let error = archives.fetch(&[far], true).expect_err("offline");
        assert!(
            matches!(error, ArchiveError::None { .. }) && error.to_string().contains("without `--offline`"),
            "{error}"
        );
    }
}
