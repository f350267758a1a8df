//! The first frames of a connection: who connects to what, and whether that is accepted.
//!
//! ```text
//! HELLO            0 least_version u16   2 greatest_version u16   4 target u32 (0xffffffff = pool service)
//!                  8 peer u8 (1 client, 2 engine)   9 zero u8[3]  12 name_length u16  14 zero u16   then the system name
//! HELLO_REPLY      0 version u16   2 zero u16   4 rank u32   8 incarnation u64  16 max_body u32
//!                 20 max_operations u16  22 max_in_flight u16
//! REFUSAL          0 status i32   4 text_length u16   6 zero u16   then the text, UTF-8
//! ```

use bytes::Bytes;
use types::{Rank, Status};
use zerocopy::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::frame::Body;
pub use crate::take::BodyError;
use crate::take::{bytes, end, fixed, zero};

/// The target number of the pool service.
pub const SERVICE_TARGET: u32 = u32::MAX;
/// Longest system name (DAOS_SYS_NAME_MAX).
pub const MAX_SYSTEM_BYTES: usize = 15;
/// Longest text of a refusal.
pub const MAX_REFUSAL_BYTES: usize = 1024;

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client library.
    Client,
    /// Another engine of the system.
    Engine,
}

/// The opening of the side that connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The oldest frame version it speaks.
    pub least_version: u16,
    /// The newest.
    pub greatest_version: u16,
    /// Index of a target, or [`SERVICE_TARGET`].
    pub target: u32,
    /// What it is.
    pub peer: Peer,
    /// The system it means.
    pub system: String,
}

/// The acceptance, with the limits of this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelloReply {
    /// The version of all further frames.
    pub version: u16,
    /// Rank of the engine.
    pub rank: Rank,
    /// Larger at every start of the engine.
    pub incarnation: u64,
    /// Longest body it takes.
    pub max_body: u32,
    /// Most operations in one frame.
    pub max_operations: u16,
    /// Most requests of this connection it works on at once; further ones wait in the socket.
    pub max_in_flight: u16,
}

