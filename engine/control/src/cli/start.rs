//! `start`: run the server until a signal ends it.

use std::io;

use config::{Finding, Severity};
use tokio::signal::unix::{SignalKind, signal};
use types::{Fault, FaultName};

use super::arguments::{Arguments, Start};
use super::envelope::Outcome;
use super::settings::{self, Purpose};
use crate::{Options, Server, log};

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(arguments: &Arguments, start: &Start) -> Outcome {
    let source = match settings::read(start.config.as_deref()) {
        Ok(source) => source,
        Err(fault) => return fault.into(),
    };
    let (config, findings) = settings::check(&source, &start.overrides(), Purpose::Start);
    let name = source.path.display().to_string();
    let Some(mut config) = config else {
        let text = config::render(&findings, &name, &source.text);
        eprintln!("{}", text.trim_end());
        let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        return match errors.as_slice() {
            [only] => only.fault().into(),
            _ => Outcome::failed(format!("`{name}` is not valid")),
        };
    };
    config.control_log_json |= arguments.json_logging;
    if let Err(fault) = log::start(&config, arguments.debug) {
        return fault.into();
    }
    for finding in &findings {
        tracing::warn!("{name}:{}: {}; hint: {}", finding.line, finding.description, finding.resolution);
    }
    let options = Options { auto_format: start.auto_format, engine: None, file: Some(source.path) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::failed(format!("cannot start threads: {error}")),
    };
    match runtime.block_on(serve(config, options)) {
        Ok(()) => Outcome::silent(),
        Err(fault) => {
            tracing::error!("{}; hint: {}", fault.description, fault.resolution);
            fault.into()
        }
    }
}

async fn serve(config: config::ServerConfig, options: Options) -> Result<(), Fault> {
    let unavailable = |error: io::Error| {
        Fault::new(FaultName::Unknown, format!("cannot listen for signals: {error}"), "report this as a bug")
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    let server = Server::start(config, options).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    Ok(())
}
