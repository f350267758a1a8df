//! The workloads that are crashed.

use daos_store::{Command, MIN_LIMIT_BYTES, Probe};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use types::{Condition, Operation, Scope, Shape, Status};

use crate::alphabet::{ALPHABET, OTHER_POOL, Step, operate, single, update};
use crate::enumerate::{Crashes, EVERY_POINT, Figures, Points};
use crate::run::{Pace, Run, start};
use crate::target::{MIB, OBJECT, address, data};

const LONG: bool = cfg!(feature = "long");

/// Seeds of the order in which pipelined commands are executed.
const PIPELINES: u64 = if LONG { 5 } else { 1 };

/// All sequences of one, two and three steps whose first step is of this quarter of the alphabet.
pub(crate) fn sequences(part: &'static str, quarter: usize) -> Figures {
    let start = start();
    let mut crashes = Crashes::default();
    for first in ALPHABET.iter().skip(quarter).step_by(4) {
        let mut all = vec![vec![*first]];
        for second in ALPHABET {
            all.push(vec![*first, second]);
            all.extend(ALPHABET.iter().map(|third| vec![*first, second, *third]));
        }
        for steps in all {
            for seed in 0..=PIPELINES {
                let pace = if seed == 0 { Pace::Serial } else { Pace::Pipelined };
                let mut run = Run::new(&start, seed);
                run.history(&steps, pace);
                assert_eq!(run.unanswered(), 0, "{steps:?}");
                crashes.of(&run, EVERY_POINT, &|| format!("{part}: {steps:?} {pace:?} {seed}"));
            }
        }
    }
    crashes.figures
}

fn random_steps(seed: u64) -> Vec<Step> {
    let mut random = StdRng::seed_from_u64(seed);
    let step = |n| if n == 0 { Step::Read } else { ALPHABET[n - 1] };
    (0..60).map(|_| step(random.random_range(0..=ALPHABET.len()))).collect()
}

/// Histories and crashes in so little memory that pages come and go all the time, and changes wait for them to be saved.
pub(crate) fn in_little_memory(part: &'static str) -> Figures {
    let start = start();
    let mut all = Figures::default();
    for seed in 0..if LONG { 60 } else { 6 } {
        let limit = MIN_LIMIT_BYTES << (seed % 3);
        let mut crashes = Crashes::limited(limit);
        let mut run = Run::limited(&start, seed, Some(limit));
        run.tolerated = vec![Status::NoSpace];
        // One by one: a change that waits for memory gets a later epoch than the model expects.
        run.history(&random_steps(1000 + seed), Pace::Serial);
        run.finish(Command::Checkpoint);
        // More pages than memory has.
        fill(&mut run, 3900);
        run.history(&[Step::Checkpoint, Step::Read, Step::PunchRange, Step::Medium, Step::Rest], Pace::Serial);
        assert_eq!(run.unanswered(), 0, "seed {seed}");
        let stats = run.store.stats();
        assert!(stats.evictions > 100 && stats.page_ins > 10, "{stats:?}");
        let stride = if LONG { 3 } else { run.fault.events() / 60 + 1 };
        let from = seed as usize % stride;
        crashes.of(&run, Points { from, stride }, &|| format!("{part}: seed {seed}"));
        all += crashes.figures;
    }
    all
}

pub(crate) fn long_random_histories(part: &'static str) -> Figures {
    let start = start();
    let mut crashes = Crashes::default();
    for seed in 0..if LONG { 400 } else { 12 } {
        let steps = random_steps(seed);
        let pace = if seed % 3 == 0 { Pace::Serial } else { Pace::Pipelined };
        let mut run = Run::new(&start, seed);
        run.history(&steps, pace);
        run.rest();
        assert_eq!(run.unanswered(), 0, "seed {seed}");
        let stride = if LONG { 1 } else { 4 };
        let from = seed as usize % stride;
        crashes.of(&run, Points { from, stride }, &|| format!("{part}: seed {seed}, {steps:?}"));
    }
    crashes.figures
}

