//! One engine instance as the rest of the server sees it: commands to its actor, and a snapshot of its state.
//!
//! States: AwaitFormat -> Starting -> Ready -> Joined -> Stopping -> Stopped, and Errored from any of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fabric::local;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use types::{Fault, FaultName, Status};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::ctl::FormatResult;
use wire::proto::drpc::{Method, NotifyReadyReq};

use super::actor::Actor;
use super::pid_file::PidFile;
use super::process::Launch;
use super::restart::RestartPolicy;
use crate::management::Management;
use crate::storage::engine_storage::EngineStorage;
use crate::system::member::State;

/// How long an engine may take to checkpoint and exit before it is killed. Its log makes a killed engine lose nothing;
/// the start after it is slower.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(25);

/// Deadline of a local call that an engine answers from memory.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// How long a start on an administrator's word is waited for. A longer log replay goes on; its state is then `starting`.
const START_WAIT: Duration = Duration::from_secs(30);

/// How long a format waits for the engine it made possible. What is wrong with devices, port or interface shows at once;
/// an engine that takes longer is starting, and `dmg system query` follows it.
const FORMATTED_WAIT: Duration = Duration::from_secs(10);

/// What others see of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    /// Why, for Errored and for a join that is being retried.
    pub(crate) info: String,
    pub(crate) pid: Option<u32>,
    /// From the superblock or the management service.
    pub(crate) rank: Option<u32>,
    pub(crate) uuid: Option<Uuid>,
    /// The engine's dRPC socket, while it is ready or joined.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) restarts: u64,
}

impl Snapshot {
    fn new() -> Snapshot {
        let (info, state) = (String::new(), State::Stopped);
        Snapshot { state, info, pid: None, rank: None, uuid: None, socket: None, restarts: 0 }
    }
}

/// What an instance is told.
pub(super) enum Command {
    Begin,
    Start(oneshot::Sender<Result<(), Failure>>),
    Stop { force: bool, reply: oneshot::Sender<()> },
    Format { force: bool, reply: oneshot::Sender<Vec<FormatResult>> },
    Ready(NotifyReadyReq),
    Joined { pid: u32, rank: u32 },
    JoinDelayed { pid: u32, reason: String },
    Faulty { reason: String },
    End(oneshot::Sender<()>),
}

/// What an instance needs to know of its server.
pub(crate) struct Setting {
    pub(crate) storage: EngineStorage,
    pub(crate) launch: Launch,
    pub(crate) pid_file: PidFile,
    pub(crate) policy: RestartPolicy,
    pub(crate) auto_format: bool,
    /// Control address that others reach this server by.
    pub(crate) address: String,
    pub(crate) fault_domain: String,
}

/// The handle of an instance.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) index: u32,
    pub(crate) storage: Arc<EngineStorage>,
    snapshot: watch::Receiver<Snapshot>,
    commands: mpsc::Sender<Command>,
}

impl Instance {
    /// Makes an instance; nothing happens before [`Instance::begin`].
    pub(crate) fn spawn(setting: Setting, management: Arc<Management>) -> Instance {
        let (commands, inbox) = mpsc::channel(64);
        let (publish, snapshot) = watch::channel(Snapshot::new());
        let storage = Arc::new(setting.storage.clone());
        let index = setting.storage.index;
        let actor = Actor::new(setting, storage.clone(), management, publish, commands.downgrade());
        tokio::spawn(actor.run(inbox));
        Instance { index, storage, snapshot, commands }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// Adopts or starts the engine, or waits for a format.
    pub(crate) async fn begin(&self) {
        let _ = self.commands.send(Command::Begin).await;
    }

    /// Starts a stopped engine on an administrator's word. Returns when it serves or cannot, or after [`START_WAIT`].
    pub(crate) async fn start(&self) -> Result<(), Failure> {
        let stopping = || Err(Failure::new(Status::Busy, "the server is stopping"));
        self.ask(Command::Start).await.unwrap_or_else(stopping)?;
        let mut snapshot = self.snapshot.clone();
        let settled = snapshot.wait_for(|snapshot| !matches!(snapshot.state, State::Starting | State::Ready));
        match timeout(START_WAIT, settled).await {
            Ok(Ok(snapshot)) if snapshot.state == State::Errored => {
                Err(Failure::new(Status::Misc, snapshot.info.clone()))
            }
            Ok(Err(_)) => stopping(),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// After a format: waits until the engine is ready, at most [`FORMATTED_WAIT`]. The reason when it ended instead.
    /// `restarts` is the count before the format: a quick restart must not hide the exit.
    pub(crate) async fn started_after_format(&self, restarts: u64) -> Result<(), String> {
        let mut snapshot = self.snapshot.clone();
        let ended = |snapshot: &Snapshot| snapshot.state == State::Errored || snapshot.restarts > restarts;
        let settled = snapshot.wait_for(|snapshot| snapshot.state != State::Starting || ended(snapshot));
        match timeout(FORMATTED_WAIT, settled).await {
            Ok(Ok(snapshot)) if ended(&snapshot) => Err(snapshot.info.clone()),
            _ => Ok(()),
        }
    }

    /// Stops the engine. Returns when the process is gone.
    pub(crate) async fn stop(&self, force: bool) {
        let _ = self.ask(|reply| Command::Stop { force, reply }).await;
    }

    pub(crate) async fn format(&self, force: bool) -> Vec<FormatResult> {
        self.ask(|reply| Command::Format { force, reply }).await.unwrap_or_default()
    }

    pub(crate) async fn notify_ready(&self, ready: NotifyReadyReq) {
        let _ = self.commands.send(Command::Ready(ready)).await;
    }

    /// The engine told that a device failed under a target.
    pub(crate) async fn faulty(&self, reason: String) {
        let _ = self.commands.send(Command::Faulty { reason }).await;
    }

    /// Ends the actor; a running process is left alone.
    pub(crate) async fn end(&self) {
        let _ = self.ask(Command::End).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Calls the engine; a fault when it does not run.
    pub(crate) async fn call<Req: prost::Message, Resp: prost::Message + Default>(
        &self,
        method: Method,
        request: &Req,
        limit: Duration,
    ) -> Result<Resp, Failure> {
        let snapshot = self.snapshot();
        match snapshot.socket {
            Some(socket) => local::call(&socket, method, request, limit).await,
            None => Err(not_running(self.index, snapshot.rank, snapshot.state)),
        }
    }
}

fn not_running(index: u32, rank: Option<u32>, state: State) -> Failure {
    let who = rank.map_or_else(|| format!("engine instance {index}"), |rank| format!("rank {rank}"));
    Failure::from(Fault::new(
        FaultName::ServerDataPlaneNotStarted,
        format!("{who} is not running (state `{state}`)"),
        "start it with `dmg system start`, or read daos_server's log for why it stopped",
    ))
}

/// Runs file work outside the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
