//! Engine processes of this host: start, watch, stop, adopt.

pub(crate) mod arguments;
pub(crate) mod instance;
pub(crate) mod pid_file;
pub(crate) mod process;
pub mod restart;

pub(crate) use instance::{Instance, blocking};
