//! All engine instances of this host.

use types::Rank;
use uuid::Uuid;

use crate::engine::Instance;

/// The instances by index.
#[derive(Clone, Default)]
pub(crate) struct Harness {
    instances: Vec<Instance>,
}

impl Harness {
    pub(crate) fn new(instances: Vec<Instance>) -> Harness {
        Harness { instances }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter()
    }

    pub(crate) fn by_index(&self, index: u32) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.index == index)
    }

    pub(crate) fn by_rank(&self, rank: Rank) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.snapshot().rank == Some(rank.0))
    }

    pub(crate) fn by_uuid(&self, uuid: Uuid) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.snapshot().uuid == Some(uuid))
    }

    /// Ends the actors and leaves running engines alone.
    pub(crate) async fn end(&self) {
        for instance in &self.instances {
            instance.end().await;
        }
    }

    /// Stops all engines at once and waits until they are gone.
    pub(crate) async fn stop(&self) {
        let stops: Vec<_> = self
            .instances
            .iter()
            .cloned()
            .map(|instance| tokio::spawn(async move { instance.stop(false).await }))
            .collect();
        for stop in stops {
            let _ = stop.await;
        }
    }
}
