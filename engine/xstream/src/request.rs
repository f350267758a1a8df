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
    bytes: usize,
    left: usize,
    answers: Vec<Option<Answer>>,
}

/// A frame whose answers are complete.
pub(crate) struct Finished {
    pub(crate) connection: u64,
    /// Bytes of the request, which no longer count as in flight.
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
        self.frames.add(Waiting { connection, tag, bytes, left: count, answers: vec![None; count] })
    }

    /// A new token whose reply goes to `origin`.
    pub(crate) fn token(&mut self, origin: Origin) -> Token {
        Token(self.origins.add(origin))
    }

    /// Where the reply to `token` goes.
    pub(crate) fn take(&mut self, token: Token) -> Origin {
        self.origins.remove(token.0).expect("the store answers each token once")
    }

    /// Puts an answer into its frame; gives the frame when it was the last.
    pub(crate) fn answer(&mut self, frame: u64, index: usize, answer: Answer) -> Option<Finished> {
        let waiting = self.frames.get_mut(frame).expect("a frame waits until its last answer");
        waiting.answers[index] = Some(answer);
        waiting.left -= 1;
        if waiting.left > 0 {
            return None;
        }
        let waiting = self.frames.remove(frame).expect("it was there just now");
        let mut answers: Vec<Answer> =
            waiting.answers.into_iter().map(|answer| answer.expect("none is left")).collect();
        bound(&mut answers);
        let count = answers.len() as u16;
        Some(Finished {
            connection: waiting.connection,
            bytes: waiting.bytes,
            chunks: encode_answers(&answers).into_frame(Kind::Reply, waiting.tag, count),
        })
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

/// Several fetches of one frame may find more than a reply can carry: those that no longer fit are answered with
/// [`Status::TooBig`] and can be asked for on their own.
fn bound(answers: &mut [Answer]) {
    /// Fixed part of any answer.
    const FIXED_BYTES: usize = 64;
    // Every answer has its fixed part, whatever it is; so one without more always fits, and what is done is never told as refused.
    let mut total = FIXED_BYTES * answers.len();
    for answer in answers {
        let variable = match answer {
            Ok(Outcome::Fetched(segments)) => segments
                .iter()
                .map(|segment| FIXED_BYTES + segment.checksums.as_bytes().len() + segment.data.len())
                .sum(),
            Ok(Outcome::Listed { names, .. }) => names.iter().map(|name| 2 + name.len()).sum(),
            Ok(Outcome::Extents { stretches, .. }) => stretches.len() * size_of::<Stretch>(),
            Ok(Outcome::Found { dkey, akey, .. }) => {
                let names = [dkey, akey].into_iter().flatten();
                size_of::<Stretch>() + names.map(|name| 2 + name.len()).sum::<usize>()
            }
            Ok(Outcome::Changed(_) | Outcome::Size(_)) | Err(_) => 0,
        };
        if total + variable <= MAX_BODY_BYTES {
            total += variable;
        } else if variable > 0 {
            *answer = Err(Status::TooBig);
        }
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
        assert!(requests.answer(frame, 1, Err(Status::Busy)).is_none());
        assert!(matches!(requests.take(tokens[0]), Origin::Frame { index: 0, .. }));
        let finished = requests.answer(frame, 0, Ok(Outcome::Changed(Epoch(3)))).unwrap();
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
        let mut answers = vec![large(types::MAX_VALUE_BYTES), large(types::MAX_VALUE_BYTES), large(100)];
        bound(&mut answers);
        assert!(answers[0].is_ok() && answers[1] == Err(Status::TooBig) && answers[2].is_ok());
        // Full to the last byte, and then only answers that carry nothing: they are told, and the reply is within its limit.
        let names = |length: usize| Ok(Outcome::Listed { names: vec![Bytes::from(vec![b'n'; length])], more: false });
        let mut answers = vec![large(types::MAX_VALUE_BYTES)];
        answers.extend((0..62).map(|n| Ok(Outcome::Changed(Epoch(n)))));
        let left = MAX_BODY_BYTES - types::MAX_VALUE_BYTES - 64 * 64 - 64;
        answers.extend(std::iter::repeat_n(names(4000), left / 4002));
        bound(&mut answers);
        assert!(answers[..63].iter().all(Result::is_ok));
        assert!(encode_answers(&answers).length() <= MAX_BODY_BYTES);
    }
}
