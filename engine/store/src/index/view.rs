//! What a container holds as of an epoch.
//!
//! A record is visible when its epoch is not after the view's and after every tombstone above it (the floor). A view remembers
//! the newest epoch that had a part in what it told, so that nothing is told that may yet be lost.

use std::cell::Cell;

use bytes::Bytes;
use types::{Checksums, Epoch, Key, ObjectId, Selection, Status};

use super::array;
use super::key::{IndexKey, RECORD_SIZE, SINGLE, TOMBSTONE, WRITTEN, class_of, epoch_of};
use super::record::{DataPart, Record};
use crate::arena::Arena;
use crate::catalog::Container;
use crate::tree::{Cursor, Tree};

/// A container's index as of an epoch.
pub(crate) struct View<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) container: Container,
    pub(crate) as_of: Epoch,
    seen: Cell<Epoch>,
}

/// What an akey holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    Single,
    Array,
}

/// A stretch of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// In the array; 0 for a single value.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) source: Source,
    /// The record that holds it.
    pub(crate) record: RecordAt,
}

/// Which record of an akey: a single value's, or with its first byte and length an extent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordAt {
    pub(crate) epoch: Epoch,
    pub(crate) extent: Option<(u64, u64)>,
}

impl RecordAt {
    /// Its key, from the prefix of the akey.
    pub(crate) fn key(self, mut prefix: IndexKey) -> IndexKey {
        match self.extent {
            None => prefix.tag(SINGLE).epoch(self.epoch),
            Some((start, length)) => prefix.tag(WRITTEN).extent(class_of(length), start).epoch(self.epoch),
        };
        prefix
    }
}

/// Where a stretch comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The arena; checked. With the stored checksums, when it is the whole of the value.
    Inline(Bytes, Option<Checksums>),
    /// The data slice; to be read and checked.
    Data(DataPart),
}

