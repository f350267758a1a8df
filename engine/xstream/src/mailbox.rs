//! How other threads reach a target's thread.

use std::os::fd::OwnedFd;
use std::sync::mpsc;

use media::Waker;
use store::{Command, Reply, Stats};

/// What is asked of the thread.
pub(crate) enum Message {
    /// A client said hello to this target and was accepted; the rest of the connection is the thread's. `received` came
    /// with or after HELLO.
    Connection { socket: OwnedFd, received: Vec<u8> },
    /// A command for the store; `reply` is called on the target's thread and must not block.
    Command { command: Box<Command>, reply: Box<dyn FnOnce(Reply) + Send> },
    /// Counters.
    Stats { reply: Box<dyn FnOnce(TargetStats) + Send> },
    /// Close connections, checkpoint, end.
    Stop,
}

/// Counters of the store and of the thread's connections.
#[derive(Debug, Clone, Copy, Default)]
pub struct TargetStats {
    /// The store's.
    pub store: Stats,
    /// Connections handed over since the start.
    pub accepted: u64,
}

/// Something the owner of the process should log or pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// An event of the store.
    Store(store::Event),
    /// The thread cannot go on; the target is out of service.
    Failed(String),
}

/// The thread has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the target's thread has ended")]
pub struct Stopped;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Mailbox {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) waker: Waker,
}

impl Mailbox {
    /// Hands over a connection whose HELLO was accepted and answered. `received` is what was read beyond HELLO.
    pub fn connection(&self, socket: OwnedFd, received: Vec<u8>) -> Result<(), Stopped> {
        self.post(Message::Connection { socket, received })
    }

    /// Gives a command to the store. `reply` is called on the target's thread; if the thread ends first, it is dropped.
    pub fn command(&self, command: Command, reply: impl FnOnce(Reply) + Send + 'static) -> Result<(), Stopped> {
        self.post(Message::Command { command: Box::new(command), reply: Box::new(reply) })
    }

    /// Asks for counters.
    pub fn stats(&self, reply: impl FnOnce(TargetStats) + Send + 'static) -> Result<(), Stopped> {
        self.post(Message::Stats { reply: Box::new(reply) })
    }

    /// Ends the thread after what was accepted is answered and checkpointed.
    pub fn stop(&self) -> Result<(), Stopped> {
        self.post(Message::Stop)
    }

    fn post(&self, message: Message) -> Result<(), Stopped> {
        self.messages.send(message).map_err(|_| Stopped)?;
        self.waker.wake();
        Ok(())
    }
}
