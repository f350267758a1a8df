//! Reads that fail or bring something else, under load.

use daos_store::{Event, Health, MIN_LIMIT_BYTES};
use media::{Contents, Harm, On, Role, Rule};
use types::Status;

use super::{EIO, Tally, WORKLOAD, each_command};
use crate::alphabet::Step;
use crate::enumerate::Figures;
use crate::run::{Pace, Run, recover, start};
use crate::workloads::fill;

/// Reads of values that fail: refused with the status and the event that say so, and right when the device is. Reads that bring a wrong
/// bit or another place once: the second try is served, and the event says so.
pub(crate) fn wrong_reads(part: &'static str) -> Figures {
    let start = start();
    let mut tally = Tally::default();
    each_command(&start, On::Read, |device, role, skip, pace| {
        assert_eq!(role, Role::Data, "a running target reads nothing else");
        for harm in [Harm::Fail(EIO), Harm::Flip { bit: skip * 7919 }, Harm::Misdirect { offset: 77 * 4096 }] {
            let mut run = Run::new(&start, 3);
            run.fault.harm(Rule { device, on: On::Read, skip, count: 1, harm });
            run.tolerated = vec![Status::Io];
            run.history(&WORKLOAD, pace);
            let what = || format!("{part}: read {skip} meets {harm:?}, {pace:?}");
            assert_eq!((run.unanswered(), run.store.health()), (0, Health::Healthy), "{}", what());
            let event = run.store.take_event();
            match (harm, &event) {
                (_, None) if run.refused == 0 => tally.count(String::from("wrong bits beside the value")),
                (Harm::Fail(_), Some(Event::ReadFailed { .. })) => tally.count(String::from("failed reads reported")),
                (Harm::Flip { .. } | Harm::Misdirect { .. }, Some(Event::Unsteady { .. })) => {
                    tally.count(String::from("wrong values read again"));
                }
                _ => panic!("{}: {event:?}", what()),
            }
            assert_eq!(run.refused, usize::from(matches!(event, Some(Event::ReadFailed { .. }))), "{}", what());
            // The same values are served now.
            run.tolerated.clear();
            run.history(&[Step::Read], pace);
            run.store.check().unwrap();
        }
    });
    tally.print(part);
    assert!(tally.of("failed reads reported") > 10 && tally.of("wrong values read again") > 10);
    Figures::default()
}

/// More metadata than the memory that there is for it.
fn in_little_memory(start: &[Contents], rule: Option<Rule>) -> Run {
    let mut run = Run::limited(start, 3, Some(MIN_LIMIT_BYTES));
    if let Some(rule) = rule {
        run.fault.harm(rule);
    }
    run.tolerated = vec![Status::NoSpace, Status::Io];
    run.history(&WORKLOAD, Pace::Serial);
    fill(&mut run, 3900);
    run.history(&[Step::Checkpoint, Step::Read, Step::PunchRange, Step::Medium, Step::Rest, Step::Read], Pace::Serial);
    run
}

/// Pages of metadata that cannot be read back, or come back wrong, while the target runs: it serves and keeps nothing wrong.
pub(crate) fn wrong_pages(part: &'static str) -> Figures {
    const META: usize = 1;
    let start = start();
    let opened = Run::limited(&start, 3, Some(MIN_LIMIT_BYTES)).fault.executed(META, On::Read);
    let reads = in_little_memory(&start, None).fault.executed(META, On::Read) - opened;
    let mut tally = Tally::default();
    for skip in (0..reads).step_by(reads as usize / PAGES_HARMED + 1) {
        for harm in [Harm::Fail(EIO), Harm::Flip { bit: skip * 7919 }, Harm::Misdirect { offset: 4096 * (skip % 200) }]
        {
            let run = in_little_memory(&start, Some(Rule { device: META, on: On::Read, skip, count: 1, harm }));
            let what = || format!("{part}: read {skip} of {reads} meets {harm:?}");
            assert_eq!(run.unanswered(), 0, "{}", what());
            match run.store.health() {
                Health::Dead { reason } => {
                    assert!(reason.starts_with("the meta slice failed"), "{}: {reason}", what());
                    tally.count(String::from("targets stopped"));
                }
                Health::Healthy => tally.count(String::from("reads did no harm")),
            }
            // It was the device's answer; what is stored is right.
            let (_, found) = recover(run.contents(), None, &what);
            let possible = run.possible(usize::MAX).iter().any(|state| **state == found);
            assert!(possible, "{}: there is {found:?}", what());
        }
    }
    tally.print(part);
    assert!(tally.of("targets stopped") > PAGES_HARMED as u64);
    Figures::default()
}

/// Page-ins that are harmed, of all there are.
const PAGES_HARMED: usize = if cfg!(feature = "long") { 400 } else { 30 };
