//! Loss of power at every point of all short workloads and of many long ones, and devices that do wrong.
//!
//! A workload runs on devices that keep a journal, beside a model (`state`). `enumerate` crashes it: for each point of
//! the journal, and many choices of what became of the writes that no flush covers, the devices are put back as they would be found. The target
//! is opened, everything in it is checked, and it must hold what it held after some whole number of changes: no fewer than were acknowledged,
//! no more than were submitted. Then it must go on working. What each check means, and the figures: engine/docs/store-proof.md.

#[path = "../target/mod.rs"]
mod target;

mod alphabet;
mod enumerate;
mod fsck;
mod harm;
mod observe;
mod opening;
mod run;
mod state;
mod verdict;
mod workloads;

use std::io::Write;
use std::sync::OnceLock;

use daos_store::Probe;
use enumerate::Figures;

/// The parts of the enumeration. Each runs once per process, whoever asks first.
static PARTS: [Part; 19] = [
    Part::new("all sequences up to length 3, first quarter", |part| workloads::sequences(part, 0)),
    Part::new("all sequences up to length 3, second quarter", |part| workloads::sequences(part, 1)),
    Part::new("all sequences up to length 3, third quarter", |part| workloads::sequences(part, 2)),
    Part::new("all sequences up to length 3, last quarter", |part| workloads::sequences(part, 3)),
    Part::new("long random histories", workloads::long_random_histories),
    Part::new("around the end of the log", workloads::around_the_end_of_the_log),
    Part::new("a checkpoint of several batches", workloads::a_checkpoint_of_several_batches),
    Part::new("reclaim of history and graves", workloads::reclaim_of_history_and_graves),
    Part::new("no space left", workloads::no_space_left),
    Part::new("failed writes and flushes", harm::failed_writes),
    Part::new("wrong reads", harm::wrong_reads),
    Part::new("lost and misdirected writes", harm::lost_and_misdirected_writes),
    Part::new("stalls", harm::stalls),
    Part::new("shrinking devices", harm::shrinking),
    Part::new("harm at opening", harm::harm_at_opening),
    Part::new("rotten bits", harm::rotten_bits),
    Part::new("going on after a loss", harm::goes_on_after_loss),
    Part::new("little memory", workloads::in_little_memory),
    Part::new("wrong pages", harm::wrong_pages),
];

/// The least crash points (with a fate each) whose images were opened, in all parts together.
const OPENED_LEAST: u64 = if cfg!(feature = "long") { 1_000_000 } else { 100_000 };

struct Part {
    name: &'static str,
    enumerate: fn(&'static str) -> Figures,
    figures: OnceLock<Figures>,
}

impl Part {
    const fn new(name: &'static str, enumerate: fn(&'static str) -> Figures) -> Part {
        Part { name, enumerate, figures: OnceLock::new() }
    }

    /// Enumerates, or waits for who does already.
    fn figures(&self) -> Figures {
        *self.figures.get_or_init(|| {
            let figures = (self.enumerate)(self.name);
            if figures.workloads > 0 {
                println!("{}: {figures}", self.name);
            }
            figures
        })
    }
}

macro_rules! part_tests {
    ($($name:ident = $number:literal;)*) => {
        $(
            #[test]
            fn $name() {
                PARTS[$number].figures();
            }
        )*
    };
}

part_tests! {
    every_crash_of_every_short_sequence_recovers_first_quarter = 0;
    every_crash_of_every_short_sequence_recovers_second_quarter = 1;
    every_crash_of_every_short_sequence_recovers_third_quarter = 2;
    every_crash_of_every_short_sequence_recovers_last_quarter = 3;
    crashes_of_long_random_histories_recover = 4;
    crashes_around_the_end_of_the_log_recover = 5;
    crashes_in_a_checkpoint_of_several_batches_recover = 6;
    crashes_of_reclaim_recover = 7;
    crashes_of_a_full_target_recover = 8;
    a_failed_write_or_flush_ends_all_acknowledgements = 9;
    wrong_reads_are_refused_and_reported = 10;
    lost_and_misdirected_writes_are_found = 11;
    stalled_commands_hold_back_what_depends_on_them = 12;
    a_shrinking_device_fails_like_any_other = 13;
    harm_at_opening_is_named = 14;
    rotten_bits_are_found_or_harmless = 15;
    what_opens_after_a_loss_goes_on = 16;
    crashes_recover_where_pages_come_and_go = 17;
    a_page_that_comes_back_wrong_stops_the_target = 18;
}

#[test]
fn enough_crash_points_were_opened() {
    let mut all = Figures::default();
    for part in &PARTS {
        all += part.figures();
    }
    // Past the test runner, which keeps the output of what passes: the count belongs to every run.
    writeln!(std::io::stderr(), "crash suite, in all: {all}").expect("the standard error is there");
    assert!(all.opened >= OPENED_LEAST, "{all}");
}

#[test]
fn every_rare_path_was_taken() {
    for part in &PARTS {
        part.figures();
    }
    let mut never = Vec::new();
    for probe in Probe::ALL {
        println!("{:>9} x {probe:?}", probe.count());
        if probe.count() == 0 {
            never.push(probe);
        }
    }
    assert!(never.is_empty(), "no workload took {never:?}");
}
