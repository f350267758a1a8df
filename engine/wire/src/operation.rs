//! Operations and answers as bytes.
//!
//! ```text
//! REQUEST body   pool UUID u8[16], container UUID u8[16], then `count` operations
//! operation      0 opcode u8   1 form u8   2 condition u8   3 checksum_kind u8   4 limit u32
//!                8 object_hi u64  16 object_lo u64  24 dkey_length u16  26 akey_length u16  28 checksum_count u32
//!               32 offset u64  40 length u64  48 epoch u64  56 data_length u32  60 zero u32
//!               64 dkey, akey (the anchor of a list), checksums, data
//! REPLY body     `count` answers
//! answer         0 status i32   4 form u8   5 more u8   6 zero u16   8 value u64  16 count u32  20 zero u32
//!               24 form 2: `count` segments; form 3: `count` names; form 5: `count` stretches; form 6: names and a stretch
//! segment        0 offset u64   8 length u32  12 checksum_count u16  14 checksum_kind u8  15 zero u8
//!               16 checksums, data
//! name           0 length u16   2 bytes
//! stretch        0 offset u64   8 length u64  16 epoch u64
//! ```
//! A field an operation does not use is zero.

use bytes::Bytes;
use types::{
    Address, Answer, ChecksumKind, Checksums, Condition, ContainerId, Depth, End, Epoch, Key, Level, MAX_KEY_BYTES,
    MAX_LIST_ENTRIES, MAX_VALUE_BYTES, ObjectId, Operation, Outcome, Place, PoolId, Scope, Segment, Selection, Shape,
    Status, Stretch,
};
use uuid::Uuid;
use zerocopy::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::frame::{Body, MAX_OPERATIONS};
pub use crate::take::BodyError;
use crate::take::{bytes, checksums, end, fixed, key, zero};

const UPDATE: u8 = 1;
const FETCH: u8 = 2;
const PUNCH: u8 = 3;
const LIST: u8 = 4;
const ARRAY_SIZE: u8 = 5;
const EXTENTS: u8 = 6;
const QUERY_KEY: u8 = 7;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Default)]
#[repr(C)]
struct RawOperation {
    opcode: u8,
    form: u8,
    condition: u8,
    checksum_kind: u8,
    limit: U32,
    object_hi: U64,
    object_lo: U64,
    dkey_length: U16,
    akey_length: U16,
    checksum_count: U32,
    offset: U64,
    length: U64,
    epoch: U64,
    data_length: U32,
    zero: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Default)]
#[repr(C)]
struct RawAnswer {
    status: I32,
    form: u8,
    more: u8,
    zero: U16,
    value: U64,
    count: U32,
    zero_too: U32,
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

const _: () = assert!(size_of::<RawOperation>() == 64 && size_of::<RawAnswer>() == 24 && size_of::<RawSegment>() == 16);

/// A request: which container, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The container.
    pub place: Place,
    /// 1 to [`MAX_OPERATIONS`] operations.
    pub operations: Vec<Operation>,
}

impl Request {
    /// As a body. The frame's `count` is the number of operations.
    pub fn encode(&self) -> Body {
        let mut body = Body::new();
        body.put(self.place.pool.0.as_bytes());
        body.put(self.place.container.0.as_bytes());
        for operation in &self.operations {
            encode_operation(&mut body, operation);
        }
        body
    }

    /// From a body with `count` operations.
    pub fn decode(mut body: Bytes, count: u16) -> Result<Request, BodyError> {
        if count == 0 || count > MAX_OPERATIONS {
            return Err(BodyError::Limit { field: "count", value: u64::from(count), limit: u64::from(MAX_OPERATIONS) });
        }
        let uuid = |raw: &Bytes| Uuid::from_slice(raw).expect("sixteen bytes");
        let pool = PoolId(uuid(&bytes(&mut body, 16, "pool")?));
        let container = ContainerId(uuid(&bytes(&mut body, 16, "container")?));
        let operations = (0..count).map(|_| decode_operation(&mut body)).collect::<Result<_, _>>()?;
        end(&body)?;
        Ok(Request { place: Place { pool, container }, operations })
    }
}

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

