//! One stream between two endpoints: what came and waits for its reader, and how much may be sent.
//!
//! A stream is a socket pair here and numbered messages there: one end of the pair is the application's, the other is
//! this one's. No IO but on that socket, so that it can be tested without libfabric.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use tokio::sync::oneshot;

use super::message::{HEADER_BYTES, SEGMENT_BYTES};
use super::rdm::Buffer;

/// DATA that a stream may have under way and unread at its receiver: 1 MiB.
pub(super) const WINDOW: u16 = 16;
/// How far a number may be ahead: a window of data, and what ends the stream in either direction.
const AHEAD_MAX: u32 = WINDOW as u32 + 1;
/// Read messages are told to the sender in lots: fewer messages, and the sender never waits for the last one.
const CREDIT_LOT: u16 = WINDOW / 4;

/// Told what became of asking for a stream.
pub(super) type Opening = oneshot::Sender<io::Result<()>>;

/// One end of a stream.
pub(super) struct Stream {
    pub(super) local: UnixStream,
    pub(super) peer: SocketAddr,
    /// Its number at the peer; 0 before ACCEPT.
    pub(super) to: u64,
    /// DATA that may be sent now.
    pub(super) may_send: u16,
    /// When a message of it came last, and when the peer was last asked for one.
    pub(super) heard: Instant,
    pub(super) asked: Instant,
    opening: Option<Opening>,
    arrived: VecDeque<Arrived>,
    /// What came before its turn: libfabric matches messages in order, but may finish a short one before a long one.
    early: HashMap<u32, Incoming>,
    /// Number of the next DATA, END or RESET in each direction.
    next_in: u32,
    next_out: u32,
    /// DATA read since the sender was last told.
    read: u16,
    /// The application sends no more.
    sent_all: bool,
    /// The peer sends no more.
    received_all: bool,
}

/// A DATA message; from `at` on it is not yet read.
struct Arrived {
    buffer: Buffer,
    at: usize,
    end: usize,
}

/// What comes in order.
pub(super) enum Incoming {
    /// A message of DATA of so many bytes.
    Data(Buffer, usize),
    /// The peer sends no more, and takes no more if `deaf`.
    End {
        /// It takes no more.
        deaf: bool,
    },
}

/// What the application had to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// So many bytes, behind the place of the header.
    Data(usize),
    /// Nothing at present.
    Nothing,
    /// Nothing any more.
    End,
}

/// What is to be told to the peer after bytes were delivered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Credit, when it is not 0.
    pub(super) credit: u16,
    /// The application takes no more.
    pub(super) deaf: bool,
}

impl Stream {
    /// A stream that is asked for, or one that a peer asked for (`to` is its number there).
    pub(super) fn new(
        local: UnixStream,
        peer: SocketAddr,
        to: u64,
        may_send: u16,
        opening: Option<Opening>,
        now: Instant,
    ) -> Stream {
        Stream {
            local,
            peer,
            to,
            may_send,
            heard: now,
            asked: now,
            opening,
            arrived: VecDeque::new(),
            early: HashMap::new(),
            next_in: 0,
            next_out: 0,
            read: 0,
            sent_all: false,
            received_all: false,
        }
    }

    /// The peer gave the stream. False when nobody waits for it any more.
    pub(super) fn accepted(&mut self, to: u64, may_send: u16) -> bool {
        self.to = to;
        self.may_send = self.may_send.saturating_add(may_send);
        self.opening.take().is_none_or(|opening| opening.send(Ok(())).is_ok())
    }

    /// The stream ends for this reason; whoever waits for its opening is told.
    pub(super) fn fail(&mut self, kind: io::ErrorKind, reason: &str) {
        if let Some(opening) = self.opening.take() {
            let _ = opening.send(Err(io::Error::new(kind, reason.to_owned()))); // nobody waits any more
        }
        let _ = self.local.shutdown(Shutdown::Both); // the application may have closed it already
    }

    /// Whether bytes of the application should be read.
    pub(super) fn wants_input(&self) -> bool {
        self.to != 0 && self.may_send > 0 && !self.sent_all
    }

