//! Pools, as far as the management service decides: size, properties, and the record. Pure.

pub mod properties;
mod record;
pub mod size;

pub use record::{Destroy, Pool, State};
