//! The ring of one thread: device commands and sockets go in, what happened comes out.
//!
//! Whoever submits hands over buffers, descriptors and slices; they come back with the completion.
//!
//! Two ways of working, chosen when a ring is made: io_uring; or, where the kernel has none or forbids it, polled sockets and device commands
//! that are executed as they are given. EL8's kernel has none, EL9's forbids it until an administrator allows it, and
//! qemu-user does not emulate it. The second way promises the same and is slower: a thread that waits for its device serves nobody meanwhile.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::polled::Polled;
use crate::uring::Uring;
use crate::{Done, FileSlice, Io};

/// Memory to receive into.
pub(crate) type ReceiveBuffer = Vec<u8>;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A device command is done.
    Device(Done),
    /// Bytes came; 0 is the end of the stream.
    Received {
        /// As given with the request.
        token: u64,
        /// How many, at the front of `buffer`.
        result: io::Result<usize>,
        /// The memory given.
        buffer: ReceiveBuffer,
    },
    /// Bytes were sent.
    Sent {
        /// As given with the request.
        token: u64,
        /// How many; they may be fewer than given.
        result: io::Result<usize>,
        /// The chunks given, unchanged.
        chunks: VecDeque<bytes::Bytes>,
    },
    /// A [`Waker`] was used.
    Woken,
}

/// Wakes the thread that waits on a ring. Can be used from any thread, also after the ring is gone.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(crate) fn new(flags: EfdFlags) -> io::Result<Waker> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | flags)?;
        Ok(Waker(Arc::new(OwnedFd::from(event))))
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Makes the ring's next or current wait return.
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // A full counter (2^64 - 2 unread wake-ups) is the only failure, and then it is awake anyway.
        let _ = nix::unistd::write(&*self.0, &one);
    }
}

/// One thread's ring.
pub struct Ring(Way);

enum Way {
    Kernel(Box<Uring>),
    Polled(Polled),
}

