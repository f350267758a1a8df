//! The pool service's view of this engine's targets: their mailboxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{Command, Event, Reply};
use tokio::sync::oneshot;
use types::Status;
use xstream::{Mailbox, Report, TargetStats};

use crate::service::Targets;

/// All targets of the engine.
#[derive(Clone)]
pub(crate) struct Mailboxes(pub(crate) Arc<[Mailbox]>, Dead, MemoryShare);

/// How much of an arena may be in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryShare {
    pub(crate) memory_bytes: u64,
    pub(crate) arena_bytes: u64,
}

impl MemoryShare {
    fn of(self, bytes: u64) -> u64 {
        let share = u128::from(bytes) * u128::from(self.memory_bytes) / u128::from(self.arena_bytes.max(1));
        u64::try_from(share).unwrap_or(u64::MAX).min(bytes)
    }
}

/// Which targets have said that they take no more changes.
#[derive(Debug, Clone)]
struct Dead(Arc<[AtomicBool]>);

impl Dead {
    fn none_of(targets: usize) -> Dead {
        Dead((0..targets).map(|_| AtomicBool::new(false)).collect())
    }

    fn heard(&self, target: u32, report: &Report) {
        if let (Report::Store(Event::Died { .. }), Some(dead)) = (report, self.0.get(target as usize)) {
            dead.store(true, Ordering::Relaxed);
        }
    }

    fn has(&self, target: u32) -> bool {
        self.0.get(target as usize).is_some_and(|dead| dead.load(Ordering::Relaxed))
    }
}

impl Mailboxes {
    /// Of targets that all work.
    pub(crate) fn new(mailboxes: Arc<[Mailbox]>, share: MemoryShare) -> Mailboxes {
        let dead = Dead::none_of(mailboxes.len());
        Mailboxes(mailboxes, dead, share)
    }

    /// Takes note of what a target reports.
    pub(crate) fn heard(&self, target: u32, report: &Report) {
        self.1.heard(target, report);
    }

    /// Counters of one target; `None` when its thread has ended.
    pub(crate) async fn stats(&self, target: usize) -> Option<TargetStats> {
        let (send, receive) = oneshot::channel();
        let mailbox = self.0.get(target)?;
        mailbox.stats(move |stats| _ = send.send(stats)).ok()?;
        receive.await.ok()
    }
}

impl Targets for Mailboxes {
    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).expect("at most 65536 targets")
    }

    fn is_dead(&self, target: u32) -> bool {
        self.1.has(target)
    }

    fn memory_bytes(&self, scm_bytes: u64) -> u64 {
        self.2.of(scm_bytes)
    }

    async fn call(&self, target: u32, command: Command) -> Result<Reply, Status> {
        let (send, receive) = oneshot::channel();
        let mailbox = self.0.get(target as usize).ok_or(Status::BadTarget)?;
        // Nobody waits any more when sending fails: then the caller was dropped.
        mailbox.command(command, move |reply| drop(send.send(reply))).map_err(|_| Status::Unreachable)?;
        receive.await.map_err(|_| Status::Unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_in_memory_is_a_quarter_of_each_pool() {
        let share = MemoryShare { memory_bytes: 1 << 30, arena_bytes: 4 << 30 };
        assert_eq!((share.of(400), share.of(u64::MAX)), (100, u64::MAX / 4));
        assert_eq!(MemoryShare { memory_bytes: 8, arena_bytes: 8 }.of(400), 400);
        assert_eq!(MemoryShare { memory_bytes: 8, arena_bytes: 0 }.of(400), 400);
    }

    #[test]
    fn a_target_that_died_is_dead_and_no_other() {
        let dead = Dead::none_of(2);
        dead.heard(1, &Report::Store(Event::ReadFailed { offset: 0, reason: String::new() }));
        assert!(!dead.has(1));
        for target in [1, 7] {
            dead.heard(target, &Report::Store(Event::Died { reason: String::from("a flush failed") }));
        }
        assert_eq!([0, 1, 7].map(|target| dead.has(target)), [false, true, false]);
    }
}
