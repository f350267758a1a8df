//! The harness of the system suite: a cluster of real processes in a folder of its own.
//!
//! [`Cluster`] writes the three YAML files, starts `daos_server` and `daos_agent`, formats, and takes everything down
//! again when it is dropped, also after a panic: processes it started (by their ids), the tmpfs it mounted, its folder.
//! Waiting is always for a state, with a deadline. All ports are on loopback.
#![allow(clippy::disallowed_methods)] // a suite: it starts processes and writes files

mod cluster;
mod programs;
mod value;

pub use cluster::{Cluster, Options};
pub use programs::{Outcome, program};
pub use value::pattern;

use std::time::{Duration, Instant};

/// Polls `state` until it gives something, or panics after `limit` with `what`.
pub fn wait_for<T>(what: &str, limit: Duration, mut state: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(value) = state() {
            return value;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
