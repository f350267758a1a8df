//! `ctl.CtlSvc`: storage and engines of this host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tonic::{Request, Response, Status};
use types::{FaultName, Rank};
use wire::fault::Failure;
use wire::proto::ctl::ctl_svc_server::CtlSvc;
use wire::proto::ctl::{
    EngineUsage, FormatResult, PingReq, RankState, RanksReq, RanksResp, StorageFormatReq, StorageFormatResp,
    StorageScanReq, StorageScanResp, StorageUsageReq, StorageUsageResp, TierUsage,
};
use wire::proto::drpc::{GroupUpdateReq, Method, StorageUsage};

use super::to_the_end;
use crate::engine::instance::CALL_DEADLINE;
use crate::engine::{Instance, blocking};
use crate::harness::Harness;
use crate::storage::scan;
use crate::system::member::State;
use crate::system::{RankAction, check_name};

/// Longest wait for an engine's answer to a ping, below that of the asking service.
const PING_DEADLINE: Duration = Duration::from_millis(1500);

/// The service.
#[derive(Clone)]
pub(crate) struct CtlService {
    pub(crate) system: String,
    pub(crate) host: String,
    pub(crate) harness: Harness,
    /// Newest group given to the engines by a management service elsewhere.
    pub(crate) group_version: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl CtlSvc for CtlService {
    async fn storage_scan(&self, request: Request<StorageScanReq>) -> Result<Response<StorageScanResp>, Status> {
        check_name(&self.system, &request.get_ref().sys)?;
        let (host, harness) = (self.host.clone(), self.harness.clone());
        Ok(Response::new(blocking(move || scan::scan(&host, &harness)).await))
    }

    async fn storage_format(&self, request: Request<StorageFormatReq>) -> Result<Response<StorageFormatResp>, Status> {
        let (service, request) = (self.clone(), request.into_inner());
        to_the_end(async move {
            check_name(&service.system, &request.sys)?;
            // Files on one file system are made one after the other: their sizes are checked against what is left.
            let (mut results, mut formatted) = (Vec::new(), Vec::new());
            for instance in service.harness.iter() {
                let restarts = instance.snapshot().restarts;
                let made = instance.format(request.force).await;
                if made.iter().all(|result| result.ok) {
                    formatted.push((instance, restarts));
                }
                results.extend(made);
            }
            for (instance, restarts) in formatted {
                if let Err(reason) = instance.started_after_format(restarts).await {
                    results.push(not_started(instance.index, &reason));
                }
            }
            Ok(StorageFormatResp { host: service.host, results })
        })
        .await
    }

    async fn storage_usage(&self, request: Request<StorageUsageReq>) -> Result<Response<StorageUsageResp>, Status> {
        check_name(&self.system, &request.get_ref().sys)?;
        let mut engines = Vec::new();
        for instance in self.harness.iter().filter(|instance| instance.snapshot().state == State::Joined) {
            engines.push(engine_usage(instance, CALL_DEADLINE).await?);
        }
        Ok(Response::new(StorageUsageResp { host: self.host.clone(), engines }))
    }

    async fn ping_ranks(&self, request: Request<PingReq>) -> Result<Response<RanksResp>, Status> {
        let request = request.into_inner();
        check_name(&self.system, &request.sys)?;
        let update = GroupUpdateReq { map_version: request.map_version, members: request.members };
        // The version is kept even when an engine did not take it: a restarted one gets the group with its rank.
        let news = self.group_version.fetch_max(update.map_version, Ordering::Relaxed) < update.map_version;
        let mut results = Vec::new();
        for instance in self.harness.iter() {
            let snapshot = instance.snapshot();
            let Some(rank) = snapshot.rank else { continue };
            let mut state = snapshot.state;
            if state == State::Joined {
                let answer: Result<(), Failure> = if news {
                    instance.call(Method::GroupUpdate, &update, PING_DEADLINE).await
                } else {
                    instance.call(Method::Ping, &(), PING_DEADLINE).await
                };
                if answer.is_err() {
                    state = State::Unresponsive;
                }
            }
            let (state, errored) = (state.to_string(), state == State::Errored);
            results.push(RankState { rank, state, errored, msg: snapshot.info, action: "ping".to_owned() });
        }
        Ok(Response::new(RanksResp { results }))
    }

    async fn start_ranks(&self, request: Request<RanksReq>) -> Result<Response<RanksResp>, Status> {
        let (service, request) = (self.clone(), request.into_inner());
        to_the_end(async move { service.change(request, RankAction::Start).await }).await
    }

    async fn stop_ranks(&self, request: Request<RanksReq>) -> Result<Response<RanksResp>, Status> {
        let (service, request) = (self.clone(), request.into_inner());
        let action = RankAction::Stop { force: request.force };
        to_the_end(async move { service.change(request, action).await }).await
    }
}

/// An engine that ended right after its format, as one more result; its devices are formatted.
fn not_started(index: u32, reason: &str) -> FormatResult {
    FormatResult {
        device: format!("engine {index}"),
        kind: "engine".to_owned(),
        ok: false,
        fault: FaultName::ServerDataPlaneNotStarted.as_str().to_owned(),
        error: format!("it did not start: {reason}"),
        resolution: "correct the cause and run `dmg system start`; the storage is formatted already".to_owned(),
        engine: index,
    }
}

impl CtlService {
    /// Changes the named ranks of this host, or all of them.
    async fn change(&self, request: RanksReq, action: RankAction) -> Result<RanksResp, Failure> {
        check_name(&self.system, &request.sys)?;
        let chosen: Vec<Instance> = if request.ranks.is_empty() {
            self.harness.iter().cloned().collect()
        } else {
            request.ranks.iter().filter_map(|rank| self.harness.by_rank(Rank(*rank)).cloned()).collect()
        };
        let mut results = Vec::new();
        for instance in chosen {
            let outcome = match action {
                RankAction::Stop { force } => {
                    instance.stop(force).await;
                    Ok(())
                }
                RankAction::Start => instance.start().await,
            };
            let snapshot = instance.snapshot();
            results.push(RankState {
                rank: snapshot.rank.unwrap_or(crate::system::membership::NO_RANK),
                state: snapshot.state.to_string(),
                errored: outcome.is_err(),
                msg: outcome.err().map(|failure| failure.message).unwrap_or_default(),
                action: action.as_str().to_owned(),
            });
        }
        Ok(RanksResp { results })
    }
}

/// Space of a running engine.
pub(crate) async fn engine_usage(instance: &Instance, limit: Duration) -> Result<EngineUsage, Failure> {
    let usage: StorageUsage = instance.call(Method::StorageUsage, &(), limit).await?;
    let tier = |tier: &str, total, free| TierUsage {
        tier: tier.to_owned(),
        total_bytes: total,
        free_bytes: free,
        usable_bytes: free,
    };
    let only_total = |name: &str, total| TierUsage { free_bytes: 0, usable_bytes: 0, ..tier(name, total, 0) };
    Ok(EngineUsage {
        engine: instance.index,
        rank: instance.snapshot().rank.unwrap_or(crate::system::membership::NO_RANK),
        tiers: vec![
            tier("scm", usage.scm_total, usage.scm_free),
            tier("nvme", usage.data_total, usage.data_free),
            only_total("meta", usage.meta_total),
            only_total("wal", usage.wal_total),
        ],
    })
}
