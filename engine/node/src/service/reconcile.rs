//! After a restart: what a crash left half-done is finished or removed.

use std::collections::{BTreeMap, BTreeSet};

use types::{ChecksumKind, ContainerId, Place, PoolId};
use wire::fault::Failure;

use super::access::{Peers, Targets};
use super::pool::PoolService;
use super::property;
use super::scrubbing;

impl<T: Targets, P: Peers> PoolService<T, P> {
    /// Brings the shards of every pool served here in line with its records: a container marked as destroying goes, a
    /// shard without a record goes, a record without a shard gets one, a snapshot that is not ready goes, and every target scrubs the pool as its
    /// properties say. Gives the first failure after trying all pools.
    pub async fn reconcile(&self) -> Result<(), Failure> {
        let mut result = Ok(());
        for pool in self.served() {
            if let Err(failure) = self.reconcile_pool(pool).await {
                tracing::warn!(%pool, %failure, "a pool could not be reconciled");
                result = result.and(Err(failure));
            }
        }
        result
    }

    async fn reconcile_pool(&self, pool: PoolId) -> Result<(), Failure> {
        let _change = self.changes.lock().await;
        // Destroyed between the list and the lock: nothing to do.
        let Ok(entry) = self.entry(pool) else { return Ok(()) };
        for (container, record) in entry.containers.iter().filter(|(_, record)| record.destroying) {
            tracing::info!(%pool, %container, "finishing an interrupted destroy");
            self.finish_destroy(Place { pool, container: *container }, &entry, record.clone()).await?;
        }
        let alive = entry.containers.iter().filter(|(_, record)| !record.destroying);
        let expected: BTreeMap<ContainerId, ChecksumKind> = alive
            .map(|(id, record)| Ok((*id, property::checksum_kind(&record.properties)?)))
            .collect::<Result<_, Failure>>()?;
        let scrubbing = scrubbing::of(&entry.record.properties)?;
        for rank in &entry.record.ranks {
            let one = self.collective(pool, vec![*rank])?;
            one.scrub_pool(scrubbing).await?;
            let present: BTreeSet<ContainerId> =
                one.list_containers(*rank).await?.iter().filter_map(|text| text.parse().ok()).collect();
            for container in present.iter().filter(|id| !entry.containers.contains_key(id)) {
                tracing::info!(%pool, %container, rank, "removing a shard without a record");
                one.destroy_container(Place { pool, container: *container }).await?;
            }
            // A rank of several targets may miss the shard on one of them only; creating is idempotent on the others.
            for (container, kind) in &expected {
                one.create_container(Place { pool, container: *container }, *kind).await?;
            }
        }
        for (container, record) in entry.containers.iter().filter(|(_, record)| !record.destroying) {
            let place = Place { pool, container: *container };
            self.settle_snapshots(place, &entry.record.ranks, record.clone()).await?;
        }
        Ok(())
    }
}
