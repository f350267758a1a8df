//! The asking side of a data connection: HELLO, then many calls at once, matched by tag.
//!
//! A writer task gathers what callers hand in and sends it with as few system calls as it can; a reader task hands each
//! answer to its caller. When the connection ends, for whatever reason, every waiting and later call gets that reason.
//! Dropping a call's future forgets its answer and nothing else.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use types::Status;
use wire::frame::{Body, Frame, FrameError, Kind, MAX_BODY_BYTES, MAX_SERVICE_BODY_BYTES};
use wire::hello::{BodyError, Hello, HelloReply, Refusal, SERVICE_TARGET};

use crate::address::Uri;
use crate::dial::{Dialed, Dialer};
use crate::inbound::Inbound;

/// Frames the writer gathers before it sends: the kernel takes at most 1024 slices at once.
const GATHER_FRAMES: usize = 256;
/// Slices given to one write.
const MAX_SLICES: usize = 64;
/// Room made for one read.
const READ_BYTES: usize = 64 << 10;

/// Why a connection cannot be used. Cloned to every caller that waits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// Nothing accepted the connection.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error("{address} did not answer within {limit:?}")]
    TimedOut {
        /// Who.
        address: SocketAddr,
        /// The deadline.
        limit: Duration,
    },
    /// The other side refused or ended the connection and said why.
    #[error("{address} refused: {}", refusal.text)]
    Refused {
        /// Who.
        address: SocketAddr,
        /// With which words.
        refusal: Refusal,
    },
    /// The connection ended.
    #[error("the connection to {address} ended: {reason}")]
    Closed {
        /// Who.
        address: SocketAddr,
        /// How.
        reason: String,
    },
    /// What came is not the protocol.
    #[error("{address} sent a bad frame: {source}")]
    Frame {
        /// Who.
        address: SocketAddr,
        /// What is wrong with it.
        source: FrameError,
    },
    /// A frame does not hold what its kind says.
    #[error("{address} sent a bad message: {source}")]
    Body {
        /// Who.
        address: SocketAddr,
        /// What is wrong with it.
        source: BodyError,
    },
}

impl ConnectionError {
    /// The status to report for it.
    pub fn status(&self) -> Status {
        match self {
            ConnectionError::Connect { .. } | ConnectionError::Closed { .. } => Status::Unreachable,
            ConnectionError::TimedOut { .. } => Status::TimedOut,
            ConnectionError::Refused { refusal, .. } => refusal.status,
            ConnectionError::Frame { .. } | ConnectionError::Body { .. } => Status::Protocol,
        }
    }
}

/// An open connection. Cheap to share behind an `Arc`; the socket closes when it is dropped.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Vec<Bytes>>,
    places: Semaphore,
    hello: HelloReply,
    tasks: [AbortHandle; 2],
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    next_tag: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<u64, oneshot::Sender<Result<Frame, ConnectionError>>>,
    ended: Option<ConnectionError>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection for all, once.
    fn end(&self, error: &ConnectionError) {
        let waiting = {
            let mut state = self.state();
            state.ended.get_or_insert_with(|| error.clone());
            std::mem::take(&mut state.waiting)
        };
        for caller in waiting.into_values() {
            let _ = caller.send(Err(error.clone())); // a caller that has gone needs no answer
        }
    }

    fn closed(&self, reason: impl Into<String>) -> ConnectionError {
        ConnectionError::Closed { address: self.address, reason: reason.into() }
    }
}

impl Connection {
    /// Connects and says hello, both within `limit`.
    pub async fn open(dialer: &Dialer, to: Uri, hello: Hello, limit: Duration) -> Result<Connection, ConnectionError> {
        let address = to.address;
        let greeted = async {
            let failed = |error: io::Error| ConnectionError::Connect { address, reason: error.to_string() };
            match dialer.dial(to).await.map_err(failed)? {
                Dialed::Tcp(stream) => Connection::greet(stream.into_split(), address, hello).await,
                #[cfg(feature = "ofi")]
                Dialed::Ofi(stream) => Connection::greet(stream.into_split(), address, hello).await,
            }
        };
        match timeout(limit, greeted).await {
            Ok(result) => result,
            Err(_) => Err(ConnectionError::TimedOut { address, limit }),
        }
    }

    async fn greet(
        (mut reader, mut writer): (impl Reader, impl Writer),
        address: SocketAddr,
        hello: Hello,
    ) -> Result<Connection, ConnectionError> {
        let failed = |error: io::Error| ConnectionError::Connect { address, reason: error.to_string() };
        let body_limit = if hello.target == SERVICE_TARGET { MAX_SERVICE_BODY_BYTES } else { MAX_BODY_BYTES };
        send(&mut writer, hello.encode().into_frame(Kind::Hello, 0, 0)).await.map_err(failed)?;
        let mut inbound = Inbound::new(body_limit);
        let frame = receive(&mut reader, &mut inbound, address).await?;
        let bad = |source| ConnectionError::Body { address, source };
        let reply = match frame.header.kind {
            Kind::HelloReply => HelloReply::decode(frame.body).map_err(bad)?,
            Kind::Refusal => {
                return Err(ConnectionError::Refused { address, refusal: Refusal::decode(frame.body).map_err(bad)? });
            }
            other => {
                let reason = format!("it answered HELLO with {other:?}");
                return Err(ConnectionError::Closed { address, reason });
            }
        };
        let shared = Arc::new(Shared { address, next_tag: AtomicU64::new(1), state: Mutex::default() });
        let (outgoing, queue) = mpsc::channel(GATHER_FRAMES);
        let write = tokio::spawn(write_all(writer, queue, shared.clone())).abort_handle();
        let read = tokio::spawn(read_all(reader, inbound, shared.clone())).abort_handle();
        let places = Semaphore::new(usize::from(reply.max_in_flight));
        Ok(Connection { shared, outgoing, places, hello: reply, tasks: [write, read] })
    }

