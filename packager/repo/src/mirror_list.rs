//! The mirror list: one small file that leads to metadata below an address of its own, so that a reader has `repomd.xml` and its signature of
//! one and the same publication (packager/docs/publishing.md).
//!
//! `repodata/mirrorlist` names `ADDRESS/repodata/ID/`. There all metadata lies once more, with its signature; packages are named by `ADDRESS`. What lies
//! there never changes: ID is made of its bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use packager_repodata::model::{Data, Package, Repomd};
use packager_repodata::write::{Format, repomd};
use packager_rpm::{SigningKey, VerifyingKey};
use packager_source::digest;

use crate::exchange::second_name;
use crate::listed::Listed;
use crate::metadata::{self, MetadataError};
use crate::stored::{METADATA_BYTES_MAX, POINTER_BYTES_MAX, REPOMD, SIGNATURE, Stored};
use crate::verify::{Absent, VerifyError};
use crate::written;

/// Where the list lies.
pub const MIRROR_LIST: &str = "repodata/mirrorlist";

/// The most bytes that a list may have: it has two lines.
const LIST_BYTES_MAX: u64 = 64 << 10;

/// Digits of an id.
const ID_DIGITS: usize = 32;

/// What is before the hash of the metadata that the list is of. dnf reads no line that begins so.
const OF: &str = "# Made by packager, of repomd.xml ";

/// Whether there is a mirror list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mirrored {
    /// As before.
    #[default]
    AsItWas,
    /// Under this address.
    At(String),
    /// None.
    Nowhere,
}

/// What a list leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of the repository, without `/` at its end.
    pub(crate) address: String,
    /// SHA-256 of the `repomd.xml` that says the same in the repository itself.
    pub(crate) of: String,
    id: String,
}

impl Entry {
    /// Where its metadata lies in the repository.
    pub(crate) fn folder(&self) -> String {
        format!("repodata/{}", self.id)
    }

    /// Of metadata and its signature, which is empty without one, for an address.
    fn new(address: String, of: String, repomd: &[u8], signature: &[u8]) -> Entry {
        let all = [address.as_bytes(), b"\n", repomd, signature].concat();
        Entry { address, of, id: digest::bytes(&all)[..ID_DIGITS].to_owned() }
    }

    fn text(&self) -> String {
        format!("{OF}{}\n{}/{}/\n", self.of, self.address, self.folder())
    }

    /// Nothing when somebody else made the list.
    pub(crate) fn parse(text: &[u8]) -> Option<Entry> {
        let lines: Vec<&str> = std::str::from_utf8(text).ok()?.lines().collect();
        let [of, line] = lines[..] else { return None };
        let (address, id) = line.strip_suffix('/')?.rsplit_once("/repodata/")?;
        let of = of.strip_prefix(OF).filter(|of| is_hex(of, 64))?;
        let good = is_hex(id, ID_DIGITS) && !address.is_empty();
        good.then(|| Entry { address: address.to_owned(), of: of.to_owned(), id: id.to_owned() })
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The list of a repository and what it leads to; nothing when there is none.
pub(crate) fn listed(folder: &Path) -> Result<Option<(Vec<u8>, Entry)>, MetadataError> {
    let path = folder.join(MIRROR_LIST);
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => drop(other.map_err(MetadataError::at(&path))?),
    }
    let entry = Entry::parse(&text).ok_or(MetadataError::MirrorList(path))?;
    Ok(Some((text, entry)))
}

/// An address as it stands in lists.
fn bare(address: &str) -> String {
    address.trim_end_matches('/').to_owned()
}

/// Under which address metadata is to be read that takes the place of what there is.
pub(crate) fn wanted(folder: &Path, mirrored: &Mirrored) -> Result<Option<String>, MetadataError> {
    Ok(match mirrored {
        Mirrored::AsItWas => listed(folder)?.map(|(_, entry)| entry.address),
        Mirrored::At(address) => Some(bare(address)),
        Mirrored::Nowhere => None,
    })
}

/// Whether the mirror list already is as it is asked for, and of the metadata that is there.
pub(crate) fn is_as_asked(folder: &Path, mirrored: &Mirrored) -> Result<bool, MetadataError> {
    let there = match (listed(folder), mirrored) {
        (_, Mirrored::Nowhere) => return Ok(!folder.join(MIRROR_LIST).exists()),
        // It is replaced.
        (Err(MetadataError::MirrorList(_)), Mirrored::At(_)) => return Ok(false),
        (there, _) => there?,
    };
    let Some((_, entry)) = there else { return Ok(matches!(mirrored, Mirrored::AsItWas)) };
    let address = match mirrored {
        Mirrored::At(address) => bare(address) == entry.address,
        _ => true,
    };
    Ok(address && is_of(folder, &entry)?)
}

/// Whether a list is of the metadata that a folder has, and what it leads to is what it was made for: the address, the metadata and the signature make the id.
pub(crate) fn is_of(folder: &Path, entry: &Entry) -> Result<bool, MetadataError> {
    let there = |path: &Path| match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(MetadataError::at(path)),
    };
    let inner = folder.join(entry.folder());
    let (outer, inner, signature) =
        (there(&folder.join(REPOMD))?, there(&inner.join(REPOMD))?, there(&inner.join(SIGNATURE))?);
    let (Some(outer), Some(inner)) = (outer, inner) else { return Ok(false) };
    let made = Entry::new(entry.address.clone(), digest::bytes(&outer), &inner, &signature.unwrap_or_default());
    Ok(made == *entry)
}

