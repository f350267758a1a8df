//! Devices that do wrong under load and when a target is opened: detected or repaired, never a wrong value, never an
//! acknowledged one lost without a report.
//!
//! Every command of a workload is harmed in turn, in every way its kind can be. What must follow is asserted per role; the
//! table in engine/docs/store-proof.md is drawn from here.

mod failing;
mod lost;
mod opening;
mod reads;
mod stalls;

pub(crate) use failing::{failed_writes, shrinking};
pub(crate) use lost::{goes_on_after_loss, lost_and_misdirected_writes};
pub(crate) use opening::{harm_at_opening, rotten_bits};
pub(crate) use reads::{wrong_pages, wrong_reads};
pub(crate) use stalls::stalls;

use std::collections::BTreeMap;

use media::{Contents, On, Role};

use crate::alphabet::Step;
use crate::run::{Pace, Run};

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
