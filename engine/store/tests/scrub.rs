//! The scrubber: finds what rots before anyone asks for it, in its time, and leaves alone what changes meanwhile.

mod target;

use daos_store::{Command, Event, Reply, ScrubMode, Scrubbing, Stats};
use media::{BLOCK_BYTES, Io, IoKind, Role, execute};
use target::{MIB, PLACE, SECOND, Target, address, data};
use types::{ChecksumKind, Epoch, Shape, Status};

const DAY_S: u32 = 86_400;

fn scrub(target: &mut Target, mode: ScrubMode, period_s: u32) {
    let command = Command::PoolScrub(PLACE.pool, Scrubbing { mode, period_s });
    assert_eq!(target.run(command), Reply::Done(Ok(())));
}

fn stats(target: &Target) -> Stats {
    target.driven.store.stats()
}

/// Where the value whose bytes start like this lies in the data slice.
fn find(target: &Target, start: &[u8]) -> u64 {
    let image = target.mems.data.image();
    (image.chunks(BLOCK_BYTES).position(|block| block == start).expect("the value is on the device") * BLOCK_BYTES)
        as u64
}

/// Lets time pass in steps until a pass is over.
fn pass(target: &mut Target, step: u64) -> u64 {
    let before = stats(target).scrub_passes;
    let begun = target.now;
    for _ in 0..100_000 {
        target.now = Epoch(target.now.0 + step);
        target.driven.settle(target.now);
        if stats(target).scrub_passes > before {
            return target.now.0 - begun.0;
        }
    }
    panic!("the pass never ends: {:?}", stats(target));
}

#[test]
fn damage_is_found_with_its_place_marked_and_stays_so() {
    for kind in ChecksumKind::ALL {
        let mut target = Target::of_kind(kind);
        let values: Vec<_> = (0..20).map(|n| data(if n % 2 == 0 { 100 } else { 3 * MIB as usize / 2 }, n)).collect();
        for (n, value) in values.iter().enumerate() {
            target.update(&format!("d{n}"), "a", Shape::Single, value).unwrap();
        }
        let start = find(&target, &values[7][..BLOCK_BYTES]);
        // In the second stretch of the value.
        target.mems.data.flip((start + MIB + 40_000) * 8);
        scrub(&mut target, ScrubMode::Lazy, DAY_S);
        pass(&mut target, SECOND / 100);
        let Some(Event::Checksum(damage)) = target.driven.store.take_event() else { panic!("it is told") };
        assert_eq!((damage.offset, damage.length, damage.scrubbed), (start + MIB + 32_768, 32_768, true));
        assert_eq!(damage.address, address("d7", "a"));
        assert_eq!(target.driven.store.take_event(), None);
        let told = stats(&target);
        assert_eq!((told.scrub_found, told.marked, told.checksum_errors), (1, 1, 1));
        // Everything but what follows the damage in its value.
        let bytes: u64 = values.iter().map(|value| value.len() as u64).sum();
        assert_eq!(told.scrubbed_bytes, bytes);
        target.reopen();
        for (n, value) in values.iter().enumerate() {
            let expected = if n == 7 { Err(Status::Checksum) } else { Ok(value.clone()) };
            assert_eq!(target.fetch_single(&format!("d{n}"), "a"), expected);
        }
        // The setting holds over the restart, and what is marked is not told again.
        pass(&mut target, SECOND / 100);
        assert_eq!(target.driven.store.take_event(), None);
        assert_eq!(stats(&target).scrub_found, 0);
    }
}

#[test]
fn nothing_is_read_unless_it_is_asked_for() {
    let mut target = Target::new();
    target.update("d", "a", Shape::Single, &data(10_000, 1)).unwrap();
    for _ in 0..100 {
        target.now = Epoch(target.now.0 + SECOND);
        target.driven.settle(target.now);
    }
    assert_eq!((stats(&target).scrubbed_bytes, stats(&target).scrub_passes), (0, 0));
    scrub(&mut target, ScrubMode::Lazy, DAY_S);
    pass(&mut target, SECOND);
    let once = stats(&target).scrubbed_bytes;
    assert_eq!(once, 10_000);
    // Not again before its time.
    target.now = Epoch(target.now.0 + 1000 * SECOND);
    target.driven.settle(target.now);
    assert_eq!(stats(&target).scrubbed_bytes, once);
    target.now = Epoch(target.now.0 + u64::from(DAY_S) * SECOND);
    target.driven.settle(target.now);
    pass(&mut target, SECOND);
    assert_eq!(stats(&target).scrubbed_bytes, 2 * once);
    let gone = Command::PoolScrub(types::PoolId(uuid::Uuid::nil()), Scrubbing::default());
    assert_eq!(target.run(gone), Reply::Done(Err(Status::Nonexistent)));
}

