//! A system as a client sees it: where its engines are, and the ways to them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use fabric::{Connection, ConnectionError, Dialer, ServiceConnection, Uri};
use prost::Message;
use types::{Answer, Rank, Status, TargetIndex};
use wire::fault::Failure;
use wire::frame::{Kind, VERSION};
use wire::hello::{Hello, MAX_SYSTEM_BYTES, Peer};
use wire::operation::{Request, decode_answers};
use wire::proto::drpc;
use wire::proto::mgmt::{GetAttachInfoReq, GetAttachInfoResp, ListPoolsReq, ListPoolsResp, PoolEntry};
use wire::proto::service::{ContainerInfo, ContainerReq, Method, PoolConnectReq, PoolConnectResp};

use crate::connections::Connections;
use crate::error::Error;
use crate::pool::Pool;
use crate::retry::Patience;
use crate::settings::Settings;

/// Attach info is not asked for again within this, however many calls fail.
const REFRESH_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// A system. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct System {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    settings: Settings,
    dialer: Dialer,
    attach: RwLock<(GetAttachInfoResp, Instant)>,
    targets: Connections<(u32, u32), Connection>,
    services: Connections<u32, ServiceConnection>,
    /// What is open, by the rank of its service: opened again on a new connection, as the service knows of a client's
    /// handles only while it is connected.
    open: Mutex<BTreeSet<(u32, Handle)>>,
}

/// Something that was opened: a pool, or a container of one, by UUID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Handle {
    Pool(String),
    Container { pool: String, container: String },
}

impl System {
    /// Asks the agent for the engines of the system.
    pub async fn connect(settings: Settings) -> Result<System, Error> {
        if settings.system.is_empty() || settings.system.len() > MAX_SYSTEM_BYTES {
            let what = format!("connect to system `{}`", settings.system);
            return Err(Error::Invalid { what, reason: format!("a system name has 1 to {MAX_SYSTEM_BYTES} bytes") });
        }
        let attach = ask_agent(&settings).await?;
        let inner = Inner {
            settings,
            dialer: Dialer::default(),
            attach: RwLock::new((attach, Instant::now())),
            targets: Connections::new(),
            services: Connections::new(),
            open: Mutex::default(),
        };
        Ok(System { inner: Arc::new(inner) })
    }

    /// The pools of the system.
    pub async fn list_pools(&self) -> Result<Vec<PoolEntry>, Error> {
        let settings = &self.inner.settings;
        let request = ListPoolsReq { sys: settings.system.clone() };
        let reply: ListPoolsResp = call_agent(settings, drpc::Method::ListPools, &request).await?;
        Ok(reply.pools)
    }

    /// Opens a pool by its label or UUID.
    pub async fn open_pool(&self, pool: &str) -> Result<Pool, Error> {
        let what = format!("open pool `{pool}`");
        let request = PoolConnectReq { sys: self.inner.settings.system.clone(), id: pool.to_owned() };
        let pools = match self.list_pools().await {
            Ok(pools) => pools,
            Err(error) => return self.find_pool(&request, &what, error).await,
        };
        let uuid = pool.parse::<uuid::Uuid>().ok().map(|uuid| uuid.to_string());
        let entry = pools
            .iter()
            .find(|entry| uuid.as_ref().map_or(entry.label == pool, |uuid| entry.uuid == *uuid))
            .ok_or_else(|| no_pool(&what, pool))?;
        let rank = Rank(entry.svc_ldr);
        let reply: PoolConnectResp = self.inner.service(rank, Method::PoolConnect, &request, &what).await?;
        Pool::new(self.clone(), rank, reply, &what)
    }

    /// Asks every engine for the pool while the management service, which knows at once, is away. Gives `unknown`, what
    /// the management service failed with, when no engine serves the pool.
    async fn find_pool(&self, request: &PoolConnectReq, what: &str, unknown: Error) -> Result<Pool, Error> {
        let ranks: Vec<u32> = {
            let attach = self.inner.attach.read().unwrap_or_else(PoisonError::into_inner);
            attach.0.rank_uris.iter().map(|member| member.rank).collect()
        };
        for rank in ranks.into_iter().map(Rank) {
            if let Ok(reply) = self.inner.service_once(rank, Method::PoolConnect, request).await {
                return Pool::new(self.clone(), rank, reply, what);
            }
        }
        Err(unknown)
    }
}

fn no_pool(what: &str, pool: &str) -> Error {
    let failure = Failure::new(Status::Nonexistent, format!("there is no pool `{pool}`"))
        .with_resolution("`daos pool list` shows the pools of the system");
    Error::Service { what: what.to_owned(), failure }
}

