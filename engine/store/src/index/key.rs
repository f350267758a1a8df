//! The composite keys of a container's index.
//!
//! `object 16 BE` then a tag; names are escaped (0 becomes 0 255) and end with 0 1, so the byte order of keys is the
//! order of (object, dkey, akey) and everything below a name is one range:
//!
//! | key | record |
//! |---|---|
//! | object, 1, !epoch | tombstone of the object |
//! | object, 2, dkey, 1, !epoch | tombstone of the dkey |
//! | object, 2, dkey, 2, akey, 1, !epoch | tombstone of the akey |
//! | object, 2, dkey, 2, akey, 2, !epoch | single value |
//! | object, 2, dkey, 2, akey, 3, class, offset BE, !epoch | array extent |
//! | object, 2, dkey, 2, akey, 4, class, offset BE, !epoch | punched range |
//! | object, 2, dkey, 2, akey, 5, !epoch | record size of the array, when it is not 1 |
//!
//! Integer keys are stored big-endian, so that their byte order is their order.
//!
//! Epochs are inverted, so the newest comes first. The class of an extent is the logarithm of its length rounded up:
//! what overlaps a range starts within 2^class before it, so each class is one bounded scan.

use types::{Address, Epoch, Key, ObjectId, Scope};

/// Everything at this level that is a tombstone.
pub(crate) const TOMBSTONE: u8 = 1;
/// Names of the next level.
pub(crate) const BELOW: u8 = 2;
/// A single value, within an akey.
pub(crate) const SINGLE: u8 = 2;
/// An array extent, within an akey.
pub(crate) const WRITTEN: u8 = 3;
/// A punched range, within an akey.
pub(crate) const PUNCHED: u8 = 4;
/// The record size of an array, within an akey.
pub(crate) const RECORD_SIZE: u8 = 5;

const NAME_END: [u8; 2] = [0, 1];

/// A key under construction, and prefixes of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct IndexKey(Vec<u8>);

impl IndexKey {
    /// All records of an object.
    pub(crate) fn object(object: ObjectId) -> IndexKey {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&object.to_bytes());
        IndexKey(bytes)
    }

    /// A prefix found in the index.
    pub(crate) fn prefix(bytes: &[u8]) -> IndexKey {
        let mut copy = Vec::with_capacity(bytes.len() + 32);
        copy.extend_from_slice(bytes);
        IndexKey(copy)
    }

    /// All records of a dkey.
    pub(crate) fn dkey(object: ObjectId, dkey: &Key) -> IndexKey {
        let mut key = IndexKey::object(object);
        key.push_name(&object.dkey_kind().sortable(dkey.as_bytes()));
        key
    }

    /// From a dkey's prefix: all records of an akey in it.
    pub(crate) fn akey(mut self, object: ObjectId, akey: &Key) -> IndexKey {
        self.push_name(&object.akey_kind().sortable(akey.as_bytes()));
        self
    }

    fn push_name(&mut self, name: &[u8]) {
        self.0.push(BELOW);
        for &byte in name {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(255);
            }
        }
        self.0.extend_from_slice(&NAME_END);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes so far, to come back to with [`IndexKey::cut`].
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Drops what was added after `length`.
    pub(crate) fn cut(&mut self, length: usize) -> &mut IndexKey {
        self.0.truncate(length);
        self
    }

    pub(crate) fn tag(&mut self, tag: u8) -> &mut IndexKey {
        self.0.push(tag);
        self
    }

    /// The record at or, in a seek, the newest not after `epoch`.
    pub(crate) fn epoch(&mut self, epoch: Epoch) -> &mut IndexKey {
        self.0.extend_from_slice(&(!epoch.0).to_be_bytes());
        self
    }

    /// An extent's class and offset.
    pub(crate) fn extent(&mut self, class: u8, offset: u64) -> &mut IndexKey {
        self.0.push(class);
        self.0.extend_from_slice(&offset.to_be_bytes());
        self
    }

    /// The bound before all names of this level that come after `name` (an escaped one's raw form), from the prefix of the level.
    pub(crate) fn after_name(&mut self, name: &[u8]) -> &mut IndexKey {
        if name.is_empty() {
            self.0.push(BELOW);
        } else {
            self.push_name(name);
            self.past();
        }
        self
    }

    /// Turns the prefix of a name into the bound after everything below it.
    pub(crate) fn past(&mut self) -> &mut IndexKey {
        *self.0.last_mut().expect("a name ends with two bytes") += 1;
        self
    }
}

/// The class of an extent of `length` bytes.
pub(crate) fn class_of(length: u64) -> u8 {
    (64 - (length - 1).leading_zeros()) as u8
}

/// The epoch a key ends with.
pub(crate) fn epoch_of(key: &[u8]) -> Epoch {
    let tail: [u8; 8] = key[key.len() - 8..].try_into().expect("every key ends with an epoch");
    Epoch(!u64::from_be_bytes(tail))
}

