//! Keys of a container's index, read without trust and shown to people.

use std::fmt::{self, Write};

use types::{Epoch, ObjectId};

use crate::index::{OBJECT_BYTES, PUNCHED, RECORD_SIZE, SINGLE, TOMBSTONE, WRITTEN};

/// Names of the next level follow.
const BELOW: u8 = 2;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Tombstone,
    Single,
    Written { class: u8, offset: u64 },
    Punched { class: u8, offset: u64 },
    RecordSize,
}

/// A key in decoded form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) object: ObjectId,
    /// The dkey, or the dkey and the akey, as clients give them.
    pub(super) names: Vec<Vec<u8>>,
    pub(super) subject: Subject,
    pub(super) epoch: Epoch,
}

impl Key {
    /// Reads a key; the error says what is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Key, String> {
        let (object, mut rest) =
            bytes.split_first_chunk::<OBJECT_BYTES>().ok_or("the key is shorter than an object id")?;
        let mut names = Vec::new();
        while names.len() < 2 && rest.first() == Some(&BELOW) {
            let (name, after) = name(&rest[1..]).ok_or("a name in the key has no end")?;
            names.push(name);
            rest = after;
        }
        let (tag, mut rest) = rest.split_first().ok_or("the key ends where its kind is due")?;
        let subject = match (*tag, names.len()) {
            (TOMBSTONE, _) => Subject::Tombstone,
            (SINGLE, 2) => Subject::Single,
            (RECORD_SIZE, 2) => Subject::RecordSize,
            (WRITTEN | PUNCHED, 2) => {
                let (class, after) = rest.split_first().ok_or("the key ends where the class of an extent is due")?;
                let (offset, after) = after.split_first_chunk().ok_or("the key ends within the offset of an extent")?;
                rest = after;
                let (class, offset) = (*class, u64::from_be_bytes(*offset));
                if *tag == WRITTEN { Subject::Written { class, offset } } else { Subject::Punched { class, offset } }
            }
            (other, level) => return Err(format!("kind {other} is not defined at level {level}")),
        };
        let epoch: [u8; 8] = rest.try_into().map_err(|_| "the key does not end with an epoch")?;
        let object = ObjectId::from_bytes(*object);
        for (name, kind) in names.iter_mut().zip([object.dkey_kind(), object.akey_kind()]) {
            *name = kind.sortable(name).into_owned();
        }
        Ok(Key { object, names, subject, epoch: Epoch(!u64::from_be_bytes(epoch)) })
    }

    /// What the record is, in one word.
    pub(super) fn kind(&self) -> &'static str {
        match self.subject {
            Subject::Tombstone => ["tombstone of object", "tombstone of dkey", "tombstone of akey"][self.names.len()],
            Subject::Single => "single value",
            Subject::RecordSize => "record size of array",
            Subject::Written { .. } => "array extent",
            Subject::Punched { .. } => "punched range",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of object {}", self.kind(), self.object)?;
        for (what, name) in ["dkey", "akey"].iter().zip(&self.names) {
            write!(f, " {what} `{}`", escaped(name))?;
        }
        if let Subject::Written { offset, .. } | Subject::Punched { offset, .. } = self.subject {
            write!(f, " offset {offset}")?;
        }
        write!(f, " epoch {:#x}", self.epoch.0)
    }
}

/// An escaped name up to its end, and what follows.
fn name(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut name = Vec::new();
    let mut rest = bytes;
    loop {
        rest = match rest {
            [0, 1, after @ ..] => return Some((name, after)),
            [0, 255, after @ ..] => {
                name.push(0);
                after
            }
            [0, ..] | [] => return None,
            [byte, after @ ..] => {
                name.push(*byte);
                after
            }
        };
    }
}

/// Bytes as `daos kv list` shows them: printable ASCII as it is, every other byte as `\xNN`, a backslash doubled.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            other => write!(text, "\\x{other:02x}").expect("a text takes all"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IndexKey;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_that_the_index_makes_are_read(object: (u64, u64), dkey in prop::collection::vec(any::<u8>(), 1..9), epoch: u64) {
            let object = ObjectId { hi: object.0, lo: object.1 };
            let name = types::Key::new(&dkey).unwrap();
            let mut key = IndexKey::dkey(object, &name).akey(object, &name);
            key.tag(WRITTEN).extent(5, 77).epoch(Epoch(epoch));
            let subject = Subject::Written { class: 5, offset: 77 };
            let expected = Key { object, names: vec![dkey.clone(), dkey], subject, epoch: Epoch(epoch) };
            prop_assert_eq!(Key::parse(key.as_bytes()), Ok(expected));
            for cut in 0..key.len() {
                prop_assert!(Key::parse(&key.as_bytes()[..cut]).is_err(), "{}", cut);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(0u8..4, 0..80)) {
            if let Ok(key) = Key::parse(&bytes) {
                prop_assert!(!key.to_string().is_empty());
            }
        }
    }

    #[test]
    fn keys_are_shown_with_their_names_escaped() {
        let name = types::Key::new(b"a\\\0").unwrap();
        let mut key = IndexKey::dkey(ObjectId { hi: 1, lo: 2 }, &name);
        key.tag(TOMBSTONE).epoch(Epoch(255));
        let text = Key::parse(key.as_bytes()).unwrap().to_string();
        assert_eq!(text, "tombstone of dkey of object 1.2 dkey `a\\\\\\x00` epoch 0xff");
    }
}
