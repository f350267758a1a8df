//! Loss of power at every point of many short histories, and of some long ones.
//!
//! A history runs on devices that keep a journal. For each point of the journal, and several choices of what became
//! of the writes that no flush covers, the devices are put back as they would be found, the target is opened, and must hold what
//! it held after some whole number of changes: no fewer than were acknowledged, no more than were submitted.

#[path = "../target/mod.rs"]
mod target;

mod history;
mod run;

use daos_store::{Command, Devices, Driven, Health, OpenError, format, open};
use history::{ALPHABET, Step, commands, read_all};
use media::Mem;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use run::{ARENA, GEOMETRY, Run, crash, memory, settings, start_images};
use target::{IDENTITY, MIB, PLACE, address, data};
use types::{ChecksumKind, Condition, Operation, Shape, Status};

#[test]
fn every_crash_of_every_short_history_recovers() {
    let images = start_images();
    let mut opened = 0;
    let mut histories = 0;
    for (n, first) in ALPHABET.iter().enumerate() {
        for (m, second) in ALPHABET.iter().enumerate() {
            // A third step for some pairs; all of them would take minutes.
            let third = ALPHABET[(n * 7 + m * 3) % ALPHABET.len()];
            let steps = [*first, *second, third];
            let length = if (n + m) % 3 == 0 { 3 } else { 2 };
            let mut run = Run::new(&images, (n * 100 + m) as u64);
            run.history(&steps[..length], (n + m) % 2 == 0);
            assert!(run.waiting.is_empty());
            opened += crash(&mut run, &steps[..length], 1);
            histories += 1;
        }
    }
    println!("{opened} crash images of {histories} short histories recovered");
    assert!(opened > 4000);
}

#[test]
fn crashes_of_long_random_histories_recover() {
    let images = start_images();
    let mut opened = 0;
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let steps: Vec<Step> = (0..60).map(|_| ALPHABET[random.random_range(0..ALPHABET.len())]).collect();
        let mut run = Run::new(&images, seed);
        run.history(&steps, seed % 2 == 0);
        assert!(run.waiting.is_empty());
        let stride = (run.fault.events() / 25).max(1);
        opened += crash(&mut run, &steps[..4], stride);
    }
    println!("{opened} crash images of 12 long histories recovered");
    assert!(opened > 1000);
}

#[test]
fn crashes_around_the_end_of_the_log_recover() {
    let images = start_images();
    let mut run = Run::new(&images, 1);
    // 400 groups of about 5 KiB pass the end of a log of 1 MiB twice; the checkpoints it forces are crashed too.
    let value = data(4000, 1);
    for n in 0..400 {
        let (akey, checksums) = ("s", erasure::checksums(ChecksumKind::Crc32c, &value));
        let operation = Operation::Update {
            address: address("d", akey),
            shape: Shape::Single,
            condition: Condition::Always,
            checksums,
            data: value.clone(),
        };
        run.submit(Command::Operate { place: PLACE, operation });
        while run.work() {}
        if n % 40 == 0 {
            run.rest();
        }
    }
    let stats = run.store.stats();
    assert!(stats.wal_bytes > 2 * MIB && stats.checkpoints >= 3, "{stats:?}");
    let stride = run.fault.events() / 120;
    let opened = crash(&mut run, &[Step::Small(0)], stride);
    println!("{opened} crash images around the end of the log recovered");
}

#[test]
fn crashes_in_a_checkpoint_of_several_batches_recover() {
    let images = start_images();
    let mut run = Run::new(&images, 2);
    // 90 values of a page each; the meta slice has 80 slots to spare, so one batch is not enough.
    for n in 0..90 {
        let value = data(4000, n);
        let checksums = erasure::checksums(ChecksumKind::Crc32c, &value);
        let (address, shape, condition) = (address("d", "s"), Shape::Single, Condition::Always);
        let operation = Operation::Update { address, shape, condition, checksums, data: value };
        run.submit(Command::Operate { place: PLACE, operation });
    }
    while run.work() {}
    let before = run.fault.events();
    run.history(&[Step::Checkpoint], true);
    let superblocks = run.fault.events() - before;
    assert!(run.store.stats().checkpoint_pages > 90, "{:?}", run.store.stats());
    run.history(&[Step::Small(1), Step::Checkpoint], false);
    let opened = crash(&mut run, &[Step::Checkpoint], 1);
    println!("{opened} crash images of a checkpoint of {superblocks} writes and flushes recovered");
}

