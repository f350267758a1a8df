//! Time that goes on when the wall clock is set back.
//!
//! Epochs never go back by themselves; but what a store does after a while (seals, checkpoints, merging) would wait until the wall clock
//! has caught up with what it was.

use std::time::Duration;

use types::Epoch;

/// Units of an epoch in a nanosecond.
const PER_NANO: u128 = 16;

/// What to add to the wall clock.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    /// The last time told.
    told: Epoch,
    /// The wall clock is behind by this.
    behind: u64,
}

impl Steady {
    /// The time when the wall clock shows `wall`.
    pub(crate) fn time(&self, wall: Epoch) -> Epoch {
        Epoch(wall.0.saturating_add(self.behind))
    }

    /// The wall clock shows `wall`, and so much time passed since this was told last.
    pub(crate) fn passed(&mut self, wall: Epoch, time: Duration) {
        let units = u64::try_from(time.as_nanos() * PER_NANO).unwrap_or(u64::MAX);
        self.behind = self.told.0.saturating_add(units).saturating_sub(wall.0);
        self.told = self.time(wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 16_000_000_000;

    #[test]
    fn time_goes_on_when_the_wall_clock_is_set_back_and_follows_it_forward() {
        let mut steady = Steady::default();
        let second = Duration::from_secs(1);
        steady.passed(Epoch(100 * SECOND), second);
        assert_eq!(steady.time(Epoch(100 * SECOND)), Epoch(100 * SECOND));
        steady.passed(Epoch(40 * SECOND), second);
        assert_eq!(steady.time(Epoch(40 * SECOND)), Epoch(101 * SECOND));
        steady.passed(Epoch(41 * SECOND), second);
        assert_eq!(steady.time(Epoch(41 * SECOND)), Epoch(102 * SECOND));
        steady.passed(Epoch(110 * SECOND), second);
        assert_eq!(steady.time(Epoch(110 * SECOND)), Epoch(110 * SECOND), "set right again");
    }
}
