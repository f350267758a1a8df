//! The way to an endpoint's thread: opening streams and accepting them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::objects::OfiError;
use super::progress::{Command, Progress};
use super::rdm::Rdm;
use crate::provider::{Listener, Socket};

/// Streams that wait to be accepted; further ones are refused, as a full backlog is by TCP.
const BACKLOG: usize = 256;

/// An endpoint of a provider. When it is dropped its streams end and its thread is waited for.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    commands: Sender<Command>,
    waker: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Opens an endpoint of libfabric's `provider` at `address`; port 0 is any.
    pub fn open(provider: &str, address: SocketAddr) -> Result<Endpoint, OfiError> {
        let failed = |what: &'static str, error: &dyn std::fmt::Display| OfiError::Call {
            what,
            provider: provider.to_owned(),
            address,
            reason: error.to_string(),
        };
        let waker = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|error| failed("be woken", &error))?;
        let waker = Arc::new(waker);
        let (commands, inbox) = channel();
        let (opened, outcome) = channel();
        let (name, thread_waker) = (provider.to_owned(), waker.clone());
        // The thread opens it: libfabric's objects are used where they were made.
        let work = move || match Rdm::open(&name, address) {
            Err(error) => drop(opened.send(Err(error))), // whoever asked waits below
            Ok(rdm) => {
                let address = rdm.address();
                match Progress::new(rdm, inbox, thread_waker) {
                    Ok(progress) => {
                        drop(opened.send(Ok(address)));
                        progress.run();
                    }
                    Err(error) => drop(opened.send(Err(OfiError::Call {
                        what: "wait for events",
                        provider: name,
                        address,
                        reason: error.to_string(),
                    }))),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("daos_fabric".to_owned())
            .spawn(work)
            .map_err(|error| failed("start a thread", &error))?;
        match outcome.recv() {
            Ok(Ok(address)) => Ok(Endpoint { address, commands, waker, thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(OfiError::Ended(address)),
        }
    }

    /// Where peers reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether its thread has ended, so that it serves nobody any more.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Opens a stream. Giving up the future gives up the stream.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<UnixStream> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let (opening, opened) = oneshot::channel();
        self.send(Command::Open { to, local: ours, opening })?;
        opened.await.unwrap_or_else(|_| Err(self.ended()))?;
        UnixStream::from_std(theirs)
    }

    /// From now on, streams that peers ask for come here.
    pub fn listen(&self) -> io::Result<OfiListener> {
        let (sender, streams) = mpsc::channel(BACKLOG);
        self.send(Command::Listen(sender))?;
        Ok(OfiListener(streams))
    }

    fn send(&self, command: Command) -> io::Result<()> {
        self.commands.send(command).map_err(|_| self.ended())?;
        self.waker.write(1).map(drop).map_err(io::Error::from)
    }

    fn ended(&self) -> io::Error {
        io::Error::new(io::ErrorKind::NotConnected, OfiError::Ended(self.address))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.send(Command::Stop); // a thread that has ended needs no asking
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic was printed by the thread
        }
    }
}

impl Socket for UnixStream {
    /// The endpoint asks silent peers itself.
    fn keep_alive(&self) -> io::Result<()> {
        Ok(())
    }

    fn into_blocking(self) -> io::Result<OwnedFd> {
        let socket = self.into_std()?;
        socket.set_nonblocking(false)?;
        Ok(socket.into())
    }
}

/// Streams that peers asked an endpoint for.
#[derive(Debug)]
pub struct OfiListener(mpsc::Receiver<(std::os::unix::net::UnixStream, SocketAddr)>);

impl Listener for OfiListener {
    type Socket = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, SocketAddr)> {
        let ended = || io::Error::new(io::ErrorKind::NotConnected, "the endpoint has ended");
        let (socket, from) = self.0.recv().await.ok_or_else(ended)?;
        socket.set_nonblocking(true)?;
        Ok((UnixStream::from_std(socket)?, from))
    }
}
