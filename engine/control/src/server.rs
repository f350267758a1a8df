//! The server: from settings to running services, and back down.
//!
//! Order of a start: locks, persistent memory where it holds the records, certificates and ports first (their faults end the start), then
//! records, then engines (their faults leave the server up, so that `dmg` can tell).

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use config::{EngineConfig, Machine, ScmClass, ServerConfig, TransportRole};
use fabric::local;
use tokio::net::TcpListener;
use types::{Fault, FaultName, Status};
use wire::fault::Failure;
use wire::proto::drpc::{Method, NotifyReadyReq, RasEvent};
use wire::proto::mgmt::ClientNetHint;

use crate::certs::{self, Loaded};
use crate::engine::Instance;
use crate::engine::arguments;
use crate::engine::instance::Setting;
use crate::engine::pid_file::PidFile;
use crate::engine::process::Launch;
use crate::engine::restart::RestartPolicy;
use crate::grpc::ctl::CtlService;
use crate::grpc::peer::Peers;
use crate::grpc::port;
use crate::harness::Harness;
use crate::lock::Lock;
use crate::management::{Management, Seat};
use crate::ras::{self, Severity};
use crate::storage::engine_storage::EngineStorage;
use crate::storage::{pmem, scan};
use crate::system::database::Database;
use crate::system::{Identity, System};
use crate::telemetry::{self, Telemetry};
use crate::{fault_domain, network};

/// Longest wait for connections and requests at the end.
const GRACE: Duration = Duration::from_secs(2);

/// What a start may be told beside its settings.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Format unformatted storage without being asked.
    pub auto_format: bool,
    /// The `daos_engine` executable; looked for when absent.
    pub engine: Option<PathBuf>,
    /// The configuration file, beside which a fault domain callback must lie.
    pub file: Option<PathBuf>,
}

/// A server that serves.
pub struct Server {
    harness: Harness,
    address: SocketAddr,
    telemetry: Option<SocketAddr>,
    stop: tokio::sync::watch::Sender<bool>,
    serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    background: Vec<tokio::task::JoinHandle<()>>,
    records: Weak<System>,
    /// `daos_server.sock`.
    socket: PathBuf,
    _locks: Vec<Lock>,
}

impl Server {
    /// Starts everything. Engines start in the background.
    pub async fn start(config: ServerConfig, options: Options) -> Result<Server, Fault> {
        let mut locks = vec![Lock::take(&config.socket_dir, "socket_dir")?];
        save_active(&config)?;
        let control = control_folder(&config)?;
        if let Some((folder, key)) = &control {
            private(folder)?;
            locks.push(Lock::take(folder, key)?);
        }
        let control = control.map(|(folder, _)| folder);
        let tls = certs::load(&config.transport, TransportRole::Server)?;
        for notice in tls.iter().flat_map(|tls| &tls.notices) {
            tracing::warn!("{notice}");
        }
        let bind_ip = network::bind_address(config.control_iface.as_deref())?;
        let listener = port::bind((bind_ip, config.port).into()).await?;
        let address = listener.local_addr().map_err(|error| unexpected("read the control port's address", &error))?;
        let telemetry_listener = match config.telemetry_port {
            Some(port) => Some(telemetry::bind((bind_ip, port).into()).await?),
            None => None,
        };
        let seat = config.mgmt_svc_replicas.first().and_then(|first| network::is_here(first, config.port));
        let own_address = own_address(&config, seat);
        let management = Arc::new(Management::new(&config.name, Peers::new(tls.as_ref().map(Loaded::client_tls))));
        let harness = harness(&config, &options, control.as_deref(), &own_address, &management)?;
        let (mut background, mut records) = (Vec::new(), Weak::new());
        match (seat, &control) {
            (Some(_), Some(control)) => {
                let system = open_system(&config, control, own_address, &harness, &management)?;
                background.push(tokio::spawn(system.clone().watch_members()));
                records = Arc::downgrade(&system);
                management.sit(Seat::Here(system));
            }
            _ => {
                if let Some(leader) = config.mgmt_svc_replicas.first().filter(|_| seat.is_none()) {
                    tracing::info!("the management service is on `{leader}`");
                    management.sit(Seat::There(leader.to_string()));
                }
            }
        }
        let socket = config.socket_dir.join("daos_server.sock");
        let engines = bind_engines(&socket)?;
        let telemetry = telemetry_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = telemetry_listener {
            let telemetry = Telemetry { harness: harness.clone(), management: management.clone() };
            background.push(tokio::spawn(telemetry::serve(listener, Arc::new(telemetry))));
        }
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (system, host) = (config.name.clone(), network::hostname());
        let ctl = CtlService { system, host, harness: harness.clone(), group_version: Arc::default() };
        let serving = serve_port(listener, tls, management, ctl, stopped);
        tracing::info!("daos_server {} for system `{}` listens on {address}", env!("CARGO_PKG_VERSION"), config.name);
        // Begin first: an engine to be adopted may report as soon as its socket is served.
        for instance in harness.iter() {
            instance.begin().await;
        }
        background.push(serve_engines(engines, harness.clone()));
        Ok(Server { harness, address, telemetry, stop, serving, background, records, socket, _locks: locks })
    }

