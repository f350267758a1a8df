//! Devices that do wrong under load and when a target is opened: detected or repaired, never a wrong value, never an
//! acknowledged one lost without a report.
//!
//! Every command of a workload is harmed in turn, in every way its kind can be. What must follow is asserted per role; the
//! table in engine/docs/store-proof.md is drawn from here.

use std::collections::BTreeMap;

use daos_store::{Devices, Event, Health};
use media::{Contents, Fault, Harm, On, Role, Rule};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use types::Status;

use crate::alphabet::Step;
use crate::enumerate::{Crashes, EVERY_POINT, Figures};
use crate::run::{Pace, Run, check_goes_on, devices, recover, start};
use crate::verdict::{Verdict, judge};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Everything the target does to its devices is in it: groups with and without data, seals, checkpoints, reclaim, reads.
const WORKLOAD: [Step; 19] = [
    Step::Small,
    Step::Large,
    Step::Read,
    Step::Checkpoint,
    Step::Stretch,
    Step::Medium,
    Step::Read,
    Step::Large,
    Step::Checkpoint,
    Step::Beside,
    Step::Piece,
    Step::PunchRange,
    Step::Rest,
    Step::Read,
    Step::Recreate,
    Step::Large,
    Step::Stretch,
    Step::Beside,
    Step::Read,
];

const PACES: [Pace; 2] = [Pace::Serial, Pace::Pipelined];

/// How often each outcome was met.
#[derive(Default)]
struct Tally(BTreeMap<String, u64>);

impl Tally {
    fn count(&mut self, outcome: String) {
        *self.0.entry(outcome).or_default() += 1;
    }

    fn print(&self, part: &str) {
        let outcomes: Vec<String> = self.0.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        println!("{part}: {}", outcomes.join(", "));
    }

    fn of(&self, outcome: &str) -> u64 {
        self.0.get(outcome).copied().unwrap_or(0)
    }
}

/// Commands of a kind that the workload gives a device when nothing goes wrong.
fn given(start: &[Contents], device: usize, on: On, pace: Pace) -> u64 {
    let mut run = Run::new(start, 3);
    let before = run.fault.executed(device, on);
    run.history(&WORKLOAD, pace);
    run.fault.executed(device, on) - before
}

/// All device numbers with their role and each command of a kind.
fn each_command(start: &[Contents], on: On, mut each: impl FnMut(usize, Role, u64, Pace)) {
    for (device, role) in Role::ALL.into_iter().enumerate() {
        for pace in PACES {
            for skip in 0..given(start, device, on, pace) {
                each(device, role, skip, pace);
            }
        }
    }
}

/// A write or flush that fails, once, and whatever comes after would succeed: the target stops for good.
pub(crate) fn failed_writes(part: &'static str) -> Figures {
    let start = start();
    let mut crashes = Crashes::default();
    let mut died = 0;
    for on in [On::Write, On::Flush] {
        each_command(&start, on, |device, role, skip, pace| {
            for error in [EIO, ENOSPC] {
                let mut run = Run::new(&start, 3);
                run.fault.harm(Rule { device, on, skip, count: 1, harm: Harm::Fail(error) });
                run.tolerated = vec![Status::Io];
                run.history(&WORKLOAD, pace);
                let what = || format!("{part}: {on:?} {skip} of {role:?} fails with {error}, {pace:?}");
                assert_eq!(run.unanswered(), 0, "{}: everything is answered", what());
                let Health::Dead { reason } = run.store.health() else { panic!("{}: it goes on", what()) };
                let named = format!("the {} slice failed", daos_store::Slice(role));
                assert!(reason.starts_with(&named), "{}: {reason}", what());
                let events = run.fault.events();
                run.history(&[Step::Small, Step::Checkpoint, Step::Rest], pace);
                assert_eq!(run.unanswered(), 0);
                assert_eq!(run.fault.events(), events, "{}: a dead target writes nothing", what());
                crashes.of(&run, EVERY_POINT, &what);
                died += 1;
            }
        });
    }
    println!("{part}: {died} targets died of it");
    assert!(died > 150, "{died}");
    crashes.figures
}

