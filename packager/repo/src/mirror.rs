//! The mirror list: one small file that leads to metadata below an address of its own, so that a reader has `repomd.xml` and its signature of
//! one and the same publication (packager/docs/publishing.md).
//!
//! `repodata/mirrorlist` names `ADDRESS/repodata/ID/`. There all metadata lies once more, with its signature; packages are named by `ADDRESS`. What lies
//! there never changes: ID is made of its bytes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use packager_repodata::model::{Package, Repomd};
use packager_repodata::write::{Format, repomd};
use packager_rpm::{SigningKey, VerifyingKey};
use packager_source::digest;

use crate::listed::Listed;
use crate::metadata::{self, MetadataError};
use crate::stored::{METADATA_BYTES_MAX, POINTER_BYTES_MAX, REPOMD, SIGNATURE, Stored};
use crate::verify::VerifyError;
use crate::written;

/// Where the list lies.
pub const MIRROR_LIST: &str = "repodata/mirrorlist";

/// The most bytes that a list may have: it has two lines.
const LIST_BYTES_MAX: u64 = 64 << 10;

/// Digits of an id.
const ID_DIGITS: usize = 32;

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
    id: String,
}

impl Entry {
    /// Where its metadata lies in the repository.
    pub(crate) fn folder(&self) -> String {
        format!("repodata/{}", self.id)
    }

    /// The list. Lines that begin with `#` are nobody's address.
    fn text(&self) -> String {
        format!("# The metadata of one publication; made by packager.\n{}/{}/\n", self.address, self.folder())
    }

    fn parse(text: &str) -> Option<Entry> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (line, None) = (lines.next()?, lines.next()) else { return None };
        let (address, id) = line.trim_end_matches('/').rsplit_once("/repodata/")?;
        let is_id = id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_id && !address.is_empty()).then(|| Entry { address: address.to_owned(), id: id.to_owned() })
    }
}

/// The list of a repository and what it leads to; nothing when there is none.
pub(crate) fn listed(folder: &Path) -> Result<Option<(Vec<u8>, Entry)>, MetadataError> {
    let path = folder.join(MIRROR_LIST);
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => drop(other.map_err(MetadataError::at(&path))?),
    }
    let entry = std::str::from_utf8(&text).ok().and_then(Entry::parse);
    let entry = entry.ok_or(MetadataError::MirrorList(path))?;
    Ok(Some((text, entry)))
}

/// Under which address metadata is to be read that takes the place of what there is.
pub(crate) fn wanted(folder: &Path, mirrored: &Mirrored) -> Result<Option<String>, MetadataError> {
    Ok(match mirrored {
        Mirrored::AsItWas => listed(folder)?.map(|(_, entry)| entry.address),
        Mirrored::At(address) => Some(address.trim_end_matches('/').to_owned()),
        Mirrored::Nowhere => None,
    })
}

/// Whether the mirror list already is as it is asked for.
pub(crate) fn is_as_asked(folder: &Path, mirrored: &Mirrored) -> Result<bool, MetadataError> {
    if *mirrored == Mirrored::Nowhere {
        return Ok(!folder.join(MIRROR_LIST).exists());
    }
    let address = wanted(folder, mirrored)?;
    Ok(match listed(folder)? {
        Some((_, entry)) => address == Some(entry.address.clone()) && folder.join(entry.folder()).is_dir(),
        None => address.is_none(),
    })
}

