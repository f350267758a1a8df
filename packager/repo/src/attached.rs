//! Metadata of other kinds than the three lists, put into a repository and taken away again: groups, advisories, product certificates,
//! whatever a type names. What `modifyrepo_c` does, with the lock and the exchange of [`crate::operations`], whose signature rules hold here
//! too. The lists are copied as they are, so packages need not be there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use packager_repodata::compression::{Compression, Encoder, decoder};
use packager_repodata::model::{Data, Repomd};
use packager_repodata::read::{self, ReadError};
use packager_repodata::write::repomd;
use packager_source::Room;
use packager_source::digest::hex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::exchange::exchange;
use crate::found::ROOM;
use crate::metadata::{self, MetadataError};
use crate::operations::{Settings, is_by, keep, lock, signature};
use crate::stored::{METADATA_BYTES_MAX, Stored, is_of_list};

/// Type of groups.
pub const GROUP: &str = "group";

/// Type of advisories.
pub const UPDATEINFO: &str = "updateinfo";

/// What types of other forms of the same metadata end in: createrepo_c's compressed groups, databases, zchunk.
const FORMS: [&str; 6] = ["_gz", "_bz2", "_xz", "_zst", "_zck", "_db"];

/// Why metadata cannot be attached or detached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// A type that is none.
    #[error(
        "`{0}` is no type of metadata\nhint: use lower-case letters, digits, `_` and `-`, and begin with a letter, like `updateinfo`"
    )]
    Kind(String),
    /// One of the three lists, or what belongs to one.
    #[error(
        "`{0}` is made from packages\nhint: use `packager repo create`, `update`, `add` or `remove`, which write it anew"
    )]
    List(String),
    /// Another form of a type.
    #[error("`{kind}` is another form of `{of}`, which dnf would read in its place\nhint: write `{of}`")]
    Form {
        /// As asked for.
        kind: String,
        /// The type.
        of: String,
    },
    /// A file whose name metadata does not carry.
    #[error("`{}` has no name for a repository\nhint: use letters, digits and `._+-`, and begin with a letter or digit", .0.display())]
    Name(PathBuf),
    /// Too large, before or after decompressing.
    #[error(
        "`{0}` has more than {METADATA_BYTES_MAX} bytes\nhint: nothing reads metadata of that size; name another file"
    )]
    Large(PathBuf),
    /// The file.
    #[error("cannot read `{path}`")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why; a damaged compression shows here.
        #[source]
        source: io::Error,
    },
    /// XML that dnf would not take.
    #[error("`{path}` is no `{kind}` metadata\nhint: mend it, or attach it under another `--type`")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Its type.
        kind: String,
        /// Why.
        #[source]
        source: Box<ReadError>,
    },
    /// Nothing to detach.
    #[error("the metadata of `{folder}` lists no `{kind}`\nhint: {near}")]
    Missing {
        /// The repository.
        folder: PathBuf,
        /// As asked for.
        kind: String,
        /// What to do.
        near: String,
    },
    /// The metadata of the repository.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// How a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    /// Compressed as the lists are, or as the settings say; decompressed first when it is compressed.
    Compressed,
    /// Its very bytes.
    AsItIs,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is now; nothing when it was taken away.
    pub location: Option<String>,
    /// Where what went away was, by this type and its other forms.
    pub removed: Vec<String>,
    /// Whether anything was written.
    pub written: bool,
    /// Whether a signature went away because no key was given.
    pub unsigned: bool,
    /// Revision of the metadata.
    pub revision: String,
}

/// A text to be attached.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Its type.
    pub kind: &'static str,
    /// The end of its file name, without that of the compression.
    pub name: &'static str,
    /// The text.
    pub text: String,
}

