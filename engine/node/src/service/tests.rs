//! The service over targets in memory: two ranks, two targets each, and every crash point of a create and a destroy.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use prost::Message;
use store::{Command, ContainerUse, PoolSpace, Reply, ScrubMode, Scrubbing};
use types::{Answer, ChecksumKind, Epoch, Level, Operation, Outcome, Place, PoolId, Rank, Scope, Segment, Status};
use wire::fault::Failure;
use wire::proto::drpc::{self, EnginePoolCreateReq, EnginePoolDestroyReq, EnginePoolPropReq, EnginePoolReq};
use wire::proto::mgmt::{GroupMember, PoolPropResp, PoolQueryResp, Property};
use wire::proto::service::{
    ContainerCreateReq, ContainerInfo, ContainerListResp, ContainerReq, Method, PoolConnectReq, PoolConnectResp,
    PoolReq,
};

use super::{Client, Group, Peers, PoolService, Targets};

mod snapshots;

/// Bytes each target has to promise.
const TARGET_BYTES: u64 = 1000;

#[derive(Default)]
struct Target {
    pools: BTreeMap<PoolId, PoolSpace>,
    scrubbing: BTreeMap<PoolId, Scrubbing>,
    containers: BTreeMap<Place, ChecksumKind>,
    snapshots: BTreeSet<(Place, Epoch)>,
    /// The latest epoch given; history older than `merged` is gone.
    clock: Epoch,
    merged: Epoch,
    /// Merges that come between a question about the time and a snapshot.
    merges: u32,
    values: BTreeMap<(Place, Vec<u8>), Bytes>,
}

/// Targets of one rank; after `budget` changes every further command fails, as in a crash.
struct Memory {
    targets: Mutex<Vec<Target>>,
    budget: AtomicU32,
    /// The target that takes no changes any more.
    dead: AtomicU32,
}

impl Memory {
    fn new(count: usize) -> Arc<Memory> {
        Arc::new(Memory {
            targets: Mutex::new((0..count).map(|_| Target::default()).collect()),
            budget: AtomicU32::new(u32::MAX),
            dead: AtomicU32::new(u32::MAX),
        })
    }

    fn is_dead(&self, target: u32) -> bool {
        self.dead.load(Ordering::SeqCst) == target
    }

