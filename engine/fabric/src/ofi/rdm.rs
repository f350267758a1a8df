//! A libfabric endpoint of reliable messages (FI_EP_RDM), with its queue of completions.
//!
//! Used by the one thread that opened it. A buffer that is sent from or received into belongs to its operation, which belongs to
//! the library from posting to completion: nobody can free it meanwhile, whatever becomes of those who wait for it. What is still with
//! the library when the endpoint closes is freed after that.
#![allow(unsafe_code)] // the door to libfabric

use std::collections::{HashMap, HashSet};
use std::ffi::{c_int, c_void};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::ptr;

use super::objects::{Objects, OfiError, reason};
use super::sockaddr::to_sockaddr;
use super::sys;

/// Operations under way in each direction, at most; libfabric is asked for queues of this size.
const QUEUE: usize = 1024;
/// Completions taken at once.
const BATCH: usize = 64;
/// Peers that one endpoint remembers. One per client process and engine; a table entry stays for the life of the endpoint.
const MAX_PEERS: usize = 1 << 16;

/// Memory of one message.
pub(super) type Buffer = Box<[u8]>;

/// A peer of this endpoint, as libfabric numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(u64);

/// What became of an operation.
#[derive(Debug)]
pub(super) enum Completion {
    Received { buffer: Buffer, length: usize },
    Sent { peer: Peer, buffer: Buffer },
    SendFailed { peer: Peer, buffer: Buffer, reason: String },
    ReceiveFailed { buffer: Buffer },
}

/// What libfabric holds from posting to completion. It may use the first eight words as it likes (FI_CONTEXT2).
#[repr(C)]
struct Operation {
    context: [*mut c_void; 8],
    buffer: Buffer,
    /// Whom it is sent to; a receive has none.
    to: Option<Peer>,
}

/// An open endpoint.
pub(super) struct Rdm {
    objects: Objects,
    wait: c_int,
    address: SocketAddr,
    peers: HashMap<SocketAddr, Peer>,
    /// All operations that libfabric holds.
    posted: HashSet<*mut Operation>,
}

impl Rdm {
    /// Opens an endpoint of `provider` at `address`; port 0 is any.
    pub(super) fn open(provider: &str, address: SocketAddr) -> Result<Rdm, OfiError> {
        let objects = Objects::open(provider, address, QUEUE)?;
        let wait = objects.wait()?;
        let address = objects.name()?;
        Ok(Rdm { objects, wait, address, peers: HashMap::new(), posted: HashSet::new() })
    }

    /// Where it can be reached.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Readable when there may be completions, provided [`Rdm::may_wait`] said so just before.
    pub(super) fn wait(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to the completion queue, which is open as long as `self` is.
        unsafe { BorrowedFd::borrow_raw(self.wait) }
    }

    /// Whether waiting is right now: false when there is something to take already.
    pub(super) fn may_wait(&self) -> bool {
        let Objects { fabric, queue, .. } = self.objects;
        // SAFETY: both are open; the array has the one entry that is announced.
        unsafe {
            let mut waited: [*mut sys::Fid; 1] = [queue.cast()];
            ((*(*fabric).ops).trywait)(fabric, waited.as_mut_ptr(), 1) == 0
        }
    }

    /// The peer at an address; `None` when there are too many or libfabric cannot take it.
    pub(super) fn peer(&mut self, address: SocketAddr) -> Option<Peer> {
        if let Some(peer) = self.peers.get(&address) {
            return Some(*peer);
        }
        // Peers say themselves where they are: only what this endpoint could have been asked from goes into its vector.
        if self.peers.len() >= MAX_PEERS || address.is_ipv4() != self.address.is_ipv4() || address.port() == 0 {
            return None;
        }
        let raw = to_sockaddr(address);
        let mut number = 0;
        let vector = self.objects.vector;
        // SAFETY: the vector is open; `raw` is one address of the format that the endpoint was opened with, and there is room for
        // one number.
        let inserted = unsafe {
            ((*(*vector).ops).insert)(vector, (&raw const raw).cast(), 1, &raw mut number, 0, ptr::null_mut())
        };
        (inserted == 1).then(|| *self.peers.entry(address).or_insert(Peer(number)))
    }

    /// Gives memory to receive a message into. Gives it back when libfabric takes no more now.
    pub(super) fn receive(&mut self, buffer: Buffer) -> Result<(), Buffer> {
        let endpoint = self.objects.endpoint;
        self.post(buffer, None, |operation, start, length| {
            // SAFETY: the endpoint is open; `start` points to `length` bytes that stay where they are until the operation is
            // taken back, and nobody else touches them before.
            unsafe {
                let receive = (*(*endpoint).msg).recv;
                receive(endpoint, start.cast(), length, ptr::null_mut(), u64::MAX, operation)
            }
        })
        .map_err(|(buffer, _)| buffer)
    }

