//! Pools of the system: create, destroy, query, properties.
//!
//! A pool's record is durable in state Creating before an engine is asked, and in state Destroying before shards are
//! removed. What a crash or a lost answer left in these states is finished when the pool's service rank joins: a pool in
//! Creating was promised to nobody and is removed, unless its creator asks again first; a pool in Destroying goes.

use std::sync::Arc;
use std::time::Duration;

use types::{Fault, FaultName, Label, PoolId, Rank, Reference, Status};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::drpc::{EnginePoolCreateReq, EnginePoolDestroyReq, EnginePoolPropReq, EnginePoolReq, Method};
use wire::proto::mgmt::{self, PoolCreateReq, PoolCreateResp, PoolPropResp, PoolQueryResp, Property};

use super::member::{Member, State as MemberState};
use super::ranks::RankSet;
use super::service::System;
use crate::engine::instance::CALL_DEADLINE;
use crate::pool::size::{self, RankSpace, Wanted};
use crate::pool::{Destroy, Pool, State, properties};

/// Deadline of a create or destroy at the service rank, which asks all ranks of the pool in turn.
const CHANGE_DEADLINE: Duration = Duration::from_secs(300);

/// Most pools of a system: their records are held in memory and listed in one message of at most 4 MiB.
const MAX_POOLS: usize = 4096;

/// Most service replicas that can be asked for (DAOS: 2 * svc_rf + 1 with svc_rf up to 4).
const MAX_SERVICE_REPLICAS: u32 = 9;

impl System {
    pub(crate) async fn pool_create(self: &Arc<Self>, request: PoolCreateReq) -> Result<PoolCreateResp, Failure> {
        self.check_name(&request.sys)?;
        let uuid = match request.uuid.as_str() {
            "" => PoolId(Uuid::new_v4()),
            text => text.parse().map_err(|_| Failure::new(Status::Invalid, format!("`{text}` is not a uuid")))?,
        };
        let _gate = self.pool_gate.lock().await;
        let label = label_of(&request)?;
        let known = self.pools.lock().await.get(&uuid).cloned();
        let pool = match known {
            Some(pool) if pool.label != label => {
                return Err(Failure::new(
                    Status::Exists,
                    format!("pool `{uuid}` exists with the label `{}`", pool.label),
                ));
            }
            Some(pool) if pool.state == State::Ready => return Ok(created(&pool)),
            Some(pool) if pool.state == State::Destroying => {
                return Err(Failure::new(Status::Busy, format!("pool `{uuid}` is being destroyed")));
            }
            Some(pool) => pool,
            None => self.plan(uuid, label, &request).await?,
        };
        let properties = self.creation_properties(&pool, &request)?;
        self.save(&pool).await?;
        let ask = EnginePoolCreateReq {
            uuid: pool.uuid.to_string(),
            label: pool.label.to_string(),
            user: request.user,
            group: request.group,
            scm_bytes: pool.scm_bytes,
            nvme_bytes: pool.nvme_bytes,
            ranks: pool.ranks.iter().map(|rank| rank.0).collect(),
            properties,
        };
        match self.ask_service::<_, mgmt::PoolDestroyResp>(&pool, Method::PoolCreate, &ask, CHANGE_DEADLINE).await {
            Ok(_) => {
                let ready = Pool { state: State::Ready, ..pool };
                self.save(&ready).await?;
                tracing::info!("pool `{}` ({}) was created on ranks {}", ready.label, ready.uuid, ranks_of(&ready));
                Ok(created(&ready))
            }
            Err(failure) => {
                tracing::warn!("pool `{}` could not be created: {failure}", pool.label);
                let everything = Destroy { force: true, recursive: true };
                // When this fails too, the record stays in Creating and is cleaned up when the rank is back.
                if self.remove_shards(&pool, everything).await.is_ok() {
                    self.forget(pool.uuid).await?;
                }
                Err(failure)
            }
        }
    }

