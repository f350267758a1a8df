//! The front of a package file: lead, signature header, main header. The payload behind them is never read.
//!
//! ```text
//! 0   lead       96 bytes, begins with ed ab ee db
//! 96  signature  8e ad e8 01, 4 reserved, entries: u32, bytes: u32; entries of 16 bytes; bytes; zeros up to a multiple of 8
//!     main       the same, without the zeros
//! entry          tag: u32, type: u32, offset: u32, count: u32; all numbers big-endian
//! ```
//!
//! Source: rpm's `lib/header.c` and its format description. Not the `rpm` crate: it turns text that is not UTF-8 into replacement
//! characters, and slices by offsets that it has not checked.
//!
//! Bounds: rpm's own. Of a header at most 65,535 entries and 256 MiB of data are accepted (the signature: 64 MiB), and no more memory
//! is taken than the file really has bytes.

use std::io::{self, Read};
use std::ops::Range;

const LEAD_BYTES: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
const INTRO_BYTES: usize = 16;
const ENTRY_BYTES: usize = 16;
/// `HEADER_TAGS_MAX` of rpm.
const ENTRIES_MAX: usize = 0xffff;
/// `HEADER_DATA_MAX` of rpm.
const DATA_BYTES_MAX: usize = 256 << 20;
/// As rpm bounds the signature header.
const SIGNATURE_BYTES_MAX: usize = 64 << 20;

/// What is wrong with an entry that claims more than there is.
const OUTSIDE: &str = "it lies outside the header";

