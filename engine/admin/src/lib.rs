//! `dmg` and `daos`: the two command lines.
//!
//! Thin: they read arguments and files, ask a server or an engine, and print. Each command gives a [`output::Report`]
//! or a failure; `output` alone decides what of it reaches the terminal and with which exit code. `dmg` talks gRPC to
//! servers (`dmg`), `daos` uses the client library (`daos`).

#![allow(clippy::disallowed_methods)] // an IO crate: configuration files, environment, terminals and sockets

pub mod daos;
pub mod dmg;
pub mod output;
mod owner;
