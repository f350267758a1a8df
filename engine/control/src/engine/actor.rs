//! What an instance does with its commands, its process and its deadlines: one event at a time.

use std::path::PathBuf;
use std::sync::Arc;

use fabric::local;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use types::{Fault, FaultName, Status};
use wire::fault::Failure;
use wire::proto::ctl::FormatResult;
use wire::proto::drpc::{Method, NotifyReadyReq};
use wire::proto::mgmt::JoinReq;

use super::instance::{CALL_DEADLINE, Command, STOP_DEADLINE, Setting, Snapshot, blocking};
use super::join;
use super::process::{Exit, Process};
use super::restart::{Decision, is_final};
use crate::management::Management;
use crate::ras::{self, Severity};
use crate::storage::engine_storage::{EngineStorage, Readiness};
use crate::storage::superblock::Superblock;
use crate::system::member::{Event, State};
use crate::system::membership::NO_RANK;

pub(super) struct Actor {
    index: u32,
    storage: Arc<EngineStorage>,
    setting: Setting,
    management: Arc<Management>,
    publish: watch::Sender<Snapshot>,
    own: mpsc::WeakSender<Command>,
    process: Option<Process>,
    asked_to_stop: bool,
    stopping: Vec<oneshot::Sender<()>>,
    kill_at: Option<Instant>,
    restart_at: Option<Instant>,
    joining: Option<tokio::task::AbortHandle>,
    /// Of the process that reported ready.
    incarnation: Option<u64>,
    epoch: Instant,
}

enum Happened {
    Command(Option<Command>),
    Exited(Exit),
    RestartDue,
    KillDue,
}

impl Actor {
    pub(super) fn new(
        setting: Setting,
        storage: Arc<EngineStorage>,
        management: Arc<Management>,
        publish: watch::Sender<Snapshot>,
        own: mpsc::WeakSender<Command>,
    ) -> Actor {
        Actor {
            index: storage.index,
            storage,
            setting,
            management,
            publish,
            own,
            process: None,
            asked_to_stop: false,
            stopping: Vec::new(),
            kill_at: None,
            restart_at: None,
            joining: None,
            incarnation: None,
            epoch: Instant::now(),
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let happened = {
                let process = &mut self.process;
                let exit = async {
                    match process {
                        Some(process) => process.wait().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    exit = exit => Happened::Exited(exit),
                    command = inbox.recv() => Happened::Command(command),
                    () = due(self.restart_at) => Happened::RestartDue,
                    () = due(self.kill_at) => Happened::KillDue,
                }
            };
            match happened {
                Happened::Command(Some(Command::End(reply))) => {
                    self.give_up_joining();
                    drop(self);
                    let _ = reply.send(());
                    return;
                }
                Happened::Command(Some(command)) => self.handle(command).await,
                Happened::Command(None) => return,
                Happened::Exited(exit) => self.exited(exit).await,
                Happened::RestartDue => {
                    self.restart_at = None;
                    self.publish.send_modify(|snapshot| snapshot.restarts += 1);
                    self.start().await;
                }
                Happened::KillDue => {
                    self.kill_at = None;
                    if let Some(process) = &self.process {
                        tracing::warn!("engine {} did not stop within {STOP_DEADLINE:?}; killing it", self.index);
                        process.kill();
                    }
                }
            }
        }
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::Begin => self.begin().await,
            Command::Start(reply) => {
                if self.process.is_none() {
                    self.setting.policy.reset();
                    self.publish.send_modify(|snapshot| snapshot.info.clear());
                    self.start().await;
                }
                let snapshot = self.publish.borrow().clone();
                let outcome = match snapshot.state {
                    State::Errored => Err(Failure::new(Status::Misc, snapshot.info)),
                    State::AwaitFormat => Err(Failure::new(Status::Busy, "its storage is not formatted")
                        .with_resolution("format it with `dmg storage format`")),
                    State::Stopping => Err(Failure::new(Status::Busy, "it is stopping")
                        .with_resolution("wait until it has stopped and retry")),
                    _ => Ok(()),
                };
                let _ = reply.send(outcome);
            }
            Command::Stop { force, reply } => self.stop(force, reply).await,
            Command::Format { force, reply } => {
                let _ = reply.send(self.format(force).await);
            }
            Command::End(_) => unreachable!("handled where the actor can end"),
            Command::Ready(ready) => {
                tracing::info!(
                    "engine {} is ready on {} after {} ms ({} bytes of log replayed)",
                    self.index,
                    ready.uri,
                    ready.recovery_us / 1000,
                    ready.replayed_bytes
                );
                self.ready(ready).await;
            }
            Command::Joined { pid, rank } => self.joined(pid, rank).await,
            Command::Faulty { reason } => {
                self.publish.send_modify(|snapshot| snapshot.info.clone_from(&reason));
                self.report(Event::Faulty { reason }).await;
            }
            Command::JoinDelayed { pid, reason } => {
                if self.process.as_ref().is_some_and(|process| process.pid() == pid) {
                    self.publish.send_modify(|snapshot| snapshot.info = reason);
                }
            }
        }
    }