/// A package file that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Reading, or the file ends too early.
    #[error("the package ends inside its header")]
    Short(#[source] io::Error),
    /// Another kind of file.
    #[error("not an RPM package")]
    Lead,
    /// No header where one must be.
    #[error("no {0} header")]
    Magic(&'static str),
    /// More than rpm accepts.
    #[error("the {part} header claims {entries} entries and {bytes} bytes")]
    Large {
        /// Which header.
        part: &'static str,
        /// Entries.
        entries: usize,
        /// Bytes.
        bytes: usize,
    },
    /// An entry that points outside, or has another type than its tag.
    #[error("tag {tag} is damaged: {what}")]
    Tag {
        /// Its number.
        tag: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// A tag that every package has.
    #[error("no {0}")]
    Missing(&'static str),
    /// Lists that belong together have different lengths.
    #[error("the lists of {0} have different lengths")]
    Uneven(&'static str),
    /// More than metadata is made from.
    #[error("its lists expand to more than {0} bytes")]
    Expands(usize),
}

/// The types of entries.
mod kind {
    pub(super) const CHAR: u32 = 1;
    pub(super) const INT8: u32 = 2;
    pub(super) const INT16: u32 = 3;
    pub(super) const INT32: u32 = 4;
    pub(super) const INT64: u32 = 5;
    pub(super) const STRING: u32 = 6;
    pub(super) const BYTES: u32 = 7;
    pub(super) const STRINGS: u32 = 8;
    pub(super) const TRANSLATED: u32 = 9;

    /// Bytes of a number; nothing for what is none.
    pub(super) fn width(kind: u32) -> Option<usize> {
        match kind {
            CHAR | INT8 => Some(1),
            INT16 => Some(2),
            INT32 => Some(4),
            INT64 => Some(8),
            _ => None,
        }
    }
}

/// The headers of a package.
#[derive(Debug)]
pub struct Headers {
    /// Signatures, and sizes that rpm keeps with them.
    pub signature: Header,
    /// Everything else.
    pub main: Header,
    /// Where the main header lies in the file.
    pub range: Range<u64>,
}

/// One header: its index and its data, as the file has them.
#[derive(Debug, Clone)]
pub struct Header {
    index: Vec<u8>,
    data: Vec<u8>,
}

/// Where the values of a tag lie.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
}

impl Headers {
    /// Reads up to the end of the main header, not a byte further.
    pub fn read(from: &mut impl Read) -> Result<Headers, HeaderError> {
        let mut lead = [0; LEAD_BYTES];
        from.read_exact(&mut lead).map_err(short_or_other)?;
        if !lead.starts_with(&LEAD_MAGIC) {
            return Err(HeaderError::Lead);
        }
        let signature = Header::read(from, "signature", SIGNATURE_BYTES_MAX)?;
        let padding = (8 - signature.data.len() % 8) % 8;
        from.read_exact(&mut [0; 8][..padding]).map_err(HeaderError::Short)?;
        let start = (LEAD_BYTES + signature.bytes() + padding) as u64;
        let main = Header::read(from, "main", DATA_BYTES_MAX)?;
        let end = start + main.bytes() as u64;
        Ok(Headers { signature, main, range: start..end })
    }
}

/// A file shorter than a lead is no package rather than a damaged one.
fn short_or_other(error: io::Error) -> HeaderError {
    if error.kind() == io::ErrorKind::UnexpectedEof { HeaderError::Lead } else { HeaderError::Short(error) }
}

impl Header {
    fn read(from: &mut impl Read, part: &'static str, bytes_max: usize) -> Result<Header, HeaderError> {
        let mut intro = [0; INTRO_BYTES];
        from.read_exact(&mut intro).map_err(HeaderError::Short)?;
        if !intro.starts_with(&MAGIC) {
            return Err(HeaderError::Magic(part));
        }
        let (entries, bytes) = (word(&intro, 8) as usize, word(&intro, 12) as usize);
        if entries > ENTRIES_MAX || bytes > bytes_max {
            return Err(HeaderError::Large { part, entries, bytes });
        }
        Ok(Header { index: exactly(from, entries * ENTRY_BYTES)?, data: exactly(from, bytes)? })
    }

    /// Size in the file.
    fn bytes(&self) -> usize {
        INTRO_BYTES + self.index.len() + self.data.len()
    }

    fn entry(&self, tag: u32) -> Option<Entry> {
        let entry = self.index.chunks_exact(ENTRY_BYTES).find(|entry| word(entry, 0) == tag)?;
        let (offset, count) = (word(entry, 8) as usize, word(entry, 12) as usize);
        Some(Entry { tag, kind: word(entry, 4), offset, count })
    }

    /// Whether it has a tag.
    #[must_use]
    pub fn has(&self, tag: u32) -> bool {
        self.entry(tag).is_some()
    }

    /// Whether every entry has what it counts, inside the data: what readers trust that slice without looking.
    pub fn sound(&self) -> Result<(), HeaderError> {
        for entry in self.index.chunks_exact(ENTRY_BYTES) {
            let (tag, count) = (word(entry, 0), word(entry, 12) as usize);
            let bytes = self.tail(Entry { tag, kind: word(entry, 4), offset: word(entry, 8) as usize, count })?;
            let (fits, what) = match word(entry, 4) {
                kind::STRING if count != 1 => (false, "it has more than one text"),
                kind::STRING | kind::STRINGS | kind::TRANSLATED => {
                    let ends = bytes.iter().filter(|byte| **byte == 0).take(count).count();
                    (ends == count, "a text has no end")
                }
                kind::BYTES => (count <= bytes.len(), OUTSIDE),
                number => match kind::width(number) {
                    Some(width) => (count.checked_mul(width).is_some_and(|wanted| wanted <= bytes.len()), OUTSIDE),
                    None => (false, "it has no type of rpm's"),
                },
            };
            if !fits {
                return Err(HeaderError::Tag { tag, what });
            }
        }
        Ok(())
    }

    /// The bytes of a tag; none when it is absent.
    pub fn bytes_of(&self, tag: u32) -> Result<Option<&[u8]>, HeaderError> {
        let Some(entry) = self.entry(tag) else { return Ok(None) };
        if entry.kind != kind::BYTES {
            return Err(HeaderError::Tag { tag, what: "it is no sequence of bytes" });
        }
        let bytes = self.tail(entry)?.get(..entry.count);
        bytes.map(Some).ok_or(HeaderError::Tag { tag, what: OUTSIDE })
    }

    fn tail(&self, entry: Entry) -> Result<&[u8], HeaderError> {
        self.data.get(entry.offset..).ok_or(HeaderError::Tag { tag: entry.tag, what: OUTSIDE })
    }

    /// A text; of translated texts the first, which is the untranslated one.
    pub fn text(&self, tag: u32) -> Result<Option<&[u8]>, HeaderError> {
        self.texts(tag)?.next().transpose()
    }

    /// A list of texts; empty when the tag is absent.
    pub fn texts(&self, tag: u32) -> Result<Texts<'_>, HeaderError> {
        let Some(entry) = self.entry(tag) else {
            return Ok(Texts { tag, left: 0, bytes: &[] });
        };
        let left = match entry.kind {
            kind::STRING if entry.count == 1 => 1,
            kind::STRINGS | kind::TRANSLATED => entry.count,
            _ => return Err(HeaderError::Tag { tag, what: "it is no text" }),
        };
        let bytes = self.tail(entry)?;
        // Each has its zero byte at least.
        if left > bytes.len() {
            return Err(HeaderError::Tag { tag, what: "it has more texts than bytes" });
        }
        Ok(Texts { tag, left, bytes })
    }

    /// A list of numbers; empty when the tag is absent.
    pub fn numbers(&self, tag: u32) -> Result<impl ExactSizeIterator<Item = u64> + '_, HeaderError> {
        let entry = self.entry(tag);
        let width = entry.map_or(Some(1), |entry| kind::width(entry.kind));
        let width = width.ok_or(HeaderError::Tag { tag, what: "it is no number" })?;
        let bytes = match entry {
            None => &[][..],
            Some(entry) => entry
                .count
                .checked_mul(width)
                .and_then(|bytes| self.tail(entry).ok()?.get(..bytes))
                .ok_or(HeaderError::Tag { tag, what: OUTSIDE })?,
        };
        Ok(bytes.chunks_exact(width).map(|bytes| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
    }

    /// The first number of a tag.
    pub fn number(&self, tag: u32) -> Result<Option<u64>, HeaderError> {
        Ok(self.numbers(tag)?.next())
    }
}

/// Texts of a tag, one after the other.
#[derive(Debug, Clone)]
pub struct Texts<'h> {
    tag: u32,
    left: usize,
    bytes: &'h [u8],
}

impl<'h> Iterator for Texts<'h> {
    type Item = Result<&'h [u8], HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let Some(end) = self.bytes.iter().position(|byte| *byte == 0) else {
            self.left = 0;
            return Some(Err(HeaderError::Tag { tag: self.tag, what: "a text has no end" }));
        };
        let text = &self.bytes[..end];
        self.bytes = &self.bytes[end + 1..];
        Some(Ok(text))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Texts<'_> {}

fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

/// Exactly so many bytes. Memory grows with what arrives, not with what was claimed.
fn exactly(from: &mut impl Read, bytes: usize) -> Result<Vec<u8>, HeaderError> {
    let mut read = Vec::new();
    from.take(bytes as u64).read_to_end(&mut read).map_err(HeaderError::Short)?;
    if read.len() < bytes {
        return Err(HeaderError::Short(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(read)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Read as _;

    use super::{Header, HeaderError, Headers};

    /// A header of entries (tag, type, count, bytes).
    pub(crate) fn header(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in entries {
            let offset = u32::try_from(data.len()).expect("small");
            for number in [*tag, *kind, offset, *count] {
                index.extend(number.to_be_bytes());
            }
            data.extend_from_slice(bytes);
        }
        let mut all = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        all.extend(u32::try_from(entries.len()).expect("small").to_be_bytes());
        all.extend(u32::try_from(data.len()).expect("small").to_be_bytes());
        all.extend(index);
        all.extend(data);
        all
    }

    /// The front of a package with these headers.
    pub(crate) fn front(signature: &[u8], main: &[u8]) -> Vec<u8> {
        let mut all = vec![0; 96];
        all[..4].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb]);
        all.extend_from_slice(signature);
        all.resize(all.len().next_multiple_of(8), 0);
        all.extend_from_slice(main);
        all
    }

    fn read(bytes: &[u8]) -> Result<Headers, HeaderError> {
        Headers::read(&mut &bytes[..])
    }

    fn main_of(entries: &[(u32, u32, u32, &[u8])]) -> Header {
        read(&front(&header(&[]), &header(entries))).expect("read").main
    }

    #[test]
    fn values_are_read_and_nothing_behind_the_main_header() {
        let main = header(&[(1000, 6, 1, b"name\0"), (1009, 4, 2, &[0, 0, 1, 2, 0, 0, 0, 3]), (1117, 8, 2, b"a\0\0")]);
        let mut file = front(&header(&[(1007, 4, 1, &[0, 0, 0, 9, 1])]), &main);
        let end = file.len() as u64;
        file.extend_from_slice(b"payload");
        let mut rest = &file[..];
        let headers = Headers::read(&mut rest).expect("read");
        assert_eq!(headers.range, end - main.len() as u64..end);
        assert_eq!(headers.signature.number(1007).expect("number"), Some(9));
        assert_eq!(headers.main.text(1000).expect("text"), Some(&b"name"[..]));
        assert_eq!(headers.main.numbers(1009).expect("numbers").collect::<Vec<_>>(), [258, 3]);
        assert_eq!(
            headers.main.texts(1117).expect("texts").collect::<Result<Vec<_>, _>>().expect("texts"),
            [&b"a"[..], b""]
        );
        assert_eq!(headers.main.text(1001).expect("absent"), None);
        let mut payload = Vec::new();
        rest.read_to_end(&mut payload).expect("read");
        assert_eq!(payload, b"payload");
    }

    #[test]
    fn every_claim_is_checked() {
        let header = main_of(&[(1, 6, 1, b"no end")]);
        assert!(matches!(header.text(1), Err(HeaderError::Tag { what: "a text has no end", .. })));
        let header = main_of(&[(1, 8, u32::MAX, b"a\0")]);
        assert!(matches!(header.texts(1), Err(HeaderError::Tag { what: "it has more texts than bytes", .. })));
        let header = main_of(&[(1, 4, u32::MAX, b"abcd"), (2, 7, 1, b"x")]);
        assert!(matches!(header.number(1), Err(HeaderError::Tag { what: "it lies outside the header", .. })));
        assert!(matches!(header.number(2), Err(HeaderError::Tag { what: "it is no number", .. })));
        assert!(matches!(header.text(2), Err(HeaderError::Tag { what: "it is no text", .. })));
    }

    #[test]
    fn a_sound_header_has_what_its_entries_count() {
        let sound = |entries: &[(u32, u32, u32, &[u8])]| main_of(entries).sound().map_err(|error| error.to_string());
        let good: &[(u32, u32, u32, &[u8])] =
            &[(1, 6, 1, b"a\0"), (2, 8, 2, b"a\0\0"), (3, 4, 1, b"abcd"), (4, 7, 3, b"abc"), (5, 9, 1, b"\0")];
        assert_eq!(sound(good), Ok(()));
        assert_eq!(main_of(good).bytes_of(4).expect("bytes"), Some(&b"abc"[..]));
        assert!(main_of(good).bytes_of(9).expect("absent").is_none());
        assert!(main_of(good).bytes_of(3).is_err());
        let bad: &[(u32, u32, &[u8])] = &[
            (6, 1, b"a"),
            (6, 2, b"a\0b\0"),
            (8, 3, b"a\0b\0"),
            (4, 2, b"abcdabc"),
            (5, u32::MAX, b"ab"),
            (7, 4, b"abc"),
            (0, 0, b""),
            (10, 1, b"a"),
        ];
        for (kind, count, bytes) in bad {
            assert!(sound(&[(1, *kind, *count, bytes)]).is_err(), "type {kind}, {count} times");
        }
    }

    #[test]
    fn claimed_sizes_do_not_become_memory() {
        let mut large = header(&[]);
        large[8..12].copy_from_slice(&0x1_0000_u32.to_be_bytes());
        assert!(matches!(
            read(&front(&large, &[])),
            Err(HeaderError::Large { part: "signature", entries: 0x1_0000, .. })
        ));
        let mut large = header(&[]);
        large[12..16].copy_from_slice(&(256_u32 << 20).to_be_bytes());
        assert!(matches!(read(&front(&header(&[]), &large)), Err(HeaderError::Short(_))));
        large[12..16].copy_from_slice(&((256_u32 << 20) + 1).to_be_bytes());
        assert!(matches!(read(&front(&header(&[]), &large)), Err(HeaderError::Large { part: "main", .. })));
    }

    #[test]
    fn other_files_are_told_apart_from_damaged_packages() {
        assert!(matches!(read(b""), Err(HeaderError::Lead)));
        assert!(matches!(read(&[0; 200]), Err(HeaderError::Lead)));
        assert!(matches!(read(&front(&[0; 16], &[])), Err(HeaderError::Magic("signature"))));
        let whole = front(&header(&[]), &header(&[(1000, 6, 1, b"name\0")]));
        for length in 96..whole.len() {
            assert!(matches!(read(&whole[..length]), Err(HeaderError::Short(_))), "{length}");
        }
    }
}
