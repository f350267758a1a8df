//! `daos_engine`: the targets, the data port and the pool service of one engine instance in one process.
//!
//! Threads: one per target (crate xstream) and the system thread, a tokio runtime of one thread, which accepts connections,
//! serves the pool service and the local socket, and reports to `daos_server`. Start, states and shutdown are drawn in
//! engine/docs/engine-process.md.
#![allow(clippy::disallowed_methods)] // an IO crate: it owns the process, its clock, sockets and files

pub mod cli;
mod cores;
mod devices;
mod format;
mod interface;
mod local;
mod log;
mod notify;
mod offline;
mod peers;
mod port;
pub mod service;
mod start;
mod targets;

pub use cli::run;
