//! The client library: pools, containers and objects of a system, from any async Rust program.
//!
//! A client asks `daos_agent` on its host once where the engines are, then talks to the targets directly. Every value is
//! checked with checksums made here when it was written and verified here when it is read.
//!
//! ```no_run
//! use daos_client::{ContainerOptions, Settings, System};
//! use types::{Key, ObjectId};
//!
//! # async fn example() -> Result<(), daos_client::Error> {
//! let system = System::connect(Settings::from_env()).await?;
//! let pool = system.open_pool("tank").await?;
//! let things = pool.create_container(ContainerOptions::labelled("things")).await?;
//! let object = things.object(ObjectId { hi: 0, lo: 1 });
//! let (dkey, akey) = (Key::try_from("apple")?, Key::try_from("colour")?);
//! object.put(&dkey, &akey, "red").await?;
//! assert_eq!(object.get(&dkey, &akey).await?.as_deref(), Some(&b"red"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # What a success means
//!
//! A change that returned `Ok` is durable: it survives `kill -9` of every process and loss of everything not flushed.
//! A change that returned [`Error::Refused`], [`Error::Invalid`] or [`Error::Key`] did not happen. After
//! [`Error::Uncertain`], [`Error::Connection`] or [`Error::Protocol`] it may have happened.
//!
//! # Repeats
//!
//! When a connection ends before the answer came, reads and unconditional changes are repeated until
//! [`Settings::retry_for`] is over: at-least-once. A change whose first sending was slow rather than lost may take effect
//! once more after its repeat has returned; that is harmless unless the same value was changed in between. Conditional
//! changes are not repeated once they were sent; they give [`Error::Uncertain`].
//!
//! Every future of this library may be dropped: a change under way then happens or does not.
#![allow(clippy::disallowed_methods)] // an IO crate: clocks for deadlines, the environment for settings

mod batch;
mod connections;
mod container;
mod error;
mod names;
mod object;
mod operation;
mod pool;
mod query;
mod retry;
mod settings;
mod snapshot;
mod system;

pub use container::{Container, ContainerOptions};
pub use error::Error;
pub use fabric::own_signals;
pub use object::{Names, Object};
pub use pool::Pool;
pub use query::{Extents, Found};
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use system::System;
pub use wire::proto::mgmt::{PoolEntry, PoolQueryResp, Property};
pub use wire::proto::service::ContainerInfo;
