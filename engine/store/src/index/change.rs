//! Updates and punches, each within a transaction that the caller begins and ends.
//!
//! A change is first *staged*: checked against what is there, its space in the data slice taken, its records put into their form. Then
//! it *enters* the index, at once, or, as part of a prepared transaction, when that is committed.

use types::{Address, Checksums, Condition, Epoch, Scope, Shape, Status};

use super::key::{IndexKey, PUNCHED, RECORD_SIZE, SINGLE, TOMBSTONE, WRITTEN, class_of};
use super::list::{dkey_holds, object_holds};
use super::record::{DATA_THRESHOLD, Record, encode_data, encode_hole, encode_inline, encode_size, is_counted};
use super::view::{Held, View};
use crate::arena::{Arena, Need};
use crate::catalog::Container;
use crate::extents::{self, Extent};
use crate::log::WrittenExtent;

/// A refusal, and the newest epoch it depended on.
pub(crate) type Refusal = (Status, Epoch);

/// A change that was found good, in the form of the index.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Where its record goes.
    pub(crate) key: IndexKey,
    pub(crate) record: Vec<u8>,
    /// The record size that the change fixes, when it is not 1.
    pub(crate) record_size: Option<(IndexKey, [u8; 5])>,
    /// The data extent to write, when the value is large.
    pub(crate) extent: Option<WrittenExtent>,
    /// Bytes of the prefix that names the object, dkey or akey that changes.
    pub(crate) scope: usize,
    /// A punch frees space in the end.
    pub(crate) need: Need,
}

impl Staged {
    /// The prefix of the object, dkey or akey that changes.
    pub(crate) fn scope(&self) -> &[u8] {
        &self.key.as_bytes()[..self.scope]
    }

    /// True for the write of an extent.
    pub(crate) fn extends(&self) -> bool {
        self.key.as_bytes()[self.scope] == WRITTEN && !self.record.is_empty()
    }

    /// The bytes of an array that change, when it is not the whole of something.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        let key = self.key.as_bytes();
        if !matches!(key[self.scope], WRITTEN | PUNCHED) || self.record.is_empty() {
            return None;
        }
        let start = extents::be(&key[self.scope + 2..self.scope + 10]);
        Some((start, start + Record::decode(&self.record).length()))
    }
}

/// What is at the address of an update or punch, as far as its condition and shape ask for it.
fn admit(
    view: &View<'_>,
    address: &Address,
    shape: Option<Shape>,
    condition: Condition,
) -> Result<(IndexKey, Epoch), Status> {
    check_dkey(view, address, condition)?;
    let (mut prefix, floor) = view.akey(address.object, &address.dkey, &address.akey);
    let held = match (condition, shape) {
        (Condition::Absent | Condition::Present, _) => view.held(&mut prefix, floor),
        // Without a condition on the akey only the other kind matters.
        (_, Some(Shape::Array { .. })) => {
            if view.single(&mut prefix, floor).is_some() {
                Held::Single
            } else {
                Held::Nothing
            }
        }
        (_, Some(Shape::Single)) if !view.has_tag(&mut prefix, WRITTEN) => Held::Nothing,
        (_, Some(Shape::Single)) => view.held(&mut prefix, floor),
        (_, None) => Held::Nothing,
    };
    match (condition, held) {
        (Condition::Absent, Held::Single | Held::Array) => return Err(Status::Exists),
        (Condition::Present, Held::Nothing) => return Err(Status::Nonexistent),
        _ => {}
    }
    match (shape, held) {
        (Some(Shape::Single), Held::Array) | (Some(Shape::Array { .. }), Held::Single) => Err(Status::Invalid),
        _ => Ok((prefix, floor)),
    }
}

fn check_dkey(view: &View<'_>, address: &Address, condition: Condition) -> Result<(), Status> {
    let wanted = match condition {
        Condition::DkeyAbsent => false,
        Condition::DkeyPresent => true,
        Condition::Always | Condition::Absent | Condition::Present => return Ok(()),
    };
    let floor = view.object_floor(address.object);
    match (dkey_holds(view, floor, &mut IndexKey::dkey(address.object, &address.dkey)), wanted) {
        (true, false) => Err(Status::Exists),
        (false, true) => Err(Status::Nonexistent),
        _ => Ok(()),
    }
}