#[test]
fn after_a_failed_write_or_flush_nothing_more_is_acknowledged_or_written() {
    let images = start_images();
    let steps = [
        Step::Small(1),
        Step::Large(2),
        Step::Checkpoint,
        Step::Array(90, 9000),
        Step::Recreate,
        Step::Rest,
        Step::Small(2),
    ];
    let events = {
        let mut run = Run::new(&images, 3);
        run.history(&steps, true);
        run.fault.events() as u64
    };
    for countdown in 0..events {
        for error in [libc_errors::EIO, libc_errors::ENOSPC] {
            let mut run = Run::new(&images, 3);
            let opened_with = run.fault.events();
            run.fault.fail_after(countdown.saturating_sub(opened_with as u64), error);
            run.failed = true;
            run.history(&steps, countdown % 2 == 0);
            assert!(run.waiting.is_empty(), "everything is answered");
            assert!(matches!(run.store.health(), Health::Dead { .. }), "countdown {countdown}");
            let events = run.fault.events();
            run.submit(commands(Step::Small(9), 0).remove(0));
            while run.work() {}
            assert!(run.waiting.is_empty());
            assert_eq!(run.fault.events(), events, "a dead target writes nothing");
            let what = format!("countdown {countdown} error {error}");
            run.check_image(run.fault.images(), usize::MAX, &what);
        }
    }
}

mod libc_errors {
    //! Error numbers of Linux.
    pub(crate) const EIO: i32 = 5;
    pub(crate) const ENOSPC: i32 = 28;
}

#[test]
fn a_flipped_bit_is_detected_or_harmless() {
    let mut run = Run::new(&start_images(), 5);
    let steps = [
        Step::Small(1),
        Step::Array(100, 50),
        Step::Checkpoint,
        Step::Large(2),
        Step::Checkpoint,
        Step::Array(90, 9000),
        Step::PunchRange,
        Step::Rest,
    ];
    run.history(&steps, false);
    let images = run.fault.images();
    let expected = run.states.last().unwrap().clone().unwrap();
    let mut random = StdRng::seed_from_u64(5);
    let (mut detected, mut harmless, mut refused) = (0, 0, 0);
    for n in 0..3000 {
        let region = n % 3;
        // Where something is written, and its neighbourhood.
        let used = images[region].iter().rposition(|&byte| byte != 0).unwrap() + 512;
        let mut bad = images.clone();
        let bit = random.random_range(0..used * 8);
        bad[region][bit / 8] ^= 1 << (bit % 8);
        let mut mems = bad.into_iter().map(Mem::from_image);
        let mut next = || Box::new(mems.next().unwrap());
        let devices = Devices { wal: next(), meta: next(), data: next() };
        match Driven::open(devices, IDENTITY, memory(), settings()) {
            Err(OpenError::Io { .. }) => panic!("memory does not fail"),
            Err(_) => detected += 1,
            Ok((mut driven, _)) => match read_all(&mut driven) {
                Ok(found) => {
                    assert_eq!(found.as_ref(), Some(&expected), "bit {bit} of region {region}");
                    harmless += 1;
                }
                Err(status) => {
                    assert_eq!(status, Status::Checksum, "bit {bit} of region {region}");
                    assert!(driven.store.take_event().is_some());
                    refused += 1;
                }
            },
        }
    }
    println!("of 3000 flipped bits {detected} were found at open, {refused} at a fetch, {harmless} did no harm");
    assert!(detected > 300 && refused > 300, "{detected} {refused}");
}

#[test]
fn damage_in_the_middle_of_the_log_is_told_apart_from_a_torn_end() {
    let mut run = Run::new(&start_images(), 6);
    run.history(&[Step::Small(1), Step::Small(2), Step::Small(3)], false);
    let mut images = run.fault.images();
    // The seventh block is in the middle of what these steps and the creation of the pool wrote.
    let groups = images[0].chunks(4096).take_while(|block| block.starts_with(b"DWAL")).count();
    assert!(groups >= 5, "{groups}");
    images[0][(groups - 2) * 4096 + 100] ^= 1;
    let mut mems = images.into_iter().map(Mem::from_image);
    let mut next = || Box::new(mems.next().unwrap());
    let devices = Devices { wal: next(), meta: next(), data: next() };
    let Err(error) = Driven::open(devices, IDENTITY, memory(), settings()) else { panic!("it must not open") };
    let OpenError::Damaged { offset, .. } = &error else { panic!("{error}") };
    assert_eq!(*offset, (groups as u64 - 2) * 4096);
    assert!(error.to_string().starts_with("the wal slice is damaged at byte"), "{error}");
}

#[test]
fn a_target_opens_only_for_its_owner_and_size() {
    let mems = target::Mems::new(&GEOMETRY);
    let formatted = format(&mut mems.devices(), IDENTITY, ARENA);
    assert!(formatted.is_ok());
    let stranger = daos_store::Identity { target: types::TargetIndex(9), ..IDENTITY };
    assert!(matches!(open(&mut mems.devices(), stranger, memory(), settings()), Err(OpenError::WrongIdentity { .. })));
    let small = Box::new(vec![0; ARENA as usize / 2]);
    assert!(matches!(open(&mut mems.devices(), IDENTITY, small, settings()), Err(OpenError::WrongSize { .. })));
    let blank = target::Mems::new(&GEOMETRY);
    assert!(matches!(open(&mut blank.devices(), IDENTITY, memory(), settings()), Err(OpenError::NoSuperblock { .. })));
    assert!(open(&mut mems.devices(), IDENTITY, memory(), settings()).is_ok());
}