    /// Everything that can be refused before anything is changed.
    async fn plan(&self, uuid: PoolId, label: Label, request: &PoolCreateReq) -> Result<Pool, Failure> {
        let wanted = Wanted::from_fields(
            request.total_bytes,
            request.percent,
            request.tier_ratio,
            request.scm_bytes,
            request.nvme_bytes,
        )?;
        check_service_replicas(request.num_svc_reps)?;
        self.check_label_is_free(&label, uuid).await?;
        let properties = properties::for_creation(&request.properties)?;
        let members = self.choose_ranks(request).await?;
        check_redundancy(&properties, members.len())?;
        let mut space = Vec::with_capacity(members.len());
        let mut metadata_on_ssd = false;
        for member in &members {
            let usage = self.usage(member).await?;
            let free =
                |tier: &str| usage.tiers.iter().find(|usage| usage.tier == tier).map_or(0, |usage| usage.free_bytes);
            let block_tier = self.has_block_tier(member);
            metadata_on_ssd |= block_tier;
            space.push(RankSpace {
                rank: member.rank,
                targets: member.targets,
                scm_free: free("scm"),
                nvme_free: free("nvme"),
                has_block_tier: block_tier,
            });
        }
        let size = size::settle(wanted, &space)?;
        let service_rank = self.choose_service_rank(&members).await?;
        Ok(Pool {
            uuid,
            label,
            ranks: members.iter().map(|member| member.rank).collect(),
            service_rank,
            state: State::Creating,
            scm_bytes: size.scm,
            nvme_bytes: size.nvme,
            metadata_on_ssd,
            destroy: None,
        })
    }

    fn has_block_tier(&self, member: &Member) -> bool {
        // Servers of one system have the same tiers; a remote one is taken to have what DAOS expects.
        self.harness.by_uuid(member.uuid).is_none_or(|instance| !instance.storage.engine.bdevs.is_empty())
    }

    async fn check_label_is_free(&self, label: &Label, uuid: PoolId) -> Result<(), Failure> {
        let pools = self.pools.lock().await;
        if pools.values().any(|pool| pool.label == *label && pool.uuid != uuid) {
            return Err(Failure::from(Fault::new(
                FaultName::ServerPoolDuplicateLabel,
                format!("a pool with the label `{label}` exists"),
                "retry with another label",
            )));
        }
        if pools.len() >= MAX_POOLS && !pools.contains_key(&uuid) {
            return Err(Failure::new(
                Status::NoSpace,
                format!("the system has its largest number of pools, {MAX_POOLS}"),
            )
            .with_resolution("destroy a pool"));
        }
        Ok(())
    }

    async fn choose_ranks(&self, request: &PoolCreateReq) -> Result<Vec<Member>, Failure> {
        let members = self.members.lock().await;
        let joined: Vec<Member> =
            members.iter().filter(|member| member.state == MemberState::Joined).cloned().collect();
        let available: RankSet = joined.iter().map(|member| member.rank).collect();
        let wanted: RankSet = request.ranks.iter().map(|rank| Rank(*rank)).collect();
        let count = request.num_ranks as usize;
        if !wanted.is_empty() && count > 0 {
            return Err(Failure::new(Status::Invalid, "both a list and a number of ranks are given")
                .with_resolution("give one of them"));
        }
        let missing: RankSet = wanted.iter().filter(|rank| !available.contains(*rank)).collect();
        if !missing.is_empty() {
            return Err(Failure::from(Fault::new(
                FaultName::ServerPoolInvalidRanks,
                format!("pool request contains ranks that are not joined: {missing}"),
                format!("retry with joined ranks: {available}"),
            )));
        }
        if count > joined.len() || joined.is_empty() {
            let wanted = count.max(1);
            return Err(Failure::from(Fault::new(
                FaultName::ServerPoolInvalidNumRanks,
                format!("pool request needs {wanted} ranks, but {} are joined", joined.len()),
                "start more engines (`dmg system query`), or retry with fewer ranks",
            )));
        }
        if wanted.is_empty() {
            let count = if count == 0 { joined.len() } else { count };
            // Ranks of the management host first: one of them has to run the pool's service.
            let mut joined = joined;
            joined.sort_by_key(|member| (member.addr != self.identity.address, member.rank));
            joined.truncate(count);
            joined.sort_by_key(|member| member.rank);
            return Ok(joined);
        }
        Ok(joined.into_iter().filter(|member| wanted.contains(member.rank)).collect())
    }

    /// The rank of this host with the fewest pool services.
    async fn choose_service_rank(&self, members: &[Member]) -> Result<Rank, Failure> {
        let pools = self.pools.lock().await;
        let services = |rank| pools.values().filter(|pool| pool.service_rank == rank).count();
        members
            .iter()
            .filter(|member| self.harness.by_uuid(member.uuid).is_some())
            .map(|member| member.rank)
            .min_by_key(|rank| (services(*rank), *rank))
            .ok_or_else(|| {
                let here: RankSet =
                    self.harness.iter().filter_map(|instance| instance.snapshot().rank.map(Rank)).collect();
                Failure::from(Fault::new(
                    FaultName::ServerPoolInvalidRanks,
                    "none of the pool's ranks is on the management host, where its service has to run",
                    format!("retry with at least one of the ranks {here}"),
                ))
            })
    }

