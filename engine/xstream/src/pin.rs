//! Pinning the calling thread to one core.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Pins to `core`. False when this process may not use that core or the machine does not have it: then the thread stays
/// where the system puts it.
pub(crate) fn pin(core: usize) -> bool {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).is_ok_and(|set| set.is_set(core).unwrap_or(false));
    if !allowed {
        return false;
    }
    let mut one = CpuSet::new();
    one.set(core).is_ok() && sched_setaffinity(this, &one).is_ok()
}
