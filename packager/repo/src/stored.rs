//! Metadata that is there already, ours or another tool's: checked against `repomd.xml`, then read.

use std::fs;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use packager_repodata::advisory::Advisory;
use packager_repodata::compression::{Compression, decoder};
use packager_repodata::comps::Comps;
use packager_repodata::model::{Data, File, Repomd};
use packager_repodata::read::{self, Place, ReadError};
use packager_repodata::{Package, write::Format};

use crate::attached::{GROUP, UPDATEINFO};
use crate::listed::Listed;
use crate::metadata::MetadataError;

/// The most that a metadata file may have, and may grow to: the primary metadata of the largest distributions is a quarter of it.
/// Protects memory against files that decompress without end.
pub(crate) const METADATA_BYTES_MAX: u64 = 2 << 30;

/// Where the file lies that leads to all metadata, and its signature.
pub const REPOMD: &str = "repodata/repomd.xml";
/// See [`REPOMD`].
pub const SIGNATURE: &str = "repodata/repomd.xml.asc";

/// The most bytes that the two are taken to have.
pub const POINTER_BYTES_MAX: u64 = 16 << 20;

/// The metadata of a repository, read as far as it was asked for.
#[derive(Debug)]
pub struct Stored {
    folder: PathBuf,
    /// `repomd.xml`.
    pub repomd: Repomd,
}

