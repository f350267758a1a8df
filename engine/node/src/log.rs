//! The engine's log: a file that is appended to, or standard error.

use std::fs::OpenOptions;
use std::sync::Mutex;

use anyhow::Context;
use tracing::level_filters::LevelFilter;

use crate::cli::Arguments;

/// Sets up logging as D_LOG_MASK and D_LOG_FILE say.
pub(crate) fn start(arguments: &Arguments) -> anyhow::Result<()> {
    let builder =
        tracing_subscriber::fmt().with_max_level(level(&arguments.log_mask)).with_target(false).with_ansi(false);
    match &arguments.log_file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path).with_context(|| {
                format!(
                    "cannot open the log file `{}`; correct log_file of the engine in daos_server.yml",
                    path.display()
                )
            })?;
            builder.with_writer(Mutex::new(file)).init();
        }
        None => builder.with_writer(std::io::stderr).init(),
    }
    Ok(())
}

/// The level of a DAOS log mask: `INFO`, or `ERR,object=DEBUG`, of which only the part for everything is used.
fn level(mask: &str) -> LevelFilter {
    let general = mask.split(',').find(|part| !part.contains('=')).unwrap_or("INFO").trim().to_ascii_uppercase();
    match general.as_str() {
        "DEBUG" | "DBUG" => LevelFilter::DEBUG,
        "TRACE" => LevelFilter::TRACE,
        "WARN" | "WARNING" => LevelFilter::WARN,
        "ERR" | "ERROR" | "CRIT" | "ALRT" | "EMRG" | "EMIT" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO, // INFO, NOTE, NOTICE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_as_daos_writes_them() {
        for (mask, expected) in [
            ("INFO", LevelFilter::INFO),
            ("err", LevelFilter::ERROR),
            ("object=DEBUG,ERR", LevelFilter::ERROR),
            ("DEBUG,mem=ERR", LevelFilter::DEBUG),
            ("NOTE", LevelFilter::INFO),
        ] {
            assert_eq!(level(mask), expected, "{mask}");
        }
    }
}