/// Reads of values that fail, or bring a wrong bit or another place: refused with the status and the event that say so, and right
/// when the device is.
pub(crate) fn wrong_reads(part: &'static str) -> Figures {
    let start = start();
    let mut tally = Tally::default();
    each_command(&start, On::Read, |device, role, skip, pace| {
        assert_eq!(role, Role::Data, "a running target reads nothing else");
        for harm in [Harm::Fail(EIO), Harm::Flip { bit: skip * 7919 }, Harm::Misdirect { offset: 77 * 4096 }] {
            let mut run = Run::new(&start, 3);
            run.fault.harm(Rule { device, on: On::Read, skip, count: 1, harm });
            run.tolerated = vec![Status::Io, Status::Checksum];
            run.history(&WORKLOAD, pace);
            let what = || format!("{part}: read {skip} meets {harm:?}, {pace:?}");
            assert_eq!((run.unanswered(), run.store.health()), (0, Health::Healthy), "{}", what());
            let event = run.store.take_event();
            match (harm, &event) {
                (_, None) if run.refused == 0 => tally.count(String::from("wrong bits beside the value")),
                (Harm::Fail(_), Some(Event::ReadFailed { .. })) => tally.count(String::from("failed reads reported")),
                (Harm::Flip { .. } | Harm::Misdirect { .. }, Some(Event::Checksum { inline: false, .. })) => {
                    tally.count(String::from("wrong values refused"));
                }
                _ => panic!("{}: {event:?}", what()),
            }
            assert_eq!(run.refused, usize::from(event.is_some()), "{}", what());
            // The same values are served now.
            run.tolerated.clear();
            run.history(&[Step::Read], pace);
            run.store.check().unwrap();
        }
    });
    tally.print(part);
    assert!(tally.of("failed reads reported") > 10 && tally.of("wrong values refused") > 10);
    Figures::default()
}

/// Writes that vanish or land elsewhere while the device says they are done.
pub(crate) fn lost_and_misdirected_writes(part: &'static str) -> Figures {
    let start = start();
    let mut tally = Tally::default();
    for sealed in [true, false] {
        each_command(&start, On::Write, |device, role, skip, pace| {
            // Beside where it belongs, over the first blocks, and somewhere else.
            let astray = |offset| Harm::Misdirect { offset };
            for harm in [Harm::Lose, astray(0), astray(4096), astray(4096 * (5 + 13 * skip))] {
                let mut run = Run::new(&start, 3);
                run.fault.harm(Rule { device, on: On::Write, skip, count: 1, harm });
                run.tolerated = vec![Status::Checksum];
                run.history(&WORKLOAD, pace);
                if sealed {
                    run.rest();
                }
                let what = || format!("{part}: write {skip} of {role:?} meets {harm:?}, {pace:?}, sealed: {sealed}");
                assert_eq!((run.unanswered(), run.store.health()), (0, Health::Healthy), "{}", what());
                run.store.check().unwrap_or_else(|error| panic!("{}: {error}", what()));
                let events = std::iter::from_fn(|| run.store.take_event()).count();
                assert!(events >= run.refused, "{}: {} refusals, {events} events", what(), run.refused);
                let last = run.fault.executed(device, On::Write) == skip + 1 + opened(&start, device);
                let verdict = judge(devices(run.contents()), run.last(), run.before_last_group(), &what);
                let right = match (role, verdict) {
                    (_, Verdict::Whole) => true,
                    // A group that is missing before one that is there; also when an older superblock takes over.
                    (Role::Wal, Verdict::Damaged(Role::Wal)) => true,
                    (Role::Meta, Verdict::Damaged(Role::Meta | Role::Wal)) => true,
                    (Role::Data, Verdict::Values(_)) => true,
                    // The window of disk-format.md: nothing follows the last group.
                    (Role::Wal, Verdict::Lost) => !sealed && (last || harm != Harm::Lose),
                    (Role::Data, Verdict::Dropped) => !sealed,
                    _ => false,
                };
                assert!(right, "{}: {verdict:?}", what());
                tally.count(format!("{role:?} {}{verdict:?}", if sealed { "sealed " } else { "" }));
            }
        });
    }
    tally.print(part);
    for outcome in ["Wal sealed Damaged(Wal)", "Meta sealed Damaged(Meta)", "Data sealed Values(1)", "Wal Lost"] {
        assert!(tally.of(outcome) > 0, "never {outcome}");
    }
    Figures::default()
}

/// Writes that opening a target takes.
fn opened(start: &[Contents], device: usize) -> u64 {
    Run::new(start, 3).fault.executed(device, On::Write)
}

