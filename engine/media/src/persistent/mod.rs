//! Files on persistent memory, mapped into the process: class `dcpm`. Drawn in engine/docs/persistent-memory.md.
//!
//! Mapping takes libpmem, which knows how each processor writes past its caches; without the feature `pmem` such files are written by
//! system calls as any other.

#[cfg(not(feature = "pmem"))]
mod absent;
#[cfg(feature = "pmem")]
mod mapped;

#[cfg(not(feature = "pmem"))]
pub(crate) use absent::Mapping;
#[cfg(feature = "pmem")]
pub(crate) use mapped::Mapping;
