//! What is done with a message that came.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{MAX_STREAMS, Progress};
use crate::ofi::message::{Header, Kind};
use crate::ofi::rdm::Buffer;
use crate::ofi::stream::{Incoming, Stream, WINDOW};

impl Progress {
    /// A message came.
    pub(super) fn receive(&mut self, buffer: Buffer, length: usize) {
        let Some(header) = Header::decode(&buffer[..length]) else {
            tracing::debug!("the endpoint on {} got {length} bytes that are no message", self.rdm.address());
            return self.keep(buffer);
        };
        if header.kind == Kind::Open {
            self.keep(buffer);
            return self.opened(&header);
        }
        let stream = self.streams.get_mut(&header.to);
        let Some(stream) = stream.filter(|stream| stream.peer == header.source) else {
            self.keep(buffer);
            // DATA for a stream that was here crosses its RESET, which says the same in the right order.
            let was_here = (self.first_stream..self.next_stream).contains(&header.to);
            if matches!(header.kind, Kind::Accept | Kind::Ping) || (header.kind == Kind::Data && !was_here) {
                self.tell(header.source, Kind::Gone, 0, header.from, header.to);
            }
            return;
        };
        stream.heard = Instant::now();
        self.touched.insert(header.to);
        if header.kind == Kind::Data {
            stream.to = header.from; // ACCEPT may come after it
        }
        let incoming = match header.kind {
            Kind::Data => Incoming::Data(buffer, length),
            Kind::End => Incoming::End { deaf: false },
            Kind::Reset => Incoming::End { deaf: true },
            Kind::Accept => {
                if !stream.accepted(header.from, header.count) {
                    self.abort(header.to, io::ErrorKind::Interrupted, "nobody waits for it");
                }
                return self.keep(buffer);
            }
            Kind::Credit => {
                stream.may_send = stream.may_send.saturating_add(header.count);
                return self.keep(buffer);
            }
            Kind::Gone => {
                let refused = stream.to == 0;
                let kind = if refused { io::ErrorKind::ConnectionRefused } else { io::ErrorKind::ConnectionReset };
                stream.fail(kind, if refused { "connection refused" } else { "the peer does not know the stream" });
                self.forget(header.to);
                return self.keep(buffer);
            }
            Kind::Ping => {
                self.tell(header.source, Kind::Pong, 0, header.from, header.to);
                return self.keep(buffer);
            }
            Kind::Pong | Kind::Open => return self.keep(buffer),
        };
        if !stream.arrive(header.sequence, incoming) {
            self.abort(header.to, io::ErrorKind::InvalidData, "the peer sends more than it may");
        }
    }

    /// A peer asks for a stream.
    fn opened(&mut self, header: &Header) {
        let pair = if self.streams.len() < MAX_STREAMS { UnixStream::pair().ok() } else { None };
        let given = pair.and_then(|(ours, theirs)| {
            ours.set_nonblocking(true).ok()?;
            self.listener.as_ref()?.try_send((theirs, header.source)).ok()?;
            Some(ours)
        });
        match given {
            Some(ours) => {
                let stream = Stream::new(ours, header.source, header.from, header.count, None, Instant::now());
                let number = self.insert(stream);
                self.tell(header.source, Kind::Accept, WINDOW, header.from, number);
            }
            None => self.tell(header.source, Kind::Gone, 0, header.from, 0),
        }
    }
}
