//! What `daos_agent`, `dmg` and `daos` share at the terminal: tables for people or one JSON envelope for programs, exit
//! codes, the log, completions and man pages.

mod envelope;
mod log;
pub mod manual;
mod process;
mod table;

pub use envelope::{Format, Report, finish, usage_failure};
pub use log::{command_log, start_log};
pub use process::main_of;
pub use table::{Table, heading, indented};
