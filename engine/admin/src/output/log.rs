//! The log of a command line: warnings on standard error, everything with `--debug`, or a file.

use std::path::Path;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use types::Status;
use wire::fault::Failure;

/// Starts logging for the rest of the process.
pub fn start_log(debug: bool, file: Option<&Path>) -> Result<(), Failure> {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    match file {
        None => builder.with_ansi(false).with_writer(std::io::stderr).init(),
        Some(path) => {
            let opened = std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                Failure::new(Status::Io, format!("cannot write the log `{}`: {error}", path.display()))
                    .with_resolution("name another file with --log-file")
            })?;
            builder.with_ansi(false).with_writer(Mutex::new(opened)).init();
        }
    }
    Ok(())
}
