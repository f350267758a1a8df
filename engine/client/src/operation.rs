//! What is known of an operation without asking anyone: its limits, whether it may be sent twice, what answers it, and its
//! name in errors.

use erasure::{Mismatch, verify};
use types::{
    Address, Condition, Depth, End, KeyKind, Level, MAX_LIST_ENTRIES, MAX_VALUE_BYTES, Operation, Outcome, Scope,
    Segment, Selection, Shape, Stretch,
};

use crate::error::Error;

/// One past the last byte an array can have ([`Shape::Array`]).
pub(crate) const ARRAY_END: u64 = 1 << 63;

/// Limits that are known here are told before anything is sent.
pub(crate) fn check(operation: &Operation) -> Result<(), Error> {
    let invalid = |reason: String| Err(Error::Invalid { what: describe(operation), reason });
    match operation {
        Operation::Update { data, .. } if data.len() > MAX_VALUE_BYTES => invalid(format!(
            "a value of {} bytes is over the limit of {MAX_VALUE_BYTES}; write it as an array",
            data.len()
        )),
        Operation::Update { data, shape: Shape::Array { .. }, .. } if data.is_empty() => {
            invalid("an array extent has at least one byte".to_owned())
        }
        Operation::Fetch { selection: Selection::Array { length, .. }, .. } if *length > MAX_VALUE_BYTES as u64 => {
            invalid(format!("{length} bytes at once are over the limit of {MAX_VALUE_BYTES}"))
        }
        Operation::Update { shape: Shape::Array { offset, record_bytes }, data, .. }
            if *record_bytes == 0
                || !offset.is_multiple_of(u64::from(*record_bytes))
                || !(data.len() as u64).is_multiple_of(u64::from(*record_bytes)) =>
        {
            invalid(format!("{} bytes from {offset} on are not whole records of {record_bytes} bytes", data.len()))
        }
        Operation::List { limit, .. } | Operation::Extents { limit, .. }
            if *limit == 0 || *limit > MAX_LIST_ENTRIES =>
        {
            invalid(format!("a list gives 1 to {MAX_LIST_ENTRIES} entries at once, not {limit}"))
        }
        Operation::List { after, .. } if after.len() > types::MAX_KEY_BYTES => {
            invalid("the anchor is longer than any name".to_owned())
        }
        _ => Ok(()),
    }
}

pub(crate) fn is_repeatable(operation: &Operation) -> bool {
    match operation {
        Operation::Update { condition, .. } | Operation::Punch { condition, .. } => *condition == Condition::Always,
        _ => !operation.is_change(),
    }
}

/// Checks what came for `operation` before anyone relies on it: the writer's checksums, and that it is an answer at all.
pub(crate) fn received(operation: &Operation, outcome: &Outcome) -> Result<(), Error> {
    match (operation, outcome) {
        (Operation::Fetch { selection, .. }, Outcome::Fetched(segments)) => {
            verified(operation, segments)?;
            if in_place(*selection, segments) {
                Ok(())
            } else {
                Err(strange(operation, "the segments received are not those asked for".to_owned()))
            }
        }
        (Operation::List { level, after, limit, .. }, Outcome::Listed { names, more }) => {
            let kind = kind_of(level);
            let admitted = names.iter().all(|name| kind.admits(name));
            let ascending = admitted
                && names.iter().zip(names.iter().skip(1)).all(|(one, next)| kind.sortable(one) < kind.sortable(next));
            let later =
                after.is_empty() || names.first().is_none_or(|first| kind.sortable(first) > kind.sortable(after));
            // Without a name there is no anchor to go on from, and a list would never end.
            let anchored = !more || !names.is_empty();
            if ascending && later && anchored && names.len() <= *limit as usize {
                Ok(())
            } else {
                Err(strange(operation, "the names received are not a page of that list".to_owned()))
            }
        }
        (Operation::Update { .. } | Operation::Punch { .. }, Outcome::Changed(_))
        | (Operation::ArraySize { .. }, Outcome::Size(_)) => Ok(()),
        (Operation::Extents { from, limit, .. }, Outcome::Extents { record_bytes, stretches, more }) => {
            let whole = *record_bytes > 0 && stretches.iter().all(|one| one.length > 0);
            let anchored = !more || !stretches.is_empty();
            if whole && anchored && stretches.len() <= *limit as usize && ascend(*from, stretches) {
                Ok(())
            } else {
                Err(strange(operation, "the stretches received are not a page of that list".to_owned()))
            }
        }
        (Operation::QueryKey { dkey, akey, depth, .. }, Outcome::Found { dkey: got_dkey, akey: got_akey, stretch }) => {
            let wanted = (dkey.is_none(), *depth >= Depth::Akey && akey.is_none(), *depth == Depth::Extent);
            if (got_dkey.is_some(), got_akey.is_some(), stretch.is_some()) == wanted {
                Ok(())
            } else {
                Err(strange(operation, "what was found is not what was asked for".to_owned()))
            }
        }
        (_, Outcome::Fetched(segments)) => {
            Err(strange(operation, format!("it was answered with {} segments of data", segments.len())))
        }
        (_, Outcome::Listed { names, .. }) => {
            Err(strange(operation, format!("it was answered with a list of {} names", names.len())))
        }
        (_, Outcome::Changed(epoch)) => Err(strange(operation, format!("it was answered with the epoch {epoch}"))),
        (_, Outcome::Size(size)) => Err(strange(operation, format!("it was answered with the size {size}"))),
        (_, Outcome::Extents { stretches, .. }) => {
            Err(strange(operation, format!("it was answered with {} stretches", stretches.len())))
        }
        (_, Outcome::Found { .. }) => Err(strange(operation, "it was answered with a key that was found".to_owned())),
    }
}

