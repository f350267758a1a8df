//! Joining: rank from the management service, into the superblock, to the engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fabric::local;
use wire::fault::Failure;
use wire::proto::drpc::{Method, SetRankReq};
use wire::proto::mgmt::{JoinReq, JoinResp};

use super::instance::{CALL_DEADLINE, blocking};
use crate::management::Management;
use crate::ras::{self, Severity};
use crate::storage::engine_storage::EngineStorage;

/// Delay between attempts: doubles from the first to the second. The management host may be rebooting.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Tries until it succeeds and gives the rank. `delayed` is told why each attempt failed.
pub(super) async fn until_joined<F: Future<Output = ()>>(
    management: &Management,
    storage: &Arc<EngineStorage>,
    request: &JoinReq,
    socket: &Path,
    delayed: impl Fn(String) -> F,
) -> u32 {
    let mut delay = RETRY.0;
    loop {
        match join_once(management, storage, request, socket).await {
            Ok(rank) => return rank,
            Err(failure) => {
                let reason = format!("cannot join the system: {}", failure.message);
                ras::raise("engine_join_failed", Severity::Error, storage.index, &reason);
                delayed(reason).await;
            }
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(RETRY.1);
    }
}

async fn join_once(
    management: &Management,
    storage: &Arc<EngineStorage>,
    request: &JoinReq,
    socket: &Path,
) -> Result<u32, Failure> {
    let JoinResp { rank, map_version, members, .. } = management.join(request.clone()).await?;
    let storage = storage.clone();
    blocking(move || storage.save_rank(rank)).await?;
    let set_rank = SetRankReq { rank, sys: request.sys.clone(), map_version, members };
    local::call::<_, ()>(socket, Method::SetRank, &set_rank, CALL_DEADLINE).await?;
    Ok(rank)
}