    /// Whether something waits for the application to read it.
    pub(super) fn wants_output(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Whether the application has sent its last byte: from then on the socket is watched for its closing alone.
    pub(super) fn sent_all(&self) -> bool {
        self.sent_all
    }

    /// Reads what the application sends into a message.
    pub(super) fn take(&mut self, buffer: &mut Buffer) -> Sending {
        match self.local.read(&mut buffer[HEADER_BYTES..HEADER_BYTES + SEGMENT_BYTES]) {
            Ok(length) if length > 0 => {
                self.may_send -= 1;
                Sending::Data(length)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Sending::Nothing
            }
            // A socket pair has no errors but that its other end is gone.
            Ok(_) | Err(_) => {
                self.sent_all = true;
                Sending::End
            }
        }
    }

    /// The number of what is sent now.
    pub(super) fn number(&mut self) -> u32 {
        let number = self.next_out;
        self.next_out = number.wrapping_add(1);
        number
    }

    /// Takes what has number `sequence`. False when the peer sends more than it may, or after its end: it may still say that it
    /// takes no more either.
    pub(super) fn arrive(&mut self, sequence: u32, incoming: Incoming) -> bool {
        let is_data = matches!(incoming, Incoming::Data(..));
        let early = self.early.values().filter(|early| matches!(early, Incoming::Data(..))).count();
        let unread = self.arrived.len() + early + usize::from(self.read);
        let ahead = sequence.wrapping_sub(self.next_in);
        let after_end = self.received_all && !matches!(incoming, Incoming::End { deaf: true });
        if after_end || ahead > AHEAD_MAX || (is_data && unread >= usize::from(WINDOW)) {
            return false;
        }
        if self.early.insert(sequence, incoming).is_some() {
            return false;
        }
        while let Some(incoming) = self.early.remove(&self.next_in) {
            self.next_in = self.next_in.wrapping_add(1);
            match incoming {
                Incoming::Data(buffer, end) => self.arrived.push_back(Arrived { buffer, at: HEADER_BYTES, end }),
                Incoming::End { deaf } => self.ends(deaf),
            }
        }
        true
    }

    fn ends(&mut self, deaf: bool) {
        self.received_all = true;
        self.sent_all |= deaf;
    }

    /// Hands on what came, as far as the application takes it. Buffers that are read go to `spare`.
    pub(super) fn deliver(&mut self, spare: &mut Vec<Buffer>) -> Delivered {
        let mut deaf = false;
        while let Some(first) = self.arrived.front_mut() {
            match self.local.write(&first.buffer[first.at..first.end]) {
                Ok(length) => first.at += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    deaf = true;
                    break;
                }
            }
            if first.at == first.end
                && let Some(done) = self.arrived.pop_front()
            {
                spare.push(done.buffer);
                self.read += 1;
            }
        }
        if self.arrived.is_empty() && self.received_all {
            let _ = self.local.shutdown(Shutdown::Write); // the application may have closed it already
        }
        let credit = if self.read >= CREDIT_LOT && !self.received_all { std::mem::take(&mut self.read) } else { 0 };
        Delivered { credit, deaf }
    }

