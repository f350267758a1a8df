//! A ring over io_uring, made safe by owning every buffer while it is in flight.
//!
//! Whoever submits hands over buffers, descriptors and slices; they come back with the completion. So nothing the kernel
//! may still touch can be freed or changed, and no caller needs `unsafe`. If the ring is dropped with work under way, it
//! cancels, waits a bounded time, and rather leaks what is left than frees it.
#![allow(unsafe_code)] // submission entries carry raw pointers

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::{IoUring, opcode, squeue, types};

use crate::device::execute;
use crate::ring::{Event, ReceiveBuffer, Waker};
use crate::{Buffer, Done, FileSlice, Io, IoKind};

/// Submissions that fit the queue at once; more are held back and follow.
const ENTRIES: u32 = 256;
/// Chunks sent by one call, a quarter of the kernel's limit of 1024.
const MAX_CHUNKS: usize = 256;
/// Cancellations made while dropping.
const CANCEL: u64 = u64::MAX;
/// How often a drop waits for stragglers, 10 ms each.
const DROP_WAITS: usize = 100;

enum Slot {
    Read { id: u64, buffer: Buffer, _slice: FileSlice },
    Write { id: u64, buffer: Buffer, _slice: FileSlice },
    Flush { id: u64, slice: FileSlice },
    Receive { token: u64, buffer: ReceiveBuffer, _socket: Arc<OwnedFd> },
    Send { token: u64, chunks: VecDeque<bytes::Bytes>, message: Box<Message>, _socket: Arc<OwnedFd> },
    Wake { counter: Box<[u8; 8]> },
}

/// Memory the kernel reads while a send is in flight.
struct Message {
    header: libc::msghdr,
    slices: Vec<libc::iovec>,
}

/// See [`crate::Ring`].
pub(crate) struct Uring {
    ring: IoUring,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// Entries that did not fit the queue yet.
    backlog: VecDeque<squeue::Entry>,
    /// Results that need no kernel.
    ready: VecDeque<Event>,
    waker: Waker,
    in_flight: usize,
}

