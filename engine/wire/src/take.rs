//! Taking fields off the front of received bytes, with every length checked.

use bytes::Bytes;
use types::{CHECKSUM_CHUNK_BYTES, ChecksumKind, Checksums, Key, KeyError, MAX_VALUE_BYTES};
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Why a body does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body ends inside a field.
    #[error("the body ends inside {field}: {wanted} bytes wanted, {left} left")]
    Short {
        /// What was being read.
        field: &'static str,
        /// Its length.
        wanted: usize,
        /// What is left of the body.
        left: usize,
    },
    /// Bytes follow the last field.
    #[error("{0} bytes follow the end of the body")]
    Trailing(usize),
    /// A field has a value that is not defined, or is used where it must be zero.
    #[error("{field} is {value}, which this version does not define")]
    Undefined {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A field is over its limit.
    #[error("{field} is {value}, over the limit of {limit}")]
    Limit {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// The most it may hold.
        limit: u64,
    },
    /// A key that is none.
    #[error("{field}: {source}")]
    Key {
        /// Which key.
        field: &'static str,
        /// Why not.
        source: KeyError,
    },
}

/// Splits `wanted` bytes off the front of `body`, sharing its memory.
pub(crate) fn bytes(body: &mut Bytes, wanted: usize, field: &'static str) -> Result<Bytes, BodyError> {
    if body.len() < wanted {
        return Err(BodyError::Short { field, wanted, left: body.len() });
    }
    Ok(body.split_to(wanted))
}

/// Splits a fixed structure off the front.
pub(crate) fn fixed<T: FromBytes + KnownLayout + Immutable>(
    body: &mut Bytes,
    field: &'static str,
) -> Result<T, BodyError> {
    let taken = bytes(body, size_of::<T>(), field)?;
    Ok(T::read_from_bytes(&taken).expect("exactly as many bytes as the type has"))
}

/// Splits a key of `length` bytes off the front.
pub(crate) fn key(body: &mut Bytes, length: usize, field: &'static str) -> Result<Key, BodyError> {
    Key::new(&bytes(body, length, field)?).map_err(|source| BodyError::Key { field, source })
}

/// Most checksums of one stretch of data.
const MAX_CHECKSUMS: u32 = (MAX_VALUE_BYTES / CHECKSUM_CHUNK_BYTES) as u32;

/// Splits `count` checksums of the kind with number `kind` off the front.
pub(crate) fn checksums(body: &mut Bytes, kind: u8, count: u32) -> Result<Checksums, BodyError> {
    let undefined = BodyError::Undefined { field: "checksum_kind", value: u64::from(kind) };
    if count == 0 {
        return if kind == 0 { Ok(Checksums::none()) } else { Err(undefined) };
    }
    if count > MAX_CHECKSUMS {
        let (value, limit) = (u64::from(count), u64::from(MAX_CHECKSUMS));
        return Err(BodyError::Limit { field: "checksum_count", value, limit });
    }
    let kind = ChecksumKind::from_number(kind).ok_or(undefined)?;
    let raw = bytes(body, count as usize * kind.bytes(), "checksums")?;
    Ok(Checksums::from_bytes(kind, &raw).expect("as many bytes as that many checksums have"))
}

/// Nothing may be left.
pub(crate) fn end(body: &Bytes) -> Result<(), BodyError> {
    if body.is_empty() { Ok(()) } else { Err(BodyError::Trailing(body.len())) }
}

/// `value` must be zero here.
pub(crate) fn zero(field: &'static str, value: u64) -> Result<(), BodyError> {
    if value == 0 { Ok(()) } else { Err(BodyError::Undefined { field, value }) }
}
