//! Requests under way: frames whose operations wait for the store, and commands of the mailbox.

use bytes::Bytes;
use store::{Reply, Token};
use types::{Answer, Outcome, Status, Stretch};
use wire::frame::{Kind, MAX_BODY_BYTES};
use wire::operation::encode_answers;

use crate::slab::Slab;

/// Where the answer to a token goes.
pub(crate) enum Origin {
    /// Operation `index` of frame `frame`.
    Frame { frame: u64, index: usize },
    /// The mailbox.
    Mailbox(Box<dyn FnOnce(Reply) + Send>),
    /// The checkpoint before the end.
    Stop,
}

/// A frame that waits for its answers.
struct Waiting {
    connection: u64,
    tag: u64,
    /// Of the request and of the answers so far.
    bytes: usize,
    /// What the reply can still carry.
    room: usize,
    left: usize,
    answers: Vec<Option<Answer>>,
}

/// What became of an answer.
pub(crate) struct Answered {
    /// Bytes that it keeps in memory until its frame is complete.
    pub(crate) kept: usize,
    /// The frame, when this was its last answer.
    pub(crate) finished: Option<Finished>,
}

/// A frame whose answers are complete.
pub(crate) struct Finished {
    pub(crate) connection: u64,
    /// Bytes of the request and of what was kept of its answers, which no longer count as in flight.
    pub(crate) bytes: usize,
    /// The reply frame.
    pub(crate) chunks: Vec<Bytes>,
}

/// All requests of one target.
#[derive(Default)]
pub(crate) struct Requests {
    origins: Slab<Origin>,
    frames: Slab<Waiting>,
}

impl Requests {
    /// Registers a frame of `count` operations; its operations get tokens by [`Requests::token`].
    pub(crate) fn frame(&mut self, connection: u64, tag: u64, count: usize, bytes: usize) -> u64 {
        // Every answer has its fixed part, whatever it is; so one without more always fits, and what is done is never told as refused.
        let room = MAX_BODY_BYTES.saturating_sub(FIXED_BYTES * count);
        self.frames.add(Waiting { connection, tag, bytes, room, left: count, answers: vec![None; count] })
    }

    /// A new token whose reply goes to `origin`.
    pub(crate) fn token(&mut self, origin: Origin) -> Token {
        Token(self.origins.add(origin))
    }

    /// Where the reply to `token` goes.
    pub(crate) fn take(&mut self, token: Token) -> Origin {
        self.origins.remove(token.0).expect("the store answers each token once")
    }

