//! Telling `daos_server`: this engine is ready, and events as they happen.
//!
//! The server may be killed and started again while the engine goes on. So the engine watches the server's socket and says
//! NOTIFY_READY again, with the same incarnation, to every new one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use wire::proto::drpc::{Method, NotifyReadyReq, NotifyReadyResp, RasEvent};

/// How often the server's socket is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// For one call.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Events kept while the server is away; the log has them all.
pub(crate) const MAX_EVENTS: usize = 256;

/// Announces the engine to each new server, and passes events on.
pub(crate) async fn run(socket_dir: PathBuf, ready: NotifyReadyReq, mut events: mpsc::Receiver<RasEvent>) {
    let socket = socket_dir.join("daos_server.sock");
    let mut told = None;
    let mut failing = false;
    loop {
        let seen = identity(&socket);
        if seen.is_some() && seen != told {
            match fabric::local::call::<_, NotifyReadyResp>(&socket, Method::NotifyReady, &ready, CALL_LIMIT).await {
                Ok(_) => {
                    tracing::info!("told daos_server that this engine is ready");
                    told = seen;
                    failing = false;
                }
                Err(failure) if !failing => {
                    tracing::warn!("daos_server does not take the notice yet: {failure}");
                    failing = true;
                }
                Err(_) => {}
            }
        }
        match tokio::time::timeout(WATCH_EVERY, events.recv()).await {
            Ok(Some(event)) => {
                if let Err(failure) = fabric::local::call::<_, ()>(&socket, Method::RasEvent, &event, CALL_LIMIT).await
                {
                    tracing::warn!(id = event.id, "an event could not be passed on: {failure}");
                }
            }
            Ok(None) => return,
            Err(_) => {}
        }
    }
}

/// What tells one socket file from its successor at the same path.
fn identity(path: &Path) -> Option<(u64, i64, i64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.ctime(), found.ctime_nsec()))
}
