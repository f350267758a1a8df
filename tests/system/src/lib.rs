//! The harness of the system suite: a cluster of real processes in a folder of its own.
//!
//! [`Cluster`] writes the three YAML files of the deployment guide (`fixtures/`, with the substitutions of
//! `configuration.rs` and nothing else), starts `daos_server` and `daos_agent`, formats, and takes everything down again
//! when it is dropped. What it started, mounted and wrote is removed also when the test is killed: [`Guard`] sees to that.
//! Waiting is always for a state, with a deadline. All ports are on loopback. Device files lie in `TMPDIR` and take up to
//! 10 GiB at a time; a cluster waits until there is room for it.
//!
//! Settings, from the environment:
//! - `DAOS_SUITE_KILLS`: kills of the test under load (25);
//! - `DAOS_SUITE_PROGRAMS`: a folder with the programs to test, instead of building them;
//! - `DAOS_SUITE_KEEP`: leave the folder of each cluster behind, to be looked at.
#![allow(clippy::disallowed_methods)] // a suite: it starts processes and writes files

mod cluster;
mod configuration;
mod device;
mod disk;
mod guard;
mod large;
mod members;
mod namespace;
mod ports;
mod programs;
mod value;
mod visitor;
mod volume;
mod writer;

pub use cluster::Cluster;
pub use configuration::Options;
pub use device::DeviceFile;
pub use guard::{Guard, sweep};
pub use large::Large;
pub use members::Member;
pub use namespace::mounted_device;
pub use ports::free_port;
pub use programs::{Outcome, cargo_build, outside_cargo, profile_folder, program};
pub use value::pattern;
pub use visitor::Visitor;
pub use volume::Volume;
pub use writer::Writer;

use std::time::{Duration, Instant};

/// How long a start, a join or a stop may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Polls `state` until it gives something, or panics after `limit` with `what`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut state: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(value) = state() {
            return value;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A runtime for the client library.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a process may start a thread")
}
