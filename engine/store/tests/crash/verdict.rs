//! What a target is after its devices did wrong: whole, refused with a reason, or with values that are refused one by one.

use daos_store::{Devices, Driven, Event, OpenError, Recovery};
use media::Role;
use types::{Epoch, Status};

use crate::alphabet::{Name, names};
use crate::observe::read_one;
use crate::run::{memory, settings};
use crate::state::{State, Value};
use crate::target::IDENTITY;

/// How a target opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything is there.
    Whole,
    /// It did not open; this slice is named as damaged.
    Damaged(Role),
    /// It did not open, because this slice could not be read or written.
    Failed(Role),
    /// It opened; this many values are refused as damaged, each with an event that names it unless it was marked before, and all
    /// others are right.
    Values(u64),
    /// It opened without the last group, and said so. What was hit by the misdirected write of that group is refused.
    Dropped,
    /// It opened as a whole without the last group, and did not notice.
    Lost,
}

/// Opens a target that must hold `expected`, or as far as the last group went `before_last`.
///
/// Panics on anything that no fault of a device may lead to: a wrong value, a missing one in a target that says it is whole, books
/// that do not agree, a refusal without an event.
pub(crate) fn judge(devices: Devices, expected: &State, before_last: &State, what: &dyn Fn() -> String) -> Verdict {
    let (mut driven, recovery) = match Driven::open(devices, IDENTITY, memory(), settings()) {
        Ok(opened) => opened,
        Err(OpenError::Damaged { slice, .. }) => return Verdict::Damaged(slice.0),
        Err(OpenError::NoSuperblock { .. }) => return Verdict::Damaged(Role::Meta),
        Err(OpenError::Io { slice, .. }) => return Verdict::Failed(slice.0),
        Err(other) => panic!("{}: {other}", what()),
    };
    driven.store.check().unwrap_or_else(|error| panic!("{}: {error}", what()));
    compare(&mut driven, recovery, expected, before_last, what)
}

fn compare(
    driven: &mut Driven,
    recovery: Recovery,
    expected: &State,
    before_last: &State,
    what: &dyn Fn() -> String,
) -> Verdict {
    let (mut refused, mut told) = (0, 0);
    let (mut is_expected, mut is_before_last) = (true, true);
    for name in names() {
        match read_one(driven, &name, Epoch::MAX) {
            Ok(found) => {
                is_expected &= held(expected, &name) == found.as_ref();
                is_before_last &= held(before_last, &name) == found.as_ref();
            }
            Err(status) => {
                assert_eq!(status, Status::Checksum, "{}: {name:?}", what());
                match driven.store.take_event() {
                    Some(Event::Checksum(damage)) => {
                        let is_it = !damage.inline && damage.address == name.address;
                        assert!(is_it, "{}: {damage}", what());
                    }
                    // It was told and marked before the target was opened.
                    None => assert_eq!(driven.store.stats().checksum_errors, told, "{}", what()),
                    other => panic!("{}: {other:?}", what()),
                }
                told = driven.store.stats().checksum_errors;
                refused += 1;
            }
        }
    }
    match (is_expected, is_before_last) {
        (true, _) if refused > 0 => Verdict::Values(refused),
        (true, _) => Verdict::Whole,
        (false, true) if recovery.dropped_group => Verdict::Dropped,
        (false, true) if refused > 0 => panic!("{}: the last group is missing, and values are damaged", what()),
        (false, true) => Verdict::Lost,
        (false, false) => panic!("{}: it does not hold {expected:?}", what()),
    }
}

fn held<'a>(state: &'a State, name: &Name) -> Option<&'a Value> {
    state.values.as_ref()?.get(&name.address)
}
