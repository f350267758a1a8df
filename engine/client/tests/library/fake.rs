//! The whole system: an agent on a Unix socket, two ranks of two targets, the pool service on rank 0.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use daos_client::{Container, ContainerInfo, ContainerOptions, Object, Settings, System};
use prost::Message;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use types::{Answer, ChecksumKind, Epoch, Key, ObjectId, Operation, Rank, Status};
use wire::fault::Failure;
use wire::operation::Request;
use wire::proto::drpc;
use wire::proto::mgmt::{
    GetAttachInfoResp, GroupMember, ListPoolsResp, PoolEntry, PoolPropResp, PoolQueryResp, Property,
};
use wire::proto::service::{
    ContainerCreateReq, ContainerListResp, ContainerReq, Method, PoolConnectReq, PoolConnectResp, PoolMap, PoolPropReq,
    Snapshot, SnapshotCreateReq, SnapshotDestroyReq, SnapshotListResp,
};

use crate::engine::{self, Trick};
use crate::shard::Shard;

pub(crate) const SYSTEM: &str = "daos_server";
pub(crate) const POOL: &str = "6a2f1c9e-52f5-4c3e-8d7e-0d3c5b1a9e10";
pub(crate) const TARGETS: u32 = 2;
pub(crate) const OBJECT: ObjectId = ObjectId { hi: 7, lo: 1 };

/// Everything the ranks know; one lock is enough for a test.
#[derive(Default)]
pub(crate) struct State {
    shards: BTreeMap<(u32, u32), Shard>,
    pub(crate) containers: Vec<ContainerInfo>,
    /// Of the one container that tests take snapshots of, with the requests they were taken for.
    pub(crate) snapshots: Vec<(Snapshot, String)>,
    uris: BTreeMap<u32, SocketAddr>,
    epoch: u64,
    /// Done with the next requests, one each.
    pub(crate) tricks: VecDeque<Trick>,
    /// The same for calls of the pool service; `None` lets one pass.
    pub(crate) service_tricks: VecDeque<Option<Trick>>,
    /// Answers held back until there are so many; 0 and 1 hold none.
    pub(crate) hold: usize,
    /// Connections accepted.
    pub(crate) connections: usize,
    /// Operations of each request, in the order of their arrival.
    pub(crate) requests: Vec<usize>,
    /// Pools and containers opened: calls that give a handle.
    pub(crate) opens: usize,
    /// True while the management service is away.
    pub(crate) no_pools: bool,
}