/// Bytes `operation` takes in a body.
pub fn encoded_length(operation: &Operation) -> usize {
    let variable = match operation {
        Operation::Update { address, checksums, data, .. } => keys(address) + checksums.as_bytes().len() + data.len(),
        Operation::Fetch { address, .. }
        | Operation::ArraySize { address, .. }
        | Operation::Extents { address, .. } => keys(address),
        Operation::QueryKey { dkey, akey, .. } => {
            [dkey, akey].into_iter().flatten().map(|key| key.as_bytes().len()).sum()
        }
        Operation::Punch { scope, .. } => match scope {
            Scope::Object(_) => 0,
            Scope::Dkey(_, dkey) => dkey.as_bytes().len(),
            Scope::Akey(address) | Scope::Range { address, .. } => keys(address),
        },
        Operation::List { level, after, .. } => {
            after.len() + if let Level::Akeys(_, dkey) = level { dkey.as_bytes().len() } else { 0 }
        }
    };
    size_of::<RawOperation>() + variable
}

fn keys(address: &Address) -> usize {
    address.dkey.as_bytes().len() + address.akey.as_bytes().len()
}

fn encode_operation(body: &mut Body, operation: &Operation) {
    let mut raw = RawOperation::default();
    match operation {
        Operation::Update { address, shape, condition, checksums, data } => {
            raw.opcode = UPDATE;
            raw.condition = condition_number(*condition);
            if let Shape::Array { offset, record_bytes } = shape {
                raw.form = 1;
                raw.offset = U64::new(*offset);
                raw.limit = U32::new(*record_bytes);
            }
            raw.checksum_kind = kind_number(checksums);
            raw.checksum_count = U32::new(checksums.count() as u32);
            raw.data_length = U32::new(data.len() as u32);
            put(body, raw, Some(&address.object), Some(&address.dkey), address.akey.as_bytes());
            body.put(checksums.as_bytes());
            body.share(data);
        }
        Operation::Fetch { address, selection, epoch } => {
            raw.opcode = FETCH;
            raw.epoch = U64::new(epoch.0);
            if let Selection::Array { offset, length } = selection {
                raw.form = 1;
                raw.offset = U64::new(*offset);
                raw.length = U64::new(*length);
            }
            put(body, raw, Some(&address.object), Some(&address.dkey), address.akey.as_bytes());
        }
        Operation::Punch { scope, condition } => {
            raw.opcode = PUNCH;
            raw.condition = condition_number(*condition);
            match scope {
                Scope::Object(object) => put(body, raw, Some(object), None, b""),
                Scope::Dkey(object, dkey) => {
                    raw.form = 1;
                    put(body, raw, Some(object), Some(dkey), b"");
                }
                Scope::Akey(address) => {
                    raw.form = 2;
                    put(body, raw, Some(&address.object), Some(&address.dkey), address.akey.as_bytes());
                }
                Scope::Range { address, offset, length } => {
                    raw.form = 3;
                    raw.offset = U64::new(*offset);
                    raw.length = U64::new(*length);
                    put(body, raw, Some(&address.object), Some(&address.dkey), address.akey.as_bytes());
                }
            }
        }
        Operation::List { level, after, limit, epoch } => {
            raw.opcode = LIST;
            raw.epoch = U64::new(epoch.0);
            raw.limit = U32::new(*limit);
            match level {
                Level::Objects => put(body, raw, None, None, after),
                Level::Dkeys(object) => {
                    raw.form = 1;
                    put(body, raw, Some(object), None, after);
                }
                Level::Akeys(object, dkey) => {
                    raw.form = 2;
                    put(body, raw, Some(object), Some(dkey), after);
                }
            }
        }
        Operation::ArraySize { address, epoch } => {
            raw.opcode = ARRAY_SIZE;
            raw.epoch = U64::new(epoch.0);
            put(body, raw, Some(&address.object), Some(&address.dkey), address.akey.as_bytes());
        }
        Operation::Extents { address, from, limit, epoch } => {
            raw.opcode = EXTENTS;
            raw.epoch = U64::new(epoch.0);
            raw.offset = U64::new(*from);
            raw.limit = U32::new(*limit);
            put(body, raw, Some(&address.object), Some(&address.dkey), address.akey.as_bytes());
        }
        Operation::QueryKey { object, dkey, akey, depth, end, epoch } => {
            raw.opcode = QUERY_KEY;
            raw.form = match depth {
                Depth::Dkey => 0,
                Depth::Akey => 1,
                Depth::Extent => 2,
            };
            raw.limit = U32::new(u32::from(*end == End::Last));
            raw.epoch = U64::new(epoch.0);
            put(body, raw, Some(object), dkey.as_ref(), akey.as_ref().map_or(&b""[..], Key::as_bytes));
        }
    }
}

