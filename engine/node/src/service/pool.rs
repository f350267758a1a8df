//! Pools: created, destroyed, asked and changed at their service rank.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use store::ScrubMode;
use types::{ContainerId, PoolId, Rank, Reference, Status};
use wire::fault::Failure;
use wire::proto::drpc::{EnginePoolCreateReq, EnginePoolDestroyReq, EnginePoolPropReq};
use wire::proto::mgmt::{PoolPropResp, PoolQueryResp, Property, TierStats};
use wire::proto::service::{PoolConnectReq, PoolConnectResp, PoolMap, ShardSpace};

use super::access::{Group, Peers, Targets};
use super::collective::Collective;
use super::handles::{Client, Handles};
use super::record::{ContainerRecord, PoolRecord, Records};
use super::scrubbing;
use super::shard::Shards;

/// Form of a pool's durable records and shards, shown as `pool_layout_ver`.
const POOL_LAYOUT_VERSION: u32 = 1;

/// The service of one engine.
pub struct PoolService<T, P> {
    pub(super) targets: T,
    pub(super) peers: P,
    system: String,
    me: RwLock<Option<Rank>>,
    group: RwLock<Group>,
    /// Pools whose service rank this is, as on disk.
    pools: Mutex<BTreeMap<PoolId, Entry>>,
    pub(super) handles: Handles,
    /// Held over every change, so that check, shards and record are one step. Metadata changes are rare.
    pub(super) changes: tokio::sync::Mutex<()>,
}

/// What the service knows of one of its pools.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) record: PoolRecord,
    pub(super) containers: BTreeMap<ContainerId, ContainerRecord>,
}

impl<T: Targets, P: Peers> PoolService<T, P> {
    /// A service that knows no pool yet.
    pub fn new(targets: T, peers: P, system: impl Into<String>) -> PoolService<T, P> {
        PoolService {
            targets,
            peers,
            system: system.into(),
            me: RwLock::new(None),
            group: RwLock::new(Group::default()),
            pools: Mutex::new(BTreeMap::new()),
            handles: Handles::default(),
            changes: tokio::sync::Mutex::new(()),
        }
    }

