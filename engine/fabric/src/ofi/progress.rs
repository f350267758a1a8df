//! The thread of an endpoint: it alone talks to libfabric, and moves bytes between streams and messages.
//!
//! It sleeps until the queue of completions, a stream's socket, a command or the clock wants something. A peer that takes
//! no message and a stream of which nothing is heard are given up after [`LOST_AFTER`].

mod incoming;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use super::message::{HEADER_BYTES, Header, Kind, MESSAGE_BYTES};
use super::outbound::Outbound;
use super::rdm::{Buffer, Completion, Rdm};
use super::stream::{Opening, Sending, Stream, WINDOW};
use super::watch::{QUEUE, WAKER, Watch};

/// Receives that wait for messages of any peer. More than arrive between two turns of the thread; what finds none waits in libfabric.
const RECEIVES: usize = 64;
/// Streams of one endpoint. A client has one for each target and one for the service of each engine.
const MAX_STREAMS: usize = 1 << 14;
/// Buffers kept for reuse: 16 MiB.
const MAX_SPARE: usize = 256;
/// A stream that was silent for this long is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(5);
/// What nothing was heard of for this long is gone.
const LOST_AFTER: Duration = Duration::from_secs(20);
/// The longest sleep.
const TICK: Duration = Duration::from_secs(1);
/// The longest sleep while libfabric takes no more from us: it is connecting, which nothing tells the end of.
const RETRY: Duration = Duration::from_millis(5);
/// How long last words may take when the endpoint closes.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What the thread is asked for.
pub(super) enum Command {
    /// A stream to a peer. `local` is the end that is not the application's.
    Open { to: SocketAddr, local: UnixStream, opening: Opening },
    /// Streams that peers ask for go here.
    Listen(tokio::sync::mpsc::Sender<(UnixStream, SocketAddr)>),
    /// Send what is queued and end.
    Stop,
}

/// The state of the thread.
pub(super) struct Progress {
    rdm: Rdm,
    commands: Receiver<Command>,
    waker: Arc<EventFd>,
    watch: Watch,
    streams: HashMap<u64, Stream>,
    outbound: Outbound,
    listener: Option<tokio::sync::mpsc::Sender<(UnixStream, SocketAddr)>>,
    spare: Vec<Buffer>,
    receives_wanted: usize,
    /// Streams whose state changed in this turn.
    touched: HashSet<u64>,
    /// Numbers that this endpoint has given to streams begin and end here.
    first_stream: u64,
    next_stream: u64,
    last_look: Instant,
}