fn put(body: &mut Body, mut raw: RawOperation, object: Option<&ObjectId>, dkey: Option<&Key>, akey: &[u8]) {
    let dkey = dkey.map_or(&b""[..], Key::as_bytes);
    let object = object.copied().unwrap_or(ObjectId { hi: 0, lo: 0 });
    raw.object_hi = U64::new(object.hi);
    raw.object_lo = U64::new(object.lo);
    raw.dkey_length = U16::new(dkey.len() as u16);
    raw.akey_length = U16::new(akey.len() as u16);
    body.put(raw.as_bytes());
    body.put(dkey);
    body.put(akey);
}

fn decode_operation(body: &mut Bytes) -> Result<Operation, BodyError> {
    let raw: RawOperation = fixed(body, "operation")?;
    zero("operation.zero", u64::from(raw.zero.get()))?;
    let condition = match raw.condition {
        0 => Condition::Always,
        1 => Condition::Absent,
        2 => Condition::Present,
        3 => Condition::DkeyAbsent,
        4 => Condition::DkeyPresent,
        other => return Err(BodyError::Undefined { field: "operation.condition", value: u64::from(other) }),
    };
    check_unused(&raw)?;
    for (field, length) in
        [("operation.dkey_length", raw.dkey_length.get()), ("operation.akey_length", raw.akey_length.get())]
    {
        if usize::from(length) > MAX_KEY_BYTES {
            return Err(BodyError::Limit { field, value: u64::from(length), limit: MAX_KEY_BYTES as u64 });
        }
    }
    let object = ObjectId { hi: raw.object_hi.get(), lo: raw.object_lo.get() };
    let (dkey_length, akey_length) = (usize::from(raw.dkey_length.get()), usize::from(raw.akey_length.get()));
    let (offset, length, epoch) = (raw.offset.get(), raw.length.get(), Epoch(raw.epoch.get()));
    let address = |body: &mut Bytes| -> Result<Address, BodyError> {
        Ok(Address { object, dkey: key(body, dkey_length, "dkey")?, akey: key(body, akey_length, "akey")? })
    };
    match (raw.opcode, raw.form) {
        (UPDATE, form @ 0..=1) => {
            let address = address(body)?;
            let data_length = raw.data_length.get() as usize;
            if data_length > MAX_VALUE_BYTES {
                return Err(BodyError::Limit {
                    field: "operation.data_length",
                    value: data_length as u64,
                    limit: MAX_VALUE_BYTES as u64,
                });
            }
            let checksums = checksums(body, raw.checksum_kind, raw.checksum_count.get())?;
            let data = bytes(body, data_length, "data")?;
            let record_bytes = raw.limit.get();
            let shape = if form == 0 { Shape::Single } else { Shape::Array { offset, record_bytes } };
            Ok(Operation::Update { address, shape, condition, checksums, data })
        }
        (FETCH, form @ 0..=1) => {
            let address = address(body)?;
            let selection = if form == 0 { Selection::Single } else { Selection::Array { offset, length } };
            Ok(Operation::Fetch { address, selection, epoch })
        }
        (PUNCH, 0) => Ok(Operation::Punch { scope: Scope::Object(object), condition }),
        (PUNCH, 1) => Ok(Operation::Punch { scope: Scope::Dkey(object, key(body, dkey_length, "dkey")?), condition }),
        (PUNCH, 2) => Ok(Operation::Punch { scope: Scope::Akey(address(body)?), condition }),
        (PUNCH, 3) => {
            Ok(Operation::Punch { scope: Scope::Range { address: address(body)?, offset, length }, condition })
        }
        (LIST, form @ 0..=2) => {
            let limit = list_limit(&raw)?;
            let level = match form {
                0 => Level::Objects,
                1 => Level::Dkeys(object),
                _ => Level::Akeys(object, key(body, dkey_length, "dkey")?),
            };
            let after = bytes(body, akey_length, "anchor")?.to_vec();
            Ok(Operation::List { level, after, limit, epoch })
        }
        (ARRAY_SIZE, 0) => Ok(Operation::ArraySize { address: address(body)?, epoch }),
        (EXTENTS, 0) => {
            let limit = list_limit(&raw)?;
            Ok(Operation::Extents { address: address(body)?, from: offset, limit, epoch })
        }
        (QUERY_KEY, form @ 0..=2) => {
            let depth = [Depth::Dkey, Depth::Akey, Depth::Extent][usize::from(form)];
            let end = match raw.limit.get() {
                0 => End::First,
                1 => End::Last,
                other => return Err(BodyError::Undefined { field: "operation.limit", value: u64::from(other) }),
            };
            let dkey = optional_key(body, dkey_length, "dkey")?;
            let akey = optional_key(body, akey_length, "akey")?;
            Ok(Operation::QueryKey { object, dkey, akey, depth, end, epoch })
        }
        (UPDATE..=QUERY_KEY, form) => Err(BodyError::Undefined { field: "operation.form", value: u64::from(form) }),
        (opcode, _) => Err(BodyError::Undefined { field: "operation.opcode", value: u64::from(opcode) }),
    }
}

