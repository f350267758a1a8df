//! Frames: the unit of the data port. A 32-byte header and a body, each with its own checksum.
//!
//! ```text
//!  0 magic        u32  "DFR1"
//!  4 header_crc   u32  CRC32C of bytes 8..32
//!  8 body_length  u32
//! 12 version      u16  2
//! 14 kind         u8
//! 15 flags        u8   0
//! 16 tag          u64  chosen by the asker, echoed
//! 24 count        u16  operations or answers in the body; method of a service call
//! 26 reserved     u16  0
//! 28 body_crc     u32  CRC32C of the body
//! ```

use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest, checksum};
use types::MAX_VALUE_BYTES;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// "DFR1" in the order in which the bytes travel.
pub const MAGIC: u32 = u32::from_le_bytes(*b"DFR1");
/// The version of this page. Version 1, which had CRC32C only, was in no release and is not spoken.
pub const VERSION: u16 = 2;
/// Length of a header.
pub const HEADER_BYTES: usize = 32;
/// Longest body: one value of the largest size, and 1 MiB for keys, checksums and further small operations.
pub const MAX_BODY_BYTES: usize = MAX_VALUE_BYTES + (1 << 20);
/// Longest body on a service connection: metadata only.
pub const MAX_SERVICE_BODY_BYTES: usize = 1 << 20;
/// Most operations in one frame: enough to spread the cost of a frame, few enough that one frame is no queue of its own.
pub const MAX_OPERATIONS: u16 = 64;
/// Payloads from this size travel as they are, smaller ones are copied beside their headers.
const SHARE_FROM_BYTES: usize = 4096;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// First frame from the side that connected.
    Hello,
    /// Its acceptance.
    HelloReply,
    /// Operations for a target.
    Request,
    /// Their answers.
    Reply,
    /// A call of the pool service.
    Service,
    /// Its answer.
    ServiceReply,
    /// The connection is refused or ends here; the sender closes it.
    Refusal,
}

impl Kind {
    const ALL: [Kind; 7] =
        [Kind::Hello, Kind::HelloReply, Kind::Request, Kind::Reply, Kind::Service, Kind::ServiceReply, Kind::Refusal];

    const fn number(self) -> u8 {
        match self {
            Kind::Hello => 1,
            Kind::HelloReply => 2,
            Kind::Request => 3,
            Kind::Reply => 4,
            Kind::Service => 5,
            Kind::ServiceReply => 6,
            Kind::Refusal => 7,
        }
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHeader {
    magic: U32,
    header_crc: U32,
    body_length: U32,
    version: U16,
    kind: u8,
    flags: u8,
    tag: U64,
    count: U16,
    reserved: U16,
    body_crc: U32,
}

const _: () = assert!(size_of::<RawHeader>() == HEADER_BYTES);

/// A header that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub kind: Kind,
    /// Matches answers to questions.
    pub tag: u64,
    /// Operations, answers, or the service method.
    pub count: u16,
    /// Length of the body, at most [`MAX_BODY_BYTES`].
    pub body_length: usize,
    body_crc: u32,
}

/// Why bytes are not a frame. After any of these the stream has no known frame boundary: the connection must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not this protocol at all.
    #[error("the magic number is {0:#010x}, not that of a data frame")]
    Magic(u32),
    /// The header was damaged on the way.
    #[error("the header checksum is {found:#010x} where {computed:#010x} is due")]
    HeaderChecksum {
        /// In the header.
        found: u32,
        /// Of its bytes.
        computed: u32,
    },
    /// A version this program does not speak.
    #[error("the frame has version {0}, this program speaks version {VERSION}")]
    Version(u16),
    /// A kind that is not defined.
    #[error("the frame kind {0} is not defined")]
    Kind(u8),
    /// A reserved field is in use.
    #[error("the reserved field `{field}` is {value}, not 0")]
    Reserved {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: u16,
    },
    /// A body over the limit.
    #[error("the body of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// In the header.
        length: usize,
        /// The limit in force.
        limit: usize,
    },
    /// The body was damaged on the way.
    #[error("the body checksum is {found:#010x} where {computed:#010x} is due")]
    BodyChecksum {
        /// In the header.
        found: u32,
        /// Of the body.
        computed: u32,
    },
}

impl Header {
    /// Checks the bytes of a header. `limit` is the longest body accepted, [`MAX_BODY_BYTES`] or
    /// [`MAX_SERVICE_BODY_BYTES`].
    pub fn decode(bytes: &[u8; HEADER_BYTES], limit: usize) -> Result<Header, FrameError> {
        let raw =
            RawHeader::ref_from_bytes(bytes).expect("the length and alignment of the array are those of the type");
        if raw.magic.get() != MAGIC {
            return Err(FrameError::Magic(raw.magic.get()));
        }
        let computed = crc32c(&bytes[8..]);
        if raw.header_crc.get() != computed {
            return Err(FrameError::HeaderChecksum { found: raw.header_crc.get(), computed });
        }
        if raw.version.get() != VERSION {
            return Err(FrameError::Version(raw.version.get()));
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.number() == raw.kind).ok_or(FrameError::Kind(raw.kind))?;
        for (field, value) in [("flags", u16::from(raw.flags)), ("reserved", raw.reserved.get())] {
            if value != 0 {
                return Err(FrameError::Reserved { field, value });
            }
        }
        let body_length = raw.body_length.get() as usize;
        if body_length > limit {
            return Err(FrameError::TooLong { length: body_length, limit });
        }
        Ok(Header { kind, tag: raw.tag.get(), count: raw.count.get(), body_length, body_crc: raw.body_crc.get() })
    }