/// Makes the list of a repository whose metadata is complete, and what it leads to.
pub(crate) fn write(folder: &Path, address: &str, key: Option<&SigningKey>, time: i64) -> Result<(), MetadataError> {
    let stored = Stored::open(folder)?;
    let making = folder.join("repodata/making");
    let inner = making.join("repodata");
    fs::create_dir_all(&inner).map_err(MetadataError::at(&inner))?;
    let mut data = Vec::new();
    for listed in &stored.repomd.data {
        if listed.kind == Format::Primary.name() {
            let texts = stored.primary()?.into_iter().map(|package| {
                let mut text = String::new();
                Format::Primary.package(&based(package, address), &mut text);
                text
            });
            let texts: Vec<String> = texts.collect();
            let mut made = written::list(Format::Primary, texts.len(), texts, stored.compression()?, &inner)?;
            made.timestamp = listed.timestamp;
            data.push(made);
            continue;
        }
        let from = stored.place(listed)?;
        let name = listed.location.rsplit('/').next().unwrap_or_default();
        let to = inner.join(name);
        // A second name where the file system has such a thing.
        fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).map_err(MetadataError::at(&from))?;
        let mut listed = listed.clone();
        listed.location = format!("repodata/{name}");
        data.push(listed);
    }
    let text = repomd(&Repomd { revision: stored.repomd.revision.clone(), data });
    let path = making.join(REPOMD);
    fs::write(&path, &text).map_err(MetadataError::at(&path))?;
    let mut all = text.into_bytes();
    if let Some(key) = key {
        metadata::signature(&making, key, time)?;
        let signature = making.join(SIGNATURE);
        all.extend(fs::read(&signature).map_err(MetadataError::at(&signature))?);
    }
    let id = digest::bytes(&all)[..ID_DIGITS].to_owned();
    let entry = Entry { address: address.to_owned(), id };
    let place = folder.join(entry.folder());
    fs::rename(&making, &place).map_err(MetadataError::at(&place))?;
    let list = folder.join(MIRROR_LIST);
    fs::write(&list, entry.text()).map_err(MetadataError::at(&list))
}

/// A package as those name it who read the metadata elsewhere.
fn based(mut package: Package, address: &str) -> Package {
    if package.location.base.is_empty() {
        package.location.base = format!("{address}/");
    }
    package
}

/// The files that a list leads to, by their names in the repository.
pub(crate) fn files(folder: &Path, entry: &Entry) -> Result<Vec<(String, PathBuf)>, MetadataError> {
    let inner = format!("{}/repodata", entry.folder());
    let path = folder.join(&inner);
    let mut files = Vec::new();
    for file in fs::read_dir(&path).map_err(MetadataError::at(&path))? {
        let file = file.map_err(MetadataError::at(&path))?.path();
        let name = file.file_name().and_then(|name| name.to_str()).map(|name| format!("{inner}/{name}"));
        files.push((name.ok_or_else(|| MetadataError::Name(file.clone()))?, file));
    }
    files.sort();
    Ok(files)
}

/// Verifies that the list of a repository, when there is one, leads to the same packages, signed by the same key. `bring` has a file at hand.
pub(crate) fn verify(
    folder: &Path,
    bring: impl Fn(&str, u64) -> Result<(), VerifyError>,
    packages: &[Package],
    key: &VerifyingKey,
) -> Result<(), VerifyError> {
    // Who cannot have it elsewhere has read everything else: there is none.
    let there = bring(MIRROR_LIST, LIST_BYTES_MAX).is_ok();
    let Some((_, entry)) = listed(folder)?.filter(|_| there) else { return Ok(()) };
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
    let mut there = stored.primary()?;
    stored.complete(&mut there)?;
    let here = packages.iter().map(|package| based(package.clone(), &entry.address));
    match there.into_iter().eq(here) {
        true => Ok(()),
        false => Err(VerifyError::Mirrored(place)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, ID_DIGITS};

    #[test]
    fn a_list_leads_to_one_place() {
        let entry = Entry { address: "https://host/a/repodata/b".to_owned(), id: "0a".repeat(ID_DIGITS / 2) };
        assert_eq!(Entry::parse(&entry.text()), Some(entry.clone()));
        let id = &entry.id;
        for other in [
            String::new(),
            "# https://host/repodata/x/".to_owned(),
            format!("/repodata/{id}/"),
            format!("https://host/{id}/"),
            format!("https://host/repodata/{}g/", &id[1..]),
            format!("https://host/repodata/{id}/repodata/"),
            format!("{0}{0}", entry.text()),
        ] {
            assert_eq!(Entry::parse(&other), None, "{other}");
        }
    }
}