/// Commands that are done long after all others, in every role: nothing that depends on one is acknowledged before, and afterwards all is well.
pub(crate) fn stalls(part: &'static str) -> Figures {
    let start = start();
    let mut crashes = Crashes::default();
    let mut stalled = 0;
    for on in [On::Read, On::Write, On::Flush] {
        each_command(&start, on, |device, role, skip, pace| {
            let mut run = Run::new(&start, 3);
            run.fault.harm(Rule { device, on, skip, count: 1, harm: Harm::Stall });
            run.history(&WORKLOAD, pace);
            let what = || format!("{part}: {on:?} {skip} of {role:?}, {pace:?}");
            stalled += run.queue.stalled();
            // Power may be lost while it stalls; what was acknowledged by then is there.
            let before = run.fault.events();
            run.queue.release();
            run.work_off();
            run.rest();
            assert_eq!((run.unanswered(), run.store.health()), (0, Health::Healthy), "{}", what());
            run.store.check().unwrap_or_else(|error| panic!("{}: {error}", what()));
            run.history(&[Step::Read], pace);
            let (_, found) = recover(run.contents(), &what);
            assert_eq!(found, *run.last(), "{}", what());
            assert!(run.fault.events() >= before);
            crashes.of(&run, crate::enumerate::Points { from: skip as usize % 3, stride: 3 }, &what);
        });
    }
    println!("{part}: {stalled} commands were released late");
    assert!(stalled > 100, "{stalled}");
    crashes.figures
}

/// A device whose end is gone under load: what reaches beyond fails like any other command.
pub(crate) fn shrinking(part: &'static str) -> Figures {
    let start = start();
    let mut tally = Tally::default();
    for (device, role) in Role::ALL.into_iter().enumerate() {
        for cut_after in 0..WORKLOAD.len() {
            for blocks in [0, 1, 3, 8] {
                let mut run = Run::new(&start, 3);
                run.tolerated = vec![Status::Io];
                run.history(&WORKLOAD[..cut_after], Pace::Serial);
                run.fault.shrink(device, blocks * 4096);
                run.history(&WORKLOAD[cut_after..], Pace::Serial);
                let what = || format!("{part}: {role:?} has {blocks} blocks after step {cut_after}");
                assert_eq!(run.unanswered(), 0, "{}", what());
                let event = run.store.take_event();
                match (run.store.health(), &event) {
                    (Health::Dead { reason }, Some(_)) => {
                        let named = format!("the {} slice failed", daos_store::Slice(role));
                        assert!(reason.starts_with(&named), "{}: {reason}", what());
                        tally.count(format!("{role:?} died"));
                    }
                    (Health::Healthy, Some(Event::ReadFailed { .. })) => tally.count(format!("{role:?} reads failed")),
                    (Health::Healthy, None) => tally.count(format!("{role:?} not touched beyond its end")),
                    other => panic!("{}: {other:?}", what()),
                }
                assert!(run.refused == 0 || event.is_some(), "{}", what());
            }
        }
    }
    tally.print(part);
    assert!(Role::ALL.iter().all(|role| tally.of(&format!("{role:?} died")) > 0));
    Figures::default()
}

/// Wrong bits, failures and wrong places in what is read and written when a target is opened, one at a time.
pub(crate) fn harm_at_opening(part: &'static str) -> Figures {
    let start = start();
    let mut tally = Tally::default();
    for sealed in [true, false] {
        let mut run = Run::new(&start, 3);
        run.history(&WORKLOAD, Pace::Serial);
        if sealed {
            run.rest();
        }
        for (device, role) in Role::ALL.into_iter().enumerate() {
            for on in [On::Read, On::Write, On::Flush] {
                for skip in 0..commands_of_opening(&run, device, on) {
                    for harm in harms_at_opening(on, skip) {
                        let fault = Fault::new(run.contents());
                        fault.harm(Rule { device, on, skip, count: 1, harm });
                        let what = || format!("{part}: {on:?} {skip} of {role:?} meets {harm:?}, sealed: {sealed}");
                        let verdict = judge(slices(&fault), run.last(), run.before_last_group(), &what);
                        fault.heal();
                        let right = match (harm, verdict) {
                            (Harm::Fail(_), Verdict::Failed(failed)) => failed == role,
                            (Harm::Fail(_), _) => false,
                            (_, Verdict::Whole | Verdict::Values(1)) => true,
                            (_, Verdict::Damaged(named)) => named == role || role == Role::Meta,
                            // The window of disk-format.md again.
                            (_, Verdict::Dropped | Verdict::Lost) => !sealed && role != Role::Meta,
                            _ => false,
                        };
                        assert!(right, "{}: {verdict:?}", what());
                        if matches!(harm, Harm::Fail(_)) {
                            // It was the device; the target is whole.
                            let again = judge(slices(&fault), run.last(), run.last(), &what);
                            assert_eq!(again, Verdict::Whole, "{}", what());
                        }
                        tally.count(format!("{role:?} {}{verdict:?}", if sealed { "sealed " } else { "" }));
                    }
                }
            }
        }
    }
    tally.print(part);
    for outcome in ["Wal Failed(Wal)", "Meta Failed(Meta)", "Data Failed(Data)", "Wal sealed Damaged(Wal)"] {
        assert!(tally.of(outcome) > 0, "never {outcome}");
    }
    Figures::default()
}

