//! Targets that must not open, or only for their owner.

use daos_store::{OpenError, format, open};

use crate::alphabet::Step;
use crate::run::{ARENA, GEOMETRY, Pace, Run, devices, memory, settings, start};
use crate::target::{IDENTITY, Mems};
use media::Device;

#[test]
fn damage_in_the_middle_of_the_log_is_told_apart_from_a_torn_end() {
    let mut run = Run::new(&start(), 6);
    run.history(&[Step::Small, Step::Small, Step::Small], Pace::Serial);
    let mut images = run.contents();
    let groups = images[0].to_bytes().chunks(4096).take_while(|block| block.starts_with(b"DWAL")).count();
    assert!(groups >= 5, "{groups}");
    images[0].flip(((groups as u64 - 2) * 4096 + 100) * 8);
    let error = open(&mut devices(images), IDENTITY, memory(), settings()).map(|_| ()).unwrap_err();
    let OpenError::Damaged { offset, .. } = &error else { panic!("{error}") };
    assert_eq!(*offset, (groups as u64 - 2) * 4096);
    assert!(error.to_string().starts_with("the wal slice is damaged at byte"), "{error}");
}

#[test]
fn a_target_opens_only_for_its_owner_and_size() {
    let mems = Mems::new(&GEOMETRY);
    let formatted = format(&mut mems.devices(), IDENTITY, ARENA);
    assert!(formatted.is_ok());
    let stranger = daos_store::Identity { target: types::TargetIndex(9), ..IDENTITY };
    assert!(matches!(open(&mut mems.devices(), stranger, memory(), settings()), Err(OpenError::WrongIdentity { .. })));
    let small = Box::new(vec![0; ARENA as usize / 2]);
    assert!(matches!(open(&mut mems.devices(), IDENTITY, small, settings()), Err(OpenError::WrongSize { .. })));
    let blank = Mems::new(&GEOMETRY);
    assert!(matches!(open(&mut blank.devices(), IDENTITY, memory(), settings()), Err(OpenError::NoSuperblock { .. })));
    assert!(open(&mut mems.devices(), IDENTITY, memory(), settings()).is_ok());
}

/// A truncated device file is refused before anything is written, and opens again at its former size.
#[test]
fn a_device_that_shrank_is_refused_by_name() {
    let mut run = Run::new(&start(), 8);
    run.history(&[Step::Large, Step::Checkpoint, Step::Small], Pace::Serial);
    for (number, what) in ["wal slice", "meta slice", "data slice"].iter().enumerate() {
        let mut images = run.contents();
        let length = images[number].length();
        images[number].truncate(length / 2);
        match open(&mut devices(images), IDENTITY, memory(), settings()) {
            Err(OpenError::WrongSize { what: named, found, expected }) => {
                assert_eq!((named, found, expected), (*what, length / 2, length));
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("half of the {what} is missing"),
        }
    }
    assert!(open(&mut devices(run.contents()), IDENTITY, memory(), settings()).is_ok());
}
