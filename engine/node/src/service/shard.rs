//! Shards: what a pool and its containers have on this rank's targets.

use std::collections::BTreeSet;

use store::{Command, Reply, Scrubbing};
use types::{ChecksumKind, ContainerId, Place, PoolId, Status};
use wire::fault::Failure;
use wire::proto::service::{ShardContainerResp, ShardPoolResp, ShardSpace};

use super::access::Targets;
use super::record::{RESERVED, unexpected};

/// Runs shard calls on all targets of this rank, in order of target.
pub(super) struct Shards<'a, T>(pub(super) &'a T);

impl<T: Targets> Shards<'_, T> {
    /// Gives the pool its share of every target; on a refusal takes it back from those that had agreed.
    pub(super) async fn create_pool(&self, pool: PoolId, scm_bytes: u64, nvme_bytes: u64) -> Result<(), Failure> {
        let count = u64::from(self.0.count());
        for target in 0..self.0.count() {
            let command = Command::PoolCreate { pool, scm_bytes: scm_bytes / count, data_bytes: nvme_bytes / count };
            if let Err(failure) = self.change(target, command).await {
                for agreed in 0..target {
                    self.change(agreed, Command::PoolDestroy(pool)).await?;
                }
                return Err(Failure { message: format!("target {target}: {}", failure.message), ..failure });
            }
        }
        Ok(())
    }

    pub(super) async fn scrub_pool(&self, pool: PoolId, scrubbing: Scrubbing) -> Result<(), Failure> {
        for target in 0..self.0.count() {
            self.change(target, Command::PoolScrub(pool, scrubbing)).await?;
        }
        Ok(())
    }

    pub(super) async fn destroy_pool(&self, pool: PoolId) -> Result<(), Failure> {
        // Target 0 holds the records: it goes last, so that an interrupted destroy can be taken up again.
        for target in (0..self.0.count()).rev() {
            self.change(target, Command::PoolDestroy(pool)).await?;
        }
        Ok(())
    }

    pub(super) async fn query_pool(&self, pool: PoolId) -> Result<ShardPoolResp, Failure> {
        let mut targets = Vec::new();
        for target in 0..self.0.count() {
            let space = match self.0.call(target, Command::PoolQuery(pool)).await? {
                Reply::PoolSpace(space) => space?,
                other => return Err(unexpected(&other)),
            };
            targets.push(ShardSpace {
                scm_total: space.scm_total,
                scm_free: space.scm_free,
                data_total: space.data_total,
                data_free: space.data_free,
            });
        }
        Ok(ShardPoolResp { targets })
    }

    pub(super) async fn create_container(&self, place: Place, kind: ChecksumKind) -> Result<(), Failure> {
        for target in 0..self.0.count() {
            self.change(target, Command::ContainerCreate(place, kind)).await?;
        }
        Ok(())
    }

    pub(super) async fn destroy_container(&self, place: Place) -> Result<(), Failure> {
        for target in 0..self.0.count() {
            self.change(target, Command::ContainerDestroy(place)).await?;
        }
        Ok(())
    }

    pub(super) async fn query_container(&self, place: Place) -> Result<ShardContainerResp, Failure> {
        let mut sum = ShardContainerResp::default();
        for target in 0..self.0.count() {
            match self.0.call(target, Command::ContainerQuery(place)).await? {
                Reply::ContainerUsed(used) => {
                    let used = used?;
                    sum.scm_bytes += used.scm_bytes;
                    sum.data_bytes += used.data_bytes;
                    sum.history_from = sum.history_from.max(used.history_from.0);
                }
                other => return Err(unexpected(&other)),
            }
        }
        Ok(sum)
    }

    /// Containers with a shard on any target, without the reserved one.
    pub(super) async fn list_containers(&self, pool: PoolId) -> Result<BTreeSet<ContainerId>, Failure> {
        let mut all = BTreeSet::new();
        for target in 0..self.0.count() {
            match self.0.call(target, Command::ContainerList(pool)).await? {
                Reply::Containers(list) => all.extend(list?),
                other => return Err(unexpected(&other)),
            }
        }
        all.remove(&RESERVED);
        Ok(all)
    }

    /// Pools with a shard on target 0, where every pool of this rank has one.
    pub(super) async fn list_pools(&self) -> Result<Vec<PoolId>, Failure> {
        match self.0.call(0, Command::PoolList).await? {
            Reply::Pools(pools) => Ok(pools),
            other => Err(unexpected(&other)),
        }
    }

    async fn change(&self, target: u32, command: Command) -> Result<(), Failure> {
        match self.0.call(target, command).await? {
            Reply::Done(result) => Ok(result.map_err(|status| match status {
                Status::NoSpace => Failure::new(status, "not enough space on the target")
                    .with_resolution("ask for less, or see `dmg storage query usage` for what is free"),
                other => other.into(),
            })?),
            other => Err(unexpected(&other)),
        }
    }
}
