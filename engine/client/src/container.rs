//! Containers.

use std::collections::BTreeMap;

use bytes::Bytes;
use types::{ChecksumKind, ContainerId, Epoch, Level, ObjectId, Operation, Place};
use wire::proto::mgmt::Property;

use crate::error::Error;
use crate::object::{Names, Object};
use crate::operation::kind_of;
use crate::pool::Pool;

/// How a container is to be created.
#[derive(Debug, Clone, Default)]
pub struct ContainerOptions {
    /// Label, unique in the pool.
    pub label: Option<String>,
    /// Type, as `POSIX`.
    pub layout: Option<String>,
    /// Properties as in `daos container create --properties`.
    pub properties: Vec<Property>,
    /// Owner, `user@`.
    pub user: String,
    /// Owning group, `group@`.
    pub group: String,
}

impl ContainerOptions {
    /// Just a label.
    pub fn labelled(label: impl Into<String>) -> ContainerOptions {
        ContainerOptions { label: Some(label.into()), ..ContainerOptions::default() }
    }
}

/// An open container.
#[derive(Clone)]
pub struct Container {
    pub(crate) pool: Pool,
    pub(crate) place: Place,
    pub(crate) label: String,
    pub(crate) checksum_kind: ChecksumKind,
}

impl Container {
    /// Its UUID.
    pub fn id(&self) -> ContainerId {
        self.place.container
    }

    /// Its label; empty without one.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The kind of checksums that its values have: those of an update must be of it.
    pub fn checksum_kind(&self) -> ChecksumKind {
        self.checksum_kind
    }

    /// An object. Objects need no creation: one that holds nothing does not exist.
    pub fn object(&self, id: ObjectId) -> Object {
        Object { container: self.clone(), id }
    }

    /// The first epoch as of which it can be read, on every target; [`Epoch::ZERO`] while nothing of its history is gone.
    /// It moves on with time: superseded values are kept for a minute, shorter when space is short.
    pub async fn history_from(&self) -> Result<Epoch, Error> {
        Ok(Epoch(self.pool.query_container(&self.id().to_string()).await?.history_from))
    }

    /// Objects that hold something, by ascending id, strictly after `after`.
    pub async fn list_objects(&self, after: Option<ObjectId>, limit: u32) -> Result<(Vec<ObjectId>, bool), Error> {
        let after = after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        let Names { names, more } = self.list_everywhere(Level::Objects, after, limit, Epoch::MAX).await?;
        let id = |name: &Bytes| {
            let bytes: [u8; 16] = name[..].try_into().map_err(|_| Error::Protocol {
                what: "list objects".to_owned(),
                reason: format!("an object id of {} bytes", name.len()),
            })?;
            Ok(ObjectId::from_bytes(bytes))
        };
        Ok((names.iter().map(id).collect::<Result<_, Error>>()?, more))
    }

    /// Lists on every target and merges: the first `limit` names of all.
    pub(crate) async fn list_everywhere(
        &self,
        level: Level,
        after: Vec<u8>,
        limit: u32,
        epoch: Epoch,
    ) -> Result<Names, Error> {
        let kind = kind_of(&level);
        // By their sortable form.
        let mut names: BTreeMap<Vec<u8>, Bytes> = BTreeMap::new();
        let mut more = false;
        // A target that has more may have it right after the last name it gave: beyond that the merged list has gaps.
        let mut horizon: Option<Vec<u8>> = None;
        for target in self.pool.map.targets() {
            let list = Operation::List { level: level.clone(), after: after.clone(), limit, epoch };
            let part = self.list_on(*target, list).await?;
            if part.more
                && let Some(last) = part.names.last()
            {
                let last = kind.sortable(last).into_owned();
                horizon = Some(horizon.map_or(last.clone(), |horizon| horizon.min(last)));
            }
            more |= part.more;
            names.extend(part.names.into_iter().map(|name| (kind.sortable(&name).into_owned(), name)));
        }
        if let Some(horizon) = horizon {
            names.retain(|name, _| *name <= horizon);
        }
        more |= names.len() > limit as usize;
        Ok(Names { names: names.into_values().take(limit as usize).collect(), more })
    }
}
