//! Keys as people type them, and which key a command means.
//!
//! A key is typed as it is, in any bytes the shell can pass; with `--escaped` in the form that `kv list` prints, where `\xNN` is one byte and `\\` a
//! backslash, so that every key can be typed. A key alone is a dkey and its value lies in the akey
//! [`DEFAULT_AKEY`]; `--akey` names another akey of it, `--dkey` makes the key an akey of that dkey.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use types::{Address, Key, ObjectId, Status};
use wire::fault::Failure;

/// Akey of values that were put with a key alone.
pub(super) const DEFAULT_AKEY: &str = "value";

/// `text` as a key.
pub(super) fn key(text: impl AsRef<OsStr>, escaped: bool) -> Result<Key, Failure> {
    let text = text.as_ref().as_bytes();
    let bytes = if escaped { unescape(text)? } else { text.to_vec() };
    Key::new(&bytes).map_err(|error| {
        Failure::new(Status::Invalid, error.to_string())
            .with_resolution(format!("give a key of 1 to {} bytes", types::MAX_KEY_BYTES))
    })
}

fn unescape(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let bad = |at: usize| {
        Failure::new(Status::Invalid, format!("`{}` has a broken escape at byte {at}", String::from_utf8_lossy(bytes)))
            .with_resolution(r"write `\\` for a backslash and `\xNN` for the byte with the hexadecimal number NN")
    };
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'\\')) => {
                plain.push(b'\\');
                at += 2;
            }
            (b'\\', Some(b'x')) => {
                let digits = bytes.get(at + 2..at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(|| bad(at))?;
                plain.push(u8::from_str_radix(digits, 16).map_err(|_| bad(at))?);
                at += 4;
            }
            (b'\\', _) => return Err(bad(at)),
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Ok(plain)
}

/// The address that `key` with `--dkey` or `--akey` means.
pub(super) fn address(
    object: ObjectId,
    text: &OsStr,
    dkey: Option<&OsStr>,
    akey: Option<&OsStr>,
    escaped: bool,
) -> Result<Address, Failure> {
    let (dkey, akey) = match (dkey, akey) {
        (Some(dkey), _) => (key(dkey, escaped)?, key(text, escaped)?),
        (None, Some(akey)) => (key(text, escaped)?, key(akey, escaped)?),
        (None, None) => (key(text, escaped)?, key(DEFAULT_AKEY, false)?),
    };
    Ok(Address { object, dkey, akey })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OBJECT: ObjectId = ObjectId { hi: 0, lo: 1 };

    fn names(key: &str, dkey: Option<&str>, akey: Option<&str>) -> (String, String) {
        let (dkey, akey) = (dkey.map(OsStr::new), akey.map(OsStr::new));
        let address = address(OBJECT, OsStr::new(key), dkey, akey, false).unwrap();
        (address.dkey.to_string(), address.akey.to_string())
    }

    #[test]
    fn a_key_alone_is_a_dkey_with_the_default_akey() {
        assert_eq!(names("k", None, None), ("k".to_owned(), "value".to_owned()));
        assert_eq!(names("k", None, Some("a")), ("k".to_owned(), "a".to_owned()));
        assert_eq!(names("k", Some("d"), None), ("d".to_owned(), "k".to_owned()));
    }

    #[test]
    fn empty_and_endless_keys_are_refused_with_the_limit() {
        for text in [String::new(), "x".repeat(types::MAX_KEY_BYTES + 1)] {
            let failure = key(&text, false).unwrap_err();
            assert_eq!(failure.status, Status::Invalid);
            assert!(failure.resolution.contains("4096"), "{failure}");
        }
    }

    #[test]
    fn broken_escapes_are_refused_and_plain_keys_have_none() {
        for text in [r"\", r"a\", r"\n", r"\x", r"\x1", r"\xzz", r"\x+1", "\\xé"] {
            assert!(key(text, true).is_err(), "{text}");
        }
        assert_eq!(key(r"\x41", false).unwrap().as_bytes(), br"\x41");
        assert_eq!(key(r"\x41\\", true).unwrap().as_bytes(), br"A\");
    }

    #[test]
    fn bytes_that_are_no_text_are_taken_literally() {
        let bytes = b"caf\xe9\xff";
        assert_eq!(key(OsStr::from_bytes(bytes), false).unwrap().as_bytes(), bytes);
        assert_eq!(key(OsStr::from_bytes(b"\xe9\\x41"), true).unwrap().as_bytes(), b"\xe9A");
        assert!(key(OsStr::from_bytes(b"\\x\xe9\xe9"), true).is_err());
    }

    proptest! {
        #[test]
        fn every_key_can_be_typed_as_it_is_printed(bytes in prop::collection::vec(any::<u8>(), 1..50)) {
            let shown = Key::new(&bytes).unwrap().to_string();
            let read_back = key(&shown, true).unwrap();
            prop_assert_eq!(read_back.as_bytes(), bytes.as_slice());
        }
    }
}
