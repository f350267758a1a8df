//! Defects that a suite found, each as a test that tells its story.

mod target;

use daos_store::{Command, Health, Reply};
use target::{PLACE, Target, data};
use types::{Epoch, Shape, Status};

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
