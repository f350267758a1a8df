//! The operations that workloads are made of.
//!
//! To add one: a variant, its place in [`ALPHABET`], its commands, and in `state` what it does to the model. All sequences up to length 3 are
//! run with it at once.
//!
//! Symmetries that keep the alphabet short, and are the only ones: one size stands for all sizes that are stored alike
//! (in a cell, in memory of its own, in the data slice); one dkey stands for all beside that with everything in it; what only reads
//! is left out of the sequences of every length up to three, because it writes nothing (the long random ones have it).

use bytes::Bytes;
use daos_store::Command;
use types::{ChecksumKind, Condition, Operation, PoolId, Scope, Selection, Shape};
use uuid::Uuid;

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
    /// Part of an array, in its cell.
    Piece,
    /// Part of an array, in the data slice.
    Stretch,
    PunchAkey,
    PunchDkey,
    PunchObject,
    PunchRange,
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
pub(crate) const ALPHABET: [Step; 15] = [
    Step::Small,
    Step::Medium,
    Step::Large,
    Step::Beside,
    Step::First,
    Step::Piece,
    Step::Stretch,
    Step::PunchAkey,
    Step::PunchDkey,
    Step::PunchObject,
    Step::PunchRange,
    Step::Recreate,
    Step::Pool,
    Step::Checkpoint,
    Step::Rest,
];

/// The pool of [`Step::Pool`].
pub(crate) const OTHER_POOL: PoolId = PoolId(Uuid::from_u128(0x101));

/// Every name that a step writes, and whether it is an array.
pub(crate) const NAMES: [(&str, &str, bool); 3] = [("d", "s", false), ("d", "a", true), ("e", "s", false)];

/// Longer than every array.
pub(crate) const ARRAY_MOST: u64 = 1 << 20;

pub(crate) fn operate(operation: Operation) -> Command {
    Command::Operate { place: PLACE, operation }
}

pub(crate) fn update(names: (&str, &str), shape: Shape, condition: Condition, data: Bytes) -> Command {
    let checksums = erasure::checksums(ChecksumKind::Crc32c, &data);
    operate(Operation::Update { address: address(names.0, names.1), shape, condition, checksums, data })
}

pub(crate) fn single(length: usize, seed: u64) -> Command {
    update(("d", "s"), Shape::Single, Condition::Always, data(length, seed))
}

/// The commands of a step; `seed` makes their values differ.
pub(crate) fn commands(step: Step, seed: u64) -> Vec<Command> {
    let array = |offset, length| update(("d", "a"), Shape::array(offset), Condition::Always, data(length, seed));
    let punch = |scope| operate(Operation::Punch { scope, condition: Condition::Always });
    let one = match step {
        Step::Small => single(60, seed),
        Step::Medium => single(3000, seed),
        Step::Large => single(10_000, seed),
        Step::Beside => update(("e", "s"), Shape::Single, Condition::Always, data(60, seed)),
        Step::First => update(("d", "s"), Shape::Single, Condition::Absent, data(70, seed)),
        Step::Piece => array(100, 50),
        Step::Stretch => array(90, 9000),
        Step::PunchAkey => punch(Scope::Akey(address("d", "s"))),
        Step::PunchDkey => punch(Scope::Dkey(OBJECT, key("d"))),
        Step::PunchObject => punch(Scope::Object(OBJECT)),
        Step::PunchRange => punch(Scope::Range { address: address("d", "a"), offset: 95, length: 30 }),
        Step::Recreate => {
            return vec![Command::ContainerDestroy(PLACE), Command::ContainerCreate(PLACE, ChecksumKind::Crc32c)];
        }
        Step::Pool => {
            let create = Command::PoolCreate { pool: OTHER_POOL, scm_bytes: 1024, data_bytes: 0 };
            return vec![create, Command::PoolDestroy(OTHER_POOL)];
        }
        Step::Checkpoint => Command::Checkpoint,
        Step::Rest => return Vec::new(),
        Step::Read => return NAMES.iter().map(|name| fetch(*name)).collect(),
    };
    vec![one]
}

/// A fetch of all there is under a name.
pub(crate) fn fetch((dkey, akey, is_array): (&str, &str, bool)) -> Command {
    let selection = if is_array { Selection::Array { offset: 0, length: ARRAY_MOST } } else { Selection::Single };
    operate(Operation::Fetch { address: address(dkey, akey), selection, epoch: types::Epoch::MAX })
}
