//! The loop of a target's thread.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use media::{Event, FileSlice, Ring, Role};
use nix::sys::socket::{Shutdown, shutdown};
use store::{Command, Recovery, Reply, Store, Token};
use types::{Clock, Epoch, Status};
use wire::frame::{Frame, Kind};
use wire::hello::Refusal;
use wire::operation::Request;

use crate::connection::Connection;
use crate::mailbox::{Mailbox, Message, Report, TargetStats};
use crate::pin::pin;
use crate::request::{Origin, Requests};
use crate::steady::Steady;

/// How often the store is told the time while it has work.
const TICK: Duration = Duration::from_millis(5);
/// The longest sleep without any work.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes of requests in work, and of answers that wait for the others of their frame, at once on one target. Receiving pauses beyond
/// it, so that memory for requests is bounded by this and one frame per connection.
const MAX_WORK_BYTES: usize = 256 << 20;
/// Operations taken from one connection before the ring is looked at again: with more, the device would wait for the processor, and the
/// group that these make would not be under way while the next ones run.
const TURN_OPERATIONS: usize = 64;
/// How long a stopping target waits for its last answers and checkpoint.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// The slices of a target, for the ring.
pub struct TargetSlices {
    /// Write-ahead log.
    pub wal: FileSlice,
    /// Checkpoint.
    pub meta: FileSlice,
    /// Values.
    pub data: FileSlice,
}

/// An opened store and what it stands on.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What opening it found.
    pub recovery: Recovery,
    /// Where its commands go.
    pub slices: TargetSlices,
}

/// A running target.
pub struct Target {
    /// The way in.
    pub mailbox: Mailbox,
    /// What opening the store found.
    pub recovery: Recovery,
    /// True when the thread sits on the core that was asked for.
    pub pinned: bool,
    /// False when the kernel gives it no io_uring; it is slower then.
    pub fast: bool,
    /// Ends after [`Mailbox::stop`], or when the thread cannot go on.
    pub thread: JoinHandle<()>,
}

/// Starts the thread of a target. `open` runs on it, so that the targets of an engine recover in parallel; its error is
/// given back. `report` is called on the thread for events that somebody should see.
pub fn start(
    name: String,
    core: Option<usize>,
    open: impl FnOnce() -> Result<Opened, String> + Send + 'static,
    report: impl Fn(Report) + Send + 'static,
) -> mpsc::Receiver<Result<Target, String>> {
    let (outcome, result) = mpsc::sync_channel(1);
    let (ready, started) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let pinned = core.is_some_and(pin);
        let setup = || -> Result<(Opened, Ring), String> {
            let opened = open()?;
            let ring = Ring::new().map_err(|error| {
                format!("the thread of a target cannot wait for its work: {error}\nhint: raise the limit of open files or of locked memory")
            })?;
            Ok((opened, ring))
        };
        let (opened, ring) = match setup() {
            Ok(both) => both,
            Err(error) => {
                let _ = ready.send(Err(error)); // the caller has gone: nobody to tell
                return;
            }
        };
        let (messages, inbox) = mpsc::channel();
        let mailbox = Mailbox { messages, waker: ring.waker() };
        if ready.send(Ok((mailbox, opened.recovery, pinned, ring.is_fast()))).is_err() {
            return;
        }
        drop(ready);
        Loop::new(opened, ring, inbox, report).run();
    });
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => {
            let _ = outcome.send(Err(format!("cannot start a thread: {error}")));
            return result;
        }
    };
    // A second thread only waits for the first, so that the caller can start all targets before it waits for any.
    std::thread::spawn(move || {
        let started = started.recv().unwrap_or_else(|_| Err("the target's thread ended while it started".to_owned()));
        let _ = outcome.send(started.map(|(mailbox, recovery, pinned, fast)| Target {
            mailbox,
            recovery,
            pinned,
            fast,
            thread,
        }));
    });
    result
}

struct Loop<R> {
    store: Store,
    slices: TargetSlices,
    ring: Ring,
    inbox: mpsc::Receiver<Message>,
    report: R,
    clock: Clock,
    steady: Steady,
    requests: Requests,
    connections: HashMap<u64, Connection>,
    next_connection: u64,
    /// Connections that may have something to do.
    touched: Vec<u64>,
    /// Connections with whole frames for the next turn.
    later: Vec<u64>,
    work_bytes: usize,
    /// Some connection was not served because of `MAX_WORK_BYTES`.
    paused: bool,
    spare: Option<Vec<u8>>,
    stopping: Option<Instant>,
    checkpointing: bool,
    stopped: bool,
}

