//! Short histories: their steps, what each does to a model, and what a target holds.

use std::collections::BTreeMap;

use bytes::Bytes;
use daos_store::{Command, Driven, Reply};
use types::{ChecksumKind, Condition, Epoch, Level, Operation, Outcome, Scope, Selection, Shape, Status};

use crate::target::{OBJECT, PLACE, address, data, key};

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Small(u8),
    Large(u8),
    Array(u64, usize),
    PunchAkey,
    PunchDkey,
    PunchRange,
    Checkpoint,
    Recreate,
    /// Time passes: seals, reclaim, graves.
    Rest,
}

pub(crate) const ALPHABET: [Step; 11] = [
    Step::Small(1),
    Step::Large(2),
    Step::Large(3),
    Step::Array(100, 50),
    Step::Array(90, 9000),
    Step::PunchAkey,
    Step::PunchDkey,
    Step::PunchRange,
    Step::Checkpoint,
    Step::Recreate,
    Step::Rest,
];

/// What the container holds: name to bytes with their offsets. `None` when there is no container.
pub(crate) type State = Option<BTreeMap<Vec<u8>, Vec<(u64, Bytes)>>>;

/// The commands of a step, each one change.
pub(crate) fn commands(step: Step, now: u64) -> Vec<Command> {
    let operate = |operation| Command::Operate { place: PLACE, operation };
    let update = |akey: &str, shape, data: Bytes| {
        let checksums = erasure::checksums(ChecksumKind::Crc32c, &data);
        let address = address("d", akey);
        operate(Operation::Update { address, shape, condition: Condition::Always, checksums, data })
    };
    let punch = |scope| operate(Operation::Punch { scope, condition: Condition::Always });
    match step {
        Step::Small(seed) => vec![update("s", Shape::Single, data(60, now + u64::from(seed)))],
        Step::Large(seed) => vec![update("s", Shape::Single, data(5000 * usize::from(seed), now + u64::from(seed)))],
        Step::Array(offset, length) => vec![update("a", Shape::Array { offset }, data(length, now))],
        Step::PunchAkey => vec![punch(Scope::Akey(address("d", "s")))],
        Step::PunchDkey => vec![punch(Scope::Dkey(OBJECT, key("d")))],
        Step::PunchRange => vec![punch(Scope::Range { address: address("d", "a"), offset: 95, length: 30 })],
        Step::Checkpoint => vec![Command::Checkpoint],
        Step::Recreate => vec![Command::ContainerDestroy(PLACE), Command::ContainerCreate(PLACE, ChecksumKind::Crc32c)],
        Step::Rest => vec![],
    }
}

/// What a change does to a state.
pub(crate) fn apply(state: &State, command: &Command) -> State {
    let mut next = state.clone();
    let name = |akey: &[u8]| akey.to_vec();
    match (command, &mut next) {
        (Command::ContainerDestroy(_), _) => next = None,
        (Command::ContainerCreate(..), None) => next = Some(BTreeMap::new()),
        (Command::Operate { operation, .. }, Some(held)) => match operation {
            Operation::Update { address, shape: Shape::Single, data, .. } => {
                held.insert(name(address.akey.as_bytes()), vec![(0, data.clone())]);
            }
            Operation::Update { address, shape: Shape::Array { offset }, data, .. } => {
                let array = held.entry(name(address.akey.as_bytes())).or_default();
                let mut bytes = spread(array);
                bytes.extend(data.iter().enumerate().map(|(n, byte)| (offset + n as u64, *byte)));
                *array = gather(&bytes);
            }
            Operation::Punch { scope: Scope::Akey(address), .. } => {
                held.remove(address.akey.as_bytes());
            }
            Operation::Punch { scope: Scope::Range { address, offset, length }, .. } => {
                if let Some(array) = held.get_mut(address.akey.as_bytes()) {
                    let mut bytes = spread(array);
                    bytes.retain(|at, _| *at < *offset || *at >= offset + length);
                    *array = gather(&bytes);
                }
            }
            Operation::Punch { .. } => held.clear(),
            _ => {}
        },
        _ => {}
    }
    next
}

pub(crate) fn spread(array: &[(u64, Bytes)]) -> BTreeMap<u64, u8> {
    array.iter().flat_map(|(at, data)| data.iter().enumerate().map(move |(n, byte)| (at + n as u64, *byte))).collect()
}

pub(crate) fn gather(bytes: &BTreeMap<u64, u8>) -> Vec<(u64, Bytes)> {
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    for (&at, &byte) in bytes {
        match runs.last_mut() {
            Some((start, run)) if *start + run.len() as u64 == at => run.push(byte),
            _ => runs.push((at, vec![byte])),
        }
    }
    runs.into_iter().map(|(at, run)| (at, Bytes::from(run))).collect()
}

/// What a target holds, read through its operations. A value that is refused comes with its status instead.
pub(crate) fn read_all(driven: &mut Driven) -> Result<State, Status> {
    let mut operate = |operation| match driven.run(Command::Operate { place: PLACE, operation }, Epoch(1)) {
        Reply::Operated(answer) => answer,
        other => panic!("{other:?}"),
    };
    let listed = operate(Operation::List {
        level: Level::Akeys(OBJECT, key("d")),
        after: Vec::new(),
        limit: 100,
        epoch: Epoch::MAX,
    });
    let names = match listed {
        Ok(Outcome::Listed { names, more: false }) => names,
        Err(Status::Nonexistent | Status::NoHandle) => return Ok(None),
        other => panic!("{other:?}"),
    };
    let mut state = BTreeMap::new();
    for name in names {
        let akey = std::str::from_utf8(&name).expect("the suite's names are text");
        let selection = if akey == "s" { Selection::Single } else { Selection::Array { offset: 0, length: 20_000 } };
        let fetched = operate(Operation::Fetch { address: address("d", akey), selection, epoch: Epoch::MAX })?;
        let Outcome::Fetched(segments) = fetched else { panic!("{fetched:?}") };
        for segment in &segments {
            assert_eq!(erasure::verify(&segment.data, &segment.checksums), Ok(()));
        }
        let parts: Vec<(u64, Bytes)> = segments.into_iter().map(|segment| (segment.offset, segment.data)).collect();
        state.insert(name.to_vec(), if akey == "s" { parts } else { gather(&spread(&parts)) });
    }
    Ok(Some(state))
}
