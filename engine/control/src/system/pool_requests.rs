//! Pools that exist: query, properties, list.

use std::sync::Arc;

use types::Label;
use wire::fault::Failure;
use wire::proto::drpc::{EnginePoolPropReq, EnginePoolReq, Method};
use wire::proto::mgmt::{self, PoolPropResp, PoolQueryResp, Property};

use super::service::System;
use crate::engine::instance::CALL_DEADLINE;
use crate::pool::{Pool, State, properties};

impl System {
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
            // Metadata that is not on SSD has no file in memory.
            mem_file_bytes: if pool.metadata_on_ssd { answer.mem_file_bytes } else { 0 },
            ..answer
        })
    }

    /// Memory for a pool's metadata on each of its ranks, as its engines were formatted; 0 when nobody can say.
    pub(super) async fn memory_per_rank(&self, pool: &Pool) -> u64 {
        let ask = EnginePoolReq { uuid: pool.uuid.to_string() };
        let answer: Result<PoolQueryResp, Failure> =
            self.ask_service(pool, Method::PoolQuery, &ask, CALL_DEADLINE).await;
        match answer {
            Ok(answer) if pool.metadata_on_ssd => answer.mem_file_bytes / (pool.ranks.len() as u64).max(1),
            Ok(_) => 0,
            Err(failure) => {
                tracing::warn!("how much memory pool `{}` uses is not known: {failure}", pool.label);
                0
            }
        }
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
        md_on_ssd_active: pool.metadata_on_ssd,
        ..PoolQueryResp::default()
    }
}