/// Keys must be of the kind that the object's type asks for.
fn check_keys(address: &Address) -> Result<(), Status> {
    let fits = address.object.dkey_kind().admits(address.dkey.as_bytes())
        && address.object.akey_kind().admits(address.akey.as_bytes());
    if fits { Ok(()) } else { Err(Status::Invalid) }
}

/// Stages the write of a value whose checksums were verified. An error leaves the transaction to be rolled back.
pub(crate) fn stage_update(
    arena: &mut Arena,
    container: Container,
    epoch: Epoch,
    address: &Address,
    (shape, condition): (Shape, Condition),
    (checksums, data): (&Checksums, &[u8]),
) -> Result<Staged, Refusal> {
    check_keys(address).map_err(|status| (status, Epoch::ZERO))?;
    let view = View::new(arena, container, Epoch::MAX);
    let admitted = admit(&view, address, Some(shape), condition).and_then(|(mut key, floor)| {
        let size = fixed_size(&view, &mut key, floor, shape, data.len())?;
        Ok((key, size))
    });
    let seen = view.seen();
    let (mut key, size) = admitted.map_err(|status| (status, seen))?;
    let scope = key.len();
    let record_size = size.map(|bytes| {
        let mut at = key.clone();
        at.tag(RECORD_SIZE).epoch(epoch);
        (at, encode_size(bytes))
    });
    let (record, extent) = store_value(arena, checksums, data).map_err(|status| (status, Epoch::ZERO))?;
    match shape {
        Shape::Single => key.tag(SINGLE).epoch(epoch),
        Shape::Array { offset, .. } => key.tag(WRITTEN).extent(class_of(data.len() as u64), offset).epoch(epoch),
    };
    Ok(Staged { key, record, record_size, extent, scope, need: Need::Usual })
}

/// Stages an extent that takes the place of others.
pub(crate) fn stage_extent(
    arena: &mut Arena,
    prefix: &[u8],
    offset: u64,
    epoch: Epoch,
    (checksums, data): (&Checksums, &[u8]),
) -> Result<Staged, Status> {
    let (record, extent) = store_value(arena, checksums, data)?;
    let mut key = IndexKey::prefix(prefix);
    key.tag(WRITTEN).extent(class_of(data.len() as u64), offset).epoch(epoch);
    Ok(Staged { key, record, record_size: None, extent, scope: prefix.len(), need: Need::Usual })
}

/// The record of a value, with its bytes in it or in an extent of the data slice that is taken for it.
fn store_value(
    arena: &mut Arena,
    checksums: &Checksums,
    data: &[u8],
) -> Result<(Vec<u8>, Option<WrittenExtent>), Status> {
    let mut record = Vec::with_capacity(16 + data.len().min(DATA_THRESHOLD) + checksums.as_bytes().len());
    if data.len() < DATA_THRESHOLD {
        encode_inline(&mut record, checksums, data);
        return Ok((record, None));
    }
    let Extent { start, .. } = extents::allocate(arena, extents::blocks_for(data.len()))?;
    encode_data(&mut record, data.len(), start, checksums);
    let written = WrittenExtent {
        offset: start * media::BLOCK_BYTES as u64,
        length: data.len() as u64,
        crc: erasure::whole_crc32c(data, checksums),
    };
    Ok((record, Some(written)))
}

/// Checks an array's record size; gives it when this write fixes one.
fn fixed_size(
    view: &View<'_>,
    prefix: &mut IndexKey,
    floor: Epoch,
    shape: Shape,
    length: usize,
) -> Result<Option<u32>, Status> {
    let Shape::Array { offset, record_bytes } = shape else { return Ok(None) };
    let record = u64::from(record_bytes);
    if record == 0 || !offset.is_multiple_of(record) || !(length as u64).is_multiple_of(record) {
        return Err(Status::Invalid);
    }
    let fixed = view.record_bytes(prefix, floor);
    if fixed == record_bytes {
        return Ok(None);
    }
    if fixed == 1 && view.held(prefix, floor) == Held::Nothing { Ok(Some(record_bytes)) } else { Err(Status::Invalid) }
}

