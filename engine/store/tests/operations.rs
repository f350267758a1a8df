//! One target, end to end on devices in memory: what each operation answers, and that it is there after reopening.

mod target;

use bytes::Bytes;
use daos_store::{Command, Reply, Space};
use target::{Target, data, key};
use types::{Condition, Epoch, Level, Operation, Outcome, Scope, Selection, Shape, Status};

#[test]
fn a_small_and_a_large_value_survive_reopening() {
    let mut target = Target::new();
    let small = data(100, 1);
    let large = data(100_000, 2);
    target.update("d", "small", Shape::Single, &small).unwrap();
    target.update("d", "large", Shape::Single, &large).unwrap();
    for _ in 0..3 {
        assert_eq!(target.fetch_single("d", "small").unwrap(), small);
        assert_eq!(target.fetch_single("d", "large").unwrap(), large);
        target.check();
        target.reopen();
    }
    target.checkpoint();
    target.reopen();
    assert_eq!(target.recovery.groups, 0);
    assert_eq!(target.fetch_single("d", "large").unwrap(), large);
    assert_eq!(target.fetch_single("d", "none"), Err(Status::Nonexistent));
    target.check();
}
