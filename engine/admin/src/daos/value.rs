//! Where a value comes from and goes to: the argument itself, `@file`, or `-` for the standard streams.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;
use types::{MAX_VALUE_BYTES, Status};
use wire::fault::Failure;

/// Most bytes one array put takes. The value is held in memory as a whole; larger data belongs in several puts.
pub(super) const MAX_ARRAY_PUT_BYTES: u64 = 1 << 30;

/// Reads the value an argument means, at most as many bytes as the command may store.
pub(super) fn read(argument: impl AsRef<OsStr>, array: bool, stdin: &mut dyn Read) -> Result<Bytes, Failure> {
    let limit = if array { MAX_ARRAY_PUT_BYTES } else { MAX_VALUE_BYTES as u64 };
    let argument = argument.as_ref().as_bytes();
    let (bytes, name) = match (argument, argument.strip_prefix(b"@")) {
        (b"-", _) => (bounded(stdin, limit, "standard input")?, "standard input".to_owned()),
        (_, Some(path)) => {
            let path = Path::new(OsStr::from_bytes(path));
            (read_file(path, limit)?, format!("`{}`", path.display()))
        }
        (bytes, None) => (bytes.to_vec(), "the value".to_owned()),
    };
    if bytes.len() as u64 > limit {
        return Err(too_large(&name, limit, array));
    }
    if bytes.is_empty() && array {
        return Err(Failure::new(Status::Invalid, format!("{name} has no bytes to write into an array"))
            .with_resolution("give at least one byte, or leave --array out to store an empty value"));
    }
    Ok(bytes.into())
}

/// `limit` and one byte more, so that a larger value is noticed without being read.
fn bounded(source: &mut dyn Read, limit: u64, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    Ok(bytes)
}

fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let name = format!("`{}`", path.display());
    let mut file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    bounded(&mut file, limit, &name)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(Status::Io, format!("cannot read {name}: {error}"))
        .with_resolution("check the path and its permissions; a value that starts with `@` can be given through `-`")
}

fn too_large(name: &str, limit: u64, array: bool) -> Failure {
    let failure = Failure::new(Status::TooBig, format!("{name} is larger than the limit of {limit} bytes"));
    failure.with_resolution(if array {
        "write it in parts with --offset"
    } else {
        "store it as a byte array with --array, which is written in parts"
    })
}

/// Writes a value that was read to the file `-o` names.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(Status::Io, format!("cannot write `{}`: {error}", path.display()))
            .with_resolution("name a file that can be written, or leave -o out to write to standard output")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, repeat};

    #[test]
    fn a_value_is_taken_from_where_the_argument_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        std::fs::write(&path, b"\x00from\xff").unwrap();
        let mut stdin = Cursor::new(b"streamed");
        assert_eq!(read("plain", false, &mut stdin).unwrap(), "plain");
        assert_eq!(read(format!("@{}", path.display()), false, &mut stdin).unwrap(), &b"\x00from\xff"[..]);
        assert_eq!(read("-", false, &mut stdin).unwrap(), "streamed");
        assert_eq!(read("", false, &mut stdin).unwrap(), "");
        assert_eq!(read(OsStr::from_bytes(b"\xff\xe9"), false, &mut stdin).unwrap(), &b"\xff\xe9"[..]);
    }

    #[test]
    fn what_cannot_be_stored_is_refused_before_it_is_sent() {
        let failure = read("-", false, &mut repeat(7)).unwrap_err();
        assert_eq!(failure.status, Status::TooBig);
        assert!(failure.resolution.contains("--array"), "{failure}");
        let exact = read("-", false, &mut repeat(7).take(MAX_VALUE_BYTES as u64)).unwrap();
        assert_eq!(exact.len(), MAX_VALUE_BYTES);
        assert_eq!(read("", true, &mut Cursor::new(b"")).unwrap_err().status, Status::Invalid);
        let absent = read("@/absent/file", false, &mut Cursor::new(b"")).unwrap_err();
        assert!(absent.message.contains("`/absent/file`"), "{absent}");
    }
}
