//! Shards: what a pool and its containers have on this rank's targets.

use std::collections::BTreeSet;

use store::{Command, Reply, Scrubbing};
use types::{ChecksumKind, ContainerId, Epoch, Place, PoolId, Status};
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
            // It may refuse to say: what was not acknowledged is in doubt.
            if self.0.is_dead(target) {
                targets.push(ShardSpace { dead: true, ..ShardSpace::default() });
                continue;
            }
            let space = match self.0.call(target, Command::PoolQuery(pool)).await? {
                Reply::PoolSpace(space) => space?,
                other => return Err(unexpected(&other)),
            };
            targets.push(ShardSpace {
                scm_total: space.scm_total,
                scm_free: space.scm_free,
                data_total: space.data_total,
                data_free: space.data_free,
                dead: false,
                mem_bytes: self.0.memory_bytes(space.scm_total),
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
                    sum.newest = sum.newest.max(used.newest.0);
                }
                other => return Err(unexpected(&other)),
            }
        }
        Ok(sum)
    }

    pub(super) async fn add_snapshots(&self, place: Place, epochs: &[u64]) -> Result<(), Failure> {
        for target in 0..self.0.count() {
            for epoch in epochs {
                let added = self.change(target, Command::SnapshotAdd { place, epoch: Epoch(*epoch) }).await;
                added.map_err(|failure| no_snapshot(target, &failure))?;
            }
        }
        Ok(())
    }

    pub(super) async fn remove_snapshots(&self, place: Place, epochs: &[u64]) -> Result<(), Failure> {
        for target in 0..self.0.count() {
            for epoch in epochs {
                match self.change(target, Command::SnapshotRemove { place, epoch: Epoch(*epoch) }).await {
                    // Where the container is not, no snapshot of it is.
                    Err(failure) if failure.status == Status::NoHandle => {}
                    other => other?,
                }
            }
        }
        Ok(())
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

/// Why a target did not take a snapshot, in words for whoever asked for one.
pub(super) fn no_snapshot(target: u32, failure: &Failure) -> Failure {
    let (text, resolution) = match failure.status {
        Status::ClockSkew => (
            "its clock is more than a minute behind that of another server",
            "set the clocks of all servers by NTP (`chronyc tracking` shows by how much one is off), and try again",
        ),
        Status::NoSpace => (
            "there is no room for a snapshot's entry",
            "remove something, or destroy a snapshot that is not needed; `daos pool query` shows what is free",
        ),
        _ => (failure.message.as_str(), failure.resolution.as_str()),
    };
    Failure {
        status: failure.status,
        fault: failure.fault,
        message: format!("target {target}: {text}"),
        resolution: resolution.to_owned(),
    }
}