/// What the names of a list are.
pub(crate) fn kind_of(level: &Level) -> KeyKind {
    match level {
        Level::Objects => KeyKind::Lexical,
        Level::Dkeys(object) => object.dkey_kind(),
        Level::Akeys(object, _) => object.akey_kind(),
    }
}

/// True when stretches follow each other and none ends before `from`.
fn ascend(from: u64, stretches: &[Stretch]) -> bool {
    let mut end = from;
    stretches.iter().all(|stretch| {
        let fits = stretch.offset >= end && stretch.offset.checked_add(stretch.length).is_some();
        end = stretch.offset.saturating_add(stretch.length);
        fits
    })
}

fn strange(operation: &Operation, reason: String) -> Error {
    Error::Protocol { what: describe(operation), reason }
}

/// The reader's check of the writer's checksums.
fn verified(operation: &Operation, segments: &[Segment]) -> Result<(), Error> {
    for segment in segments {
        let at = match verify(&segment.data, &segment.checksums) {
            Ok(()) => continue,
            Err(Mismatch::Chunk(at)) => at,
            Err(Mismatch::Count) => 0,
        };
        return Err(Error::Checksum { what: describe(operation), offset: segment.offset.saturating_add(at as u64) });
    }
    Ok(())
}

/// True for one whole segment of a single value, and for ascending segments inside the range of an array.
fn in_place(selection: Selection, segments: &[Segment]) -> bool {
    match selection {
        Selection::Single => matches!(segments, [Segment { offset: 0, .. }]),
        Selection::Array { offset, length } => {
            let mut from = Some(offset);
            for segment in segments {
                from = match from {
                    Some(from) if segment.offset >= from => segment.offset.checked_add(segment.data.len() as u64),
                    _ => return false,
                };
            }
            from.is_some_and(|end| end - offset <= length)
        }
    }
}

pub(crate) fn describe(operation: &Operation) -> String {
    let place =
        |address: &Address| format!("dkey `{}` akey `{}` of object {}", address.dkey, address.akey, address.object);
    match operation {
        Operation::Update { address, .. } => format!("write {}", place(address)),
        Operation::Fetch { address, .. } => format!("read {}", place(address)),
        Operation::ArraySize { address, .. } => format!("size of {}", place(address)),
        Operation::Extents { address, .. } => format!("list extents of {}", place(address)),
        Operation::QueryKey { object, depth, end, .. } => {
            let end = if *end == End::First { "first" } else { "last" };
            let what = match depth {
                Depth::Dkey => "dkey",
                Depth::Akey => "akey",
                Depth::Extent => "extent",
            };
            format!("{end} {what} of object {object}")
        }
        Operation::Punch { scope, .. } => match scope {
            Scope::Object(object) => format!("remove object {object}"),
            Scope::Dkey(object, dkey) => format!("remove dkey `{dkey}` of object {object}"),
            Scope::Akey(address) | Scope::Range { address, .. } => format!("remove {}", place(address)),
        },
        Operation::List { level, .. } => match level {
            Level::Objects => "list objects".to_owned(),
            Level::Dkeys(object) => format!("list dkeys of object {object}"),
            Level::Akeys(object, dkey) => format!("list akeys of dkey `{dkey}` of object {object}"),
        },
    }
}