    fn run(&self, index: u32, command: Command) -> Result<Reply, Status> {
        let changing = !matches!(
            command,
            Command::PoolList | Command::PoolQuery(_) | Command::ContainerList(_) | Command::ContainerQuery(_)
        );
        if changing && self.budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
        {
            return Err(Status::Unreachable);
        }
        let mut targets = self.targets.lock().unwrap();
        let target = &mut targets[index as usize];
        Ok(match command {
            Command::PoolCreate { pool, scm_bytes, data_bytes } => {
                let used: u64 =
                    target.pools.iter().filter(|(id, _)| **id != pool).map(|(_, space)| space.scm_total).sum();
                if used + scm_bytes > TARGET_BYTES {
                    return Ok(Reply::Done(Err(Status::NoSpace)));
                }
                target.pools.insert(
                    pool,
                    PoolSpace {
                        scm_total: scm_bytes,
                        scm_free: scm_bytes,
                        data_total: data_bytes,
                        data_free: data_bytes,
                    },
                );
                Reply::Done(Ok(()))
            }
            Command::PoolDestroy(pool) => {
                target.pools.remove(&pool);
                target.containers.retain(|place, _| place.pool != pool);
                target.values.retain(|(place, _), _| place.pool != pool);
                Reply::Done(Ok(()))
            }
            Command::PoolScrub(pool, scrubbing) => {
                target.scrubbing.insert(pool, scrubbing);
                Reply::Done(Ok(()))
            }
            Command::PoolList => Reply::Pools(target.pools.keys().copied().collect()),
            Command::PoolQuery(_) if self.is_dead(index) => Reply::PoolSpace(Err(Status::Io)),
            Command::PoolQuery(pool) => Reply::PoolSpace(target.pools.get(&pool).copied().ok_or(Status::Nonexistent)),
            Command::ContainerCreate(place, kind) if target.pools.contains_key(&place.pool) => {
                let there = target.containers.entry(place).or_insert(kind);
                Reply::Done(if *there == kind { Ok(()) } else { Err(Status::Exists) })
            }
            Command::ContainerCreate(..) => Reply::Done(Err(Status::Nonexistent)),
            Command::ContainerDestroy(place) => {
                target.containers.remove(&place);
                target.snapshots.retain(|(of, _)| *of != place);
                Reply::Done(Ok(()))
            }
            Command::SnapshotAdd { place, epoch } => Reply::Done(target.add_snapshot(place, epoch)),
            Command::SnapshotRemove { place, .. } if !target.containers.contains_key(&place) => {
                Reply::Done(Err(Status::NoHandle))
            }
            Command::SnapshotRemove { place, epoch } => {
                target.snapshots.remove(&(place, epoch));
                Reply::Done(Ok(()))
            }
            Command::ContainerList(pool) => Reply::Containers(Ok(target
                .containers
                .keys()
                .filter(|place| place.pool == pool)
                .map(|place| place.container)
                .collect())),
            Command::ContainerQuery(_) => Reply::ContainerUsed(Ok(ContainerUse {
                scm_bytes: 1,
                data_bytes: 2,
                history_from: Epoch(u64::from(7 + index)),
                newest: target.clock,
                checksum_kind: ChecksumKind::Crc32c,
            })),
            Command::Operate { place, operation } => Reply::Operated(target.operate(place, operation)),
            _ => unreachable!("not asked by the service"),
        })
    }
}

impl Target {
    fn add_snapshot(&mut self, place: Place, epoch: Epoch) -> Result<(), Status> {
        if !self.containers.contains_key(&place) {
            return Err(Status::NoHandle);
        }
        if self.merges > 0 {
            self.merges -= 1;
            self.clock = Epoch(self.clock.0.max(epoch.0) + 1);
            self.merged = self.clock;
        }
        if epoch < self.merged {
            return Err(Status::Restart);
        }
        // As the store does: the entry is a change too, and comes after the snapshot.
        self.clock = Epoch(self.clock.0.max(epoch.0) + 1);
        self.snapshots.insert((place, epoch));
        Ok(())
    }

    fn operate(&mut self, place: Place, operation: Operation) -> Answer {
        if !self.containers.contains_key(&place) {
            return Err(Status::NoHandle);
        }
        match operation {
            Operation::Update { address, data, checksums, .. } => {
                assert_eq!(erasure::verify(&data, &checksums), Ok(()));
                self.values.insert((place, address.dkey.as_bytes().to_vec()), data);
                Ok(Outcome::Changed(Epoch(1)))
            }
            Operation::Fetch { address, .. } => {
                let data =
                    self.values.get(&(place, address.dkey.as_bytes().to_vec())).cloned().ok_or(Status::Nonexistent)?;
                Ok(Outcome::Fetched(vec![Segment {
                    offset: 0,
                    checksums: erasure::checksums(ChecksumKind::Crc32c, &data),
                    data,
                }]))
            }
            Operation::Punch { scope: Scope::Dkey(_, dkey), .. } => self
                .values
                .remove(&(place, dkey.as_bytes().to_vec()))
                .map(|_| Outcome::Changed(Epoch(1)))
                .ok_or(Status::Nonexistent),
            Operation::List { level: Level::Dkeys(_), after, .. } => {
                // One name at a time, to exercise the anchor.
                let mut rest = self
                    .values
                    .keys()
                    .filter(|(at, name)| *at == place && *name > after)
                    .map(|(_, name)| Bytes::from(name.clone()));
                let first: Vec<Bytes> = rest.next().into_iter().collect();
                Ok(Outcome::Listed { names: first, more: rest.next().is_some() })
            }
            other => unreachable!("{other:?} is not used by the service"),
        }
    }
}

