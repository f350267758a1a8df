//! Snapshots of the containers of the pools served here.
//!
//! Create: the record with the snapshot as creating, every shard, the record with it as ready. Destroy: the record with it as
//! destroying, every shard, the record without it. What is not ready was never acknowledged, or was asked to go: the next change of the
//! container's snapshots, or the next start, takes it away ([`PoolService::settle_snapshots`]).
//!
//! The epoch is the latest hybrid time of all shards, asked after the call came: nothing acknowledged before it has a later
//! epoch, and each shard that has the snapshot gives later epochs to later changes. A change under way meanwhile is in it or not.

use store::SNAPSHOTS_MOST;
use types::{Label, Place, Status};
use wire::fault::Failure;
use wire::proto::service::{ContainerReq, Snapshot, SnapshotCreateReq, SnapshotDestroyReq, SnapshotListResp};

use super::access::{Peers, Targets};
use super::pool::PoolService;
use super::property::LABEL_RULE;
use super::record::{ContainerRecord, SnapshotRecord, SnapshotState};

/// Epochs tried. One is lost when a shard, short of space, merges its history past the epoch between two messages: twice in a row is rare.
const TRIES: usize = 8;

impl<T: Targets, P: Peers> PoolService<T, P> {
    /// Takes a snapshot of a container as it is now. The same request again gives the snapshot that was taken for it.
    pub(super) async fn create_snapshot(&self, request: &SnapshotCreateReq) -> Result<Snapshot, Failure> {
        check_name(&request.name)?;
        let _change = self.changes.lock().await;
        let container = named(&request.pool, &request.container);
        for _ in 0..TRIES {
            let (place, entry, record) = self.find_container(&container)?;
            let ranks = &entry.record.ranks;
            let record = self.settle_snapshots(place, ranks, record).await?;
            let repeated = |one: &&SnapshotRecord| !request.request.is_empty() && one.request == request.request;
            if let Some(taken) = record.snapshots.iter().find(repeated) {
                return Ok(shown(taken));
            }
            admit(&record, &request.name)?;
            match self.take_snapshot(place, ranks, record, request).await {
                Err(failure) if failure.status == Status::Restart => {}
                other => return other,
            }
        }
        Err(Failure::new(
            Status::Busy,
            "the history of the container was merged away faster than a snapshot could be taken",
        )
        .with_resolution("free space in the pool (`daos pool query` shows it), and try again"))
    }

    /// The snapshots of a container, oldest first.
    pub(super) fn list_snapshots(&self, request: &ContainerReq) -> Result<SnapshotListResp, Failure> {
        let (_, _, record) = self.find_container(request)?;
        // One that is being created may never be there.
        let known = record.snapshots.iter().filter(|one| one.state() != SnapshotState::Creating);
        Ok(SnapshotListResp { snapshots: known.map(shown).collect() })
    }

    /// Lets snapshots go. Epochs without one are passed over, unless that is all of them.
    pub(super) async fn destroy_snapshots(&self, request: &SnapshotDestroyReq) -> Result<(), Failure> {
        let _change = self.changes.lock().await;
        let (place, entry, mut record) = self.find_container(&named(&request.pool, &request.container))?;
        let mut found = false;
        for one in record.snapshots.iter_mut().filter(|one| request.epochs.contains(&one.epoch)) {
            one.set_state(SnapshotState::Destroying);
            found = true;
        }
        if !found {
            let epochs: Vec<String> = request.epochs.iter().map(|epoch| format!("{epoch:#x}")).collect();
            let text = format!("container `{}` has no snapshot of epoch {}", request.container, epochs.join(", "));
            return Err(Failure::new(Status::Nonexistent, text)
                .with_resolution("see `daos container list-snaps` for the snapshots of the container"));
        }
        let record = self.keep_container(place, record).await?;
        self.settle_snapshots(place, &entry.record.ranks, record).await?;
        Ok(())
    }

