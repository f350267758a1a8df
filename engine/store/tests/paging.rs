//! Metadata larger than memory: what comes back, what a bad page does, and that the limit holds.

mod target;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use daos_store::{Command, Driven, Event, Health, OpenError, Paging, Reply, Residence};
use media::{Buffer, Device, Mem, Memory, PagedMemory};
use target::{IDENTITY, MIB, OBJECT, PLACE, Target, address, data, geometry, key, residence};
use types::{Condition, Epoch, Level, Operation, Scope, Shape, Status};

const KIB: u64 = 1 << 10;

fn name(n: u64) -> String {
    format!("key {:06}", n * 7919 % 1_000_000)
}

fn value(n: u64) -> Bytes {
    data(300 + (n % 500) as usize, n)
}

/// A target with `count` values of about half a KiB in its arena.
fn filled(arena: u64, limit: u64, count: u64) -> Target {
    let mut target = Target::limited(geometry(arena, 4 * MIB, 4 * MIB), arena / 4 * 3, 3 * MIB, Some(limit));
    for n in 0..count {
        target.update(&name(n), "a", Shape::Single, &value(n)).unwrap();
    }
    target
}

#[test]
fn metadata_ten_times_the_limit_is_kept_and_read_back_under_it() {
    let limit = 512 * KIB;
    let count = 8000;
    let mut target = filled(16 * MIB, limit, count);
    let within = |target: &Target| {
        let stats = target.driven.store.stats();
        assert!(stats.resident_bytes <= limit && stats.over_limit_pages == 0, "{stats:?}");
        stats
    };
    let stats = within(&target);
    assert!(stats.evictions > 1000 && stats.page_ins > 1000, "{stats:?}");
    match target.run(Command::ContainerQuery(PLACE)) {
        Reply::ContainerUsed(Ok(used)) => assert!(used.scm_bytes > 10 * limit, "{used:?}"),
        other => panic!("{other:?}"),
    }
    for round in 0..2 {
        for n in 0..count {
            assert_eq!(target.fetch_single(&name(n), "a").unwrap(), value(n), "{n} in round {round}");
        }
        within(&target);
        // The log is as long as it may be without a checkpoint of its own.
        for n in 0..200 {
            target.update(&name(n), "a", Shape::Single, &value(n)).unwrap();
        }
        target.reopen();
        assert_eq!(target.recovery.pages, 0);
        within(&target);
    }
    let mut names: Vec<Bytes> = (0..count).map(|n| Bytes::from(name(n))).collect();
    names.sort();
    assert_eq!(target.list(&Level::Dkeys(OBJECT), Epoch::MAX), names);
    within(&target);
    target.check();
    target.settle();
    assert!(target.driven.store.stats().resident_bytes <= limit);
}

#[test]
fn a_limit_lowered_between_two_starts_is_kept_after_the_first_checkpoint() {
    let mut target = filled(16 * MIB, 4 * MIB, 3000);
    let limit = 128 * KIB;
    target.limit = Some(limit);
    target.reopen();
    let stats = target.driven.store.stats();
    assert!(stats.over_limit_pages > 0, "{stats:?}");
    target.update("one more", "a", Shape::Single, &value(1)).unwrap();
    target.checkpoint();
    for n in 0..3000 {
        assert_eq!(target.fetch_single(&name(n), "a").unwrap(), value(n));
    }
    let stats = target.driven.store.stats();
    assert!(stats.resident_bytes <= limit, "{stats:?}");
}

#[test]
fn a_list_finds_the_names_behind_many_that_are_gone() {
    let mut target = filled(16 * MIB, 96 * KIB, 2000);
    let mut names: Vec<String> = (0..2000).map(name).collect();
    names.sort();
    let last = names.split_off(1990);
    for gone in &names {
        target.punch(Scope::Dkey(OBJECT, key(gone))).unwrap();
    }
    let listed = target.list(&Level::Dkeys(OBJECT), Epoch::MAX);
    assert_eq!(listed, last.into_iter().map(Bytes::from).collect::<Vec<_>>());
    let stats = target.driven.store.stats();
    assert!(stats.over_limit_pages < 8, "{stats:?}");
    // What is below one name is looked at in one go, so this may take more; afterwards it is given back.
    assert_eq!(target.list(&Level::Objects, Epoch::MAX).len(), 1);
    target.punch(Scope::Dkey(OBJECT, key("nothing"))).unwrap();
    let stats = target.driven.store.stats();
    assert!(stats.over_limit_pages > 8 && stats.resident_bytes <= 96 * KIB, "{stats:?}");
}

/// Opens a target whose values were checkpointed, over devices of which page-ins see `meta`.
fn reopened_over(target: &Target, meta: Box<dyn Device>) -> Driven {
    let memory = residence(target.geometry.arena_bytes, meta, target.limit);
    Driven::open(target.mems.devices(), IDENTITY, memory, target.settings).unwrap().0
}

