//! Checksums of values: one per chunk of 32 KiB, all of one kind. What computes them is the crate `erasure`.
//!
//! A list of them is plain bytes, checksum after checksum: CRCs little-endian, digests as they are. That is also how they
//! travel and how they lie on disk. Few of them take no memory of their own.

use std::fmt;
use std::str::FromStr;

/// Bytes covered by one checksum, counted from the first byte of the data it came with.
pub const CHECKSUM_CHUNK_BYTES: usize = 32 << 10;

/// Length of the longest checksum.
pub const MAX_CHECKSUM_BYTES: usize = 32;

/// How checksums are computed: a property of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ChecksumKind {
    /// CRC-32/ISCSI (Castagnoli), RFC 3720.
    #[default]
    Crc32c,
    /// CRC-64/XZ: the reflected ECMA-182 polynomial, `crc64_ecma_refl` of isa-l.
    Crc64,
    /// SHA-256, FIPS 180-4.
    Sha256,
}

impl ChecksumKind {
    /// Every kind.
    pub const ALL: [ChecksumKind; 3] = [ChecksumKind::Crc32c, ChecksumKind::Crc64, ChecksumKind::Sha256];

    /// Its number on the wire and on disk. Zero is never one: there it says that there are no checksums.
    pub const fn number(self) -> u8 {
        match self {
            ChecksumKind::Crc32c => 1,
            ChecksumKind::Crc64 => 2,
            ChecksumKind::Sha256 => 3,
        }
    }

    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<ChecksumKind> {
        match number {
            1 => Some(ChecksumKind::Crc32c),
            2 => Some(ChecksumKind::Crc64),
            3 => Some(ChecksumKind::Sha256),
            _ => None,
        }
    }

    /// Bytes of one checksum.
    pub const fn bytes(self) -> usize {
        match self {
            ChecksumKind::Crc32c => 4,
            ChecksumKind::Crc64 => 8,
            ChecksumKind::Sha256 => 32,
        }
    }

    /// The value of DAOS's container property `cksum`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChecksumKind::Crc32c => "crc32",
            ChecksumKind::Crc64 => "crc64",
            ChecksumKind::Sha256 => "sha256",
        }
    }
}

impl fmt::Display for ChecksumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no kind of checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of checksum\nhint: use crc32, crc64 or sha256")]
pub struct UnknownChecksumKind(String);

impl FromStr for ChecksumKind {
    type Err = UnknownChecksumKind;

    fn from_str(text: &str) -> Result<ChecksumKind, UnknownChecksumKind> {
        let found = ChecksumKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownChecksumKind(text.to_owned()))
    }
}

/// Checksums that lie somewhere else: in a record of the store, in [`Checksums`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChecksumSlice<'a> {
    kind: ChecksumKind,
    bytes: &'a [u8],
}

impl<'a> ChecksumSlice<'a> {
    /// Checksums of `kind` from their bytes; none when the last one is cut off. No bytes are no checksums, whatever the kind.
    pub fn new(kind: ChecksumKind, bytes: &'a [u8]) -> Option<ChecksumSlice<'a>> {
        let kind = if bytes.is_empty() { ChecksumKind::default() } else { kind };
        bytes.len().is_multiple_of(kind.bytes()).then_some(ChecksumSlice { kind, bytes })
    }

    /// Their kind; none when there are none.
    pub fn kind(self) -> Option<ChecksumKind> {
        (!self.bytes.is_empty()).then_some(self.kind)
    }

    /// How many.
    pub fn count(self) -> usize {
        self.bytes.len() / self.kind.bytes()
    }

    /// True for those of no data.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// All bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Each checksum.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.bytes.chunks_exact(self.kind.bytes())
    }

    /// Those of chunks `first..last`.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn range(self, first: usize, last: usize) -> ChecksumSlice<'a> {
        let bytes = &self.bytes[first * self.kind.bytes()..last * self.kind.bytes()];
        ChecksumSlice::new(self.kind, bytes).expect("the bytes of whole checksums")
    }

    /// A copy that stands by itself.
    pub fn to_owned(self) -> Checksums {
        let mut copy = Checksums::with_capacity(self.kind, self.count());
        copy.stored.extend(self.bytes);
        copy
    }
}

/// A checksum of each [`CHECKSUM_CHUNK_BYTES`] of some data, the last chunk possibly shorter; none for no data.
#[derive(Clone)]
pub struct Checksums {
    kind: ChecksumKind,
    stored: Stored,
}

#[derive(Clone)]
enum Stored {
    /// Up to one checksum of the longest kind: the values most updates have.
    Inline(u8, [u8; MAX_CHECKSUM_BYTES]),
    Heap(Vec<u8>),
}

