//! What is known of an operation without asking anyone: its limits, whether it may be sent twice, what answers it, and its
//! name in errors.

use erasure::{Mismatch, verify};
use types::{
    Address, Condition, Level, MAX_LIST_ENTRIES, MAX_VALUE_BYTES, Operation, Outcome, Scope, Segment, Selection, Shape,
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
        Operation::List { limit, .. } if *limit == 0 || *limit > MAX_LIST_ENTRIES => {
            invalid(format!("a list gives 1 to {MAX_LIST_ENTRIES} names at once, not {limit}"))
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
        Operation::Fetch { .. } | Operation::List { .. } | Operation::ArraySize { .. } => true,
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
        (Operation::List { after, limit, .. }, Outcome::Listed { names, more }) => {
            let ascending = names.iter().zip(names.iter().skip(1)).all(|(one, next)| one < next);
            let later = names.first().is_none_or(|first| first[..] > after[..]);
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
        (_, Outcome::Fetched(segments)) => {
            Err(strange(operation, format!("it was answered with {} segments of data", segments.len())))
        }
        (_, Outcome::Listed { names, .. }) => {
            Err(strange(operation, format!("it was answered with a list of {} names", names.len())))
        }
        (_, Outcome::Changed(epoch)) => Err(strange(operation, format!("it was answered with the epoch {epoch}"))),
        (_, Outcome::Size(size)) => Err(strange(operation, format!("it was answered with the size {size}"))),
    }
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