fn list_limit(raw: &RawOperation) -> Result<u32, BodyError> {
    let limit = raw.limit.get();
    if limit == 0 || limit > MAX_LIST_ENTRIES {
        let (value, limit) = (u64::from(limit), u64::from(MAX_LIST_ENTRIES));
        return Err(BodyError::Limit { field: "operation.limit", value, limit });
    }
    Ok(limit)
}

fn optional_key(body: &mut Bytes, length: usize, field: &'static str) -> Result<Option<Key>, BodyError> {
    if length == 0 { Ok(None) } else { key(body, length, field).map(Some) }
}

/// Fields that this opcode and form do not use must be zero, so that a later version can give them a meaning.
fn check_unused(raw: &RawOperation) -> Result<(), BodyError> {
    let (opcode, form) = (raw.opcode, raw.form);
    let array = matches!((opcode, form), (UPDATE | FETCH, 1) | (PUNCH, 3));
    let record = matches!((opcode, form), (UPDATE, 1));
    let dkey = !matches!((opcode, form), (PUNCH, 0) | (LIST, 0 | 1));
    let akey = !matches!((opcode, form), (PUNCH, 0 | 1));
    let object = !matches!((opcode, form), (LIST, 0));
    let used = [
        ("operation.condition", u64::from(raw.condition), matches!(opcode, UPDATE | PUNCH)),
        ("operation.limit", u64::from(raw.limit.get()), record || matches!(opcode, LIST | EXTENTS | QUERY_KEY)),
        ("operation.object", raw.object_hi.get() | raw.object_lo.get(), object),
        ("operation.dkey_length", u64::from(raw.dkey_length.get()), dkey),
        ("operation.akey_length", u64::from(raw.akey_length.get()), akey),
        ("operation.checksum_kind", u64::from(raw.checksum_kind), opcode == UPDATE),
        ("operation.checksum_count", u64::from(raw.checksum_count.get()), opcode == UPDATE),
        ("operation.offset", raw.offset.get(), array || opcode == EXTENTS),
        ("operation.length", raw.length.get(), array && opcode != UPDATE),
        ("operation.epoch", raw.epoch.get(), matches!(opcode, FETCH | LIST | ARRAY_SIZE | EXTENTS | QUERY_KEY)),
        ("operation.data_length", u64::from(raw.data_length.get()), opcode == UPDATE),
    ];
    used.into_iter().filter(|(_, _, used)| !used).try_for_each(|(field, value, _)| zero(field, value))
}

fn kind_number(checksums: &Checksums) -> u8 {
    checksums.kind().map_or(0, ChecksumKind::number)
}

fn condition_number(condition: Condition) -> u8 {
    match condition {
        Condition::Always => 0,
        Condition::Absent => 1,
        Condition::Present => 2,
        Condition::DkeyAbsent => 3,
        Condition::DkeyPresent => 4,
    }
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

#[cfg(test)]
mod tests;
