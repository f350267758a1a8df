//! Tarballs whose bytes depend on names, contents and one time only: sorted, no owners, plain modes, xz blocks of one size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use liblzma::stream::{Check, MtStreamBuilder};
use liblzma::write::XzEncoder;

/// Raised when the same contents become other bytes.
pub const GENERATION: &str = "2";

/// xz preset: higher ones gain little on sources and cost much time.
const XZ_PRESET: u32 = 6;

/// Each block is compressed alone, so any number of threads makes the same bytes; three dictionaries of the preset, as xz itself does.
const XZ_BLOCK_BYTES: u64 = 24 << 20;

/// Each thread takes about 170 MiB.
const XZ_THREADS_MAX: usize = 8;

/// What a tarball holds, by path inside it.
#[derive(Debug, Clone, Default)]
pub struct Contents(BTreeMap<String, Member>);

#[derive(Debug, Clone)]
enum Member {
    Bytes { bytes: Vec<u8>, executable: bool },
    File(PathBuf),
    Link(PathBuf),
}

impl Contents {
    /// An empty one.
    #[must_use]
    pub fn new() -> Contents {
        Contents::default()
    }

    /// Adds a text.
    pub fn text(&mut self, path: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), Member::Bytes { bytes: text.into(), executable: false });
    }

    /// Adds the bytes of a file.
    pub fn bytes(&mut self, path: impl Into<String>, bytes: &[u8], executable: bool) {
        self.0.insert(path.into(), Member::Bytes { bytes: bytes.to_vec(), executable });
    }

    /// Adds a file from the file system.
    pub fn file(&mut self, path: impl Into<String>, from: PathBuf) {
        self.0.insert(path.into(), Member::File(from));
    }

    /// Adds a symbolic link to a path as it is written in it.
    pub fn link(&mut self, path: impl Into<String>, to: PathBuf) {
        self.0.insert(path.into(), Member::Link(to));
    }

    /// Adds all files below a folder.
    pub fn tree(&mut self, prefix: &str, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.tree(&path, &entry.path())?;
            } else {
                self.file(path, entry.path());
            }
        }
        Ok(())
    }

    /// Writes the members below a folder, as unpacking would.
    pub fn unpack(&self, folder: &Path) -> io::Result<()> {
        for (path, member) in &self.0 {
            let to = folder.join(path);
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent)?;
            }
            match member {
                Member::Bytes { bytes, executable } => {
                    std::fs::write(&to, bytes)?;
                    if *executable {
                        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o755))?;
                    }
                }
                Member::File(from) => std::fs::copy(from, &to).map(drop)?,
                Member::Link(path) => std::os::unix::fs::symlink(path, &to)?,
            }
        }
        Ok(())
    }

    /// Writes `.tar.xz`; every member gets the same time. It is on its disk afterwards, so that it can be renamed to its place.
    pub fn write(&self, to: &Path, time: i64) -> io::Result<()> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(XZ_THREADS_MAX);
        self.write_xz(to, time, threads)
    }

    fn write_xz(&self, to: &Path, time: i64, threads: usize) -> io::Result<()> {
        let stream = MtStreamBuilder::new()
            .threads(u32::try_from(threads).unwrap_or(1))
            .block_size(XZ_BLOCK_BYTES)
            .preset(XZ_PRESET)
            .check(Check::Crc64)
            .encoder()?;
        let mut xz = XzEncoder::new_stream(BufWriter::new(File::create(to)?), stream);
        self.write_plain(&mut xz, time)?;
        xz.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Writes a tarball without compression.
    pub fn write_plain(&self, to: &mut impl Write, time: i64) -> io::Result<()> {
        let mut tar = tar::Builder::new(to);
        for (path, member) in &self.0 {
            let mut header = tar::Header::new_gnu();
            let (bytes, executable) = match member {
                Member::Bytes { bytes, executable } => (bytes.clone(), *executable),
                Member::File(from) => (std::fs::read(from)?, is_executable(from)?),
                Member::Link(to) => {
                    header.set_size(0);
                    header.set_mode(0o777);
                    header.set_mtime(u64::try_from(time).unwrap_or(0));
                    header.set_entry_type(tar::EntryType::Symlink);
                    tar.append_link(&mut header, path, to)?;
                    continue;
                }
            };
            header.set_size(bytes.len() as u64);
            header.set_mode(if executable { 0o755 } else { 0o644 });
            header.set_mtime(u64::try_from(time).unwrap_or(0));
            header.set_entry_type(tar::EntryType::Regular);
            tar.append_data(&mut header, path, bytes.as_slice())?;
        }
        tar.into_inner()?.flush()
    }
}

pub(crate) fn is_executable(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o100 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{Contents, XZ_BLOCK_BYTES};

    /// More than two blocks, by one thread and by several: the same bytes.
    #[test]
    fn bytes_do_not_depend_on_threads() {
        let mut contents = Contents::new();
        for file in 0..5_u8 {
            contents.text(file.to_string(), vec![file; XZ_BLOCK_BYTES as usize / 2]);
        }
        let written = [1, 2, 5].map(|threads| {
            let out = tempfile::NamedTempFile::new().expect("temporary file");
            contents.write_xz(out.path(), 0, threads).expect("written");
            fs::read(out.path()).expect("read back")
        });
        assert!(written[0].len() > 1 << 10);
        assert!(written[0] == written[1] && written[0] == written[2]);
    }

    /// The same members at two places, made in another order and with other times and modes, give the same bytes.
    #[test]
    fn bytes_depend_on_contents_only() {
        let mut written = Vec::new();
        for (mode, names) in [(0o600, ["b", "a/c"]), (0o664, ["a/c", "b"])] {
            let folder = tempfile::tempdir().expect("temporary folder");
            fs::create_dir(folder.path().join("a")).expect("folder");
            for name in names {
                let path = folder.path().join(name);
                fs::write(&path, name).expect("file");
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
            }
            let mut contents = Contents::new();
            contents.tree("x", folder.path()).expect("tree");
            let out = tempfile::NamedTempFile::new().expect("temporary file");
            contents.write(out.path(), 1_700_000_000).expect("written");
            written.push(fs::read(out.path()).expect("read back"));
        }
        assert_eq!(written[0], written[1]);
        assert!(written[0].starts_with(b"\xFD7zXZ\0"));
    }
}
