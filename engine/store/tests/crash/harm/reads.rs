//! Reads that fail or bring something else, under load.

use daos_store::{Event, Health};
use media::{Harm, On, Role, Rule};
use types::Status;

use super::{EIO, Tally, WORKLOAD, each_command};
use crate::alphabet::Step;
use crate::enumerate::Figures;
use crate::run::{Run, start};

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
