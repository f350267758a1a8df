//! Commands that are done long after all others.

use daos_store::Health;
use media::{Harm, On, Rule};

use super::{WORKLOAD, each_command};
use crate::alphabet::Step;
use crate::enumerate::{Crashes, Figures, Points};
use crate::run::{Run, recover, start};

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
            let (_, found) = recover(run.contents(), None, &what);
            assert_eq!(found, *run.last(), "{}", what());
            assert!(run.fault.events() >= before);
            crashes.of(&run, Points { from: skip as usize % 3, stride: 3 }, &what);
        });
    }
    println!("{part}: {stalled} commands were released late");
    assert!(stalled > 100, "{stalled}");
    crashes.figures
}
