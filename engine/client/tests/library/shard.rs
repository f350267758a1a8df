//! What one target holds, with its history: the model that answers of the library are compared with.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use erasure::{checksums, verify};
use types::{
    Address, Answer, ChecksumKind, Condition, ContainerId, Depth, End, Epoch, Key, Level, ObjectId, Operation, Outcome,
    Scope, Segment, Selection, Shape, Status, Stretch,
};

/// What an akey holds at some epoch.
#[derive(Clone, PartialEq)]
enum Value {
    Nothing,
    Single(Bytes),
    /// `None` is a byte never written or punched.
    Array(Vec<Option<u8>>),
}

/// One target.
#[derive(Default)]
pub(crate) struct Shard {
    values: BTreeMap<(ContainerId, Address), Vec<(Epoch, Value)>>,
}

impl Shard {
    /// Executes one operation; a change happens at `now`.
    pub(crate) fn execute(&mut self, container: ContainerId, operation: &Operation, now: Epoch) -> Answer {
        match operation {
            Operation::Update { address, shape, condition, checksums, data } => {
                verify(data, checksums).map_err(|_| Status::Checksum)?;
                let held = self.value(container, address, Epoch::MAX);
                guard(*condition, &held)?;
                let value = match (shape, held) {
                    (Shape::Single, Value::Array(_)) | (Shape::Array { .. }, Value::Single(_)) => {
                        return Err(Status::Invalid);
                    }
                    (Shape::Single, _) => Value::Single(data.clone()),
                    (Shape::Array { offset, .. }, held) => {
                        let mut bytes = if let Value::Array(bytes) = held { bytes } else { Vec::new() };
                        let from = *offset as usize;
                        bytes.resize(bytes.len().max(from + data.len()), None);
                        bytes[from..from + data.len()].iter_mut().zip(data).for_each(|(to, byte)| *to = Some(*byte));
                        Value::Array(bytes)
                    }
                };
                self.set(container, address, value, now);
                Ok(Outcome::Changed(now))
            }
            Operation::Fetch { address, selection, epoch } => {
                match (selection, self.value(container, address, *epoch)) {
                    (Selection::Single, Value::Single(data)) => Ok(Outcome::Fetched(vec![segment(0, data)])),
                    (Selection::Array { offset, length }, Value::Array(bytes)) => {
                        Ok(Outcome::Fetched(segments(&bytes, *offset as usize, *length as usize)))
                    }
                    (_, Value::Nothing) => Err(Status::Nonexistent),
                    _ => Err(Status::Invalid),
                }
            }
            Operation::Punch { scope, condition } => self.punch(container, scope, *condition, now),
            Operation::List { level, after, limit, epoch } => {
                let mut names = self.names(container, level, *epoch);
                names.retain(|name| name[..] > after[..]);
                let more = names.len() > *limit as usize;
                Ok(Outcome::Listed { names: names.into_iter().take(*limit as usize).collect(), more })
            }
            Operation::Extents { address, from, limit: _, epoch } => match self.value(container, address, *epoch) {
                Value::Array(bytes) => {
                    let stretch = |end| Stretch { offset: *from, length: end - from, epoch: now };
                    let stretches = (bytes.len() as u64 > *from).then(|| stretch(bytes.len() as u64));
                    Ok(Outcome::Extents { record_bytes: 1, stretches: stretches.into_iter().collect(), more: false })
                }
                Value::Nothing => Ok(Outcome::Extents { record_bytes: 1, stretches: Vec::new(), more: false }),
                Value::Single(_) => Err(Status::Invalid),
            },
            Operation::QueryKey { object, dkey: None, akey: None, depth: Depth::Dkey, end, epoch } => {
                let mut names = self.names(container, &Level::Dkeys(*object), *epoch);
                names.sort_by_key(|name| object.dkey_kind().sortable(name).into_owned());
                let dkey = if *end == End::First { names.into_iter().next() } else { names.into_iter().last() };
                let dkey = Some(dkey.ok_or(Status::Nonexistent)?);
                Ok(Outcome::Found { dkey, akey: None, stretch: None })
            }
            // The tests of the library ask this shard for dkeys only; the others are the store's own.
            Operation::QueryKey { .. } => Err(Status::Invalid),
            Operation::ArraySize { address, epoch } => match self.value(container, address, *epoch) {
                Value::Array(bytes) => Ok(Outcome::Size(bytes.len() as u64)),
                Value::Nothing => Err(Status::Nonexistent),
                Value::Single(_) => Err(Status::Invalid),
            },
        }
    }

