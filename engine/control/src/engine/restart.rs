//! When a dead engine is started again. Pure: time is an argument.
//!
//! The first unexpected exit restarts at once: most are a killed process. Further ones within the window wait longer
//! each time, so that an engine that cannot run does not keep a core busy and its log unreadable; after
//! [`MAX_RESTARTS`] within the window the instance stays down until an administrator starts it.

use std::collections::VecDeque;
use std::time::Duration;

/// Restarts within [`WINDOW`] before giving up. Six with the delays below take about half a minute: longer than a port
/// in TIME_WAIT or a full disk being cleaned, shorter than an administrator's patience.
pub const MAX_RESTARTS: usize = 6;

/// Restarts older than this are forgotten.
pub const WINDOW: Duration = Duration::from_secs(600);

/// Delay of the second restart within the window; doubles with each further one.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Longest delay.
pub const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Exit codes with which an engine says that it did not understand its arguments or could not start. Others (a target
/// that failed, a signal) are worth a restart whatever was said.
const START_FAILED: [i32; 2] = [1, 2];

/// Words of the engine's refusals that hold as long as nobody touches its devices or settings: `store::OpenError`, the
/// comparison of arguments and format in `node::start`, and `node::interface`. A port in use is not among them.
const FINAL_WORDS: [&str; 9] = [
    "cannot be trusted",
    "no valid superblock",
    "attach the devices this engine was formatted with",
    "but was formatted with",
    "the arena is inconsistent",
    "the storage was formatted ",
    "there is no interface `",
    "unexpected argument '",
    "this program knows version ",
];

/// True for an exit that the next start would only repeat.
pub fn is_final(code: Option<i32>, reason: &str) -> bool {
    code.is_some_and(|code| START_FAILED.contains(&code)) && FINAL_WORDS.iter().any(|words| reason.contains(words))
}

/// What to do after an unexpected exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start again after this delay.
    RestartAfter(Duration),
    /// Leave it down.
    GiveUp,
    /// Restarts are switched off (`disable_engine_auto_restart`).
    Disabled,
}

/// Remembers the restarts of one engine.
#[derive(Debug, Clone)]
pub struct RestartPolicy {
    enabled: bool,
    min_delay: Duration,
    restarts: VecDeque<Duration>,
}

impl RestartPolicy {
    /// `min_delay` is the least time between two restarts (`engine_auto_restart_min_delay`).
    pub fn new(enabled: bool, min_delay: Duration) -> RestartPolicy {
        RestartPolicy { enabled, min_delay, restarts: VecDeque::new() }
    }

    /// The engine ended unasked at `now` (time since any fixed point).
    pub fn died(&mut self, now: Duration) -> Decision {
        if !self.enabled {
            return Decision::Disabled;
        }
        while self.restarts.front().is_some_and(|restart| now.saturating_sub(*restart) > WINDOW) {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= MAX_RESTARTS {
            return Decision::GiveUp;
        }
        let delay = match self.restarts.back() {
            None => Duration::ZERO,
            Some(last) => {
                let doublings = u32::try_from(self.restarts.len() - 1).unwrap_or(u32::MAX).min(16);
                let backoff = FIRST_BACKOFF.saturating_mul(1 << doublings).min(MAX_BACKOFF);
                backoff.max((*last + self.min_delay).saturating_sub(now))
            }
        };
        self.restarts.push_back(now + delay);
        Decision::RestartAfter(delay)
    }

    /// An administrator started it: the past is forgiven.
    pub fn reset(&mut self) {
        self.restarts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Lets the engine die right after every start and returns the delays.
    fn crash_loop(policy: &mut RestartPolicy, mut now: Duration) -> Vec<Duration> {
        let mut delays = Vec::new();
        while let Decision::RestartAfter(delay) = policy.died(now) {
            delays.push(delay);
            now += delay;
            assert!(delays.len() <= MAX_RESTARTS, "a crash loop must end");
        }
        delays
    }

    #[test]
    fn a_crash_loop_backs_off_and_ends() {
        let mut policy = RestartPolicy::new(true, Duration::ZERO);
        assert_eq!(crash_loop(&mut policy, seconds(5)), [0, 1, 2, 4, 8, 16].map(seconds));
        assert_eq!(policy.died(seconds(40)), Decision::GiveUp);
    }

    #[test]
    fn an_engine_that_ran_for_long_restarts_at_once() {
        let mut policy = RestartPolicy::new(true, Duration::ZERO);
        for day in 0..20u64 {
            assert_eq!(policy.died(seconds(day * 86_400)), Decision::RestartAfter(Duration::ZERO));
        }
    }

    #[test]
    fn an_administrator_s_start_forgives() {
        let mut policy = RestartPolicy::new(true, Duration::ZERO);
        crash_loop(&mut policy, seconds(0));
        policy.reset();
        assert_eq!(policy.died(seconds(41)), Decision::RestartAfter(Duration::ZERO));
    }

    #[test]
    fn the_configured_delay_separates_restarts() {
        let mut policy = RestartPolicy::new(true, seconds(30));
        assert_eq!(policy.died(seconds(0)), Decision::RestartAfter(seconds(0)));
        assert_eq!(policy.died(seconds(10)), Decision::RestartAfter(seconds(20)));
        assert_eq!(policy.died(seconds(70)), Decision::RestartAfter(seconds(2)));
    }

    #[test]
    fn only_what_a_restart_repeats_is_final() {
        let damaged = "exit code 1: target 0: the wal slice is damaged at byte 4096: x | hint: this target's data cannot \
                       be trusted; replace the device and format it anew";
        assert!(is_final(Some(1), damaged));
        assert!(is_final(Some(1), "exit code 1: target 0: the superblock has version 1, this program knows version 2"));
        assert!(is_final(Some(1), "exit code 1: the storage was formatted for 2 target(s), not 4"));
        assert!(is_final(Some(1), "exit code 1: there is no interface `enp0s8`, only lo"));
        assert!(!is_final(Some(3), damaged), "a target that failed while it served: the next start looks again");
        assert!(!is_final(None, damaged));
        assert!(!is_final(Some(1), "exit code 1: cannot listen on 127.0.0.1:31416; another engine uses it"));
    }

    #[test]
    fn disabled_means_never() {
        assert_eq!(RestartPolicy::new(false, Duration::ZERO).died(seconds(0)), Decision::Disabled);
    }
}
