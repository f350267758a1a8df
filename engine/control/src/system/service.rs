//! The management service: executes what `membership` decides.
//!
//! A change is durable before it is answered or published. Everything in memory is a copy of the database and replaced
//! only after the database took the change.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use types::{Fault, FaultName, PoolId, Rank, Status};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::ctl;
use wire::proto::drpc::{GroupUpdateReq, Method};
use wire::proto::mgmt;

use super::database::{Database, DatabaseError};
use super::member::{Event, Member, State};
use super::membership::{Change, Join, Membership, NO_RANK};
use super::ranks::RankSet;
use crate::engine::blocking;
use crate::engine::instance::{CALL_DEADLINE, Snapshot};
use crate::grpc::peer::Peers;
use crate::harness::Harness;
use crate::pool::Pool;
use crate::rfc3339;

/// What the service tells about itself and to clients; from the settings.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// System name.
    pub(crate) name: String,
    /// Control address of this server, as members give it in a join.
    pub(crate) address: String,
    /// All configured replicas.
    pub(crate) replicas: Vec<String>,
    /// Fabric provider.
    pub(crate) provider: String,
    /// For clients.
    pub(crate) hint: mgmt::ClientNetHint,
}

/// The service.
pub(crate) struct System {
    pub(super) identity: Identity,
    pub(super) members: Mutex<Membership>,
    pub(super) pools: Mutex<BTreeMap<PoolId, Pool>>,
    /// Held by whoever creates or destroys a pool: these are seldom, and one at a time needs no further rules.
    pub(super) pool_gate: Mutex<()>,
    pub(super) harness: Harness,
    pub(super) peers: Peers,
    database: Arc<Database>,
}

impl System {
    /// Reads the records.
    pub(crate) fn open(
        identity: Identity,
        database: Database,
        harness: Harness,
        peers: Peers,
    ) -> Result<Arc<System>, DatabaseError> {
        let records = database.load()?;
        let membership = Membership::restore(records.members, records.next_rank, records.map_version);
        let pools = records.pools.into_iter().map(|pool| (pool.uuid, pool)).collect();
        Ok(Arc::new(System {
            identity,
            members: Mutex::new(membership),
            pools: Mutex::new(pools),
            pool_gate: Mutex::new(()),
            harness,
            peers,
            database: Arc::new(database),
        }))
    }

    /// Refuses a request that is meant for another system.
    pub(crate) fn check_name(&self, sys: &str) -> Result<(), Failure> {
        check_name(&self.identity.name, sys)
    }

    /// Changes the database and waits until the change is durable.
    pub(super) async fn write(
        &self,
        change: impl FnOnce(&Database) -> Result<(), DatabaseError> + Send + 'static,
    ) -> Result<(), Failure> {
        let database = self.database.clone();
        blocking(move || change(&database)).await.map_err(|error| {
            tracing::error!("{error}: {}", source_text(&error));
            Failure::new(Status::Io, format!("{error}"))
                .with_resolution("check the disk of `control_metadata.path` and daos_server's log")
        })
    }

    /// Makes `next` durable, then current.
    async fn commit(&self, members: &mut Membership, next: Membership, change: &Change) -> Result<(), Failure> {
        if let Some(member) = change.persist.and_then(|rank| next.get(rank)).cloned() {
            let (next_rank, map_version) = (next.next_rank(), next.map_version());
            self.write(move |database| database.save_member(&member, next_rank, map_version)).await?;
        }
        *members = next;
        Ok(())
    }

    pub(crate) async fn join(self: &Arc<Self>, request: mgmt::JoinReq) -> Result<mgmt::JoinResp, Failure> {
        self.check_name(&request.sys)?;
        let uuid = Uuid::parse_str(&request.uuid)
            .map_err(|_| Failure::new(Status::Invalid, format!("`{}` is not an engine's uuid", request.uuid)))?;
        let join = Join {
            uuid,
            rank: (request.rank != NO_RANK).then_some(Rank(request.rank)),
            addr: request.addr,
            index: request.index,
            uri: request.uri,
            targets: request.targets,
            fault_domain: request.fault_domain,
            incarnation: request.incarnation,
        };
        let mut members = self.members.lock().await;
        let mut next = members.clone();
        let (rank, change) = next.join(rfc3339::now_ms(), join).map_err(|error| {
            Failure::new(Status::Exists, error.to_string())
                .with_resolution("compare the superblocks of the servers with `dmg system query --verbose`")
        })?;
        self.commit(&mut members, next, &change).await?;
        let response = mgmt::JoinResp {
            rank: rank.0,
            state: "in".to_owned(),
            map_version: members.map_version(),
            members: members.group_with(rank),
        };
        drop(members);
        if change.publish {
            self.publish_group();
        }
        Ok(response)
    }