impl Targets for Arc<Memory> {
    fn count(&self) -> u32 {
        u32::try_from(self.targets.lock().unwrap().len()).unwrap()
    }

    fn is_dead(&self, target: u32) -> bool {
        Memory::is_dead(self, target)
    }

    /// Half of it is in memory.
    fn memory_bytes(&self, scm_bytes: u64) -> u64 {
        scm_bytes / 2
    }

    async fn call(&self, target: u32, command: Command) -> Result<Reply, Status> {
        self.run(target, command)
    }
}

/// Peers whose services run in the same thread.
struct Neighbours(BTreeMap<u32, Arc<PoolService<Arc<Memory>, Nobody>>>);
struct Nobody;

impl Peers for Nobody {
    async fn call(&self, member: &GroupMember, _: Method, _: Bytes) -> Result<Bytes, Failure> {
        Err(Failure::new(Status::Unreachable, format!("rank {} is away", member.rank)))
    }
}

impl Peers for Neighbours {
    async fn call(&self, member: &GroupMember, method: Method, body: Bytes) -> Result<Bytes, Failure> {
        match self.0.get(&member.rank) {
            Some(service) => service.serve(None, u16::try_from(method as i32).unwrap(), body).await,
            None => Nobody.call(member, method, body).await,
        }
    }
}

type Service = PoolService<Arc<Memory>, Neighbours>;

/// Runs a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing in these tests waits"),
    }
}

fn group() -> Group {
    let member = |rank| GroupMember { rank, uri: format!("ofi+tcp://127.0.0.1:{}", 31416 + rank), targets: 2 };
    Group { version: 1, members: vec![member(0), member(1)] }
}

/// Two ranks; the service of rank 0.
struct Pair {
    first: Arc<Memory>,
    second: Arc<Memory>,
    service: Service,
}

fn start(first: &Arc<Memory>, second: &Arc<Memory>) -> Service {
    let other = PoolService::new(second.clone(), Nobody, "daos_server");
    other.set_rank(Rank(1), group());
    now(other.load()).unwrap();
    let service = PoolService::new(first.clone(), Neighbours(BTreeMap::from([(1, Arc::new(other))])), "daos_server");
    now(service.load()).unwrap();
    service.set_rank(Rank(0), group());
    service
}

impl Pair {
    fn new() -> Pair {
        let (first, second) = (Memory::new(2), Memory::new(2));
        let service = start(&first, &second);
        Pair { first, second, service }
    }

    /// As after a crash and restart of rank 0.
    fn restart(&mut self) {
        self.first.budget.store(u32::MAX, Ordering::SeqCst);
        self.service = start(&self.first, &self.second);
    }

    fn call<R: Message + Default>(&self, method: Method, request: &impl Message) -> Result<R, Failure> {
        let body =
            now(self.service.serve(None, u16::try_from(method as i32).unwrap(), request.encode_to_vec().into()))?;
        Ok(R::decode(body).unwrap())
    }

    fn call_as<R: Message + Default>(
        &self,
        client: Client,
        method: Method,
        request: &impl Message,
    ) -> Result<R, Failure> {
        let method = u16::try_from(method as i32).unwrap();
        let body = now(self.service.serve(Some(client), method, request.encode_to_vec().into()))?;
        Ok(R::decode(body).unwrap())
    }

    fn local<R: Message + Default>(&self, method: drpc::Method, request: &impl Message) -> Result<R, Failure> {
        let body = now(self.service.serve_local(method, request.encode_to_vec().into()))?;
        Ok(R::decode(body).unwrap())
    }

    fn create_pool(&self) -> Result<(), Failure> {
        self.local(drpc::Method::PoolCreate, &pool_request(200))
    }

    fn create_container(&self, label: &str) -> Result<ContainerInfo, Failure> {
        self.call(
            Method::ContainerCreate,
            &ContainerCreateReq { pool: "tank".into(), label: label.into(), ..Default::default() },
        )
    }