    async fn begin(&mut self) {
        let Some(running) = self.setting.pid_file.running() else { return self.start().await };
        match Process::adopt(running, self.setting.launch.stderr.clone()) {
            Ok(process) => {
                tracing::info!("engine {} runs as process {} since before; adopting it", self.index, running.pid);
                self.process = Some(process);
                self.asked_to_stop = false;
                // Not an event for the members: for them nothing has happened yet.
                self.publish
                    .send_modify(|snapshot| (snapshot.state, snapshot.pid) = (State::Starting, Some(running.pid)));
                match self.storage.prepare_blocking().await {
                    Ok(Readiness::Formatted(superblock)) => self.publish.send_modify(|snapshot| {
                        snapshot.uuid = Some(superblock.uuid);
                        snapshot.rank = superblock.rank;
                    }),
                    other => tracing::warn!("engine {} runs on storage that is not as expected: {other:?}", self.index),
                }
                if let Some(ready) = self.setting.pid_file.ready(running.pid) {
                    self.ready(ready).await;
                }
            }
            Err(error) => {
                tracing::info!("engine {} ended while it was being adopted: {error}", self.index);
                self.start().await;
            }
        }
    }

    /// Prepares the storage and starts the process, or says why not.
    async fn start(&mut self) {
        self.restart_at = None;
        self.identify().await;
        let superblock = match self.storage.prepare_blocking().await {
            Ok(Readiness::Formatted(superblock)) => superblock,
            Ok(Readiness::Unformatted) => return self.await_format().await,
            Err(fault) => return self.fail(&fault).await,
        };
        self.publish.send_modify(|snapshot| {
            snapshot.uuid = Some(superblock.uuid);
            snapshot.rank = superblock.rank;
        });
        match Process::start(&self.setting.launch, &self.setting.pid_file) {
            Ok(process) => {
                tracing::info!("engine {} started as process {}", self.index, process.pid());
                self.process = Some(process);
                self.asked_to_stop = false;
                // A restart keeps the reason of the exit before it: until the engine serves, that is what is known.
                let info = self.publish.borrow().info.clone();
                self.enter(State::Starting, &info).await;
            }
            Err(error) => {
                let program = self.setting.launch.program.display();
                let fault = Fault::new(
                    FaultName::MissingSoftwareDependency,
                    format!("cannot start `{program}`: {error}"),
                    "install daos_engine beside daos_server or on PATH, and run `dmg system start`",
                );
                self.fail(&fault).await;
            }
        }
    }

    /// Who the engine is, also when it cannot start.
    async fn identify(&self) {
        let folder = self.storage.folder.clone();
        if let Ok(Some(superblock)) = blocking(move || Superblock::read(&folder)).await {
            self.publish.send_modify(|snapshot| {
                snapshot.uuid = Some(superblock.uuid);
                snapshot.rank = superblock.rank;
            });
        }
    }

    async fn await_format(&mut self) {
        self.enter(State::AwaitFormat, "").await;
        let message = format!("SCM format required on instance {}", self.index);
        tracing::info!("{message}");
        ras::raise("engine_format_required", Severity::Notice, self.index, &message);
        if self.setting.auto_format {
            for result in self.format(false).await.iter().filter(|result| !result.ok) {
                tracing::error!("cannot format `{}`: {}; hint: {}", result.device, result.error, result.resolution);
            }
        }
    }