/// Lists a file in place of what was there of its type.
pub fn attach(
    folder: &Path,
    kind: &str,
    file: &Path,
    storing: Storing,
    settings: &Settings<'_>,
) -> Result<Attached, AttachError> {
    possible(kind)?;
    let name = file.file_name().and_then(|name| name.to_str()).filter(|name| is_file_name(name));
    let name = name.ok_or_else(|| AttachError::Name(file.to_owned()))?;
    let bytes = bytes(file)?;
    let (stem, packed) = Compression::split(name);
    let plain = decompressed(file, &bytes, packed)?;
    fits(kind, file, &plain)?;
    let _held = lock(folder)?;
    let stored = Stored::open(folder)?;
    let stored_as = match storing {
        Storing::AsItIs => Piece { name: name.to_owned(), is_packed: packed != Compression::Plain, bytes, plain },
        Storing::Compressed => piece(stem, plain, compression(&stored, settings)?)?,
    };
    put(folder, &stored, kind, stored_as, settings)
}

/// Lists several texts, in place of what was there of their types.
pub fn attach_texts(folder: &Path, texts: Vec<Attachment>, settings: &Settings<'_>) -> Result<(), AttachError> {
    let _held = lock(folder)?;
    for Attachment { kind, name, text } in texts {
        let stored = Stored::open(folder)?;
        let piece = piece(name, text.into_bytes(), compression(&stored, settings)?)?;
        put(folder, &stored, kind, piece, settings)?;
    }
    Ok(())
}

/// Lists what another repository lists of some types, and nothing of a type of which that lists nothing. Says whether anything was written.
pub fn carry(from: &Path, to: &Path, kinds: &[&str], settings: &Settings<'_>) -> Result<bool, AttachError> {
    let theirs = Stored::open(from)?;
    let _held = lock(to)?;
    let mut written = false;
    for kind in kinds {
        let stored = Stored::open(to)?;
        if let Some(data) = theirs.repomd.data.iter().find(|data| data.kind == *kind) {
            let (file, bytes) = theirs.read(data)?;
            let name = data.location.rsplit('/').next().unwrap_or_default();
            let name = name.strip_prefix(&format!("{}-", data.sha256)).unwrap_or(name);
            let (stem, packed) = Compression::split(name);
            let stem = if is_file_name(stem) { stem } else { kind };
            let plain = decompressed(&file, &bytes, packed)?;
            let piece = piece(stem, plain, compression(&stored, settings)?)?;
            written |= put(to, &stored, kind, piece, settings)?.written;
        } else if stored.repomd.data.iter().any(|data| is(data, kind)) {
            written |= take(to, &stored, kind, settings)?.written;
        }
    }
    Ok(written)
}

/// Takes a type away.
pub fn detach(folder: &Path, kind: &str, settings: &Settings<'_>) -> Result<Attached, AttachError> {
    possible(kind)?;
    let _held = lock(folder)?;
    take(folder, &Stored::open(folder)?, kind, settings)
}

fn take(folder: &Path, stored: &Stored, kind: &str, settings: &Settings<'_>) -> Result<Attached, AttachError> {
    let (gone, left): (Vec<Data>, Vec<Data>) = stored.repomd.data.iter().cloned().partition(|data| is(data, kind));
    if gone.is_empty() {
        let others = left.iter().map(|data| type_of(&data.kind)).filter(|kind| !is_of_list(kind));
        let there: Vec<&str> = others.collect::<BTreeSet<_>>().into_iter().collect();
        let near = match there.len() {
            0 => "nothing but the lists of packages is there".to_owned(),
            _ => format!("there is {}", there.join(", ")),
        };
        return Err(AttachError::Missing { folder: folder.to_owned(), kind: kind.to_owned(), near });
    }
    replace(
        folder,
        stored,
        left,
        None,
        settings,
        Attached {
            kind: kind.to_owned(),
            location: None,
            removed: gone.into_iter().map(|data| data.location).collect(),
            written: true,
            unsigned: false,
            revision: String::new(),
        },
    )
}

/// A file as it will lie in the repository.
struct Piece {
    /// The end of its name.
    name: String,
    is_packed: bool,
    bytes: Vec<u8>,
    /// What it decompresses to.
    plain: Vec<u8>,
}