    /// The control port's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The telemetry port's address.
    pub fn telemetry_address(&self) -> Option<SocketAddr> {
        self.telemetry
    }

    /// Stops the engines, then the services.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.harness.stop().await;
        self.end().await;
        tracing::info!("stopped");
    }

    /// Ends without touching the engines, as a killed process does; a later start adopts them.
    pub async fn abandon(self) {
        self.end().await;
    }

    async fn end(mut self) {
        self.stop.send_replace(true);
        // Connections that are kept open by their clients must not hold up the end.
        if tokio::time::timeout(GRACE, &mut self.serving).await.is_err() {
            self.serving.abort();
        }
        for task in self.background {
            task.abort();
            let _ = task.await;
        }
        let _ = std::fs::remove_file(&self.socket);
        self.harness.end().await;
        // Requests in work hold the records open; the next start needs them.
        let began = tokio::time::Instant::now();
        drop(self.harness);
        while self.records.strong_count() > 0 && began.elapsed() < GRACE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn serve_port(
    listener: TcpListener,
    tls: Option<Loaded>,
    management: Arc<Management>,
    ctl: CtlService,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> tokio::task::JoinHandle<Result<(), tonic::transport::Error>> {
    tokio::spawn(async move {
        let stop = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        port::serve(listener, tls.map(|tls| tls.server_tls()), management, ctl, stop).await
    })
}

/// Where the records of this server are, and the key that says so. Persistent memory keeps them itself, the first engine's those of all.
fn control_folder(config: &ServerConfig) -> Result<Option<(PathBuf, &'static str)>, Fault> {
    if let Some(metadata) = &config.control_metadata {
        return Ok(Some((metadata.directory(), "control_metadata.path")));
    }
    match config.engines.first() {
        Some(engine) if engine.scm.class == ScmClass::Dcpm => {
            pmem::prepare(&engine.scm)?;
            Ok(Some((on_memory_tier(engine), "scm_mount")))
        }
        _ => Ok(None),
    }
}

fn on_memory_tier(engine: &EngineConfig) -> PathBuf {
    engine.scm.mount.join("daos_control")
}

fn harness(
    config: &ServerConfig,
    options: &Options,
    control: Option<&Path>,
    own_address: &str,
    management: &Arc<Management>,
) -> Result<Harness, Fault> {
    if config.engines.is_empty() {
        tracing::info!("no engines are configured; listening only");
        return Ok(Harness::default());
    }
    let scm_bytes = config::ramdisk_bytes(config, &machine())?;
    let program = options.engine.clone().unwrap_or_else(find_engine);
    let fault_domain = fault_domain::of(config, options.file.as_deref())?;
    let mut instances = Vec::new();
    for (index, engine) in (0..).zip(&config.engines) {
        let folder = match (engine.scm.class, control) {
            (ScmClass::Ram, Some(control)) => control.to_owned(),
            _ => on_memory_tier(engine),
        };
        let storage = EngineStorage {
            system: config.name.clone(),
            index,
            engine: engine.clone(),
            folder: folder.join(format!("engine{index}")),
            scm_bytes,
            program: program.clone(),
        };
        let setting = Setting {
            launch: launch(config, engine, &storage),
            pid_file: PidFile::new(&config.socket_dir, index),
            policy: RestartPolicy::new(
                !config.disable_engine_auto_restart,
                Duration::from_secs(u64::from(config.engine_auto_restart_min_delay)),
            ),
            auto_format: options.auto_format,
            address: own_address.to_owned(),
            fault_domain: fault_domain.clone(),
            storage,
        };
        instances.push(Instance::spawn(setting, management.clone()));
    }
    Ok(Harness::new(instances))
}

fn launch(config: &ServerConfig, engine: &EngineConfig, storage: &EngineStorage) -> Launch {
    let index = storage.index;
    Launch {
        program: storage.program.clone(),
        arguments: arguments::arguments(config, engine, index, &storage.conf_path()),
        environment: arguments::environment(engine, |name| std::env::var_os(name)),
        // Without a log file the engine logs to its standard error, which must then not be cut off.
        stderr: engine.log_file.as_ref().map(|_| config.socket_dir.join(format!("daos_engine{index}.stderr"))),
        core_dump_filter: config.core_dump_filter,
    }
}

/// Beside this executable, else whatever PATH finds.
fn find_engine() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("daos_engine")));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("daos_engine"))
}