/// Reads the name that starts at `from` (after the tag): its raw bytes, and where the prefix of its level ends.
pub(crate) fn name_at(key: &[u8], from: usize) -> (Vec<u8>, usize) {
    let mut name = Vec::new();
    let mut at = from;
    loop {
        match (key[at], key.get(at + 1)) {
            (0, Some(1)) => return (name, at + 2),
            (0, _) => {
                name.push(0);
                at += 2;
            }
            (byte, _) => {
                name.push(byte);
                at += 1;
            }
        }
    }
}

/// Where the name that starts at `from` (after the tag) ends.
fn end_of_name(key: &[u8], from: usize) -> usize {
    let mut at = from;
    while key[at] != 0 || key[at + 1] != NAME_END[1] {
        at += if key[at] == 0 { 2 } else { 1 };
    }
    at + 2
}

/// What the key of a value names: the akey, and the first byte of an extent.
pub(crate) fn address_of(key: &[u8]) -> (Address, Option<u64>) {
    let object: [u8; OBJECT_BYTES] = key[..OBJECT_BYTES].try_into().expect("every key starts with an object id");
    let (dkey, dkey_end) = name_at(key, OBJECT_BYTES + 1);
    let (akey, akey_end) = name_at(key, dkey_end + 1);
    let name = |bytes: &[u8]| Key::new(bytes).expect("a name in the index was a key");
    let address = Address { object: ObjectId::from_bytes(object), dkey: name(&dkey), akey: name(&akey) };
    let start = (key[akey_end] == WRITTEN).then(|| crate::extents::be(&key[akey_end + 2..akey_end + 10]));
    (address, start)
}

/// Bytes of an object id in a key.
pub(crate) const OBJECT_BYTES: usize = 16;

/// The level of a record (object, dkey, akey) and where the prefix of that level ends.
pub(crate) fn level_of(key: &[u8]) -> (usize, usize) {
    if key[OBJECT_BYTES] == TOMBSTONE {
        return (0, OBJECT_BYTES);
    }
    let dkey_end = end_of_name(key, OBJECT_BYTES + 1);
    if key[dkey_end] == TOMBSTONE {
        return (1, dkey_end);
    }
    (2, end_of_name(key, dkey_end + 1))
}

/// The prefix of the object, dkey or akey that a record belongs to.
pub(crate) fn scope_of(key: &[u8]) -> &[u8] {
    &key[..level_of(key).1]
}

/// Where the object, dkey and akey end in such a prefix, as far as it goes.
pub(crate) fn levels_of(scope: &[u8]) -> impl Iterator<Item = usize> + use<'_> {
    let next = |end: &usize| (*end < scope.len()).then(|| end_of_name(scope, *end + 1));
    std::iter::successors(Some(OBJECT_BYTES), next)
}

/// The prefix of everything that a punch of `scope` may remove; of a range, that of its akey.
pub(crate) fn prefix_of(scope: &Scope) -> IndexKey {
    match scope {
        Scope::Object(object) => IndexKey::object(*object),
        Scope::Dkey(object, dkey) => IndexKey::dkey(*object, dkey),
        Scope::Akey(address) | Scope::Range { address, .. } => {
            IndexKey::dkey(address.object, &address.dkey).akey(address.object, &address.akey)
        }
    }
}

/// The level of a record and its tag there.
pub(crate) fn kind_of(key: &[u8]) -> (usize, u8) {
    let (level, end) = level_of(key);
    (level, key[end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 254, 255, b'a']), 1..6)
    }

    proptest! {
        #[test]
        fn key_order_is_name_order_and_prefixes_do_not_mix(a in (name(), name()), b in (name(), name())) {
            let key = |names: &(Vec<u8>, Vec<u8>)| {
                let object = ObjectId { hi: 1, lo: 2 };
                IndexKey::dkey(object, &Key::new(&names.0).unwrap()).akey(object, &Key::new(&names.1).unwrap())
            };
            prop_assert_eq!(key(&a).as_bytes().cmp(key(&b).as_bytes()), a.cmp(&b));
            if a != b {
                prop_assert!(!key(&a).as_bytes().starts_with(key(&b).as_bytes()));
            }
            let full = key(&a);
            let (dkey, at) = name_at(full.as_bytes(), 17);
            let (akey, end) = name_at(full.as_bytes(), at + 1);
            prop_assert_eq!((dkey, akey, end), (a.0.clone(), a.1.clone(), full.len()));
        }

        #[test]
        fn the_bound_after_a_name_lies_between_it_and_the_next(a in name(), b in name()) {
            let base = IndexKey::object(ObjectId { hi: 1, lo: 2 });
            let bound = base.clone().after_name(&a).clone();
            let mut record = IndexKey::dkey(ObjectId { hi: 1, lo: 2 }, &Key::new(&b).unwrap());
            record.tag(255).epoch(Epoch(0));
            prop_assert_eq!(record.as_bytes() > bound.as_bytes(), b > a);
        }
    }

    #[test]
    fn classes_are_logarithms_rounded_up() {
        assert_eq!([1, 2, 3, 4, 5, 4096, 4097, 1 << 63].map(class_of), [0, 1, 2, 2, 3, 12, 13, 63]);
    }
}
