//! Keys: dkeys and akeys as bytes with a limit.

use std::fmt;

/// Largest dkey or akey. Keys live in the arena, so a key must stay well below one arena page cluster.
pub const MAX_KEY_BYTES: usize = 4096;

/// Largest value or array extent one update carries. An update is one transaction and one frame; 32 MiB keeps a
/// frame's worst-case time on a 1 GB/s device near 30 ms. Larger arrays are written extent by extent.
pub const MAX_VALUE_BYTES: usize = 32 << 20;

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
    fn display_is_unambiguous() {
        let shown = |bytes| Key::new(bytes).unwrap().to_string();
        assert_eq!(shown(b"a b"), "a b");
        assert_eq!(shown(b"\\x00"), "\\\\x00");
        assert_eq!(shown(b"\x00\xff"), "\\x00\\xff");
    }
}
