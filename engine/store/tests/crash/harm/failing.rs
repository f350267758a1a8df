//! Writes and flushes that fail, and devices that end too early, under load.

use daos_store::{Event, Health};
use media::{Harm, On, Role, Rule};
use types::Status;

use super::{EIO, ENOSPC, Tally, WORKLOAD, each_command};
use crate::alphabet::Step;
use crate::enumerate::{Crashes, EVERY_POINT, Figures};
use crate::run::{Pace, Run, start};

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
