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
//! A change that returned an error other than [`Error::Uncertain`] or a transport error did not happen.
//!
//! # Repeats
//!
//! When a connection ends before the answer came, reads and unconditional changes are repeated until
//! [`Settings::retry_for`] is over: at-least-once. Repeating a change is harmless unless another writer changed the same
//! value in between. Conditional changes are not repeated; they give [`Error::Uncertain`].
#![allow(clippy::disallowed_methods)] // an IO crate: clocks for deadlines, the environment for settings

mod connections;
mod container;
mod error;
mod names;
mod object;
mod pool;
mod retry;
mod settings;
mod system;

pub use container::{Container, ContainerOptions};
pub use error::Error;
pub use object::{Names, Object};
pub use pool::Pool;
pub use settings::Settings;
pub use system::System;
pub use wire::proto::mgmt::{PoolEntry, PoolQueryResp, Property};
pub use wire::proto::service::ContainerInfo;
