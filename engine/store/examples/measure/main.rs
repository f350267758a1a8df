//! Measures one target on one core: operations per second and their latency, on a device file driven as the engine drives it.
//!
//! `measure values FILE [SECONDS [PART]]` updates and fetches values of 1 MiB (`large`), 4 KiB (`blocks`) and 100 bytes (`small`) at several
//! depths; `measure keys FILE N` fills a target with N keys and tells what they cost. One `figure=value` line per figure. FILE must be there: its length is the device's, and
//! what it holds is lost. Used by `scripts/bench store` and `store-keys`; how to read the figures: engine/docs/performance.md.
#![allow(clippy::disallowed_methods)] // a measurement reads the clock

mod driver;
mod keys;
mod target;
mod values;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: measure values FILE [SECONDS [large|blocks|small]] | measure keys FILE N";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // As the engine does at its start.
    let origin = std::time::Instant::now();
    if let Ok(choice) = erasure::Choice::named("auto", || origin.elapsed()) {
        choice.install();
    }
    let done = match arguments[..] {
        ["values", file] => values::measure(Path::new(file), Duration::from_secs(4), &values::PARTS),
        ["values", file, seconds, ref parts @ ..] => match seconds.parse() {
            Ok(seconds) => {
                let parts = if parts.is_empty() { &values::PARTS } else { parts };
                values::measure(Path::new(file), Duration::from_secs(seconds), parts)
            }
            Err(_) => Err(format!("`{seconds}` is no number of seconds\n{USAGE}")),
        },
        ["keys", file, count] => match count.parse() {
            Ok(count) if count >= keys::LEAST => keys::measure(Path::new(file), count),
            _ => Err(format!("`{count}` is no number of keys from {} on\n{USAGE}", keys::LEAST)),
        },
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}