    /// Checks the body that followed this header.
    pub fn check(&self, body: &[u8]) -> Result<(), FrameError> {
        let computed = crc32c(body);
        if computed == self.body_crc {
            Ok(())
        } else {
            Err(FrameError::BodyChecksum { found: self.body_crc, computed })
        }
    }
}

/// A received frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its header.
    pub header: Header,
    /// Its body, checked.
    pub body: Bytes,
}

/// Builds the body of a frame: small fields are gathered, large payloads are shared with their owner.
#[derive(Debug, Default)]
pub struct Body {
    chunks: Vec<Bytes>,
    open: BytesMut,
    length: usize,
}

impl Body {
    /// An empty body.
    pub fn new() -> Body {
        Body::default()
    }

    /// Copies `bytes` to the end.
    pub fn put(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Appends `payload`, by reference when that is worth it.
    pub fn share(&mut self, payload: &Bytes) {
        if payload.len() < SHARE_FROM_BYTES {
            self.put(payload);
            return;
        }
        if !self.open.is_empty() {
            self.chunks.push(self.open.split().freeze());
        }
        self.length += payload.len();
        self.chunks.push(payload.clone());
    }

    /// Bytes so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The frame, as chunks to be sent in order; the first begins with the header.
    ///
    /// # Panics
    /// When the body is longer than [`MAX_BODY_BYTES`]: whoever builds a body knows its limits.
    pub fn into_frame(mut self, kind: Kind, tag: u64, count: u16) -> Vec<Bytes> {
        assert!(self.length <= MAX_BODY_BYTES, "a body of {} bytes was built, over the limit", self.length);
        if !self.open.is_empty() {
            self.chunks.push(self.open.freeze());
        }
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        for chunk in &self.chunks {
            digest.update(chunk);
        }
        let mut raw = RawHeader {
            magic: U32::new(MAGIC),
            header_crc: U32::ZERO,
            body_length: U32::new(self.length as u32),
            version: U16::new(VERSION),
            kind: kind.number(),
            flags: 0,
            tag: U64::new(tag),
            count: U16::new(count),
            reserved: U16::ZERO,
            body_crc: U32::new(digest.finalize() as u32),
        };
        raw.header_crc = U32::new(crc32c(&raw.as_bytes()[8..]));
        let header = Bytes::copy_from_slice(raw.as_bytes());
        match self.chunks.first_mut() {
            // One chunk for a small frame: one buffer to hand to the socket.
            Some(first) if first.len() < SHARE_FROM_BYTES => {
                let mut joined = BytesMut::with_capacity(HEADER_BYTES + first.len());
                joined.extend_from_slice(&header);
                joined.extend_from_slice(first);
                *first = joined.freeze();
                self.chunks
            }
            _ => {
                self.chunks.insert(0, header);
                self.chunks
            }
        }
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(chunks: &[Bytes]) -> Vec<u8> {
        chunks.concat()
    }

    fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
        let header = Header::decode(bytes[..HEADER_BYTES].try_into().unwrap(), MAX_BODY_BYTES)?;
        let body = Bytes::copy_from_slice(&bytes[HEADER_BYTES..]);
        header.check(&body)?;
        Ok(Frame { header, body })
    }

    #[test]
    fn golden_bytes_of_version_2() {
        let mut body = Body::new();
        body.put(b"abc");
        let frame = joined(&body.into_frame(Kind::Request, 0x0102_0304_0506_0708, 2));
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "444652310d5680e00300000002000300080706050403020102000000b73f4b36616263");
    }

    #[test]
    fn each_header_field_is_checked() {
        let good = joined(&Body::new().into_frame(Kind::Hello, 1, 0));
        assert!(decode(&good).is_ok());
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            let crc = crc32c(&bytes[8..32]).to_le_bytes();
            bytes[4..8].copy_from_slice(&crc);
            decode(&bytes)
        };
        assert!(matches!(with(0, b'X'), Err(FrameError::Magic(_))));
        for other in [1, 3] {
            assert_eq!(with(12, other), Err(FrameError::Version(u16::from(other))));
        }
        assert_eq!(with(14, 0), Err(FrameError::Kind(0)));
        assert_eq!(with(15, 1), Err(FrameError::Reserved { field: "flags", value: 1 }));
        assert_eq!(with(26, 1), Err(FrameError::Reserved { field: "reserved", value: 1 }));
        assert!(matches!(with(11, 0x10), Err(FrameError::TooLong { .. })));
        assert!(matches!(with(28, 9), Err(FrameError::BodyChecksum { .. })));
        let mut damaged = good;
        damaged[16] ^= 1;
        assert!(matches!(decode(&damaged), Err(FrameError::HeaderChecksum { .. })));
    }

    proptest! {
        #[test]
        fn bodies_of_any_mix_of_small_and_large_parts_round_trip(sizes in prop::collection::vec(0usize..10_000, 0..6), tag: u64) {
            let mut body = Body::new();
            let mut expected = Vec::new();
            for (index, size) in sizes.iter().enumerate() {
                let part = Bytes::from(vec![index as u8; *size]);
                expected.extend_from_slice(&part);
                if index % 2 == 0 { body.share(&part) } else { body.put(&part) }
            }
            let frame = decode(&joined(&body.into_frame(Kind::Reply, tag, 3))).unwrap();
            prop_assert_eq!(frame.header.tag, tag);
            prop_assert_eq!(&frame.body[..], &expected[..]);
        }

        #[test]
        fn a_flipped_bit_anywhere_is_found(at: prop::sample::Index, bit in 0u8..8) {
            let mut body = Body::new();
            body.put(b"some body");
            let mut bytes = joined(&body.into_frame(Kind::Request, 7, 1));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn any_header_is_decoded_or_refused(bytes: [u8; HEADER_BYTES]) {
            let _ = Header::decode(&bytes, MAX_BODY_BYTES);
        }
    }
}
