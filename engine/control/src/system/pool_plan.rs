//! What a request for a pool comes to: ranks, size, service rank; everything that can be refused before anything changes.

use config::EngineConfig;
use types::{Fault, FaultName, Label, PoolId, Rank, Status};
use wire::fault::Failure;
use wire::proto::mgmt::{PoolCreateReq, Property};

use super::member::{Member, State as MemberState};
use super::ranks::RankSet;
use super::service::System;
use crate::pool::size::{self, RankSpace, Wanted};
use crate::pool::{Pool, State, properties};

/// Most pools of a system: their records are held in memory and listed in one message of at most 4 MiB.
const MAX_POOLS: usize = 4096;

/// Most service replicas that can be asked for (DAOS: 2 * svc_rf + 1 with svc_rf up to 4).
const MAX_SERVICE_REPLICAS: u32 = 9;

impl System {
    /// Everything that can be refused before anything is changed.
    pub(super) async fn plan(&self, uuid: PoolId, label: Label, request: &PoolCreateReq) -> Result<Pool, Failure> {
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
            metadata_on_ssd |= self.is_set(member, EngineConfig::metadata_on_ssd);
            space.push(RankSpace {
                rank: member.rank,
                targets: member.targets,
                scm_free: free("scm"),
                nvme_free: free("nvme"),
                has_block_tier: self.is_set(member, |engine| !engine.bdevs.is_empty()),
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

    fn is_set(&self, member: &Member, ask: impl Fn(&EngineConfig) -> bool) -> bool {
        // Servers of one system have the same tiers; a remote one is taken to have what DAOS expects.
        self.harness.by_uuid(member.uuid).is_none_or(|instance| ask(&instance.storage.engine))
    }

    pub(super) async fn check_label_is_free(&self, label: &Label, uuid: PoolId) -> Result<(), Failure> {
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
}

pub(super) fn label_of(request: &PoolCreateReq) -> Result<Label, Failure> {
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