    /// Sends the first `length` bytes. Gives the memory back when libfabric takes no more now (`None`), or with the reason why it
    /// never will.
    pub(super) fn send(&mut self, peer: Peer, buffer: Buffer, length: usize) -> Result<(), (Buffer, Option<String>)> {
        let endpoint = self.objects.endpoint;
        let length = length.min(buffer.len());
        self.post(buffer, Some(peer), |operation, start, _| {
            // SAFETY: as for receiving; the library only reads.
            unsafe {
                let send = (*(*endpoint).msg).send;
                send(endpoint, start.cast_const().cast(), length, ptr::null_mut(), peer.0, operation)
            }
        })
        .map_err(|(buffer, code)| (buffer, (code != -sys::FI_EAGAIN).then(|| reason(-code as c_int))))
    }

    fn post(
        &mut self,
        buffer: Buffer,
        to: Option<Peer>,
        give: impl FnOnce(*mut c_void, *mut u8, usize) -> isize,
    ) -> Result<(), (Buffer, isize)> {
        if self.posted.len() >= 2 * QUEUE {
            return Err((buffer, -sys::FI_EAGAIN));
        }
        let mut operation = Box::new(Operation { context: [ptr::null_mut(); 8], buffer, to });
        let (start, length) = (operation.buffer.as_mut_ptr(), operation.buffer.len());
        let operation = Box::into_raw(operation);
        match give(operation.cast(), start, length) {
            0 => {
                self.posted.insert(operation);
                Ok(())
            }
            code => {
                // SAFETY: the library did not take it, so it is ours alone as before.
                let operation = unsafe { Box::from_raw(operation) };
                Err((operation.buffer, code))
            }
        }
    }

    /// Takes what has completed. Also moves libfabric's own work on, so it is called when nothing is expected too.
    pub(super) fn completions(&mut self) -> Vec<Completion> {
        let queue = self.objects.queue;
        let empty = sys::CompletionEntry { op_context: ptr::null_mut(), flags: 0, len: 0 };
        let mut entries = [empty; BATCH];
        // SAFETY: the queue is open and was asked for entries of this format; there is room for `BATCH` of them.
        let read = unsafe { ((*(*queue).ops).read)(queue, entries.as_mut_ptr().cast(), BATCH) };
        if read == -sys::FI_EAVAIL {
            return self.failure().into_iter().collect();
        }
        let count = usize::try_from(read).unwrap_or(0);
        let done = |entry: &sys::CompletionEntry| {
            let operation = self.take(entry.op_context)?;
            Some(match operation.to {
                Some(peer) => Completion::Sent { peer, buffer: operation.buffer },
                None => {
                    Completion::Received { length: entry.len.min(operation.buffer.len()), buffer: operation.buffer }
                }
            })
        };
        entries[..count].iter().filter_map(done).collect()
    }

    fn failure(&mut self) -> Option<Completion> {
        let queue = self.objects.queue;
        // SAFETY: all fields are numbers and pointers, for which zero is a value; `err_data_size` 0 says that there is no room for data.
        let mut entry: sys::CompletionError = unsafe { mem::zeroed() };
        // SAFETY: the queue is open; the entry is as large as any release of the library fills it.
        let read = unsafe { ((*(*queue).ops).readerr)(queue, &raw mut entry, 0) };
        let operation = if read == 1 { self.take(entry.op_context) } else { None }?;
        Some(match operation.to {
            Some(peer) => Completion::SendFailed { peer, buffer: operation.buffer, reason: reason(entry.err) },
            None => Completion::ReceiveFailed { buffer: operation.buffer },
        })
    }

    /// Takes an operation back from the library.
    fn take(&mut self, context: *mut c_void) -> Option<Operation> {
        let operation: *mut Operation = context.cast();
        // SAFETY: only what is in `posted` is taken, and once: it was made from a box there, and the library has let go of it by
        // completing it.
        self.posted.remove(&operation).then(|| *unsafe { Box::from_raw(operation) })
    }
}

impl Drop for Rdm {
    fn drop(&mut self) {
        if !self.objects.close() {
            return; // the library may still write into what was posted, so that is never freed
        }
        for operation in self.posted.drain() {
            // SAFETY: made from a box when it was posted. Endpoint and queue are closed, so the library holds it no more.
            drop(unsafe { Box::from_raw(operation) });
        }
    }
}
