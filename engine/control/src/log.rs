//! The control plane's log: `control_log_file`, `control_log_mask`, `control_log_json`.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use config::{LogLevel, ServerConfig};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use types::{Fault, FaultName};

/// Starts logging for the process; once.
pub(crate) fn start(config: &ServerConfig, debug: bool) -> Result<(), Fault> {
    let level = if debug { LevelFilter::DEBUG } else { filter(config.control_log_mask) };
    let (writer, colours) = match &config.control_log_file {
        Some(path) => {
            let open = || -> io::Result<_> {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                OpenOptions::new().append(true).create(true).mode(0o644).open(path)
            };
            let file = open().map_err(|error| {
                Fault::new(
                    FaultName::StoragePathAccessDenied,
                    format!("cannot write `control_log_file` `{}`: {error}", path.display()),
                    "make its directory writable for daos_server's user, or change `control_log_file`, and restart daos_server",
                )
            })?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
        None => (BoxMakeWriter::new(io::stderr), io::IsTerminal::is_terminal(&io::stderr())),
    };
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_ansi(colours).with_target(debug);
    let outcome = if config.control_log_json { builder.json().try_init() } else { builder.try_init() };
    outcome.map_err(|error| {
        Fault::new(FaultName::Unknown, format!("cannot start logging: {error}"), "report this as a bug")
    })
}

/// DAOS's NOTICE lies between information and errors, where warnings are here.
fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Disabled => LevelFilter::OFF,
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Notice => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}
