//! Local calls on a Unix stream socket: a length, then a protobuf `Call` or `Answer`.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::fault::Failure;
use crate::proto::drpc::{Answer, Call, Method};

/// Longest message without its length: metadata only, lists of members and pools included.
pub const MAX_BYTES: usize = 1 << 20;
/// Bytes of the length before each message.
pub const LENGTH_BYTES: usize = 4;

/// Why bytes are not a local message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrpcError {
    /// Over the limit.
    #[error("a local message of {0} bytes is over the limit of {MAX_BYTES}")]
    TooLong(usize),
    /// Not the message expected.
    #[error("a local message does not decode: {0}")]
    Malformed(String),
}

/// A message with its length before it.
pub fn encode(message: &impl Message) -> Result<Bytes, DrpcError> {
    let length = message.encoded_len();
    if length > MAX_BYTES {
        return Err(DrpcError::TooLong(length));
    }
    let mut out = BytesMut::with_capacity(LENGTH_BYTES + length);
    out.put_u32_le(length as u32);
    message.encode(&mut out).expect("a BytesMut grows as needed");
    Ok(out.freeze())
}

/// The length that follows, checked against the limit.
pub fn decode_length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, DrpcError> {
    let length = u32::from_le_bytes(bytes) as usize;
    if length > MAX_BYTES { Err(DrpcError::TooLong(length)) } else { Ok(length) }
}

/// A message without its length.
pub fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, DrpcError> {
    M::decode(bytes).map_err(|error| DrpcError::Malformed(error.to_string()))
}

/// A call.
pub fn call(method: Method, sequence: u64, request: &impl Message) -> Call {
    Call { method: method as i32, sequence, body: Bytes::from(request.encode_to_vec()) }
}

/// The answer to call `sequence`.
pub fn answer(sequence: u64, result: Result<Bytes, Failure>) -> Answer {
    match result {
        Ok(body) => Answer { sequence, body, ..Answer::default() },
        Err(failure) => failure.to_answer(sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::Status;

    #[test]
    fn a_call_and_its_answer_round_trip() {
        let sent = call(Method::Ping, 7, &());
        let bytes = encode(&sent).unwrap();
        let length = decode_length(bytes[..LENGTH_BYTES].try_into().unwrap()).unwrap();
        assert_eq!(length, bytes.len() - LENGTH_BYTES);
        assert_eq!(decode::<Call>(bytes.slice(LENGTH_BYTES..)).unwrap(), sent);
        let refused = answer(7, Err(Failure::new(Status::Busy, "later").with_resolution("wait")));
        let failure = Failure::check_answer(refused).unwrap_err();
        assert_eq!(
            (failure.status, failure.message.as_str(), failure.resolution.as_str()),
            (Status::Busy, "later", "wait")
        );
    }

    #[test]
    fn the_limit_holds_both_ways() {
        let large = Call { method: 0, sequence: 0, body: Bytes::from(vec![0; MAX_BYTES]) };
        assert!(matches!(encode(&large), Err(DrpcError::TooLong(_))));
        assert!(decode_length(((MAX_BYTES + 1) as u32).to_le_bytes()).is_err());
        assert_eq!(decode_length((MAX_BYTES as u32).to_le_bytes()), Ok(MAX_BYTES));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Call>(Bytes::from(bytes.clone()));
            let _ = decode::<Answer>(Bytes::from(bytes));
        }
    }
}
