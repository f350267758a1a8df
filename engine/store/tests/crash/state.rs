//! The model: what a target holds after some changes, and what it is found to hold.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use daos_store::{Command, Driven, Reply};
use types::{Answer, Condition, Epoch, Level, Operation, Outcome, Scope, Shape, Status};

use crate::alphabet::{NAMES, OTHER_POOL, fetch, operate};
use crate::target::{OBJECT, key};

/// Stretches: offset and bytes, ascending and apart. A single value is one at offset 0.
pub(crate) type Value = Vec<(u64, Bytes)>;

/// Values by dkey and akey.
pub(crate) type Values = BTreeMap<(Vec<u8>, Vec<u8>), Value>;

/// What a target holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Of the container; `None` when there is no container.
    pub(crate) values: Option<Values>,
    /// Whether the other pool is there.
    pub(crate) other_pool: bool,
}

/// Values by their length and checksum: whole ones would fill the screen.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(values) = &self.values else { return write!(f, "(no container, other pool: {})", self.other_pool) };
        write!(f, "(other pool: {}", self.other_pool)?;
        for ((dkey, akey), value) in values {
            write!(f, ", {}/{}:", String::from_utf8_lossy(dkey), String::from_utf8_lossy(akey))?;
            for (at, data) in value {
                write!(f, " {} bytes at {at} ({:08x})", data.len(), erasure::crc32c(data))?;
            }
        }
        write!(f, ")")
    }
}

impl State {
    /// A container with nothing in it.
    pub(crate) fn empty() -> State {
        State { values: Some(Values::new()), other_pool: false }
    }

    /// Does a change; the error is the refusal that the target must answer with.
    pub(crate) fn apply(&mut self, command: &Command) -> Result<(), Status> {
        match command {
            Command::ContainerDestroy(_) => self.values = None,
            Command::ContainerCreate(..) => {
                self.values.get_or_insert_with(Values::new);
            }
            Command::PoolCreate { .. } => self.other_pool = true,
            Command::PoolDestroy(_) => self.other_pool = false,
            Command::Operate { operation, .. } => {
                let values = self.values.as_mut().ok_or(Status::NoHandle)?;
                return change(values, operation);
            }
            _ => {}
        }
        Ok(())
    }
}

fn change(values: &mut Values, operation: &Operation) -> Result<(), Status> {
    let name = |address: &types::Address| (address.dkey.as_bytes().to_vec(), address.akey.as_bytes().to_vec());
    match operation {
        Operation::Update { address, shape, condition, data, .. } => {
            match (condition, values.contains_key(&name(address))) {
                (Condition::Absent, true) => return Err(Status::Exists),
                (Condition::Present, false) => return Err(Status::Nonexistent),
                _ => {}
            }
            let value = values.entry(name(address)).or_default();
            match shape {
                Shape::Single => *value = vec![(0, data.clone())],
                Shape::Array { offset, .. } => {
                    cut(value, *offset, offset + data.len() as u64);
                    value.push((*offset, data.clone()));
                    value.sort_by_key(|(at, _)| *at);
                    join(value);
                }
            }
        }
        Operation::Punch { scope: Scope::Object(_), .. } => values.clear(),
        Operation::Punch { scope: Scope::Dkey(_, dkey), .. } => values.retain(|(at, _), _| at != dkey.as_bytes()),
        Operation::Punch { scope: Scope::Akey(address), .. } => {
            values.remove(&name(address));
        }
        Operation::Punch { scope: Scope::Range { address, offset, length }, .. } => {
            if let Some(value) = values.get_mut(&name(address)) {
                cut(value, *offset, offset + length);
            }
            values.retain(|_, value| !value.is_empty());
        }
        _ => {}
    }
    Ok(())
}

