//! What both command lines print in the same way, on top of [`agent::terminal`].

mod fold;
mod pool;
mod property;
mod time;

pub use agent::terminal::{Report, Table, command_log, heading, indented, main_of, manual};
pub use fold::{fold_hosts, fold_ranks};
pub use pool::{pool_json, pool_text, used_percent};
pub use property::{PropertyName, Setting, SettingError, properties_json, properties_report};
pub use time::utc_of_epoch;
