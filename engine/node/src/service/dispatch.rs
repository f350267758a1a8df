//! Methods by number: messages in, messages out. The one place that knows which method takes which message.

use bytes::Bytes;
use prost::Message;
use types::{ChecksumKind, ContainerId, Place, Status};
use wire::fault::Failure;
use wire::proto::drpc;
use wire::proto::service::{
    Method, ShardContainerListResp, ShardContainerReq, ShardPoolReq, ShardPoolScrubReq, ShardSnapshotReq,
};

use super::access::{Peers, Targets};
use super::handles::Client;
use super::pool::{PoolService, parse_pool};
use super::scrubbing;
use super::shard::Shards;

impl<T: Targets, P: Peers> PoolService<T, P> {
    /// A call on a service connection: of a client, or (without one) of a peer engine.
    pub async fn serve(&self, client: Option<Client>, method: u16, body: Bytes) -> Result<Bytes, Failure> {
        let known = Method::try_from(i32::from(method)).unwrap_or(Method::Unspecified);
        match known {
            Method::PoolConnect => encode(&self.connect(client, &decode(body)?)?),
            Method::PoolQuery => {
                let request: wire::proto::service::PoolReq = decode(body)?;
                let (pool, _) = self.find(&request.pool)?;
                encode(&self.query(pool).await?)
            }
            Method::PoolGetProp => {
                let request: wire::proto::service::PoolPropReq = decode(body)?;
                let (pool, _) = self.find(&request.pool)?;
                encode(&self.properties(pool, &request.names)?)
            }
            Method::ContainerCreate => encode(&self.create_container(client, &decode(body)?).await?),
            Method::ContainerOpen => encode(&self.open_container(client, &decode(body)?)?),
            Method::ContainerQuery => encode(&self.query_container(&decode(body)?).await?),
            Method::ContainerList => encode(&self.list_containers(&decode(body)?)?),
            Method::ContainerDestroy => encode(&self.destroy_container(client, &decode(body)?).await?),
            Method::ContainerGetProp => encode(&self.container_properties(&decode(body)?)?),
            Method::ContainerSnapshotCreate => encode(&self.create_snapshot(&decode(body)?).await?),
            Method::ContainerSnapshotList => encode(&self.list_snapshots(&decode(body)?)?),
            Method::ContainerSnapshotDestroy => encode(&self.destroy_snapshots(&decode(body)?).await?),
            Method::ShardPoolCreate => {
                let request: ShardPoolReq = decode(body)?;
                let pool = parse_pool(&request.pool)?;
                encode(&self.shards().create_pool(pool, request.scm_bytes, request.nvme_bytes).await?)
            }
            Method::ShardPoolDestroy => encode(&self.shards().destroy_pool(shard_pool(body)?).await?),
            Method::ShardPoolQuery => encode(&self.shards().query_pool(shard_pool(body)?).await?),
            Method::ShardPoolScrub => {
                let request: ShardPoolScrubReq = decode(body)?;
                let scrubbing = scrubbing::requested(&request)?;
                encode(&self.shards().scrub_pool(parse_pool(&request.pool)?, scrubbing).await?)
            }
            Method::ShardContainerCreate => {
                let request: ShardContainerReq = decode(body)?;
                let kind = request.checksum_kind;
                let known = u8::try_from(kind).ok().and_then(ChecksumKind::from_number);
                let kind = known.ok_or_else(|| {
                    Failure::new(Status::Invalid, format!("{kind} is no kind of checksum"))
                        .with_resolution("use the same version of all engines")
                })?;
                encode(&self.shards().create_container(place_of(&request)?, kind).await?)
            }
            Method::ShardContainerDestroy => encode(&self.shards().destroy_container(shard_place(body)?).await?),
            Method::ShardContainerQuery => encode(&self.shards().query_container(shard_place(body)?).await?),
            Method::ShardContainerList => {
                let list = self.shards().list_containers(shard_pool(body)?).await?;
                encode(&ShardContainerListResp { containers: list.iter().map(ToString::to_string).collect() })
            }
            Method::ShardSnapshotAdd => {
                let request: ShardSnapshotReq = decode(body)?;
                let place = parse_place(&request.pool, &request.container)?;
                encode(&self.shards().add_snapshots(place, &request.epochs).await?)
            }
            Method::ShardSnapshotRemove => {
                let request: ShardSnapshotReq = decode(body)?;
                let place = parse_place(&request.pool, &request.container)?;
                encode(&self.shards().remove_snapshots(place, &request.epochs).await?)
            }
            Method::Unspecified => Err(unknown(i32::from(method))),
        }
    }

    /// A pool method of the local socket, called by `daos_server`.
    pub async fn serve_local(&self, method: drpc::Method, body: Bytes) -> Result<Bytes, Failure> {
        match method {
            drpc::Method::PoolCreate => encode(&self.create(&decode(body)?).await?),
            drpc::Method::PoolDestroy => encode(&self.destroy(&decode(body)?).await?),
            drpc::Method::PoolQuery => {
                let request: drpc::EnginePoolReq = decode(body)?;
                encode(&self.query(parse_pool(&request.uuid)?).await?)
            }
            drpc::Method::PoolGetProp => {
                let request: drpc::EnginePoolPropReq = decode(body)?;
                encode(&self.properties(parse_pool(&request.uuid)?, &request.names)?)
            }
            drpc::Method::PoolSetProp => encode(&self.set_properties(&decode(body)?).await?),
            drpc::Method::PoolList => {
                let pools = self.shards().list_pools().await?;
                encode(&drpc::EnginePoolListResp { uuids: pools.iter().map(ToString::to_string).collect() })
            }
            other => Err(unknown(other as i32)),
        }
    }

    fn shards(&self) -> Shards<'_, T> {
        Shards(&self.targets)
    }
}

fn shard_pool(body: Bytes) -> Result<types::PoolId, Failure> {
    parse_pool(&decode::<ShardPoolReq>(body)?.pool)
}

fn shard_place(body: Bytes) -> Result<Place, Failure> {
    place_of(&decode(body)?)
}

fn place_of(request: &ShardContainerReq) -> Result<Place, Failure> {
    parse_place(&request.pool, &request.container)
}

fn parse_place(pool: &str, container: &str) -> Result<Place, Failure> {
    let id: ContainerId = container
        .parse()
        .map_err(|_| Failure::new(Status::Invalid, format!("`{container}` is not a container UUID")))?;
    Ok(Place { pool: parse_pool(pool)?, container: id })
}

fn decode<M: Message + Default>(body: Bytes) -> Result<M, Failure> {
    M::decode(body).map_err(|error| Failure::new(Status::Protocol, format!("the request does not decode: {error}")))
}

fn encode(message: &impl Message) -> Result<Bytes, Failure> {
    Ok(Bytes::from(message.encode_to_vec()))
}

fn unknown(method: i32) -> Failure {
    Failure::new(Status::Protocol, format!("method {method} is not known to this version"))
        .with_resolution("use the same version of client and server")
}
