//! What a target is made of and how it behaves: devices, identity, sizes and times.

use std::ops::DerefMut;
use std::time::Duration;

use media::{Device, PagedMemory};
use types::TargetIndex;
use uuid::Uuid;

/// The memory that holds the arena: zeroed, of the arena's length, for as long as the store lives.
pub type ArenaMemory = Box<dyn DerefMut<Target = [u8]> + Send>;

/// How much of the arena is in memory.
pub enum Residence {
    /// All of it.
    Whole(ArenaMemory),
    /// As much as a limit allows.
    Paged(Paging),
}

impl From<ArenaMemory> for Residence {
    fn from(memory: ArenaMemory) -> Residence {
        Residence::Whole(memory)
    }
}

impl<M: DerefMut<Target = [u8]> + Send + 'static> From<Box<M>> for Residence {
    fn from(memory: Box<M>) -> Residence {
        Residence::Whole(memory)
    }
}

impl From<Paging> for Residence {
    fn from(paging: Paging) -> Residence {
        Residence::Paged(paging)
    }
}

impl Residence {
    /// Bytes of the arena, those not in memory included.
    pub fn length(&self) -> u64 {
        match self {
            Residence::Whole(memory) => memory.len() as u64,
            Residence::Paged(paging) => paging.memory.length() as u64,
        }
    }
}

/// An arena larger than its memory: pages come from the meta slice when they are looked at, and go.
pub struct Paging {
    /// Addresses for the whole arena, all of it absent.
    pub memory: PagedMemory,
    /// What may be in memory at once, from [`MIN_LIMIT_BYTES`] up.
    pub limit_bytes: u64,
    /// The meta slice, for blocking reads while the target runs.
    pub meta: Box<dyn Device>,
}

/// The least memory of a paged arena: with fewer pages than one change leaves unsaved there would be a checkpoint per change.
pub const MIN_LIMIT_BYTES: u64 = 32 << 10;

/// Whose store this is. A store opens only under the identity it was formatted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The engine instance, made anew at each format.
    pub engine: Uuid,
    /// The target within it.
    pub target: TargetIndex,
}

/// The slices of one target, for the blocking work of [`crate::format`] and [`crate::open`].
pub struct Devices {
    /// Write-ahead log.
    pub wal: Box<dyn Device>,
    /// Superblocks, page map and page slots.
    pub meta: Box<dyn Device>,
    /// Bulk values.
    pub data: Box<dyn Device>,
}

impl Devices {
    /// The lengths of the slices, with the arena's.
    pub fn geometry(&self, arena_bytes: u64) -> Geometry {
        Geometry {
            arena_bytes,
            wal_bytes: self.wal.length(),
            meta_bytes: self.meta.length(),
            data_bytes: self.data.length(),
        }
    }
}

/// Lengths of the arena and of the slices, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// The arena.
    pub arena_bytes: u64,
    /// The write-ahead log.
    pub wal_bytes: u64,
    /// The checkpoint.
    pub meta_bytes: u64,
    /// Bulk values.
    pub data_bytes: u64,
}

/// How a store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A checkpoint starts when something changed and this long passed since the last one.
    pub checkpoint_every: Duration,
    /// A checkpoint starts when this share of the log is in use.
    pub checkpoint_wal_percent: u8,
    /// Superseded values younger than this are kept for reads of the past, unless space is short.
    pub history: Duration,
    /// A log whose last group is this old is sealed, so that the group is never mistaken for a torn one.
    pub seal_after: Duration,
    /// Log and values lie on one device, so that one flush makes both durable.
    pub one_device: bool,
}

impl Default for Settings {
    /// DAOS's checkpoint defaults (5 s, 50 %); one minute of history; a seal after 20 ms, well above one group's
    /// round trip, so that a client that waits for each reply does not pay for seals.
    fn default() -> Settings {
        Settings {
            checkpoint_every: Duration::from_secs(5),
            checkpoint_wal_percent: 50,
            history: Duration::from_secs(60),
            seal_after: Duration::from_millis(20),
            one_device: false,
        }
    }
}