    fn creation_properties(&self, pool: &Pool, request: &PoolCreateReq) -> Result<Vec<Property>, Failure> {
        let mut all = properties::for_creation(&request.properties)?;
        for property in &mut all {
            match property.name.as_str() {
                "label" => property.value = pool.label.to_string(),
                "owner" => property.value.clone_from(&request.user),
                "group" => property.value.clone_from(&request.group),
                "svc_list" => property.value = format!("[{}]", pool.service_rank),
                _ => {}
            }
        }
        Ok(all)
    }

    pub(crate) async fn pool_destroy(self: &Arc<Self>, request: mgmt::PoolDestroyReq) -> Result<(), Failure> {
        self.check_name(&request.sys)?;
        let how = Destroy { force: request.force, recursive: request.recursive };
        let _gate = self.pool_gate.lock().await;
        let pool = self.find(&request.id).await?;
        self.destroy(pool, how).await
    }

    /// With the gate held.
    async fn destroy(&self, pool: Pool, how: Destroy) -> Result<(), Failure> {
        let before = pool.clone();
        let pool = Pool { state: State::Destroying, destroy: Some(how), ..pool };
        self.save(&pool).await?;
        match self.remove_shards(&pool, how).await {
            Ok(()) => {
                self.forget(pool.uuid).await?;
                tracing::info!("pool `{}` ({}) was destroyed", pool.label, pool.uuid);
                Ok(())
            }
            Err(failure) => {
                // A refusal changed nothing; without an answer nobody knows, and the destroy is finished later.
                let refused = matches!(failure.status, Status::NotEmpty | Status::Busy);
                if refused && before.state == State::Ready {
                    self.save(&before).await?;
                }
                if refused && failure.fault.is_none() && failure.status == Status::NotEmpty {
                    return Err(Failure::from(Fault::new(
                        FaultName::ServerPoolHasContainers,
                        format!("pool `{}` has containers", pool.label),
                        "destroy its containers first, or retry with `--recursive`",
                    )));
                }
                Err(failure)
            }
        }
    }

