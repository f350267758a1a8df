//! The data port: who connects, to which target or to the pool service.
//!
//! HELLO is read here on the system thread. A connection to a target then moves, socket and all, to the target's own
//! thread; a connection to the service stays. Whatever else comes is refused in words and closed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fabric::{Inbound, Listener, Socket};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;
use types::{Rank, Status};
use wire::frame::{Frame, Kind, MAX_BODY_BYTES, MAX_OPERATIONS, MAX_SERVICE_BODY_BYTES, VERSION};
use wire::hello::{Hello, HelloReply, Peer, Refusal, SERVICE_TARGET};
use xstream::MAX_IN_FLIGHT;

use crate::peers::Connections;
use crate::service::{Client, PoolService};
use crate::targets::Mailboxes;

/// How long a new connection may take to say hello.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// Connections that have not said hello yet. A new one beyond it ends the one that has been silent longest, so half-open
/// ones neither pile up nor keep anybody out.
const MAX_GREETING: usize = 256;
/// Connections to the pool service. A client keeps one, and metadata calls are rare.
const MAX_SERVICE: usize = 4096;
/// Longest HELLO: its fixed part and a system name.
const MAX_HELLO_BYTES: usize = 256;
/// The rank before the management service gave one.
pub(crate) const NO_RANK: u32 = u32::MAX;
/// Bytes made room for at each read of a service connection.
const READ_BYTES: usize = 16 << 10;

/// What connections are checked against and led to.
pub(crate) struct Port {
    pub(crate) system: String,
    pub(crate) incarnation: u64,
    pub(crate) rank: AtomicU32,
    pub(crate) targets: Mailboxes,
    pub(crate) service: Arc<PoolService<Mailboxes, Connections>>,
    pub(crate) service_connections: AtomicUsize,
    /// Number of the next client's service connection.
    pub(crate) next_client: AtomicU64,
}

/// Connections that have not said hello, in the order in which they came.
#[derive(Default)]
struct Greetings(VecDeque<Arc<Notify>>);

impl Greetings {
    /// Adds one; when there are too many, the oldest that is still silent is told to end.
    fn add(&mut self) -> Arc<Notify> {
        // One that is through has let go of its half.
        self.0.retain(|waiting| Arc::strong_count(waiting) > 1);
        if self.0.len() >= MAX_GREETING
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.notify_one();
        }
        let ends = Arc::new(Notify::new());
        self.0.push_back(ends.clone());
        ends
    }
}