    fn list(&self) -> Vec<String> {
        let list: ContainerListResp = self.call(Method::ContainerList, &PoolReq { pool: "tank".into() }).unwrap();
        list.containers.into_iter().map(|container| container.container_label).collect()
    }

    /// Containers with a shard, per target of both ranks, without the reserved one.
    fn shards(&self) -> Vec<usize> {
        let count = |memory: &Memory| -> Vec<usize> {
            let targets = memory.targets.lock().unwrap();
            targets
                .iter()
                .map(|target| target.containers.keys().filter(|place| !place.container.0.is_nil()).count())
                .collect()
        };
        [count(&self.first), count(&self.second)].concat()
    }
}

const POOL: &str = "11111111-2222-3333-4444-555555555555";

fn pool_request(scm_bytes: u64) -> EnginePoolCreateReq {
    EnginePoolCreateReq {
        uuid: POOL.into(),
        label: "tank".into(),
        user: "root@".into(),
        group: "root@".into(),
        scm_bytes,
        nvme_bytes: 4000,
        ranks: vec![0, 1],
        properties: vec![Property { name: "space_rb".into(), value: "5".into() }],
    }
}

#[test]
fn a_pool_spans_its_ranks_and_is_found_by_label_and_uuid() {
    let pair = Pair::new();
    pair.create_pool().unwrap();
    pair.create_pool().unwrap(); // the same request again
    for id in ["tank", POOL] {
        let reply: PoolConnectResp =
            pair.call(Method::PoolConnect, &PoolConnectReq { sys: "daos_server".into(), id: id.into() }).unwrap();
        assert_eq!(reply.map.unwrap().ranks.len(), 2);
    }
    let query: PoolQueryResp = pair.local(drpc::Method::PoolQuery, &EnginePoolReq { uuid: POOL.into() }).unwrap();
    assert_eq!((query.total_targets, query.tier_stats[0].total, query.tier_stats[1].total), (4, 400, 8000));
    assert_eq!(query.mem_file_bytes, 200, "of all ranks, and no more than is in memory");
    let wrong: Result<PoolConnectResp, _> =
        pair.call(Method::PoolConnect, &PoolConnectReq { sys: "other".into(), id: "tank".into() });
    assert_eq!(wrong.unwrap_err().fault, Some(types::FaultName::ServerWrongSystem));
}

#[test]
fn dead_targets_and_ranks_that_are_away_are_disabled() {
    let mut pair = Pair::new();
    pair.create_pool().unwrap();
    let query = |pair: &Pair| -> PoolQueryResp {
        pair.local(drpc::Method::PoolQuery, &EnginePoolReq { uuid: POOL.into() }).unwrap()
    };
    let counts = |query: &PoolQueryResp| (query.total_targets, query.active_targets, query.disabled_targets);
    let whole = query(&pair);
    assert_eq!((counts(&whole), &whole.enabled_ranks), ((4, 4, 0), &vec![0, 1]));
    pair.second.dead.store(1, Ordering::SeqCst);
    let one_dead = query(&pair);
    assert_eq!((counts(&one_dead), one_dead.disabled_ranks.len()), ((4, 3, 1), 0));
    assert_eq!((one_dead.tier_stats[0].total, one_dead.tier_stats[1].free), (300, 6000));
    // Rank 1 goes away with both of its targets.
    let alone = PoolService::new(pair.first.clone(), Neighbours(BTreeMap::new()), "daos_server");
    now(alone.load()).unwrap();
    alone.set_rank(Rank(0), group());
    pair.service = alone;
    let away = query(&pair);
    assert_eq!((counts(&away), away.tier_stats[0].total), ((4, 2, 2), 200));
    assert_eq!((away.enabled_ranks, away.disabled_ranks), (vec![0], vec![1]));
}

