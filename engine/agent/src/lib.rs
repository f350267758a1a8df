//! `daos_agent`: tells the clients of one host where the engines of a system are, over a Unix socket.
//!
//! Asked for attach info or the pool list, it asks `daos_server` over gRPC (`grpc`), keeps the answer (`attach`) and
//! adds the network interface to use (`interface`). It never touches data and holds no state that it could not ask for
//! again. `grpc` is also `dmg`'s way to the servers.

#![allow(clippy::disallowed_methods)] // an IO crate: sockets, certificate files, sysfs and the clock

pub mod attach;
pub mod grpc;
pub mod interface;
