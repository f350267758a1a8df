//! The pool service's view of this engine's targets: their mailboxes.

use std::sync::Arc;

use store::{Command, Reply};
use tokio::sync::oneshot;
use types::Status;
use xstream::{Mailbox, TargetStats};

use crate::service::Targets;

/// All targets of the engine.
#[derive(Clone)]
pub(crate) struct Mailboxes(pub(crate) Arc<[Mailbox]>);

impl Mailboxes {
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

    async fn call(&self, target: u32, command: Command) -> Result<Reply, Status> {
        let (send, receive) = oneshot::channel();
        let mailbox = self.0.get(target as usize).ok_or(Status::BadTarget)?;
        // Nobody waits any more when sending fails: then the caller was dropped.
        mailbox.command(command, move |reply| drop(send.send(reply))).map_err(|_| Status::Unreachable)?;
        receive.await.map_err(|_| Status::Unreachable)
    }
}
