//! A ring without io_uring: sockets are polled, device commands executed at once on the calling thread.
//!
//! Why it exists, and what it costs: `ring`.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EfdFlags;
use nix::sys::socket::{MsgFlags, recv, sendmsg};

use crate::device::execute;
use crate::ring::{Event, ReceiveBuffer, Waker};
use crate::{FileSlice, Io};

/// Chunks sent by one call, a quarter of the kernel's limit of 1024.
const MAX_CHUNKS: usize = 256;

enum Work {
    Receive(ReceiveBuffer),
    Send(VecDeque<bytes::Bytes>),
}

struct Pending {
    token: u64,
    socket: Arc<OwnedFd>,
    work: Work,
}

/// See [`crate::Ring`].
pub(crate) struct Polled {
    pending: Vec<Pending>,
    /// Results that nobody took yet.
    ready: VecDeque<Event>,
    waker: Waker,
}

impl Polled {
    pub(crate) fn new() -> io::Result<Polled> {
        let waker = Waker::new(EfdFlags::EFD_NONBLOCK)?;
        Ok(Polled { pending: Vec::new(), ready: VecDeque::new(), waker })
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    pub(crate) fn device(&mut self, slice: &FileSlice, io: Io) {
        self.ready.push_back(Event::Device(execute(&mut slice.clone(), io)));
    }

    pub(crate) fn receive(&mut self, token: u64, socket: &Arc<OwnedFd>, buffer: ReceiveBuffer) {
        self.pending.push(Pending { token, socket: socket.clone(), work: Work::Receive(buffer) });
    }

    pub(crate) fn send(&mut self, token: u64, socket: &Arc<OwnedFd>, chunks: VecDeque<bytes::Bytes>) {
        self.pending.push(Pending { token, socket: socket.clone(), work: Work::Send(chunks) });
    }

    pub(crate) fn wait(&mut self, limit: Duration, mut take: impl FnMut(Event)) -> io::Result<()> {
        let limit = if self.ready.is_empty() { limit } else { Duration::ZERO };
        let (woken, able) = self.poll(limit)?;
        for (pending, able) in std::mem::take(&mut self.pending).into_iter().zip(able) {
            match if able { pending.attempt() } else { Err(pending) } {
                Ok(event) => self.ready.push_back(event),
                Err(pending) => self.pending.push(pending),
            }
        }
        if woken {
            // Read once, it counts all wake-ups so far; more are for the next wait.
            match nix::unistd::read(self.waker.as_fd(), &mut [0; 8]) {
                Ok(_) => self.ready.push_back(Event::Woken),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        while let Some(event) = self.ready.pop_front() {
            take(event);
        }
        Ok(())
    }

    /// Whether somebody woke us, and which of the pending calls would not wait.
    fn poll(&self, limit: Duration) -> io::Result<(bool, Vec<bool>)> {
        let mut watched = vec![PollFd::new(self.waker.as_fd(), PollFlags::POLLIN)];
        watched.extend(self.pending.iter().map(|pending| {
            let flags = match pending.work {
                Work::Receive(_) => PollFlags::POLLIN,
                Work::Send(_) => PollFlags::POLLOUT,
            };
            PollFd::new(pending.socket.as_fd(), flags)
        }));
        // Up to the next millisecond: a limit below one is not to become a busy loop.
        let limit = limit.as_nanos().div_ceil(1_000_000);
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, limit) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok((false, vec![false; self.pending.len()])),
            Err(error) => return Err(error.into()),
        }
        let mut any = watched.iter().map(|fd| fd.any().unwrap_or(true));
        Ok((any.next().expect("the waker is watched"), any.collect()))
    }
}

impl Pending {
    /// The call, unless it would wait after all.
    fn attempt(self) -> Result<Event, Pending> {
        let Pending { token, socket, work } = self;
        let descriptor = socket.as_raw_fd();
        let outcome = |result: nix::Result<usize>| match result {
            Err(Errno::EAGAIN | Errno::EINTR) => None,
            other => Some(other.map_err(io::Error::from)),
        };
        match work {
            Work::Receive(mut buffer) => match outcome(recv(descriptor, &mut buffer, MsgFlags::MSG_DONTWAIT)) {
                Some(result) => Ok(Event::Received { token, result, buffer }),
                None => Err(Pending { token, socket, work: Work::Receive(buffer) }),
            },
            Work::Send(chunks) => {
                let slices: Vec<IoSlice<'_>> =
                    chunks.iter().take(MAX_CHUNKS).map(|chunk| IoSlice::new(chunk)).collect();
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                match outcome(sendmsg::<()>(descriptor, &slices, &[], flags, None)) {
                    Some(result) => Ok(Event::Sent { token, result, chunks }),
                    None => Err(Pending { token, socket, work: Work::Send(chunks) }),
                }
            }
        }
    }
}
