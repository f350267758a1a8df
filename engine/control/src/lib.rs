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
pub mod engine;
pub mod pool;
mod rfc3339;
pub mod security;
pub mod system;