impl Inner {
    /// Sends a request to a target and gives its answers. A request that may be `repeated` is sent again when the
    /// connection ends or no answer comes; another one gives [`Error::Uncertain`] then.
    pub(crate) async fn request(
        &self,
        (rank, target): (Rank, TargetIndex),
        request: &Request,
        repeated: bool,
        what: &(dyn Fn() -> String + Sync),
    ) -> Result<Vec<Answer>, Error> {
        let count = u16::try_from(request.operations.len()).expect("batches are cut to the limit of a frame");
        let mut patience = Patience::new(self.settings.retry_for);
        loop {
            let source = match self.target(rank, target).await {
                Err(source) => source,
                Ok(connection) => {
                    let call = connection.call(Kind::Request, count, request.encode());
                    let outcome = tokio::time::timeout(self.settings.call_timeout, call).await;
                    let source = match outcome {
                        Ok(Ok(frame)) => return answers(frame, count, what),
                        Ok(Err(source)) => source,
                        Err(_) => {
                            self.targets.forget(&(rank.0, target.0));
                            ConnectionError::TimedOut {
                                address: connection.address(),
                                limit: self.settings.call_timeout,
                            }
                        }
                    };
                    // Also after a refusal: it ends the connection, whatever was under way on it.
                    if !repeated {
                        return Err(Error::Uncertain { what: what(), source });
                    }
                    source
                }
            };
            if !passes(&source) || !patience.wait().await {
                return Err(Error::Connection { what: what(), source });
            }
            self.refresh().await;
        }
    }

    /// Calls the pool service of a rank. All its methods may be repeated.
    pub(crate) async fn service<Resp: Message + Default>(
        &self,
        rank: Rank,
        method: Method,
        request: &impl Message,
        what: &str,
    ) -> Result<Resp, Error> {
        let mut patience = Patience::new(self.settings.retry_for);
        loop {
            let failure = match self.service_of(rank).await {
                Ok(connection) => match connection.call(method, request).await {
                    Ok(reply) => return Ok(reply),
                    // Only what the connection itself did is repeated; what the service said is the answer.
                    Err(failure) if connection.connection().ended().is_none() => {
                        return Err(Error::Service { what: what.to_owned(), failure });
                    }
                    Err(failure) => failure,
                },
                Err(source) if !passes(&source) => return Err(Error::Connection { what: what.to_owned(), source }),
                Err(source) => Failure::from(&source),
            };
            if !patience.wait().await {
                return Err(Error::Service { what: what.to_owned(), failure });
            }
            self.refresh().await;
        }
    }

    /// One try of a call of the pool service.
    async fn service_once<Resp: Message + Default>(
        &self,
        rank: Rank,
        method: Method,
        request: &impl Message,
    ) -> Result<Resp, Failure> {
        let connection = self.service_of(rank).await.map_err(|error| Failure::from(&error))?;
        connection.call(method, request).await
    }

    async fn target(&self, rank: Rank, target: TargetIndex) -> Result<Arc<Connection>, ConnectionError> {
        let open = || async {
            let hello = Hello {
                least_version: VERSION,
                greatest_version: VERSION,
                target: target.0,
                peer: Peer::Client,
                system: self.settings.system.clone(),
            };
            let connection =
                Connection::open(&self.dialer, self.uri(rank)?, hello, self.settings.connect_timeout).await?;
            is_rank(&connection, rank)?;
            // The engine may have been away; whoever only reads and writes would not open again what it has open.
            if self.handles().iter().any(|(service, _)| *service == rank.0) {
                let _ = self.service_of(rank).await; // the next call of the service tries again
            }
            Ok(connection)
        };
        self.targets.get((rank.0, target.0), open).await
    }

    async fn service_of(&self, rank: Rank) -> Result<Arc<ServiceConnection>, ConnectionError> {
        let open = || async {
            let (to, limit) = (self.uri(rank)?, self.settings.connect_timeout);
            // Its own limit is for each call; connecting has a shorter one.
            let open = ServiceConnection::open(
                &self.dialer,
                to,
                &self.settings.system,
                Peer::Client,
                self.settings.call_timeout,
            );
            let timed_out = |_| ConnectionError::TimedOut { address: to.address, limit };
            let service = tokio::time::timeout(limit, open).await.map_err(timed_out)??;
            is_rank(service.connection(), rank)?;
            self.open_again(rank, &service).await;
            Ok(service)
        };
        self.services.get(rank.0, open).await
    }

