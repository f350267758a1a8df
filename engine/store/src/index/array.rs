//! Arrays: which extent gives which byte.

use types::Epoch;

use super::key::{IndexKey, PUNCHED, WRITTEN, epoch_of};
use super::record::Record;
use super::view::View;
use crate::tree::Cursor;

/// A visible stretch, and the record it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible<'a> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Where the record starts in the array.
    pub(crate) extent_start: u64,
    pub(crate) epoch: Epoch,
    pub(crate) record: Record<'a>,
}

/// A record that overlaps a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overlap<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) start: u64,
    pub(crate) record: Record<'a>,
}

impl Overlap<'_> {
    fn end(&self) -> u64 {
        self.start + self.record.length()
    }
}

/// One past the largest offset of an array.
pub(crate) const ARRAY_END: u64 = 1 << 63;

/// The first stretch of an array that is searched for its last byte; each further one is twice as long.
const SIZE_WINDOW: u64 = 1 << 20;

/// True for a key of this class and start below `prefix`.
fn is_extent_at(key: &[u8], prefix: &[u8], class: u8, start: u64) -> bool {
    key.strip_prefix(prefix).is_some_and(|rest| rest[0] == class && crate::extents::be(&rest[1..9]) == start)
}

/// Calls `each` with every record of `tag` that overlaps `from..to`, newer than `floor` and not after the view; those that a newer
/// one with the same start hides there may be left out.
pub(crate) fn overlapping<'a>(
    view: &View<'a>,
    prefix: &mut IndexKey,
    tag: u8,
    floor: Epoch,
    (from, to): (u64, u64),
    mut each: impl FnMut(Overlap<'a>),
) {
    let length = prefix.len();
    prefix.tag(tag);
    let class_at = prefix.len();
    let mut class = 0;
    loop {
        let reach = 1u64 << class.min(63);
        prefix.cut(class_at).extent(class, (from + 1).saturating_sub(reach)).epoch(Epoch::MAX);
        let mut cursor = Cursor::seek(view.tree(), view.arena, prefix.as_bytes());
        let mut found_class = None;
        while let Some(key) = cursor.key(view.arena)
            && key.starts_with(&prefix.as_bytes()[..class_at])
        {
            if key[class_at] != class {
                found_class = Some(key[class_at]);
                break;
            }
            let start = crate::extents::be(&key[class_at + 1..class_at + 9]);
            if start >= to {
                break;
            }
            let epoch = epoch_of(key);
            // Where the next record that may have a part is, when some with this start have none.
            let skip = if epoch > view.as_of {
                Some((start, view.as_of))
            } else if epoch <= floor {
                Some((start + 1, Epoch::MAX))
            } else {
                let record = Record::decode(cursor.value(view.arena).expect("it has a key"));
                let end = start + record.length();
                if end > from {
                    view.saw(epoch);
                    each(Overlap { epoch, start, record });
                }
                // Older ones of this class and start are hidden by it.
                (end >= to.min(start + reach)).then_some((start + 1, Epoch::MAX))
            };
            cursor.next(view.arena);
            if let Some((start_at, epoch_at)) = skip
                && cursor
                    .key(view.arena)
                    .is_some_and(|key| is_extent_at(key, &prefix.as_bytes()[..class_at], class, start))
            {
                prefix.cut(class_at).extent(class, start_at).epoch(epoch_at);
                cursor = Cursor::seek(view.tree(), view.arena, prefix.as_bytes());
            }
        }
        // Go on with the next class that has records.
        let next = match found_class {
            Some(found) => found,
            None => {
                prefix.cut(class_at).extent(class, u64::MAX).epoch(Epoch::ZERO);
                let cursor = Cursor::seek(view.tree(), view.arena, prefix.as_bytes());
                match cursor.key(view.arena) {
                    Some(key) if key.starts_with(&prefix.as_bytes()[..class_at]) => key[class_at],
                    _ => break,
                }
            }
        };
        class = next;
    }
    prefix.cut(length);
}

/// The visible stretches of `from..to`, ascending, holes left out.
pub(crate) fn resolve<'a>(
    view: &View<'a>,
    prefix: &mut IndexKey,
    floor: Epoch,
    from: u64,
    to: u64,
) -> Vec<Visible<'a>> {
    let mut overlaps = Vec::new();
    overlapping(view, prefix, WRITTEN, floor, (from, to), |overlap| overlaps.push(overlap));
    if overlaps.is_empty() {
        return Vec::new();
    }
    overlapping(view, prefix, PUNCHED, floor, (from, to), |overlap| overlaps.push(overlap));
    paint(overlaps, from, to)
        .into_iter()
        .filter(|(_, _, overlap)| !matches!(overlap.record, Record::Hole { .. }))
        .map(|(start, end, overlap)| Visible {
            start,
            end,
            extent_start: overlap.start,
            epoch: overlap.epoch,
            record: overlap.record,
        })
        .collect()
}