/// Stages a punch; `None` when there is nothing to remove.
pub(crate) fn stage_punch(
    arena: &Arena,
    container: Container,
    epoch: Epoch,
    scope: &Scope,
    condition: Condition,
) -> Result<Option<Staged>, Refusal> {
    let view = View::new(arena, container, Epoch::MAX);
    let staged = punched(&view, epoch, scope, condition);
    let seen = view.seen();
    staged.map_err(|status| (status, seen))
}

fn punched(view: &View<'_>, epoch: Epoch, scope: &Scope, condition: Condition) -> Result<Option<Staged>, Status> {
    let mut record = Vec::new();
    let (mut key, length) = match scope {
        Scope::Object(object) => {
            let key = IndexKey::object(*object);
            check_punch(condition, || object_holds(view, &mut key.clone()))?;
            (key, None)
        }
        Scope::Dkey(object, dkey) => {
            if !object.dkey_kind().admits(dkey.as_bytes()) {
                return Err(Status::Invalid);
            }
            let key = IndexKey::dkey(*object, dkey);
            check_punch(condition, || dkey_holds(view, view.object_floor(*object), &mut key.clone()))?;
            (key, None)
        }
        Scope::Akey(address) => {
            check_keys(address)?;
            (admit(view, address, None, condition)?.0, None)
        }
        Scope::Range { address, offset, length } => {
            check_keys(address)?;
            if condition != Condition::Always {
                return Err(Status::Invalid);
            }
            let (mut prefix, floor) = view.akey(address.object, &address.dkey, &address.akey);
            if view.single(&mut prefix, floor).is_some() {
                return Err(Status::Invalid);
            }
            let size = u64::from(view.record_bytes(&mut prefix, floor));
            if !offset.is_multiple_of(size) || !length.is_multiple_of(size) {
                return Err(Status::Invalid);
            }
            if !view.has_tag(&mut prefix, WRITTEN) {
                return Ok(None);
            }
            encode_hole(&mut record, *length);
            (prefix, Some((*offset, *length)))
        }
    };
    if length.is_none() && !view.has(key.as_bytes()) {
        return Ok(None);
    }
    let scope = key.len();
    match length {
        None => key.tag(TOMBSTONE).epoch(epoch),
        Some((offset, length)) => key.tag(PUNCHED).extent(class_of(length), offset).epoch(epoch),
    };
    Ok(Some(Staged { key, record, record_size: None, extent: None, scope, need: Need::Removal }))
}

fn check_punch(condition: Condition, holds: impl FnOnce() -> bool) -> Result<(), Status> {
    match condition {
        Condition::Always => Ok(()),
        Condition::Present if holds() => Ok(()),
        Condition::Present => Err(Status::Nonexistent),
        Condition::Absent | Condition::DkeyAbsent | Condition::DkeyPresent => Err(Status::Invalid),
    }
}

/// Puts a staged change into the index and books it.
pub(crate) fn enter(arena: &mut Arena, container: Container, staged: &Staged) -> Result<(), Status> {
    let before = arena.charge();
    if let Some((key, record)) = &staged.record_size {
        put(arena, container, key.as_bytes(), record)?;
    }
    put(arena, container, staged.key.as_bytes(), &staged.record)?;
    let grown = arena.charge() - before;
    let blocks = staged.extent.map_or(0, |extent| extents::blocks_for(extent.length as usize));
    container.book(arena, grown, (blocks * media::BLOCK_BYTES as u64) as i64, staged.need)
}

/// Puts one record into the index; its memory is the caller's to book.
pub(crate) fn put(arena: &mut Arena, container: Container, key: &[u8], record: &[u8]) -> Result<(), Status> {
    container.tree().put(arena, key, record)?;
    if is_counted(record) {
        container.count(arena, key, 1);
    }
    Ok(())
}
