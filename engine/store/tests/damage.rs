//! Values that rot on the device: found, told with their place, marked, never served, and whole again once they are written anew.

mod target;

use daos_store::{Damage, Event, Stats};
use media::{BLOCK_BYTES, Mem};
use target::{OBJECT, PLACE, Target, address, data};
use types::{ChecksumKind, Epoch, Scope, Shape, Status};

const ARRAY: Shape = Shape::Array { offset: 0, record_bytes: 1 };

/// Where the value whose bytes start like this lies in the data slice.
fn find(target: &Target, start: &[u8]) -> u64 {
    let image = target.mems.data.image();
    (image.chunks(BLOCK_BYTES).position(|block| block == start).expect("the value is on the device") * BLOCK_BYTES)
        as u64
}

fn stats(target: &Target) -> Stats {
    target.driven.store.stats()
}

fn event(target: &mut Target) -> Option<Event> {
    target.driven.store.take_event()
}

#[test]
fn damaged_data_is_told_with_its_place_marked_and_never_served() {
    for kind in ChecksumKind::ALL {
        let mut target = Target::of_kind(kind);
        let value = data(100_000, 1);
        let epoch = target.update("d", "a", Shape::Single, &value).unwrap();
        target.update("d", "b", ARRAY, &value).unwrap();
        let start = find(&target, &value[..BLOCK_BYTES]);
        target.mems.data.flip((start + 70_000) * 8 + 3);
        assert_eq!(target.fetch_single("d", "a"), Err(Status::Checksum));
        let damage = Damage {
            inline: false,
            offset: start + 65_536,
            length: 32_768,
            place: PLACE,
            address: address("d", "a"),
            extent: None,
            epoch,
            scrubbed: false,
        };
        assert_eq!(event(&mut target), Some(Event::Checksum(Box::new(damage.clone()))));
        let words = damage.to_string();
        for word in ["data slice", "dkey `d`", "akey `a`", &PLACE.container.to_string(), &OBJECT.to_string()] {
            assert!(words.contains(word), "{words}");
        }
        assert_eq!((stats(&target).checksum_errors, stats(&target).marked), (1, 1));
        assert_eq!(target.fetch_array("d", "b", (0, 100_000), Epoch::MAX).unwrap(), [(0, value.clone())]);
        // Refused without another look, also when the bits are right again, and after a restart.
        target.mems.data.flip((start + 70_000) * 8 + 3);
        for _ in 0..2 {
            assert_eq!(target.fetch_single("d", "a"), Err(Status::Checksum));
            assert_eq!(event(&mut target), None);
            target.check();
            target.reopen();
        }
        target.checkpoint();
        target.reopen();
        assert_eq!(target.fetch_single("d", "a"), Err(Status::Checksum));
        target.update("d", "a", Shape::Single, &value).unwrap();
        assert_eq!(target.fetch_single("d", "a"), Ok(value));
        target.settle();
        target.check();
    }
}

#[test]
fn only_the_damaged_extent_of_an_array_is_refused() {
    let mut target = Target::new();
    let parts = [data(50_000, 1), data(50_000, 2), data(50_000, 3)];
    for (n, part) in parts.iter().enumerate() {
        target.update("d", "a", Shape::Array { offset: 50_000 * n as u64, record_bytes: 1 }, part).unwrap();
    }
    let start = find(&target, &parts[1][..BLOCK_BYTES]);
    target.mems.data.flip((start + 10) * 8);
    let fetch = |target: &mut Target, offset, length| target.fetch_array("d", "a", (offset, length), Epoch::MAX);
    assert_eq!(fetch(&mut target, 0, 150_000), Err(Status::Checksum));
    let Some(Event::Checksum(damage)) = event(&mut target) else { panic!("it is told") };
    assert_eq!((damage.extent, damage.offset, damage.length), (Some(50_000), start, 32_768));
    assert_eq!(fetch(&mut target, 99_999, 1), Err(Status::Checksum));
    assert_eq!(fetch(&mut target, 0, 50_000), Ok(vec![(0, parts[0].clone())]));
    assert_eq!(fetch(&mut target, 100_000, 50_000), Ok(vec![(100_000, parts[2].clone())]));
    // Removed, it is a hole; the rest is served together.
    target.punch(Scope::Range { address: address("d", "a"), offset: 50_000, length: 50_000 }).unwrap();
    assert_eq!(fetch(&mut target, 0, 150_000).unwrap().len(), 2);
    // The offline check looks at what history still holds, too.
    target.mems.data.flip((start + 10) * 8);
    target.settle();
    target.check();
}

#[test]
fn a_dead_target_tells_but_does_not_mark() {
    let mut target = Target::new();
    let value = data(10_000, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    let start = find(&target, &value[..BLOCK_BYTES]);
    // Nothing fits the log any more.
    target.driven.devices.wal = Box::new(Mem::new(0));
    assert_eq!(target.update("d", "b", Shape::Single, &value), Err(Status::Io));
    target.mems.data.flip(start * 8);
    for _ in 0..2 {
        assert_eq!(target.fetch_single("d", "a"), Err(Status::Checksum));
    }
    assert_eq!((stats(&target).checksum_errors, stats(&target).marked), (2, 0));
    target.mems.data.flip(start * 8);
    assert_eq!(target.fetch_single("d", "a"), Ok(value));
}