fn fetch(driven: &mut Driven, dkey: &str) -> Result<(), Status> {
    let (selection, epoch) = (types::Selection::Single, Epoch::MAX);
    let operation = Operation::Fetch { address: address(dkey, "a"), selection, epoch };
    match driven.run(Command::Operate { place: PLACE, operation }, Epoch(1 << 60)) {
        Reply::Operated(answer) => answer.map(|_| ()),
        other => panic!("{other:?}"),
    }
}

fn update(driven: &mut Driven, dkey: &str) -> Result<(), Status> {
    let (data, shape, condition) = (value(1), Shape::Single, Condition::Always);
    let operation = Operation::Update {
        address: address(dkey, "a"),
        shape,
        condition,
        checksums: erasure::checksums(types::ChecksumKind::Crc32c, &data),
        data,
    };
    match driven.run(Command::Operate { place: PLACE, operation }, Epoch(1 << 60)) {
        Reply::Operated(answer) => answer.map(|_| ()),
        other => panic!("{other:?}"),
    }
}

/// The target died: it says so once, answers everything, and writes nothing.
fn assert_dead(driven: &mut Driven, target: &Target, reason: &str) {
    let images = (target.mems.wal.image(), target.mems.meta.image());
    let Health::Dead { reason: found } = driven.store.health() else { panic!("it lives") };
    assert!(found.contains(reason) && found.contains("meta slice") && found.contains("at byte "), "{found}");
    assert_eq!(driven.store.take_event(), Some(Event::Died { reason: found }));
    assert_eq!(driven.store.take_event(), None);
    assert_eq!(update(driven, "another"), Err(Status::Io));
    assert!(matches!(driven.run(Command::Checkpoint, Epoch(1 << 60)), Reply::Done(Err(Status::Io))));
    while driven.step() {}
    driven.store.tick(Epoch(1 << 61));
    while driven.step() {}
    assert!(images == (target.mems.wal.image(), target.mems.meta.image()), "a dead target writes nothing");
}

#[test]
fn a_page_that_does_not_match_its_checksum_stops_the_target() {
    let mut target = filled(4 * MIB, 128 * KIB, 500);
    target.checkpoint();
    target.settle();
    let meta = target.mems.meta.image();
    // Behind two superblocks and two copies of three chunks of the map lie the images.
    let images: Vec<usize> = (8..meta.len() / 4096).filter(|n| meta[n * 4096..][..4096] != [0; 4096]).collect();
    let (mut met, mut met_at_open) = (0, 0);
    for (n, image) in images.iter().enumerate() {
        let bad = Mem::from_image(meta.clone());
        for image in [*image, images[n / 2]] {
            bad.flip((image as u64 * 4096 + 77) * 8 + n as u64 % 8);
        }
        let memory = residence(target.geometry.arena_bytes, Box::new(bad), target.limit);
        match Driven::open(target.mems.devices(), IDENTITY, memory, target.settings) {
            Err(OpenError::Damaged { reason, .. }) => {
                assert!(reason.contains("does not match its checksum"));
                met_at_open += 1;
            }
            Err(other) => panic!("{other}"),
            Ok((mut driven, _)) => {
                let answers: Vec<_> = (0..500).map(|n| fetch(&mut driven, &name(n))).collect();
                if driven.store.health() == Health::Healthy {
                    continue;
                }
                assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Status::Io))));
                assert!(answers.contains(&Err(Status::Io)));
                assert!(driven.store.stats().checksum_errors > 0);
                assert_dead(&mut driven, &target, "does not match its checksum");
                met += 1;
            }
        }
    }
    assert!(met > 50 && met_at_open > 0, "damage was met {met_at_open} times at the opening and {met} times later");
}

/// A device that reads so many times and then fails.
struct Failing {
    inner: Mem,
    reads: Arc<AtomicUsize>,
}

