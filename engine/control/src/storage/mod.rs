//! Storage of this host's engines: memory tier, block devices, format records.

pub(crate) mod bdev;
pub(crate) mod engine_storage;
pub(crate) mod mount;
pub(crate) mod plan;
pub(crate) mod pmem;
pub(crate) mod scan;
pub(crate) mod scm;
pub mod superblock;
