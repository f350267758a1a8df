//! Markers of rare paths, counted per process: a test that claims to cover a path can show that it was taken.
//!
//! To add one: a variant with its text below, `Probe::X.hit()` where it happens, and a workload of the crash suite that
//! leads there; the suite fails while one of [`Probe::ALL`] was never hit. A hit is one relaxed addition, so none belongs on the path of
//! every operation.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! probes {
    ($($(#[doc = $text:literal])+ $name:ident,)*) => {
        /// A rare path.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Probe {
            $($(#[doc = $text])+ $name,)*
        }

        impl Probe {
            /// All of them.
            pub const ALL: &[Probe] = &[$(Probe::$name),*];
        }
    };
}

probes! {
    /// Opening: the log ends with a group of which only a part was written.
    TornTail,
    /// Opening: the last group was dropped because its data was not all written.
    DroppedGroup,
    /// Opening: map chunks of a checkpoint that never ended were erased.
    UnfinishedCheckpoint,
    /// Opening: refused, because a group is missing before one that is there.
    GapRefused,
    /// Opening: the log does not end with a seal and got one.
    SealMissing,
    /// Opening: replay went on at block 0, because a group had not fitted before the end.
    GroupAtStart,
    /// Opening: one of the two superblocks was not valid.
    OneSuperblock,
    /// A group was placed at the start of the log again.
    LogWrap,
    /// A change waited for room in the log or in the open group.
    LogFull,
    /// A change waited for a checkpoint to save pages, so that the arena keeps to its memory.
    MemoryFull,
    /// A page of the arena was read back.
    PageIn,
    /// A page of the arena went.
    Eviction,
    /// A value was written and given up again in one group.
    Withdrawn,
    /// A checkpoint needed more than one batch.
    CheckpointBatch,
    /// A batch ended because no slot was free.
    NoFreeSlot,
    /// A checkpoint started because of the log's length.
    CheckpointForced,
    /// Reclaim removed a tombstone with nothing left below it.
    TombstoneDropped,
    /// Reclaim removed an array extent hidden by newer ones.
    ExtentHidden,
    /// Small extents that lie side by side were joined.
    Coalesced,
    /// The last grave was emptied.
    GravesEmptied,
    /// The arena had no room for a change.
    ArenaFull,
    /// A change that frees space took from the arena's reserve.
    ReserveUsed,
    /// The data slice had no free extent that was long enough.
    DataFull,
    /// A change waited for extents that were freed but not reusable yet.
    LimboAwaited,
    /// A change waited for history of its pool to be merged, or for extents to be reusable.
    RoomAwaited,
    /// A change was refused because its pool's promise was used up.
    PromiseExceeded,
    /// A pool's creation waited until the graves were empty.
    Parked,
    /// Opening: there were prepared transactions to resolve.
    PreparedLeft,
    /// A list was not done in one slice.
    ListInSlices,
    /// A value was read again, because what came first did not match its checksum.
    ReadAgain,
    /// A damaged value was marked.
    Marked,
    /// A stored value did not match its checksum and was not served.
    ChecksumRefused,
    /// A read of the data slice failed.
    ReadFailed,
    /// A write or flush failed and the target stopped.
    Died,
}

static HITS: [AtomicU64; Probe::ALL.len()] = [const { AtomicU64::new(0) }; Probe::ALL.len()];

impl Probe {
    /// How often the path was taken in this process.
    pub fn count(self) -> u64 {
        HITS[self as usize].load(Ordering::Relaxed)
    }

    /// The path is taken.
    pub(crate) fn hit(self) {
        HITS[self as usize].fetch_add(1, Ordering::Relaxed);
    }
}