impl Port {
    /// Accepts connections until the task is dropped, or until the listener itself has ended.
    pub(crate) async fn accept<L: Listener>(self: Arc<Port>, mut listener: L) -> io::Error {
        let mut greetings = Greetings::default();
        loop {
            let (socket, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return error,
                Err(error) => {
                    // Out of descriptors, most likely: let others close theirs first.
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let port = self.clone();
            let ends = greetings.add();
            tokio::spawn(async move {
                let greeting = tokio::select! {
                    greeting = timeout(HELLO_LIMIT, port.greet(socket)) => greeting,
                    () = ends.notified() => {
                        tracing::debug!(%from, "a silent connection made room for a new one");
                        return;
                    }
                };
                drop(ends);
                match greeting {
                    Ok(Ok(Some((socket, inbound, peer)))) => port.serve(socket, inbound, peer).await,
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => tracing::debug!(%from, "a connection was not accepted: {error}"),
                    Err(_) => tracing::debug!(%from, "a connection did not say hello in time"),
                }
            });
        }
    }

    /// Reads and answers HELLO. Gives the socket back when it is for the service.
    async fn greet<S: Socket>(&self, mut socket: S) -> io::Result<Option<(S, Inbound, Peer)>> {
        let mut inbound = Inbound::new(MAX_HELLO_BYTES);
        let refusal = match read_frame(&mut socket, &mut inbound).await {
            Ok(Some(frame)) if frame.header.kind == Kind::Hello => match Hello::decode(frame.body) {
                Ok(hello) => match self.judge(&hello) {
                    Ok(reply) => return self.admit(socket, inbound, &hello, reply).await,
                    Err(refusal) => refusal,
                },
                Err(error) => Refusal::new(Status::Protocol, error.to_string()),
            },
            Ok(Some(frame)) => {
                Refusal::new(Status::Protocol, format!("a connection begins with HELLO, not {:?}", frame.header.kind))
            }
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Refusal::new(Status::Protocol, error.to_string())
            }
            Err(error) => return Err(error),
        };
        refuse(&mut socket, &refusal).await?;
        Err(io::Error::new(io::ErrorKind::InvalidData, refusal.text))
    }

    fn judge(&self, hello: &Hello) -> Result<HelloReply, Refusal> {
        if !(hello.least_version..=hello.greatest_version).contains(&VERSION) {
            let text = format!(
                "the client speaks versions {} to {}, this engine version {VERSION}",
                hello.least_version, hello.greatest_version
            );
            return Err(Refusal::new(Status::Protocol, text));
        }
        if hello.system != self.system {
            let text = format!("the client means system `{}`, this engine belongs to `{}`", hello.system, self.system);
            return Err(Refusal::new(Status::Invalid, text));
        }
        let rank = self.rank.load(Ordering::Acquire);
        if rank == NO_RANK {
            return Err(Refusal::new(Status::Unreachable, "this engine has not joined the system yet"));
        }
        if hello.target != SERVICE_TARGET && hello.target as usize >= self.targets.0.len() {
            let text = format!("there is no target {}, this engine has {}", hello.target, self.targets.0.len());
            return Err(Refusal::new(Status::BadTarget, text));
        }
        if hello.target == SERVICE_TARGET && self.service_connections.load(Ordering::Relaxed) >= MAX_SERVICE {
            return Err(Refusal::new(Status::Busy, format!("{MAX_SERVICE} clients are connected to the pool service")));
        }
        let max_body = if hello.target == SERVICE_TARGET { MAX_SERVICE_BODY_BYTES } else { MAX_BODY_BYTES };
        Ok(HelloReply {
            version: VERSION,
            rank: Rank(rank),
            incarnation: self.incarnation,
            max_body: max_body as u32,
            max_operations: MAX_OPERATIONS,
            max_in_flight: MAX_IN_FLIGHT,
        })
    }

    async fn admit<S: Socket>(
        &self,
        mut socket: S,
        mut inbound: Inbound,
        hello: &Hello,
        reply: HelloReply,
    ) -> io::Result<Option<(S, Inbound, Peer)>> {
        socket.write_all(&reply.encode().into_frame(Kind::HelloReply, 0, 0).concat()).await?;
        let received = inbound.buffer().split().to_vec();
        if hello.target == SERVICE_TARGET {
            let mut inbound = Inbound::new(MAX_SERVICE_BODY_BYTES);
            inbound.feed(&received);
            socket.keep_alive()?;
            return Ok(Some((socket, inbound, hello.peer)));
        }
        // The ring waits for a blocking socket; for the others it would only report that nothing is there yet.
        let socket = socket.into_blocking()?;
        self.targets.0[hello.target as usize].connection(socket, received).map_err(io::Error::other)?;
        Ok(None)
    }

    /// Answers the calls of a service connection, one after the other.
    async fn serve(&self, mut socket: impl Socket, mut inbound: Inbound, peer: Peer) {
        self.service_connections.fetch_add(1, Ordering::Relaxed);
        let client = (peer == Peer::Client).then(|| Client(self.next_client.fetch_add(1, Ordering::Relaxed)));
        loop {
            let refusal = match read_frame(&mut socket, &mut inbound).await {
                Ok(Some(Frame { header, body })) if header.kind == Kind::Service => {
                    let answer = wire::drpc::answer(header.tag, self.service.serve(client, header.count, body).await);
                    let mut reply = wire::frame::Body::new();
                    let bytes = Bytes::from(answer.encode_to_vec());
                    if bytes.len() > MAX_SERVICE_BODY_BYTES {
                        Refusal::new(Status::TooBig, "the answer is larger than a service frame")
                    } else {
                        reply.share(&bytes);
                        let chunks = reply.into_frame(Kind::ServiceReply, header.tag, header.count);
                        if socket.write_all(&chunks.concat()).await.is_err() {
                            break;
                        }
                        continue;
                    }
                }
                Ok(Some(frame)) => Refusal::new(
                    Status::Protocol,
                    format!("the pool service takes service calls, not {:?}", frame.header.kind),
                ),
                Ok(None) => break,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    Refusal::new(Status::Protocol, error.to_string())
                }
                Err(_) => break,
            };
            let _ = refuse(&mut socket, &refusal).await; // it is closed either way
            break;
        }
        if let Some(client) = client {
            self.service.client_ended(client);
        }
        self.service_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn refuse(socket: &mut impl Socket, refusal: &Refusal) -> io::Result<()> {
    socket.write_all(&refusal.encode().into_frame(Kind::Refusal, 0, 0).concat()).await?;
    socket.shutdown().await
}

/// The next frame; `None` at the end of the stream. A bad frame is `InvalidData`.
async fn read_frame(socket: &mut impl Socket, inbound: &mut Inbound) -> io::Result<Option<Frame>> {
    loop {
        let next =
            inbound.next_frame().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        if let Some(frame) = next {
            return Ok(Some(frame));
        }
        inbound.buffer().reserve(READ_BYTES);
        if socket.read_buf(inbound.buffer()).await? == 0 {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_connection_that_is_silent_longest_makes_room() {
        let mut greetings = Greetings::default();
        let mut silent: Vec<Arc<Notify>> = (0..MAX_GREETING).map(|_| greetings.add()).collect();
        let told = |ends: &Arc<Notify>| timeout(Duration::ZERO, ends.clone().notified_owned());
        assert!(told(&silent[0]).await.is_err(), "there is still room");
        // One says hello, so there is room for another.
        silent.remove(7);
        silent.push(greetings.add());
        assert!(told(&silent[0]).await.is_err());
        silent.push(greetings.add());
        assert!(told(&silent[0]).await.is_ok());
        assert!(told(&silent[1]).await.is_err());
        assert_eq!(greetings.0.len(), MAX_GREETING);
    }
}
