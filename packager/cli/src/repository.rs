//! Repositories as the resolver sees them: metadata in a folder or behind an address, turned into packages of a universe.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use packager_repo::is_inside;
use packager_repo::stored::{POINTER_BYTES_MAX, REPOMD, SIGNATURE, Stored};
use packager_repodata::model;
use packager_repodata::write::Format;
use packager_resolve::Package;
use packager_rpm::VerifyingKey;
use packager_source::archive;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What part of a path must not be written as it is (RFC 3986, 3.3).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A repository whose metadata is read as it is needed.
pub(crate) struct Repository {
    place: String,
    folder: PathBuf,
    /// Holds what was fetched; nothing for a folder.
    fetched: Option<tempfile::TempDir>,
    stored: Stored,
}

impl Repository {
    /// A folder with `repodata/`, or an address below which there is one.
    pub(crate) fn open(place: &str) -> Result<Repository> {
        let cannot = || format!("the repository `{place}` cannot be read");
        if !is_address(place) {
            let folder = PathBuf::from(place);
            let stored = Stored::open(&folder).with_context(cannot)?;
            return Ok(Repository { place: place.to_owned(), folder, fetched: None, stored });
        }
        let room = tempfile::tempdir().context("cannot make a temporary folder")?;
        fetch(place, REPOMD, room.path(), POINTER_BYTES_MAX)?;
        let stored = Stored::open(room.path()).with_context(cannot)?;
        Ok(Repository { place: place.to_owned(), folder: room.path().to_owned(), fetched: Some(room), stored })
    }

    /// `repomd.xml`.
    pub(crate) fn repomd(&self) -> PathBuf {
        self.folder.join(REPOMD)
    }

    pub(crate) fn revision(&self) -> &str {
        &self.stored.repomd.revision
    }

    /// The key that signed `repomd.xml`.
    pub(crate) fn signer<'k>(&self, keys: &'k [VerifyingKey]) -> Result<&'k VerifyingKey> {
        if self.fetched.is_some() {
            fetch(&self.place, SIGNATURE, &self.folder, POINTER_BYTES_MAX)?;
        } else if !self.folder.join(SIGNATURE).exists() {
            bail!("the repository `{}` has no `{SIGNATURE}`\nhint: leave out `--key` if nobody signs it", self.place);
        }
        let signature = self.folder.join(SIGNATURE);
        let mut last = None;
        for key in keys {
            match key.verify_file(&self.repomd(), &signature) {
                Ok(()) => return Ok(key),
                Err(error) => last = Some(error),
            }
        }
        let error = last.map_or_else(|| anyhow!("no key was named"), anyhow::Error::from);
        Err(error.context(format!("the repository `{}` is not signed by a key that was named", self.place)))
    }

    /// Has a metadata file at hand.
    pub(crate) fn need(&self, format: Format) -> Result<()> {
        let wanted = self.stored.repomd.data.iter().find(|data| data.kind == format.name());
        let Some(data) = wanted.filter(|_| self.fetched.is_some()) else { return Ok(()) };
        // Only names that lie in the folder we made.
        if !is_inside(&data.location) {
            bail!("the repository `{}` lists `{}`, which lies outside\nhint: do not use it", self.place, data.location);
        }
        fetch(&self.place, &data.location, &self.folder, data.bytes)
    }

    /// The packages as the primary metadata has them.
    pub(crate) fn primary(&mut self) -> Result<Vec<model::Package>> {
        self.need(Format::Primary)?;
        self.stored.primary().with_context(|| self.unreadable())
    }

    /// The files of each package, by the package's SHA-256.
    pub(crate) fn file_lists(&self, each: impl FnMut(String, Vec<model::File>)) -> Result<()> {
        self.stored.file_lists(each).with_context(|| self.unreadable())
    }

    fn unreadable(&self) -> String {
        let hint = if self.fetched.is_some() {
            "\nhint: it may be changing just now; try again, or name another mirror"
        } else {
            ""
        };
        format!("the repository `{}` cannot be read{hint}", self.place)
    }
}

/// Whether a place is an address, and no folder.
pub(crate) fn is_address(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// Fetches a file below an address into the same place below a folder; it may have at most so many bytes.
fn fetch(place: &str, path: &str, folder: &Path, most: u64) -> Result<()> {
    let to = folder.join(path);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).context("cannot make a temporary folder")?;
    }
    archive::download(&below(place, path), &to, most)
        .with_context(|| format!("cannot fetch `{path}` of the repository `{place}`"))
}

/// The address of a file of a repository.
pub(crate) fn below(place: &str, path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(|part| utf8_percent_encode(part, PATH).to_string()).collect();
    format!("{}/{}", place.trim_end_matches('/'), parts.join("/"))
}

/// The binary packages of a repository, with everything that is known of them.
pub(crate) fn packages(place: &str) -> Result<Vec<Package>> {
    let mut repository = Repository::open(place)?;
    let mut packages = repository.primary()?;
    repository.need(Format::Filelists)?;
    repository.need(Format::Other)?;
    repository.stored.complete(&mut packages).with_context(|| repository.unreadable())?;
    Ok(packages.into_iter().filter(|package| package.arch != "src").map(Package::from).collect())
}