impl Progress {
    /// For an open endpoint.
    pub(super) fn new(rdm: Rdm, commands: Receiver<Command>, waker: Arc<EventFd>) -> io::Result<Progress> {
        let watch = Watch::new(waker.as_fd(), rdm.wait())?;
        // Another process at this address must not take our streams for its own: numbers begin anywhere.
        let first = (RandomState::new().hash_one(rdm.address()) << 32).max(1 << 32);
        let mut progress = Progress {
            rdm,
            commands,
            waker,
            watch,
            streams: HashMap::new(),
            outbound: Outbound::default(),
            listener: None,
            spare: Vec::new(),
            receives_wanted: RECEIVES,
            touched: HashSet::new(),
            first_stream: first,
            next_stream: first,
            last_look: Instant::now(),
        };
        progress.post_receives();
        Ok(progress)
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            if !self.obey() {
                break;
            }
            self.take_completions();
            self.send_all();
            self.settle();
            self.look_around();
            if let Err(error) = self.sleep() {
                tracing::error!("the endpoint on {} cannot wait and ends: {error}", self.rdm.address());
                break;
            }
        }
        self.stop();
    }

    /// Commands; false when the last was to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open { to, local, opening }) => {
                    let number = self.insert(Stream::new(local, to, 0, 0, Some(opening), Instant::now()));
                    self.tell(to, Kind::Open, WINDOW, 0, number);
                }
                Ok(Command::Listen(listener)) => self.listener = Some(listener),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn insert(&mut self, stream: Stream) -> u64 {
        let number = self.next_stream;
        self.next_stream += 1;
        self.outbound.add_stream(stream.peer, number);
        self.streams.insert(number, stream);
        self.touched.insert(number);
        number
    }

    fn take_completions(&mut self) {
        loop {
            let completions = self.rdm.completions();
            if completions.is_empty() {
                return;
            }
            for completion in completions {
                match completion {
                    Completion::Received { buffer, length } => {
                        self.receives_wanted += 1;
                        self.receive(buffer, length);
                    }
                    Completion::ReceiveFailed { buffer } => {
                        self.receives_wanted += 1;
                        self.keep(buffer);
                    }
                    Completion::Sent { peer, buffer } => {
                        self.keep(buffer);
                        self.touched.extend(self.outbound.sent(peer));
                    }
                    Completion::SendFailed { peer, buffer, reason } => {
                        self.keep(buffer);
                        self.outbound.sent(peer);
                        if let Some(address) = self.outbound.address(peer) {
                            self.lost(address, &reason);
                        }
                    }
                }
            }
            self.post_receives();
        }
    }

    fn post_receives(&mut self) {
        while self.receives_wanted > 0 {
            let buffer = Self::buffer(&mut self.spare);
            if let Err(buffer) = self.rdm.receive(buffer) {
                self.keep(buffer);
                return;
            }
            self.receives_wanted -= 1;
        }
    }

    fn buffer(spare: &mut Vec<Buffer>) -> Buffer {
        spare.pop().unwrap_or_else(|| vec![0; MESSAGE_BYTES].into_boxed_slice())
    }

    fn keep(&mut self, buffer: Buffer) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(buffer);
        }
    }

    /// Queues a message without bytes.
    fn tell(&mut self, peer: SocketAddr, kind: Kind, count: u16, to: u64, from: u64) {
        let mut buffer = Self::buffer(&mut self.spare);
        // Only what ends a stream has a place in its order; what only speaks of it has none.
        let stream = self.streams.get_mut(&from).filter(|_| matches!(kind, Kind::End | Kind::Reset));
        let sequence = stream.map_or(0, Stream::number);
        Header { kind, count, sequence, to, from, source: self.rdm.address() }.encode(&mut buffer);
        self.outbound.push(peer, buffer, HEADER_BYTES);
    }

    /// Gives libfabric what waits, as far as it takes it.
    fn send_all(&mut self) {
        for (address, reason) in self.outbound.flush(&mut self.rdm) {
            self.lost(address, &reason);
        }
    }

    /// Ends everything with a peer that cannot be reached.
    fn lost(&mut self, address: SocketAddr, reason: &str) {
        for number in self.outbound.give_up(address) {
            tracing::debug!(peer = %address, "a stream ends: {reason}");
            if let Some(mut stream) = self.forget(number) {
                stream.fail(io::ErrorKind::ConnectionReset, reason);
            }
        }
    }

    /// Ends a stream and tells the peer.
    fn abort(&mut self, number: u64, kind: io::ErrorKind, reason: &str) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        stream.fail(kind, reason);
        let (peer, to) = (stream.peer, stream.to);
        if to != 0 {
            self.tell(peer, Kind::Reset, 0, to, number);
        }
        self.forget(number);
    }

    fn forget(&mut self, number: u64) -> Option<Stream> {
        let stream = self.streams.remove(&number)?;
        // Closing the socket would end the watching too, and what fails here is gone with it.
        let _ = self.watch.set(number, &stream.local, None);
        self.outbound.remove_stream(stream.peer, number);
        Some(stream)
    }

    /// Delivers what came and watches each touched stream for what it needs next.
    fn settle(&mut self) {
        for number in std::mem::take(&mut self.touched) {
            let Some(stream) = self.streams.get_mut(&number) else { continue };
            let (peer, to) = (stream.peer, stream.to);
            let delivered = stream.deliver(&mut self.spare);
            if delivered.deaf {
                self.abort(number, io::ErrorKind::BrokenPipe, "the application is gone");
                continue;
            }
            let over = stream.is_over();
            if delivered.credit > 0 {
                self.tell(peer, Kind::Credit, delivered.credit, to, number);
            }
            if over {
                self.forget(number);
            } else {
                self.watch(number);
            }
        }
        self.spare.truncate(MAX_SPARE);
        self.send_all();
    }

    fn watch(&mut self, number: u64) {
        let Some(stream) = self.streams.get(&number) else { return };
        let (input, output) = (stream.wants_input() && self.outbound.has_room(stream.peer), stream.wants_output());
        // Without a wish it is not watched at all: the closing of the application's end, which cannot be left out, would not let
        // us sleep while its last bytes wait for credit. Before ACCEPT and after the last byte, only the closing is of interest.
        let watches = input || output || stream.sent_all() || stream.to == 0;
        if let Err(error) = self.watch.set(number, &stream.local, watches.then_some((input, output))) {
            self.abort(number, io::ErrorKind::Other, &error.to_string());
        }
    }

    /// Asks silent streams, and gives up what has been silent too long.
    fn look_around(&mut self) {
        let now = Instant::now();
        if now - self.last_look < TICK {
            return;
        }
        self.last_look = now;
        for address in self.outbound.stuck(now, LOST_AFTER) {
            self.lost(address, "the peer takes no messages");
        }
        let silent = self.streams.iter().filter(|(_, stream)| now - stream.heard > PING_AFTER);
        for number in silent.map(|(number, _)| *number).collect::<Vec<_>>() {
            let Some(stream) = self.streams.get_mut(&number) else { continue };
            if now - stream.heard > LOST_AFTER {
                self.abort(number, io::ErrorKind::TimedOut, "the peer does not answer");
            } else if stream.to != 0 && now - stream.asked > PING_AFTER {
                stream.asked = now;
                let (peer, to) = (stream.peer, stream.to);
                self.tell(peer, Kind::Ping, 0, to, number);
            }
        }
        self.outbound.tidy();
        self.send_all();
    }

    /// Waits for something to do, and reads what applications send.
    fn sleep(&mut self) -> io::Result<()> {
        let limit = if !self.rdm.may_wait() {
            Duration::ZERO
        } else if self.outbound.is_waiting() || self.receives_wanted > 0 {
            RETRY
        } else {
            TICK
        };
        for ready in self.watch.wait(limit)? {
            match ready.token {
                WAKER => drop(self.waker.read()), // not blocking; commands are taken in any case
                QUEUE => {}
                number => self.stream_event(number, ready.readable, ready.closed),
            }
        }
        Ok(())
    }

    fn stream_event(&mut self, number: u64, readable: bool, closed: bool) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        self.touched.insert(number);
        if stream.wants_input() && readable {
            let (peer, to) = (stream.peer, stream.to);
            let mut buffer = Self::buffer(&mut self.spare);
            match stream.take(&mut buffer) {
                Sending::Data(length) => {
                    let source = self.rdm.address();
                    let sequence = stream.number();
                    Header { kind: Kind::Data, count: 0, sequence, to, from: number, source }.encode(&mut buffer);
                    self.outbound.push(peer, buffer, HEADER_BYTES + length);
                }
                Sending::Nothing => self.keep(buffer),
                Sending::End => {
                    self.keep(buffer);
                    // Closed in both directions: what the peer still sends would find nobody.
                    if closed {
                        self.abort(number, io::ErrorKind::BrokenPipe, "the application is gone");
                    } else {
                        self.tell(peer, Kind::End, 0, to, number);
                    }
                }
            }
        } else if closed && (stream.sent_all() || stream.to == 0) {
            self.abort(number, io::ErrorKind::BrokenPipe, "the application is gone");
        }
    }

    /// Ends all streams and lets libfabric send the last words.
    fn stop(mut self) {
        self.listener = None; // who asks for a stream from now on is told that there is none
        for number in self.streams.keys().copied().collect::<Vec<_>>() {
            self.flush_stream(number);
            self.abort(number, io::ErrorKind::ConnectionAborted, "the endpoint closes");
        }
        let since = Instant::now();
        while self.outbound.is_busy() && since.elapsed() < FLUSH_LIMIT {
            self.send_all();
            self.take_completions();
            if self.outbound.is_busy() && self.rdm.may_wait() {
                let _ = self.watch.wait(RETRY); // it goes on either way
            }
        }
    }

    /// Reads what an application has written before the endpoint closed, as far as the peer takes it.
    fn flush_stream(&mut self, number: u64) {
        while let Some(stream) = self.streams.get(&number).filter(|stream| stream.wants_input()) {
            let before = stream.may_send;
            self.stream_event(number, true, false);
            if self.streams.get(&number).is_none_or(|stream| stream.may_send == before) {
                return;
            }
        }
    }
}
