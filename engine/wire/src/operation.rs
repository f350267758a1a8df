//! Operations and answers as bytes.
//!
//! ```text
//! REQUEST body   pool UUID u8[16], container UUID u8[16], then `count` operations
//! operation      0 opcode u8   1 form u8   2 condition u8   3 checksum_kind u8   4 limit u32
//!                8 object_hi u64  16 object_lo u64  24 dkey_length u16  26 akey_length u16  28 checksum_count u32
//!               32 offset u64  40 length u64  48 epoch u64  56 data_length u32  60 zero u32
//!               64 dkey, akey (the anchor of a list), checksums, data
//! REPLY body     `count` answers
//! ```
//! A field an operation does not use is zero. Answers: `answer`.

mod answer;

pub use answer::{decode_answers, encode_answers};

use bytes::Bytes;
use types::{
    Address, ChecksumKind, Checksums, Condition, ContainerId, Depth, End, Epoch, Key, Level, MAX_KEY_BYTES,
    MAX_LIST_ENTRIES, MAX_VALUE_BYTES, ObjectId, Operation, Place, PoolId, Scope, Selection, Shape,
};
use uuid::Uuid;
use zerocopy::little_endian::{U16, U32, U64};
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

const _: () = assert!(size_of::<RawOperation>() == 64);

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

#[cfg(test)]
mod tests;