impl Stored {
    /// Of a repository; nothing when it has none.
    pub fn find(folder: &Path) -> Result<Option<Stored>, MetadataError> {
        let path = folder.join(REPOMD);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(MetadataError::at(&path)(error)),
        };
        let mut text = Vec::new();
        file.take(METADATA_BYTES_MAX).read_to_end(&mut text).map_err(MetadataError::at(&path))?;
        let repomd = read::repomd(&text[..]).map_err(unreadable(&path))?;
        Ok(Some(Stored { folder: folder.to_owned(), repomd }))
    }

    /// Of a repository that must have some.
    pub fn open(folder: &Path) -> Result<Stored, MetadataError> {
        Stored::find(folder)?.ok_or_else(|| MetadataError::None(folder.to_owned()))
    }

    fn data(&self, format: Format) -> Result<&Data, MetadataError> {
        let wanted = format.name();
        let data = self.repomd.data.iter().find(|data| data.kind == wanted);
        data.ok_or_else(|| MetadataError::Lacks { folder: self.folder.clone(), wanted })
    }

    /// How the metadata is compressed.
    pub fn compression(&self) -> Result<Compression, MetadataError> {
        let data = self.data(Format::Primary)?;
        Compression::of(&data.location).ok_or_else(|| MetadataError::Compression(self.folder.join(&data.location)))
    }

    /// Where the packages lie, and which files were described.
    pub(crate) fn places(&self) -> Result<Vec<Place>, MetadataError> {
        self.with(Format::Primary, |text| read::places(text))
    }

    /// The packages as the primary metadata has them: without their changes and most of their files.
    pub fn primary(&self) -> Result<Vec<Package>, MetadataError> {
        let mut packages = Vec::new();
        self.with(Format::Primary, |text| {
            read::primary(text, |package| {
                packages.push(package);
                Ok(())
            })
        })?;
        Ok(packages)
    }

    /// Gives packages of [`Stored::primary`] all their files and changes.
    pub fn complete(&self, packages: &mut [Package]) -> Result<(), MetadataError> {
        // The files are decompressed as they are read; the second lies in memory compressed meanwhile.
        let (path, other) = self.bytes(Format::Other)?;
        let other = plain(&path, &other)?;
        self.with(Format::Filelists, |filelists| read::complete(packages, filelists, other))
    }

    /// The files of each package, by the package's SHA-256.
    pub fn file_lists(&self, mut each: impl FnMut(String, Vec<File>)) -> Result<(), MetadataError> {
        self.with(Format::Filelists, |text| {
            read::filelists(text, |sha256, files| {
                each(sha256, files);
                Ok(())
            })
        })
    }

    /// Where a list lies.
    pub(crate) fn list_path(&self, format: Format) -> Result<PathBuf, MetadataError> {
        Ok(self.folder.join(&self.data(format)?.location))
    }

    /// A list as text.
    pub(crate) fn text<T>(&self, format: Format, read: impl FnOnce(&mut dyn BufRead) -> T) -> Result<T, MetadataError> {
        let (path, bytes) = self.bytes(format)?;
        let mut text = plain(&path, &bytes)?;
        Ok(read(&mut text))
    }

    fn with<T>(
        &self,
        format: Format,
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, ReadError>,
    ) -> Result<T, MetadataError> {
        let (path, bytes) = self.bytes(format)?;
        let mut text = plain(&path, &bytes)?;
        read(&mut text).map_err(unreadable(&path))
    }

    /// A metadata file, if it is what `repomd.xml` says.
    fn bytes(&self, format: Format) -> Result<(PathBuf, Vec<u8>), MetadataError> {
        self.read(self.data(format)?)
    }

    /// See [`Stored::bytes`].
    pub(crate) fn read(&self, data: &Data) -> Result<(PathBuf, Vec<u8>), MetadataError> {
        Ok(Listed::from(data).read(&self.folder, &self.repomd_path())?)
    }

    fn repomd_path(&self) -> PathBuf {
        self.folder.join(REPOMD)
    }

    /// What else `repomd.xml` lists: advisories, groups. Databases and other forms of what is written anew are left out.
    pub(crate) fn others(&self) -> Result<Vec<(Data, PathBuf)>, MetadataError> {
        let others = self.repomd.data.iter().filter(|data| !is_of_list(&data.kind));
        others.map(|data| Ok((data.clone(), self.place(data)?))).collect()
    }

    /// Where a metadata file lies; a path that leads out of the repository is refused.
    pub(crate) fn place(&self, data: &Data) -> Result<PathBuf, MetadataError> {
        Ok(Listed::from(data).place(&self.folder, &self.repomd_path())?)
    }

    /// The groups, when there are any.
    pub fn groups(&self) -> Result<Option<Comps>, MetadataError> {
        self.further(&[GROUP, "group_gz"], |text| read::comps(text))
    }

    /// The advisories, when there are any.
    pub fn advisories(&self) -> Result<Option<Vec<Advisory>>, MetadataError> {
        self.further(&[UPDATEINFO], |text| read::updateinfo(text))
    }

    /// What is listed of the first of these types.
    fn further<T>(
        &self,
        kinds: &[&str],
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, ReadError>,
    ) -> Result<Option<T>, MetadataError> {
        let of_kind = |kind: &&str| self.repomd.data.iter().find(|data| data.kind == **kind);
        let Some(data) = kinds.iter().find_map(of_kind) else { return Ok(None) };
        let (path, bytes) = self.read(data)?;
        let (_, compression) = Compression::split(&data.location);
        let mut text = decoder(&bytes[..], compression, METADATA_BYTES_MAX).map_err(MetadataError::at(&path))?;
        read(&mut text).map(Some).map_err(unreadable(&path))
    }
}

/// Whether a type is one of the lists, a database of one or another form of one, or an extension: what is made of packages.
pub(crate) fn is_of_list(kind: &str) -> bool {
    Format::ALL.iter().any(|format| {
        kind.strip_prefix(format.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
    })
}

fn plain<'b>(path: &Path, bytes: &'b [u8]) -> Result<impl BufRead + 'b, MetadataError> {
    let name = path.to_string_lossy();
    let compression = Compression::of(&name).ok_or_else(|| MetadataError::Compression(path.to_owned()))?;
    decoder(bytes, compression, METADATA_BYTES_MAX).map_err(MetadataError::at(path))
}

fn unreadable(path: &Path) -> impl FnOnce(ReadError) -> MetadataError + use<> {
    let path = path.to_owned();
    move |source| MetadataError::Read { path, source: Box::new(source) }
}
