//! Answers as bytes.
//!
//! ```text
//! REPLY body     `count` answers
//! answer         0 status i32   4 form u8   5 more u8   6 zero u16   8 value u64  16 count u32  20 zero u32
//!               24 form 2: `count` segments; form 3: `count` names; form 5: `count` stretches; form 6: names and a stretch
//! segment        0 offset u64   8 length u32  12 checksum_count u16  14 checksum_kind u8  15 zero u8
//!               16 checksums, data
//! name           0 length u16   2 bytes
//! stretch        0 offset u64   8 length u64  16 epoch u64
//! ```

use bytes::Bytes;
use types::{Answer, Epoch, Outcome, Segment, Status, Stretch};
use zerocopy::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::kind_number;
use crate::frame::{Body, MAX_OPERATIONS};
use crate::take::{BodyError, bytes, checksums, end, fixed, zero};

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Default)]
#[repr(C)]
pub(super) struct RawAnswer {
    pub(super) status: I32,
    pub(super) form: u8,
    pub(super) more: u8,
    pub(super) zero: U16,
    pub(super) value: U64,
    pub(super) count: U32,
    pub(super) zero_too: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawSegment {
    offset: U64,
    length: U32,
    checksum_count: U16,
    checksum_kind: u8,
    zero: u8,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawStretch {
    offset: U64,
    length: U64,
    epoch: U64,
}

const _: () = assert!(size_of::<RawAnswer>() == 24 && size_of::<RawSegment>() == 16);

/// Answers in the order of their operations, as a body.
pub fn encode_answers(answers: &[Answer]) -> Body {
    let mut body = Body::new();
    for answer in answers {
        encode_answer(&mut body, answer);
    }
    body
}

/// `count` answers from a body.
pub fn decode_answers(mut body: Bytes, count: u16) -> Result<Vec<Answer>, BodyError> {
    if count > MAX_OPERATIONS {
        return Err(BodyError::Limit { field: "count", value: u64::from(count), limit: u64::from(MAX_OPERATIONS) });
    }
    let answers = (0..count).map(|_| decode_answer(&mut body)).collect::<Result<_, _>>()?;
    end(&body)?;
    Ok(answers)
}

fn encode_answer(body: &mut Body, answer: &Answer) {
    let mut raw = RawAnswer::default();
    match answer {
        Err(status) => {
            raw.status = I32::new(status.code());
            body.put(raw.as_bytes());
        }
        Ok(Outcome::Changed(epoch)) => {
            raw.form = 1;
            raw.value = U64::new(epoch.0);
            body.put(raw.as_bytes());
        }
        Ok(Outcome::Fetched(segments)) => {
            raw.form = 2;
            raw.count = U32::new(segments.len() as u32);
            body.put(raw.as_bytes());
            for segment in segments {
                let raw = RawSegment {
                    offset: U64::new(segment.offset),
                    length: U32::new(segment.data.len() as u32),
                    checksum_count: U16::new(segment.checksums.count() as u16), // at most MAX_CHECKSUMS
                    checksum_kind: kind_number(&segment.checksums),
                    zero: 0,
                };
                body.put(raw.as_bytes());
                body.put(segment.checksums.as_bytes());
                body.share(&segment.data);
            }
        }
        Ok(Outcome::Listed { names, more }) => {
            raw.form = 3;
            raw.more = u8::from(*more);
            raw.count = U32::new(names.len() as u32);
            body.put(raw.as_bytes());
            names.iter().for_each(|name| put_name(body, name));
        }
        Ok(Outcome::Size(size)) => {
            raw.form = 4;
            raw.value = U64::new(*size);
            body.put(raw.as_bytes());
        }
        Ok(Outcome::Extents { record_bytes, stretches, more }) => {
            raw.form = 5;
            raw.more = u8::from(*more);
            raw.value = U64::new(u64::from(*record_bytes));
            raw.count = U32::new(stretches.len() as u32);
            body.put(raw.as_bytes());
            stretches.iter().for_each(|stretch| put_stretch(body, stretch));
        }
        Ok(Outcome::Found { dkey, akey, stretch }) => {
            raw.form = 6;
            // Which of the three there are, as bits.
            raw.value = U64::new(
                u64::from(dkey.is_some()) | u64::from(akey.is_some()) << 1 | u64::from(stretch.is_some()) << 2,
            );
            body.put(raw.as_bytes());
            [dkey, akey].into_iter().flatten().for_each(|name| put_name(body, name));
            stretch.iter().for_each(|stretch| put_stretch(body, stretch));
        }
    }
}

fn put_name(body: &mut Body, name: &Bytes) {
    body.put(&(name.len() as u16).to_le_bytes());
    body.put(name);
}

fn put_stretch(body: &mut Body, stretch: &Stretch) {
    let Stretch { offset, length, epoch } = *stretch;
    let raw = RawStretch { offset: U64::new(offset), length: U64::new(length), epoch: U64::new(epoch.0) };
    body.put(raw.as_bytes());
}

fn name(body: &mut Bytes) -> Result<Bytes, BodyError> {
    let length: U16 = fixed(body, "name length")?;
    bytes(body, usize::from(length.get()), "name")
}

fn stretch(body: &mut Bytes) -> Result<Stretch, BodyError> {
    let raw: RawStretch = fixed(body, "stretch")?;
    Ok(Stretch { offset: raw.offset.get(), length: raw.length.get(), epoch: Epoch(raw.epoch.get()) })
}

fn decode_answer(body: &mut Bytes) -> Result<Answer, BodyError> {
    let raw: RawAnswer = fixed(body, "answer")?;
    zero("answer.zero", u64::from(raw.zero.get()) | u64::from(raw.zero_too.get()))?;
    if let Err(status) = Status::from_code(raw.status.get()) {
        let rest = u64::from(raw.form) | u64::from(raw.more) | raw.value.get() | u64::from(raw.count.get());
        zero("answer.form", rest)?;
        return Ok(Err(status));
    }
    let value = raw.value.get();
    let count = raw.count.get() as usize;
    if !matches!(raw.form, 3 | 5) {
        zero("answer.more", u64::from(raw.more))?;
    } else if raw.more > 1 {
        return Err(BodyError::Undefined { field: "answer.more", value: u64::from(raw.more) });
    }
    match raw.form {
        1 => zero("answer.count", count as u64).map(|()| Ok(Outcome::Changed(Epoch(value)))),
        2 => {
            zero("answer.value", value)?;
            // Each segment takes at least its own header, so `count` cannot make us allocate more than the body has.
            let mut segments = Vec::with_capacity(count.min(body.len() / size_of::<RawSegment>()));
            for _ in 0..count {
                let raw: RawSegment = fixed(body, "segment")?;
                zero("segment.zero", u64::from(raw.zero))?;
                let checksums = checksums(body, raw.checksum_kind, u32::from(raw.checksum_count.get()))?;
                let data = bytes(body, raw.length.get() as usize, "segment data")?;
                segments.push(Segment { offset: raw.offset.get(), checksums, data });
            }
            Ok(Ok(Outcome::Fetched(segments)))
        }
        3 => {
            zero("answer.value", value)?;
            let mut names = Vec::with_capacity(count.min(body.len() / size_of::<U16>()));
            for _ in 0..count {
                names.push(name(body)?);
            }
            Ok(Ok(Outcome::Listed { names, more: raw.more == 1 }))
        }
        4 => zero("answer.count", count as u64).map(|()| Ok(Outcome::Size(value))),
        5 => {
            let record_bytes = u32::try_from(value).map_err(|_| BodyError::Limit {
                field: "answer.value",
                value,
                limit: u64::from(u32::MAX),
            })?;
            let mut stretches = Vec::with_capacity(count.min(body.len() / size_of::<RawStretch>()));
            for _ in 0..count {
                stretches.push(stretch(body)?);
            }
            Ok(Ok(Outcome::Extents { record_bytes, stretches, more: raw.more == 1 }))
        }
        6 => {
            zero("answer.count", count as u64)?;
            if value > 7 {
                return Err(BodyError::Undefined { field: "answer.value", value });
            }
            let dkey = if value & 1 != 0 { Some(name(body)?) } else { None };
            let akey = if value & 2 != 0 { Some(name(body)?) } else { None };
            let stretch = if value & 4 != 0 { Some(stretch(body)?) } else { None };
            Ok(Ok(Outcome::Found { dkey, akey, stretch }))
        }
        other => Err(BodyError::Undefined { field: "answer.form", value: u64::from(other) }),
    }
}
