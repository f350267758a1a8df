//! Durable records of the pool service, and the reserved container that holds them.
//!
//! The container with the all-zero UUID on target 0 of the service rank, object 0.0. dkey `pool`, akey `record` holds the
//! pool's record; dkey `container/<uuid>`, akey `record` one container's. Values are protobuf messages, each with the
//! version of its form; a larger version than this program knows is refused, so a downgrade cannot misread it.

use bytes::Bytes;
use prost::Message;
use store::{Command, Reply};
use types::{
    Address, ChecksumKind, Condition, ContainerId, Epoch, Key, Level, MAX_LIST_ENTRIES, ObjectId, Operation, Outcome,
    Place, PoolId, Scope, Selection, Shape, Status,
};
use uuid::Uuid;
use wire::fault::Failure;
use wire::proto::mgmt::{GroupMember, Property};

use super::access::Targets;

/// The reserved container.
pub(super) const RESERVED: ContainerId = ContainerId(Uuid::nil());
/// The target that holds it.
const TARGET: u32 = 0;
const OBJECT: ObjectId = ObjectId { hi: 0, lo: 0 };
const POOL_DKEY: &str = "pool";
const CONTAINER_PREFIX: &str = "container/";
const AKEY: &str = "record";
/// Form of a pool's record.
const POOL_VERSION: u32 = 1;
/// Form of a container's record: 2 has snapshots, and a program that knows only 1 would lose them.
const CONTAINER_VERSION: u32 = 2;

/// A pool.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PoolRecord {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(string, tag = "2")]
    pub(super) label: String,
    #[prost(string, tag = "3")]
    pub(super) user: String,
    #[prost(string, tag = "4")]
    pub(super) group: String,
    /// Per rank.
    #[prost(uint64, tag = "5")]
    pub(super) scm_bytes: u64,
    /// Per rank.
    #[prost(uint64, tag = "6")]
    pub(super) nvme_bytes: u64,
    #[prost(uint32, repeated, tag = "7")]
    pub(super) ranks: Vec<u32>,
    #[prost(message, repeated, tag = "8")]
    pub(super) properties: Vec<Property>,
    #[prost(uint32, tag = "9")]
    pub(super) map_version: u32,
    /// The ranks as they were at creation: how many targets each has decides placement, also while a rank is away.
    #[prost(message, repeated, tag = "10")]
    pub(super) members: Vec<GroupMember>,
}

/// A container.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerRecord {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(string, tag = "2")]
    pub(super) label: String,
    /// `POSIX`, `unknown`, ...
    #[prost(string, tag = "3")]
    pub(super) layout: String,
    /// Set by the first step of a destroy; such a container exists for nobody but the destroy.
    #[prost(bool, tag = "4")]
    pub(super) destroying: bool,
    #[prost(message, repeated, tag = "5")]
    pub(super) properties: Vec<Property>,
    #[prost(string, tag = "6")]
    pub(super) user: String,
    #[prost(string, tag = "7")]
    pub(super) group: String,
    /// By ascending epoch.
    #[prost(message, repeated, tag = "8")]
    pub(super) snapshots: Vec<SnapshotRecord>,
}

/// A snapshot of a container.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SnapshotRecord {
    #[prost(uint64, tag = "1")]
    pub(super) epoch: u64,
    /// Unique among the snapshots of the container that are ready; may be empty.
    #[prost(string, tag = "2")]
    pub(super) name: String,
    /// The caller's name of the call that took it, by which a repeat is known.
    #[prost(string, tag = "3")]
    pub(super) request: String,
    #[prost(enumeration = "SnapshotState", tag = "4")]
    pub(super) state: i32,
}

/// How far a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum SnapshotState {
    /// Every shard has it.
    Ready = 0,
    /// Some shards have it; nobody was told of it.
    Creating = 1,
    /// Some shards have it; it is to go.
    Destroying = 2,
}

/// The reserved container of one pool.
pub(super) struct Records<'a, T> {
    pub(super) targets: &'a T,
    pub(super) pool: PoolId,
}