#[test]
fn a_pool_that_does_not_fit_leaves_nothing_anywhere() {
    let pair = Pair::new();
    now(pair.service.serve_local(drpc::Method::PoolCreate, pool_request(4 * TARGET_BYTES).encode_to_vec().into()))
        .unwrap_err();
    for memory in [&pair.first, &pair.second] {
        assert!(memory.targets.lock().unwrap().iter().all(|target| target.pools.is_empty()));
    }
}

#[test]
fn containers_have_unique_labels_and_survive_a_restart() {
    let mut pair = Pair::new();
    pair.create_pool().unwrap();
    for label in ["a", "b", "c"] {
        pair.create_container(label).unwrap();
    }
    assert_eq!(pair.create_container("a").unwrap_err().status, Status::Exists);
    assert_eq!(pair.create_container("a b").unwrap_err().status, Status::Invalid);
    pair.restart();
    let mut labels = pair.list();
    labels.sort();
    assert_eq!(labels, ["a", "b", "c"]);
    assert_eq!(pair.shards(), [3, 3, 3, 3]);
    let info: ContainerInfo = pair
        .call(Method::ContainerQuery, &ContainerReq { pool: "tank".into(), container: "b".into(), force: false })
        .unwrap();
    assert_eq!((info.used_bytes, info.history_from), (4 * 3, 8));
}

#[test]
fn every_shard_of_a_container_has_the_kind_of_checksums_it_was_made_with() {
    let mut pair = Pair::new();
    pair.create_pool().unwrap();
    let properties = vec![Property { name: "cksum".into(), value: "sha256".into() }];
    let request = ContainerCreateReq { pool: "tank".into(), label: "digests".into(), properties, ..Default::default() };
    let info: ContainerInfo = pair.call(Method::ContainerCreate, &request).unwrap();
    pair.create_container("plain").unwrap();
    let kinds = |pair: &Pair, uuid: &str| -> Vec<ChecksumKind> {
        let place = Place { pool: POOL.parse().unwrap(), container: uuid.parse().unwrap() };
        let of = |memory: &Memory| -> Vec<ChecksumKind> {
            memory.targets.lock().unwrap().iter().map(|target| target.containers[&place]).collect()
        };
        [of(&pair.first), of(&pair.second)].concat()
    };
    assert_eq!(kinds(&pair, &info.container_uuid), [ChecksumKind::Sha256; 4]);
    // A shard that a crash kept from being made is made with it too.
    let place = Place { pool: POOL.parse().unwrap(), container: info.container_uuid.parse().unwrap() };
    for memory in [&pair.first, &pair.second] {
        memory.targets.lock().unwrap()[1].containers.remove(&place);
    }
    pair.restart();
    now(pair.service.reconcile()).unwrap();
    assert_eq!(kinds(&pair, &info.container_uuid), [ChecksumKind::Sha256; 4]);
    let open = ContainerReq { pool: "tank".into(), container: "digests".into(), force: false };
    let opened: ContainerInfo = pair.call(Method::ContainerOpen, &open).unwrap();
    assert!(opened.properties.iter().any(|property| property.name == "cksum" && property.value == "sha256"));
}

#[test]
fn every_target_is_told_how_a_pool_is_scrubbed() {
    let mut pair = Pair::new();
    let property = |name: &str, value: &str| Property { name: name.into(), value: value.into() };
    let properties = vec![property("scrub", "lazy"), property("scrub_freq", "60")];
    let request = EnginePoolCreateReq { properties, ..pool_request(200) };
    pair.local::<()>(drpc::Method::PoolCreate, &request).unwrap();
    let told = |pair: &Pair| -> Vec<Option<Scrubbing>> {
        let of = |memory: &Memory| -> Vec<Option<Scrubbing>> {
            memory.targets.lock().unwrap().iter().map(|target| target.scrubbing.values().next().copied()).collect()
        };
        [of(&pair.first), of(&pair.second)].concat()
    };
    assert_eq!(told(&pair), [Some(Scrubbing { mode: ScrubMode::Lazy, period_s: 60 }); 4]);
    let set =
        EnginePoolPropReq { uuid: POOL.into(), properties: vec![property("scrub", "timed")], ..Default::default() };
    pair.local::<PoolPropResp>(drpc::Method::PoolSetProp, &set).unwrap();
    let timed = [Some(Scrubbing { mode: ScrubMode::Timed, period_s: 60 }); 4];
    assert_eq!(told(&pair), timed);
    // A target that lost the word gets it again.
    pair.second.targets.lock().unwrap()[1].scrubbing.clear();
    pair.restart();
    now(pair.service.reconcile()).unwrap();
    assert_eq!(told(&pair), timed);
}

