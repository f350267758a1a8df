//! Local calls: framing of drpc.proto over Unix stream sockets, with deadlines.
//!
//! One call per connection: local calls are seldom, and a fresh connection never carries a late answer of an earlier
//! call.

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use types::Status;
use wire::drpc::MAX_BYTES;
use wire::fault::Failure;
use wire::proto::drpc::{Answer, Call, Method};

/// How many clients a socket serves, and how long it puts up with a silent one.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections served at once; further ones wait to be accepted.
    pub connections: usize,
    /// Longest silence before a connection is closed, so that strangers cannot use up the places; none waits forever.
    pub idle: Option<Duration>,
}

impl Limits {
    /// Between a server and its engines: one connection per engine, and administrators' experiments.
    pub const PRIVATE: Limits = Limits { connections: 64, idle: None };
}

/// Calls `method` on the socket at `path` and waits at most `limit` for the answer.
pub async fn call<Req: Message, Resp: Message + Default>(
    path: &Path,
    method: Method,
    request: &Req,
    limit: Duration,
) -> Result<Resp, Failure> {
    let call = Call { method: method.into(), sequence: 1, body: request.encode_to_vec().into() };
    let exchange = async {
        let mut stream = UnixStream::connect(path).await?;
        write_message(&mut stream, &call).await?;
        read_message::<Answer>(&mut stream).await?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    let answer = match timeout(limit, exchange).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let message = format!("cannot call `{}`: {error}", path.display());
            return Err(Failure::new(Status::Unreachable, message));
        }
        Err(_) => {
            let name = method.as_str_name();
            let message = format!("`{}` did not answer {name} within {limit:?}", path.display());
            return Err(Failure::new(Status::TimedOut, message)
                .with_resolution("it is busy or stuck: read its log, look at `dmg system query`, and try again"));
        }
    };
    let body = Failure::check_answer(answer)?;
    Resp::decode(body).map_err(|error| Failure::new(Status::Protocol, format!("an answer cannot be decoded: {error}")))
}

/// Binds a socket at `path`, in place of one that nobody listens on.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // Engines run as the server's own user.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers calls of one's own processes until the task is dropped.
pub async fn serve<F, Fut>(listener: UnixListener, handle: F)
where
    F: Fn(Method, Bytes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Bytes, Failure>> + Send,
{
    serve_within(Limits::PRIVATE, listener, handle).await;
}

/// Answers calls until the task is dropped.
pub async fn serve_within<F, Fut>(limits: Limits, listener: UnixListener, handle: F)
where
    F: Fn(Method, Bytes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Bytes, Failure>> + Send,
{
    let handle = Arc::new(handle);
    let slots = Arc::new(tokio::sync::Semaphore::new(limits.connections));
    loop {
        let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let mut stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: give others time to close theirs.
                tracing::warn!("cannot accept a local connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            let _slot = slot;
            while let Ok(Some(call)) = patiently(limits.idle, read_message::<Call>(&mut stream)).await {
                let sequence = call.sequence;
                let result = handle(call.method(), call.body).await;
                let answer = match result {
                    Ok(body) => Answer { sequence, body, ..Answer::default() },
                    Err(failure) => failure.to_answer(sequence),
                };
                if patiently(limits.idle, write_message(&mut stream, &answer)).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// Waits for the peer, but not longer than `limit`.
async fn patiently<T>(limit: Option<Duration>, exchange: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match limit {
        Some(limit) => timeout(limit, exchange).await?,
        None => exchange.await,
    }
}

async fn write_message(stream: &mut UnixStream, message: &impl Message) -> io::Result<()> {
    let body = message.encode_to_vec();
    if body.len() > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is larger than 1 MiB"));
    }
    let mut framed = Vec::with_capacity(4 + body.len());
    framed.extend_from_slice(&(body.len() as u32).to_le_bytes());
    framed.extend_from_slice(&body);
    stream.write_all(&framed).await
}

/// `None` when the peer closed between messages.
async fn read_message<M: Message + Default>(stream: &mut UnixStream) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is larger than 1 MiB"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    M::decode(body.as_slice()).map(Some).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn calls_are_answered_and_failures_travel_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sock");
        runtime().block_on(async {
            let listener = bind(&path).unwrap();
            let server = tokio::spawn(serve(listener, |method, body| async move {
                if method == Method::Ping {
                    Ok(body)
                } else {
                    Err(Failure::new(Status::Busy, "not now").with_resolution("wait"))
                }
            }));
            let limit = Duration::from_secs(10);
            call::<_, ()>(&path, Method::Ping, &(), limit).await.unwrap();
            let failure = call::<_, ()>(&path, Method::PoolList, &(), limit).await.unwrap_err();
            assert_eq!((failure.status, failure.resolution.as_str()), (Status::Busy, "wait"));
            // Garbage and an oversized length end only their own connection.
            for bytes in [&b"\xff\xff\xff\xff"[..], &b"\x03\0\0\0\xff\xff\xff"[..]] {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                stream.write_all(bytes).await.unwrap();
                assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "closed");
            }
            call::<_, ()>(&path, Method::Ping, &(), limit).await.unwrap();
            server.abort();
        });
    }

    #[test]
    fn a_silent_client_loses_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sock");
        runtime().block_on(async {
            let limits = Limits { connections: 1, idle: Some(Duration::from_millis(50)) };
            let server = tokio::spawn(serve_within(limits, bind(&path).unwrap(), |_, body| async move { Ok(body) }));
            let mut silent = UnixStream::connect(&path).await.unwrap();
            call::<_, ()>(&path, Method::Ping, &(), Duration::from_secs(10)).await.unwrap();
            assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "closed");
            server.abort();
        });
    }

    #[test]
    fn a_socket_nobody_serves_is_a_clear_failure_and_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sock");
        runtime().block_on(async {
            drop(bind(&path).unwrap());
            let failure = call::<_, ()>(&path, Method::Ping, &(), Duration::from_secs(10)).await.unwrap_err();
            assert_eq!(failure.status, Status::Unreachable);
            assert!(failure.message.contains("test.sock"), "{failure}");
            bind(&path).unwrap();
        });
    }
}
