//! Identifiers of pools, containers, objects, ranks and targets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::KeyKind;

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }
    };
}

uuid_newtype! {
    /// A pool, for its whole life and on every rank.
    PoolId
}
uuid_newtype! {
    /// A container, unique within its system.
    ContainerId
}
uuid_newtype! {
    /// A distributed transaction, made by whoever coordinates it.
    TransactionId
}

/// An engine of the system. Ranks are given by the management service at join and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(pub u32);

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rank({})", self.0)
    }
}

/// A target within one engine: 0 up to `targets` - 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetIndex(pub u32);

impl fmt::Display for TargetIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TargetIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetIndex({})", self.0)
    }
}

/// An object within a container: 128 bits, printed and typed as `hi.lo` in decimal, as DAOS does.
///
/// The upper 32 bits of `hi` are the system's (type 8, redundancy class 8, group count 16); the remaining 96 bits are
/// the user's. The type says what its keys are. Only class S1..SX without redundancy exists so far, so the other 24 bits carry no
/// behaviour yet; they are kept and compared like the rest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Upper half.
    pub hi: u64,
    /// Lower half.
    pub lo: u64,
}

impl ObjectId {
    /// The big-endian form, whose byte order is the order of ids.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.hi) << 64) | u128::from(self.lo)).to_be_bytes()
    }

    /// The object type, DAOS's `daos_otype_t`.
    fn object_type(self) -> u8 {
        (self.hi >> 56) as u8
    }

    /// What its dkeys are. Types that are not known are taken for type 0, hashed keys.
    pub fn dkey_kind(self) -> KeyKind {
        match self.object_type() {
            // DKEY_UINT64, MULTI_UINT64, KV_UINT64, and the three kinds of array, whose dkeys are numbers of chunks.
            2 | 4 | 9 | 11 | 12 | 13 => KeyKind::U64,
            // DKEY_LEXICAL, MULTI_LEXICAL, KV_LEXICAL.
            5 | 7 | 10 => KeyKind::Lexical,
            _ => KeyKind::Hashed,
        }
    }

    /// What its akeys are.
    pub fn akey_kind(self) -> KeyKind {
        match self.object_type() {
            // AKEY_UINT64, MULTI_UINT64.
            3 | 4 => KeyKind::U64,
            // AKEY_LEXICAL, MULTI_LEXICAL.
            6 | 7 => KeyKind::Lexical,
            _ => KeyKind::Hashed,
        }
    }

    /// The inverse of [`ObjectId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> ObjectId {
        let whole = u128::from_be_bytes(bytes);
        ObjectId { hi: (whole >> 64) as u64, lo: whole as u64 }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.hi, self.lo)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

/// Why a text is not an object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object id: two decimal 64-bit numbers joined by a dot, as in `0.42`")]
pub struct ParseObjectIdError(String);

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;
    fn from_str(text: &str) -> Result<Self, ParseObjectIdError> {
        let bad = || ParseObjectIdError(text.to_owned());
        let (hi, lo) = text.split_once('.').ok_or_else(bad)?;
        let half = |digits: &str| {
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(bad());
            }
            digits.parse::<u64>().map_err(|_| bad())
        };
        Ok(ObjectId { hi: half(hi)?, lo: half(lo)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn object_ids_round_trip_through_text_and_bytes(hi: u64, lo: u64) {
            let id = ObjectId { hi, lo };
            prop_assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
            prop_assert_eq!(ObjectId::from_bytes(id.to_bytes()), id);
        }

        #[test]
        fn byte_order_is_id_order(a: (u64, u64), b: (u64, u64)) {
            let (a, b) = (ObjectId { hi: a.0, lo: a.1 }, ObjectId { hi: b.0, lo: b.1 });
            prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        }
    }

    #[test]
    fn what_is_not_an_object_id_is_refused_with_the_form_expected() {
        for bad in ["", "1", "1.", ".1", "1.2.3", "-1.2", "+1.2", "1.18446744073709551616", "a.b"] {
            let error = bad.parse::<ObjectId>().unwrap_err().to_string();
            assert!(error.contains("joined by a dot"), "{bad}: {error}");
        }
    }
}