    /// What the engine said of itself.
    pub fn hello(&self) -> &HelloReply {
        &self.hello
    }

    /// Whom it leads to.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Why it cannot be used any more, if so.
    pub fn ended(&self) -> Option<ConnectionError> {
        self.shared.state().ended.clone()
    }

    /// Sends a frame and waits for the one that answers it. Waits first while as many calls are under way as the
    /// engine works on at once.
    pub async fn call(&self, kind: Kind, count: u16, body: Body) -> Result<Frame, ConnectionError> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let tag = self.shared.next_tag.fetch_add(1, Ordering::Relaxed);
        let (answer, received) = oneshot::channel();
        {
            let mut state = self.shared.state();
            if let Some(ended) = &state.ended {
                return Err(ended.clone());
            }
            state.waiting.insert(tag, answer);
        }
        let forget = Forget { shared: &self.shared, tag };
        if self.outgoing.send(body.into_frame(kind, tag, count)).await.is_err() {
            return Err(self.ended().unwrap_or_else(|| self.shared.closed("its writer stopped")));
        }
        let result = received.await.unwrap_or_else(|_| Err(self.shared.closed("its reader stopped")));
        drop(forget);
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The receiving half of any provider's stream.
trait Reader: AsyncRead + Unpin + Send + 'static {}
impl<R: AsyncRead + Unpin + Send + 'static> Reader for R {}

/// The sending half.
trait Writer: AsyncWrite + Unpin + Send + 'static {}
impl<W: AsyncWrite + Unpin + Send + 'static> Writer for W {}

/// Removes a caller from the waiting list when it is answered or gives up.
struct Forget<'a> {
    shared: &'a Shared,
    tag: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.tag);
    }
}

async fn write_all(mut writer: impl Writer, mut queue: mpsc::Receiver<Vec<Bytes>>, shared: Arc<Shared>) {
    let mut frames = Vec::new();
    while queue.recv_many(&mut frames, GATHER_FRAMES).await > 0 {
        let chunks: Vec<Bytes> = frames.drain(..).flatten().collect();
        if let Err(error) = send(&mut writer, chunks).await {
            shared.end(&shared.closed(error.to_string()));
            return;
        }
    }
}

async fn read_all(mut reader: impl Reader, mut inbound: Inbound, shared: Arc<Shared>) {
    loop {
        let error = match receive(&mut reader, &mut inbound, shared.address).await {
            Ok(frame) if frame.header.kind == Kind::Refusal => match Refusal::decode(frame.body) {
                Ok(refusal) => ConnectionError::Refused { address: shared.address, refusal },
                Err(source) => ConnectionError::Body { address: shared.address, source },
            },
            Ok(frame) => {
                let caller = shared.state().waiting.remove(&frame.header.tag);
                // None: a caller that gave up, or a tag never sent; neither has anyone to tell.
                if let Some(caller) = caller {
                    let _ = caller.send(Ok(frame));
                }
                continue;
            }
            Err(error) => error,
        };
        shared.end(&error);
        return;
    }
}

/// Sends all chunks in order.
async fn send(writer: &mut impl Writer, chunks: Vec<Bytes>) -> io::Result<()> {
    let mut chunks: std::collections::VecDeque<Bytes> = chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect();
    while !chunks.is_empty() {
        let slices: Vec<IoSlice<'_>> = chunks.iter().take(MAX_SLICES).map(|chunk| IoSlice::new(chunk)).collect();
        let mut sent = writer.write_vectored(&slices).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while sent > 0 {
            let first = chunks.front_mut().expect("no more is sent than there is");
            let taken = sent.min(first.len());
            first.advance(taken);
            sent -= taken;
            if first.is_empty() {
                chunks.pop_front();
            }
        }
    }
    Ok(())
}

/// The next frame.
async fn receive(
    reader: &mut impl Reader,
    inbound: &mut Inbound,
    address: SocketAddr,
) -> Result<Frame, ConnectionError> {
    let closed = |reason: String| ConnectionError::Closed { address, reason };
    loop {
        if let Some(frame) = inbound.next_frame().map_err(|source| ConnectionError::Frame { address, source })? {
            return Ok(frame);
        }
        inbound.buffer().reserve(READ_BYTES);
        match reader.read_buf(inbound.buffer()).await {
            Ok(0) if inbound.at_boundary() => return Err(closed("the engine closed it".to_owned())),
            Ok(0) => return Err(closed("the engine closed it in the middle of a frame".to_owned())),
            Ok(_) => {}
            Err(error) => return Err(closed(error.to_string())),
        }
    }
}