/// The end of a connection, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What kind of reason.
    pub status: Status,
    /// The reason, for people.
    pub text: String,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHello {
    least_version: U16,
    greatest_version: U16,
    target: U32,
    peer: u8,
    zero: [u8; 3],
    name_length: U16,
    zero_too: U16,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawHelloReply {
    version: U16,
    zero: U16,
    rank: U32,
    incarnation: U64,
    max_body: U32,
    max_operations: U16,
    max_in_flight: U16,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawRefusal {
    status: I32,
    text_length: U16,
    zero: U16,
}

impl Hello {
    /// As a body.
    ///
    /// # Panics
    /// When the system name is longer than [`MAX_SYSTEM_BYTES`]: configurations with such a name are refused.
    pub fn encode(&self) -> Body {
        assert!(self.system.len() <= MAX_SYSTEM_BYTES, "the system name was checked with the configuration");
        let mut body = Body::new();
        let raw = RawHello {
            least_version: U16::new(self.least_version),
            greatest_version: U16::new(self.greatest_version),
            target: U32::new(self.target),
            peer: match self.peer {
                Peer::Client => 1,
                Peer::Engine => 2,
            },
            zero: [0; 3],
            name_length: U16::new(self.system.len() as u16),
            zero_too: U16::ZERO,
        };
        body.put(raw.as_bytes());
        body.put(self.system.as_bytes());
        body
    }

    /// From a body.
    pub fn decode(mut body: Bytes) -> Result<Hello, BodyError> {
        let raw: RawHello = fixed(&mut body, "hello")?;
        zero("hello.zero", u64::from(u32::from_le_bytes([raw.zero[0], raw.zero[1], raw.zero[2], 0])))?;
        zero("hello.zero", u64::from(raw.zero_too.get()))?;
        let peer = match raw.peer {
            1 => Peer::Client,
            2 => Peer::Engine,
            other => return Err(BodyError::Undefined { field: "hello.peer", value: u64::from(other) }),
        };
        let length = usize::from(raw.name_length.get());
        if length > MAX_SYSTEM_BYTES {
            return Err(BodyError::Limit {
                field: "hello.name_length",
                value: length as u64,
                limit: MAX_SYSTEM_BYTES as u64,
            });
        }
        let name = bytes(&mut body, length, "hello.system")?;
        end(&body)?;
        let system = String::from_utf8_lossy(&name).into_owned();
        Ok(Hello {
            least_version: raw.least_version.get(),
            greatest_version: raw.greatest_version.get(),
            target: raw.target.get(),
            peer,
            system,
        })
    }
}

impl HelloReply {
    /// As a body.
    pub fn encode(&self) -> Body {
        let mut body = Body::new();
        let raw = RawHelloReply {
            version: U16::new(self.version),
            zero: U16::ZERO,
            rank: U32::new(self.rank.0),
            incarnation: U64::new(self.incarnation),
            max_body: U32::new(self.max_body),
            max_operations: U16::new(self.max_operations),
            max_in_flight: U16::new(self.max_in_flight),
        };
        body.put(raw.as_bytes());
        body
    }

    /// From a body.
    pub fn decode(mut body: Bytes) -> Result<HelloReply, BodyError> {
        let raw: RawHelloReply = fixed(&mut body, "hello reply")?;
        end(&body)?;
        zero("hello_reply.zero", u64::from(raw.zero.get()))?;
        for (field, value) in [
            ("hello_reply.max_operations", raw.max_operations.get()),
            ("hello_reply.max_in_flight", raw.max_in_flight.get()),
        ] {
            if value == 0 {
                return Err(BodyError::Undefined { field, value: 0 });
            }
        }
        Ok(HelloReply {
            version: raw.version.get(),
            rank: Rank(raw.rank.get()),
            incarnation: raw.incarnation.get(),
            max_body: raw.max_body.get(),
            max_operations: raw.max_operations.get(),
            max_in_flight: raw.max_in_flight.get(),
        })
    }
}

impl Refusal {
    /// A refusal, its text cut to [`MAX_REFUSAL_BYTES`].
    pub fn new(status: Status, text: impl Into<String>) -> Refusal {
        let mut text: String = text.into();
        let end = (0..=text.len().min(MAX_REFUSAL_BYTES)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        Refusal { status, text }
    }

    /// As a body.
    pub fn encode(&self) -> Body {
        let mut body = Body::new();
        let raw = RawRefusal {
            status: I32::new(self.status.code()),
            text_length: U16::new(self.text.len().min(MAX_REFUSAL_BYTES) as u16),
            zero: U16::ZERO,
        };
        body.put(raw.as_bytes());
        body.put(&self.text.as_bytes()[..self.text.len().min(MAX_REFUSAL_BYTES)]);
        body
    }

    /// From a body.
    pub fn decode(mut body: Bytes) -> Result<Refusal, BodyError> {
        let raw: RawRefusal = fixed(&mut body, "refusal")?;
        zero("refusal.zero", u64::from(raw.zero.get()))?;
        let text = bytes(&mut body, usize::from(raw.text_length.get()), "refusal.text")?;
        end(&body)?;
        let status = match Status::from_code(raw.status.get()) {
            Err(status) => status,
            Ok(()) => return Err(BodyError::Undefined { field: "refusal.status", value: 0 }),
        };
        Ok(Refusal { status, text: String::from_utf8_lossy(&text).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{HEADER_BYTES, Kind};
    use proptest::prelude::*;

    fn body(body: Body) -> Bytes {
        Bytes::from(body.into_frame(Kind::Hello, 0, 0).concat()).slice(HEADER_BYTES..)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_bytes_of_version_1() {
        let hello = Hello {
            least_version: 1,
            greatest_version: 1,
            target: 3,
            peer: Peer::Client,
            system: "daos_server".into(),
        };
        assert_eq!(hex(&body(hello.encode())), "0100010003000000010000000b00000064616f735f736572766572");
        let reply = HelloReply {
            version: 1,
            rank: Rank(2),
            incarnation: 9,
            max_body: 4096,
            max_operations: 64,
            max_in_flight: 128,
        };
        assert_eq!(hex(&body(reply.encode())), "01000000020000000900000000000000001000004000".to_owned() + "8000");
        assert_eq!(hex(&body(Refusal::new(Status::Protocol, "no").encode())), "07fcffff020000006e6f");
    }

    #[test]
    fn every_truncation_is_refused() {
        let hello = Hello {
            least_version: 1,
            greatest_version: 2,
            target: SERVICE_TARGET,
            peer: Peer::Engine,
            system: "x".into(),
        };
        let whole = body(hello.encode());
        assert_eq!(Hello::decode(whole.clone()), Ok(hello));
        for length in 0..whole.len() {
            assert!(Hello::decode(whole.slice(..length)).is_err(), "{length}");
        }
        let refusal = Refusal::new(Status::Busy, "ä".repeat(MAX_REFUSAL_BYTES));
        assert!(refusal.text.len() <= MAX_REFUSAL_BYTES);
        assert_eq!(Refusal::decode(body(refusal.encode())), Ok(refusal));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            let _ = Hello::decode(bytes.clone());
            let _ = HelloReply::decode(bytes.clone());
            let _ = Refusal::decode(bytes);
        }
    }
}
