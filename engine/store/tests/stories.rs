//! Defects that a suite found, each as a test that tells its story.

mod target;

use daos_store::{Command, Health, Reply};
use target::{MIB, PLACE, Target, address, data, geometry};
use types::{ChecksumKind, Condition, Epoch, Operation, Shape, Status, TransactionId};
use uuid::Uuid;

/// Found by the crash suite: it waited for the next tick, because only the next call decided to start it.
#[test]
fn a_checkpoint_asked_for_while_another_runs_starts_when_that_one_ends() {
    let mut target = Target::new();
    target.update("d", "a", Shape::Single, &data(100, 1)).unwrap();
    let first = target.driven.submit(Command::Checkpoint, target.now);
    assert!(target.driven.step());
    let second = target.driven.submit(Command::Checkpoint, target.now);
    while target.driven.step() {}
    for token in [first, second] {
        assert_eq!(target.driven.store.take_reply(), Some((token, Reply::Done(Ok(())))));
    }
}

/// A device that writes and does not flush.
struct Unflushable(media::Mem);

impl media::Device for Unflushable {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read(&mut self, offset: u64, buffer: &mut media::Buffer) -> std::io::Result<()> {
        self.0.read(offset, buffer)
    }

    fn write(&mut self, offset: u64, buffer: &media::Buffer) -> std::io::Result<()> {
        self.0.write(offset, buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::Error::other("the cache is gone"))
    }
}

/// Found by the crash suite: the log was blamed for it, so an operator would have replaced the wrong device.
#[test]
fn a_flush_of_the_data_slice_that_fails_is_blamed_on_the_data_slice() {
    let mut target = Target::new();
    target.driven.devices.data = Box::new(Unflushable(target.mems.data.clone()));
    assert_eq!(target.update("d", "a", Shape::Single, &data(9000, 1)), Err(Status::Io));
    let Health::Dead { reason } = target.driven.store.health() else { panic!("it goes on") };
    assert_eq!(reason, "the data slice failed: the cache is gone");
}

/// Found by the model: history merged up to the very epoch that was discarded held no older value to come back, so the value was gone.
#[test]
fn a_discard_reaches_no_further_back_than_what_is_left_to_see() {
    let mut target = Target::new();
    target.update("d", "a", Shape::Single, &data(10, 1)).unwrap();
    let second = target.update("d", "a", Shape::Single, &data(10, 2)).unwrap();
    assert_eq!(target.run(Command::Aggregate(second)), Reply::Done(Ok(())));
    let third = target.update("d", "a", Shape::Single, &data(10, 3)).unwrap();
    let discard = |from| Command::Discard { place: PLACE, object: None, from, to: third };
    assert_eq!(target.run(discard(second)), Reply::Done(Err(Status::Restart)));
    assert_eq!(target.run(discard(Epoch(second.0 + 1))), Reply::Done(Ok(())));
    assert_eq!(target.fetch_single("d", "a"), Ok(data(10, 2)));
}

/// Found by the long crash suite: the blocks of a value that was prepared and aborted in one group were written anew while that group was
/// still the last one in the log. Opening took the group for one whose data had not been written, and dropped all that was in it.
#[test]
fn a_value_given_up_in_its_own_group_does_not_take_the_group_with_it() {
    let mut target = Target::new();
    let update = |akey: &str, length: usize| {
        let data = data(length, length as u64);
        let checksums = erasure::checksums(ChecksumKind::Crc32c, &data);
        let (address, condition) = (address("d", akey), Condition::Always);
        Operation::Update { address, shape: Shape::Single, condition, checksums, data }
    };
    let operate = |operation| Command::Operate { place: PLACE, operation };
    let transaction = TransactionId(Uuid::from_u128(1));
    let prepare = Command::Prepare { transaction, place: PLACE, operations: vec![update("large", 9000)] };
    for command in [operate(update("small", 10)), prepare, Command::Abort(transaction)] {
        target.now = Epoch(target.now.0 + 1000);
        target.driven.submit(command, target.now);
    }
    let mut replies = 0;
    while replies < 3 {
        assert!(target.driven.step(), "there is work until all is acknowledged");
        while target.driven.store.take_reply().is_some() {
            replies += 1;
        }
    }
    target.driven.submit(operate(update("other", 12_000)), target.now);
    let before = target.mems.data.image();
    while target.mems.data.image() == before {
        assert!(target.driven.step());
    }
    target.reopen();
    assert_eq!(target.fetch_single("d", "small"), Ok(data(10, 10)));
    target.check();
}

/// Found by the crash suite: history before a prepared transaction stays, so a change that found no room waited for it to be merged; and the
/// commit or abort that would have let it go waited behind that change.
#[test]
fn a_full_pool_refuses_changes_while_a_transaction_is_prepared_and_lets_it_be_resolved() {
    let mut target = Target::with(geometry(4 * MIB, 4 * MIB, 4 * MIB), MIB, MIB);
    let value = data(8000, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    let checksums = erasure::checksums(ChecksumKind::Crc32c, &value);
    let (address, condition) = (address("d", "b"), Condition::Always);
    let operations =
        vec![Operation::Update { address, shape: Shape::Single, condition, checksums, data: value.clone() }];
    let transaction = TransactionId(Uuid::from_u128(1));
    assert!(matches!(target.run(Command::Prepare { transaction, place: PLACE, operations }), Reply::Prepared(Ok(_))));
    let refused = (0..1000).find_map(|_| target.update("d", "c", Shape::Single, &value).err());
    assert_eq!(refused, Some(Status::NoSpace));
    assert_eq!(target.run(Command::Abort(transaction)), Reply::Done(Ok(())));
    target.update("d", "c", Shape::Single, &value).unwrap();
    target.check();
}
