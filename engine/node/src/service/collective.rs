//! Shard calls on all ranks of a pool: this rank's directly, the others' over their service.

use bytes::Bytes;
use prost::Message;
use store::Scrubbing;
use types::{ChecksumKind, Place, PoolId, Rank, Status};
use wire::fault::Failure;
use wire::proto::service::{
    Method, ShardContainerListResp, ShardContainerReq, ShardContainerResp, ShardPoolReq, ShardPoolResp,
    ShardSnapshotReq, ShardSpace,
};

use super::access::{Group, Peers, Targets};
use super::scrubbing;
use super::shard::Shards;

/// The ranks of one pool as seen from its service rank.
pub(super) struct Collective<'a, T, P> {
    pub(super) targets: &'a T,
    pub(super) peers: &'a P,
    pub(super) me: Rank,
    pub(super) group: Group,
    pub(super) pool: PoolId,
    pub(super) ranks: Vec<u32>,
}

/// What the ranks of a pool have for it.
#[derive(Debug, Default)]
pub(super) struct Spaces {
    /// Of each target that could be asked.
    pub(super) targets: Vec<ShardSpace>,
    /// Ranks that could not be reached.
    pub(super) away: Vec<u32>,
}

impl<T: Targets, P: Peers> Collective<'_, T, P> {
    /// Creates the pool's shards everywhere, or nowhere.
    pub(super) async fn create_pool(&self, scm_bytes: u64, nvme_bytes: u64) -> Result<(), Failure> {
        let request = ShardPoolReq { pool: self.pool.to_string(), scm_bytes, nvme_bytes };
        for (index, rank) in self.ranks.iter().enumerate() {
            let result = if *rank == self.me.0 {
                Shards(self.targets).create_pool(self.pool, scm_bytes, nvme_bytes).await
            } else {
                self.peer::<()>(*rank, Method::ShardPoolCreate, &request).await
            };
            if let Err(failure) = result {
                for agreed in &self.ranks[..index] {
                    self.destroy_pool_on(*agreed).await?;
                }
                return Err(on_rank(*rank, failure));
            }
        }
        Ok(())
    }

    /// Removes the pool's shards, this rank's (with the records) last. With `force`, ranks out of reach are passed over.
    pub(super) async fn destroy_pool(&self, force: bool) -> Result<(), Failure> {
        for rank in self.ranks.iter().filter(|rank| **rank != self.me.0) {
            match self.destroy_pool_on(*rank).await {
                Err(failure) if force => {
                    tracing::warn!(pool = %self.pool, rank, %failure, "shards are left behind by a forced destroy");
                }
                other => other?,
            }
        }
        self.destroy_pool_on(self.me.0).await
    }

    /// Tells every target how the pool is scrubbed.
    pub(super) async fn scrub_pool(&self, scrubbing: Scrubbing) -> Result<(), Failure> {
        let request = scrubbing::request(self.pool, scrubbing);
        for rank in &self.ranks {
            if *rank == self.me.0 {
                Shards(self.targets).scrub_pool(self.pool, scrubbing).await?;
            } else {
                self.peer::<()>(*rank, Method::ShardPoolScrub, &request)
                    .await
                    .map_err(|failure| on_rank(*rank, failure))?;
            }
        }
        Ok(())
    }

    /// Space of every target of every rank that can be reached.
    pub(super) async fn query_pool(&self) -> Result<Spaces, Failure> {
        let request = ShardPoolReq { pool: self.pool.to_string(), scm_bytes: 0, nvme_bytes: 0 };
        let mut all = Spaces::default();
        for rank in &self.ranks {
            let part: Result<ShardPoolResp, Failure> = if *rank == self.me.0 {
                Shards(self.targets).query_pool(self.pool).await
            } else {
                self.peer(*rank, Method::ShardPoolQuery, &request).await
            };
            match part {
                Ok(mut part) => all.targets.append(&mut part.targets),
                Err(failure) if *rank != self.me.0 && failure.status == Status::Unreachable => {
                    tracing::warn!(pool = %self.pool, rank, %failure, "a rank of the pool cannot be asked");
                    all.away.push(*rank);
                }
                Err(failure) => return Err(on_rank(*rank, failure)),
            }
        }
        Ok(all)
    }

    pub(super) async fn create_container(&self, place: Place, kind: ChecksumKind) -> Result<(), Failure> {
        for rank in &self.ranks {
            if *rank == self.me.0 {
                Shards(self.targets).create_container(place, kind).await?;
            } else {
                let request = ShardContainerReq { checksum_kind: u32::from(kind.number()), ..shard_request(place) };
                self.peer::<()>(*rank, Method::ShardContainerCreate, &request)
                    .await
                    .map_err(|failure| on_rank(*rank, failure))?;
            }
        }
        Ok(())
    }

    pub(super) async fn destroy_container(&self, place: Place) -> Result<(), Failure> {
        for rank in &self.ranks {
            if *rank == self.me.0 {
                Shards(self.targets).destroy_container(place).await?;
            } else {
                self.container_call::<()>(*rank, Method::ShardContainerDestroy, place).await?;
            }
        }
        Ok(())
    }

    /// What the container uses on all ranks, the epoch from which on its history is whole on all of them, and their latest hybrid time.
    pub(super) async fn query_container(&self, place: Place) -> Result<ShardContainerResp, Failure> {
        let mut sum = ShardContainerResp::default();
        for rank in &self.ranks {
            let part: ShardContainerResp = if *rank == self.me.0 {
                Shards(self.targets).query_container(place).await?
            } else {
                self.container_call(*rank, Method::ShardContainerQuery, place).await?
            };
            sum.scm_bytes += part.scm_bytes;
            sum.data_bytes += part.data_bytes;
            sum.history_from = sum.history_from.max(part.history_from);
            sum.newest = sum.newest.max(part.newest);
        }
        Ok(sum)
    }

    /// Takes a snapshot on every shard.
    pub(super) async fn add_snapshot(&self, place: Place, epoch: u64) -> Result<(), Failure> {
        for rank in &self.ranks {
            if *rank == self.me.0 {
                Shards(self.targets).add_snapshots(place, &[epoch]).await.map_err(|failure| on_rank(*rank, failure))?;
            } else {
                self.snapshot_call(*rank, Method::ShardSnapshotAdd, place, vec![epoch]).await?;
            }
        }
        Ok(())
    }

    /// Lets snapshots go on every shard.
    pub(super) async fn remove_snapshots(&self, place: Place, epochs: Vec<u64>) -> Result<(), Failure> {
        for rank in &self.ranks {
            if *rank == self.me.0 {
                Shards(self.targets).remove_snapshots(place, &epochs).await?;
            } else {
                self.snapshot_call(*rank, Method::ShardSnapshotRemove, place, epochs.clone()).await?;
            }
        }
        Ok(())
    }

    /// Containers that have a shard on `rank`, as text.
    pub(super) async fn list_containers(&self, rank: u32) -> Result<Vec<String>, Failure> {
        if rank == self.me.0 {
            let local = Shards(self.targets).list_containers(self.pool).await?;
            return Ok(local.iter().map(ToString::to_string).collect());
        }
        let request = ShardPoolReq { pool: self.pool.to_string(), scm_bytes: 0, nvme_bytes: 0 };
        let list: ShardContainerListResp = self.peer(rank, Method::ShardContainerList, &request).await?;
        Ok(list.containers)
    }

    async fn destroy_pool_on(&self, rank: u32) -> Result<(), Failure> {
        if rank == self.me.0 {
            return Shards(self.targets).destroy_pool(self.pool).await;
        }
        let request = ShardPoolReq { pool: self.pool.to_string(), scm_bytes: 0, nvme_bytes: 0 };
        self.peer::<()>(rank, Method::ShardPoolDestroy, &request).await.map_err(|failure| on_rank(rank, failure))
    }

    async fn container_call<R: Message + Default>(
        &self,
        rank: u32,
        method: Method,
        place: Place,
    ) -> Result<R, Failure> {
        self.peer(rank, method, &shard_request(place)).await.map_err(|failure| on_rank(rank, failure))
    }

    async fn snapshot_call(&self, rank: u32, method: Method, place: Place, epochs: Vec<u64>) -> Result<(), Failure> {
        let (pool, container) = (place.pool.to_string(), place.container.to_string());
        let request = ShardSnapshotReq { pool, container, epochs };
        self.peer::<()>(rank, method, &request).await.map_err(|failure| on_rank(rank, failure))
    }

    async fn peer<R: Message + Default>(
        &self,
        rank: u32,
        method: Method,
        request: &impl Message,
    ) -> Result<R, Failure> {
        let member = self.group.member(Rank(rank))?;
        let body = self.peers.call(&member, method, Bytes::from(request.encode_to_vec())).await?;
        R::decode(body).map_err(|error| {
            Failure::new(
                Status::Protocol,
                format!("rank {rank} answered `{}` with bytes that do not decode: {error}", method.as_str_name()),
            )
        })
    }
}

fn shard_request(place: Place) -> ShardContainerReq {
    let (pool, container) = (place.pool.to_string(), place.container.to_string());
    ShardContainerReq { pool, container, ..ShardContainerReq::default() }
}

fn on_rank(rank: u32, failure: Failure) -> Failure {
    Failure { message: format!("rank {rank}: {}", failure.message), ..failure }
}