/// Makes the list of metadata that is complete in `room` and will be `repository`'s, and what it leads to. Metadata that does not lie in `repodata/` is the repository's
/// already.
pub(crate) fn write(
    room: &Path,
    repository: &Path,
    address: &str,
    key: Option<&SigningKey>,
    time: i64,
) -> Result<(), MetadataError> {
    let address = bare(address);
    let stored = Stored::open(room)?;
    let making = room.join("repodata/making");
    let inner = making.join("repodata");
    fs::create_dir_all(&inner).map_err(MetadataError::at(&inner))?;
    let mut data = Vec::new();
    // By name: one file may be listed several times, and several may have one name.
    let mut there: BTreeMap<String, String> = BTreeMap::new();
    for listed in &stored.repomd.data {
        if listed.kind == Format::Primary.name() {
            data.push(primary(&stored, listed, &address, &inner)?);
            continue;
        }
        let mut name = listed.location.rsplit('/').next().unwrap_or_default().to_owned();
        if there.get(&name).is_some_and(|sha256| *sha256 != listed.sha256) {
            name = format!("{}-{name}", listed.sha256);
        }
        if there.insert(name.clone(), listed.sha256.clone()).is_none() {
            let place = Listed::from(listed).place(room, &room.join(REPOMD))?;
            let from = if place.exists() { place } else { repository.join(&listed.location) };
            second_name(&from, &inner.join(&name)).map_err(MetadataError::at(&from))?;
        }
        data.push(Data { location: format!("repodata/{name}"), ..listed.clone() });
    }
    let text = repomd(&Repomd { revision: stored.repomd.revision.clone(), data });
    let path = making.join(REPOMD);
    fs::write(&path, &text).map_err(MetadataError::at(&path))?;
    let mut signature = Vec::new();
    if let Some(key) = key {
        metadata::signature(&making, key, time)?;
        let path = making.join(SIGNATURE);
        signature = fs::read(&path).map_err(MetadataError::at(&path))?;
    }
    let outer = room.join(REPOMD);
    let of = digest::bytes(&fs::read(&outer).map_err(MetadataError::at(&outer))?);
    let entry = Entry::new(address, of, text.as_bytes(), &signature);
    let place = room.join(entry.folder());
    fs::rename(&making, &place).map_err(MetadataError::at(&place))?;
    let list = room.join(MIRROR_LIST);
    fs::write(&list, entry.text()).map_err(MetadataError::at(&list))
}

/// The primary list again, with addresses in it.
fn primary(stored: &Stored, listed: &Data, address: &str, folder: &Path) -> Result<Data, MetadataError> {
    let packages = stored.primary()?;
    let count = packages.len();
    let texts = packages.into_iter().map(|package| {
        let mut text = String::new();
        Format::Primary.package(&based(package, address), &mut text);
        text
    });
    let made = written::list(Format::Primary, count, texts, stored.compression()?, folder)?;
    Ok(Data { timestamp: listed.timestamp, ..made })
}

