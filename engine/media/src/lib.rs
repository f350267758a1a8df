//! Devices: the only crate that opens them, and the ring through which a target's thread does its IO.
//!
//! A device carries a label and is cut into one slice per target and role (`label`, `layout`, drawn in
//! engine/docs/disk-format.md). Opening, formatting and recovery use the blocking [`Device`]; a running target emits
//! [`Io`] commands, which its thread executes on the [`Ring`] or, in tests, on any `Device`. `memory` maps the arena.
#![allow(clippy::disallowed_methods)] // an IO crate: devices and memory

mod buffer;
mod device;
mod fault;
mod file;
pub mod label;
pub mod layout;
mod mem;
mod memory;
mod persistent;
mod polled;
mod ring;
mod uring;

pub use buffer::{BLOCK_BYTES, Buffer};
pub use device::{Device, Done, Io, IoKind, Role, execute};
pub use fault::{Contents, CrashPoints, Fate, Fault, FaultDevice, Harm, Image, On, Queue, Rule, SECTOR_BYTES};
pub use file::{DeviceError, FileSlice, OpenDevice};
pub use label::{Inspection, Label, Slice, inspect};
pub use mem::Mem;
pub use memory::{Memory, PagedMemory};
pub use ring::{Event, Ring, Waker};