fn piece(stem: &str, plain: Vec<u8>, compression: Compression) -> Result<Piece, MetadataError> {
    let packed = || -> io::Result<Vec<u8>> {
        let mut encoder = Encoder::new(Vec::new(), compression)?;
        encoder.write_all(&plain)?;
        encoder.finish()
    };
    let name = format!("{stem}{}", compression.suffix());
    let bytes = packed().map_err(MetadataError::at(Path::new(&name)))?;
    Ok(Piece { name, is_packed: compression != Compression::Plain, bytes, plain })
}

/// As asked for, else as the lists are.
fn compression(stored: &Stored, settings: &Settings<'_>) -> Result<Compression, MetadataError> {
    Ok(match (settings.compression, stored.compression()?) {
        (Some(compression), _) | (None, compression @ (Compression::Gzip | Compression::Zstd)) => compression,
        (None, _) => Compression::default(),
    })
}

fn put(
    folder: &Path,
    stored: &Stored,
    kind: &str,
    piece: Piece,
    settings: &Settings<'_>,
) -> Result<Attached, AttachError> {
    let Piece { name, is_packed, bytes, plain } = piece;
    let sha256 = hex(&Sha256::digest(&bytes));
    let location = format!("repodata/{sha256}-{name}");
    let revision = revision(stored, settings);
    let new = Data {
        kind: kind.to_owned(),
        location: location.clone(),
        sha256,
        bytes: bytes.len() as u64,
        open_sha256: if is_packed { hex(&Sha256::digest(&plain)) } else { String::new() },
        open_bytes: is_packed.then_some(plain.len() as u64),
        timestamp: revision.parse().unwrap_or(0),
    };
    let of_kind: Vec<&Data> = stored.repomd.data.iter().filter(|data| is(data, kind)).collect();
    let signed = settings.key.map_or(Ok(true), |key| is_by(key, folder))?;
    let there = fs::read(folder.join(&location)).is_ok_and(|there| there == bytes);
    let mut done = Attached {
        kind: kind.to_owned(),
        location: Some(location.clone()),
        removed: Vec::new(),
        written: false,
        unsigned: false,
        revision: stored.repomd.revision.clone(),
    };
    if of_kind == [&new] && there && signed && revision == stored.repomd.revision {
        return Ok(done);
    }
    let gone = of_kind.iter().map(|data| data.location.clone()).filter(|gone| *gone != location);
    done.removed = gone.collect();
    // In the place of what it replaces, else last.
    let at = stored.repomd.data.iter().position(|data| is(data, kind)).unwrap_or(stored.repomd.data.len());
    let mut all: Vec<Data> = stored.repomd.data.iter().filter(|data| !is(data, kind)).cloned().collect();
    all.insert(at, new);
    replace(folder, stored, all, Some((&location, &bytes)), settings, done)
}

/// Writes metadata that lists `data`, of which one file may be new, and puts it in place of what there is.
fn replace(
    folder: &Path,
    stored: &Stored,
    data: Vec<Data>,
    new: Option<(&str, &[u8])>,
    settings: &Settings<'_>,
    done: Attached,
) -> Result<Attached, AttachError> {
    let room = Room::make(folder, ROOM).map_err(MetadataError::at(folder))?;
    let repodata = room.path().join("repodata");
    let kept = data.iter().filter(|data| new.is_none_or(|(location, _)| data.location != location));
    let kept = kept.map(|data| Ok((data.clone(), stored.place(data)?))).collect::<Result<_, MetadataError>>()?;
    keep(&repodata, kept)?;
    if let Some((location, bytes)) = new {
        let path = room.path().join(location);
        fs::write(&path, bytes).map_err(MetadataError::at(&path))?;
    }
    let revision = revision(stored, settings);
    let path = repodata.join("repomd.xml");
    fs::write(&path, repomd(&Repomd { revision: revision.clone(), data })).map_err(MetadataError::at(&path))?;
    if let Some(key) = settings.key {
        metadata::signature(room.path(), key, revision.parse().unwrap_or(0))?;
    }
    let unsigned = settings.key.is_none() && signature(folder).exists();
    let place = folder.join("repodata");
    exchange(&repodata, &place).map_err(MetadataError::at(&place))?;
    Ok(Attached { written: true, unsigned, revision, ..done })
}