#[derive(Default)]
pub(crate) struct Shared(Mutex<State>);

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with it")
    }

    pub(crate) fn execute(&self, rank: Rank, target: u32, request: &Request) -> Vec<Answer> {
        let state = &mut *self.state();
        state.requests.push(request.operations.len());
        let kind = state.checksum_kind(&request.place.container.to_string());
        let shard = state.shards.entry((rank.0, target)).or_default();
        let execute = |operation: &Operation| {
            state.epoch += 1;
            if let Operation::Update { checksums, .. } = operation
                && checksums.kind().is_some_and(|found| found != kind)
            {
                return Err(Status::Invalid);
            }
            shard.execute(request.place.container, operation, Epoch(state.epoch))
        };
        request.operations.iter().map(execute).collect()
    }

    /// The pool service.
    pub(crate) fn service(&self, rank: Rank, method: u16, body: Bytes) -> Result<Bytes, Failure> {
        let state = &mut *self.state();
        if rank != Rank(0) {
            return Err(Failure::new(Status::Nonexistent, "this rank does not serve the pool"));
        }
        let method = Method::try_from(i32::from(method)).expect("a method of the pool service");
        state.opens += usize::from(matches!(method, Method::PoolConnect | Method::ContainerOpen));
        match method {
            Method::PoolConnect => {
                let request: PoolConnectReq = decoded(body);
                assert!(
                    request.sys == SYSTEM && (request.id == "tank" || request.id.eq_ignore_ascii_case(POOL)),
                    "{request:?}"
                );
                let ranks = state.members();
                encoded(&PoolConnectResp {
                    uuid: POOL.to_owned(),
                    label: "tank".to_owned(),
                    map: Some(PoolMap { version: 1, ranks }),
                })
            }
            Method::PoolQuery => {
                let containers = state.containers.len() as u32;
                encoded(&PoolQueryResp { uuid: POOL.to_owned(), containers, ..PoolQueryResp::default() })
            }
            Method::PoolGetProp => {
                let names = decoded::<PoolPropReq>(body).names;
                let properties = names.into_iter().map(|name| Property { value: format!("{name}!"), name }).collect();
                encoded(&PoolPropResp { properties })
            }
            Method::ContainerCreate => {
                let request: ContainerCreateReq = decoded(body);
                let repeated = state.containers.iter().find(|info| info.container_uuid == request.uuid);
                if let Some(info) = repeated {
                    return encoded(info);
                }
                if state.containers.iter().any(|info| info.container_label == request.label) {
                    let message = format!("container `{}` exists", request.label);
                    return Err(Failure::new(Status::Exists, message).with_resolution("choose another label"));
                }
                let info = ContainerInfo {
                    pool_uuid: POOL.to_owned(),
                    container_uuid: request.uuid,
                    container_label: request.label,
                    container_type: request.r#type,
                    properties: request.properties,
                    ..ContainerInfo::default()
                };
                state.containers.push(info.clone());
                encoded(&info)
            }
            Method::ContainerOpen | Method::ContainerQuery => {
                let at = state.find(&decoded(body))?;
                encoded(&state.containers[at])
            }
            Method::ContainerGetProp => {
                let at = state.find(&decoded(body))?;
                encoded(&PoolPropResp { properties: state.containers[at].properties.clone() })
            }
            Method::ContainerList => encoded(&ContainerListResp { containers: state.containers.clone() }),
            Method::ContainerDestroy => {
                let at = state.find(&decoded(body))?;
                state.containers.remove(at);
                Ok(Bytes::new())
            }
            Method::ContainerSnapshotCreate => encoded(&state.take_snapshot(decoded(body))),
            Method::ContainerSnapshotList => {
                state.find(&decoded(body))?;
                let snapshots = state.snapshots.iter().map(|(snapshot, _)| snapshot.clone()).collect();
                encoded(&SnapshotListResp { snapshots })
            }
            Method::ContainerSnapshotDestroy => {
                let request: SnapshotDestroyReq = decoded(body);
                let before = state.snapshots.len();
                state.snapshots.retain(|(snapshot, _)| !request.epochs.contains(&snapshot.epoch));
                if state.snapshots.len() == before {
                    return Err(Failure::new(Status::Nonexistent, "no such snapshot").with_resolution("list them"));
                }
                Ok(Bytes::new())
            }
            other => panic!("a client does not call {other:?}"),
        }
    }

    fn agent(&self, method: drpc::Method) -> Result<Bytes, Failure> {
        let state = self.state();
        match method {
            drpc::Method::GetAttachInfo => encoded(&GetAttachInfoResp {
                sys: SYSTEM.to_owned(),
                rank_uris: state.members(),
                ..GetAttachInfoResp::default()
            }),
            drpc::Method::ListPools if state.no_pools => {
                Err(Failure::new(Status::Unreachable, "the management service is away").with_resolution("wait for it"))
            }
            drpc::Method::ListPools => {
                let pool = PoolEntry { uuid: POOL.to_owned(), label: "tank".to_owned(), ..PoolEntry::default() };
                encoded(&ListPoolsResp { pools: vec![pool], data_version: 1 })
            }
            other => panic!("a client does not ask its agent for {other:?}"),
        }
    }
}

impl State {
    fn members(&self) -> Vec<GroupMember> {
        let member = |(rank, address): (&u32, &SocketAddr)| GroupMember {
            rank: *rank,
            uri: format!("ofi+tcp://{address}"),
            targets: TARGETS,
        };
        self.uris.iter().map(member).collect()
    }

    fn checksum_kind(&self, container: &str) -> ChecksumKind {
        let properties =
            self.containers.iter().find(|info| info.container_uuid == container).map(|info| &info.properties);
        let cksum = properties.and_then(|all| all.iter().find(|property| property.name == "cksum"));
        cksum.map_or(ChecksumKind::Crc32c, |property| property.value.parse().unwrap())
    }

