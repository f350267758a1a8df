//! How long to go on trying, and how long to wait in between.

use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// An engine that is back is found within this.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Tries of one call.
pub(crate) struct Patience {
    /// `None`: longer than the clock can tell.
    until: Option<Instant>,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new(retry_for: Duration) -> Patience {
        Patience { until: Instant::now().checked_add(retry_for), pause: FIRST_PAUSE }
    }

    /// Waits before another try, or says that it is over.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.until.is_some_and(|until| Instant::now() + self.pause > until) {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
