//! Snapshots of a container.

use types::{Epoch, Status};
use wire::proto::service::{self, ContainerReq, Method, SnapshotCreateReq, SnapshotDestroyReq, SnapshotListResp};

use crate::container::Container;
use crate::error::Error;

/// A view of a container that is kept until it is destroyed: every read as of its epoch sees the container as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// As of when.
    pub epoch: Epoch,
    /// Its name; empty without one.
    pub name: String,
    /// True when its destroy was interrupted: some of it may be gone. Destroying it again finishes it.
    pub destroying: bool,
}

impl Container {
    /// Takes a snapshot: of everything that was acknowledged before the call, and of nothing that is sent after it returned. The name
    /// is unique among the snapshots of the container; it may be empty.
    ///
    /// ```no_run
    /// # async fn example(container: &daos_client::Container) -> Result<(), Box<dyn std::error::Error>> {
    /// use types::{Key, ObjectId};
    ///
    /// let object = container.object(ObjectId { hi: 0, lo: 1 });
    /// let (dkey, akey) = (Key::try_from("apple")?, Key::try_from("colour")?);
    /// object.put(&dkey, &akey, "green").await?;
    /// let before = container.create_snapshot("before").await?;
    /// object.put(&dkey, &akey, "red").await?;
    /// assert_eq!(object.get_at(&dkey, &akey, before.epoch).await?.as_deref(), Some(&b"green"[..]));
    /// container.destroy_snapshot(before.epoch).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_snapshot(&self, name: &str) -> Result<Snapshot, Error> {
        let request = SnapshotCreateReq {
            pool: self.place.pool.to_string(),
            container: self.place.container.to_string(),
            name: name.to_owned(),
            // Chosen here, so that the service recognises a repeat.
            request: uuid::Uuid::new_v4().to_string(),
        };
        let what = format!("take a snapshot of container `{}`", self.shown());
        let taken: service::Snapshot = self.pool.call(Method::ContainerSnapshotCreate, &request, &what).await?;
        Ok(taken.into())
    }

    /// Its snapshots, oldest first.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let (pool, container) = (self.place.pool.to_string(), self.place.container.to_string());
        let request = ContainerReq { pool, container, force: false };
        let what = format!("list the snapshots of container `{}`", self.shown());
        let reply: SnapshotListResp = self.pool.call(Method::ContainerSnapshotList, &request, &what).await?;
        Ok(reply.snapshots.into_iter().map(Snapshot::from).collect())
    }

    /// Lets a snapshot go. What only it saw is freed in the background.
    pub async fn destroy_snapshot(&self, epoch: Epoch) -> Result<(), Error> {
        self.destroy_snapshots(&[epoch]).await
    }

    /// Lets several snapshots go in one step; epochs without a snapshot are passed over, unless that is all of them.
    pub async fn destroy_snapshots(&self, epochs: &[Epoch]) -> Result<(), Error> {
        let request = SnapshotDestroyReq {
            pool: self.place.pool.to_string(),
            container: self.place.container.to_string(),
            epochs: epochs.iter().map(|epoch| epoch.0).collect(),
        };
        let what = format!("destroy a snapshot of container `{}`", self.shown());
        let there = self.snapshots().await?.iter().any(|snapshot| epochs.contains(&snapshot.epoch));
        match self.pool.call(Method::ContainerSnapshotDestroy, &request, &what).await {
            // They were there a moment ago: an earlier try of this call destroyed them.
            Err(Error::Service { failure, .. }) if there && failure.status == Status::Nonexistent => Ok(()),
            other => other,
        }
    }

    fn shown(&self) -> String {
        if self.label.is_empty() { self.place.container.to_string() } else { self.label.clone() }
    }
}

impl From<service::Snapshot> for Snapshot {
    fn from(snapshot: service::Snapshot) -> Snapshot {
        let service::Snapshot { epoch, name, destroying } = snapshot;
        Snapshot { epoch: Epoch(epoch), name, destroying }
    }
}