impl<R: Fn(Report)> Loop<R> {
    fn new(opened: Opened, ring: Ring, inbox: mpsc::Receiver<Message>, report: R) -> Loop<R> {
        Loop {
            store: opened.store,
            slices: opened.slices,
            ring,
            inbox,
            report,
            clock: Clock::after(opened.recovery.last_epoch),
            steady: Steady::default(),
            requests: Requests::default(),
            connections: HashMap::new(),
            next_connection: 0,
            touched: Vec::new(),
            later: Vec::new(),
            work_bytes: 0,
            paused: false,
            spare: None,
            stopping: None,
            checkpointing: false,
            stopped: false,
        }
    }

    fn run(mut self) {
        let mut events = Vec::new();
        let mut last_tick = Instant::now();
        while !self.stopped {
            let limit = match () {
                () if !self.later.is_empty() || self.store.wants_turn() => Duration::ZERO,
                () if self.store.has_work() || self.stopping.is_some() => TICK,
                () => IDLE,
            };
            if let Err(error) = self.ring.wait(limit, |event| events.push(event)) {
                (self.report)(Report::Failed(format!("waiting on the ring failed: {error}")));
                return;
            }
            for event in events.drain(..) {
                self.take(event);
            }
            self.touched.append(&mut self.later);
            self.read_inbox();
            if last_tick.elapsed() >= TICK {
                self.steady.passed(Epoch::from_system_time(SystemTime::now()), last_tick.elapsed());
                last_tick = Instant::now();
                let now = self.now();
                self.store.tick(now);
            }
            if self.store.wants_turn() {
                self.store.turn();
            }
            self.work();
            self.stop_when_done();
        }
    }

