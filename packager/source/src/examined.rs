//! What an archive of sources holds, looked at before anything unpacks it: one folder, nothing that would be written outside of it, and no more than a
//! disk has. Links may lead anywhere; nothing is unpacked through one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Entry, EntryType};

use crate::stop;

/// The most bytes that an archive may unpack to: the largest trees that are built here have some hundred megabytes.
const UNPACKED_BYTES_MAX: u64 = 8 << 30;

/// The most entries.
const ENTRIES_MAX: u64 = 1 << 20;

/// The most bytes of a long name or of further attributes.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// Beginnings of compressed files.
const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const BZIP2: &[u8] = b"BZh";
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The one folder that an archive holds; or why it is not to be unpacked.
pub(crate) fn top_folder(path: &Path) -> Result<String, String> {
    let plain = plain(path).map_err(|error| error.to_string())?;
    // Headers and what fills blocks come on top.
    let mut archive = Archive::new(plain.take(UNPACKED_BYTES_MAX + 3 * 512 * ENTRIES_MAX));
    let mut tree = Tree::default();
    let mut long = Long::default();
    let (mut bytes, mut count) = (0_u64, 0_u64);
    // Raw: what names are in headers of their own is bounded here.
    for entry in archive.entries().map_err(|error| error.to_string())?.raw(true) {
        stop::unless_interrupted().map_err(|error| error.to_string())?;
        let mut entry = entry.map_err(|error| error.to_string())?;
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if bytes > UNPACKED_BYTES_MAX || count > ENTRIES_MAX {
            let most = UNPACKED_BYTES_MAX >> 30;
            return Err(format!("it unpacks to more than {most} GiB or {ENTRIES_MAX} files"));
        }
        if !long.take(&mut entry)? {
            tree.add(&entry, std::mem::take(&mut long))?;
        }
    }
    tree.top()
}

/// What headers before an entry say of it.
#[derive(Default)]
struct Long {
    name: Option<PathBuf>,
    link: Option<PathBuf>,
}