impl<T: Targets> Records<'_, T> {
    /// Makes the reserved container if it is not there.
    pub(super) async fn prepare(&self) -> Result<(), Failure> {
        match self.targets.call(TARGET, Command::ContainerCreate(self.place(), ChecksumKind::Crc32c)).await? {
            Reply::Done(result) => Ok(result?),
            other => Err(unexpected(&other)),
        }
    }

    /// The pool's record, or `None` when this rank keeps none.
    pub(super) async fn pool(&self) -> Result<Option<PoolRecord>, Failure> {
        self.read(POOL_DKEY).await
    }

    /// Writes the pool's record.
    pub(super) async fn put_pool(&self, record: PoolRecord) -> Result<(), Failure> {
        self.write(POOL_DKEY, PoolRecord { version: POOL_VERSION, ..record }.encode_to_vec()).await
    }

    /// All container records, by UUID.
    pub(super) async fn containers(&self) -> Result<Vec<(ContainerId, ContainerRecord)>, Failure> {
        let mut found = Vec::new();
        // Names with the prefix sort directly after the bare prefix; others that follow are passed over.
        let mut after = CONTAINER_PREFIX.as_bytes().to_vec();
        loop {
            let list =
                Operation::List { level: Level::Dkeys(OBJECT), after, limit: MAX_LIST_ENTRIES, epoch: Epoch::MAX };
            let (names, more) = match self.operate(list).await? {
                Ok(Outcome::Listed { names, more }) => (names, more),
                Ok(_) => return Err(Failure::new(Status::Misc, "a list was answered with something else")),
                Err(Status::Nonexistent | Status::NoHandle) => return Ok(found),
                Err(status) => return Err(status.into()),
            };
            for name in &names {
                let Some(uuid) = container_of(name) else { continue };
                let text = std::str::from_utf8(name).expect("`container_of` accepted it as text");
                if let Some(record) = self.read(text).await? {
                    found.push((uuid, record));
                }
            }
            match names.last() {
                Some(last) if more => after = last.to_vec(),
                _ => return Ok(found),
            }
        }
    }

    /// Writes a container's record.
    pub(super) async fn put_container(&self, id: ContainerId, record: ContainerRecord) -> Result<(), Failure> {
        let record = ContainerRecord { version: CONTAINER_VERSION, ..record };
        self.write(&format!("{CONTAINER_PREFIX}{id}"), record.encode_to_vec()).await
    }

    /// Removes a container's record.
    pub(super) async fn remove_container(&self, id: ContainerId) -> Result<(), Failure> {
        let scope = Scope::Dkey(OBJECT, key(&format!("{CONTAINER_PREFIX}{id}")));
        match self.operate(Operation::Punch { scope, condition: Condition::Always }).await? {
            Ok(_) | Err(Status::Nonexistent | Status::NoHandle) => Ok(()),
            Err(status) => Err(status.into()),
        }
    }

    async fn read<M: Message + Default + Versioned>(&self, dkey: &str) -> Result<Option<M>, Failure> {
        let fetch = Operation::Fetch { address: address(dkey), selection: Selection::Single, epoch: Epoch::MAX };
        let segments = match self.operate(fetch).await? {
            Ok(Outcome::Fetched(segments)) => segments,
            Ok(_) => return Err(Failure::new(Status::Misc, "a fetch was answered with something else")),
            Err(Status::Nonexistent | Status::NoHandle) => return Ok(None),
            Err(status) => return Err(status.into()),
        };
        let bytes = segments.into_iter().next().map(|segment| segment.data).unwrap_or_default();
        let record = M::decode(bytes).map_err(|error| {
            Failure::new(
                Status::DataLoss,
                format!("the record `{dkey}` of pool {} does not decode: {error}", self.pool),
            )
        })?;
        let (found, newest) = (record.version(), M::NEWEST);
        if found > newest {
            return Err(Failure::new(
                Status::Protocol,
                format!("the record `{dkey}` of pool {} has version {found}, newer than {newest}", self.pool),
            )
            .with_resolution("run the version of the engine that wrote it, or a newer one"));
        }
        Ok(Some(record))
    }

    async fn write(&self, dkey: &str, record: Vec<u8>) -> Result<(), Failure> {
        let data = Bytes::from(record);
        let update = Operation::Update {
            address: address(dkey),
            shape: Shape::Single,
            condition: Condition::Always,
            checksums: erasure::checksums(ChecksumKind::Crc32c, &data),
            data,
        };
        self.operate(update).await?.map(|_| ()).map_err(Failure::from)
    }

    async fn operate(&self, operation: Operation) -> Result<Result<Outcome, Status>, Failure> {
        match self.targets.call(TARGET, Command::Operate { place: self.place(), operation }).await? {
            Reply::Operated(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    fn place(&self) -> Place {
        Place { pool: self.pool, container: RESERVED }
    }
}

trait Versioned {
    /// The newest form that this program knows.
    const NEWEST: u32;
    fn version(&self) -> u32;
}

impl Versioned for PoolRecord {
    const NEWEST: u32 = POOL_VERSION;
    fn version(&self) -> u32 {
        self.version
    }
}

impl Versioned for ContainerRecord {
    const NEWEST: u32 = CONTAINER_VERSION;
    fn version(&self) -> u32 {
        self.version
    }
}

fn container_of(name: &[u8]) -> Option<ContainerId> {
    std::str::from_utf8(name).ok()?.strip_prefix(CONTAINER_PREFIX)?.parse().ok()
}

fn address(dkey: &str) -> Address {
    Address { object: OBJECT, dkey: key(dkey), akey: key(AKEY) }
}

fn key(text: &str) -> Key {
    Key::try_from(text).expect("the names of records are short and not empty")
}

/// A target answered with the wrong kind of reply: a bug, reported rather than hidden.
pub(super) fn unexpected(reply: &Reply) -> Failure {
    Failure::new(Status::Misc, format!("a target gave an unexpected reply: {reply:?}"))
}
