//! The engine's own socket: calls of `daos_server`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;
use store::{Command, Reply};
use tokio::sync::Notify;
use types::{Rank, Status};
use wire::fault::Failure;
use wire::proto::drpc::{GroupUpdateReq, Method, SetRankReq, Stats, StorageUsage, TargetStats};

use crate::port::Port;
use crate::service::{Group, Targets};

/// What the calls act on.
pub(crate) struct Local {
    pub(crate) port: Arc<Port>,
    pub(crate) started: Instant,
    pub(crate) stop: Arc<Notify>,
}

impl Local {
    pub(crate) async fn answer(self: Arc<Local>, method: Method, body: Bytes) -> Result<Bytes, Failure> {
        match method {
            Method::Ping => Ok(Bytes::new()),
            Method::SetRank => {
                let request: SetRankReq = decode(body)?;
                self.set_rank(request)?;
                Ok(Bytes::new())
            }
            Method::GroupUpdate => {
                let request: GroupUpdateReq = decode(body)?;
                self.port.service.set_group(Group { version: request.map_version, members: request.members });
                Ok(Bytes::new())
            }
            Method::PrepShutdown => {
                tracing::info!("daos_server asks for a shutdown");
                self.stop.notify_one();
                Ok(Bytes::new())
            }
            Method::StorageUsage => Ok(self.usage().await?.encode_to_vec().into()),
            Method::Stats => Ok(self.stats().await.encode_to_vec().into()),
            other => self.port.service.serve_local(other, body).await,
        }
    }

    fn set_rank(&self, request: SetRankReq) -> Result<(), Failure> {
        if request.sys != self.port.system {
            let text =
                format!("the rank is of system `{}`, this engine belongs to `{}`", request.sys, self.port.system);
            return Err(
                types::Fault::new(types::FaultName::ServerWrongSystem, text, "use one system name everywhere").into()
            );
        }
        let rank = Rank(request.rank);
        self.port.service.set_rank(rank, Group { version: request.map_version, members: request.members });
        let before = self.port.rank.swap(rank.0, Ordering::AcqRel);
        if before != rank.0 {
            tracing::info!(%rank, "joined the system; the data port is open");
            let service = self.port.service.clone();
            // Peers may start later than this engine; what could not be reconciled is left for the next start.
            tokio::spawn(async move { service.reconcile().await });
        }
        Ok(())
    }

    async fn usage(&self) -> Result<StorageUsage, Failure> {
        let targets = &self.port.targets;
        let mut sum = StorageUsage::default();
        for target in 0..targets.count() {
            match targets.call(target, Command::SpaceQuery).await? {
                Reply::Space(space) => {
                    sum.scm_total += space.scm_total;
                    sum.scm_free += space.scm_free;
                    sum.data_total += space.data_total;
                    sum.data_free += space.data_free;
                    sum.meta_total += space.meta_total;
                    sum.wal_total += space.wal_total;
                }
                other => return Err(Failure::new(Status::Misc, format!("target {target} gave {other:?}"))),
            }
        }
        Ok(sum)
    }

    async fn stats(&self) -> Stats {
        let mut targets = Vec::new();
        for index in 0..self.port.targets.0.len() {
            let Some(stats) = self.port.targets.stats(index).await else { continue };
            targets.push(told(index as u32, &stats));
        }
        Stats { targets, uptime_s: self.started.elapsed().as_secs() }
    }
}

/// Counters as they are told. Every counter of the store is named, so that a new one is told or left out on purpose.
fn told(target: u32, stats: &xstream::TargetStats) -> TargetStats {
    let xstream::TargetStats { store, accepted } = *stats;
    let store::Stats {
        updates,
        reads,
        lists,
        punches,
        refusals,
        bytes_written,
        bytes_read,
        groups,
        wal_bytes,
        wal_used: _,
        checkpoints,
        checkpoint_pages,
        checksum_errors,
        marked,
        scrubbed_bytes,
        scrub_passes,
        scrub_found,
        io_errors,
        reclaimed,
        coalesced,
        discarded,
        prepared,
        committed,
        page_ins,
        evictions,
        resident_bytes,
        over_limit_pages,
        pending: _,
    } = store;
    TargetStats {
        target,
        updates,
        fetches: reads,
        punches,
        lists,
        bytes_written,
        bytes_read,
        checksum_errors,
        scrubbed_bytes,
        scrub_passes,
        scrub_found,
        values_marked: marked,
        io_errors,
        wal_commits: groups,
        wal_bytes,
        checkpoints,
        connections: accepted,
        page_ins,
        page_evictions: evictions,
        arena_resident_bytes: resident_bytes,
        refusals,
        checkpoint_pages,
        reclaimed,
        coalesced,
        discarded,
        prepared,
        committed,
        over_limit_pages,
    }
}

fn decode<M: Message + Default>(body: Bytes) -> Result<M, Failure> {
    M::decode(body).map_err(|error| Failure::new(Status::Protocol, format!("the request does not decode: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_beyond_the_memory_limit_is_told() {
        let store = store::Stats { over_limit_pages: 7, resident_bytes: 8, groups: 9, ..store::Stats::default() };
        let told = told(1, &xstream::TargetStats { store, accepted: 3 });
        let expected = TargetStats {
            target: 1,
            over_limit_pages: 7,
            arena_resident_bytes: 8,
            wal_commits: 9,
            connections: 3,
            ..TargetStats::default()
        };
        assert_eq!(told, expected);
    }
}