/// As asked for, else as it was: the packages are the same.
fn revision(stored: &Stored, settings: &Settings<'_>) -> String {
    settings.revision.map_or_else(|| stored.repomd.revision.clone(), |revision| revision.to_string())
}

/// Whether an entry is of a type, in whatever form.
fn is(data: &Data, kind: &str) -> bool {
    data.kind == kind || type_of(&data.kind) == kind
}

/// A type without its form.
fn type_of(kind: &str) -> &str {
    FORMS.iter().find_map(|form| kind.strip_suffix(form)).filter(|kind| !kind.is_empty()).unwrap_or(kind)
}

/// Refuses types that are none, and those that others write.
fn possible(kind: &str) -> Result<(), AttachError> {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
    if !kind.starts_with(|first: char| first.is_ascii_lowercase()) || !kind.chars().all(letters) {
        return Err(AttachError::Kind(kind.to_owned()));
    }
    let of = type_of(kind);
    if is_of_list(kind) {
        return Err(AttachError::List(kind.to_owned()));
    }
    if of != kind {
        return Err(AttachError::Form { kind: kind.to_owned(), of: of.to_owned() });
    }
    Ok(())
}

fn is_file_name(name: &str) -> bool {
    let marks = |letter: char| letter.is_ascii_alphanumeric() || "._+-".contains(letter);
    name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(marks)
}

fn bytes(file: &Path) -> Result<Vec<u8>, AttachError> {
    let failed = |source| AttachError::Read { path: file.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(file).and_then(|from| from.take(METADATA_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > METADATA_BYTES_MAX {
        return Err(AttachError::Large(file.to_owned()));
    }
    Ok(bytes)
}

fn decompressed(file: &Path, bytes: &[u8], compression: Compression) -> Result<Vec<u8>, AttachError> {
    let failed = |source| AttachError::Read { path: file.to_owned(), source };
    let mut plain = Vec::new();
    let mut from = decoder(bytes, compression, METADATA_BYTES_MAX).map_err(failed)?;
    from.read_to_end(&mut plain).map_err(failed)?;
    Ok(plain)
}

/// What dnf parses must be what it can parse.
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
    use packager_repodata::Compression;

    use super::{AttachError, is_file_name, possible, type_of};

    #[test]
    fn forms_are_of_their_types() {
        for (kind, of) in [
            ("group_gz", "group"),
            ("updateinfo_zck", "updateinfo"),
            ("primary_db", "primary"),
            ("modules", "modules"),
            ("_gz", "_gz"),
        ] {
            assert_eq!(type_of(kind), of);
        }
        for good in ["group", "updateinfo", "productid", "modules", "appstream-icons", "x_86"] {
            possible(good).expect(good);
        }
        for bad in ["", "Group", "1", "_gz", "a/b", "a b", "..", "é"] {
            assert!(matches!(possible(bad), Err(AttachError::Kind(_))), "{bad}");
        }
        for list in ["primary", "filelists", "other", "primary_db", "other_zck", "filelists-ext"] {
            assert!(matches!(possible(list), Err(AttachError::List(_))), "{list}");
        }
        assert!(matches!(possible("group_gz"), Err(AttachError::Form { of, .. }) if of == "group"));
    }

    #[test]
    fn names_of_files() {
        assert_eq!(Compression::split("comps.xml.gz"), ("comps.xml", Compression::Gzip));
        assert_eq!(Compression::split("icons.tar.zst"), ("icons.tar", Compression::Zstd));
        assert_eq!(Compression::split("a.xz"), ("a", Compression::Xz));
        assert_eq!(Compression::split(".gz"), (".gz", Compression::Plain));
        assert_eq!(Compression::split("productid.pem"), ("productid.pem", Compression::Plain));
        assert!(is_file_name("comps-BaseOS.x86_64.xml") && !is_file_name(".hidden") && !is_file_name("a b"));
    }
}
