//! The first or last dkey, akey or stretch; and the stretches of an array one after another.

use bytes::Bytes;
use types::{Depth, End, Epoch, Key, MAX_LIST_ENTRIES, ObjectId, Outcome, Status, Stretch};

use super::array::{self, Visible, overlapping, resolve};
use super::key::{IndexKey, WRITTEN};
use super::list::{akey_holds, dkey_holds, names_below, names_below_from_last};
use super::view::{Held, View};
use crate::tree::Cursor;

/// The first stretch of an array that is resolved at once, and the least of later ones.
const WINDOW_LEAST: u64 = 64 << 10;
/// A window that showed fewer stretches than this is followed by one twice as long, any other by the least, so that what is held in
/// memory at once is bounded whatever the extents are like.
const FEW: usize = 16;

/// What a query of the first or last key asks for.
pub(crate) struct Query<'a> {
    pub(crate) object: ObjectId,
    pub(crate) dkey: Option<&'a Key>,
    pub(crate) akey: Option<&'a Key>,
    pub(crate) depth: Depth,
    pub(crate) end: End,
}

/// The names that were looked for, and the stretch.
#[derive(Default)]
struct Found {
    dkey: Option<Bytes>,
    akey: Option<Bytes>,
    stretch: Option<Stretch>,
}

impl Query<'_> {
    /// Refuses what has no order or makes no sense.
    fn check(&self) -> Result<(), Status> {
        let (dkeys, akeys) = (self.object.dkey_kind(), self.object.akey_kind());
        let sensible = match self.depth {
            Depth::Dkey => self.dkey.is_none() && self.akey.is_none(),
            Depth::Akey => self.akey.is_none(),
            Depth::Extent => true,
        };
        let ordered = (self.dkey.is_some() || dkeys.is_ordered())
            && (self.depth == Depth::Dkey || self.akey.is_some() || akeys.is_ordered());
        let fit = self.dkey.is_none_or(|key| dkeys.admits(key.as_bytes()))
            && self.akey.is_none_or(|key| akeys.admits(key.as_bytes()));
        if sensible && ordered && fit { Ok(()) } else { Err(Status::Invalid) }
    }

    /// The answer.
    pub(crate) fn answer(&self, view: &View<'_>) -> Result<Outcome, Status> {
        self.check()?;
        let floor = view.object_floor(self.object);
        let found = match self.dkey {
            Some(dkey) => self.in_dkey(view, floor, &mut IndexKey::dkey(self.object, dkey)),
            None => {
                let kind = self.object.dkey_kind();
                self.first_below(view, &mut IndexKey::object(self.object), |prefix, name| {
                    let found = self.in_dkey(view, floor, prefix)?;
                    let dkey = Some(Bytes::copy_from_slice(&kind.sortable(name)));
                    Some(Found { dkey, ..found })
                })
            }
        };
        let Found { dkey, akey, stretch } = found.ok_or(Status::Nonexistent)?;
        Ok(Outcome::Found { dkey, akey, stretch })
    }

    fn in_dkey(&self, view: &View<'_>, above: Epoch, prefix: &mut IndexKey) -> Option<Found> {
        if self.depth == Depth::Dkey {
            return dkey_holds(view, above, prefix).then(Found::default);
        }
        let floor = view.dkey_floor(above, prefix);
        match self.akey {
            Some(akey) => self.in_akey(view, floor, &mut prefix.clone().akey(self.object, akey)),
            None => {
                let kind = self.object.akey_kind();
                self.first_below(view, prefix, |prefix, name| {
                    let found = self.in_akey(view, floor, prefix)?;
                    let akey = Some(Bytes::copy_from_slice(&kind.sortable(name)));
                    Some(Found { akey, ..found })
                })
            }
        }
    }

    fn in_akey(&self, view: &View<'_>, above: Epoch, prefix: &mut IndexKey) -> Option<Found> {
        if self.depth == Depth::Akey {
            return akey_holds(view, above, prefix).then(Found::default);
        }
        let floor = above.max(view.tombstone(prefix));
        let stretch = match self.end {
            End::First => stretches(view, prefix, floor, 0, 1).0.pop(),
            End::Last => last_stretch(view, prefix, floor),
        };
        Some(Found { stretch: Some(stretch?), ..Found::default() })
    }

    /// What `look` finds in the first name below `prefix`, from the end that is asked for, where it finds anything.
    fn first_below(
        &self,
        view: &View<'_>,
        prefix: &mut IndexKey,
        mut look: impl FnMut(&mut IndexKey, &[u8]) -> Option<Found>,
    ) -> Option<Found> {
        let mut found = None;
        let mut each = |below: &mut IndexKey, name: &[u8]| {
            found = look(below, name);
            found.is_none()
        };
        match self.end {
            // It can only fail for an anchor that is too long.
            End::First => names_below(view, prefix, &[], &mut each).ok()?,
            End::Last => names_below_from_last(view, prefix, &mut each),
        }
        found
    }
}

