//! Pools and their containers.

use placement::PoolMap;
use types::{ChecksumKind, ContainerId, Place, PoolId, Rank, Status, UnknownChecksumKind};
use wire::proto::mgmt::{PoolPropResp, PoolQueryResp, Property};
use wire::proto::service::{
    ContainerCreateReq, ContainerInfo, ContainerListResp, ContainerReq, Method, PoolConnectResp, PoolPropReq, PoolReq,
};

use crate::container::{Container, ContainerOptions};
use crate::error::Error;
use crate::system::{Handle, System};

/// An open pool.
#[derive(Clone)]
pub struct Pool {
    pub(crate) system: System,
    service: Rank,
    id: PoolId,
    label: String,
    pub(crate) map: PoolMap,
}

impl Pool {
    pub(crate) fn new(system: System, service: Rank, reply: PoolConnectResp, what: &str) -> Result<Pool, Error> {
        let broken = |reason: &str| Error::Protocol { what: what.to_owned(), reason: reason.to_owned() };
        let id = reply.uuid.parse().map_err(|_| broken("the pool's UUID does not parse"))?;
        let map = reply.map.ok_or_else(|| broken("there is no pool map"))?;
        let ranks = map.ranks.iter().map(|member| (Rank(member.rank), member.targets));
        let map = PoolMap::new(map.version, ranks).ok_or_else(|| broken("the pool map has no target"))?;
        system.inner.opened(service, Handle::Pool(reply.uuid));
        Ok(Pool { system, service, id, label: reply.label, map })
    }

    /// Its UUID.
    pub fn id(&self) -> PoolId {
        self.id
    }

    /// Its label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// State and space.
    pub async fn query(&self) -> Result<PoolQueryResp, Error> {
        let request = PoolReq { pool: self.id.to_string() };
        self.call(Method::PoolQuery, &request, &format!("query pool `{}`", self.label)).await
    }

    /// The named properties, or all when none is named.
    pub async fn properties(&self, names: &[String]) -> Result<Vec<Property>, Error> {
        let request = PoolPropReq { pool: self.id.to_string(), names: names.to_vec() };
        let what = format!("get properties of pool `{}`", self.label);
        Ok(self.call::<PoolPropResp>(Method::PoolGetProp, &request, &what).await?.properties)
    }

    /// Its containers.
    pub async fn list_containers(&self) -> Result<Vec<ContainerInfo>, Error> {
        let request = PoolReq { pool: self.id.to_string() };
        let what = format!("list containers of pool `{}`", self.label);
        Ok(self.call::<ContainerListResp>(Method::ContainerList, &request, &what).await?.containers)
    }

    /// Creates a container and opens it.
    pub async fn create_container(&self, options: ContainerOptions) -> Result<Container, Error> {
        let request = ContainerCreateReq {
            pool: self.id.to_string(),
            // Chosen here, so that the service recognises a repeat.
            uuid: uuid::Uuid::new_v4().to_string(),
            label: options.label.unwrap_or_default(),
            r#type: options.layout.unwrap_or_default(),
            properties: options.properties,
            user: options.user,
            group: options.group,
        };
        let what = format!("create container `{}` in pool `{}`", request.label, self.label);
        let info = self.call(Method::ContainerCreate, &request, &what).await?;
        self.container(info, &what)
    }

    /// Opens a container by its label or UUID.
    pub async fn open_container(&self, container: &str) -> Result<Container, Error> {
        let what = format!("open container `{container}`");
        let info = self.call(Method::ContainerOpen, &self.named(container, false), &what).await?;
        self.container(info, &what)
    }

    /// What is known of a container, and how much it uses.
    pub async fn query_container(&self, container: &str) -> Result<ContainerInfo, Error> {
        self.call(Method::ContainerQuery, &self.named(container, false), &format!("query container `{container}`"))
            .await
    }

    /// Properties of a container.
    pub async fn container_properties(&self, container: &str) -> Result<Vec<Property>, Error> {
        let what = format!("get properties of container `{container}`");
        let reply: PoolPropResp = self.call(Method::ContainerGetProp, &self.named(container, false), &what).await?;
        Ok(reply.properties)
    }

    /// Destroys a container with everything in it; one that another client has open only with `force`.
    pub async fn destroy_container(&self, container: &str, force: bool) -> Result<(), Error> {
        let what = format!("destroy container `{container}`");
        let info: ContainerInfo = self.call(Method::ContainerOpen, &self.named(container, false), &what).await?;
        // By its UUID, so that a repeat cannot hit another container that took the label.
        let request = self.named(&info.container_uuid, force);
        match self.call(Method::ContainerDestroy, &request, &what).await {
            Ok(()) => {}
            // It was there a moment ago: an earlier try of this call destroyed it.
            Err(Error::Service { failure, .. }) if failure.status == Status::Nonexistent => {}
            Err(error) => return Err(error),
        }
        self.system.inner.destroyed(self.service, self.handle(info.container_uuid));
        Ok(())
    }

    fn handle(&self, container: String) -> Handle {
        Handle::Container { pool: self.id.to_string(), container }
    }

    fn named(&self, container: &str, force: bool) -> ContainerReq {
        ContainerReq { pool: self.id.to_string(), container: container.to_owned(), force }
    }

    fn container(&self, info: ContainerInfo, what: &str) -> Result<Container, Error> {
        let container: ContainerId = info.container_uuid.parse().map_err(|_| Error::Protocol {
            what: what.to_owned(),
            reason: "the container's UUID does not parse".to_owned(),
        })?;
        let checksum_kind = checksum_kind(&info.properties).map_err(|error| Error::Protocol {
            what: what.to_owned(),
            reason: format!("the container's property `cksum`: {error}"),
        })?;
        self.system.inner.opened(self.service, self.handle(info.container_uuid));
        let place = Place { pool: self.id, container };
        Ok(Container { pool: self.clone(), place, label: info.container_label, checksum_kind })
    }

    pub(crate) async fn call<Resp: prost::Message + Default>(
        &self,
        method: Method,
        request: &impl prost::Message,
        what: &str,
    ) -> Result<Resp, Error> {
        self.system.inner.service(self.service, method, request, what).await
    }
}

fn checksum_kind(properties: &[Property]) -> Result<ChecksumKind, UnknownChecksumKind> {
    let found = properties.iter().find(|property| property.name == "cksum");
    found.map_or(Ok(ChecksumKind::default()), |property| property.value.parse())
}
