//! Devices: the only crate that opens them, and the ring through which a target's thread does its IO.
//!
//! A device carries a label and is cut into one slice per target and role (`label`, drawn in
//! engine/docs/disk-format.md). Opening, formatting and recovery use the blocking [`Device`]; a running target emits
//! [`Io`] commands, which its thread executes on the ring (`ring`) or, in tests, on any `Device`.

mod buffer;
mod device;

pub use buffer::{BLOCK_BYTES, Buffer};
pub use device::{Device, Done, Io, IoKind, Role, execute};