    fn punch(&mut self, container: ContainerId, scope: &Scope, condition: Condition, now: Epoch) -> Answer {
        let all: Vec<Address> = self.values.keys().filter(|(c, _)| *c == container).map(|(_, a)| a.clone()).collect();
        let hit: Vec<Address> = match scope {
            Scope::Object(object) => all.into_iter().filter(|address| address.object == *object).collect(),
            Scope::Dkey(object, dkey) => {
                all.into_iter().filter(|address| address.object == *object && address.dkey == *dkey).collect()
            }
            Scope::Akey(address) => {
                guard(condition, &self.value(container, address, Epoch::MAX))?;
                vec![address.clone()]
            }
            Scope::Range { address, offset, length } => {
                let Value::Array(mut bytes) = self.value(container, address, Epoch::MAX) else {
                    return Err(Status::Invalid);
                };
                let end = bytes.len().min((offset + length) as usize);
                bytes[*offset as usize..end].fill(None);
                self.set(container, address, Value::Array(bytes), now);
                return Ok(Outcome::Changed(now));
            }
        };
        for address in hit {
            self.set(container, &address, Value::Nothing, now);
        }
        Ok(Outcome::Changed(now))
    }

    fn names(&self, container: ContainerId, level: &Level, epoch: Epoch) -> Vec<Bytes> {
        let held = self
            .values
            .keys()
            .filter(|(of, address)| *of == container && self.value(container, address, epoch) != Value::Nothing);
        let name = |address: &Address| -> Option<Vec<u8>> {
            match level {
                Level::Objects => Some(address.object.to_bytes().to_vec()),
                Level::Dkeys(object) => (address.object == *object).then(|| address.dkey.as_bytes().to_vec()),
                Level::Akeys(object, dkey) => {
                    (address.object == *object && address.dkey == *dkey).then(|| address.akey.as_bytes().to_vec())
                }
            }
        };
        let names: BTreeSet<Vec<u8>> = held.filter_map(|(_, address)| name(address)).collect();
        names.into_iter().map(Bytes::from).collect()
    }

    /// The newest single value of an akey, as a test sees it without the library.
    pub(crate) fn single(&self, container: ContainerId, object: ObjectId, dkey: &Key, akey: &Key) -> Option<Bytes> {
        let address = Address { object, dkey: dkey.clone(), akey: akey.clone() };
        match self.value(container, &address, Epoch::MAX) {
            Value::Single(data) => Some(data),
            Value::Nothing | Value::Array(_) => None,
        }
    }

    fn value(&self, container: ContainerId, address: &Address, epoch: Epoch) -> Value {
        let history = self.values.get(&(container, address.clone()));
        let found = history.and_then(|history| history.iter().rev().find(|(at, _)| *at <= epoch));
        found.map_or(Value::Nothing, |(_, value)| value.clone())
    }

    fn set(&mut self, container: ContainerId, address: &Address, value: Value, now: Epoch) {
        self.values.entry((container, address.clone())).or_default().push((now, value));
    }
}

fn guard(condition: Condition, held: &Value) -> Result<(), Status> {
    match condition {
        Condition::Absent if *held != Value::Nothing => Err(Status::Exists),
        Condition::Present if *held == Value::Nothing => Err(Status::Nonexistent),
        _ => Ok(()),
    }
}

fn segment(offset: u64, data: Bytes) -> Segment {
    Segment { offset, checksums: checksums(ChecksumKind::Crc32c, &data), data }
}

fn segments(bytes: &[Option<u8>], offset: usize, length: usize) -> Vec<Segment> {
    let from = offset.min(bytes.len());
    let to = (offset + length).min(bytes.len());
    let mut at = from as u64;
    let mut found = Vec::new();
    for run in bytes[from..to].chunk_by(|one, next| one.is_some() == next.is_some()) {
        let data: Vec<u8> = run.iter().copied().flatten().collect();
        if !data.is_empty() {
            found.push(segment(at, data.into()));
        }
        at += run.len() as u64;
    }
    found
}
