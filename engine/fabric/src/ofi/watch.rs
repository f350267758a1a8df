//! What the thread of an endpoint sleeps on.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Events taken at once.
const BATCH: usize = 64;

/// Tokens of what is always watched. Streams have their own numbers, which are larger.
pub(super) const WAKER: u64 = 0;
pub(super) const QUEUE: u64 = 1;

/// Something happened to a descriptor.
pub(super) struct Ready {
    pub(super) token: u64,
    pub(super) readable: bool,
    /// Closed in both directions by the other side.
    pub(super) closed: bool,
}

/// An epoll, and what each stream's socket is watched for.
pub(super) struct Watch {
    epoll: Epoll,
    streams: HashMap<u64, EpollFlags>,
}

impl Watch {
    /// With the two that are always watched for being readable.
    pub(super) fn new(waker: BorrowedFd<'_>, queue: BorrowedFd<'_>) -> io::Result<Watch> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(waker, EpollEvent::new(EpollFlags::EPOLLIN, WAKER))?;
        epoll.add(queue, EpollEvent::new(EpollFlags::EPOLLIN, QUEUE))?;
        Ok(Watch { epoll, streams: HashMap::new() })
    }

    /// Watches a stream's socket for bytes to read, for room to write, and for its closing; or not at all.
    pub(super) fn set(&mut self, number: u64, socket: &UnixStream, wish: Option<(bool, bool)>) -> io::Result<()> {
        let flags = wish.map(|(input, output)| {
            let mut flags = EpollFlags::empty();
            flags.set(EpollFlags::EPOLLIN, input);
            flags.set(EpollFlags::EPOLLOUT, output);
            flags
        });
        match (self.streams.get(&number).copied(), flags) {
            (before, now) if before == now => return Ok(()),
            (None, Some(flags)) => self.epoll.add(socket.as_fd(), EpollEvent::new(flags, number))?,
            (Some(_), Some(flags)) => self.epoll.modify(socket.as_fd(), &mut EpollEvent::new(flags, number))?,
            (_, None) => self.epoll.delete(socket.as_fd())?,
        }
        match flags {
            Some(flags) => drop(self.streams.insert(number, flags)),
            None => drop(self.streams.remove(&number)),
        }
        Ok(())
    }

    /// Sleeps until something happens, `limit` at most.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<Vec<Ready>> {
        let mut events = [EpollEvent::empty(); BATCH];
        let timeout = EpollTimeout::try_from(limit).unwrap_or(EpollTimeout::ZERO);
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let ready = |event: &EpollEvent| Ready {
            token: event.data(),
            readable: event.events().intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP),
            closed: event.events().contains(EpollFlags::EPOLLHUP),
        };
        Ok(events[..count].iter().map(ready).collect())
    }
}
