//! One client's connection on the target's thread: what was received, what is to be sent, and how much is under way.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use fabric::Inbound;
use wire::frame::{Frame, FrameError, Kind, MAX_BODY_BYTES};
use wire::hello::Refusal;

/// Requests of one connection in work at once, as told in HELLO_REPLY. Enough for the largest queue depth one client has
/// a use for; further ones wait in the socket.
pub const MAX_IN_FLIGHT: u16 = 256;
/// Replies of one connection that wait to be sent. A client that does not read gets no more work done than this.
const MAX_UNSENT_BYTES: usize = 2 * MAX_BODY_BYTES;
/// Room for one receive when nothing is known of what comes.
const RECEIVE_BYTES: usize = 64 << 10;
/// Room for one receive in the middle of a large body.
const LARGE_RECEIVE_BYTES: usize = 1 << 20;

/// A client's connection.
pub(crate) struct Connection {
    pub(crate) socket: Arc<OwnedFd>,
    inbound: Inbound,
    outbound: VecDeque<Bytes>,
    unsent: usize,
    /// A receive is with the ring.
    receiving: bool,
    /// A send is with the ring, with this many bytes of `unsent`.
    sending: bool,
    /// Frames given to the store and not yet answered.
    pub(crate) in_flight: usize,
    /// What was received may hold whole frames that were not taken; nothing is received before they are.
    pub(crate) has_more: bool,
    /// No more is received; the connection ends when all is sent.
    closing: bool,
    /// The socket is of no use any more.
    broken: bool,
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd, received: &[u8]) -> Connection {
        let mut inbound = Inbound::new(MAX_BODY_BYTES);
        inbound.feed(received);
        Connection {
            socket: Arc::new(socket),
            inbound,
            outbound: VecDeque::new(),
            unsent: 0,
            receiving: false,
            sending: false,
            in_flight: 0,
            has_more: false,
            closing: false,
            broken: false,
        }
    }

    /// Memory for a receive, when one should be started now.
    pub(crate) fn start_receive(&mut self, spare: Option<Vec<u8>>) -> Option<Vec<u8>> {
        if self.receiving || self.closing || self.broken || self.has_more || !self.has_room() {
            return None;
        }
        self.receiving = true;
        let wanted = if self.inbound.missing() > RECEIVE_BYTES { LARGE_RECEIVE_BYTES } else { RECEIVE_BYTES };
        match spare {
            Some(buffer) if buffer.len() == wanted => Some(buffer),
            _ => Some(vec![0; wanted]),
        }
    }

    /// Takes the result of a receive.
    pub(crate) fn received(&mut self, result: &std::io::Result<usize>, buffer: &[u8]) {
        self.receiving = false;
        match result {
            Ok(0) => self.closing = true,
            Ok(length) => self.inbound.feed(&buffer[..*length]),
            Err(_) => self.broken = true,
        }
    }

    /// The next request, as long as there is room for its work.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.broken || !self.has_room() { Ok(None) } else { self.inbound.next_frame() }
    }

    /// Queues a frame.
    pub(crate) fn queue(&mut self, chunks: Vec<Bytes>) {
        for chunk in chunks {
            self.unsent += chunk.len();
            self.outbound.push_back(chunk);
        }
    }

    /// Says why and ends the connection once that is sent.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.queue(refusal.encode().into_frame(Kind::Refusal, 0, 0));
        self.closing = true;
        self.inbound = Inbound::new(0);
    }

    /// Takes no more requests; what is in work is still answered.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Chunks to be sent, when a send should be started now.
    pub(crate) fn start_send(&mut self) -> Option<VecDeque<Bytes>> {
        if self.sending || self.broken || self.outbound.is_empty() {
            return None;
        }
        self.sending = true;
        Some(std::mem::take(&mut self.outbound))
    }

    /// Takes the result of a send: what was not sent goes first next time.
    pub(crate) fn sent(&mut self, result: &std::io::Result<usize>, mut chunks: VecDeque<Bytes>) {
        self.sending = false;
        let Ok(mut sent) = *result else {
            self.broken = true;
            return;
        };
        self.unsent -= sent;
        while sent > 0 {
            let first = chunks.front_mut().expect("no more is sent than was given");
            let taken = sent.min(first.len());
            first.advance(taken);
            sent -= taken;
            if first.is_empty() {
                chunks.pop_front();
            }
        }
        chunks.append(&mut self.outbound);
        self.outbound = chunks;
    }

    /// True when it can be forgotten: it ended and the ring holds nothing of it.
    pub(crate) fn is_over(&self) -> bool {
        let drained = self.outbound.is_empty() && self.in_flight == 0;
        !self.receiving && !self.sending && (self.broken || (self.closing && drained))
    }

    /// True when a receive is under way that only the end of the socket would finish.
    pub(crate) fn wants_shutdown(&self) -> bool {
        self.receiving
            && (self.broken || (self.closing && self.outbound.is_empty() && !self.sending && self.in_flight == 0))
    }

    /// True when it may give more work.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight < usize::from(MAX_IN_FLIGHT) && self.unsent <= MAX_UNSENT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use types::Status;
    use wire::frame::Body;

    fn connection(received: &[u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Connection::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap().into(), received)
    }

    fn request(tag: u64) -> Vec<u8> {
        Body::new().into_frame(Kind::Request, tag, 1).concat()
    }

    #[test]
    fn work_beyond_the_limit_waits() {
        let stream: Vec<u8> = (0..2).flat_map(request).collect();
        let mut connection = connection(&stream);
        assert_eq!(connection.next_frame().unwrap().unwrap().header.tag, 0);
        connection.in_flight = usize::from(MAX_IN_FLIGHT);
        assert_eq!(connection.next_frame(), Ok(None));
        assert!(connection.start_receive(None).is_none());
        connection.in_flight -= 1;
        assert_eq!(connection.next_frame().unwrap().unwrap().header.tag, 1);
        connection.queue(vec![Bytes::from(vec![0; MAX_UNSENT_BYTES + 1])]);
        assert!(connection.start_receive(None).is_none(), "a client that does not read is not read from");
    }

    #[test]
    fn a_part_sent_continues_where_it_stopped() {
        let mut connection = connection(b"");
        connection.queue(vec![Bytes::from_static(b"abc"), Bytes::from_static(b"def")]);
        let chunks = connection.start_send().unwrap();
        connection.queue(vec![Bytes::from_static(b"ghi")]);
        assert!(connection.start_send().is_none(), "one send at a time");
        connection.sent(&Ok(4), chunks);
        let rest: Vec<u8> = connection.start_send().unwrap().into_iter().flatten().collect();
        assert_eq!(rest, b"efghi");
    }

    #[test]
    fn a_refused_connection_ends_after_its_last_words() {
        let mut connection = connection(b"");
        connection.refuse(&Refusal::new(Status::Protocol, "no"));
        assert!(!connection.is_over());
        let chunks = connection.start_send().unwrap();
        let length = chunks.iter().map(Bytes::len).sum();
        connection.sent(&Ok(length), chunks);
        assert!(connection.is_over() && connection.start_receive(None).is_none());
    }
}
