//! Which stretches of an array are there, and the first or last key.

use bytes::Bytes;
use types::{Depth, End, Epoch, Key, Operation, Outcome, Rank, Status, Stretch, TargetIndex};

use crate::error::Error;
use crate::object::Object;

/// A page of the stretches of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extents {
    /// Bytes of one record of the array.
    pub record_bytes: u32,
    /// Ascending.
    pub stretches: Vec<Stretch>,
    /// True when there may be more: go on from the end of the last one.
    pub more: bool,
}

/// What a query looked for and found; what was given or not asked for is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The dkey.
    pub dkey: Option<Bytes>,
    /// The akey.
    pub akey: Option<Bytes>,
    /// The stretch.
    pub stretch: Option<Stretch>,
}

impl Object {
    /// The visible stretches of an array that end after `from`, ascending, at most `limit`.
    pub async fn list_extents(&self, dkey: &Key, akey: &Key, from: u64, limit: u32) -> Result<Extents, Error> {
        self.list_extents_at(dkey, akey, from, limit, Epoch::MAX).await
    }

    /// The same as of an epoch.
    pub async fn list_extents_at(
        &self,
        dkey: &Key,
        akey: &Key,
        from: u64,
        limit: u32,
        epoch: Epoch,
    ) -> Result<Extents, Error> {
        let operation = Operation::Extents { address: self.address(dkey, akey), from, limit, epoch };
        match self.one(dkey, operation).await? {
            Outcome::Extents { record_bytes, stretches, more } => Ok(Extents { record_bytes, stretches, more }),
            other => Err(self.strange("list extents", &other)),
        }
    }

    /// The first or last dkey, akey or stretch, as [`Operation::QueryKey`] says; `None` when nothing is there. Without a dkey every
    /// target is asked.
    pub async fn query_key(
        &self,
        dkey: Option<&Key>,
        akey: Option<&Key>,
        depth: Depth,
        end: End,
    ) -> Result<Option<Found>, Error> {
        self.query_key_at(dkey, akey, depth, end, Epoch::MAX).await
    }

    /// The same as of an epoch.
    pub async fn query_key_at(
        &self,
        dkey: Option<&Key>,
        akey: Option<&Key>,
        depth: Depth,
        end: End,
        epoch: Epoch,
    ) -> Result<Option<Found>, Error> {
        let object = self.id;
        let operation = Operation::QueryKey { object, dkey: dkey.cloned(), akey: akey.cloned(), depth, end, epoch };
        let Some(dkey) = dkey else { return self.query_everywhere(operation, end).await };
        self.query_on(self.container.pool.map.target_of(object, dkey), operation).await
    }

    async fn query_everywhere(&self, operation: Operation, end: End) -> Result<Option<Found>, Error> {
        let kind = self.id.dkey_kind();
        let place = |found: &Found| found.dkey.as_ref().map(|dkey| kind.sortable(dkey).into_owned());
        let mut best: Option<Found> = None;
        for target in self.container.pool.map.targets() {
            let Some(found) = self.query_on(*target, operation.clone()).await? else { continue };
            let better = best.as_ref().is_none_or(|best| match end {
                End::First => place(&found) < place(best),
                End::Last => place(&found) > place(best),
            });
            if better {
                best = Some(found);
            }
        }
        Ok(best)
    }

    async fn query_on(&self, target: (Rank, TargetIndex), operation: Operation) -> Result<Option<Found>, Error> {
        match self.container.one_on(target, operation).await {
            Ok(Outcome::Found { dkey, akey, stretch }) => Ok(Some(Found { dkey, akey, stretch })),
            Ok(other) => Err(self.strange("query", &other)),
            Err(Error::Refused { status: Status::Nonexistent, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
