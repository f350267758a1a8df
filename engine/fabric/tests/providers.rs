//! What every provider must do, run over sockets and, with libfabric, over its TCP.

#![allow(clippy::disallowed_methods)] // a suite: sockets and deadlines

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use daos_fabric::{Bound, Connection, ConnectionError, Dialer, Inbound, Listener, PROVIDERS, Provider, Socket, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use types::{Rank, Status};
use wire::frame::{Body, Frame, Kind, MAX_BODY_BYTES, VERSION};
use wire::hello::{Hello, HelloReply, Peer, Refusal};

const LIMIT: Duration = Duration::from_secs(30);
const LOCAL: &str = "127.0.0.1:0";

/// A listening side and the way to it.
struct Place<L> {
    uri: Uri,
    listener: L,
    dialer: Dialer,
}

/// Runs a case over every provider.
macro_rules! over_all_providers {
    ($($case:ident)*) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sockets() {
                let provider = super::Provider::TCP;
                // Without libfabric there is one kind.
                #[allow(irrefutable_let_patterns)]
                let super::Bound::Tcp(bound) = super::Bound::open(provider, super::local()).unwrap() else {
                    panic!("sockets need no libfabric")
                };
                let uri = super::Uri { provider, address: bound.local_addr().unwrap() };
                let listener = super::TcpListener::from_std(bound).unwrap();
                super::$case(super::Place { uri, listener, dialer: super::Dialer::default() }).await;
            }

            #[cfg(feature = "ofi")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn libfabric() {
                let provider = super::Provider::serving("ofi+tcp;ofi_rxm").unwrap();
                let bound = super::Bound::open(provider, super::local()).unwrap();
                let uri = bound.uri(provider).unwrap();
                let super::Bound::Ofi(endpoint) = bound else { panic!("not of libfabric") };
                let listener = Closing { listener: endpoint.listen().unwrap(), _endpoint: endpoint };
                super::$case(super::Place { uri, listener, dialer: super::Dialer::default() }).await;
            }

            /// An endpoint that closes with its listener, as a socket does.
            #[cfg(feature = "ofi")]
            struct Closing {
                listener: daos_fabric::ofi::OfiListener,
                _endpoint: std::sync::Arc<daos_fabric::ofi::Endpoint>,
            }

            #[cfg(feature = "ofi")]
            impl super::Listener for Closing {
                type Socket = tokio::net::UnixStream;

                async fn accept(&mut self) -> std::io::Result<(Self::Socket, std::net::SocketAddr)> {
                    self.listener.accept().await
                }
            }
        }
    )*};
}

over_all_providers! {
    many_calls_at_once_are_matched
    large_bodies_arrive_whole
    a_reader_that_waits_loses_nothing
    the_last_words_of_an_engine_arrive
    an_engine_that_goes_ends_all_calls
    a_client_that_goes_is_noticed
    a_call_given_up_disturbs_no_other
    a_thread_of_its_own_can_take_the_socket
    nobody_there_is_an_error_in_time
}

fn local() -> SocketAddr {
    LOCAL.parse().unwrap()
}

fn hello() -> Hello {
    Hello {
        least_version: VERSION,
        greatest_version: VERSION,
        target: 0,
        peer: Peer::Client,
        system: "daos_server".to_owned(),
    }
}

async fn next<S: Socket>(socket: &mut S, inbound: &mut Inbound) -> Option<Frame> {
    loop {
        if let Some(frame) = inbound.next_frame().unwrap() {
            return Some(frame);
        }
        if socket.read_buf(inbound.buffer()).await.ok()? == 0 {
            return None;
        }
    }
}

/// Accepts a connection and answers its HELLO.
async fn greet<L: Listener>(listener: &mut L) -> (L::Socket, Inbound) {
    let (mut socket, from) = listener.accept().await.unwrap();
    assert!(from.ip().is_loopback(), "{from}");
    socket.keep_alive().unwrap();
    let mut inbound = Inbound::new(MAX_BODY_BYTES);
    let frame = next(&mut socket, &mut inbound).await.unwrap();
    assert_eq!(Hello::decode(frame.body).unwrap(), hello());
    let reply = HelloReply {
        version: VERSION,
        rank: Rank(3),
        incarnation: 1,
        max_body: MAX_BODY_BYTES as u32,
        max_operations: 64,
        max_in_flight: 64,
    };
    socket.write_all(&reply.encode().into_frame(Kind::HelloReply, 0, 0).concat()).await.unwrap();
    (socket, inbound)
}

