//! `daos_engine`: the targets, the data port and the pool service of one engine instance in one process.
#![allow(clippy::disallowed_methods)] // an IO crate: it owns the process, its clock, sockets and files

pub mod service;