#[test]
fn a_pool_with_containers_is_destroyed_only_recursively() {
    let pair = Pair::new();
    pair.create_pool().unwrap();
    pair.create_container("a").unwrap();
    let destroy = |recursive| EnginePoolDestroyReq { uuid: POOL.into(), force: false, recursive, ranks: vec![0, 1] };
    let refused = pair.local::<()>(drpc::Method::PoolDestroy, &destroy(false)).unwrap_err();
    assert_eq!(refused.fault, Some(types::FaultName::ServerPoolHasContainers));
    pair.local::<()>(drpc::Method::PoolDestroy, &destroy(true)).unwrap();
    pair.local::<()>(drpc::Method::PoolDestroy, &destroy(true)).unwrap(); // again
    assert_eq!(pair.shards(), [0, 0, 0, 0]);
}

#[test]
fn a_rank_that_is_away_keeps_its_place_in_the_pool_map() {
    let pair = Pair::new();
    pair.create_pool().unwrap();
    let alone = GroupMember { rank: 0, uri: "ofi+tcp://127.0.0.1:9".into(), targets: 2 };
    pair.service.set_group(Group { version: 2, members: vec![alone] });
    let reply: PoolConnectResp =
        pair.call(Method::PoolConnect, &PoolConnectReq { sys: String::new(), id: "tank".into() }).unwrap();
    let ranks: Vec<(u32, u32)> = reply.map.unwrap().ranks.iter().map(|member| (member.rank, member.targets)).collect();
    assert_eq!(ranks, [(0, 2), (1, 2)]);
}

#[test]
fn properties_change_and_stay() {
    let mut pair = Pair::new();
    pair.create_pool().unwrap();
    let set = EnginePoolPropReq {
        uuid: POOL.into(),
        names: Vec::new(),
        properties: vec![
            Property { name: "label".into(), value: "lake".into() },
            Property { name: "space_rb".into(), value: "7".into() },
        ],
    };
    pair.local::<wire::proto::mgmt::PoolPropResp>(drpc::Method::PoolSetProp, &set).unwrap();
    pair.restart();
    let get =
        EnginePoolPropReq { uuid: POOL.into(), names: vec!["space_rb".into(), "label".into()], properties: Vec::new() };
    let reply: wire::proto::mgmt::PoolPropResp = pair.local(drpc::Method::PoolGetProp, &get).unwrap();
    let values: Vec<&str> = reply.properties.iter().map(|property| property.value.as_str()).collect();
    assert_eq!(values, ["7", "lake"]);
}