impl Ring {
    /// A ring for the calling thread, which alone may use it.
    pub fn new() -> io::Result<Ring> {
        match Uring::new() {
            Ok(ring) => Ok(Ring(Way::Kernel(Box::new(ring)))),
            // Absent; or forbidden, by sysctl kernel.io_uring_disabled or a seccomp filter.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EACCES)) => {
                Ok(Ring(Way::Polled(Polled::new()?)))
            }
            Err(error) => Err(error),
        }
    }

    /// False when the kernel's io_uring is not available.
    #[must_use]
    pub fn is_fast(&self) -> bool {
        matches!(self.0, Way::Kernel(_))
    }

    /// For other threads.
    pub fn waker(&self) -> Waker {
        match &self.0 {
            Way::Kernel(ring) => ring.waker(),
            Way::Polled(ring) => ring.waker(),
        }
    }

    /// Gives a device command to `slice`.
    pub fn device(&mut self, slice: &FileSlice, io: Io) {
        match &mut self.0 {
            Way::Kernel(ring) => ring.device(slice, io),
            Way::Polled(ring) => ring.device(slice, io),
        }
    }

    /// Receives up to the length of `buffer`.
    pub fn receive(&mut self, token: u64, socket: &Arc<OwnedFd>, buffer: ReceiveBuffer) {
        match &mut self.0 {
            Way::Kernel(ring) => ring.receive(token, socket, buffer),
            Way::Polled(ring) => ring.receive(token, socket, buffer),
        }
    }

    /// Sends the chunks in order, or a first part of them.
    pub fn send(&mut self, token: u64, socket: &Arc<OwnedFd>, chunks: VecDeque<bytes::Bytes>) {
        match &mut self.0 {
            Way::Kernel(ring) => ring.send(token, socket, chunks),
            Way::Polled(ring) => ring.send(token, socket, chunks),
        }
    }

    /// Submits what was given and waits until something happened or `limit` passed; then hands all there is to `take`.
    /// With a `limit` of zero it does not wait.
    pub fn wait(&mut self, limit: Duration, take: impl FnMut(Event)) -> io::Result<()> {
        match &mut self.0 {
            Way::Kernel(ring) => ring.wait(limit, take),
            Way::Polled(ring) => ring.wait(limit, take),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IoKind;
    use crate::{Buffer, OpenDevice, Role};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// One of each kind.
    fn rings() -> [Ring; 2] {
        [Ring(Way::Kernel(Box::new(Uring::new().unwrap()))), Ring(Way::Polled(Polled::new().unwrap()))]
    }

    /// Waits until `count` events came.
    fn events(ring: &mut Ring, count: usize) -> Vec<Event> {
        let mut seen = Vec::new();
        while seen.len() < count {
            ring.wait(Duration::from_secs(10), |event| seen.push(event)).unwrap();
        }
        seen
    }

    fn io(id: u64, kind: IoKind) -> Io {
        Io { id, role: Role::Data, kind }
    }

    #[test]
    fn device_commands_read_back_what_they_wrote_also_more_than_fit_the_queue() {
        for mut ring in rings() {
            let folder = tempfile::tempdir().unwrap();
            let device = Arc::new(OpenDevice::create(&folder.path().join("bdev"), 8 << 20).unwrap());
            let slice = device.slice(4096, 4 << 20);
            let count = 512_u64;
            for id in 0..count {
                let buffer = Buffer::padded(&id.to_le_bytes());
                ring.device(&slice, io(id, IoKind::Write { offset: id * 4096, buffer }));
            }
            for event in events(&mut ring, count as usize) {
                assert!(matches!(event, Event::Device(Done { result: Ok(Some(_)), .. })), "{event:?}");
            }
            ring.device(&slice, io(9999, IoKind::Flush));
            assert!(matches!(&events(&mut ring, 1)[..], [Event::Device(Done { id: 9999, result: Ok(None) })]));
            for id in 0..count {
                ring.device(&slice, io(id, IoKind::Read { offset: id * 4096, buffer: Buffer::zeroed(4096) }));
            }
            for event in events(&mut ring, count as usize) {
                let Event::Device(Done { id, result: Ok(Some(buffer)) }) = event else { panic!("{event:?}") };
                assert_eq!(buffer[..8], id.to_le_bytes());
            }
            ring.device(&slice, io(1, IoKind::Read { offset: 4 << 20, buffer: Buffer::zeroed(4096) }));
            assert!(matches!(&events(&mut ring, 1)[..], [Event::Device(Done { id: 1, result: Err(_) })]));
        }
    }

    #[cfg(feature = "pmem")]
    #[test]
    fn a_mapped_device_is_done_when_it_was_asked() {
        for mut ring in rings() {
            let folder = tempfile::tempdir().unwrap();
            let device = OpenDevice::create(&folder.path().join("pmem"), 1 << 20).unwrap().mapped_by(true).unwrap();
            assert!(device.is_mapped());
            let slice = Arc::new(device).slice(4096, 65536);
            let buffer = Buffer::padded(b"here");
            ring.device(&slice, io(1, IoKind::Write { offset: 8192, buffer }));
            ring.device(&slice, io(2, IoKind::Flush));
            ring.device(&slice, io(3, IoKind::Read { offset: 8192, buffer: Buffer::zeroed(4096) }));
            ring.device(&slice, io(4, IoKind::Write { offset: 65536, buffer: Buffer::zeroed(4096) }));
            let mut seen = Vec::new();
            ring.wait(Duration::ZERO, |event| seen.push(event)).unwrap();
            let [
                Event::Device(Done { id: 1, result: Ok(Some(_)) }),
                Event::Device(Done { id: 2, result: Ok(None) }),
                Event::Device(Done { id: 3, result: Ok(Some(read)) }),
                Event::Device(Done { id: 4, result: Err(_) }),
            ] = &seen[..]
            else {
                panic!("{seen:?}")
            };
            assert_eq!(read[..4], *b"here");
        }
    }

    #[test]
    fn sockets_carry_chunks_both_ways() {
        for mut ring in rings() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let near = Arc::new(OwnedFd::from(listener.accept().unwrap().0));
            let chunks: VecDeque<bytes::Bytes> =
                [&b"one "[..], b"two ", b"three"].into_iter().map(bytes::Bytes::from_static).collect();
            ring.send(5, &near, chunks);
            assert!(matches!(&events(&mut ring, 1)[..], [Event::Sent { token: 5, result: Ok(13), .. }]));
            let mut heard = [0; 13];
            far.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"one two three");
            ring.receive(6, &near, vec![0; 100]);
            far.write_all(b"back").unwrap();
            let Event::Received { token: 6, result: Ok(4), buffer } = events(&mut ring, 1).remove(0) else {
                panic!("not received")
            };
            assert_eq!(&buffer[..4], b"back");
            ring.receive(7, &near, buffer);
            drop(far);
            assert!(matches!(&events(&mut ring, 1)[..], [Event::Received { token: 7, result: Ok(0), .. }]));
        }
    }

    #[test]
    fn another_thread_wakes_it_again_and_again_and_waiting_ends_by_itself() {
        for mut ring in rings() {
            let mut none = 0;
            ring.wait(Duration::from_millis(5), |_| none += 1).unwrap();
            assert_eq!(none, 0);
            for _ in 0..3 {
                let waker = ring.waker();
                let thread = std::thread::spawn(move || waker.wake());
                assert!(matches!(&events(&mut ring, 1)[..], [Event::Woken]));
                thread.join().unwrap();
            }
        }
    }

    #[test]
    fn dropping_it_with_work_under_way_ends() {
        for mut ring in rings() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let _far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let near = Arc::new(OwnedFd::from(listener.accept().unwrap().0));
            ring.receive(1, &near, vec![0; 64]);
            ring.wait(Duration::ZERO, |_| {}).unwrap();
            ring.receive(2, &near, vec![0; 64]); // never submitted
            drop(ring);
        }
    }
}