/// A value in the arena that does not match its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InlineDamage {
    pub(crate) record: RecordAt,
    /// Byte of the arena.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl<'a> View<'a> {
    pub(crate) fn new(arena: &'a Arena, container: Container, as_of: Epoch) -> View<'a> {
        View { arena, container, as_of, seen: Cell::new(Epoch::ZERO) }
    }

    /// The newest epoch that had a part in what was told.
    pub(crate) fn seen(&self) -> Epoch {
        self.seen.get()
    }

    pub(super) fn saw(&self, epoch: Epoch) {
        self.seen.set(self.seen.get().max(epoch));
    }

    pub(crate) fn tree(&self) -> Tree {
        self.container.tree()
    }

    /// The newest record below `prefix` and `tag`, as of this view.
    fn newest(&self, prefix: &mut IndexKey, tag: u8) -> Option<(Epoch, &'a [u8])> {
        let length = prefix.len();
        prefix.tag(tag).epoch(self.as_of);
        let cursor = Cursor::seek(self.tree(), self.arena, prefix.as_bytes());
        let key = cursor.key(self.arena);
        let same =
            key.is_some_and(|key| key.len() == prefix.len() && key[..length + 1] == prefix.as_bytes()[..length + 1]);
        prefix.cut(length);
        if !same {
            return None;
        }
        let epoch = epoch_of(key.expect("it is the same"));
        self.saw(epoch);
        Some((epoch, cursor.value(self.arena).expect("it has a key")))
    }

    /// The newest tombstone at `prefix`, or zero.
    pub(crate) fn tombstone(&self, prefix: &mut IndexKey) -> Epoch {
        self.newest(prefix, TOMBSTONE).map_or(Epoch::ZERO, |(epoch, _)| epoch)
    }

    pub(crate) fn object_floor(&self, object: ObjectId) -> Epoch {
        if self.container.tombstones(self.arena).0 == 0 {
            return Epoch::ZERO;
        }
        self.tombstone(&mut IndexKey::object(object))
    }

    pub(crate) fn dkey_floor(&self, above: Epoch, dkey_prefix: &mut IndexKey) -> Epoch {
        if self.container.tombstones(self.arena).1 == 0 {
            return above;
        }
        above.max(self.tombstone(dkey_prefix))
    }

    /// The prefix of an akey, and the epoch after which its records count.
    pub(crate) fn akey(&self, object: ObjectId, dkey: &Key, akey: &Key) -> (IndexKey, Epoch) {
        let floor = self.object_floor(object);
        let mut prefix = IndexKey::dkey(object, dkey);
        let floor = self.dkey_floor(floor, &mut prefix);
        let mut prefix = prefix.akey(object, akey);
        let floor = floor.max(self.tombstone(&mut prefix));
        (prefix, floor)
    }

    /// The visible single value.
    pub(crate) fn single(&self, prefix: &mut IndexKey, floor: Epoch) -> Option<Record<'a>> {
        self.single_at(prefix, floor).map(|(_, record)| record)
    }

    /// The visible single value with its epoch.
    fn single_at(&self, prefix: &mut IndexKey, floor: Epoch) -> Option<(Epoch, Record<'a>)> {
        let (epoch, value) = self.newest(prefix, SINGLE)?;
        (epoch > floor).then(|| (epoch, Record::decode(value)))
    }

    /// Bytes of one record of the array.
    pub(crate) fn record_bytes(&self, prefix: &mut IndexKey, floor: Epoch) -> u32 {
        if self.container.record_sizes(self.arena) == 0 {
            return 1;
        }
        match self
            .newest(prefix, RECORD_SIZE)
            .filter(|(epoch, _)| *epoch > floor)
            .map(|(_, value)| Record::decode(value))
        {
            Some(Record::Size { bytes }) => bytes,
            _ => 1,
        }
    }

    /// What an akey holds; `prefix` comes back as it was.
    pub(crate) fn held(&self, prefix: &mut IndexKey, floor: Epoch) -> Held {
        if self.single(prefix, floor).is_some() {
            return Held::Single;
        }
        if self.has_tag(prefix, WRITTEN) && array::size(self, prefix, floor) > 0 {
            return Held::Array;
        }
        Held::Nothing
    }

    /// True when any record, visible or not, has `prefix` and `tag`.
    pub(crate) fn has_tag(&self, prefix: &mut IndexKey, tag: u8) -> bool {
        let length = prefix.len();
        prefix.tag(tag);
        let found = self.has(prefix.as_bytes());
        prefix.cut(length);
        found
    }

    /// True when any record has a key that starts with `prefix`.
    pub(crate) fn has(&self, prefix: &[u8]) -> bool {
        Cursor::seek(self.tree(), self.arena, prefix).key(self.arena).is_some_and(|key| key.starts_with(prefix))
    }

    /// The stretches that a fetch gives of an akey, ascending; or the damage found in the arena.
    pub(crate) fn fetch(
        &self,
        prefix: &mut IndexKey,
        floor: Epoch,
        selection: Selection,
    ) -> Result<Vec<Piece>, (Status, Option<InlineDamage>)> {
        match selection {
            Selection::Single => match self.single_at(prefix, floor) {
                Some((epoch, record)) => {
                    let at = RecordAt { epoch, extent: None };
                    Ok(vec![piece(self.arena, &record, at, 0, record.length())?])
                }
                None if self.held(prefix, floor) == Held::Array => Err((Status::Invalid, None)),
                None => Err((Status::Nonexistent, None)),
            },
            Selection::Array { offset, length } => {
                let record = u64::from(self.record_bytes(prefix, floor));
                if !offset.is_multiple_of(record) || !length.is_multiple_of(record) {
                    return Err((Status::Invalid, None));
                }
                let visible = array::resolve(self, prefix, floor, offset, offset + length);
                let mut pieces = Vec::with_capacity(visible.len());
                for part in visible {
                    let extent = Some((part.extent_start, part.record.length()));
                    let at = RecordAt { epoch: part.epoch, extent };
                    pieces.push(piece(self.arena, &part.record, at, part.start, part.end)?);
                }
                if pieces.is_empty() {
                    match self.held(prefix, floor) {
                        Held::Nothing => return Err((Status::Nonexistent, None)),
                        Held::Single => return Err((Status::Invalid, None)),
                        Held::Array => {}
                    }
                }
                Ok(pieces)
            }
        }
    }
}

/// Bytes `start..end` of the array, or of a single value, from a record. One that was found damaged is refused.
fn piece(
    arena: &Arena,
    record: &Record<'_>,
    at: RecordAt,
    start: u64,
    end: u64,
) -> Result<Piece, (Status, Option<InlineDamage>)> {
    let extent_start = at.extent.map_or(0, |(start, _)| start);
    let (from, to) = (start - extent_start, end - extent_start);
    if record.is_damaged() {
        return Err((Status::Checksum, None));
    }
    let source = match *record {
        Record::Inline { checksums, bytes, .. } => {
            if erasure::verify(bytes, checksums).is_err() {
                let (offset, length) = (arena.offset_of(bytes), bytes.len() as u64);
                return Err((Status::Checksum, Some(InlineDamage { record: at, offset, length })));
            }
            let wanted = &bytes[from as usize..to as usize];
            let whole = wanted.len() == bytes.len();
            Source::Inline(Bytes::copy_from_slice(wanted), whole.then(|| checksums.to_owned()))
        }
        Record::Data { length, block, checksums, .. } => Source::Data(DataPart::of(length, block, checksums, from, to)),
        Record::Hole { .. } | Record::Size { .. } => unreachable!("only extents are left when an array is resolved"),
    };
    Ok(Piece { offset: start, length: end - start, source, record: at })
}
