//! A metadata file on its way into a repository: read, held against its type, compressed, named after its hash.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use packager_repodata::compression::{Compression, Encoder, decoder};
use packager_repodata::model::Data;
use packager_repodata::read;
use packager_source::digest;

use super::{AttachError, Attachment, GROUP, Storing, UPDATEINFO};
use crate::attached::ATTACHED_BYTES_MAX;
use crate::metadata::MetadataError;
use crate::stored::Stored;

/// A file as it was given.
pub(super) struct Given {
    name: String,
    bytes: Vec<u8>,
    /// What it decompresses to.
    plain: Vec<u8>,
}

impl Given {
    /// From a file of the user's. What dnf parses must be what it can parse.
    pub(super) fn read(file: &Path, kind: &str) -> Result<Given, AttachError> {
        let name = file.file_name().and_then(|name| name.to_str()).filter(|name| is_file_name(name));
        let name = name.ok_or_else(|| AttachError::Name(file.to_owned()))?.to_owned();
        let failed = |source| AttachError::Read { path: file.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(file).and_then(|from| from.take(ATTACHED_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 > ATTACHED_BYTES_MAX {
            return Err(AttachError::Large(file.to_owned()));
        }
        let plain = decompressed(&name, &bytes).map_err(failed)?;
        fits(kind, file, &plain)?;
        Ok(Given { name, bytes, plain })
    }

    /// What another repository lists.
    pub(super) fn listed(stored: &Stored, data: &Data) -> Result<Given, AttachError> {
        let (file, bytes) = stored.read(data)?;
        let name = data.location.rsplit('/').next().unwrap_or_default();
        let plain = decompressed(name, &bytes).map_err(|source| AttachError::Read { path: file, source })?;
        let own = name.strip_prefix(&format!("{}-", data.sha256)).unwrap_or(name);
        let name = if is_file_name(own) { own } else { &data.kind };
        Ok(Given { name: name.to_owned(), bytes, plain })
    }

    /// As it will lie in the repository.
    pub(super) fn stored(self, storing: Storing, compression: Compression) -> Result<Piece, AttachError> {
        let Given { name, bytes, plain } = self;
        let (stem, packed) = Compression::split(&name);
        match storing {
            Storing::Compressed => Piece::packed(stem, &plain, compression),
            Storing::AsItIs => Ok(Piece::new(&name, bytes, (packed != Compression::Plain).then_some(&plain))),
        }
    }
}

/// A file as it lies in a repository.
pub(super) struct Piece {
    pub(super) location: String,
    pub(super) bytes: Vec<u8>,
    sha256: String,
    open_sha256: String,
    open_bytes: Option<u64>,
}

impl Piece {
    /// A text of our own.
    pub(super) fn text(attachment: &Attachment, compression: Compression) -> Result<Piece, AttachError> {
        Piece::packed(attachment.name, attachment.text.as_bytes(), compression)
    }

    fn packed(stem: &str, plain: &[u8], compression: Compression) -> Result<Piece, AttachError> {
        let name = format!("{stem}{}", compression.suffix());
        let packed = || -> io::Result<Vec<u8>> {
            let mut encoder = Encoder::new(Vec::new(), compression)?;
            encoder.write_all(plain)?;
            encoder.finish()
        };
        let bytes = packed().map_err(MetadataError::at(Path::new(&name)))?;
        Ok(Piece::new(&name, bytes, (compression != Compression::Plain).then_some(plain)))
    }

    fn new(name: &str, bytes: Vec<u8>, plain: Option<&[u8]>) -> Piece {
        let sha256 = digest::bytes(&bytes);
        Piece {
            location: format!("repodata/{sha256}-{name}"),
            sha256,
            open_sha256: plain.map(digest::bytes).unwrap_or_default(),
            open_bytes: plain.map(|plain| plain.len() as u64),
            bytes,
        }
    }

    /// Its entry.
    pub(super) fn data(&self, kind: &str, timestamp: i64) -> Data {
        let Piece { location, bytes, sha256, open_sha256, open_bytes } = self;
        Data {
            kind: kind.to_owned(),
            location: location.clone(),
            sha256: sha256.clone(),
            bytes: bytes.len() as u64,
            open_sha256: open_sha256.clone(),
            open_bytes: *open_bytes,
            timestamp,
        }
    }
}

fn is_file_name(name: &str) -> bool {
    let marks = |letter: char| letter.is_ascii_alphanumeric() || "._+-".contains(letter);
    name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(marks)
}

fn decompressed(name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    decoder(bytes, Compression::split(name).1, ATTACHED_BYTES_MAX)?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn fits(kind: &str, file: &Path, text: &[u8]) -> Result<(), AttachError> {
    let read = match kind {
        GROUP => read::well_formed(text).and_then(|()| read::comps(text).map(drop)),
        UPDATEINFO => read::well_formed(text).and_then(|()| read::updateinfo(text).map(drop)),
        _ => Ok(()),
    };
    read.map_err(|source| AttachError::Unfit { path: file.to_owned(), kind: kind.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::is_file_name;

    #[test]
    fn names_of_files() {
        for good in ["comps-BaseOS.x86_64.xml", "productid", "a+b.tar.gz"] {
            assert!(is_file_name(good), "{good}");
        }
        for bad in ["", ".hidden", "a b", "-x", "é.xml", "a\n"] {
            assert!(!is_file_name(bad), "{bad}");
        }
    }
}
