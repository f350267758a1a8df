//! The pool service: metadata of pools and containers, and the shards of pools on this rank's targets.
//!
//! One rank of a pool is its service rank. Its service keeps the pool's record and container table in a reserved
//! container (`record`), changes the shards of all ranks in step (`collective`), and finishes after a restart what a
//! crash interrupted (`reconcile`). `snapshot` keeps snapshots of containers in step likewise. Every rank executes shard calls on its own targets (`shard`). What clients have open is counted
//! while they are connected (`handles`). Targets and peers are
//! arguments (`access`), so the whole service runs in tests over stores in memory.
//!
//! Order of changes: create = shards first, then the record; destroy = record marked, shards, record removed. So a record
//! that is ready always has its shards, and shards without a record are leftovers that may be removed.

mod access;
mod collective;
mod container;
mod dispatch;
mod handles;
mod pool;
mod property;
mod reconcile;
mod record;
mod scrubbing;
mod shard;
mod snapshot;
#[cfg(test)]
mod tests;

pub use access::{Group, Peers, Targets};
pub use handles::Client;
pub use pool::PoolService;
