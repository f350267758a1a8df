//! The library against a system in memory: two ranks of two targets, a pool service and an agent, on real sockets.
//!
//! `shard` is what one target holds, `engine` a rank that serves it and can misbehave on request, `fake` the whole system.
#![allow(clippy::disallowed_methods)] // sockets, and deadlines of waits

mod engine;
mod failures;
mod fake;
mod lists;
mod pools;
mod ranks;
mod shard;
mod snapshots;
mod values;
