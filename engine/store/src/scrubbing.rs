//! How the values of a pool are scrubbed: kept in its record, so that it holds over a restart.

use crate::arena::Arena;
use crate::catalog::Pool;

pub(crate) const POOL_SCRUB_MODE_AT: u64 = 56;
pub(crate) const POOL_SCRUB_PERIOD_AT: u64 = 60;

/// When the scrubber reads a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScrubMode {
    /// Never.
    #[default]
    Off,
    /// While nobody else wants anything of the target.
    Lazy,
    /// All the time, as slowly as the period allows.
    Timed,
}

/// How a pool is scrubbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrubbing {
    /// When.
    pub mode: ScrubMode,
    /// Seconds from the start of a pass over all values to that of the next; a timed one takes as long.
    pub period_s: u32,
}

impl Pool {
    /// How it is scrubbed.
    pub(crate) fn scrubbing(self, arena: &Arena) -> Scrubbing {
        let mode = match arena.bytes(self.0 + POOL_SCRUB_MODE_AT, 1)[0] {
            1 => ScrubMode::Lazy,
            2 => ScrubMode::Timed,
            _ => ScrubMode::Off,
        };
        Scrubbing { mode, period_s: arena.u32_at(self.0 + POOL_SCRUB_PERIOD_AT) }
    }

    /// Changes that; false when it is so already.
    pub(crate) fn set_scrubbing(self, arena: &mut Arena, scrubbing: Scrubbing) -> bool {
        if self.scrubbing(arena) == scrubbing {
            return false;
        }
        let mode = match scrubbing.mode {
            ScrubMode::Off => 0,
            ScrubMode::Lazy => 1,
            ScrubMode::Timed => 2,
        };
        arena.write(self.0 + POOL_SCRUB_MODE_AT, &[mode]);
        arena.write(self.0 + POOL_SCRUB_PERIOD_AT, &scrubbing.period_s.to_le_bytes());
        true
    }
}
