//! What a command prints: a table for people or one JSON envelope for programs, and the exit code.

mod envelope;
mod fold;
mod log;
mod pool;
mod table;

pub use envelope::{Format, Report, finish, usage_failure};
pub use fold::{fold_hosts, fold_ranks};
pub use log::start_log;
pub use pool::{pool_json, pool_text, used_percent};
pub use table::{Table, heading, indented};