/// Takes the bytes between two offsets out.
fn cut(value: &mut Value, from: u64, to: u64) {
    let mut left = Value::new();
    for (at, data) in value.drain(..) {
        let end = at + data.len() as u64;
        let (before, after) = (from.clamp(at, end), to.clamp(at, end));
        left.push((at, data.slice(..(before - at) as usize)));
        left.push((after, data.slice((after - at) as usize..)));
    }
    left.retain(|(_, data)| !data.is_empty());
    left.dedup_by_key(|(at, _)| *at);
    *value = left;
    join(value);
}

/// Joins what lies side by side.
fn join(value: &mut Value) {
    let mut joined: Vec<(u64, Vec<Bytes>, u64)> = Vec::new();
    for (at, data) in value.drain(..) {
        let length = data.len() as u64;
        match joined.last_mut() {
            Some((_, parts, end)) if *end == at => {
                parts.push(data);
                *end += length;
            }
            _ => joined.push((at, vec![data], at + length)),
        }
    }
    *value = joined
        .into_iter()
        .map(|(at, mut parts, _)| (at, if parts.len() == 1 { parts.remove(0) } else { Bytes::from(parts.concat()) }))
        .collect();
}

/// The value that a fetch brought; `None` when there is none.
pub(crate) fn value(answer: Answer) -> Result<Option<Value>, Status> {
    let segments = match answer {
        Ok(Outcome::Fetched(segments)) => segments,
        Ok(other) => panic!("not the answer to a fetch: {other:?}"),
        Err(Status::Nonexistent | Status::NoHandle) => return Ok(None),
        Err(status) => return Err(status),
    };
    let mut value: Value = Vec::with_capacity(segments.len());
    for segment in segments {
        assert_eq!(erasure::verify(&segment.data, &segment.checksums), Ok(()));
        value.push((segment.offset, segment.data));
    }
    join(&mut value);
    Ok(Some(value))
}

/// What a target holds, read through its operations. A value that is refused comes with its status instead.
pub(crate) fn read_all(driven: &mut Driven) -> Result<State, Status> {
    let other_pool = match driven.run(Command::PoolList, Epoch(1)) {
        Reply::Pools(pools) => pools.contains(&OTHER_POOL),
        other => panic!("{other:?}"),
    };
    let Some(dkeys) = list(driven, Level::Dkeys(OBJECT))? else { return Ok(State { values: None, other_pool }) };
    let mut values = Values::new();
    for dkey in dkeys {
        let name = key(std::str::from_utf8(&dkey).expect("the suite's names are text"));
        for akey in list(driven, Level::Akeys(OBJECT, name))?.unwrap_or_default() {
            let known = NAMES.iter().find(|(d, a, _)| (d.as_bytes(), a.as_bytes()) == (&dkey[..], &akey[..]));
            let known = known.unwrap_or_else(|| panic!("nobody wrote {dkey:?} {akey:?}"));
            if let Some(found) = read_one(driven, *known)? {
                values.insert((dkey.to_vec(), akey.to_vec()), found);
            }
        }
    }
    Ok(State { values: Some(values), other_pool })
}

/// What is under one name.
pub(crate) fn read_one(driven: &mut Driven, name: (&str, &str, bool)) -> Result<Option<Value>, Status> {
    match driven.run(fetch(name), Epoch(1)) {
        Reply::Operated(answer) => value(answer),
        other => panic!("{other:?}"),
    }
}

/// Names of a level; `None` when there is no container.
fn list(driven: &mut Driven, level: Level) -> Result<Option<Vec<Bytes>>, Status> {
    let list = Operation::List { level, after: Vec::new(), limit: 100, epoch: Epoch::MAX };
    match driven.run(operate(list), Epoch(1)) {
        Reply::Operated(Ok(Outcome::Listed { names, more: false })) => Ok(Some(names)),
        Reply::Operated(Err(Status::Nonexistent | Status::NoHandle)) => Ok(None),
        Reply::Operated(Err(status)) => Err(status),
        other => panic!("{other:?}"),
    }
}
