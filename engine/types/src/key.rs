//! Keys: dkeys and akeys as bytes with a limit.

use std::borrow::Cow;
use std::fmt;

/// Largest dkey or akey. Keys live in the arena, so a key must stay well below one arena page cluster.
pub const MAX_KEY_BYTES: usize = 4096;

/// Largest value or array extent one update carries. An update is one transaction and one frame; 32 MiB keeps a
/// frame's worst-case time on a 1 GB/s device near 30 ms. Larger arrays are written extent by extent.
pub const MAX_VALUE_BYTES: usize = 32 << 20;

/// What the dkeys or akeys of an object are, fixed by the type in its id ([`crate::ObjectId::dkey_kind`]). It decides the order in
/// which they are listed and which bytes are a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Any bytes; the order of a list is stable but means nothing.
    Hashed,
    /// Any bytes, in byte order.
    Lexical,
    /// Eight bytes, a little-endian integer, in its order.
    U64,
}

impl KeyKind {
    /// True when first and last mean something.
    pub fn is_ordered(self) -> bool {
        self != KeyKind::Hashed
    }

    /// The form of a key in which byte order is the order of its kind. Its own inverse.
    pub fn sortable(self, key: &[u8]) -> Cow<'_, [u8]> {
        match self {
            KeyKind::U64 => Cow::Owned(key.iter().rev().copied().collect()),
            KeyKind::Hashed | KeyKind::Lexical => Cow::Borrowed(key),
        }
    }

    /// True when `bytes` can be such a key, its general limits aside.
    pub fn admits(self, bytes: &[u8]) -> bool {
        self != KeyKind::U64 || bytes.len() == 8
    }
}

/// A dkey or akey: 1 to [`MAX_KEY_BYTES`] bytes, any bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

/// Why bytes are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No bytes at all.
    #[error("a key must have at least one byte")]
    Empty,
    /// Too many bytes.
    #[error("a key of {0} bytes is larger than the limit of {MAX_KEY_BYTES} bytes")]
    TooLong(usize),
}

impl Key {
    /// Checks the length and copies the bytes.
    pub fn new(bytes: &[u8]) -> Result<Key, KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            n if n > MAX_KEY_BYTES => Err(KeyError::TooLong(n)),
            _ => Ok(Key(bytes.into())),
        }
    }

    /// The key of an integer, for keys of [`KeyKind::U64`].
    pub fn from_u64(number: u64) -> Key {
        Key(Box::new(number.to_le_bytes()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&str> for Key {
    type Error = KeyError;
    fn try_from(text: &str) -> Result<Key, KeyError> {
        Key::new(text.as_bytes())
    }
}

impl fmt::Display for Key {
    /// Printable ASCII as it is, everything else as `\xNN`, a backslash doubled: unambiguous on a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in &self.0 {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                0x20..=0x7e => write!(f, "{}", byte as char)?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(\"{self}\")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_at_both_ends() {
        assert_eq!(Key::new(b""), Err(KeyError::Empty));
        assert!(Key::new(&[0; MAX_KEY_BYTES]).is_ok());
        assert_eq!(Key::new(&[0; MAX_KEY_BYTES + 1]), Err(KeyError::TooLong(MAX_KEY_BYTES + 1)));
    }

    #[test]
    fn integers_sort_by_value_and_come_back() {
        let mut numbers: Vec<u64> = vec![300, 1, u64::MAX, 255, 256];
        let sortable = |number: &u64| KeyKind::U64.sortable(Key::from_u64(*number).as_bytes()).into_owned();
        numbers.sort_by_key(sortable);
        assert_eq!(numbers, [1, 255, 256, 300, u64::MAX]);
        assert_eq!(KeyKind::U64.sortable(&sortable(&300))[..], *Key::from_u64(300).as_bytes());
        assert!(KeyKind::U64.admits(&[0; 8]) && !KeyKind::U64.admits(&[0; 7]) && KeyKind::Lexical.admits(b"x"));
    }

    #[test]
    fn display_is_unambiguous() {
        let shown = |bytes| Key::new(bytes).unwrap().to_string();
        assert_eq!(shown(b"a b"), "a b");
        assert_eq!(shown(b"\\x00"), "\\\\x00");
        assert_eq!(shown(b"\x00\xff"), "\\x00\\xff");
    }
}