fn body(bytes: &[u8]) -> Body {
    let mut body = Body::new();
    body.put(bytes);
    body
}

/// Bytes that differ from their neighbours and from those of another seed.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) ^ (n >> 8) ^ seed) as u8).collect()
}

/// Answers every request with its own body, until the client closes.
async fn echo<S: Socket>((mut socket, mut inbound): (S, Inbound)) {
    while let Some(frame) = next(&mut socket, &mut inbound).await {
        let reply = body(&frame.body).into_frame(Kind::Reply, frame.header.tag, frame.header.count);
        if socket.write_all(&reply.concat()).await.is_err() {
            return;
        }
    }
}

async fn many_calls_at_once_are_matched<L: Listener>(mut place: Place<L>) {
    let server = tokio::spawn(async move {
        let accepted = greet(&mut place.listener).await;
        echo(accepted).await;
        place.listener
    });
    let connection = Connection::open(&place.dialer, place.uri, hello(), LIMIT).await.unwrap();
    assert_eq!(connection.hello().rank, Rank(3));
    let connection = std::sync::Arc::new(connection);
    let calls: Vec<_> = (0..200)
        .map(|seed| {
            let connection = connection.clone();
            tokio::spawn(async move {
                let sent = pattern(seed * 37, seed);
                let reply = connection.call(Kind::Request, 1, body(&sent)).await.unwrap();
                assert!(reply.body == sent, "call {seed} got the answer of another");
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    drop(connection);
    server.await.unwrap();
}

async fn large_bodies_arrive_whole<L: Listener>(mut place: Place<L>) {
    let server = tokio::spawn(async move {
        echo(greet(&mut place.listener).await).await;
        place.listener
    });
    let connection = Connection::open(&place.dialer, place.uri, hello(), LIMIT).await.unwrap();
    for length in [(64 << 10) - 1, 64 << 10, (64 << 10) + 1, 5 << 20, 32 << 20] {
        let sent = pattern(length, length);
        let reply = connection.call(Kind::Request, 1, body(&sent)).await.unwrap();
        assert!(reply.body == sent, "{length} bytes changed");
    }
    drop(connection);
    server.await.unwrap();
}

async fn a_reader_that_waits_loses_nothing<L: Listener>(mut place: Place<L>) {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let accepted = greet(&mut place.listener).await;
        wait.await.unwrap();
        echo(accepted).await;
        place.listener
    });
    let connection = Connection::open(&place.dialer, place.uri, hello(), LIMIT).await.unwrap();
    let sent = pattern(16 << 20, 1);
    let mut call = Box::pin(connection.call(Kind::Request, 1, body(&sent)));
    // Far more than all buffers on the way hold: the call cannot be through while nobody reads.
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut call).await.is_err());
    go.send(()).unwrap();
    assert!(call.await.unwrap().body == sent);
    drop(connection);
    server.await.unwrap();
}

async fn the_last_words_of_an_engine_arrive<L: Listener>(mut place: Place<L>) {
    let server = tokio::spawn(async move {
        let (mut socket, mut inbound) = greet(&mut place.listener).await;
        next(&mut socket, &mut inbound).await.unwrap();
        let refusal = Refusal::new(Status::Busy, "come again");
        socket.write_all(&refusal.encode().into_frame(Kind::Refusal, 0, 0).concat()).await.unwrap();
        socket.shutdown().await.unwrap();
        drop(socket);
        place.listener
    });
    let connection = Connection::open(&place.dialer, place.uri, hello(), LIMIT).await.unwrap();
    let error = connection.call(Kind::Request, 1, body(b"x")).await.unwrap_err();
    assert!(matches!(&error, ConnectionError::Refused { refusal, .. } if refusal.text == "come again"), "{error}");
    server.await.unwrap();
}

async fn an_engine_that_goes_ends_all_calls<L: Listener>(mut place: Place<L>) {
    let server = tokio::spawn(async move {
        let (mut socket, mut inbound) = greet(&mut place.listener).await;
        next(&mut socket, &mut inbound).await.unwrap();
        drop(socket);
        drop(place.listener);
    });
    let connection = Connection::open(&place.dialer, place.uri, hello(), LIMIT).await.unwrap();
    let error = connection.call(Kind::Request, 1, body(b"x")).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Closed { .. }), "{error}");
    let again = connection.call(Kind::Request, 1, body(b"x")).await.unwrap_err();
    assert_eq!((again, connection.ended()), (error.clone(), Some(error)));
    server.await.unwrap();
}

