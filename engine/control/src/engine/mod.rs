//! Engine processes of this host: start, watch, stop, adopt.

pub mod restart;
