//! Containers of the pools served here.

use types::{ContainerId, Place, Reference, Status};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::mgmt::PoolPropResp;
use wire::proto::service::{ContainerCreateReq, ContainerInfo, ContainerListResp, ContainerReq, PoolReq};

use super::access::{Peers, Targets};
use super::handles::Client;
use super::pool::{Entry, PoolService};
use super::property;
use super::record::{ContainerRecord, RESERVED, Records};

impl<T: Targets, P: Peers> PoolService<T, P> {
    /// Creates a container and opens it. The same UUID with the same label again gives the container that is there.
    pub(super) async fn create_container(
        &self,
        client: Option<Client>,
        request: &ContainerCreateReq,
    ) -> Result<ContainerInfo, Failure> {
        let _change = self.changes.lock().await;
        let (pool, entry) = self.find(&request.pool)?;
        let id = match request.uuid.as_str() {
            "" => ContainerId(Uuid::new_v4()),
            text => {
                text.parse().map_err(|_| Failure::new(Status::Invalid, format!("`{text}` is not a container UUID")))?
            }
        };
        if id == RESERVED {
            return Err(Failure::new(Status::Invalid, "the all-zero UUID is reserved"));
        }
        let mut given = request.properties.clone();
        if !request.r#type.is_empty() {
            given.push(wire::proto::mgmt::Property { name: "layout_type".to_owned(), value: request.r#type.clone() });
        }
        let (property_label, properties) = property::for_creation(&given)?;
        let label = match (request.label.as_str(), property_label) {
            ("", label) => label.map(String::from).unwrap_or_default(),
            (text, None) => property::parse_label(text)?.into(),
            (text, Some(label)) if label.as_str() == text => text.to_owned(),
            (text, Some(label)) => {
                return Err(Failure::new(Status::Invalid, format!("two labels are given, `{text}` and `{label}`")));
            }
        };
        if let Some(existing) = entry.containers.get(&id) {
            return if existing.label == label && !existing.destroying {
                self.handles.open_container(client, Place { pool, container: id });
                Ok(self.info(Place { pool, container: id }, existing))
            } else {
                Err(Failure::new(Status::Exists, format!("container {id} exists")))
            };
        }
        if !label.is_empty() && entry.containers.values().any(|other| other.label == label && !other.destroying) {
            return Err(Failure::new(
                Status::Exists,
                format!("a container with label `{label}` exists in pool {pool}"),
            )
            .with_resolution("choose another label, or destroy that container first"));
        }
        let place = Place { pool, container: id };
        let kind = property::checksum_kind(&properties)?;
        self.collective(pool, entry.record.ranks)?.create_container(place, kind).await?;
        let layout = properties.iter().find(|p| p.name == "layout_type").map(|p| p.value.clone()).unwrap_or_default();
        let record = ContainerRecord {
            label,
            layout,
            properties,
            user: request.user.clone(),
            group: request.group.clone(),
            ..ContainerRecord::default()
        };
        let record = self.keep_container(place, record).await?;
        self.handles.open_container(client, place);
        Ok(self.info(place, &record))
    }

    /// A container with what it uses.
    pub(super) async fn query_container(&self, request: &ContainerReq) -> Result<ContainerInfo, Failure> {
        let (place, entry, record) = self.find_container(request)?;
        let shards = self.collective(place.pool, entry.record.ranks)?.query_container(place).await?;
        Ok(ContainerInfo {
            used_bytes: shards.scm_bytes + shards.data_bytes,
            history_from: shards.history_from,
            ..self.info(place, &record)
        })
    }

    /// A container as a client needs it to work with: without asking the shards.
    pub(super) fn open_container(
        &self,
        client: Option<Client>,
        request: &ContainerReq,
    ) -> Result<ContainerInfo, Failure> {
        let (place, _, record) = self.find_container(request)?;
        self.handles.open_container(client, place);
        Ok(self.info(place, &record))
    }

    pub(super) fn container_properties(&self, request: &ContainerReq) -> Result<PoolPropResp, Failure> {
        let (_, _, record) = self.find_container(request)?;
        let mut properties = record.properties;
        for (name, value) in [("label", record.label), ("owner", record.user), ("group", record.group)] {
            match properties.iter_mut().find(|property| property.name == name) {
                Some(property) => property.value = value,
                None => properties.push(wire::proto::mgmt::Property { name: name.to_owned(), value }),
            }
        }
        Ok(PoolPropResp { properties })
    }

    pub(super) fn list_containers(&self, request: &PoolReq) -> Result<ContainerListResp, Failure> {
        let (pool, entry) = self.find(&request.pool)?;
        let alive = entry.containers.iter().filter(|(_, record)| !record.destroying);
        let info = |(id, record): (&ContainerId, &ContainerRecord)| self.info(Place { pool, container: *id }, record);
        Ok(ContainerListResp { containers: alive.map(info).collect() })
    }

    /// Destroys a container with everything in it. One that another client has open is busy unless it is forced.
    pub(super) async fn destroy_container(
        &self,
        client: Option<Client>,
        request: &ContainerReq,
    ) -> Result<(), Failure> {
        let _change = self.changes.lock().await;
        let (place, entry, record) = self.find_container(request)?;
        if !request.force {
            self.handles.check_container(client, place)?;
        }
        self.finish_destroy(place, &entry, record).await
    }

    /// Mark, shards, record: each step may be repeated, so an interrupted destroy is taken up from its mark.
    pub(super) async fn finish_destroy(
        &self,
        place: Place,
        entry: &Entry,
        record: ContainerRecord,
    ) -> Result<(), Failure> {
        if !record.destroying {
            self.keep_container(place, ContainerRecord { destroying: true, ..record }).await?;
        }
        self.collective(place.pool, entry.record.ranks.clone())?.destroy_container(place).await?;
        Records { targets: &self.targets, pool: place.pool }.remove_container(place.container).await?;
        self.remember(place.pool, |entry| {
            entry.containers.remove(&place.container);
        });
        Ok(())
    }

    pub(super) fn find_container(&self, request: &ContainerReq) -> Result<(Place, Entry, ContainerRecord), Failure> {
        let (pool, entry) = self.find(&request.pool)?;
        let text = &request.container;
        let reference: Reference = text.parse().map_err(|error: types::LabelError| {
            Failure::new(Status::Invalid, error.to_string()).with_resolution("name the container by its UUID or label")
        })?;
        let found = entry.containers.iter().find(|(id, record)| {
            !record.destroying
                && match &reference {
                    Reference::Uuid(uuid) => id.0 == *uuid,
                    Reference::Label(label) => record.label == label.as_str(),
                }
        });
        match found {
            Some((id, record)) => Ok((Place { pool, container: *id }, entry.clone(), record.clone())),
            None => Err(Failure::new(
                Status::Nonexistent,
                format!("container `{text}` does not exist in pool `{}`", request.pool),
            )
            .with_resolution(format!("see `daos container list {}` for the containers of the pool", request.pool))),
        }
    }

    /// Writes a container's record, and remembers it.
    pub(super) async fn keep_container(
        &self,
        place: Place,
        record: ContainerRecord,
    ) -> Result<ContainerRecord, Failure> {
        Records { targets: &self.targets, pool: place.pool }.put_container(place.container, record.clone()).await?;
        self.remember(place.pool, |entry| {
            entry.containers.insert(place.container, record.clone());
        });
        Ok(record)
    }

    /// What is known of a container without asking its shards.
    fn info(&self, place: Place, record: &ContainerRecord) -> ContainerInfo {
        let (num_snapshots, latest_snapshot) = super::snapshot::summary(record);
        ContainerInfo {
            num_snapshots,
            latest_snapshot,
            pool_uuid: place.pool.to_string(),
            container_uuid: place.container.to_string(),
            container_label: record.label.clone(),
            container_type: record.layout.clone(),
            health: "HEALTHY".to_owned(),
            num_handles: self.handles.of_container(place),
            properties: record.properties.clone(),
            ..ContainerInfo::default()
        }
    }
}
