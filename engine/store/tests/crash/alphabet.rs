//! The operations that workloads are made of.
//!
//! To add one: a variant, its place in [`ALPHABET`], its commands, and in `state` what it does to the model. All sequences up to length 3 are
//! run with it at once.
//!
//! Symmetries that keep the alphabet short, and are the only ones: one size stands for all sizes that are stored alike
//! (in a cell, in memory of its own, in the data slice); one dkey stands for all beside that with everything in it; a transaction stands for
//! all that hold the same keys; what only reads is left out of the sequences of every length up to three, because it writes nothing (the
//! long random ones have it).

use bytes::Bytes;
use daos_store::Command;
use types::{
    Address, ChecksumKind, Condition, Epoch, Key, ObjectId, Operation, PoolId, Scope, Selection, Shape, TransactionId,
};
use uuid::Uuid;

use crate::state::State;
use crate::target::{OBJECT, PLACE, address, data, key};

/// One step of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A single value in its cell.
    Small,
    /// A single value in memory of its own.
    Medium,
    /// A single value in the data slice.
    Large,
    /// A single value under another dkey.
    Beside,
    /// A single value, if there is none.
    First,
    /// A single value, if there is none under its dkey.
    FirstOfDkey,
    /// A single value in another object, under a dkey that is a number.
    Number,
    /// Part of an array, in its cell.
    Piece,
    /// Part of an array, in the data slice.
    Stretch,
    /// A piece behind the last one of an array; two of them are worth joining, and joined they belong into the data slice.
    Append,
    /// Part of an array of records of eight bytes.
    Records,
    PunchAkey,
    PunchDkey,
    /// Of a dkey, if there is something.
    PunchPresent,
    PunchObject,
    PunchRange,
    /// The container is kept as it is now.
    Snapshot,
    /// The oldest snapshot goes.
    Unsnapshot,
    /// Two values are prepared, one of them in the data slice.
    Prepare,
    /// What was prepared first is committed.
    Commit,
    /// What was prepared first is aborted.
    Abort,
    /// The last changes are taken back.
    Discard,
    /// History is merged up to now.
    Aggregate,
    /// The container goes with everything in it and comes back empty.
    Recreate,
    /// A pool comes and goes.
    Pool,
    Checkpoint,
    /// Time passes: seals, reclaim, graves.
    Rest,
    /// Reads of all there is; writes nothing.
    Read,
}

/// All steps that change something.
pub(crate) const ALPHABET: [Step; 27] = [
    Step::Small,
    Step::Medium,
    Step::Large,
    Step::Beside,
    Step::First,
    Step::FirstOfDkey,
    Step::Number,
    Step::Piece,
    Step::Stretch,
    Step::Append,
    Step::Records,
    Step::PunchAkey,
    Step::PunchDkey,
    Step::PunchPresent,
    Step::PunchObject,
    Step::PunchRange,
    Step::Snapshot,
    Step::Unsnapshot,
    Step::Prepare,
    Step::Commit,
    Step::Abort,
    Step::Discard,
    Step::Aggregate,
    Step::Recreate,
    Step::Pool,
    Step::Checkpoint,
    Step::Rest,
];

impl Step {
    /// True when it is carried out slice by slice as time passes, so that what comes next waits for it.
    pub(crate) fn takes_time(self) -> bool {
        matches!(self, Step::Discard | Step::Aggregate)
    }
}

/// The pool of [`Step::Pool`].
pub(crate) const OTHER_POOL: PoolId = PoolId(Uuid::from_u128(0x101));

/// An object whose dkeys are numbers.
const NUMBERED: ObjectId = ObjectId { hi: 2 << 56, lo: 7 };

/// What a step writes, and whether it is an array.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) address: Address,
    pub(crate) is_array: bool,
}

/// Every name that a step writes.
pub(crate) fn names() -> Vec<Name> {
    let name = |address, is_array| Name { address, is_array };
    vec![
        name(address("d", "s"), false),
        name(address("d", "a"), true),
        name(address("d", "r"), true),
        name(address("d", "t"), true),
        name(address("e", "s"), false),
        name(number(), false),
    ]
}

fn number() -> Address {
    Address { object: NUMBERED, dkey: Key::from_u64(300), akey: key("s") }
}

/// The objects of [`names`].
pub(crate) const OBJECTS: [ObjectId; 2] = [OBJECT, NUMBERED];

/// Longer than every array.
pub(crate) const ARRAY_MOST: u64 = 1 << 20;