impl Device for Failing {
    fn length(&self) -> u64 {
        self.inner.length()
    }
    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()> {
        let left = self.reads.load(Ordering::Relaxed);
        self.reads.store(left.checked_sub(1).ok_or_else(|| io::Error::from_raw_os_error(5))?, Ordering::Relaxed);
        self.inner.read(offset, buffer)
    }
    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()> {
        self.inner.write(offset, buffer)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn a_page_that_cannot_be_read_stops_the_target_in_the_middle_of_a_change() {
    let mut target = filled(4 * MIB, 128 * KIB, 1000);
    target.checkpoint();
    let mut updates = 0;
    for lucky in 0..40 {
        let reads = Arc::new(AtomicUsize::new(usize::MAX));
        let meta = Failing { inner: target.mems.meta.clone(), reads: reads.clone() };
        let mut driven = reopened_over(&target, Box::new(meta));
        for n in 0..lucky {
            fetch(&mut driven, &name(n * 13)).unwrap();
        }
        let before = driven.store.check();
        assert_eq!(before, Ok(()));
        // The check took everything in; an update lets go of most of it.
        update(&mut driven, &name(lucky)).unwrap();
        reads.store(0, Ordering::Relaxed);
        while update(&mut driven, &name(updates * 31 % 1000)).is_ok() {
            updates += 1;
        }
        assert!(driven.store.stats().io_errors > 0);
        assert_dead(&mut driven, &target, "cannot be read");
        // The half-run change was undone: once the pages can be read again, everything fits together.
        reads.store(usize::MAX, Ordering::Relaxed);
        assert_eq!(driven.store.check(), Ok(()));
        target.reopen();
        target.check();
    }
    assert!(updates > 0, "some updates found their pages in memory");
}

#[test]
fn a_bad_page_met_while_nobody_asks_stops_the_target_too() {
    let mut target = filled(4 * MIB, 128 * KIB, 1000);
    for n in 0..1000 {
        target.update(&name(n), "a", Shape::Single, &value(n + 1)).unwrap();
    }
    target.checkpoint();
    let reads = Arc::new(AtomicUsize::new(usize::MAX));
    let meta = Failing { inner: target.mems.meta.clone(), reads: reads.clone() };
    let mut driven = reopened_over(&target, Box::new(meta));
    reads.store(0, Ordering::Relaxed);
    // Reclaim walks the history.
    for minute in 1..10 {
        driven.store.tick(Epoch(target.now.0 + minute * 60 * target::SECOND));
    }
    assert_dead(&mut driven, &target, "cannot be read");
}

#[test]
fn a_limit_too_small_to_work_with_is_refused() {
    let target = filled(4 * MIB, 128 * KIB, 10);
    let memory = residence(4 * MIB, Box::new(target.mems.meta.clone()), Some(28 * KIB));
    match Driven::open(target.mems.devices(), IDENTITY, memory, target.settings) {
        Err(error @ OpenError::LittleMemory { .. }) => {
            assert!(error.to_string().contains("hint: raise `scm_mem_ratio`"));
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn pages_in_a_file_come_and_go_like_those_of_anonymous_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut target = filled(4 * MIB, 128 * KIB, 500);
    target.checkpoint();
    let memory = Memory::file(&folder.path().join("arena"), 4 << 20).and_then(PagedMemory::new).unwrap();
    let paging = Paging { memory, limit_bytes: 128 * KIB, meta: Box::new(target.mems.meta.clone()) };
    let (mut driven, _) =
        Driven::open(target.mems.devices(), IDENTITY, Residence::from(paging), target.settings).unwrap();
    for n in 0..500 {
        fetch(&mut driven, &name(n)).unwrap();
    }
    assert!(driven.store.stats().evictions > 100);
}

/// Whichever page cannot be brought in while changes wait for room, and a list takes turns: all are answered.
#[test]
fn whoever_waits_is_answered_when_a_page_cannot_be_brought_in() {
    let mut target = Target::limited(geometry(16 * MIB, 8 * MIB, 16 * MIB), 8 * MIB, 8 * MIB, Some(96 * KIB));
    for n in 0..850 {
        target.update(&name(n % 40), "a", Shape::Single, &data(8000, n)).unwrap();
    }
    for n in 0..1000 {
        target.update("many", &name(n), Shape::Single, &value(n)).unwrap();
    }
    target.checkpoint();
    let place = PLACE;
    let large = |n: u64| {
        let data = data(2 << 20, n);
        let checksums = erasure::checksums(types::ChecksumKind::Crc32c, &data);
        let (shape, condition) = (Shape::Single, Condition::Always);
        let operation = Operation::Update { address: address("large", &name(n)), shape, condition, checksums, data };
        Command::Operate { place, operation }
    };
    let images = (target.mems.wal.image(), target.mems.meta.image(), target.mems.data.image());
    let mut died = 0;
    for read in 0..120 {
        let [wal, meta, data] = [&images.0, &images.1, &images.2].map(|image| Mem::from_image(image.clone()));
        let reads = Arc::new(AtomicUsize::new(usize::MAX));
        let failing = Box::new(Failing { inner: meta.clone(), reads: reads.clone() });
        let memory = residence(target.geometry.arena_bytes, failing, target.limit);
        let devices = daos_store::Devices { wal: Box::new(wal), meta: Box::new(meta), data: Box::new(data) };
        let (mut driven, _) = Driven::open(devices, IDENTITY, memory, target.settings).unwrap();
        reads.store(read, Ordering::Relaxed);
        let now = Epoch(1 << 60);
        let level = Level::Akeys(OBJECT, key("many"));
        let list = Operation::List { level, after: vec![], limit: 1000, epoch: Epoch::MAX };
        let mut open: Vec<_> = [large(1), large(2), Command::Operate { place, operation: list }, large(3), large(4)]
            .into_iter()
            .map(|command| driven.submit(command, now))
            .collect();
        for _ in 0..10_000 {
            while driven.step() {}
            while let Some((token, reply)) = driven.store.take_reply() {
                assert!(open.contains(&token), "answered twice: {reply:?}");
                open.retain(|one| *one != token);
            }
            if open.is_empty() {
                break;
            }
            driven.store.tick(now);
        }
        assert!(open.is_empty(), "read {read}: {} commands are never answered", open.len());
        died += u32::from(driven.store.health() != Health::Healthy);
    }
    assert!(died > 60, "{died}");
}
