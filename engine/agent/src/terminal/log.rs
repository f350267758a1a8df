//! The log: a file or standard error, plain lines with UTC times.

use std::path::Path;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use types::Status;
use wire::fault::Failure;

/// Starts logging for the rest of the process.
pub fn start_log(level: LevelFilter, file: Option<&Path>) -> Result<(), Failure> {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(false);
    let started = match file {
        None => builder.with_writer(std::io::stderr).try_init(),
        Some(path) => {
            let opened = std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                Failure::new(Status::Io, format!("cannot write the log `{}`: {error}", path.display()))
                    .with_resolution("name another log file, or give this user permission to write it")
            })?;
            builder.with_writer(Mutex::new(opened)).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
    Ok(())
}

/// The log of a command line: warnings, or everything with `--debug`.
pub fn command_log(debug: bool, file: Option<&Path>) -> Result<(), Failure> {
    start_log(if debug { LevelFilter::DEBUG } else { LevelFilter::WARN }, file)
}