    async fn remove_shards(&self, pool: &Pool, how: Destroy) -> Result<(), Failure> {
        if how.force && self.is_lost(pool).await {
            tracing::warn!("pool `{}` is forgotten: the storage of its service rank was formatted", pool.label);
            return Ok(());
        }
        let request = EnginePoolDestroyReq {
            uuid: pool.uuid.to_string(),
            force: how.force,
            recursive: how.recursive,
            ranks: pool.ranks.iter().map(|rank| rank.0).collect(),
        };
        let answer: Result<mgmt::PoolDestroyResp, Failure> =
            self.ask_service(pool, Method::PoolDestroy, &request, CHANGE_DEADLINE).await;
        match answer {
            Err(failure) if failure.status == Status::Nonexistent => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// True when the engine of the pool's service rank has lost its storage for good.
    async fn is_lost(&self, pool: &Pool) -> bool {
        let members = self.members.lock().await;
        members.get(pool.service_rank).is_none_or(|member| self.harness.by_uuid(member.uuid).is_none())
    }

    /// Finishes what was interrupted, for the pools whose service runs on `rank`.
    pub(crate) async fn finish_pools(self: Arc<Self>, rank: Rank) {
        let _gate = self.pool_gate.lock().await;
        let unfinished: Vec<Pool> = {
            let pools = self.pools.lock().await;
            pools.values().filter(|pool| pool.service_rank == rank && pool.state != State::Ready).cloned().collect()
        };
        for pool in unfinished {
            let how = match pool.state {
                State::Destroying => pool.destroy.unwrap_or(Destroy { force: true, recursive: true }),
                _ => Destroy { force: true, recursive: true },
            };
            tracing::info!("pool `{}` was left in state {}; removing it", pool.label, pool.state.as_str());
            if let Err(failure) = self.destroy(pool, how).await {
                tracing::warn!("it could not be removed yet: {failure}");
            }
        }
    }

    pub(crate) async fn pool_query(&self, request: &mgmt::PoolQueryReq) -> Result<PoolQueryResp, Failure> {
        self.check_name(&request.sys)?;
        let pool = self.find(&request.id).await?;
        if pool.state != State::Ready {
            return Ok(from_record(&pool));
        }
        let ask = EnginePoolReq { uuid: pool.uuid.to_string() };
        let answer: PoolQueryResp = self.ask_service(&pool, Method::PoolQuery, &ask, CALL_DEADLINE).await?;
        let record = from_record(&pool);
        Ok(PoolQueryResp {
            uuid: record.uuid,
            label: record.label,
            state: record.state,
            svc_ldr: record.svc_ldr,
            svc_reps: record.svc_reps,
            total_engines: if answer.total_engines == 0 { record.total_engines } else { answer.total_engines },
            enabled_ranks: if answer.enabled_ranks.is_empty() { record.enabled_ranks } else { answer.enabled_ranks },
            md_on_ssd_active: record.md_on_ssd_active,
            mem_file_bytes: if answer.mem_file_bytes == 0 { record.mem_file_bytes } else { answer.mem_file_bytes },
            ..answer
        })
    }

    pub(crate) async fn pool_get_prop(&self, request: mgmt::PoolGetPropReq) -> Result<PoolPropResp, Failure> {
        self.check_name(&request.sys)?;
        properties::check_names(&request.names)?;
        let pool = self.find(&request.id).await?;
        let ask =
            EnginePoolPropReq { uuid: pool.uuid.to_string(), names: request.names.clone(), properties: Vec::new() };
        let answer: PoolPropResp = self.ask_service(&pool, Method::PoolGetProp, &ask, CALL_DEADLINE).await?;
        let wanted = |name: &str| request.names.is_empty() || request.names.iter().any(|wanted| wanted == name);
        let mut shown: Vec<Property> =
            answer.properties.into_iter().filter(|property| wanted(&property.name)).collect();
        let order: Vec<&str> = properties::names().collect();
        shown.sort_by_key(|property| order.iter().position(|name| *name == property.name));
        Ok(PoolPropResp { properties: shown })
    }

    pub(crate) async fn pool_set_prop(
        self: &Arc<Self>,
        request: mgmt::PoolSetPropReq,
    ) -> Result<PoolPropResp, Failure> {
        self.check_name(&request.sys)?;
        let changes = properties::for_change(&request.properties)?;
        let _gate = self.pool_gate.lock().await;
        let pool = self.find(&request.id).await?;
        let label = changes.iter().find(|property| property.name == "label");
        let label = label.map(|property| property.value.parse::<Label>().expect("checked as a label"));
        if let Some(label) = &label {
            self.check_label_is_free(label, pool.uuid).await?;
        }
        let ask = EnginePoolPropReq { uuid: pool.uuid.to_string(), names: Vec::new(), properties: changes };
        let answer = self.ask_service(&pool, Method::PoolSetProp, &ask, CALL_DEADLINE).await?;
        if let Some(label) = label {
            self.save(&Pool { label, ..pool }).await?;
        }
        Ok(answer)
    }

    pub(crate) async fn pool_list(&self, sys: &str) -> Result<mgmt::ListPoolsResp, Failure> {
        self.check_name(sys)?;
        let data_version = u64::from(self.members.lock().await.map_version());
        let pools = self.pools.lock().await;
        let mut entries: Vec<mgmt::PoolEntry> = pools
            .values()
            .map(|pool| mgmt::PoolEntry {
                uuid: pool.uuid.to_string(),
                label: pool.label.to_string(),
                svc_reps: vec![pool.service_rank.0],
                state: pool.state.as_str().to_owned(),
                svc_ldr: pool.service_rank.0,
            })
            .collect();
        entries.sort_by(|one, other| one.label.cmp(&other.label));
        Ok(mgmt::ListPoolsResp { pools: entries, data_version })
    }

    /// Pools for telemetry.
    pub(crate) async fn pool_sizes(&self) -> Vec<Pool> {
        self.pools.lock().await.values().cloned().collect()
    }

    async fn find(&self, id: &str) -> Result<Pool, Failure> {
        let reference: Reference =
            id.parse().map_err(|error: types::LabelError| Failure::new(Status::Invalid, error.to_string()))?;
        let pools = self.pools.lock().await;
        let found = match &reference {
            Reference::Uuid(uuid) => pools.get(&PoolId(*uuid)),
            Reference::Label(label) => pools.values().find(|pool| pool.label == *label),
        };
        found.cloned().ok_or_else(|| {
            Failure::new(Status::Nonexistent, format!("pool `{id}` does not exist"))
                .with_resolution("list pools with `dmg pool list`")
        })
    }

    async fn ask_service<Req: prost::Message, Resp: prost::Message + Default>(
        &self,
        pool: &Pool,
        method: Method,
        request: &Req,
        limit: Duration,
    ) -> Result<Resp, Failure> {
        match self.harness.by_rank(pool.service_rank) {
            Some(instance) => instance.call(method, request, limit).await,
            None => Err(Failure::from(Fault::new(
                FaultName::ServerDataPlaneNotStarted,
                format!("rank {}, which runs the service of pool `{}`, is not running", pool.service_rank, pool.label),
                "start it with `dmg system start`, or read daos_server's log for why it stopped",
            ))),
        }
    }

    async fn save(&self, pool: &Pool) -> Result<(), Failure> {
        let record = pool.clone();
        self.write(move |database| database.save_pool(&record)).await?;
        self.pools.lock().await.insert(pool.uuid, pool.clone());
        Ok(())
    }

    async fn forget(&self, uuid: PoolId) -> Result<(), Failure> {
        self.write(move |database| database.remove_pool(uuid)).await?;
        self.pools.lock().await.remove(&uuid);
        Ok(())
    }
}

fn label_of(request: &PoolCreateReq) -> Result<Label, Failure> {
    let property = request.properties.iter().find(|property| property.name == "label").map(|property| &property.value);
    let text = if request.label.is_empty() { property.map_or("", String::as_str) } else { &request.label };
    if text.is_empty() {
        return Err(Failure::from(Fault::new(
            FaultName::ServerPoolNoLabel,
            "cannot create a pool without a label",
            "retry with a label: `dmg pool create LABEL`",
        )));
    }
    text.parse().map_err(|error: types::LabelError| Failure::new(Status::Invalid, error.to_string()))
}

fn check_service_replicas(count: u32) -> Result<(), Failure> {
    if count == 0 || (count % 2 == 1 && count <= MAX_SERVICE_REPLICAS) {
        return Ok(());
    }
    Err(Failure::from(Fault::new(
        FaultName::ServerPoolInvalidServiceReps,
        format!("{count} pool service replicas are not an odd number from 1 to {MAX_SERVICE_REPLICAS}"),
        "retry with an odd number, or leave it out",
    )))
}

/// `rd_fac` promises to survive the loss of that many fault domains; no object class can keep the promise yet.
fn check_redundancy(properties: &[Property], ranks: usize) -> Result<(), Failure> {
    let factor = properties.iter().find(|property| property.name == "rd_fac").map_or("0", |property| &property.value);
    if factor == "0" {
        return Ok(());
    }
    let message =
        format!("`rd_fac` {factor} is not possible on {ranks} ranks: there are no redundant object classes yet");
    Err(Failure::new(Status::Invalid, message).with_resolution("leave `rd_fac` at 0"))
}

fn created(pool: &Pool) -> PoolCreateResp {
    PoolCreateResp {
        uuid: pool.uuid.to_string(),
        svc_ldr: pool.service_rank.0,
        svc_reps: vec![pool.service_rank.0],
        tgt_ranks: pool.ranks.iter().map(|rank| rank.0).collect(),
        tier_bytes: vec![pool.scm_bytes, pool.nvme_bytes],
        mem_file_bytes: if pool.metadata_on_ssd { pool.scm_bytes } else { 0 },
        md_on_ssd_active: pool.metadata_on_ssd,
        label: pool.label.to_string(),
    }
}

/// What is known without asking an engine.
fn from_record(pool: &Pool) -> PoolQueryResp {
    let ranks: Vec<u32> = pool.ranks.iter().map(|rank| rank.0).collect();
    PoolQueryResp {
        uuid: pool.uuid.to_string(),
        label: pool.label.to_string(),
        state: pool.state.as_str().to_owned(),
        total_engines: ranks.len() as u32,
        svc_ldr: pool.service_rank.0,
        svc_reps: vec![pool.service_rank.0],
        enabled_ranks: ranks,
        mem_file_bytes: if pool.metadata_on_ssd { pool.scm_bytes } else { 0 },
        md_on_ssd_active: pool.metadata_on_ssd,
        ..PoolQueryResp::default()
    }
}

fn ranks_of(pool: &Pool) -> RankSet {
    pool.ranks.iter().copied().collect()
}
