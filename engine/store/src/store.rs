//! The state machine of one target.

use media::{Done, Io};
use types::Epoch;

use crate::command::{Command, Reply, Token};
use crate::error::{FormatError, OpenError};
use crate::health::{Event, Health, Recovery, Stats};
use crate::settings::{ArenaMemory, Devices, Identity, Settings};

/// The least length of the meta slice for an arena of `arena_bytes`.
pub fn meta_bytes_needed(arena_bytes: u64) -> u64 {
    arena_bytes + arena_bytes / 4 + (32 << 20)
}

/// Makes the slices a new, empty target. Whatever they held is lost.
pub fn format(devices: &mut Devices, identity: Identity, arena_bytes: u64) -> Result<(), FormatError> {
    let _ = (identity, arena_bytes);
    let flush = devices.meta.flush();
    flush.map_err(|source| FormatError::Io { slice: crate::Slice(media::Role::Meta), offset: 0, source })
}

/// Reads a target back: checkpoint, then log. The devices are only used here; later IO comes out of
/// [`Store::take_io`]. `memory` is the arena: zeroed, of the length given to [`format`].
pub fn open(
    devices: &mut Devices,
    identity: Identity,
    memory: ArenaMemory,
    settings: Settings,
) -> Result<(Store, Recovery), OpenError> {
    let _ = (devices, identity, memory, settings);
    let missing = || String::from("is not written yet");
    Err(OpenError::NoSuperblock { first: missing(), second: missing() })
}

/// One target.
pub struct Store {
    replies: Vec<(Token, Reply)>,
    stats: Stats,
}

impl Store {
    /// Takes a command. Commands run in the order in which they are submitted; `now` is the epoch of a change made by
    /// it (or the next free one, when `now` is not after every epoch given before).
    pub fn submit(&mut self, token: Token, command: Command, now: Epoch) {
        let _ = (token, command, now);
    }

    /// The next device command to execute, if any.
    pub fn take_io(&mut self) -> Option<Io> {
        None
    }

    /// Takes the result of a device command.
    pub fn complete(&mut self, done: Done) {
        let _ = done;
    }

    /// The next reply, if any.
    pub fn take_reply(&mut self) -> Option<(Token, Reply)> {
        self.replies.pop()
    }

    /// Lets time pass: starts checkpoints, seals and reclaim when they are due. To be called at least every few
    /// milliseconds while [`Store::has_work`], otherwise about once a second.
    pub fn tick(&mut self, now: Epoch) {
        let _ = now;
    }

    /// True while something is queued, in flight or due at the next tick.
    pub fn has_work(&self) -> bool {
        false
    }

    /// Whether the target takes changes.
    pub fn health(&self) -> Health {
        Health::Healthy
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The next event for the log, if any.
    pub fn take_event(&mut self) -> Option<Event> {
        None
    }
}
