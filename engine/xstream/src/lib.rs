//! The thread of one target: it owns the store, the ring and the connections of the clients that talk to this target.
//!
//! Nothing on the way of an operation is shared or locked. Other threads reach it by its [`Mailbox`] only. The loop: wait
//! on the ring; take completions; assemble frames and give their operations to the store; move the store's commands to the
//! ring; send the replies that are due.
#![allow(clippy::disallowed_methods)] // an IO crate: it starts the thread and reads the clock

mod connection;
mod mailbox;
mod pin;
mod request;
mod slab;
mod steady;
mod target;

pub use connection::MAX_IN_FLIGHT;
pub use mailbox::{Mailbox, Report, Stopped, TargetStats};
pub use target::{Opened, Target, TargetSlices, start};
