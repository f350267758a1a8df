//! Frames out of a stream of bytes. No IO: whoever receives hands the bytes in.
//!
//! Memory is bounded by one frame of the largest size and one read: the length of a body is checked before room is made
//! for it.

use bytes::{Buf, Bytes, BytesMut};
use wire::frame::{Frame, FrameError, HEADER_BYTES, Header};

/// The receiving half of a connection.
#[derive(Debug)]
pub struct Inbound {
    limit: usize,
    received: BytesMut,
    /// The header of the frame whose body is being received.
    header: Option<Header>,
}

impl Inbound {
    /// For bodies up to `limit` bytes.
    pub fn new(limit: usize) -> Inbound {
        Inbound { limit, received: BytesMut::new(), header: None }
    }

    /// Takes received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Room to receive into directly, as an alternative to [`Inbound::feed`].
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.received
    }

    /// Bytes still missing of the frame that is being received; 0 between frames.
    pub fn missing(&self) -> usize {
        self.header.map_or(0, |header| header.body_length.saturating_sub(self.received.len()))
    }

    /// True when the stream may end here: no frame has begun.
    pub fn at_boundary(&self) -> bool {
        self.header.is_none() && self.received.is_empty()
    }

    /// The next whole frame, its checksums verified. After an error the stream has no known boundary any more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(raw) = self.received.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
                let header = Header::decode(raw, self.limit)?;
                self.received.advance(HEADER_BYTES);
                self.received.reserve(header.body_length.saturating_sub(self.received.len()));
                self.header = Some(header);
                header
            }
        };
        if self.received.len() < header.body_length {
            return Ok(None);
        }
        let body: Bytes = self.received.split_to(header.body_length).freeze();
        header.check(&body)?;
        self.header = None;
        Ok(Some(Frame { header, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::frame::{Body, Kind};

    fn frame(tag: u64, length: usize) -> Vec<u8> {
        let mut body = Body::new();
        body.put(&vec![tag as u8; length]);
        body.into_frame(Kind::Request, tag, 1).concat()
    }

    proptest! {
        #[test]
        fn frames_come_out_whole_however_the_bytes_arrive(
            lengths in prop::collection::vec(0usize..5000, 1..6),
            cuts in prop::collection::vec(1usize..3000, 1..40),
        ) {
            let stream: Vec<u8> = lengths.iter().enumerate().flat_map(|(tag, length)| frame(tag as u64, *length)).collect();
            let mut inbound = Inbound::new(5000);
            let mut seen = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.into_iter().cycle() {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                inbound.feed(now);
                while let Some(frame) = inbound.next_frame().unwrap() {
                    prop_assert!(frame.body.iter().all(|byte| u64::from(*byte) == frame.header.tag));
                    seen.push((frame.header.tag as usize, frame.body.len()));
                }
                rest = later;
                if rest.is_empty() { break; }
            }
            prop_assert!(inbound.at_boundary());
            prop_assert_eq!(seen, lengths.into_iter().enumerate().collect::<Vec<_>>());
        }

        #[test]
        fn garbage_is_refused_without_making_room_for_it(bytes in prop::collection::vec(any::<u8>(), 32..100)) {
            let mut inbound = Inbound::new(1 << 20);
            inbound.feed(&bytes);
            prop_assert!(inbound.next_frame().is_err());
            prop_assert!(inbound.buffer().capacity() < 4096);
        }
    }

    #[test]
    fn a_body_over_the_limit_of_this_connection_is_refused_at_its_header() {
        let mut inbound = Inbound::new(10);
        inbound.feed(&frame(1, 11)[..HEADER_BYTES]);
        assert_eq!(inbound.next_frame(), Err(FrameError::TooLong { length: 11, limit: 10 }));
    }
}
