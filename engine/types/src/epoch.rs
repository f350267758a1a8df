//! Epochs: the hybrid logical clock that orders every update of a system.
//!
//! An epoch is 64 bits: physical time since 2021-01-01 UTC in units of 1/16 ns, of which the low 18 bits (16.384 us)
//! are the logical counter. Reading the wall clock is the caller's business (`Clock::tick(now)`), so that a simulator
//! can own time. Epochs handed out by one clock are strictly increasing, also when the wall clock steps back.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds from 1970-01-01 to 2021-01-01, the origin of physical time in an epoch.
const ORIGIN_UNIX_SECONDS: u64 = 1_609_459_200;
/// Width of the logical counter.
const LOGICAL_BITS: u32 = 18;
const LOGICAL_MASK: u64 = (1 << LOGICAL_BITS) - 1;

/// A point in the history of a system. Zero is before everything, [`Epoch::MAX`] reads the newest state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Before the first update.
    pub const ZERO: Epoch = Epoch(0);
    /// After every update: "newest" in a read.
    pub const MAX: Epoch = Epoch(u64::MAX);

    /// The physical part of `time`, with a logical counter of zero. Times before 2021 give [`Epoch::ZERO`].
    pub fn from_system_time(time: SystemTime) -> Epoch {
        let since_unix = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let since_origin = since_unix.saturating_sub(Duration::from_secs(ORIGIN_UNIX_SECONDS));
        let units = since_origin.as_nanos().saturating_mul(16);
        Epoch(u64::try_from(units).unwrap_or(u64::MAX) & !LOGICAL_MASK)
    }

    /// The wall-clock time of the physical part, rounded down to the nanosecond.
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(ORIGIN_UNIX_SECONDS) + Duration::from_nanos((self.0 & !LOGICAL_MASK) / 16)
    }

    /// The epoch `duration` earlier, or [`Epoch::ZERO`].
    pub fn saturating_sub(self, duration: Duration) -> Epoch {
        let units = u64::try_from(duration.as_nanos().saturating_mul(16)).unwrap_or(u64::MAX);
        Epoch(self.0.saturating_sub(units))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({:#x})", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A hybrid logical clock: remembers the last epoch given or seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    last: Epoch,
}

impl Clock {
    /// A clock that continues after `last`, the largest epoch found on disk.
    pub fn after(last: Epoch) -> Clock {
        Clock { last }
    }

    /// The next epoch at physical time `now`: larger than every epoch this clock has given or seen.
    pub fn tick(&mut self, now: Epoch) -> Epoch {
        self.last = if now > self.last { now } else { Epoch(self.last.0 + 1) };
        self.last
    }

    /// Learns an epoch made elsewhere: later ticks are larger than it.
    pub fn observe(&mut self, seen: Epoch) {
        self.last = self.last.max(seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn physical_time_survives_the_round_trip_within_one_logical_tick() {
        let time = UNIX_EPOCH + Duration::from_nanos(1_764_000_000_123_456_789);
        let back = Epoch::from_system_time(time).to_system_time();
        let lost = time.duration_since(back).expect("rounding is down");
        assert!(lost < Duration::from_nanos(16_384), "{lost:?}");
    }

    #[test]
    fn a_time_before_the_origin_is_epoch_zero() {
        assert_eq!(Epoch::from_system_time(UNIX_EPOCH), Epoch::ZERO);
    }

    proptest! {
        #[test]
        fn ticks_increase_whatever_the_wall_clock_does(times in prop::collection::vec(0u64..1 << 60, 1..100)) {
            let mut clock = Clock::default();
            let mut last = Epoch::ZERO;
            for time in times {
                let next = clock.tick(Epoch(time & !LOGICAL_MASK));
                prop_assert!(next > last);
                last = next;
            }
        }
    }
}
