//! The control plane as a whole: real sockets, real files, real processes, and a fake engine in place of the data path.

#![allow(clippy::disallowed_methods)] // tests own their files and processes

mod cluster;
mod guard;
mod hosts;
mod pools;
mod program;
mod startup;
mod storage;
mod supervision;
mod tls;