async fn a_client_that_goes_is_noticed<L: Listener>(mut place: Place<L>) {
    let (connection, (mut socket, mut inbound)) = {
        let opening = Connection::open(&place.dialer, place.uri, hello(), LIMIT);
        let (connection, accepted) = tokio::join!(opening, greet(&mut place.listener));
        (connection.unwrap(), accepted)
    };
    drop(connection);
    let ended = tokio::time::timeout(LIMIT, next(&mut socket, &mut inbound)).await;
    assert!(ended.expect("noticed in time").is_none());
}

async fn a_call_given_up_disturbs_no_other<L: Listener>(mut place: Place<L>) {
    let server = tokio::spawn(async move {
        let accepted = greet(&mut place.listener).await;
        echo(accepted).await;
        place.listener
    });
    let connection = Connection::open(&place.dialer, place.uri, hello(), LIMIT).await.unwrap();
    let large = pattern(4 << 20, 3);
    for _ in 0..20 {
        let call = connection.call(Kind::Request, 1, body(&large));
        let _ = tokio::time::timeout(Duration::from_micros(200), call).await; // given up at any point of its way
        let small = pattern(100, 7);
        assert!(connection.call(Kind::Request, 1, body(&small)).await.unwrap().body == small);
    }
    drop(connection);
    server.await.unwrap();
}

async fn a_thread_of_its_own_can_take_the_socket<L: Listener>(mut place: Place<L>) {
    let connection = {
        let opening = Connection::open(&place.dialer, place.uri, hello(), LIMIT);
        let (connection, (socket, mut inbound)) = tokio::join!(opening, greet(&mut place.listener));
        let descriptor: OwnedFd = socket.into_blocking().unwrap();
        std::thread::spawn(move || {
            let mut socket = std::fs::File::from(descriptor);
            let mut room = vec![0; 4096];
            loop {
                while let Some(frame) = inbound.next_frame().unwrap() {
                    let reply = body(&frame.body).into_frame(Kind::Reply, frame.header.tag, frame.header.count);
                    socket.write_all(&reply.concat()).unwrap();
                }
                match socket.read(&mut room) {
                    Ok(0) | Err(_) => return,
                    Ok(length) => inbound.feed(&room[..length]),
                }
            }
        });
        connection.unwrap()
    };
    for seed in 0..50 {
        let sent = pattern(3000, seed);
        assert!(connection.call(Kind::Request, 1, body(&sent)).await.unwrap().body == sent);
    }
}

async fn nobody_there_is_an_error_in_time<L: Listener>(place: Place<L>) {
    drop(open_once(&place).await);
    let Place { uri, listener, dialer } = place;
    drop(listener);
    let error = Connection::open(&dialer, uri, hello(), Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Connect { .. } | ConnectionError::TimedOut { .. }), "{error}");
    assert!(matches!(error.status(), Status::Unreachable | Status::TimedOut));
}

/// A stream nobody answers HELLO on, given up: the listener only has it in its backlog.
async fn open_once<L>(place: &Place<L>) -> Result<Connection, ConnectionError> {
    Connection::open(&place.dialer, place.uri, hello(), Duration::from_millis(200)).await
}

#[cfg(feature = "ofi")]
#[test]
fn a_provider_that_libfabric_has_not_is_refused_in_words() {
    let provider = Provider::serving("ofi+shm").unwrap();
    let error = Bound::open(provider, local()).unwrap_err().to_string();
    assert!(error.contains("libfabric has no provider `shm` for 127.0.0.1:0 on this host\nhint: `fi_info`"), "{error}");
    assert!(!provider.is_offered_on(local().ip()));
    assert!(Provider::serving("ofi+tcp;ofi_rxm").unwrap().is_offered_on(local().ip()));
}

#[test]
fn an_address_in_use_is_refused() {
    for name in PROVIDERS.iter().filter(|name| name.starts_with("ofi+tcp")) {
        let provider = Provider::serving(name).unwrap();
        let first = Bound::open(provider, local()).unwrap();
        let error = Bound::open(provider, first.uri(provider).unwrap().address).unwrap_err();
        assert!(error.to_string().contains("in use"), "{name}: {error}");
    }
}
