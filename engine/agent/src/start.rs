//! `daos_agent start`: socket, signals, readiness, end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{AgentConfig, LogLevel, TransportRole};
use fabric::local::serve_within;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use types::Status;
use wire::fault::Failure;

use crate::attach::{Attachment, Caching};
use crate::grpc::Security;
use crate::service;
use crate::socket::{LIMITS, Socket};
use crate::terminal::Report;

/// First and longest pause before the servers are asked again at start. The longest one is what a person waits for
/// after a server came up, at worst; a client that asks does not wait for it.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(250);
const RETRY_PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(config: AgentConfig) -> Result<Report, Failure> {
    let internal = |what: &str, error: std::io::Error| Failure::new(Status::Misc, format!("cannot {what}: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| internal("watch SIGTERM", error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| internal("watch SIGINT", error))?;
    let mut refresh = signal(SignalKind::user_defined2()).map_err(|error| internal("watch SIGUSR2", error))?;
    // handled so that a stray one does not end the agent; DAOS uses it for client telemetry
    let mut ignored = signal(SignalKind::user_defined1()).map_err(|error| internal("watch SIGUSR1", error))?;
    raise_descriptor_limit();
    let security = Security::load(&config.transport, TransportRole::Agent)?;
    let caching = Caching::of(&config);
    let (socket, listener) = Socket::bind(&config.runtime_dir)?;
    let attachment = Arc::new(Attachment::new(config, security, caching));
    info!(socket = %socket.path().display(), version = env!("CARGO_PKG_VERSION"), "daos_agent serves");
    // no service manager, no notification
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    let first = tokio::spawn(ask_until_known(attachment.clone(), caching));
    let answering = attachment.clone();
    let serving = serve_within(LIMITS, listener, move |method, body| {
        let attachment = answering.clone();
        async move { service::answer(&attachment, method, body).await }
    });
    tokio::pin!(serving);
    let name = loop {
        tokio::select! {
            () = &mut serving => {}
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            _ = ignored.recv() => {}
            _ = refresh.recv() => {
                let attachment = attachment.clone();
                tokio::spawn(async move { attachment.refresh().await });
            }
        }
    };
    info!("{name}: daos_agent ends");
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    first.abort();
    Ok(Report::new("", Value::Null))
}

/// Asks in the background until there is an answer to keep, so that servers which start later are noticed and the first
/// client does not wait.
async fn ask_until_known(attachment: Arc<Attachment>, caching: Caching) {
    let mut pause = RETRY_PAUSE_FIRST;
    if caching == Caching::Off {
        return;
    }
    loop {
        match attachment.info("").await {
            Ok(answer) if !answer.rank_uris.is_empty() => {
                info!(ranks = answer.rank_uris.len(), "the system is known");
                return;
            }
            Ok(_) => info!("no engine has joined the system yet"),
            Err(failure) => warn!("the system is not known yet: {failure}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_LONGEST);
    }
}

/// As many descriptors as this process may have; each client holds one.
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        warn!("cannot raise the limit of open files: {error}");
    }
}

/// Level and file of the log, from settings and `--debug`.
pub(crate) fn log_settings(config: &AgentConfig, debug: bool) -> (tracing::level_filters::LevelFilter, Option<&Path>) {
    use tracing::level_filters::LevelFilter;
    let level = match config.control_log_mask {
        _ if debug => LevelFilter::DEBUG,
        LogLevel::Disabled => LevelFilter::OFF,
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Error => LevelFilter::ERROR,
    };
    (level, config.log_file.as_deref())
}
