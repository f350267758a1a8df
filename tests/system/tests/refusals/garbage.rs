//! Garbage on both ports, while a good client goes on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use system_suite::{Visitor, pattern};
use types::Status;
use wire::frame::{Kind, VERSION};
use wire::hello::{Hello, Peer};

use crate::{cluster_with_pool, still_works};

const HEADER_BYTES: usize = 32;
const HELLO_REPLY_BYTES: usize = 24;

/// A connection whose reads end.
fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Sends, and gives what comes back until the other side is done; it may well be done in the middle.
fn exchange(mut socket: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let _ = socket.read_to_end(&mut answer);
    answer
}

/// A header that claims the longest body there can be.
fn oversized() -> Vec<u8> {
    [b"DFR1".as_slice(), &[0xff; HEADER_BYTES - 4]].concat()
}

#[test]
fn garbage_on_both_ports_hurts_nobody_else() {
    let cluster = cluster_with_pool();
    let visitor = Visitor::start(&cluster);
    let mut seed = 1;
    for port in [cluster.data_port(0), cluster.port()] {
        let silent = connect(port); // one that says nothing holds nobody up
        for length in [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, 1000, 100_000] {
            seed += 1;
            exchange(connect(port), &pattern(seed, length));
            visitor.goes_on();
        }
        exchange(connect(port), &oversized());
        exchange(connect(port), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\x00\x00\x00\x00"); // a frame of 16 MiB
        assert_eq!(cluster.dmg(&["system", "query"]).code, 0);
        still_works(&cluster);
        visitor.goes_on();
        drop(silent);
    }
    visitor.finish();
}

#[test]
fn garbage_after_a_good_hello_is_refused_and_ends_that_connection_alone() {
    let cluster = cluster_with_pool();
    let visitor = Visitor::start(&cluster);
    let hello = Hello {
        least_version: VERSION,
        greatest_version: VERSION,
        target: 0,
        peer: Peer::Client,
        system: "daos_server".to_owned(),
    };
    for garbage in [pattern(99, 5000), oversized(), hello.encode().into_frame(Kind::Hello, 0, 0).concat()] {
        let mut socket = connect(cluster.data_port(0));
        socket.write_all(&hello.encode().into_frame(Kind::Hello, 0, 0).concat()).unwrap();
        let mut reply = [0; HEADER_BYTES + HELLO_REPLY_BYTES];
        socket.read_exact(&mut reply).unwrap();
        let answer = exchange(socket, &garbage);
        // The refusal may be lost when the engine closes with our bytes unread; nothing else may come.
        if let Some(status) = answer.get(HEADER_BYTES..HEADER_BYTES + 4) {
            let status = i32::from_le_bytes(status.try_into().unwrap());
            assert_eq!(status, Status::Protocol.code(), "{answer:?}");
        }
        visitor.goes_on();
    }
    visitor.finish();
    still_works(&cluster);
}