    fn take_snapshot(&mut self, request: SnapshotCreateReq) -> Snapshot {
        if let Some((taken, _)) = self.snapshots.iter().find(|(_, repeated)| *repeated == request.request) {
            return taken.clone();
        }
        let snapshot = Snapshot { epoch: self.epoch, name: request.name, destroying: false };
        // Whatever comes later has a later epoch.
        self.epoch += 1;
        self.snapshots.push((snapshot.clone(), request.request));
        snapshot
    }

    fn find(&self, request: &ContainerReq) -> Result<usize, Failure> {
        let named = |info: &ContainerInfo| [&info.container_uuid, &info.container_label].contains(&&request.container);
        self.containers.iter().position(named).ok_or_else(|| {
            let message = format!("there is no container `{}`", request.container);
            Failure::new(Status::Nonexistent, message).with_resolution("`daos container list tank` shows them")
        })
    }
}

fn encoded(message: &impl Message) -> Result<Bytes, Failure> {
    Ok(message.encode_to_vec().into())
}

fn decoded<M: Message + Default>(body: Bytes) -> M {
    M::decode(body).expect("the library sends whole messages")
}

/// A running system.
pub(crate) struct Fake {
    shared: Arc<Shared>,
    engines: BTreeMap<u32, JoinHandle<()>>,
    agent: JoinHandle<()>,
    folder: TempDir,
}

impl Fake {
    pub(crate) async fn start() -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::<Shared>::default();
        let listener = fabric::local::bind(&folder.path().join("daos_agent.sock")).unwrap();
        let served = shared.clone();
        let agent = tokio::spawn(fabric::local::serve(listener, move |method, _| {
            let answer = served.agent(method);
            async move { answer }
        }));
        let mut fake = Fake { shared, engines: BTreeMap::new(), agent, folder };
        for rank in 0..2 {
            fake.begin(rank, engine::listen(None).await);
        }
        fake
    }

    /// Starts a rank.
    pub(crate) fn begin(&mut self, rank: u32, listener: TcpListener) {
        self.shared.state().uris.insert(rank, listener.local_addr().unwrap());
        self.engines.insert(rank, tokio::spawn(engine::serve(Rank(rank), listener, self.shared.clone())));
    }

    /// Ends a rank with all its connections; its data stay.
    pub(crate) async fn stop(&mut self, rank: u32) {
        let engine = self.engines.remove(&rank).expect("the rank runs");
        engine.abort();
        assert!(engine.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn stop_agent(&mut self) {
        self.agent.abort();
        assert!((&mut self.agent).await.unwrap_err().is_cancelled());
    }

    pub(crate) fn address(&self, rank: u32) -> SocketAddr {
        self.state().uris[&rank]
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// The next requests are treated so.
    pub(crate) fn trick(&self, tricks: impl IntoIterator<Item = Trick>) {
        self.state().tricks.extend(tricks);
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { agent_dir: self.folder.path().to_owned(), ..Settings::default() }
    }

    /// Patient enough for a slow machine, and not at all with what is away.
    pub(crate) fn impatient(&self) -> Settings {
        Settings { retry_for: Duration::ZERO, ..self.settings() }
    }

    pub(crate) async fn container(&self, settings: Settings) -> Container {
        let pool = System::connect(settings).await.unwrap().open_pool("tank").await.unwrap();
        pool.create_container(ContainerOptions::labelled("things")).await.unwrap()
    }

    pub(crate) async fn object(&self) -> Object {
        self.container(self.settings()).await.object(OBJECT)
    }

    /// Where a value lies, found without the library.
    pub(crate) fn holders(&self, object: &Object, container: &Container, dkey: &Key, akey: &Key) -> Vec<(u32, u32)> {
        let state = self.state();
        let holds = |shard: &Shard| shard.single(container.id(), object.id(), dkey, akey).is_some();
        state.shards.iter().filter(|(_, shard)| holds(shard)).map(|(place, _)| *place).collect()
    }
}

/// A key of text.
pub(crate) fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}