    /// True when nothing is left to be done in either direction.
    pub(super) fn is_over(&self) -> bool {
        self.sent_all && self.received_all && self.arrived.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ofi::message::MESSAGE_BYTES;

    fn data(bytes: &[u8]) -> Incoming {
        let mut buffer = vec![0; MESSAGE_BYTES].into_boxed_slice();
        buffer[HEADER_BYTES..HEADER_BYTES + bytes.len()].copy_from_slice(bytes);
        Incoming::Data(buffer, HEADER_BYTES + bytes.len())
    }

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Stream::new(ours, "10.0.0.7:1".parse().unwrap(), 5, WINDOW, None, Instant::now()), theirs)
    }

    #[test]
    fn what_the_application_writes_is_read_within_the_credit() {
        let (mut stream, mut application) = pair();
        let mut message = vec![0; MESSAGE_BYTES].into_boxed_slice();
        assert_eq!(stream.take(&mut message), Sending::Nothing);
        application.write_all(b"hello").unwrap();
        stream.may_send = 1;
        assert_eq!(stream.take(&mut message), Sending::Data(5));
        assert_eq!(&message[HEADER_BYTES..HEADER_BYTES + 5], b"hello");
        assert!(!stream.wants_input(), "the credit is used up");
        stream.may_send += 1;
        drop(application);
        assert!(stream.wants_input());
        assert_eq!(stream.take(&mut message), Sending::End);
        assert!(!stream.wants_input() && !stream.is_over());
        assert!(stream.arrive(0, Incoming::End { deaf: false }));
        assert!(stream.is_over());
    }

    #[test]
    fn credit_is_given_for_what_was_read_and_no_peer_gets_more() {
        let (mut stream, mut application) = pair();
        let mut spare = Vec::new();
        for number in 0..CREDIT_LOT - 1 {
            assert!(stream.arrive(number.into(), data(b"x")));
        }
        assert_eq!(stream.deliver(&mut spare), Delivered::default());
        for number in CREDIT_LOT - 1..WINDOW {
            assert!(stream.arrive(number.into(), data(b"x")));
        }
        assert!(!stream.arrive(WINDOW.into(), data(b"x")), "more than the window");
        assert_eq!(stream.deliver(&mut spare), Delivered { credit: WINDOW, deaf: false });
        assert_eq!(spare.len(), usize::from(WINDOW));
        let mut heard = [0; 64];
        assert_eq!(application.read(&mut heard).unwrap(), usize::from(WINDOW));
    }

    #[test]
    fn what_came_before_the_end_is_read_before_the_end_is_seen() {
        let (mut stream, mut application) = pair();
        assert!(stream.arrive(2, Incoming::End { deaf: true }));
        assert!(stream.arrive(1, data(b" words")));
        stream.deliver(&mut Vec::new());
        assert!(!stream.is_over(), "the first is still missing");
        assert!(!stream.arrive(1, data(b" words")), "the same again");
        assert!(stream.arrive(0, data(b"last")));
        assert!(!stream.is_over());
        assert!(!stream.arrive(3, data(b"more")), "after its end");
        stream.deliver(&mut Vec::new());
        let mut heard = String::new();
        application.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "last words");
        assert!(stream.is_over());
    }

    #[test]
    fn a_peer_that_has_ended_may_still_close() {
        let (mut stream, mut application) = pair();
        assert!(stream.arrive(0, data(b"words")));
        assert!(stream.arrive(1, Incoming::End { deaf: false }));
        assert!(stream.arrive(2, Incoming::End { deaf: true }), "it closed in the other direction too");
        assert!(!stream.arrive(3, Incoming::End { deaf: false }), "but it ends once");
        stream.deliver(&mut Vec::new());
        let mut heard = String::new();
        application.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "words");
        assert!(stream.is_over());
    }

    #[test]
    fn an_end_that_overtakes_takes_no_room_from_data() {
        let (mut stream, mut application) = pair();
        for number in 0..WINDOW - 1 {
            assert!(stream.arrive(number.into(), data(b"x")));
        }
        let last = u32::from(WINDOW) - 1;
        assert!(stream.arrive(last + 2, Incoming::End { deaf: true }));
        assert!(stream.arrive(last + 1, Incoming::End { deaf: false }));
        assert!(stream.arrive(last, data(b"x")), "within the window");
        stream.deliver(&mut Vec::new());
        let mut heard = String::new();
        application.read_to_string(&mut heard).unwrap();
        assert_eq!(heard.len(), usize::from(WINDOW));
    }

    #[test]
    fn an_application_that_is_gone_is_deaf() {
        let (mut stream, application) = pair();
        drop(application);
        assert!(stream.arrive(0, data(b"x")));
        assert!(stream.deliver(&mut Vec::new()).deaf);
    }

    #[test]
    fn whoever_waits_for_the_opening_is_told() {
        let (answer, mut asked) = oneshot::channel();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = "10.0.0.7:1".parse().unwrap();
        let mut stream = Stream::new(ours, peer, 0, 0, Some(answer), Instant::now());
        assert!(!stream.wants_input(), "nothing is sent before the peer agreed");
        stream.fail(io::ErrorKind::ConnectionRefused, "no");
        assert_eq!(asked.try_recv().unwrap().unwrap_err().to_string(), "no");
        let (answer, asked) = oneshot::channel();
        drop(asked);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(!Stream::new(ours, peer, 0, 0, Some(answer), Instant::now()).accepted(5, WINDOW));
    }
}
