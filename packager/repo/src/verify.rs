//! Verification: from the signature of `repomd.xml` over the hashes in it to every file of the metadata, over the hashes in those to every
//! package, and from each package's header back to what the metadata says of it. What no hash leads to does not belong to the repository.
//! Where there is a provenance, every file is held against it too ([`crate::attested`]).
//!
//! A repository behind an address is brought to a temporary folder file by file; packages leave it as soon as they were looked at.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use packager_repodata::Package;
use packager_rpm::{KeyError, VerifyingKey, sign};
use packager_source::stop::unless_interrupted;

use crate::attested::{self, AttestError, Attested};
use crate::destination;
use crate::found::Found;
use crate::listed::{Listed, ListedError, place};
use crate::metadata::MetadataError;
use crate::mirror_list;
use crate::stored::{METADATA_BYTES_MAX, POINTER_BYTES_MAX, REPOMD, SIGNATURE, Stored};

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
    /// Metadata elsewhere that says something else.
    #[error(
        "`{0}`, to which the mirror list leads, says other things than the metadata of the repository\nhint: make it again with `packager repo update --mirror-list`"
    )]
    Mirrored(PathBuf),
    /// Keys and detached signatures.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A package.
    #[error(transparent)]
    Package(#[from] sign::SignError),
    /// Metadata that cannot be understood, or a package.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Something that cannot be had from its address.
    #[error("cannot fetch `{name}` of the repository")]
    Fetch {
        /// Its name below the repository.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A package that metadata describes wrongly.
    #[error(
        "the metadata does not say of `{location}` what the package itself says: {what} differ\nhint: make the metadata again with `packager repo create`"
    )]
    Described {
        /// Where the package lies.
        location: String,
        /// Which parts.
        what: String,
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
    /// Its packages, with all their files and changes.
    pub packages: Vec<Package>,
    /// Its provenance, when it has one.
    pub provenance: Option<Attested>,
}

/// What a [`Fetch`] answers when there is no such file, in words; after anything else it may be there all the same.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Absent(pub String);

/// Brings a file of a repository into a folder: its name, the folder, and the most bytes that it may have.
pub type Fetch<'f> = dyn Fn(&str, &Path, u64) -> Result<(), Box<dyn Error + Send + Sync>> + Sync + 'f;

/// Verifies a repository in a folder: packages and metadata, and the provenance when there is one.
pub fn verify(folder: &Path, key: &VerifyingKey) -> Result<Verified, VerifyError> {
    let packages = Reading { folder, fetch: None }.packages(key)?;
    let listed: BTreeSet<&str> = packages.iter().map(|package| package.location.href.as_str()).collect();
    let published = destination::published(folder);
    for path in rpms(folder)? {
        let name = below(folder, &path).unwrap_or_default();
        // Of a generation before: nobody signed the record that says so, but the package itself.
        let before = || published.contains(name) && sign::verify(&path, key).is_ok();
        if !listed.contains(name) && !before() {
            return Err(VerifyError::Unlisted(path));
        }
    }
    let provenance = attested::verify(folder, key, &published)?;
    guarded(folder)?;
    Ok(Verified { packages, provenance })
}

/// Verifies packages and metadata of a repository elsewhere, by way of a folder that is empty in the beginning. What the metadata does not
/// list cannot be found there.
pub fn verify_fetched(folder: &Path, fetch: &Fetch<'_>, key: &VerifyingKey) -> Result<Verified, VerifyError> {
    let packages = Reading { folder, fetch: Some(fetch) }.packages(key)?;
    Ok(Verified { packages, provenance: None })
}

fn below<'p>(folder: &Path, path: &'p Path) -> Option<&'p str> {
    path.strip_prefix(folder).ok()?.to_str()
}

/// A repository that is being read.
struct Reading<'r> {
    folder: &'r Path,
    /// Brings what is not in the folder.
    fetch: Option<&'r Fetch<'r>>,
}