    /// Something happened to the engine with this UUID.
    pub(crate) async fn report(self: &Arc<Self>, engine: Uuid, event: &Event) {
        let rank = self.members.lock().await.by_uuid(engine).map(|member| member.rank);
        if let Some(rank) = rank {
            self.happened(rank, event).await;
        }
    }

    pub(super) async fn happened(self: &Arc<Self>, rank: Rank, event: &Event) {
        let mut members = self.members.lock().await;
        let mut next = members.clone();
        let change = next.apply(rfc3339::now_ms(), rank, event);
        if change == Change::default() {
            return;
        }
        if let Some(member) = next.get(rank) {
            tracing::info!("rank {rank} is {}{}", member.state, in_parentheses(&member.info));
        }
        if let Err(failure) = self.commit(&mut members, next, &change).await {
            tracing::error!("the state of rank {rank} could not be recorded: {failure}");
            return;
        }
        drop(members);
        if change.publish {
            self.publish_group();
        }
    }

    /// The storage of a member was formatted: it will not come back. When no other member is left, the system begins
    /// anew; otherwise the member stays in the records without a way back, for pools that still name it.
    pub(crate) async fn storage_formatted(self: &Arc<Self>, former: Uuid) {
        let _gate = self.pool_gate.lock().await;
        let mut members = self.members.lock().await;
        let Some(rank) = members.by_uuid(former).map(|member| member.rank) else { return };
        let map_version = members.map_version() + 1;
        let mut pools = self.pools.lock().await;
        let referenced = pools.values().any(|pool| pool.ranks.contains(&rank));
        let outcome = if members.len() == 1 {
            tracing::info!("the only member's storage was formatted: members and pools are forgotten");
            let outcome = self.write(move |database| database.reset(map_version)).await;
            if outcome.is_ok() {
                pools.clear();
                *members = Membership::restore([], 0, map_version);
            }
            outcome
        } else if !referenced {
            let outcome = self.write(move |database| database.remove_member(rank, map_version)).await;
            if outcome.is_ok() {
                let (rest, next_rank) = (members.clone(), members.next_rank());
                let rest = rest.iter().filter(|member| member.rank != rank).cloned();
                *members = Membership::restore(rest, next_rank, map_version);
            }
            outcome
        } else {
            tracing::warn!("rank {rank} was formatted while pools have shards on it; destroy them with `--force`");
            Ok(())
        };
        if let Err(failure) = outcome {
            tracing::error!("the format of rank {rank} could not be recorded: {failure}");
        }
    }

    /// Gives every engine of this host the present group, in the background.
    pub(crate) fn publish_group(self: &Arc<Self>) {
        let system = self.clone();
        tokio::spawn(async move {
            let update = {
                let members = system.members.lock().await;
                GroupUpdateReq { map_version: members.map_version(), members: members.group() }
            };
            for instance in system.harness.iter().filter(|instance| instance.snapshot().state == State::Joined) {
                let answer: Result<(), Failure> = instance.call(Method::GroupUpdate, &update, CALL_DEADLINE).await;
                if let Err(failure) = answer {
                    tracing::warn!("engine {} did not take the group: {failure}", instance.index);
                }
            }
        });
    }

    pub(crate) async fn query(&self, request: &mgmt::SystemQueryReq) -> Result<mgmt::SystemQueryResp, Failure> {
        self.check_name(&request.sys)?;
        let ranks = parse_ranks(&request.ranks)?;
        let members = self.members.lock().await;
        let (selected, absent) = members.select(&ranks);
        let mut found: Vec<_> = selected.iter().filter_map(|rank| members.get(*rank)).map(to_wire).collect();
        if ranks.is_empty() {
            found.extend(self.failed_strangers(&members));
        }
        Ok(mgmt::SystemQueryResp {
            members: found,
            providers: vec![self.identity.provider.clone()],
            absent_ranks: absent.to_string(),
        })
    }