fn last_stretch(view: &View<'_>, prefix: &mut IndexKey, floor: Epoch) -> Option<Stretch> {
    let end = array::size(view, prefix, floor);
    let last = *resolve(view, prefix, floor, end.checked_sub(1)?, end).last()?;
    // The byte is found; the whole of its stretch begins where its extent does, or later.
    resolve(view, prefix, floor, last.extent_start, end).last().map(stretch)
}

fn stretch(visible: &Visible<'_>) -> Stretch {
    Stretch { offset: visible.start, length: visible.end - visible.start, epoch: visible.epoch }
}

/// The answer to a list of stretches.
pub(crate) fn extents(
    view: &View<'_>,
    (prefix, floor): (&mut IndexKey, Epoch),
    from: u64,
    limit: u32,
) -> Result<Outcome, Status> {
    if limit == 0 || limit > MAX_LIST_ENTRIES {
        return Err(Status::Invalid);
    }
    if view.held(prefix, floor) == Held::Single {
        return Err(Status::Invalid);
    }
    let record_bytes = view.record_bytes(prefix, floor);
    let (stretches, more) = stretches(view, prefix, floor, from, limit as usize);
    Ok(Outcome::Extents { record_bytes, stretches, more })
}

/// Up to `limit` visible stretches that end after `from`, and whether there are more.
fn stretches(view: &View<'_>, prefix: &mut IndexKey, floor: Epoch, from: u64, limit: usize) -> (Vec<Stretch>, bool) {
    let mut found: Vec<(u64, Stretch)> = Vec::new();
    let mut at = from;
    let mut window = WINDOW_LEAST;
    while at < array::ARRAY_END {
        let to = at.saturating_add(window).min(array::ARRAY_END);
        let visible = resolve(view, prefix, floor, at, to);
        for part in &visible {
            match found.last_mut() {
                // The same extent, cut by the window.
                Some((extent, last))
                    if *extent == part.extent_start
                        && last.epoch == part.epoch
                        && last.offset + last.length == part.start =>
                {
                    last.length += part.end - part.start;
                }
                _ => found.push((part.extent_start, stretch(part))),
            }
        }
        if found.len() > limit {
            found.truncate(limit);
            return (found.into_iter().map(|(_, stretch)| stretch).collect(), true);
        }
        window = if visible.len() < FEW { window.saturating_mul(2) } else { WINDOW_LEAST };
        at = match to < array::ARRAY_END && covers(view, prefix, to) {
            true => to,
            false => match next_start(view, prefix, to) {
                Some(next) => {
                    window = WINDOW_LEAST;
                    next
                }
                None => break,
            },
        };
    }
    (found.into_iter().map(|(_, stretch)| stretch).collect(), false)
}

/// True when any extent, visible or not, covers the byte.
fn covers(view: &View<'_>, prefix: &mut IndexKey, byte: u64) -> bool {
    let mut any = false;
    overlapping(view, prefix, WRITTEN, Epoch::ZERO, (byte, byte + 1), |_| any = true);
    any
}

/// Where the first extent at or after `from` starts.
fn next_start(view: &View<'_>, prefix: &mut IndexKey, from: u64) -> Option<u64> {
    let length = prefix.len();
    prefix.tag(WRITTEN);
    let class_at = prefix.len();
    let mut best: Option<u64> = None;
    let mut class = 0;
    loop {
        prefix.cut(class_at).extent(class, from).epoch(Epoch::MAX);
        let cursor = Cursor::seek(view.tree(), view.arena, prefix.as_bytes());
        let Some(key) = cursor.key(view.arena).filter(|key| key.starts_with(&prefix.as_bytes()[..class_at])) else {
            break;
        };
        let found = key[class_at];
        if found > class {
            class = found;
            continue;
        }
        let start = crate::extents::be(&key[class_at + 1..class_at + 9]);
        best = Some(best.map_or(start, |best| best.min(start)));
        // The next class.
        class += 1;
    }
    prefix.cut(length);
    best
}
