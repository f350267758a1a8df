//! Metadata of other kinds than the three lists, put into a repository and taken away again: groups, advisories, product certificates,
//! whatever a type names. What `modifyrepo_c` does, with the lock and the exchange of [`crate::operations`], whose signature rules hold here
//! too. The lists are copied as they are, so packages need not be there.

mod kind;
mod piece;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packager_repodata::model::{Data, Repomd};
use packager_repodata::read::ReadError;
use packager_repodata::write::repomd;
use packager_source::Room;
use serde::Serialize;

use self::kind::{is, possible, type_of};
use self::piece::{Given, Piece};
use crate::found::ROOM;
use crate::listed::Listed;
use crate::metadata::MetadataError;
use crate::mirror_list;
use crate::operations::{Settings, compression, is_by, keep, lock, take_place};
use crate::stored::{REPOMD, Stored, is_of_list};

/// Type of groups.
pub const GROUP: &str = "group";

/// The most bytes of a file to attach, compressed and decompressed: advisories of the largest distributions have a tenth of it.
pub(crate) const ATTACHED_BYTES_MAX: u64 = 256 << 20;

/// Type of advisories.
pub const UPDATEINFO: &str = "updateinfo";

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
        "`{0}` has more than {ATTACHED_BYTES_MAX} bytes\nhint: nothing reads metadata of that size; name another file"
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
    let given = Given::read(file, kind)?;
    let _held = lock(folder)?;
    let stored = Stored::open(folder)?;
    let piece = given.stored(storing, compression(Some(&stored), settings)?)?;
    put(folder, &stored, kind, &piece, settings)
}

/// Lists several texts, in place of what was there of their types.
pub fn attach_texts(folder: &Path, texts: &[Attachment], settings: &Settings<'_>) -> Result<(), AttachError> {
    let _held = lock(folder)?;
    for attachment in texts {
        let stored = Stored::open(folder)?;
        let piece = Piece::text(attachment, compression(Some(&stored), settings)?)?;
        put(folder, &stored, attachment.kind, &piece, settings)?;
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
            let given = Given::listed(&theirs, data)?;
            let piece = given.stored(Storing::Compressed, compression(Some(&stored), settings)?)?;
            written |= put(to, &stored, kind, &piece, settings)?.written;
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

fn put(
    folder: &Path,
    stored: &Stored,
    kind: &str,
    piece: &Piece,
    settings: &Settings<'_>,
) -> Result<Attached, AttachError> {
    let Piece { location, bytes, .. } = piece;
    let revision = revision(stored, settings);
    let new = piece.data(kind, revision.parse().unwrap_or(0));
    let of_kind: Vec<&Data> = stored.repomd.data.iter().filter(|data| is(data, kind)).collect();
    let signed = settings.key.map_or(Ok(true), |key| is_by(key, folder))?;
    let mirrored = mirror_list::is_as_asked(folder, &settings.mirrored)?;
    let there = fs::read(folder.join(location)).is_ok_and(|there| there == *bytes);
    let mut done = Attached {
        kind: kind.to_owned(),
        location: Some(location.clone()),
        removed: Vec::new(),
        written: false,
        unsigned: false,
        revision: stored.repomd.revision.clone(),
    };
    if of_kind == [&new] && there && signed && mirrored && revision == stored.repomd.revision {
        return Ok(done);
    }
    let gone = of_kind.iter().map(|data| data.location.clone()).filter(|gone| gone != location);
    done.removed = gone.collect();
    // In the place of what it replaces, else last.
    let at = stored.repomd.data.iter().position(|data| is(data, kind)).unwrap_or(stored.repomd.data.len());
    let mut all: Vec<Data> = stored.repomd.data.iter().filter(|data| !is(data, kind)).cloned().collect();
    all.insert(at, new);
    replace(folder, stored, all, Some((location, bytes)), settings, done)
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
    // What is signed anew is looked at, also what is only taken along.
    let whole = |data: &Data| Listed::from(data).check(folder, &folder.join(REPOMD));
    let kept = kept.map(|data| Ok((data.clone(), whole(data)?))).collect::<Result<_, MetadataError>>()?;
    keep(&repodata, kept)?;
    if let Some((location, bytes)) = new {
        let path = room.path().join(location);
        fs::write(&path, bytes).map_err(MetadataError::at(&path))?;
    }
    let revision = revision(stored, settings);
    let path = repodata.join("repomd.xml");
    fs::write(&path, repomd(&Repomd { revision: revision.clone(), data })).map_err(MetadataError::at(&path))?;
    let unsigned = take_place(folder, &room, &revision, settings)?;
    Ok(Attached { written: true, unsigned, revision, ..done })
}

/// As asked for, else as it was: the packages are the same.
fn revision(stored: &Stored, settings: &Settings<'_>) -> String {
    settings.revision.map_or_else(|| stored.repomd.revision.clone(), |revision| revision.to_string())
}