impl Uring {
    /// A ring for the calling thread, which alone may use it.
    pub(crate) fn new() -> io::Result<Uring> {
        let fast =
            IoUring::builder().setup_single_issuer().setup_defer_taskrun().setup_cqsize(4 * ENTRIES).build(ENTRIES);
        // Kernels before 6.1 know neither flag.
        let ring = match fast {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                IoUring::builder().setup_cqsize(4 * ENTRIES).build(ENTRIES)?
            }
            other => other?,
        };
        let waker = Waker::new(nix::sys::eventfd::EfdFlags::empty())?;
        let mut ring = Uring {
            ring,
            slots: Vec::new(),
            free: Vec::new(),
            backlog: VecDeque::new(),
            ready: VecDeque::new(),
            waker,
            in_flight: 0,
        };
        ring.arm_waker();
        Ok(ring)
    }

    /// For other threads.
    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Gives a device command to `slice`.
    pub(crate) fn device(&mut self, slice: &FileSlice, io: Io) {
        if slice.device().is_mapped() {
            return self.ready.push_back(Event::Device(execute(&mut slice.clone(), io)));
        }
        let Io { id, kind, .. } = io;
        let descriptor = types::Fd(slice.device().descriptor());
        let located = match &kind {
            IoKind::Read { offset, buffer } | IoKind::Write { offset, buffer } => slice.locate(*offset, buffer.len()),
            IoKind::Flush => Ok(0),
        };
        let at = match located {
            Ok(at) => at,
            Err(error) => return self.ready.push_back(Event::Device(Done { id, result: Err(error) })),
        };
        let slice = slice.clone();
        let (entry, slot) = match kind {
            IoKind::Read { mut buffer, .. } => {
                let length = buffer.len() as u32;
                (
                    opcode::Read::new(descriptor, buffer.as_mut_ptr(), length).offset(at).build(),
                    Slot::Read { id, buffer, _slice: slice },
                )
            }
            IoKind::Write { buffer, .. } => {
                let length = buffer.len() as u32;
                (
                    opcode::Write::new(descriptor, buffer.as_ptr(), length).offset(at).build(),
                    Slot::Write { id, buffer, _slice: slice },
                )
            }
            IoKind::Flush => {
                let entry = opcode::Fsync::new(descriptor).flags(types::FsyncFlags::DATASYNC).build();
                (entry, Slot::Flush { id, slice })
            }
        };
        self.submit(entry, slot);
        // One by one: the device is at the first while the next ones are made. Those that are given together are held back by the kernel until all
        // are there, and then neither the device nor the processor has work while the other has.
        self.submit_backlog();
    }

    /// Receives up to the length of `buffer`.
    pub(crate) fn receive(&mut self, token: u64, socket: &Arc<OwnedFd>, mut buffer: ReceiveBuffer) {
        let entry = opcode::Recv::new(types::Fd(socket.as_raw_fd()), buffer.as_mut_ptr(), buffer.len() as u32).build();
        self.submit(entry, Slot::Receive { token, buffer, _socket: socket.clone() });
    }

    /// Sends the chunks in order, or a first part of them.
    pub(crate) fn send(&mut self, token: u64, socket: &Arc<OwnedFd>, chunks: VecDeque<bytes::Bytes>) {
        let slices: Vec<libc::iovec> = chunks
            .iter()
            .take(MAX_CHUNKS)
            .map(|chunk| libc::iovec { iov_base: chunk.as_ptr().cast_mut().cast(), iov_len: chunk.len() })
            .collect();
        // SAFETY: `msghdr` is plain old data for which all zeros is a valid, empty message.
        let header: libc::msghdr = unsafe { std::mem::zeroed() };
        let mut message = Box::new(Message { header, slices });
        message.header.msg_iov = message.slices.as_mut_ptr();
        message.header.msg_iovlen = message.slices.len() as _;
        let entry = opcode::SendMsg::new(types::Fd(socket.as_raw_fd()), &raw const message.header)
            .flags(libc::MSG_NOSIGNAL as u32)
            .build();
        self.submit(entry, Slot::Send { token, chunks, message, _socket: socket.clone() });
    }

    /// Submits what was given and waits until something happened or `limit` passed; then hands all there is to `take`.
    /// With a `limit` of zero it does not wait.
    pub(crate) fn wait(&mut self, limit: Duration, mut take: impl FnMut(Event)) -> io::Result<()> {
        self.push_backlog();
        // One completion is always asked for, if need be with no time to wait: without that, kernels with deferred task
        // running would not look for any.
        let limit = if self.ready.is_empty() { limit } else { Duration::ZERO };
        let time = types::Timespec::from(limit);
        let arguments = types::SubmitArgs::new().timespec(&time);
        match self.ring.submitter().submit_with_args(1, &arguments) {
            Ok(_) => {}
            // Time is up, a signal came, or completions must be taken before more fits.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)) => {}
            Err(error) => return Err(error),
        }
        while let Some(event) = self.ready.pop_front() {
            take(event);
        }
        let mut woken = false;
        loop {
            let Some(entry) = self.ring.completion().next() else { break };
            let (tag, result) = (entry.user_data(), entry.result());
            if tag == CANCEL {
                continue;
            }
            match self.finish(tag, result) {
                Some(event) => take(event),
                None => woken = true,
            }
        }
        if woken {
            take(Event::Woken);
            self.arm_waker();
        }
        Ok(())
    }

    /// Takes the slot of a completion. `None` for a wake-up.
    fn finish(&mut self, tag: u64, result: i32) -> Option<Event> {
        let index = tag as usize;
        let slot = self.slots[index].take().expect("the kernel completes each entry once");
        self.in_flight -= 1;
        self.free.push(index);
        let outcome = if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result as usize) };
        let whole = |length: usize, kind: io::ErrorKind| match &outcome {
            Ok(done) if *done == length => Ok(()),
            Ok(done) => Err(io::Error::new(kind, format!("{done} of {length} bytes"))),
            Err(error) => Err(io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO))),
        };
        Some(match slot {
            Slot::Read { id, buffer, .. } => {
                let result = whole(buffer.len(), io::ErrorKind::UnexpectedEof).map(|()| Some(buffer));
                Event::Device(Done { id, result })
            }
            Slot::Write { id, buffer, .. } => {
                let result = whole(buffer.len(), io::ErrorKind::WriteZero).map(|()| Some(buffer));
                Event::Device(Done { id, result })
            }
            Slot::Flush { id, slice } => {
                Event::Device(Done { id, result: slice.device().flushed(outcome).map(|_| None) })
            }
            Slot::Receive { token, buffer, .. } => Event::Received { token, result: outcome, buffer },
            Slot::Send { token, chunks, message, .. } => {
                drop(message);
                Event::Sent { token, result: outcome, chunks }
            }
            Slot::Wake { counter } => {
                drop(counter);
                return None;
            }
        })
    }

    fn arm_waker(&mut self) {
        let mut counter = Box::new([0; 8]);
        let entry = opcode::Read::new(types::Fd(self.waker.as_fd().as_raw_fd()), counter.as_mut_ptr(), 8).build();
        self.submit(entry, Slot::Wake { counter });
    }

    fn submit(&mut self, entry: squeue::Entry, slot: Slot) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[index] = Some(slot);
        self.in_flight += 1;
        self.backlog.push_back(entry.user_data(index as u64));
    }

    /// Gives what is held back to the kernel, as far as it takes it now; the rest follows at the next wait.
    fn submit_backlog(&mut self) {
        if !self.backlog.is_empty() {
            self.push_backlog();
            let _ = self.ring.submit();
        }
    }

    fn push_backlog(&mut self) {
        while let Some(entry) = self.backlog.pop_front() {
            // SAFETY: the memory and descriptors of the entry are owned by its slot, which stays until its completion. The
            // heap memory a slot owns does not move when the slot does.
            if unsafe { self.ring.submission().push(&entry) }.is_err() {
                self.backlog.push_front(entry);
                if self.ring.submit().is_err() {
                    // Completions must be taken first; the rest follows at the next wait.
                    break;
                }
            }
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // What never reached the kernel owns nothing it could touch.
        for entry in std::mem::take(&mut self.backlog) {
            let index = entry.get_user_data() as usize;
            if self.slots.get_mut(index).and_then(Option::take).is_some() {
                self.in_flight -= 1;
            }
        }
        let cancel = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build().user_data(CANCEL);
        // SAFETY: a cancellation refers to no memory.
        let _ = unsafe { self.ring.submission().push(&cancel) };
        for _ in 0..DROP_WAITS {
            if self.in_flight == 0 {
                return;
            }
            let time = types::Timespec::from(Duration::from_millis(10));
            let _ = self.ring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&time));
            let tags: Vec<(u64, i32)> =
                self.ring.completion().map(|entry| (entry.user_data(), entry.result())).collect();
            for (tag, result) in tags {
                if tag != CANCEL {
                    self.finish(tag, result);
                }
            }
        }
        std::mem::forget(std::mem::take(&mut self.slots)); // the kernel may still write to them
    }
}