/// Cuts overlapping records so that the newest wins: start, end and record of each stretch, ascending.
pub(crate) fn paint<'a>(mut overlaps: Vec<Overlap<'a>>, from: u64, to: u64) -> Vec<(u64, u64, Overlap<'a>)> {
    if overlaps.len() == 1 {
        let only = overlaps[0];
        return vec![(only.start.max(from), only.end().min(to), only)];
    }
    // A sweep over the starts and ends in order; the newest record open at a point gives the bytes there.
    overlaps.sort_unstable_by_key(|overlap| overlap.start);
    let mut open: std::collections::BinaryHeap<(Epoch, usize)> = std::collections::BinaryHeap::new();
    let mut painted: Vec<(u64, u64, Overlap<'a>)> = Vec::new();
    let mut next = 0;
    let mut at = from;
    while at < to {
        while next < overlaps.len() && overlaps[next].start <= at {
            open.push((overlaps[next].epoch, next));
            next += 1;
        }
        while open.peek().is_some_and(|&(_, index)| overlaps[index].end() <= at) {
            open.pop();
        }
        let upcoming = overlaps.get(next).map_or(to, |overlap| overlap.start.min(to));
        let Some(&(_, index)) = open.peek() else {
            at = upcoming;
            continue;
        };
        let end = overlaps[index].end().min(to).min(upcoming);
        match painted.last_mut() {
            // Records of one transaction share their epoch, but not their start.
            Some(last)
                if last.1 == at && last.2.epoch == overlaps[index].epoch && last.2.start == overlaps[index].start =>
            {
                last.1 = end;
            }
            _ => painted.push((at, end, overlaps[index])),
        }
        at = end;
    }
    painted
}

/// True when a punched range of `epoch` decides what is read of `range`: it hides an older extent, and nothing newer hides it.
pub(crate) fn hole_matters(
    view: &View<'_>,
    prefix: &mut IndexKey,
    floor: Epoch,
    epoch: Epoch,
    (from, to): (u64, u64),
) -> bool {
    let mut overlaps = Vec::new();
    overlapping(view, prefix, WRITTEN, floor, (from, to), |overlap| overlaps.push(overlap));
    if !overlaps.iter().any(|overlap| overlap.epoch < epoch) {
        return false;
    }
    overlapping(view, prefix, PUNCHED, floor, (from, to), |overlap| overlaps.push(overlap));
    paint(overlaps, from, to).iter().any(|(_, _, overlap)| overlap.epoch == epoch)
}

/// One past the last byte that is written and not punched; 0 when there is none.
pub(crate) fn size(view: &View<'_>, prefix: &mut IndexKey, floor: Epoch) -> u64 {
    let mut end = ARRAY_END;
    let mut window = SIZE_WINDOW;
    loop {
        let Some(top) = last_end(view, prefix, end) else { return 0 };
        let from = top.saturating_sub(window);
        if let Some(last) = resolve(view, prefix, floor, from, top).last() {
            return last.end;
        }
        if from == 0 {
            return 0;
        }
        (end, window) = (from, window.saturating_mul(2));
    }
}

/// A bound of the ends of all extents, cut at `below`; `None` when no extent starts before it.
fn last_end(view: &View<'_>, prefix: &mut IndexKey, below: u64) -> Option<u64> {
    let length = prefix.len();
    prefix.tag(WRITTEN);
    let class_at = prefix.len();
    let mut best = None;
    let mut class = u8::MAX;
    loop {
        // The last extent of this class or a lower one that starts before `below`.
        prefix.cut(class_at).extent(class, below).epoch(Epoch::MAX);
        let cursor = Cursor::seek_before(view.tree(), view.arena, prefix.as_bytes());
        let Some(key) = cursor.key(view.arena) else { break };
        if !key.starts_with(&prefix.as_bytes()[..class_at]) {
            break;
        }
        let found = key[class_at];
        if found < class {
            // Another class: ask again within it, where `below` means something.
            class = found;
            continue;
        }
        let start = crate::extents::be(&key[class_at + 1..class_at + 9]);
        let record = Record::decode(cursor.value(view.arena).expect("it has a key"));
        let bound = start.saturating_add(1 << class.min(63)).max(start + record.length()).min(below);
        best = best.max(Some(bound));
        if class == 0 {
            break;
        }
        class -= 1;
    }
    prefix.cut(length);
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(epoch: u64, start: u64, length: u64) -> Overlap<'static> {
        Overlap { epoch: Epoch(epoch), start, record: Record::Hole { length } }
    }

    #[test]
    fn the_newest_record_wins_byte_by_byte() {
        use rand::{Rng, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..500 {
            let records: Vec<_> = (0..random.random_range(1..12))
                .map(|epoch| overlap(epoch, random.random_range(0..30), random.random_range(1..20)))
                .collect();
            let (from, to) = (random.random_range(0..20), random.random_range(20..50));
            let expected: Vec<Option<u64>> = (from..to)
                .map(|at| {
                    let covers = records.iter().filter(|r| r.start <= at && at < r.end());
                    covers.map(|r| r.epoch.0).max()
                })
                .collect();
            let inside: Vec<_> = records.iter().copied().filter(|r| r.end() > from && r.start < to).collect();
            let mut found = vec![None; (to - from) as usize];
            for (start, end, record) in if inside.is_empty() { vec![] } else { paint(inside, from, to) } {
                (start..end).for_each(|at| found[(at - from) as usize] = Some(record.epoch.0));
            }
            assert_eq!(found, expected);
        }
    }
}
