//! Values with a syntax of their own: text in, value or problem out.

mod address;
mod duration;
mod environment;
mod fault_path;
mod host;
mod log_mask;
mod provider;
mod system_name;

pub(crate) use address::{bus_range, looks_like_pci, pci};
pub(crate) use duration::duration;
pub(crate) use environment::{check_engine_variable, variable};
pub(crate) use fault_path::fault_path;
pub(crate) use host::host_port;
pub(crate) use log_mask::{log_mask, log_streams, log_subsystems};
pub(crate) use provider::provider;
pub(crate) use system_name::system_name;
