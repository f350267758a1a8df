//! The protocol of publishing, at a place that can stop at every step: whenever it stops, and between any two steps, readers find a
//! whole repository, and the next run completes.

#![allow(clippy::disallowed_methods)] // a suite: it makes repositories on disk

mod memory;
mod protocol;
mod refusals;
mod yard;
