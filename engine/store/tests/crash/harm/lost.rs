//! Writes that a device acknowledges and does not do, or does elsewhere.

use daos_store::Health;
use media::{Contents, Harm, On, Role, Rule};
use types::Status;

use super::{Tally, WORKLOAD, each_command};
use crate::enumerate::Figures;
use crate::fsck;
use crate::run::{Run, check_goes_on, devices, recover, start};
use crate::verdict::{Verdict, judge};

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
                // A value is told once; marked, it is refused without another look.
                assert!(run.refused == 0 || events > 0, "{}: {} refusals, no event", what(), run.refused);
                let last = run.fault.executed(device, On::Write) == skip + 1 + opened(&start, device);
                let finds_damage = fsck::finds_damage(&run.contents());
                let verdict = judge(devices(run.contents()), run.last(), run.before_last_group(), &what);
                let says_damage = matches!(verdict, Verdict::Damaged(_) | Verdict::Values(_));
                // Values of the past are not read here.
                let agrees = finds_damage == says_damage || role == Role::Data && finds_damage;
                assert!(agrees, "{}: the offline check sees something else than {verdict:?}", what());
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
            let (mut driven, _) = recover(run.contents(), None, &what);
            check_goes_on(&mut driven, run.last(), &what);
            opened += 1;
        }
    });
    println!("{part}: {opened} targets went on");
    assert!(opened > 10);
    Figures::default()
}