    async fn fail(&mut self, fault: &Fault) {
        tracing::error!("engine {} cannot start: {}; hint: {}", self.index, fault.description, fault.resolution);
        let reason = format!("{} (hint: {})", fault.description, fault.resolution);
        self.enter(State::Errored, &reason).await;
        self.report(Event::StartFailed { reason }).await;
    }

    async fn format(&mut self, force: bool) -> Vec<FormatResult> {
        if self.process.is_some() {
            let fault = Fault::new(
                FaultName::ClientFormatRunningSystem,
                format!("engine {} is running; its storage cannot be formatted", self.index),
                "stop the system with `dmg system stop` and retry with `--force`",
            );
            let scm = self.storage.engine.scm.mount.display().to_string();
            return vec![self.storage.failed(&scm, "scm", &fault)];
        }
        let (previous, storage) = (self.publish.borrow().uuid, self.storage.clone());
        let results = blocking(move || storage.format(force)).await;
        if results.iter().all(|result| result.ok) {
            tracing::info!("engine {} was formatted", self.index);
            if let Some(previous) = previous {
                self.management.storage_formatted(previous).await;
            }
            self.publish.send_modify(|snapshot| {
                snapshot.rank = None;
                snapshot.info.clear();
            });
            self.setting.policy.reset();
            self.start_formatted().await;
        }
        results
    }

    /// `start` after a format; boxed because a start may itself format (`--auto-format`).
    async fn start_formatted(&mut self) {
        Box::pin(self.start()).await;
    }

    async fn ready(&mut self, ready: NotifyReadyReq) {
        let Some(pid) = self.process.as_ref().map(Process::pid) else {
            tracing::warn!("engine {} says that it is ready, but was not started by this server", self.index);
            return;
        };
        match self.publish.borrow().state {
            State::Starting => {}
            // An adopted engine says it again to its new server, which knows it from the ready file.
            State::Ready | State::Joined if self.incarnation == Some(ready.incarnation) => return,
            State::Ready | State::Joined => {}
            _ => return,
        }
        self.incarnation = Some(ready.incarnation);
        if let Err(error) = self.setting.pid_file.write_ready(pid, &ready) {
            tracing::warn!("engine {} could not be recorded as ready: {error}", self.index);
        }
        let socket = PathBuf::from(&ready.socket);
        self.publish.send_modify(|snapshot| snapshot.socket = Some(socket.clone()));
        self.enter(State::Ready, "").await;
        let request = JoinReq {
            sys: self.storage.system.clone(),
            uuid: ready.uuid.clone(),
            rank: self.publish.borrow().rank.unwrap_or(NO_RANK),
            addr: self.setting.address.clone(),
            uri: ready.uri,
            targets: ready.targets,
            fault_domain: self.setting.fault_domain.clone(),
            incarnation: ready.incarnation,
            index: self.index,
        };
        let Some(own) = self.own.upgrade() else { return };
        let (management, storage) = (self.management.clone(), self.storage.clone());
        self.give_up_joining();
        let joining = tokio::spawn(async move {
            let delayed = own.clone();
            let report = move |reason| {
                let delayed = delayed.clone();
                async move { drop(delayed.send(Command::JoinDelayed { pid, reason }).await) }
            };
            let rank = join::until_joined(&management, &storage, &request, &socket, report).await;
            let _ = own.send(Command::Joined { pid, rank }).await;
        });
        self.joining = Some(joining.abort_handle());
    }

    /// The engine is gone, or a new attempt takes the place of an old one.
    fn give_up_joining(&mut self) {
        if let Some(joining) = self.joining.take() {
            joining.abort();
        }
    }

    async fn joined(&mut self, pid: u32, rank: u32) {
        if self.process.as_ref().is_none_or(|process| process.pid() != pid) || self.asked_to_stop {
            return;
        }
        self.publish.send_modify(|snapshot| snapshot.rank = Some(rank));
        self.enter(State::Joined, "").await;
        tracing::info!("engine {} joined as rank {rank}", self.index);
        self.management.rank_serves(types::Rank(rank));
    }