#[test]
fn a_timed_pass_takes_the_time_it_has_and_a_lazy_one_waits_for_peace() {
    let mut target = Target::new();
    for n in 0..40 {
        target.update(&format!("d{n}"), "a", Shape::Single, &data(MIB as usize, n)).unwrap();
    }
    scrub(&mut target, ScrubMode::Timed, 1000);
    let took = pass(&mut target, SECOND);
    assert!((900 * SECOND..=1001 * SECOND).contains(&took), "{} s", took / SECOND);
    scrub(&mut target, ScrubMode::Lazy, 1);
    let before = stats(&target).scrubbed_bytes;
    for n in 0..50 {
        target.fetch_single(&format!("d{}", n % 40), "a").unwrap();
        target.now = Epoch(target.now.0 + SECOND);
        target.driven.settle(target.now);
    }
    // The first tick of a settled second follows a fetch.
    assert_eq!(stats(&target).scrubbed_bytes, before, "somebody was served all the time");
    assert!(pass(&mut target, SECOND / 100) < 10 * SECOND);
}

/// Lets the scrubber begin to read a stretch, and holds the command back.
fn stretch(target: &mut Target) -> Io {
    for _ in 0..1000 {
        target.now = Epoch(target.now.0 + SECOND / 50);
        target.driven.store.tick(target.now);
        while let Some(io) = target.driven.store.take_io() {
            if matches!((io.role, &io.kind), (Role::Data, IoKind::Read { .. })) {
                return io;
            }
            let devices = &mut target.driven.devices;
            let device = match io.role {
                Role::Wal => &mut devices.wal,
                Role::Meta => &mut devices.meta,
                Role::Data => &mut devices.data,
            };
            target.driven.store.complete(execute(&mut **device, io));
        }
    }
    panic!("the scrubber never reads");
}

#[test]
fn what_is_freed_while_it_is_read_is_no_damage_and_not_reused() {
    let mut target = Target::new();
    let value = data(3 * MIB as usize, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    let start = find(&target, &value[..BLOCK_BYTES]);
    scrub(&mut target, ScrubMode::Lazy, DAY_S);
    let io = stretch(&mut target);
    assert_eq!(target.run(Command::ContainerDestroy(PLACE)), Reply::Done(Ok(())));
    assert_eq!(target.run(Command::ContainerCreate(PLACE, target.kind)), Reply::Done(Ok(())));
    for n in 0..40 {
        target.update(&format!("d{n}"), "a", Shape::Single, &data(MIB as usize, 50 + n)).unwrap();
    }
    target.checkpoint();
    assert_eq!(find(&target, &value[..BLOCK_BYTES]), start, "the bytes under way stay");
    target.mems.data.flip(start * 8);
    let done = execute(&mut *target.driven.devices.data, io);
    target.driven.store.complete(done);
    target.settle();
    assert_eq!((stats(&target).scrub_found, stats(&target).marked, target.driven.store.take_event()), (0, 0, None));
    assert_eq!(target.fetch_single("d7", "a"), Ok(data(MIB as usize, 57)));
    target.check();
}

#[test]
fn a_bit_that_flips_on_the_way_is_told_and_nothing_is_marked() {
    let mut target = Target::new();
    let value = data(100_000, 1);
    target.update("d", "a", Shape::Single, &value).unwrap();
    let start = find(&target, &value[..BLOCK_BYTES]);
    scrub(&mut target, ScrubMode::Lazy, DAY_S);
    let io = stretch(&mut target);
    target.mems.data.flip(start * 8);
    let done = execute(&mut *target.driven.devices.data, io);
    target.mems.data.flip(start * 8);
    target.driven.store.complete(done);
    target.settle();
    assert_eq!(target.driven.store.take_event(), Some(Event::Unsteady { offset: start, length: 100_000 }));
    assert_eq!((stats(&target).scrub_found, stats(&target).scrub_passes), (0, 1));
    assert_eq!(target.fetch_single("d", "a"), Ok(value));
    target.check();
}
