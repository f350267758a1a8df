//! Updates and punches, each within a transaction that the caller begins and ends.

use types::{Address, Checksums, Condition, Epoch, Scope, Shape, Status};

use super::key::{IndexKey, PUNCHED, SINGLE, TOMBSTONE, WRITTEN, class_of};
use super::record::{DATA_THRESHOLD, encode_data, encode_hole, encode_inline};
use super::view::{Held, View};
use crate::arena::Arena;
use crate::catalog::Container;
use crate::extents::{self, Extent};
use crate::log::WrittenExtent;

/// What came of a change: the newest epoch it depended on, and whether it took effect.
#[derive(Debug)]
pub(crate) struct Written {
    /// The data extent to write, when the value is large.
    pub(crate) extent: Option<WrittenExtent>,
    /// False when there was nothing to do.
    pub(crate) changed: bool,
}

/// Checks an update's condition and shape against what the akey holds.
fn admit(view: &View<'_>, address: &Address, shape: Option<Shape>, condition: Condition) -> Result<IndexKey, Status> {
    let (mut prefix, floor) = view.akey(address.object, &address.dkey, &address.akey);
    let held = match (condition, shape) {
        // Without a condition only the other kind matters.
        (Condition::Always, Some(Shape::Array { .. })) => {
            if view.single(&mut prefix, floor).is_some() {
                Held::Single
            } else {
                Held::Nothing
            }
        }
        (Condition::Always, Some(Shape::Single)) if !view.has_tag(&mut prefix, WRITTEN) => Held::Nothing,
        (Condition::Always, None) => Held::Nothing,
        _ => view.held(&mut prefix, floor),
    };
    match (condition, held) {
        (Condition::Absent, Held::Single | Held::Array) => return Err(Status::Exists),
        (Condition::Present, Held::Nothing) => return Err(Status::Nonexistent),
        _ => {}
    }
    match (shape, held) {
        (Some(Shape::Single), Held::Array) | (Some(Shape::Array { .. }), Held::Single) => Err(Status::Invalid),
        _ => Ok(prefix),
    }
}

/// Writes a value whose checksums were verified. An error leaves the transaction to be rolled back; the epoch returned
/// with it is the newest that the refusal depended on.
pub(crate) fn update(
    arena: &mut Arena,
    container: Container,
    epoch: Epoch,
    address: &Address,
    (shape, condition): (Shape, Condition),
    (checksums, data): (&Checksums, &[u8]),
) -> Result<Written, (Status, Epoch)> {
    let view = View::new(arena, container, Epoch::MAX);
    let admitted = admit(&view, address, Some(shape), condition);
    let seen = view.seen();
    let mut key = admitted.map_err(|status| (status, seen))?;
    write(arena, container, epoch, &mut key, shape, checksums, data).map_err(|status| (status, Epoch::ZERO))
}

fn write(
    arena: &mut Arena,
    container: Container,
    epoch: Epoch,
    key: &mut IndexKey,
    shape: Shape,
    checksums: &Checksums,
    data: &[u8],
) -> Result<Written, Status> {
    let mut record = Vec::with_capacity(16 + data.len().min(DATA_THRESHOLD) + checksums.as_bytes().len());
    let mut extent = None;
    if data.len() < DATA_THRESHOLD {
        encode_inline(&mut record, checksums, data);
    } else {
        let taken = extents::allocate(arena, extents::blocks_for(data.len()))?;
        encode_data(&mut record, data.len(), taken.start, checksums);
        extent = Some((taken, erasure::whole_crc32c(data, checksums)));
    }
    let before = arena.charge();
    match shape {
        Shape::Single => key.tag(SINGLE).epoch(epoch),
        Shape::Array { offset } => key.tag(WRITTEN).extent(class_of(data.len() as u64), offset).epoch(epoch),
    };
    container.tree().put(arena, key.as_bytes(), &record)?;
    let blocks = extent.map_or(0, |(Extent { blocks, .. }, _)| blocks);
    let grown = arena.charge() - before;
    container.book(arena, grown, (blocks * media::BLOCK_BYTES as u64) as i64, false)?;
    let extent = extent.map(|(Extent { start, .. }, crc)| WrittenExtent {
        offset: start * media::BLOCK_BYTES as u64,
        length: data.len() as u64,
        crc,
    });
    Ok(Written { extent, changed: true })
}

/// Punches. An error leaves the transaction to be rolled back.
pub(crate) fn punch(
    arena: &mut Arena,
    container: Container,
    epoch: Epoch,
    scope: &Scope,
    condition: Condition,
) -> Result<Written, (Status, Epoch)> {
    if condition != Condition::Always && !matches!(scope, Scope::Akey(_)) {
        return Err((Status::Invalid, Epoch::ZERO));
    }
    let view = View::new(arena, container, Epoch::MAX);
    let (mut key, tombstones) = match scope {
        Scope::Object(object) => (IndexKey::object(*object), (1, 0)),
        Scope::Dkey(object, dkey) => (IndexKey::object(*object).below(dkey), (0, 1)),
        Scope::Akey(address) => {
            let admitted = admit(&view, address, None, condition);
            let seen = view.seen();
            (admitted.map_err(|status| (status, seen))?, (0, 0))
        }
        Scope::Range { address, offset, length } => {
            let (mut prefix, floor) = view.akey(address.object, &address.dkey, &address.akey);
            if view.single(&mut prefix, floor).is_some() {
                return Err((Status::Invalid, view.seen()));
            }
            if !view.has_tag(&mut prefix, WRITTEN) {
                return Ok(Written { extent: None, changed: false });
            }
            let mut record = Vec::with_capacity(9);
            encode_hole(&mut record, *length);
            prefix.tag(PUNCHED).extent(class_of(*length), *offset).epoch(epoch);
            return put(arena, container, &prefix, &record, (0, 0));
        }
    };
    if !view.has(key.as_bytes()) {
        return Ok(Written { extent: None, changed: false });
    }
    key.tag(TOMBSTONE).epoch(epoch);
    put(arena, container, &key, &[], tombstones)
}

fn put(
    arena: &mut Arena,
    container: Container,
    key: &IndexKey,
    record: &[u8],
    tombstones: (i64, i64),
) -> Result<Written, (Status, Epoch)> {
    let before = arena.charge();
    let written = container.tree().put(arena, key.as_bytes(), record);
    let grown = arena.charge() - before;
    container.add_tombstones(arena, tombstones.0, tombstones.1);
    // A punch frees space in the end, so it may exceed the pool's promise.
    written.and_then(|()| container.book(arena, grown, 0, true)).map_err(|status| (status, Epoch::ZERO))?;
    Ok(Written { extent: None, changed: true })
}
