//! Bad input and missing parts: each a clear error with a hint, exit 1 or 2, nothing half-done, and the cluster goes on.
#![allow(clippy::disallowed_methods)] // a suite: it writes files and runs programs

mod absence;
mod certificates;
mod commands;
mod damage;
mod devices;
mod garbage;
mod space;
mod versions;

use system_suite::{Cluster, Options};

fn cluster_with_pool() -> Cluster {
    let cluster = Cluster::start(Options::default());
    fill(&cluster);
    cluster
}

/// A pool, a container and a value.
fn fill(cluster: &Cluster) {
    cluster.dmg(&["pool", "create", "tank", "--size=80%"]).ok();
    cluster.daos(&["container", "create", "tank", "things"]).ok();
    cluster.daos(&["kv", "put", "tank", "things", "apple", "red"]).ok();
}

#[track_caller]
fn still_works(cluster: &Cluster) {
    assert_eq!(cluster.daos(&["kv", "get", "tank", "things", "apple"]).ok().stdout, "red");
}