    /// Reads the records of every pool served here. To be called once, after the targets are open.
    pub async fn load(&self) -> Result<(), Failure> {
        for pool in (Shards(&self.targets)).list_pools().await? {
            let records = Records { targets: &self.targets, pool };
            match records.pool().await {
                Ok(Some(record)) => {
                    let containers = records.containers().await?.into_iter().collect();
                    self.pools().insert(pool, Entry { record, containers });
                }
                // No reserved container: another rank serves this pool.
                Ok(None) => {}
                Err(failure) if failure.status == Status::Nonexistent => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// The rank this engine was given, and who else is there.
    pub fn set_rank(&self, rank: Rank, group: Group) {
        *self.me.write().unwrap_or_else(PoisonError::into_inner) = Some(rank);
        self.set_group(group);
    }

    /// Who is in the system now; an older list is ignored.
    pub fn set_group(&self, group: Group) {
        let mut current = self.group.write().unwrap_or_else(PoisonError::into_inner);
        if group.version >= current.version {
            *current = group;
        }
    }

    /// A client's service connection ended: it holds nothing any more.
    pub fn client_ended(&self, client: Client) {
        self.handles.end(client);
    }

    /// Creates a pool with this rank as its service rank. The same request again succeeds.
    pub(super) async fn create(&self, request: &EnginePoolCreateReq) -> Result<(), Failure> {
        let pool = parse_pool(&request.uuid)?;
        let _change = self.changes.lock().await;
        if let Some(entry) = self.pools().get(&pool) {
            let record = &entry.record;
            let same = record.label == request.label
                && record.scm_bytes == request.scm_bytes
                && record.nvme_bytes == request.nvme_bytes
                && record.ranks == request.ranks;
            return if same {
                Ok(())
            } else {
                Err(Failure::new(Status::Exists, format!("pool {pool} exists with other properties")))
            };
        }
        let me = self.me()?;
        if !request.ranks.contains(&me.0) {
            return Err(Failure::new(
                Status::Invalid,
                format!("the service rank {me} is not among the ranks of pool {pool}"),
            ));
        }
        let collective = self.collective(pool, request.ranks.clone())?;
        collective.create_pool(request.scm_bytes, request.nvme_bytes).await?;
        let scrubbing = scrubbing::of(&request.properties)?;
        if scrubbing.mode != ScrubMode::Off {
            collective.scrub_pool(scrubbing).await?;
        }
        let record = PoolRecord {
            label: request.label.clone(),
            user: request.user.clone(),
            group: request.group.clone(),
            scm_bytes: request.scm_bytes,
            nvme_bytes: request.nvme_bytes,
            ranks: request.ranks.clone(),
            properties: request.properties.clone(),
            map_version: 1,
            members: request.ranks.iter().map(|rank| collective.group.member(Rank(*rank))).collect::<Result<_, _>>()?,
            ..PoolRecord::default()
        };
        let records = Records { targets: &self.targets, pool };
        records.prepare().await?;
        records.put_pool(record.clone()).await?;
        self.pools().insert(pool, Entry { record, containers: BTreeMap::new() });
        tracing::info!(%pool, label = %request.label, "pool created");
        Ok(())
    }

    /// Destroys a pool with everything in it. A pool that is not there succeeds; one that a client has open is busy unless
    /// it is forced.
    pub(super) async fn destroy(&self, request: &EnginePoolDestroyReq) -> Result<(), Failure> {
        let pool = parse_pool(&request.uuid)?;
        let _change = self.changes.lock().await;
        let known = self.pools().get(&pool).cloned();
        let containers = known.as_ref().map_or(0, |entry| entry.containers.len());
        if containers > 0 && !request.recursive {
            return Err(types::Fault::new(
                types::FaultName::ServerPoolHasContainers,
                format!("pool {pool} has {containers} container(s)"),
                "destroy the containers first, or retry with the recursive flag set to remove them with the pool",
            )
            .into());
        }
        if !request.force {
            self.handles.check_pool(None, pool)?;
        }
        let ranks = known.map_or_else(|| request.ranks.clone(), |entry| entry.record.ranks);
        self.collective(pool, ranks)?.destroy_pool(request.force).await?;
        self.pools().remove(&pool);
        tracing::info!(%pool, "pool destroyed");
        Ok(())
    }

    pub(super) async fn query(&self, pool: PoolId) -> Result<PoolQueryResp, Failure> {
        let entry = self.entry(pool)?;
        let record = &entry.record;
        let found = self.collective(pool, record.ranks.clone())?.query_pool().await?;
        let is_away = |rank: &u32| found.away.contains(rank);
        let absent: u32 =
            record.members.iter().filter(|member| is_away(&member.rank)).map(|member| member.targets).sum();
        // Nothing can be written where a target is dead: its space is nobody's.
        let (dead, spaces): (Vec<_>, Vec<_>) = found.targets.into_iter().partition(|space| space.dead);
        let count = |targets: usize| u32::try_from(targets).expect("at most 65536 targets");
        let (active, disabled) = (count(spaces.len()), count(dead.len()) + absent);
        let (disabled_ranks, enabled_ranks) = record.ranks.iter().partition(|rank| is_away(rank));
        let leader = self.me()?.0;
        Ok(PoolQueryResp {
            uuid: pool.to_string(),
            label: record.label.clone(),
            state: "Ready".to_owned(),
            total_targets: active + disabled,
            active_targets: active,
            total_engines: u32::try_from(record.ranks.len()).expect("ranks are u32"),
            disabled_targets: disabled,
            version: record.map_version,
            svc_ldr: leader,
            svc_reps: vec![leader],
            tier_stats: vec![
                tier("scm", &spaces, |space| (space.scm_total, space.scm_free)),
                tier("nvme", &spaces, |space| (space.data_total, space.data_free)),
            ],
            enabled_ranks,
            disabled_ranks,
            pool_layout_ver: POOL_LAYOUT_VERSION,
            mem_file_bytes: spaces.iter().map(|space| space.mem_bytes).sum(),
            md_on_ssd_active: true,
            containers: u32::try_from(entry.containers.values().filter(|c| !c.destroying).count()).unwrap_or(u32::MAX),
        })
    }

    /// The named properties, or all; label, owner and group among them.
    pub(super) fn properties(&self, pool: PoolId, names: &[String]) -> Result<PoolPropResp, Failure> {
        let record = self.entry(pool)?.record;
        let leader = self.me()?;
        let mut all = record.properties;
        for (name, value) in [
            ("label", record.label),
            ("owner", record.user),
            ("group", record.group),
            ("svc_list", format!("[{leader}]")),
        ] {
            match all.iter_mut().find(|property| property.name == name) {
                Some(property) => property.value = value,
                None => all.push(Property { name: name.to_owned(), value }),
            }
        }
        if names.is_empty() {
            return Ok(PoolPropResp { properties: all });
        }
        let pick = |name: &String| {
            all.iter()
                .find(|property| property.name == *name)
                .cloned()
                .ok_or_else(|| Failure::new(Status::Invalid, format!("`{name}` is not a pool property")))
        };
        Ok(PoolPropResp { properties: names.iter().map(pick).collect::<Result<_, _>>()? })
    }

    /// Changes properties that the management service has checked.
    pub(super) async fn set_properties(&self, request: &EnginePoolPropReq) -> Result<PoolPropResp, Failure> {
        let pool = parse_pool(&request.uuid)?;
        let _change = self.changes.lock().await;
        let mut record = self.entry(pool)?.record;
        for property in &request.properties {
            if property.name == "label" {
                record.label = super::property::parse_label(&property.value)?.to_string();
                continue;
            }
            match record.properties.iter_mut().find(|known| known.name == property.name) {
                Some(known) => known.value.clone_from(&property.value),
                None => record.properties.push(property.clone()),
            }
        }
        // The targets first: when one cannot be told, nothing says that it was.
        if scrubbing::is_among(&request.properties) {
            let scrubbing = scrubbing::of(&record.properties)?;
            self.collective(pool, record.ranks.clone())?.scrub_pool(scrubbing).await?;
        }
        Records { targets: &self.targets, pool }.put_pool(record.clone()).await?;
        if let Some(entry) = self.pools().get_mut(&pool) {
            entry.record = record;
        }
        let names: Vec<String> = request.properties.iter().map(|property| property.name.clone()).collect();
        self.properties(pool, &names)
    }

    /// Opens a pool for a client: where its shards are.
    pub(super) fn connect(&self, client: Option<Client>, request: &PoolConnectReq) -> Result<PoolConnectResp, Failure> {
        if !request.sys.is_empty() && request.sys != self.system {
            return Err(types::Fault::new(
                types::FaultName::ServerWrongSystem,
                format!("the request is for system `{}`, this engine belongs to `{}`", request.sys, self.system),
                "use the system name of the servers' configuration",
            )
            .into());
        }
        let (pool, entry) = self.find(&request.id)?;
        let group = self.group.read().unwrap_or_else(PoisonError::into_inner).clone();
        // A rank that is away keeps its place in the map, under its last known address.
        let member = |rank: &u32| match group.member(Rank(*rank)) {
            Ok(member) => Ok(member),
            Err(away) => entry.record.members.iter().find(|member| member.rank == *rank).cloned().ok_or(away),
        };
        let ranks = entry.record.ranks.iter().map(member).collect::<Result<_, _>>()?;
        self.handles.open_pool(client, pool);
        Ok(PoolConnectResp {
            uuid: pool.to_string(),
            label: entry.record.label,
            map: Some(PoolMap { version: entry.record.map_version, ranks }),
        })
    }

    /// A pool served here, by UUID or label.
    pub(super) fn find(&self, text: &str) -> Result<(PoolId, Entry), Failure> {
        let reference: Reference = text.parse().map_err(|error: types::LabelError| {
            Failure::new(Status::Invalid, error.to_string()).with_resolution("name the pool by its UUID or label")
        })?;
        let pools = self.pools();
        let found = match &reference {
            Reference::Uuid(uuid) => pools.get_key_value(&PoolId(*uuid)),
            Reference::Label(label) => pools.iter().find(|(_, entry)| entry.record.label == label.as_str()),
        };
        found.map(|(pool, entry)| (*pool, entry.clone())).ok_or_else(|| no_pool(text))
    }

    /// A pool served here.
    pub(super) fn entry(&self, pool: PoolId) -> Result<Entry, Failure> {
        self.pools().get(&pool).cloned().ok_or_else(|| no_pool(&pool.to_string()))
    }

    /// Changes what is known of a pool after its records were changed.
    pub(super) fn remember(&self, pool: PoolId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.pools().get_mut(&pool) {
            change(entry);
        }
    }

    pub(super) fn served(&self) -> Vec<PoolId> {
        self.pools().keys().copied().collect()
    }

    pub(super) fn collective(&self, pool: PoolId, ranks: Vec<u32>) -> Result<Collective<'_, T, P>, Failure> {
        let group = self.group.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Collective { targets: &self.targets, peers: &self.peers, me: self.me()?, group, pool, ranks })
    }

    fn me(&self) -> Result<Rank, Failure> {
        self.me.read().unwrap_or_else(PoisonError::into_inner).ok_or_else(|| {
            Failure::new(Status::Unreachable, "this engine has not joined the system yet")
                .with_resolution("wait until `dmg system query` shows it joined")
        })
    }

    fn pools(&self) -> MutexGuard<'_, BTreeMap<PoolId, Entry>> {
        // A panic while holding it cannot leave it half-changed: every change is one assignment.
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pool id from a request.
pub(super) fn parse_pool(text: &str) -> Result<PoolId, Failure> {
    text.parse().map_err(|_| Failure::new(Status::Invalid, format!("`{text}` is not a pool UUID")))
}

/// One tier over all targets; `of` gives what there is on one, and what of it is free.
fn tier(media: &str, spaces: &[ShardSpace], of: impl Fn(&ShardSpace) -> (u64, u64)) -> TierStats {
    let (totals, frees): (Vec<u64>, Vec<u64>) = spaces.iter().map(of).unzip();
    TierStats {
        total: totals.iter().sum(),
        free: frees.iter().sum(),
        min: frees.iter().copied().min().unwrap_or(0),
        max: frees.iter().copied().max().unwrap_or(0),
        mean: frees.iter().sum::<u64>() / frees.len().max(1) as u64,
        media_type: media.to_owned(),
    }
}

fn no_pool(text: &str) -> Failure {
    Failure::new(Status::Nonexistent, format!("pool `{text}` does not exist"))
        .with_resolution("see `dmg pool list` for the pools of the system")
}
