//! A file as metadata lists it: where it lies, how large it is, and its hash. This is where files of a repository are held against that.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use packager_repodata::model::Data;
use packager_source::digest;

use crate::stored::METADATA_BYTES_MAX;

/// Why a file is not the one that is listed.
#[derive(Debug, thiserror::Error)]
pub enum ListedError {
    /// A path that leaves the repository.
    #[error("`{by}` lists `{location}`, which lies outside the repository\nhint: do not use this repository")]
    Outside {
        /// The metadata.
        by: PathBuf,
        /// The path.
        location: String,
    },
    /// It is not there, or cannot be read.
    #[error(
        "cannot read `{file}`, which `{by}` lists\nhint: a part of the repository is missing; copy or publish it again"
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// The metadata.
        by: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another size or hash.
    #[error(
        "`{file}` is not what `{by}` lists: {how}\nhint: it was changed after it was signed: remove it, then build or copy it again"
    )]
    Differs {
        /// The file.
        file: PathBuf,
        /// The metadata.
        by: PathBuf,
        /// What differs.
        how: String,
    },
}

/// A file as metadata lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) location: String,
    /// Nothing where only a hash is listed.
    pub(crate) bytes: Option<u64>,
    pub(crate) sha256: String,
}

/// Whether a location lies below the place that lists it.
#[must_use]
pub fn is_inside(location: &str) -> bool {
    !location.is_empty() && Path::new(location).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Where something that metadata lists lies below a folder; a path that leads out of it is refused.
pub(crate) fn place(location: &str, folder: &Path, by: &Path) -> Result<PathBuf, ListedError> {
    if !is_inside(location) {
        return Err(ListedError::Outside { by: by.to_owned(), location: location.to_owned() });
    }
    Ok(folder.join(location))
}

impl From<&Data> for Listed {
    fn from(data: &Data) -> Listed {
        Listed { location: data.location.clone(), bytes: Some(data.bytes), sha256: data.sha256.clone() }
    }
}

impl Listed {
    /// See [`place`].
    pub(crate) fn place(&self, folder: &Path, by: &Path) -> Result<PathBuf, ListedError> {
        place(&self.location, folder, by)
    }

    /// The file, if it is what the metadata says. It is read through, not kept.
    pub(crate) fn check(&self, folder: &Path, by: &Path) -> Result<PathBuf, ListedError> {
        let file = self.of_size(folder, by)?;
        let sum = digest::file(&file).map_err(unreadable(&file, by))?;
        self.of_sum(&file, by, &sum)?;
        Ok(file)
    }

    /// The file and its contents, if they are what the metadata says.
    pub(crate) fn read(&self, folder: &Path, by: &Path) -> Result<(PathBuf, Vec<u8>), ListedError> {
        let file = self.of_size(folder, by)?;
        if let Some(bytes) = self.bytes.filter(|bytes| *bytes > METADATA_BYTES_MAX) {
            let how = format!("it has {bytes} bytes, more than {METADATA_BYTES_MAX}");
            return Err(ListedError::Differs { file, by: by.to_owned(), how });
        }
        let bytes = fs::read(&file).map_err(unreadable(&file, by))?;
        self.of_sum(&file, by, &digest::bytes(&bytes))?;
        Ok((file, bytes))
    }

    pub(crate) fn of_size(&self, folder: &Path, by: &Path) -> Result<PathBuf, ListedError> {
        let file = self.place(folder, by)?;
        let bytes = fs::metadata(&file).map_err(unreadable(&file, by))?.len();
        if let Some(listed) = self.bytes.filter(|listed| *listed != bytes) {
            let how = format!("it has {bytes} bytes instead of {listed}");
            return Err(ListedError::Differs { file, by: by.to_owned(), how });
        }
        Ok(file)
    }

    fn of_sum(&self, file: &Path, by: &Path, sum: &str) -> Result<(), ListedError> {
        if sum == self.sha256 {
            return Ok(());
        }
        let how = format!("its SHA-256 is {sum} instead of {}", self.sha256);
        Err(ListedError::Differs { file: file.to_owned(), by: by.to_owned(), how })
    }
}

fn unreadable(file: &Path, by: &Path) -> impl FnOnce(io::Error) -> ListedError + use<> {
    let (file, by) = (file.to_owned(), by.to_owned());
    move |source| ListedError::Read { file, by, source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Listed, ListedError};

    #[test]
    fn a_file_is_what_is_listed_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a"), "text").expect("written");
        let sha256 = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1";
        let listed = |location: &str, bytes, sha256: &str| Listed {
            location: location.to_owned(),
            bytes: Some(bytes),
            sha256: sha256.to_owned(),
        };
        let by = Path::new("repomd.xml");
        let good = listed("a", 4, sha256);
        assert_eq!(good.read(folder.path(), by).expect("as listed").1, b"text");
        assert_eq!(good.check(folder.path(), by).expect("as listed"), folder.path().join("a"));
        for (wrong, words) in [
            (listed("a", 5, sha256), "4 bytes instead of 5"),
            (listed("a", 4, "00"), "its SHA-256 is 982d"),
            (listed("../a", 4, sha256), "outside"),
            (listed("/a", 4, sha256), "outside"),
            (listed("", 4, sha256), "outside"),
            (listed("b", 4, sha256), "cannot read"),
        ] {
            let read: ListedError = wrong.read(folder.path(), by).expect_err("refused");
            let checked = wrong.check(folder.path(), by).expect_err("refused");
            assert_eq!(read.to_string(), checked.to_string());
            assert!(read.to_string().contains(words), "{read}");
        }
    }
}
