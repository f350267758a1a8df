//! daos_server: the control plane of one host.
//!
//! Reads `daos_server.yml`, formats storage, starts and supervises one `daos_engine` per entry of `engines:`, serves
//! gRPC to `dmg`, agents and other servers, and, on the first management replica, keeps the membership and the pool
//! list. No data passes through here. Protocol, states and files are in engine/docs/control-plane.md.
//!
//! Decisions are pure (`system::member`, `system::membership`, `engine::restart`, `pool`, `storage::plan`); the actors
//! around them do the IO.

#![allow(clippy::disallowed_methods)] // this crate is one of the walls: it owns processes, files, clocks and sockets

pub mod certs;
pub mod cli;
pub mod engine;
mod fault_domain;
mod grpc;
mod harness;
mod lock;
mod log;
mod management;
mod network;
pub mod pool;
mod ras;
mod rfc3339;
pub mod security;
mod server;
pub mod storage;
pub mod system;
mod telemetry;

pub use server::{Options, Server};