    /// Takes away what is not ready: from every shard, then from the record. Gives the record that is left.
    pub(super) async fn settle_snapshots(
        &self,
        place: Place,
        ranks: &[u32],
        mut record: ContainerRecord,
    ) -> Result<ContainerRecord, Failure> {
        let ready = |one: &SnapshotRecord| one.state() == SnapshotState::Ready;
        let epochs: Vec<u64> = record.snapshots.iter().filter(|one| !ready(one)).map(|one| one.epoch).collect();
        if epochs.is_empty() {
            return Ok(record);
        }
        self.collective(place.pool, ranks.to_vec())?.remove_snapshots(place, epochs).await?;
        record.snapshots.retain(ready);
        self.keep_container(place, record).await
    }

    /// One try, at one epoch.
    async fn take_snapshot(
        &self,
        place: Place,
        ranks: &[u32],
        mut record: ContainerRecord,
        request: &SnapshotCreateReq,
    ) -> Result<Snapshot, Failure> {
        let collective = self.collective(place.pool, ranks.to_vec())?;
        let newest = collective.query_container(place).await?.newest;
        let epoch = record.snapshots.iter().map(|one| one.epoch + 1).fold(newest, u64::max);
        record.snapshots.push(SnapshotRecord {
            epoch,
            name: request.name.clone(),
            request: request.request.clone(),
            state: SnapshotState::Creating as i32,
        });
        let mut record = self.keep_container(place, record).await?;
        if let Err(failure) = collective.add_snapshot(place, epoch).await {
            if let Err(left) = self.settle_snapshots(place, ranks, record).await {
                tracing::warn!(container = %place.container, epoch, failure = %left, "a snapshot that was not taken is left on some shards for now");
            }
            return Err(failure);
        }
        let taken = record.snapshots.last_mut().expect("it was just added");
        taken.set_state(SnapshotState::Ready);
        let answer = shown(taken);
        self.keep_container(place, record).await?;
        Ok(answer)
    }
}

/// How many snapshots a container has, and the epoch of the newest; zero without one.
pub(super) fn summary(record: &ContainerRecord) -> (u32, u64) {
    let ready = || record.snapshots.iter().filter(|one| one.state() == SnapshotState::Ready);
    (u32::try_from(ready().count()).unwrap_or(u32::MAX), ready().map(|one| one.epoch).max().unwrap_or(0))
}

fn check_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Ok(());
    }
    name.parse::<Label>().map(|_| ()).map_err(|error| {
        Failure::new(Status::Invalid, format!("`{name}` cannot name a snapshot: {error}")).with_resolution(LABEL_RULE)
    })
}

/// Refuses a name that is taken, and more snapshots than the container may have.
fn admit(record: &ContainerRecord, name: &str) -> Result<(), Failure> {
    if let Some(taken) = record.snapshots.iter().find(|one| !name.is_empty() && one.name == name) {
        let text = format!("a snapshot named `{name}` exists, of epoch {:#x}", taken.epoch);
        return Err(Failure::new(Status::Exists, text)
            .with_resolution("choose another name, or destroy that snapshot first (`daos container destroy-snap`)"));
    }
    let property = record.properties.iter().find(|property| property.name == "max_snapshot");
    let asked = property.and_then(|property| property.value.parse().ok()).filter(|most| *most > 0);
    let most: usize = asked.unwrap_or(SNAPSHOTS_MOST);
    if record.snapshots.len() < most {
        return Ok(());
    }
    let whose = if asked.is_some() { "its property `max_snapshot` allows" } else { "a container can have" };
    Err(Failure::new(Status::TooBig, format!("the container has {most} snapshot(s), as many as {whose}"))
        .with_resolution("destroy one that is not needed any more (`daos container destroy-snap`)"))
}

fn named(pool: &str, container: &str) -> ContainerReq {
    ContainerReq { pool: pool.to_owned(), container: container.to_owned(), force: false }
}

fn shown(record: &SnapshotRecord) -> Snapshot {
    let SnapshotRecord { epoch, name, .. } = record;
    Snapshot { epoch: *epoch, name: name.clone(), destroying: record.state() == SnapshotState::Destroying }
}