fn slices(fault: &Fault) -> Devices {
    Devices { wal: Box::new(fault.device(0)), meta: Box::new(fault.device(1)), data: Box::new(fault.device(2)) }
}

fn commands_of_opening(run: &Run, device: usize, on: On) -> u64 {
    let fault = Fault::new(run.contents());
    let mut slices = slices(&fault);
    daos_store::open(&mut slices, crate::target::IDENTITY, crate::run::memory(), crate::run::settings()).unwrap();
    fault.executed(device, on)
}

/// Several bits of each read, since most of what is read is empty.
fn harms_at_opening(on: On, skip: u64) -> Vec<Harm> {
    let mut random = StdRng::seed_from_u64(skip);
    match on {
        On::Read => {
            let mut harms = vec![Harm::Fail(EIO), Harm::Misdirect { offset: 0 }, Harm::Misdirect { offset: 9 * 4096 }];
            harms.extend((0..8).map(|n| Harm::Flip { bit: random.random_range(0..512 << (n % 4 * 2)) }));
            harms
        }
        On::Write => vec![Harm::Fail(EIO), Harm::Fail(ENOSPC)],
        On::Flush => vec![Harm::Fail(EIO)],
    }
}

/// Bits that turn at rest, anywhere in what was written.
pub(crate) fn rotten_bits(part: &'static str) -> Figures {
    let start = start();
    let mut tally = Tally::default();
    let mut random = StdRng::seed_from_u64(5);
    let mut run = Run::new(&start, 3);
    run.history(&WORKLOAD, Pace::Serial);
    run.rest();
    let contents = run.contents();
    for n in 0..if cfg!(feature = "long") { 300_000 } else { 6000 } {
        let (device, role) = (n % 3, Role::ALL[n % 3]);
        let mut bad = contents.clone();
        let bit = random.random_range(0..bad[device].used() * 8);
        bad[device].flip(bit);
        let what = || format!("{part}: bit {bit} of {role:?}");
        let verdict = judge(devices(bad), run.last(), run.last(), &what);
        let right = matches!(
            (role, verdict),
            (_, Verdict::Whole)
                | (Role::Data, Verdict::Values(1))
                | (Role::Wal, Verdict::Damaged(Role::Wal))
                | (Role::Meta, Verdict::Damaged(Role::Meta | Role::Wal))
        );
        assert!(right, "{}: {verdict:?}", what());
        tally.count(format!("{role:?} {verdict:?}"));
    }
    tally.print(part);
    for outcome in ["Wal Damaged(Wal)", "Meta Damaged(Meta)", "Data Values(1)"] {
        assert!(tally.of(outcome) > 50, "{outcome} only {}", tally.of(outcome));
    }
    Figures::default()
}

/// A target that lost a device's write goes on working when it opens at all.
pub(crate) fn goes_on_after_loss(part: &'static str) -> Figures {
    let start = start();
    let mut opened = 0;
    each_command(&start, On::Write, |device, role, skip, pace| {
        let mut run = Run::new(&start, 3);
        run.fault.harm(Rule { device, on: On::Write, skip, count: 1, harm: Harm::Lose });
        run.tolerated = vec![Status::Checksum];
        run.history(&WORKLOAD, pace);
        run.rest();
        let what = || format!("{part}: write {skip} of {role:?} is lost, {pace:?}");
        if judge(devices(run.contents()), run.last(), run.last(), &what) == Verdict::Whole {
            let (mut driven, _) = recover(run.contents(), &what);
            check_goes_on(&mut driven, &what);
            opened += 1;
        }
    });
    println!("{part}: {opened} targets went on");
    assert!(opened > 10);
    Figures::default()
}