impl Stored {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Stored::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Stored::Heap(bytes) => bytes,
        }
    }

    fn extend(&mut self, more: &[u8]) {
        match self {
            Stored::Inline(length, bytes) => {
                let from = usize::from(*length);
                match bytes.get_mut(from..from + more.len()) {
                    Some(room) => {
                        room.copy_from_slice(more);
                        *length += more.len() as u8; // at most MAX_CHECKSUM_BYTES in all
                    }
                    None => *self = Stored::Heap([&bytes[..from], more].concat()),
                }
            }
            Stored::Heap(bytes) => bytes.extend_from_slice(more),
        }
    }
}

impl Checksums {
    /// Those of no data.
    pub fn none() -> Checksums {
        Checksums::with_capacity(ChecksumKind::default(), 0)
    }

    /// An empty list with room for `count` of `kind`.
    pub fn with_capacity(kind: ChecksumKind, count: usize) -> Checksums {
        let bytes = count.saturating_mul(kind.bytes());
        let stored = if bytes <= MAX_CHECKSUM_BYTES {
            Stored::Inline(0, [0; MAX_CHECKSUM_BYTES])
        } else {
            Stored::Heap(Vec::with_capacity(bytes))
        };
        Checksums { kind, stored }
    }

    /// Adds one.
    ///
    /// # Panics
    /// When it has not the length of the kind.
    pub fn push(&mut self, checksum: &[u8]) {
        assert_eq!(checksum.len(), self.kind.bytes(), "a checksum has the length of its kind");
        self.stored.extend(checksum);
    }

    /// Checksums of `kind` from their bytes; none when the last one is cut off.
    pub fn from_bytes(kind: ChecksumKind, bytes: &[u8]) -> Option<Checksums> {
        ChecksumSlice::new(kind, bytes).map(ChecksumSlice::to_owned)
    }

    /// The same, borrowed.
    pub fn as_slice(&self) -> ChecksumSlice<'_> {
        ChecksumSlice::new(self.kind, self.as_bytes()).expect("only whole checksums are added")
    }

    /// Their kind; none when there are none.
    pub fn kind(&self) -> Option<ChecksumKind> {
        self.as_slice().kind()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.as_bytes().len() / self.kind.bytes()
    }

    /// True for those of no data.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// All bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.stored.as_bytes()
    }
}

impl Default for Checksums {
    fn default() -> Checksums {
        Checksums::none()
    }
}

impl PartialEq for Checksums {
    fn eq(&self, other: &Checksums) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Checksums {}

impl fmt::Debug for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.kind)?;
        for (index, checksum) in self.as_slice().iter().enumerate() {
            f.write_str(if index > 0 { " " } else { "" })?;
            checksum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        f.write_str("]")
    }
}

impl<'a> From<&'a Checksums> for ChecksumSlice<'a> {
    fn from(checksums: &'a Checksums) -> ChecksumSlice<'a> {
        checksums.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_names_lead_back_to_their_kind() {
        for kind in ChecksumKind::ALL {
            assert_eq!(ChecksumKind::from_number(kind.number()), Some(kind));
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert!(kind.bytes() <= MAX_CHECKSUM_BYTES);
        }
        assert_eq!((ChecksumKind::from_number(0), ChecksumKind::from_number(4)), (None, None));
        assert!("md5".parse::<ChecksumKind>().unwrap_err().to_string().contains("`md5`"));
    }

    #[test]
    fn no_checksums_have_no_kind() {
        for kind in ChecksumKind::ALL {
            let empty = Checksums::from_bytes(kind, b"").unwrap();
            assert_eq!((empty.kind(), empty.count(), &empty), (None, 0, &Checksums::none()));
            assert_eq!(Checksums::with_capacity(kind, 9), Checksums::none());
            assert_eq!(Checksums::from_bytes(kind, &[0; 3]), None);
        }
        assert_ne!(
            Checksums::from_bytes(ChecksumKind::Crc32c, &[1; 8]),
            Checksums::from_bytes(ChecksumKind::Crc64, &[1; 8])
        );
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_there_in_its_order(
            kind in prop::sample::select(&ChecksumKind::ALL[..]),
            values in prop::collection::vec(any::<u8>(), 0..40),
            room in 0usize..40,
            cut: prop::sample::Index,
        ) {
            let mut all = Checksums::with_capacity(kind, room);
            values.iter().for_each(|value| all.push(&vec![*value; kind.bytes()]));
            prop_assert_eq!(all.count(), values.len());
            let seen: Vec<u8> = all.as_slice().iter().map(|checksum| checksum[0]).collect();
            prop_assert_eq!(&seen, &values);
            prop_assert_eq!(Checksums::from_bytes(kind, all.as_bytes()), Some(all.clone()));
            let cut = cut.index(values.len() + 1);
            let back = all.as_slice().range(cut, values.len()).to_owned();
            prop_assert_eq!(back.as_bytes(), &all.as_bytes()[cut * kind.bytes()..]);
        }
    }
}
