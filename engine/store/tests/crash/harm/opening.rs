//! Wrong bits, failures and wrong places when a target is opened.

use daos_store::Devices;
use media::{Fault, Harm, On, Role, Rule};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{EIO, ENOSPC, Tally, WORKLOAD};
use crate::enumerate::Figures;
use crate::fsck;
use crate::run::{Pace, Run, devices, start};
use crate::verdict::{Verdict, judge};

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
        let finds_damage = fsck::finds_damage(&bad);
        let verdict = judge(devices(bad), run.last(), run.last(), &what);
        let says_damage = matches!(verdict, Verdict::Damaged(_) | Verdict::Values(_));
        assert_eq!(finds_damage, says_damage, "{}: the offline check sees something else than {verdict:?}", what());
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