    fn now(&self) -> Epoch {
        self.steady.time(Epoch::from_system_time(SystemTime::now()))
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Device(done) => self.store.complete(done),
            Event::Woken => {}
            Event::Received { token, result, buffer } => {
                if let Some(connection) = self.connections.get_mut(&token) {
                    connection.received(&result, &buffer);
                    self.touched.push(token);
                }
                self.spare = Some(buffer);
            }
            Event::Sent { token, result, chunks } => {
                if let Some(connection) = self.connections.get_mut(&token) {
                    connection.sent(&result, chunks);
                    self.touched.push(token);
                }
            }
        }
    }

    fn read_inbox(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                Message::Connection { socket, received } => {
                    if self.stopping.is_some() {
                        continue; // dropped: the client finds the engine gone, as it soon will be
                    }
                    let number = self.next_connection;
                    self.next_connection += 1;
                    self.connections.insert(number, Connection::new(socket, &received));
                    self.touched.push(number);
                }
                Message::Command { command, reply } => {
                    let token = self.requests.token(Origin::Mailbox(reply));
                    self.submit(token, *command);
                }
                Message::Stats { reply } => {
                    reply(TargetStats { store: self.store.stats(), accepted: self.next_connection });
                }
                Message::Stop => {
                    self.stopping.get_or_insert_with(Instant::now);
                    for connection in self.connections.values_mut() {
                        connection.close();
                    }
                    self.touched.extend(self.connections.keys());
                }
            }
        }
    }

    /// Moves work between connections, store and ring until none of them has more to give.
    fn work(&mut self) {
        loop {
            let mut moved = false;
            let mut touched = std::mem::take(&mut self.touched);
            touched.sort_unstable();
            touched.dedup();
            for number in &touched {
                // One turn in a round: whoever asks only for what is in memory must not keep the ring and the others waiting.
                if !self.later.contains(number) {
                    self.take_frames(*number);
                }
            }
            while let Some(io) = self.store.take_io() {
                let slice = match io.role {
                    Role::Wal => &self.slices.wal,
                    Role::Meta => &self.slices.meta,
                    Role::Data => &self.slices.data,
                };
                self.ring.device(slice, io);
                moved = true;
            }
            while let Some((token, reply)) = self.store.take_reply() {
                self.deliver(token, reply);
                moved = true;
            }
            while let Some(event) = self.store.take_event() {
                (self.report)(Report::Store(event));
            }
            for number in touched {
                self.serve(number);
            }
            if !moved && self.touched.is_empty() {
                return;
            }
        }
    }

    /// Gives the whole frames of a connection to the store, as many as one turn takes.
    fn take_frames(&mut self, number: u64) {
        let mut taken = 0;
        loop {
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.has_more = taken >= TURN_OPERATIONS;
            }
            if taken >= TURN_OPERATIONS {
                self.later.push(number);
                return;
            }
            let is_paused = self.work_bytes > MAX_WORK_BYTES;
            self.paused |= is_paused;
            let Some(connection) = self.connections.get_mut(&number) else { return };
            if is_paused || !connection.has_room() {
                // What was received may hold whole frames; nothing is added to it before they are taken.
                connection.has_more = true;
                return;
            }
            let frame = match connection.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => return connection.refuse(&Refusal::new(Status::Protocol, error.to_string())),
            };
            taken += usize::from(frame.header.count);
            if let Err(refusal) = self.take_request(number, frame)
                && let Some(connection) = self.connections.get_mut(&number)
            {
                return connection.refuse(&refusal);
            }
        }
    }

    fn take_request(&mut self, number: u64, frame: Frame) -> Result<(), Refusal> {
        let Frame { header, body } = frame;
        if header.kind != Kind::Request {
            return Err(Refusal::new(Status::Protocol, format!("a target takes requests, not {:?}", header.kind)));
        }
        let bytes = body.len();
        let request =
            Request::decode(body, header.count).map_err(|error| Refusal::new(Status::Protocol, error.to_string()))?;
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.in_flight += 1;
        }
        self.work_bytes += bytes;
        let frame = self.requests.frame(number, header.tag, request.operations.len(), bytes);
        for (index, operation) in request.operations.into_iter().enumerate() {
            let token = self.requests.token(Origin::Frame { frame, index });
            self.submit(token, Command::Operate { place: request.place, operation });
        }
        Ok(())
    }

    fn submit(&mut self, token: Token, command: Command) {
        let changes = !matches!(&command, Command::Operate { operation, .. } if !operation.is_change());
        let wall = self.now();
        let now = if changes { self.clock.tick(wall) } else { wall };
        self.store.submit(token, command, now);
    }

    fn deliver(&mut self, token: Token, reply: Reply) {
        match self.requests.take(token) {
            Origin::Mailbox(send) => send(reply),
            Origin::Stop => self.stopped = true,
            Origin::Frame { frame, index } => {
                let answer = match reply {
                    Reply::Operated(answer) => answer,
                    // Only `Operate` commands come from frames.
                    other => unreachable!("an operation was answered with {other:?}"),
                };
                let answered = self.requests.answer(frame, index, answer);
                self.work_bytes += answered.kept;
                let Some(finished) = answered.finished else { return };
                self.work_bytes -= finished.bytes;
                if self.paused && self.work_bytes <= MAX_WORK_BYTES {
                    self.paused = false;
                    self.touched.extend(self.connections.keys());
                }
                if let Some(connection) = self.connections.get_mut(&finished.connection) {
                    connection.in_flight -= 1;
                    connection.queue(finished.chunks);
                    self.touched.push(finished.connection);
                }
            }
        }
    }

    /// Sends and receives what a connection has to, and forgets it when it is over.
    fn serve(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if let Some(chunks) = connection.start_send() {
            self.ring.send(number, &connection.socket, chunks);
        }
        if self.work_bytes > MAX_WORK_BYTES {
            self.paused = true;
        } else if let Some(buffer) = connection.start_receive(self.spare.take()) {
            self.ring.receive(number, &connection.socket, buffer);
        }
        if connection.wants_shutdown() {
            // Ends the pending receive. A socket that is closed already needs none.
            let _ = shutdown(connection.socket.as_raw_fd(), Shutdown::Both);
        }
        if connection.is_over() {
            self.connections.remove(&number);
        }
    }

    /// Checkpoints when the last answer is out, and ends when that is done or takes too long.
    fn stop_when_done(&mut self) {
        let Some(since) = self.stopping else { return };
        if since.elapsed() > STOP_LIMIT {
            (self.report)(Report::Failed("the target did not come to rest in time and is ended as it is".to_owned()));
            self.stopped = true;
        }
        if !self.checkpointing && self.requests.is_empty() {
            self.checkpointing = true;
            let token = self.requests.token(Origin::Stop);
            self.submit(token, Command::Checkpoint);
            self.work();
        }
    }
}
