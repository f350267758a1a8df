//! What endpoints send each other: a header of 64 bytes and, in DATA, bytes of a stream. Described in engine/docs/fabric.md.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use erasure::crc32c;

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 64;
/// Most bytes of a stream in one message.
pub(super) const SEGMENT_BYTES: usize = 64 << 10;
/// Bytes of the largest message, which every buffer has room for.
pub(super) const MESSAGE_BYTES: usize = HEADER_BYTES + SEGMENT_BYTES;

const MAGIC: [u8; 4] = *b"DFM1";
const VERSION: u8 = 1;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asks for a stream.
    Open = 1,
    /// Gives one.
    Accept = 2,
    /// Carries bytes.
    Data = 3,
    /// Allows `count` further DATA.
    Credit = 4,
    /// The sender sends no more.
    End = 5,
    /// The sender sends no more and takes no more.
    Reset = 6,
    /// Asks whether the stream is still there.
    Ping = 7,
    /// It is.
    Pong = 8,
    /// There is no such stream; or, as the answer to OPEN, nobody listens.
    Gone = 9,
}

impl Kind {
    fn of(number: u8) -> Option<Kind> {
        use Kind::{Accept, Credit, Data, End, Gone, Open, Ping, Pong, Reset};
        [Open, Accept, Data, Credit, End, Reset, Ping, Pong, Gone].into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The first bytes of every message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// DATA that the receiver of this message may send.
    pub(super) count: u16,
    /// Number of this DATA, END or RESET on its stream, from 0; in other messages 0.
    pub(super) sequence: u32,
    /// Number of the stream where the message goes; 0 in OPEN.
    pub(super) to: u64,
    /// Its number where the message comes from.
    pub(super) from: u64,
    /// The endpoint the message comes from.
    pub(super) source: SocketAddr,
}

impl Header {
    /// Writes it at the front of a message.
    pub(super) fn encode(&self, message: &mut [u8]) {
        let raw = &mut message[..HEADER_BYTES];
        raw.fill(0);
        raw[..4].copy_from_slice(&MAGIC);
        raw[8] = self.kind as u8;
        raw[9] = VERSION;
        raw[10..12].copy_from_slice(&self.count.to_le_bytes());
        raw[12..16].copy_from_slice(&self.sequence.to_le_bytes());
        raw[16..24].copy_from_slice(&self.to.to_le_bytes());
        raw[24..32].copy_from_slice(&self.from.to_le_bytes());
        let address = match self.source.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        raw[32..48].copy_from_slice(&address.octets());
        raw[48..50].copy_from_slice(&self.source.port().to_le_bytes());
        let crc = crc32c(&raw[8..]);
        raw[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads it from the front of a message; `None` is something else.
    pub(super) fn decode(message: &[u8]) -> Option<Header> {
        let raw: &[u8; HEADER_BYTES] = message.first_chunk()?;
        let crc = u32::from_le_bytes(*raw[4..].first_chunk()?);
        let is_zero = raw[50..].iter().all(|byte| *byte == 0);
        if raw[..4] != MAGIC || raw[9] != VERSION || crc != crc32c(&raw[8..]) || !is_zero {
            return None;
        }
        let address = Ipv6Addr::from(*raw[32..].first_chunk::<16>()?).to_canonical();
        Some(Header {
            kind: Kind::of(raw[8])?,
            count: u16::from_le_bytes(*raw[10..].first_chunk()?),
            sequence: u32::from_le_bytes(*raw[12..].first_chunk()?),
            to: u64::from_le_bytes(*raw[16..].first_chunk()?),
            from: u64::from_le_bytes(*raw[24..].first_chunk()?),
            source: SocketAddr::new(address, u16::from_le_bytes(*raw[48..].first_chunk()?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header { kind: Kind::Accept, count: 16, sequence: 9, to: 2, from: 3, source: "10.0.0.7:31416".parse().unwrap() }
    }

    /// Version 1, byte by byte.
    #[rustfmt::skip]
    const GOLDEN: [u8; HEADER_BYTES] = [
        b'D', b'F', b'M', b'1', 0xe4, 0x8f, 0xdb, 0x3e, // magic, checksum
        2, 1, 16, 0, 9, 0, 0, 0, // kind, version, count, sequence
        2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, // to, from
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 7, // address
        0xb8, 0x7a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // port
    ];

    #[test]
    fn the_bytes_are_those_of_version_1() {
        let mut bytes = [0xee; HEADER_BYTES];
        header().encode(&mut bytes);
        assert_eq!(bytes, GOLDEN, "{bytes:02x?}");
        assert_eq!(Header::decode(&GOLDEN), Some(header()));
    }

    proptest! {
        #[test]
        fn headers_round_trip(number in 1u8..=9, count: u16, sequence: u32, to: u64, from: u64, ip: IpAddr, port: u16) {
            let source = SocketAddr::new(ip.to_canonical(), port);
            let header = Header { kind: Kind::of(number).unwrap(), count, sequence, to, from, source };
            let mut bytes = vec![0; MESSAGE_BYTES];
            header.encode(&mut bytes);
            prop_assert_eq!(Header::decode(&bytes), Some(header));
        }

        #[test]
        fn other_bytes_are_none(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..HEADER_BYTES, bit in 0u8..8) {
            prop_assert_eq!(Header::decode(&bytes), None);
            bytes = GOLDEN.to_vec();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Header::decode(&bytes), None);
            prop_assert_eq!(Header::decode(&GOLDEN[..at]), None);
        }
    }
}