/// 400 groups of about 5 KiB pass the end of a log of 1 MiB twice; the checkpoints that they force are crashed too.
pub(crate) fn around_the_end_of_the_log(part: &'static str) -> Figures {
    let mut crashes = Crashes::default();
    let mut run = Run::new(&start(), 1);
    for n in 0..400 {
        run.submit(single(4000, n));
        run.work_off();
        if n % 40 == 0 {
            run.rest();
        }
    }
    let stats = run.store.stats();
    assert!(stats.wal_bytes > 2 * MIB && stats.checkpoints >= 3, "{stats:?}");
    let stride = if LONG { 1 } else { 7 };
    crashes.of(&run, Points { from: 0, stride }, &|| String::from(part));
    crashes.figures
}

/// Nearly the whole arena is dirty, and nearly as many slots of the meta slice are in use: one batch is not enough.
pub(crate) fn a_checkpoint_of_several_batches(part: &'static str) -> Figures {
    let mut crashes = Crashes::default();
    for seed in 0..if LONG { 8 } else { 2 } {
        let mut run = Run::new(&start(), seed);
        run.tolerated = vec![Status::NoSpace];
        let pieces = fill(&mut run, 3900);
        run.finish(Command::Checkpoint);
        run.history(&[Step::PunchObject, Step::Rest], Pace::Serial);
        run.tolerated.clear();
        // Several in a group, so that the log is not full before the arena is.
        for n in 0..pieces - 5 {
            run.submit(piece(n, 3900));
            if n % 8 == 7 {
                run.work_off();
            }
        }
        run.work_off();
        let (before, batches) = (run.fault.events(), Probe::CheckpointBatch.count());
        // Removals while it is under way.
        let around = [Step::Checkpoint, Step::PunchRange, Step::PunchAkey, Step::Checkpoint, Step::PunchDkey];
        run.history(&around, Pace::Pipelined);
        run.history(&[Step::Rest, Step::Small, Step::Checkpoint], Pace::Serial);
        assert!(Probe::CheckpointBatch.count() > batches, "{:?}", run.store.stats());
        assert_eq!(run.unanswered(), 0);
        crashes.of(&run, Points { from: before, stride: 1 }, &|| format!("{part}: seed {seed}"));
    }
    crashes.figures
}

/// Pieces of an array that do not hide one another, so that there is nothing to reclaim.
fn piece(n: u64, length: usize) -> Command {
    update(("d", "a"), Shape::array(n * (length as u64 + 10)), Condition::Always, data(length, n))
}

/// Writes pieces until one is refused; how many there are then.
pub(crate) fn fill(run: &mut Run, length: usize) -> u64 {
    let refused = run.refused;
    for n in 0..1000 {
        run.finish(piece(n, length));
        if run.refused > refused {
            return n;
        }
    }
    panic!("there is room for everything");
}

/// History that goes: superseded values in the arena and in the data slice, tombstones, hidden extents, containers.
pub(crate) fn reclaim_of_history_and_graves(part: &'static str) -> Figures {
    let start = start();
    let mut crashes = Crashes::default();
    let rounds: [&[Step]; 7] = [
        &[Step::Small, Step::Medium, Step::Large, Step::Large, Step::Small],
        &[Step::Piece, Step::Stretch, Step::PunchRange, Step::Stretch, Step::Piece, Step::Read],
        &[Step::Small, Step::Beside, Step::PunchAkey, Step::Stretch, Step::PunchDkey, Step::PunchObject],
        &[Step::Large, Step::Stretch, Step::Medium, Step::Recreate, Step::Pool],
        &[Step::Large, Step::Recreate, Step::Stretch, Step::Recreate, Step::Small],
        &[Step::Append, Step::Append, Step::Snapshot, Step::Append, Step::Append, Step::Aggregate, Step::Unsnapshot],
        &[
            Step::Small,
            Step::Prepare,
            Step::Snapshot,
            Step::Large,
            Step::Commit,
            Step::Snapshot,
            Step::Aggregate,
            Step::Discard,
        ],
    ];
    for seed in 0..if LONG { 20 } else { 2 } {
        for (n, round) in rounds.iter().enumerate() {
            let mut run = Run::new(&start, seed);
            let pace = if seed % 2 == 0 { Pace::Serial } else { Pace::Pipelined };
            for _ in 0..3 {
                run.history(round, pace);
                run.rest();
            }
            run.history(&[Step::Checkpoint], pace);
            assert_eq!(run.unanswered(), 0);
            crashes.of(&run, EVERY_POINT, &|| format!("{part}: round {n}, seed {seed}"));
        }
    }
    crashes.figures
}

