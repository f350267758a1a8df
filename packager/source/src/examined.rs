//! What an archive of sources holds, looked at before anything unpacks it: one folder, nothing that would lie outside of it, and no more than a disk has.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Component, Path};

use tar::{Archive, Entry, EntryType};

use crate::stop;

/// The most bytes that the files of an archive may have: the largest trees that are built here have some hundred megabytes.
const UNPACKED_BYTES_MAX: u64 = 8 << 30;

/// The most entries.
const ENTRIES_MAX: u64 = 1 << 20;

/// Beginnings of compressed files.
const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const BZIP2: &[u8] = b"BZh";
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The one folder that an archive holds; or why it is not to be unpacked.
pub(crate) fn top_folder(path: &Path) -> Result<String, String> {
    let mut archive = Archive::new(plain(path).map_err(|error| error.to_string())?);
    let mut top: Option<String> = None;
    let (mut bytes, mut count, mut below) = (0_u64, 0_u64, false);
    for entry in archive.entries().map_err(|error| error.to_string())? {
        stop::unless_interrupted().map_err(|error| error.to_string())?;
        let entry = entry.map_err(|error| error.to_string())?;
        // git writes its commit into a header of its own.
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if bytes > UNPACKED_BYTES_MAX || count > ENTRIES_MAX {
            return Err(format!("it unpacks to more than {} GiB or {ENTRIES_MAX} files", UNPACKED_BYTES_MAX >> 30));
        }
        let (name, depth) = checked(&entry)?;
        let Some(name) = name else { continue };
        below |= depth > 1;
        match &top {
            None => top = Some(name),
            Some(top) if *top == name => {}
            Some(top) => return Err(format!("it has `{top}` and `{}` at its top", name.escape_debug())),
        }
    }
    match top {
        None => Err("it is empty".to_owned()),
        Some(top) if !below => Err(format!("`{}` is no folder with sources", top.escape_debug())),
        Some(top) => Ok(top),
    }
}

/// The first part of an entry's name and how many parts it has, when the entry is harmless.
fn checked(entry: &Entry<'_, impl Read>) -> Result<(Option<String>, usize), String> {
    let path = entry.path().map_err(|error| error.to_string())?;
    let shown = path.display().to_string();
    let shown = shown.escape_debug();
    let parts = inside(&path).filter(|_| !path.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_control));
    let parts = parts.ok_or_else(|| format!("its entry `{shown}` would lie outside of the folder"))?;
    let link = || -> Result<Option<std::path::PathBuf>, String> {
        Ok(entry.link_name().map_err(|error| error.to_string())?.map(std::borrow::Cow::into_owned))
    };
    let leads_out = |to: &Path| format!("its link `{shown}` leads to `{}`", to.display().to_string().escape_debug());
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse | EntryType::Directory => {}
        EntryType::Link => {
            // Another entry, by its name from the top.
            let to = link()?.unwrap_or_default();
            if inside(&to).is_none_or(|to| to.first() != parts.first()) {
                return Err(leads_out(&to));
            }
        }
        EntryType::Symlink => {
            let to = link()?.unwrap_or_default();
            let from = path.parent().unwrap_or(Path::new(""));
            if to.is_absolute() || inside(&from.join(&to)).is_none_or(|to| to.first() != parts.first()) {
                return Err(leads_out(&to));
            }
        }
        _ => return Err(format!("its entry `{shown}` is neither file, folder nor link")),
    }
    Ok((parts.first().cloned(), parts.len()))
}

/// The parts of a path, when it leads nowhere above its beginning. A `..` takes back a part.
fn inside(path: &Path) -> Option<Vec<String>> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts)
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
        ];
        assert_eq!(of(&good), Ok("x-1".to_owned()));
        for (entry, told) in [
            (("/tmp/abs", Regular, "", 0), "its entry `/tmp/abs` would lie outside"),
            (("x-1/../../up", Regular, "", 0), "its entry `x-1/../../up` would lie outside"),
            (("x-1/new\nline", Regular, "", 0), "its entry `x-1/new\\nline` would lie outside"),
            (("stray", Regular, "", 0), "it has `x-1` and `stray` at its top"),
            (("x-1/sda", Block, "", 0), "its entry `x-1/sda` is neither file, folder nor link"),
            (("x-1/tmp", Symlink, "/tmp", 0), "its link `x-1/tmp` leads to `/tmp`"),
            (("x-1/up", Symlink, "../y", 0), "its link `x-1/up` leads to `../y`"),
            (("x-1/hard", Link, "/etc/passwd", 0), "its link `x-1/hard` leads to `/etc/passwd`"),
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
}
