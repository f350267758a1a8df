//! What a running target tells about itself.

use std::fmt;

use types::{Address, Epoch, Place};

/// Whether a target takes changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Healthy,
    /// A write or flush failed, or a page of the arena could not be read back. What was not acknowledged is in doubt, so nothing is written ever again; only opening
    /// the target anew tells what is there.
    Dead {
        /// Which IO failed, and how.
        reason: String,
    },
}

/// What opening a target found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes of log replayed.
    pub replayed_bytes: u64,
    /// Groups replayed.
    pub groups: u64,
    /// Arena pages read from the checkpoint; none when the arena is paged, since they come when they are looked at.
    pub pages: u64,
    /// The largest epoch on disk: clocks continue after it.
    pub last_epoch: Epoch,
    /// True when an unfinished last group was dropped; nothing in it was acknowledged.
    pub dropped_group: bool,
}

/// Counters since the target was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Updates that changed something.
    pub updates: u64,
    /// Fetches and size queries.
    pub reads: u64,
    /// List queries.
    pub lists: u64,
    /// Punches, those that found nothing to remove included.
    pub punches: u64,
    /// Changes refused (conditions, space, limits).
    pub refusals: u64,
    /// Bytes of values written.
    pub bytes_written: u64,
    /// Bytes of values fetched.
    pub bytes_read: u64,
    /// Log groups made durable, seals included.
    pub groups: u64,
    /// Bytes of log written.
    pub wal_bytes: u64,
    /// Bytes of log in use now.
    pub wal_used: u64,
    /// Checkpoints completed.
    pub checkpoints: u64,
    /// Arena pages written by checkpoints.
    pub checkpoint_pages: u64,
    /// Values, stored or received, that did not match their checksums.
    pub checksum_errors: u64,
    /// Values marked as damaged: refused until they are written again or removed.
    pub marked: u64,
    /// Bytes of values compared by the scrubber.
    pub scrubbed_bytes: u64,
    /// Times that it came to the end of a pool.
    pub scrub_passes: u64,
    /// Damaged values that it found.
    pub scrub_found: u64,
    /// Device reads, writes and flushes that failed.
    pub io_errors: u64,
    /// Records removed by reclaim.
    pub reclaimed: u64,
    /// Small extents joined by reclaim.
    pub coalesced: u64,
    /// Records removed by discards.
    pub discarded: u64,
    /// Transactions prepared.
    pub prepared: u64,
    /// Of which committed.
    pub committed: u64,
    /// Pages of the arena read back from the meta slice, when it is paged.
    pub page_ins: u64,
    /// Pages of the arena that went to make room for others.
    pub evictions: u64,
    /// Bytes of the arena in memory now.
    pub resident_bytes: u64,
    /// The most pages there ever were beyond the limit: looked at by one command, or changed by the log at the start.
    pub over_limit_pages: u64,
    /// Commands accepted and not yet answered.
    pub pending: u64,
}

/// A stored value that does not match its checksum, also when it is read again: where it lies, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// True when the value lies in the arena.
    pub inline: bool,
    /// First byte of the chunk that differs: in the arena when `inline`, otherwise in the data slice.
    pub offset: u64,
    /// Bytes of the chunk.
    pub length: u64,
    /// The container.
    pub place: Place,
    /// Whose value it is.
    pub address: Address,
    /// First byte of the extent in its array; none for a single value.
    pub extent: Option<u64>,
    /// When it was written.
    pub epoch: Epoch,
    /// True when the scrubber found it.
    pub scrubbed: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slice = if self.inline { "arena" } else { "data slice" };
        write!(f, "{} bytes from byte {} of the {slice}: ", self.length, self.offset)?;
        match self.extent {
            None => f.write_str("the value")?,
            Some(start) => write!(f, "the extent from byte {start}")?,
        }
        let Address { object, dkey, akey } = &self.address;
        let Place { pool, container } = &self.place;
        write!(f, " of akey `{akey}`, dkey `{dkey}`, object {object} in container {container} of pool {pool}")?;
        write!(f, ", written at epoch {}", self.epoch)
    }
}

/// Something an operator should know, for the log and for RAS events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A stored value does not match its checksum; it was not served.
    Checksum(Box<Damage>),
    /// A stretch of the data slice did not match its checksum and, read again, did.
    Unsteady {
        /// Byte in the data slice.
        offset: u64,
        /// How many were read.
        length: u64,
    },
    /// Reading the data slice failed.
    ReadFailed {
        /// Byte in the data slice.
        offset: u64,
        /// What the device said.
        reason: String,
    },
    /// The target stopped taking changes.
    Died {
        /// Which IO failed, and how.
        reason: String,
    },
}