/// Values until the pool, the data slice or the arena has no room, removals that make some, and values again.
pub(crate) fn no_space_left(part: &'static str) -> Figures {
    let mut crashes = Crashes::default();
    type Workload = fn(&mut Run);
    let workloads: [(&str, Workload); 5] = [
        ("values in the data slice", |run| fill_and_empty(run, 16_000)),
        ("values in the arena", |run| fill_and_empty(run, 3_900)),
        ("an arena in pieces", an_arena_in_pieces),
        ("a data slice in pieces", a_data_slice_in_pieces),
        ("a pool in the place of one that goes", a_pool_after_another),
    ];
    for (name, workload) in workloads {
        let mut run = Run::new(&start(), 7);
        run.tolerated = vec![Status::NoSpace];
        workload(&mut run);
        assert_eq!(run.unanswered(), 0, "{name}");
        let stride = run.fault.events() / if LONG { 2000 } else { 100 } + 1;
        crashes.of(&run, Points { from: 0, stride }, &|| format!("{part}: {name}"));
    }
    crashes.figures
}

fn fill_and_empty(run: &mut Run, length: usize) {
    for round in 0..3 {
        fill(run, length);
        let refused = run.refused;
        run.finish(operate(Operation::Punch { scope: Scope::Object(OBJECT), condition: Condition::Always }));
        assert_eq!(run.refused, refused, "room is kept for removals");
        // Once at once, once when time has passed.
        if round == 1 {
            run.rest();
        }
        run.finish(update(("d", "a"), Shape::array(0), Condition::Always, data(length, 1)));
        assert_eq!(run.refused, refused, "there is room again");
        run.finish(Command::Checkpoint);
    }
}

/// Every page is half full: the pool has room by its books, but no page is free.
fn an_arena_in_pieces(run: &mut Run) {
    fill(run, 2000);
    let hole = |n: u64, length| {
        let scope = Scope::Range { address: address("d", "a"), offset: n * 2010, length };
        operate(Operation::Punch { scope, condition: Condition::Always })
    };
    for n in (0..340).step_by(2) {
        run.finish(hole(n, 2005));
    }
    run.rest();
    let refused = run.refused;
    for n in 0..100 {
        let shape = Shape::array(700_000 + n * 4000);
        run.finish(update(("d", "a"), shape, Condition::Always, data(3900, n)));
    }
    assert!(run.refused > refused, "there are pages left");
    // Removals go on, from the reserve.
    let refused = run.refused;
    for n in 0..300 {
        run.finish(hole(n, 7));
    }
    assert_eq!(run.refused, refused, "room is kept for removals");
    run.history(&[Step::Checkpoint, Step::PunchObject, Step::Rest, Step::Medium], Pace::Serial);
}

/// Every second value goes: the pool has room by its books, but no free extent is long enough.
fn a_data_slice_in_pieces(run: &mut Run) {
    let pieces = fill(run, 8000);
    let punch = |n: u64| {
        let scope = Scope::Range { address: address("d", "a"), offset: n * 8010, length: 8005 };
        operate(Operation::Punch { scope, condition: Condition::Always })
    };
    let long = |n: u64| {
        let shape = Shape::array(500_000 + n * 50_000);
        update(("d", "a"), shape, Condition::Always, data(40_000, n))
    };
    for n in (0..pieces).step_by(2) {
        run.finish(punch(n));
    }
    run.rest();
    let refused = run.refused;
    for n in 0..4 {
        run.finish(long(n));
    }
    assert!(run.refused > refused, "there is an extent left");
    // The other half goes, and what needs its room does not wait for anything to be asked of the target.
    for n in (1..pieces).step_by(2) {
        run.submit(punch(n));
    }
    run.work_off();
    for n in 4..8 {
        run.finish(long(n));
    }
    run.history(&[Step::Checkpoint, Step::PunchObject, Step::Rest, Step::Large], Pace::Serial);
}

/// A pool is asked for whose promise can only be kept when one that is being taken down is gone.
fn a_pool_after_another(run: &mut Run) {
    run.history(&[Step::Small, Step::Large], Pace::Serial);
    let create = Command::PoolCreate { pool: OTHER_POOL, scm_bytes: 1024, data_bytes: 64 << 10 };
    for _ in 0..3 {
        run.submit(create.clone());
        run.submit(Command::PoolDestroy(OTHER_POOL));
        run.submit(create.clone());
        run.rest();
        run.finish(Command::PoolDestroy(OTHER_POOL));
    }
}