#[test]
fn a_crash_at_any_step_of_a_create_or_destroy_is_mended_at_restart() {
    let mut interrupted = 0;
    for steps in 0.. {
        let mut pair = Pair::new();
        pair.create_pool().unwrap();
        pair.create_container("kept").unwrap();
        pair.first.budget.store(steps, Ordering::SeqCst);
        let created = pair.create_container("new");
        pair.restart();
        now(pair.service.reconcile()).unwrap();
        let listed = pair.list();
        assert!(listed.contains(&"kept".to_owned()));
        assert_eq!(listed.len(), pair.shards()[0], "after {steps} steps of a create");
        assert!(
            pair.shards().windows(2).all(|two| two[0] == two[1]),
            "after {steps} steps of a create: {:?}",
            pair.shards()
        );
        if created.is_ok() {
            assert!(listed.contains(&"new".to_owned()), "acknowledged");
            break;
        }
        interrupted += 1;
    }
    for steps in 0.. {
        let mut pair = Pair::new();
        pair.create_pool().unwrap();
        pair.create_container("gone").unwrap();
        pair.first.budget.store(steps, Ordering::SeqCst);
        let destroyed = pair.call::<()>(
            Method::ContainerDestroy,
            &ContainerReq { pool: "tank".into(), container: "gone".into(), force: false },
        );
        pair.restart();
        now(pair.service.reconcile()).unwrap();
        let left = pair.list().len();
        assert!(
            pair.shards().iter().all(|count| *count == left),
            "after {steps} steps of a destroy: {:?}",
            pair.shards()
        );
        assert_eq!(left, usize::from(steps == 0), "a destroy whose mark is durable is finished");
        if destroyed.is_ok() {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted >= 6, "{interrupted} crash points");
}

#[test]
fn unknown_methods_and_garbage_are_refused() {
    let pair = Pair::new();
    assert_eq!(now(pair.service.serve(None, 9999, Bytes::new())).unwrap_err().status, Status::Protocol);
    assert_eq!(
        now(pair.service.serve(None, 1, Bytes::from_static(b"\xff\xff\xff"))).unwrap_err().status,
        Status::Protocol
    );
    let missing =
        pair.call::<PoolConnectResp>(Method::PoolConnect, &PoolConnectReq { sys: String::new(), id: "nosuch".into() });
    assert_eq!(missing.unwrap_err().status, Status::Nonexistent);
}

#[test]
fn what_another_client_has_open_is_destroyed_only_by_force() {
    let pair = Pair::new();
    pair.create_pool().unwrap();
    pair.create_container("a").unwrap();
    let (writer, admin) = (Client(1), Client(2));
    let container = |force| ContainerReq { pool: "tank".into(), container: "a".into(), force };
    let handles = || pair.call::<ContainerInfo>(Method::ContainerQuery, &container(false)).unwrap().num_handles;
    let connect = PoolConnectReq { sys: String::new(), id: "tank".into() };
    assert_eq!(handles(), 0, "a peer's call opens nothing");
    for client in [writer, writer, admin] {
        pair.call_as::<PoolConnectResp>(client, Method::PoolConnect, &connect).unwrap();
        pair.call_as::<ContainerInfo>(client, Method::ContainerOpen, &container(false)).unwrap();
    }
    assert_eq!(handles(), 2);
    let refused = pair.call_as::<()>(admin, Method::ContainerDestroy, &container(false)).unwrap_err();
    assert_eq!(
        (refused.status, refused.resolution.contains("--force")),
        (Status::Busy, true),
        "held by the writer: {refused}"
    );
    let destroy = |force| EnginePoolDestroyReq { uuid: POOL.into(), force, recursive: true, ranks: vec![0, 1] };
    assert_eq!(pair.local::<()>(drpc::Method::PoolDestroy, &destroy(false)).unwrap_err().status, Status::Busy);
    assert_eq!(pair.list(), ["a"], "nothing half-done");
    // The writer's connection ends: only the one who destroys holds it.
    pair.service.client_ended(writer);
    assert_eq!(handles(), 1);
    pair.call_as::<()>(admin, Method::ContainerDestroy, &container(false)).unwrap();
    pair.create_container("a").unwrap();
    pair.call_as::<ContainerInfo>(writer, Method::ContainerOpen, &container(false)).unwrap();
    pair.call_as::<()>(admin, Method::ContainerDestroy, &container(true)).unwrap();
    assert_eq!(pair.local::<()>(drpc::Method::PoolDestroy, &destroy(false)).unwrap_err().status, Status::Busy);
    pair.local::<()>(drpc::Method::PoolDestroy, &destroy(true)).unwrap();
    assert_eq!(pair.shards(), [0, 0, 0, 0]);
}