impl Long {
    /// Reads an entry that says something of the next one, or of all.
    fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<bool, String> {
        let kind = entry.header().entry_type();
        if !matches!(
            kind,
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
        ) {
            return Ok(false);
        }
        let mut text = Vec::new();
        entry.take(HEADER_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > HEADER_BYTES_MAX {
            return Err(format!("a name in it has more than {HEADER_BYTES_MAX} bytes"));
        }
        match kind {
            EntryType::GNULongName => self.name = Some(path(without_zero(&text))),
            EntryType::GNULongLink => self.link = Some(path(without_zero(&text))),
            _ => self.attributes(&text, kind == EntryType::XGlobalHeader)?,
        }
        Ok(true)
    }

    fn attributes(&mut self, text: &[u8], of_all: bool) -> Result<(), String> {
        for attribute in tar::PaxExtensions::new(text) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let key = attribute.key().map_err(|error| error.to_string())?;
            match key {
                "path" if !of_all => self.name = Some(path(attribute.value_bytes())),
                "linkpath" if !of_all => self.link = Some(path(attribute.value_bytes())),
                // Another size than the header's, and other names of entries: nobody who packs sources needs them.
                "path" | "linkpath" | "size" => return Err(format!("it sets `{key}` in a way that is not read here")),
                _ if key.starts_with("GNU.sparse") => return Err("it has files with holes".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn without_zero(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// What was seen.
#[derive(Default)]
struct Tree {
    top: Option<String>,
    /// Something lies in the folder.
    is_filled: bool,
    links: BTreeSet<PathBuf>,
    /// Folders that something is written into.
    folders: BTreeSet<PathBuf>,
}

impl Tree {
    fn add(&mut self, entry: &Entry<'_, impl Read>, long: Long) -> Result<(), String> {
        let name = long.name.map_or_else(|| entry.path().map(std::borrow::Cow::into_owned), Ok);
        let name = name.map_err(|error| error.to_string())?;
        let shown = name.display().to_string();
        let shown = shown.escape_debug();
        if name.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_control) {
            return Err(format!("the name of its entry `{shown}` has control characters"));
        }
        let outside = || format!("its entry `{shown}` would lie outside of the folder");
        let place = inside(&name).ok_or_else(outside)?;
        let Some(top) = place.iter().next() else { return Ok(()) };
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
            EntryType::Symlink => drop(self.links.insert(place.clone())),
            EntryType::Link => {
                // Another entry, by its name from the top.
                let to = long.link.map_or_else(
                    || entry.link_name().map(|to| to.map(std::borrow::Cow::into_owned)),
                    |to| Ok(Some(to)),
                );
                let to = to.map_err(|error| error.to_string())?.unwrap_or_default();
                let Some(other) = inside(&to).filter(|to| to.iter().next() == Some(top)) else {
                    let to = to.display().to_string();
                    return Err(format!("its entry `{shown}` is another name of `{}`", to.escape_debug()));
                };
                self.folders.extend(other.ancestors().skip(1).map(Path::to_owned));
            }
            _ => return Err(format!("its entry `{shown}` is neither file, folder nor link")),
        }
        self.folders.extend(place.ancestors().skip(1).map(Path::to_owned));
        let name = top.to_string_lossy().into_owned();
        self.is_filled |= place.iter().count() > 1;
        match &self.top {
            None => self.top = Some(name),
            Some(top) if *top == name => {}
            Some(top) => return Err(format!("it has `{top}` and `{}` at its top", name.escape_debug())),
        }
        Ok(())
    }

    fn top(self) -> Result<String, String> {
        if let Some(link) = self.links.intersection(&self.folders).next() {
            let link = link.display().to_string();
            return Err(format!("something in it would be written through its link `{}`", link.escape_debug()));
        }
        match self.top {
            None => Err("it is empty".to_owned()),
            Some(top) if !self.is_filled => Err(format!("`{}` is no folder with sources", top.escape_debug())),
            Some(top) => Ok(top),
        }
    }
}

/// A path without `.`, when it has no `..` and begins nowhere else.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => place.push(name),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// The archive without its compression.
fn plain(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut begins = [0; 6];
    let mut read = 0;
    while read < begins.len() {
        match file.read(&mut begins[read..])? {
            0 => break,
            more => read += more,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    let file = BufReader::new(file);
    let is = |magic: &[u8]| begins[..read].starts_with(magic);
    Ok(if is(GZIP) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else if is(XZ) {
        Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(file))
    } else if is(BZIP2) {
        Box::new(bzip2::bufread::MultiBzDecoder::new(file))
    } else if is(ZSTD) {
        Box::new(zstd::Decoder::with_buffer(file)?)
    } else {
        Box::new(file)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use tar::{Builder, EntryType, Header};

    use super::top_folder;

    /// An archive of entries: name, type, link and size as the header says it.
    fn archive(room: &Path, entries: &[(&str, EntryType, &str, u64)]) -> PathBuf {
        let path = room.join("x.tar");
        let mut builder = Builder::new(fs::File::create(&path).expect("a file"));
        for (name, kind, link, size) in entries {
            let mut header = Header::new_gnu();
            // As nobody who means well would write it.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(*size);
            header.set_cksum();
            builder.append(&header, std::io::empty()).expect("written");
        }
        builder.finish().expect("written");
        path
    }

    #[test]
    fn what_is_unpacked_is_one_folder_and_nothing_else() {
        use EntryType::{Block, Directory, Link, Regular, Symlink};
        let room = tempfile::tempdir().expect("a folder");
        let of = |entries: &[(&str, EntryType, &str, u64)]| top_folder(&archive(room.path(), entries));
        let good = [
            ("./x-1/", Directory, "", 0),
            ("x-1/a", Regular, "", 0),
            ("x-1/deep/b", Symlink, "../a", 0),
            ("x-1/c", Link, "x-1/a", 0),
            // As `autoreconf -i` leaves them.
            ("x-1/install-sh", Symlink, "/usr/share/automake-1.16/install-sh", 0),
        ];
        assert_eq!(of(&good), Ok("x-1".to_owned()));
        for (entry, told) in [
            (("/tmp/abs", Regular, "", 0), "its entry `/tmp/abs` would lie outside"),
            (("x-1/../../up", Regular, "", 0), "its entry `x-1/../../up` would lie outside"),
            (("x-1/new\nline", Regular, "", 0), "its entry `x-1/new\\nline` has control characters"),
            (("stray", Regular, "", 0), "it has `x-1` and `stray` at its top"),
            (("x-1/sda", Block, "", 0), "its entry `x-1/sda` is neither file, folder nor link"),
            (("x-1/deep/b/c", Regular, "", 0), "something in it would be written through its link `x-1/deep/b`"),
            (("x-1/d", Link, "x-1/deep/b/c", 0), "something in it would be written through its link `x-1/deep/b`"),
            (("x-1/hard", Link, "/etc/passwd", 0), "its entry `x-1/hard` is another name of `/etc/passwd`"),
            (("x-1/hard", Link, "y-1/a", 0), "its entry `x-1/hard` is another name of `y-1/a`"),
            (("x-1/huge", Regular, "", 9 << 30), "it unpacks to more than 8 GiB"),
        ] {
            let mut entries = good.to_vec();
            entries.push(entry);
            let error = of(&entries).expect_err(told);
            assert!(error.contains(told), "{error}");
        }
        assert_eq!(of(&[("a", Regular, "", 0)]), Err("`a` is no folder with sources".to_owned()));
        assert_eq!(of(&[("a/", Directory, "", 0)]), Err("`a` is no folder with sources".to_owned()));
    }

    #[test]
    fn every_compression_is_read() {
        let room = tempfile::tempdir().expect("a folder");
        fs::create_dir(room.path().join("x-1")).expect("a folder");
        fs::write(room.path().join("x-1/a.c"), "int a;\n").expect("written");
        for option in ["-cf", "-czf", "-cJf", "-cjf", "--zstd -cf"] {
            let path = room.path().join("packed");
            let made =
                Command::new("tar").current_dir(room.path()).args(option.split(' ')).arg(&path).arg("x-1").status();
            assert!(made.expect("tar").success(), "{option}");
            assert_eq!(top_folder(&path), Ok("x-1".to_owned()), "{option}");
            let whole = fs::read(&path).expect("there");
            if option != "-cf" {
                fs::write(&path, &whole[..whole.len() / 2]).expect("written");
                top_folder(&path).expect_err(option);
            }
        }
    }

    /// An entry before another one, as tar writes long names and attributes.
    fn behind(room: &Path, kind: EntryType, text: &[u8]) -> Result<String, String> {
        let path = room.join("x.tar");
        let mut builder = Builder::new(fs::File::create(&path).expect("a file"));
        for (name, kind, text) in
            [("x-1/a", EntryType::Regular, &b""[..]), ("header", kind, text), ("x-1/b", EntryType::Regular, b"")]
        {
            let mut header = Header::new_gnu();
            header.set_path(name).expect("a name");
            header.set_entry_type(kind);
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text).expect("written");
        }
        builder.finish().expect("written");
        top_folder(&path)
    }

    #[test]
    fn headers_of_headers_are_believed_and_bounded() {
        let room = tempfile::tempdir().expect("a folder");
        let of = |kind, text: &[u8]| behind(room.path(), kind, text);
        assert_eq!(of(EntryType::GNULongName, b"x-1/long\0"), Ok("x-1".to_owned()));
        assert_eq!(of(EntryType::XGlobalHeader, b"15 comment=abc\n"), Ok("x-1".to_owned()));
        assert_eq!(of(EntryType::XHeader, b"13 mtime=1.5\n"), Ok("x-1".to_owned()));
        for (kind, text, told) in [
            (EntryType::GNULongName, &b"../up\0"[..], "its entry `../up` would lie outside"),
            (EntryType::XHeader, b"16 path=/tmp/up\n", "its entry `/tmp/up` would lie outside"),
            (EntryType::XGlobalHeader, b"16 path=/tmp/up\n", "it sets `path`"),
            (EntryType::XHeader, b"17 size=99999999\n", "it sets `size`"),
            (EntryType::XHeader, b"26 GNU.sparse.name=/tmp/x\n", "it has files with holes"),
            (EntryType::GNULongName, &vec![b'x'; 2 << 20], "a name in it has more than"),
        ] {
            let error = of(kind, text).expect_err(told);
            assert!(error.contains(told), "{error}");
        }
    }
}
