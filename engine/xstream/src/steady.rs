//! Time that goes on when the wall clock is set back.
//!
//! Epochs never go back by themselves; but what a store does after a while (seals, checkpoints, merging) would wait until the wall clock
//! has caught up with what it was. So time goes on meanwhile, at half the speed: the wall clock catches up, and this engine does not stay
//! ahead of others, which would refuse its epochs as skewed.

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
        let least = u64::try_from(time.as_nanos() * PER_NANO / 2).unwrap_or(u64::MAX);
        self.behind = self.told.0.saturating_add(least).saturating_sub(wall.0);
        self.told = self.time(wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 16_000_000_000;

    #[test]
    fn time_goes_on_when_the_wall_clock_is_set_back_until_it_has_caught_up() {
        let mut steady = Steady::default();
        let mut shows = |wall: u64| {
            steady.passed(Epoch(wall * SECOND), Duration::from_secs(2));
            let told = steady.time(Epoch(wall * SECOND)).0;
            assert_eq!(told % SECOND, 0);
            told / SECOND
        };
        assert_eq!(shows(100), 100);
        // Back by ten seconds.
        assert_eq!(shows(92), 101);
        let meanwhile: Vec<u64> = (94..=108).step_by(2).map(&mut shows).collect();
        assert_eq!(meanwhile, [102, 103, 104, 105, 106, 107, 108, 109]);
        assert_eq!([110, 112, 150].map(shows), [110, 112, 150], "caught up");
    }
}