/// A package as those name it who read the metadata elsewhere.
fn based(mut package: Package, address: &str) -> Package {
    if package.location.base.is_empty() {
        package.location.base = format!("{address}/");
    }
    package
}

/// What a list leads to, as files of the repository: metadata as `repomd.xml` there lists it, and that and its signature.
pub(crate) struct Led {
    pub(crate) listed: Vec<Listed>,
    pub(crate) pointers: Vec<String>,
    pub(crate) is_signed: bool,
}

/// See [`Led`].
pub(crate) fn led(folder: &Path, entry: &Entry) -> Result<Led, MetadataError> {
    let below = |name: &str| format!("{}/{name}", entry.folder());
    let stored = Stored::open(&folder.join(entry.folder()))?;
    let listed = stored.repomd.data.iter().map(|data| {
        let listed = Listed::from(data);
        Listed { location: below(&listed.location), ..listed }
    });
    let is_signed = folder.join(below(SIGNATURE)).is_file();
    let pointers = [REPOMD, SIGNATURE].into_iter().filter(|name| *name == REPOMD || is_signed).map(below).collect();
    Ok(Led { listed: listed.collect(), pointers, is_signed })
}

/// Verifies that the list of a repository, when there is one, leads to the same, signed by the same key. `bring` has a file at hand.
pub(crate) fn verify(
    folder: &Path,
    bring: impl Fn(&str, u64) -> Result<(), VerifyError>,
    packages: &[Package],
    key: &VerifyingKey,
) -> Result<(), VerifyError> {
    match bring(MIRROR_LIST, LIST_BYTES_MAX) {
        Err(VerifyError::Fetch { source, .. }) if source.is::<Absent>() => return Ok(()),
        other => other?,
    }
    let Some((_, entry)) = listed(folder)? else { return Ok(()) };
    let below = |name: &str| format!("{}/{name}", entry.folder());
    bring(&below(REPOMD), POINTER_BYTES_MAX)?;
    bring(&below(SIGNATURE), POINTER_BYTES_MAX)?;
    let place = folder.join(entry.folder());
    let repomd = place.join(REPOMD);
    key.verify_file(&repomd, &place.join(SIGNATURE))?;
    let stored = Stored::open(&place)?;
    for data in &stored.repomd.data {
        bring(&below(&data.location), data.bytes.min(METADATA_BYTES_MAX))?;
        Listed::from(data).check(&place, &repomd)?;
    }
    let others = |repomd: &Repomd| -> Vec<(String, String)> {
        let others = repomd.data.iter().filter(|data| data.kind != Format::Primary.name());
        others.map(|data| (data.kind.clone(), data.sha256.clone())).collect()
    };
    // The files and changes of packages are in the other lists, which are the same files.
    let here = packages.iter().map(|package| said(&based(package.clone(), &entry.address)));
    let there = stored.primary()?;
    let same = is_of(folder, &entry)? && others(&Stored::open(folder)?.repomd) == others(&stored.repomd);
    if same && there.iter().map(said).eq(here) { Ok(()) } else { Err(VerifyError::Mirrored(place)) }
}

/// What the primary list says of a package.
fn said(package: &Package) -> String {
    let mut text = String::new();
    Format::Primary.package(package, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::{Entry, ID_DIGITS};

    #[test]
    fn a_list_leads_to_one_place() {
        let (id, of) = ("0a".repeat(ID_DIGITS / 2), "b1".repeat(32));
        let entry = Entry { address: "https://host/a/repodata/b".to_owned(), of: of.clone(), id: id.clone() };
        assert_eq!(Entry::parse(entry.text().as_bytes()), Some(entry.clone()));
        let good = entry.text();
        let (first, line) = good.split_once('\n').expect("two lines");
        for other in [
            String::new(),
            format!("{line}\n"),
            format!("# Made by somebody\n{line}"),
            format!("{first}\n/repodata/{id}/\n"),
            format!("{first}\nhttps://host/{id}/\n"),
            format!("{first}\nhttps://host/repodata/{}g/\n", &id[1..]),
            format!("{first}\nhttps://host/repodata/{id}\n"),
            format!("{first}\nhttps://host/repodata/{id}/repodata/\n"),
            format!("{good}{good}"),
        ] {
            assert_eq!(Entry::parse(other.as_bytes()), None, "{other}");
        }
    }
}