    /// Engines of this host that ended before they could join: without a rank, but with a reason.
    fn failed_strangers(&self, members: &Membership) -> Vec<mgmt::SystemMember> {
        let stranger = |uuid: Option<Uuid>| uuid.is_none_or(|uuid| members.by_uuid(uuid).is_none());
        let failed = |snapshot: &Snapshot| {
            snapshot.state == State::Errored || (snapshot.state == State::Starting && !snapshot.info.is_empty())
        };
        self.harness
            .iter()
            .map(|instance| (instance.index, instance.snapshot()))
            .filter(|(_, snapshot)| failed(snapshot) && stranger(snapshot.uuid))
            .map(|(index, snapshot)| mgmt::SystemMember {
                rank: NO_RANK,
                uuid: snapshot.uuid.map(|uuid| uuid.to_string()).unwrap_or_default(),
                addr: self.identity.address.clone(),
                state: State::Errored.as_str().to_owned(),
                info: format!("engine {index} did not start: {}", snapshot.info),
                ..mgmt::SystemMember::default()
            })
            .collect()
    }

    pub(crate) fn leader(&self) -> mgmt::LeaderQueryResp {
        mgmt::LeaderQueryResp {
            current_leader: self.identity.replicas.first().cloned().unwrap_or_default(),
            replicas: self.identity.replicas.iter().take(1).cloned().collect(),
            down_replicas: Vec::new(),
        }
    }

    pub(crate) async fn attach_info(&self, sys: &str) -> Result<mgmt::GetAttachInfoResp, Failure> {
        self.check_name(sys)?;
        let members = self.members.lock().await;
        let here = members.iter().filter(|member| member.addr == self.identity.address && member.state.in_group());
        Ok(mgmt::GetAttachInfoResp {
            sys: self.identity.name.clone(),
            rank_uris: members.group(),
            ms_ranks: here.map(|member| member.rank.0).collect(),
            client_net_hint: Some(self.identity.hint.clone()),
            data_version: u64::from(members.map_version()),
            build: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Free space of a member.
    pub(super) async fn usage(&self, member: &Member) -> Result<ctl::EngineUsage, Failure> {
        match self.harness.by_uuid(member.uuid) {
            Some(instance) => crate::grpc::ctl::engine_usage(instance, CALL_DEADLINE).await,
            None => {
                let request = ctl::StorageUsageReq { sys: self.identity.name.clone() };
                let usage = self.peers.storage_usage(&member.addr, request, CALL_DEADLINE).await?;
                usage
                    .engines
                    .into_iter()
                    .find(|engine| engine.rank == member.rank.0)
                    .ok_or_else(|| Failure::new(Status::Unreachable, format!("rank {} is not running", member.rank)))
            }
        }
    }

    /// Members for telemetry.
    pub(crate) async fn member_states(&self) -> Vec<(Rank, State)> {
        self.members.lock().await.iter().map(|member| (member.rank, member.state)).collect()
    }
}

/// Refuses a request that names another system than `own`.
pub(crate) fn check_name(own: &str, sys: &str) -> Result<(), Failure> {
    if sys == own {
        return Ok(());
    }
    Err(Failure::from(Fault::new(
        FaultName::ServerWrongSystem,
        format!("the request is for system `{sys}`, this is system `{own}`"),
        format!("set `name: {own}` in the configuration file, or send the request to a server of `{sys}`"),
    )))
}

pub(super) fn parse_ranks(text: &str) -> Result<RankSet, Failure> {
    text.parse().map_err(|error: super::ranks::ParseRankSetError| Failure::new(Status::Invalid, error.to_string()))
}

fn to_wire(member: &Member) -> mgmt::SystemMember {
    mgmt::SystemMember {
        rank: member.rank.0,
        incarnation: member.incarnation,
        uuid: member.uuid.to_string(),
        addr: member.addr.clone(),
        fabric_uri: member.uri.clone(),
        fabric_contexts: member.targets,
        state: member.state.to_string(),
        info: member.info.clone(),
        fault_domain: member.fault_domain.clone(),
        last_update: rfc3339::format(member.last_update_ms),
    }
}

fn in_parentheses(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

fn source_text(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}
