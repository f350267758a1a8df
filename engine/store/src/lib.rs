//! One target: versioned objects made durable by a write-ahead log.
//!
//! A pure state machine over devices: commands and IO completions go in, IO commands and replies come out. It never
//! blocks, reads no clock and starts no thread; the thread that owns the target does the IO.

mod command;

pub use command::{Command, PoolSpace, Reply, Space, Token};