    /// Puts an answer into its frame.
    ///
    /// Several fetches of one frame may find more than a reply can carry: those that no longer fit are answered with
    /// [`Status::TooBig`] and can be asked for on their own.
    pub(crate) fn answer(&mut self, frame: u64, index: usize, answer: Answer) -> Answered {
        let waiting = self.frames.get_mut(frame).expect("a frame waits until its last answer");
        let carried = carried(&answer);
        let (answer, kept) = if carried <= waiting.room { (answer, carried) } else { (Err(Status::TooBig), 0) };
        waiting.room -= kept;
        waiting.bytes += kept;
        waiting.answers[index] = Some(answer);
        waiting.left -= 1;
        if waiting.left > 0 {
            return Answered { kept, finished: None };
        }
        let waiting = self.frames.remove(frame).expect("it was there just now");
        let answers: Vec<Answer> = waiting.answers.into_iter().map(|answer| answer.expect("none is left")).collect();
        let count = answers.len() as u16;
        let finished = Finished {
            connection: waiting.connection,
            bytes: waiting.bytes,
            chunks: encode_answers(&answers).into_frame(Kind::Reply, waiting.tag, count),
        };
        Answered { kept, finished: Some(finished) }
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

/// Fixed part of any answer.
const FIXED_BYTES: usize = 64;

/// Bytes of a reply that an answer takes beyond its fixed part.
fn carried(answer: &Answer) -> usize {
    match answer {
        Ok(Outcome::Fetched(segments)) => {
            segments.iter().map(|segment| FIXED_BYTES + segment.checksums.as_bytes().len() + segment.data.len()).sum()
        }
        Ok(Outcome::Listed { names, .. }) => names.iter().map(|name| 2 + name.len()).sum(),
        Ok(Outcome::Extents { stretches, .. }) => stretches.len() * size_of::<Stretch>(),
        Ok(Outcome::Found { dkey, akey, .. }) => {
            let names = [dkey, akey].into_iter().flatten();
            size_of::<Stretch>() + names.map(|name| 2 + name.len()).sum::<usize>()
        }
        Ok(Outcome::Changed(_) | Outcome::Size(_)) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Epoch, Segment};

    #[test]
    fn a_frame_is_answered_once_all_its_operations_are_in_their_order() {
        let mut requests = Requests::default();
        let frame = requests.frame(9, 77, 2, 500);
        let tokens: Vec<Token> = (0..2).map(|index| requests.token(Origin::Frame { frame, index })).collect();
        assert!(matches!(requests.take(tokens[1]), Origin::Frame { index: 1, .. }));
        assert!(requests.answer(frame, 1, Err(Status::Busy)).finished.is_none());
        assert!(matches!(requests.take(tokens[0]), Origin::Frame { index: 0, .. }));
        let finished = requests.answer(frame, 0, Ok(Outcome::Changed(Epoch(3)))).finished.unwrap();
        assert_eq!((finished.connection, finished.bytes), (9, 500));
        let bytes = Bytes::from(finished.chunks.concat());
        let answers = wire::operation::decode_answers(bytes.slice(wire::frame::HEADER_BYTES..), 2).unwrap();
        assert_eq!(answers, [Ok(Outcome::Changed(Epoch(3))), Err(Status::Busy)]);
        assert!(requests.is_empty());
    }

    #[test]
    fn more_data_than_a_reply_can_carry_is_refused_operation_by_operation() {
        let large = |length: usize| {
            Ok(Outcome::Fetched(vec![Segment {
                offset: 0,
                checksums: types::Checksums::none(),
                data: Bytes::from(vec![0; length]),
            }]))
        };
        let reply = |answers: Vec<Answer>| {
            let mut requests = Requests::default();
            let frame = requests.frame(1, 1, answers.len(), 500);
            let mut kept = 500;
            for (index, answer) in answers.into_iter().enumerate() {
                let answered = requests.answer(frame, index, answer);
                kept += answered.kept;
                if let Some(finished) = answered.finished {
                    assert_eq!(finished.bytes, kept, "all that was kept is let go");
                    return Bytes::from(finished.chunks.concat()).slice(wire::frame::HEADER_BYTES..);
                }
            }
            unreachable!("the last answer ends it")
        };
        let body = reply(vec![large(types::MAX_VALUE_BYTES), large(types::MAX_VALUE_BYTES), large(100)]);
        let answers = wire::operation::decode_answers(body, 3).unwrap();
        assert!(answers[0].is_ok() && answers[1] == Err(Status::TooBig) && answers[2].is_ok());
        // Full to the last byte, and then only answers that carry nothing: they are told, and the reply is within its limit.
        const NAME: usize = 4000;
        let names = |count| Ok(Outcome::Listed { names: vec![Bytes::from(vec![b'n'; NAME]); count], more: false });
        let mut answers = vec![large(types::MAX_VALUE_BYTES)];
        answers.extend((0..31).map(|n| Ok(Outcome::Changed(Epoch(n)))));
        let left = MAX_BODY_BYTES - types::MAX_VALUE_BYTES - FIXED_BYTES * 65;
        answers.extend((0..32).map(|_| names(left / 32 / (2 + NAME))));
        let count = answers.len() as u16;
        let body = reply(answers);
        assert!(body.len() <= MAX_BODY_BYTES);
        assert!(wire::operation::decode_answers(body, count).unwrap().iter().all(Result::is_ok));
    }
}