pub(crate) fn operate(operation: Operation) -> Command {
    Command::Operate { place: PLACE, operation }
}

pub(crate) fn update(names: (&str, &str), shape: Shape, condition: Condition, data: Bytes) -> Command {
    operate(write(address(names.0, names.1), shape, condition, data))
}

fn write(address: Address, shape: Shape, condition: Condition, data: Bytes) -> Operation {
    let checksums = erasure::checksums(ChecksumKind::Crc32c, &data);
    Operation::Update { address, shape, condition, checksums, data }
}

pub(crate) fn single(length: usize, seed: u64) -> Command {
    update(("d", "s"), Shape::Single, Condition::Always, data(length, seed))
}

/// The commands of a step at `now` upon `state`; `now` also makes their values differ.
pub(crate) fn commands(step: Step, now: u64, state: &State) -> Vec<Command> {
    let of = |condition, length| update(("d", "s"), Shape::Single, condition, data(length, now));
    let array = |offset, length| update(("d", "a"), Shape::array(offset), Condition::Always, data(length, now));
    let punch_if = |condition, scope| operate(Operation::Punch { scope, condition });
    let punch = |scope| punch_if(Condition::Always, scope);
    let (place, epoch) = (PLACE, Epoch(now));
    let one = match step {
        Step::Small => single(60, now),
        Step::Medium => single(3000, now),
        Step::Large => single(10_000, now),
        Step::Beside => update(("e", "s"), Shape::Single, Condition::Always, data(60, now)),
        Step::First => of(Condition::Absent, 70),
        Step::FirstOfDkey => of(Condition::DkeyAbsent, 80),
        Step::Number => operate(write(number(), Shape::Single, Condition::Always, data(60, now))),
        Step::Piece => array(100, 50),
        Step::Stretch => array(90, 9000),
        Step::Append => {
            let offset = state.size(&address("d", "t"));
            update(("d", "t"), Shape::array(offset), Condition::Always, data(3000, now))
        }
        Step::Records => {
            update(("d", "r"), Shape::Array { offset: 96, record_bytes: 8 }, Condition::Always, data(64, now))
        }
        Step::PunchAkey => punch(Scope::Akey(address("d", "s"))),
        Step::PunchDkey => punch(Scope::Dkey(OBJECT, key("d"))),
        Step::PunchPresent => punch_if(Condition::Present, Scope::Dkey(OBJECT, key("d"))),
        Step::PunchObject => punch(Scope::Object(OBJECT)),
        Step::PunchRange => punch(Scope::Range { address: address("d", "a"), offset: 95, length: 30 }),
        Step::Snapshot => Command::SnapshotAdd { place, epoch },
        Step::Unsnapshot => {
            let oldest = state.snapshots.keys().next().copied();
            Command::SnapshotRemove { place, epoch: Epoch(oldest.unwrap_or(1)) }
        }
        Step::Prepare => {
            let operations = vec![
                write(address("d", "s"), Shape::Single, Condition::Always, data(9000, now)),
                write(address("e", "s"), Shape::Single, Condition::Always, data(90, now)),
            ];
            Command::Prepare { transaction: TransactionId(Uuid::from_u128(now.into())), place, operations }
        }
        Step::Commit => Command::Commit(state.first_prepared()),
        Step::Abort => Command::Abort(state.first_prepared()),
        Step::Discard => Command::Discard { place, object: None, from: Epoch(now.saturating_sub(1500)), to: epoch },
        Step::Aggregate => Command::Aggregate(epoch),
        Step::Recreate => {
            return vec![Command::ContainerDestroy(PLACE), Command::ContainerCreate(PLACE, ChecksumKind::Crc32c)];
        }
        Step::Pool => {
            let create = Command::PoolCreate { pool: OTHER_POOL, scm_bytes: 1024, data_bytes: 0 };
            return vec![create, Command::PoolDestroy(OTHER_POOL)];
        }
        Step::Checkpoint => Command::Checkpoint,
        Step::Rest => return Vec::new(),
        Step::Read => return names().iter().map(|name| fetch(name, Epoch::MAX)).collect(),
    };
    vec![one]
}

/// A fetch of all there is under a name.
pub(crate) fn fetch(name: &Name, epoch: Epoch) -> Command {
    let selection = if name.is_array { Selection::Array { offset: 0, length: ARRAY_MOST } } else { Selection::Single };
    operate(Operation::Fetch { address: name.address.clone(), selection, epoch })
}