    async fn stop(&mut self, force: bool, reply: oneshot::Sender<()>) {
        self.restart_at = None;
        let Some(process) = &self.process else {
            if !matches!(self.publish.borrow().state, State::AwaitFormat) {
                self.enter(State::Stopped, "").await;
            }
            let _ = reply.send(());
            return;
        };
        self.stopping.push(reply);
        self.asked_to_stop = true;
        if force {
            process.kill();
        } else if self.kill_at.is_none() {
            self.kill_at = Some(Instant::now() + STOP_DEADLINE);
            let socket = self.publish.borrow().socket.clone();
            let prepared = match socket {
                Some(socket) => {
                    let request = ();
                    local::call::<_, ()>(&socket, Method::PrepShutdown, &request, CALL_DEADLINE).await.is_ok()
                }
                None => false,
            };
            if !prepared && let Some(process) = &self.process {
                process.terminate();
            }
        }
        self.publish.send_modify(|snapshot| snapshot.socket = None);
        self.enter(State::Stopping, "").await;
    }

    async fn exited(&mut self, exit: Exit) {
        (self.process, self.incarnation) = (None, None);
        self.kill_at = None;
        self.give_up_joining();
        self.setting.pid_file.remove();
        let socket = self.publish.borrow().socket.clone();
        self.publish.send_modify(|snapshot| (snapshot.socket, snapshot.pid) = (None, None));
        if let Some(socket) = socket {
            let _ = std::fs::remove_file(socket);
        }
        let asked = self.asked_to_stop;
        if asked {
            self.report(Event::Exited { asked, reason: String::new() }).await;
            let reason = if exit.clean { String::new() } else { exit.reason };
            let how = if reason.is_empty() { String::new() } else { format!(" with {reason}") };
            tracing::info!("engine {} stopped{how}", self.index);
            self.enter(State::Stopped, &reason).await;
            for reply in self.stopping.drain(..) {
                let _ = reply.send(());
            }
            return;
        }
        ras::raise(
            "engine_died",
            Severity::Error,
            self.index,
            &format!("engine {} ended: {}", self.index, exit.reason),
        );
        let decision =
            if is_final(exit.code, &exit.reason) { None } else { Some(self.setting.policy.died(self.epoch.elapsed())) };
        let info = match decision {
            None => format!("{}; a restart would end the same way, so it is not started again", exit.reason),
            Some(Decision::RestartAfter(delay)) => {
                tracing::info!("engine {} is started again in {delay:?}", self.index);
                self.restart_at = Some(Instant::now() + delay);
                exit.reason
            }
            Some(Decision::GiveUp) => format!("{}; it ended too often and is not started again", exit.reason),
            Some(Decision::Disabled) => format!("{}; automatic restart is disabled", exit.reason),
        };
        if self.restart_at.is_none() {
            // An engine that never joined is a stranger to the system; only its own host's `dmg system start` reaches it.
            let also = if self.publish.borrow().rank.is_some() { "" } else { ", or restart daos_server on this host" };
            tracing::error!("engine {}: {info}; hint: correct the cause and run `dmg system start`{also}", self.index);
        }
        self.report(Event::Exited { asked: false, reason: info.clone() }).await;
        self.enter(State::Errored, &info).await;
    }

    /// Publishes the state and tells the management service.
    async fn enter(&mut self, state: State, info: &str) {
        let pid = self.process.as_ref().map(Process::pid);
        self.publish.send_modify(|snapshot| {
            snapshot.state = state;
            snapshot.info = info.to_owned();
            snapshot.pid = pid;
        });
        match state {
            State::AwaitFormat => self.report(Event::FormatAwaited).await,
            State::Starting => self.report(Event::Started).await,
            State::Joined => self.report(Event::Serves).await,
            State::Stopping => self.report(Event::StopRequested).await,
            _ => {}
        }
    }

    async fn report(&self, event: Event) {
        let uuid = self.publish.borrow().uuid;
        if let Some(uuid) = uuid {
            self.management.report(uuid, &event).await;
        }
    }
}

impl EngineStorage {
    async fn prepare_blocking(self: &Arc<Self>) -> Result<Readiness, Fault> {
        let storage = self.clone();
        blocking(move || storage.prepare()).await
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
