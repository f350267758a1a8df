//! Names in order: a skip scan that looks at one record per name where it can.

use std::borrow::Cow;

use bytes::Bytes;
use types::{Epoch, KeyKind, Level, MAX_KEY_BYTES, MAX_LIST_ENTRIES, Status};

use super::key::{BELOW, IndexKey, OBJECT_BYTES, name_at};
use super::view::{Held, View};
use crate::tree::Cursor;

/// A list under way.
pub(crate) struct Names {
    pub(crate) names: Vec<Bytes>,
    /// There are more than were asked for.
    pub(crate) more: bool,
    /// The last name that was looked at, whether it holds anything or not.
    after: Vec<u8>,
}

/// Names looked at in one slice: about 1 ms, and most pages of a list.
const LOOKS_PER_SLICE: u32 = 2048;

impl Names {
    /// The start of a list of the names after `after`.
    pub(crate) fn after(after: &[u8]) -> Names {
        Names { names: Vec::new(), more: false, after: after.to_vec() }
    }
}

/// Adds up to `limit` names; true when it has to be called again, since that was enough for one slice: many names that hold nothing any more, or
/// much of a paged arena, were looked at.
pub(crate) fn list(view: &View<'_>, level: &Level, slice: &mut Names, limit: u32) -> Result<bool, Status> {
    if limit == 0 || limit > MAX_LIST_ENTRIES {
        return Err(Status::Invalid);
    }
    let after = &std::mem::take(&mut slice.after);
    let (mut unfinished, mut looks) = (false, 0);
    let mut look = |name: &[u8], holds: bool| {
        if holds && slice.names.len() == limit as usize {
            slice.more = true;
            return false;
        }
        if holds {
            slice.names.push(Bytes::copy_from_slice(name));
        }
        looks += 1;
        unfinished = looks == LOOKS_PER_SLICE || view.arena.is_crowded();
        if unfinished {
            slice.after = name.to_vec();
        }
        !unfinished
    };
    match level {
        Level::Objects => objects(view, after, &mut look)?,
        Level::Dkeys(object) => {
            let kind = object.dkey_kind();
            let floor = view.object_floor(*object);
            names_below(view, &mut IndexKey::object(*object), &anchor(kind, after)?, &mut |prefix, name| {
                look(&kind.sortable(name), dkey_holds(view, floor, prefix))
            })?;
        }
        Level::Akeys(object, dkey) => {
            if !object.dkey_kind().admits(dkey.as_bytes()) {
                return Err(Status::Invalid);
            }
            let kind = object.akey_kind();
            let floor = view.object_floor(*object);
            let mut prefix = IndexKey::dkey(*object, dkey);
            let floor = view.dkey_floor(floor, &mut prefix);
            names_below(view, &mut prefix, &anchor(kind, after)?, &mut |prefix, name| {
                look(&kind.sortable(name), akey_holds(view, floor, prefix))
            })?;
        }
    }
    Ok(unfinished)
}

/// The anchor of a list as it is in the index.
fn anchor(kind: KeyKind, after: &[u8]) -> Result<Cow<'_, [u8]>, Status> {
    if after.is_empty() || kind.admits(after) { Ok(kind.sortable(after)) } else { Err(Status::Invalid) }
}

fn objects(view: &View<'_>, after: &[u8], look: &mut impl FnMut(&[u8], bool) -> bool) -> Result<(), Status> {
    let mut bound = match after.len() {
        0 => vec![],
        OBJECT_BYTES => match successor(after) {
            Some(next) => next,
            None => return Ok(()),
        },
        _ => return Err(Status::Invalid),
    };
    loop {
        let cursor = Cursor::seek(view.tree(), view.arena, &bound);
        let Some(key) = cursor.key(view.arena) else { return Ok(()) };
        let object = &key[..OBJECT_BYTES];
        let holds = object_holds(view, &mut IndexKey::prefix(object));
        if !look(object, holds) {
            return Ok(());
        }
        bound = match successor(object) {
            Some(next) => next,
            None => return Ok(()),
        };
    }
}

fn successor(object: &[u8]) -> Option<Vec<u8>> {
    let id = u128::from_be_bytes(object.try_into().expect("sixteen bytes"));
    Some(id.checked_add(1)?.to_be_bytes().to_vec())
}

/// Calls `each` with the prefix and the stored name of every name directly below `prefix` and after `after`, until it says no.
pub(super) fn names_below(
    view: &View<'_>,
    prefix: &mut IndexKey,
    after: &[u8],
    each: &mut impl FnMut(&mut IndexKey, &[u8]) -> bool,
) -> Result<(), Status> {
    if after.len() > MAX_KEY_BYTES {
        return Err(Status::Invalid);
    }
    let length = prefix.len();
    let mut bound = prefix.clone();
    bound.after_name(after);
    loop {
        let cursor = Cursor::seek(view.tree(), view.arena, bound.as_bytes());
        let Some(key) = cursor.key(view.arena) else { return Ok(()) };
        if !key.starts_with(prefix.as_bytes()) || key[length] != BELOW {
            return Ok(());
        }
        let (name, end) = name_at(key, length + 1);
        let mut below = IndexKey::prefix(&key[..end]);
        if !each(&mut below, &name) {
            return Ok(());
        }
        bound = below;
        bound.cut(end).past();
    }
}

/// True when an object holds anything, from its prefix.
pub(crate) fn object_holds(view: &View<'_>, prefix: &mut IndexKey) -> bool {
    let floor = if view.container.tombstones(view.arena).0 == 0 { Epoch::ZERO } else { view.tombstone(prefix) };
    let mut holds = false;
    let walked = names_below(view, prefix, &[], &mut |dkey, _| {
        holds = dkey_holds(view, floor, dkey);
        !holds
    });
    walked.is_ok() && holds
}

/// True when a dkey holds anything, from its prefix.
pub(crate) fn dkey_holds(view: &View<'_>, above: Epoch, prefix: &mut IndexKey) -> bool {
    let floor = view.dkey_floor(above, prefix);
    let mut holds = false;
    let walked = names_below(view, prefix, &[], &mut |akey, _| {
        holds = akey_holds(view, floor, akey);
        !holds
    });
    walked.is_ok() && holds
}

/// True when an akey holds anything, from its prefix.
pub(crate) fn akey_holds(view: &View<'_>, above: Epoch, prefix: &mut IndexKey) -> bool {
    let floor = above.max(view.tombstone(prefix));
    view.held(prefix, floor) != Held::Nothing
}

/// Like [`names_below`], from the last name to the first.
pub(super) fn names_below_from_last(
    view: &View<'_>,
    prefix: &IndexKey,
    each: &mut impl FnMut(&mut IndexKey, &[u8]) -> bool,
) {
    let length = prefix.len();
    let mut bound = prefix.clone();
    bound.tag(BELOW + 1);
    loop {
        let cursor = Cursor::seek_before(view.tree(), view.arena, bound.as_bytes());
        let Some(key) = cursor.key(view.arena) else { return };
        if !key.starts_with(prefix.as_bytes()) || key[length] != BELOW {
            return;
        }
        let (name, end) = name_at(key, length + 1);
        let mut below = IndexKey::prefix(&key[..end]);
        if !each(&mut below, &name) {
            return;
        }
        bound = below;
        bound.cut(end);
    }
}