    /// Remembers what was opened.
    pub(crate) fn opened(&self, rank: Rank, handle: Handle) {
        self.handles().insert((rank.0, handle));
    }

    /// Forgets what was destroyed.
    pub(crate) fn destroyed(&self, rank: Rank, handle: Handle) {
        self.handles().remove(&(rank.0, handle));
    }

    /// What does not open any more is gone, which the next operation on it tells.
    async fn open_again(&self, rank: Rank, service: &ServiceConnection) {
        let handles: Vec<Handle> =
            self.handles().iter().filter(|(of, _)| *of == rank.0).map(|(_, handle)| handle.clone()).collect();
        for handle in handles {
            let _ = match handle {
                Handle::Pool(id) => {
                    let request = PoolConnectReq { sys: self.settings.system.clone(), id };
                    service.call::<PoolConnectResp>(Method::PoolConnect, &request).await.map(drop)
                }
                Handle::Container { pool, container } => {
                    let request = ContainerReq { pool, container, force: false };
                    service.call::<ContainerInfo>(Method::ContainerOpen, &request).await.map(drop)
                }
            };
        }
    }

    fn handles(&self) -> MutexGuard<'_, BTreeSet<(u32, Handle)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uri(&self, rank: Rank) -> Result<Uri, ConnectionError> {
        let attach = self.attach.read().unwrap_or_else(PoisonError::into_inner);
        let member = attach.0.rank_uris.iter().find(|member| member.rank == rank.0);
        let unknown = |reason: String| ConnectionError::Connect { address: ([0, 0, 0, 0], 0).into(), reason };
        let member = member.ok_or_else(|| unknown(format!("daos_agent knows no address of rank {rank}")))?;
        member.uri.parse().map_err(|error: fabric::address::ParseUriError| unknown(error.to_string()))
    }

    /// Asks the agent again where the engines are, unless that was just done. What is known stays when it cannot say.
    async fn refresh(&self) {
        {
            let mut attach = self.attach.write().unwrap_or_else(PoisonError::into_inner);
            if attach.1.elapsed() < REFRESH_EVERY {
                return;
            }
            attach.1 = Instant::now();
        }
        if let Ok(fresh) = ask_agent(&self.settings).await {
            self.attach.write().unwrap_or_else(PoisonError::into_inner).0 = fresh;
        }
    }
}

/// Engines that were started again may have taken each other's addresses; a value must not land on another rank.
fn is_rank(connection: &Connection, rank: Rank) -> Result<(), ConnectionError> {
    let found = connection.hello().rank;
    if found == rank {
        return Ok(());
    }
    let reason = format!("rank {rank} is expected there, rank {found} answers");
    Err(ConnectionError::Connect { address: connection.address(), reason })
}

/// True for what may pass when an engine comes back.
fn passes(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Connect { .. } | ConnectionError::Closed { .. } | ConnectionError::TimedOut { .. } => true,
        ConnectionError::Refused { refusal, .. } => matches!(refusal.status, Status::Unreachable | Status::Busy),
        ConnectionError::Frame { .. } | ConnectionError::Body { .. } => false,
    }
}

fn answers(frame: wire::frame::Frame, count: u16, what: &(dyn Fn() -> String + Sync)) -> Result<Vec<Answer>, Error> {
    let broken = |reason: String| Error::Protocol { what: what(), reason };
    if frame.header.kind != Kind::Reply || frame.header.count != count {
        return Err(broken(format!(
            "{:?} with {} answers to {count} operations",
            frame.header.kind, frame.header.count
        )));
    }
    decode_answers(frame.body, count).map_err(|error| broken(error.to_string()))
}

async fn ask_agent(settings: &Settings) -> Result<GetAttachInfoResp, Error> {
    let request = GetAttachInfoReq { sys: settings.system.clone(), all_ranks: true };
    call_agent(settings, drpc::Method::GetAttachInfo, &request).await
}

async fn call_agent<Resp: Message + Default>(
    settings: &Settings,
    method: drpc::Method,
    request: &impl Message,
) -> Result<Resp, Error> {
    let path = settings.agent_dir.join("daos_agent.sock");
    let result = fabric::local::call(&path, method, request, settings.call_timeout).await;
    result.map_err(|failure| {
        let away = failure.status == Status::Unreachable && failure.fault.is_none() && failure.resolution.is_empty();
        let what = if method == drpc::Method::ListPools { "list pools" } else { "get attach info" };
        Error::Agent { what, failure, away }
    })
}