fn open_system(
    config: &ServerConfig,
    control: &Path,
    address: String,
    harness: &Harness,
    management: &Management,
) -> Result<Arc<System>, Fault> {
    let engine = config.engines.first();
    let identity = Identity {
        name: config.name.clone(),
        address,
        replicas: config.mgmt_svc_replicas.iter().map(ToString::to_string).collect(),
        provider: config.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
        hint: ClientNetHint {
            provider: config.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
            interface: engine.map(|engine| engine.fabric_iface.clone()).unwrap_or_default(),
            domain: engine.map(|engine| engine.fabric_iface.clone()).unwrap_or_default(),
            crt_timeout: config.crt_timeout.unwrap_or(0),
            env_vars: config.client_env_vars.iter().map(ToString::to_string).collect(),
        },
    };
    let path = control.join("system.redb");
    Database::open(&path)
        .and_then(|database| System::open(identity, database, harness.clone(), management.peers().clone()))
        .map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            Fault::new(
                FaultName::Unknown,
                format!("{error}{source}"),
                format!("restore `{}` from a backup, or move it away and restart: engines then join with the ranks in their superblocks, but pools are forgotten", path.display()),
            )
        })
}

/// `<socket_dir>/daos_server.sock`, on which engines report.
fn bind_engines(path: &Path) -> Result<tokio::net::UnixListener, Fault> {
    local::bind(path).map_err(|error| unexpected(&format!("listen on `{}`", path.display()), &error))
}

fn serve_engines(listener: tokio::net::UnixListener, harness: Harness) -> tokio::task::JoinHandle<()> {
    tokio::spawn(local::serve(listener, move |method, body| {
        let harness = harness.clone();
        async move { engine_call(&harness, method, body).await }
    }))
}

/// The event of a target that takes no more changes: the only one that stays true after it happened.
const TARGET_DIED: &str = "device_set_faulty";

async fn engine_call(harness: &Harness, method: Method, body: Bytes) -> Result<Bytes, Failure> {
    let undecodable =
        |error: prost::DecodeError| Failure::new(Status::Protocol, format!("the request cannot be decoded: {error}"));
    match method {
        Method::NotifyReady => {
            let ready: NotifyReadyReq = prost::Message::decode(body).map_err(undecodable)?;
            let instance = harness.by_index(ready.instance).ok_or_else(|| {
                Failure::new(Status::Nonexistent, format!("there is no engine instance {}", ready.instance))
            })?;
            instance.notify_ready(ready).await;
            Ok(Bytes::new())
        }
        Method::RasEvent => {
            let event: RasEvent = prost::Message::decode(body).map_err(undecodable)?;
            let severity = if event.severity == "ERROR" { Severity::Error } else { Severity::Notice };
            ras::raise(&event.id, severity, event.instance, &event.message);
            if event.id == TARGET_DIED
                && let Some(instance) = harness.by_index(event.instance)
            {
                instance.faulty(event.message).await;
            }
            Ok(Bytes::new())
        }
        other => Err(Failure::new(Status::Protocol, format!("daos_server does not serve {}", other.as_str_name()))),
    }
}

/// The address that members of this host join with.
fn own_address(config: &ServerConfig, seat: Option<SocketAddr>) -> String {
    match seat {
        Some(address) => address.to_string(),
        None => match network::reachable_address(config.control_iface.as_deref()) {
            Some(ip) => SocketAddr::from((ip, config.port)).to_string(),
            None => format!("{}:{}", network::hostname(), config.port),
        },
    }
}

/// The records name every member and pool; only the server's own user reads them.
fn private(folder: &Path) -> Result<(), Fault> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unexpected(&format!("make `{}`", folder.display()), &error))
}

fn save_active(config: &ServerConfig) -> Result<(), Fault> {
    let path = config.socket_dir.join(".daos_server.active.yml");
    // It may hold a fabric key.
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&path)?;
        file.write_all(config.to_yaml().as_bytes())
    };
    write().map_err(|error| unexpected(&format!("write `{}`", path.display()), &error))
}

fn unexpected(attempt: &str, error: &std::io::Error) -> Fault {
    Fault::new(
        FaultName::StoragePathAccessDenied,
        format!("cannot {attempt}: {error}"),
        "check the directory's owner and free space, and restart daos_server",
    )
}

/// This machine, as the memory rules see it.
pub(crate) fn machine() -> Machine {
    let memory = scan::memory();
    let nodes = std::fs::read_dir("/sys/devices/system/node").map_or(0, |entries| {
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.strip_prefix("node").is_some_and(|rest| rest.parse::<u32>().is_ok())).count()
    });
    Machine {
        mem_total_kib: memory.mem_total / 1024,
        hugepage_kib: memory.hugepage_size / 1024,
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        numa_nodes: u32::try_from(nodes.max(1)).unwrap_or(1),
    }
}