impl Reading<'_> {
    /// Has a file at hand.
    fn bring(&self, name: &str, most: u64) -> Result<(), VerifyError> {
        let Some(fetch) = self.fetch else { return Ok(()) };
        let to = place(name, self.folder, Path::new(REPOMD))?;
        let parent = to.parent().unwrap_or(self.folder);
        fs::create_dir_all(parent).map_err(reading(parent))?;
        fetch(name, &to, most).map_err(|source| VerifyError::Fetch { name: name.to_owned(), source })
    }

    /// The packages that signed metadata leads to, each of which is what it says.
    fn packages(&self, key: &VerifyingKey) -> Result<Vec<Package>, VerifyError> {
        let folder = self.folder;
        self.bring(REPOMD, POINTER_BYTES_MAX)?;
        self.bring(SIGNATURE, POINTER_BYTES_MAX)?;
        let repomd = folder.join(REPOMD);
        fs::metadata(&repomd).map_err(reading(&repomd))?;
        key.verify_file(&repomd, &folder.join(SIGNATURE))?;
        let stored = Stored::open(folder)?;
        for data in &stored.repomd.data {
            unless_interrupted()?;
            self.bring(&data.location, data.bytes.min(METADATA_BYTES_MAX))?;
            Listed::from(data).check(folder, &repomd)?;
        }
        let mut packages = stored.primary()?;
        stored.complete(&mut packages)?;
        mirror_list::verify(folder, |name, most| self.bring(name, most), &packages, key)?;
        self.each(&packages, |package| self.look_at(package, key))?;
        Ok(packages)
    }

    /// Looks at all packages, several at once; of what is wrong the first is told.
    fn each(
        &self,
        packages: &[Package],
        look: impl Fn(&Package) -> Result<(), VerifyError> + Sync,
    ) -> Result<(), VerifyError> {
        let workers = available_parallelism().map_or(1, NonZeroUsize::get).min(packages.len());
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None::<(usize, VerifyError)>));
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(package) = packages.get(number) else { return };
                        if let Err(error) = look(package) {
                            next.store(packages.len(), Ordering::Relaxed);
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                                *failed = Some((number, error));
                            }
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// A package is the one that is listed, is signed, and is what is said of it.
    fn look_at(&self, package: &Package, key: &VerifyingKey) -> Result<(), VerifyError> {
        unless_interrupted()?;
        let location = &package.location.href;
        self.bring(location, package.size.package)?;
        let (bytes, sha256) = (Some(package.size.package), package.sha256.clone());
        let listed = Listed { location: location.clone(), bytes, sha256 };
        let file = listed.check(self.folder, &self.folder.join(REPOMD))?;
        sign::verify(&file, key)?;
        let mut itself = Found::at(&file, location.clone())?.read()?;
        // Where it lies and since when is the repository's own.
        itself.location.clone_from(&package.location);
        itself.time.file = package.time.file;
        if itself != *package {
            let what = differing(&itself, package).join(", ");
            return Err(VerifyError::Described { location: location.clone(), what });
        }
        if self.fetch.is_some() {
            fs::remove_file(&file).map_err(reading(&file))?;
        }
        Ok(())
    }
}

/// The parts in which two descriptions of a package differ.
fn differing(one: &Package, other: &Package) -> Vec<&'static str> {
    let parts = [
        ("name, version and architecture", one.nevra() != other.nevra()),
        ("what it provides", one.provides != other.provides),
        ("what it requires", one.requires != other.requires),
        ("what it conflicts with", one.conflicts != other.conflicts),
        ("what it obsoletes", one.obsoletes != other.obsoletes),
        ("weak dependencies", one.weak != other.weak),
        ("files", one.files != other.files),
        ("changes", one.changes != other.changes),
        ("place of the header", one.header != other.header),
        ("sizes", one.size != other.size),
    ];
    let found: Vec<&str> = parts.iter().filter(|(_, differ)| *differ).map(|(part, _)| *part).collect();
    if found.is_empty() { vec!["texts about it"] } else { found }
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
