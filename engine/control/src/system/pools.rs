//! Pools of the system: create, destroy, query, properties.
//!
//! A pool's record is durable in state Creating before an engine is asked, and in state Destroying before shards are
//! removed. What a crash or a lost answer left in these states is finished when the pool's service rank joins: a pool in
//! Creating was promised to nobody and is removed, unless its creator asks again first; a pool in Destroying goes.

use std::sync::Arc;
use std::time::Duration;

use types::{Fault, FaultName, PoolId, Rank, Reference, Status};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::drpc::{EnginePoolCreateReq, EnginePoolDestroyReq, Method};
use wire::proto::mgmt::{self, PoolCreateReq, PoolCreateResp, Property};

use super::member;
use super::pool_plan::label_of;
use super::ranks::RankSet;
use super::service::System;
use crate::pool::{Destroy, Pool, State, properties};

/// Deadline of a create or destroy at the service rank, which asks all ranks of the pool in turn.
const CHANGE_DEADLINE: Duration = Duration::from_secs(300);

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
            Some(pool) if pool.state == State::Ready => return Ok(self.created(&pool).await),
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
                Ok(self.created(&ready).await)
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

    async fn created(&self, pool: &Pool) -> PoolCreateResp {
        PoolCreateResp {
            uuid: pool.uuid.to_string(),
            svc_ldr: pool.service_rank.0,
            svc_reps: vec![pool.service_rank.0],
            tgt_ranks: pool.ranks.iter().map(|rank| rank.0).collect(),
            tier_bytes: vec![pool.scm_bytes, pool.nvme_bytes],
            mem_file_bytes: self.memory_per_rank(pool).await,
            md_on_ssd_active: pool.metadata_on_ssd,
            label: pool.label.to_string(),
        }
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
        if !how.force {
            self.check_joined(&pool).await?;
        }
        self.destroy(pool, how).await
    }

    /// A destroy that cannot be finished now is not begun: whoever is told of a failure finds the pool as it was.
    async fn check_joined(&self, pool: &Pool) -> Result<(), Failure> {
        let members = self.members.lock().await;
        for rank in &pool.ranks {
            let state = members.get(*rank).map(|member| member.state);
            if state != Some(member::State::Joined) {
                let state = state.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
                return Err(Failure::from(Fault::new(
                    FaultName::ServerDataPlaneNotStarted,
                    format!(
                        "rank {rank}, which holds a part of pool `{}`, is not running (state `{state}`)",
                        pool.label
                    ),
                    "start it with `dmg system start`, or retry with `--force`: the pool then goes when the rank is back",
                )));
            }
        }
        Ok(())
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

    pub(super) async fn find(&self, id: &str) -> Result<Pool, Failure> {
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

    pub(super) async fn ask_service<Req: prost::Message, Resp: prost::Message + Default>(
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

    pub(super) async fn save(&self, pool: &Pool) -> Result<(), Failure> {
        let record = pool.clone();
        self.write(move |database| database.save_pool(&record)).await?;
        self.pools.lock().await.insert(pool.uuid, pool.clone());
        Ok(())
    }

    pub(super) async fn forget(&self, uuid: PoolId) -> Result<(), Failure> {
        self.write(move |database| database.remove_pool(uuid)).await?;
        self.pools.lock().await.remove(&uuid);
        Ok(())
    }
}

fn ranks_of(pool: &Pool) -> RankSet {
    pool.ranks.iter().copied().collect()
}
