//! The model: what a target holds after some changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use daos_store::Command;
use types::{Address, Condition, Operation, Scope, Shape, Status, TransactionId};
use uuid::Uuid;

/// Stretches: offset and bytes, ascending and apart. A single value is one at offset 0.
pub(crate) type Value = Vec<(u64, Bytes)>;

/// Values by where they are.
pub(crate) type Values = BTreeMap<Address, Value>;

/// What a target holds.
#[derive(Clone, Default)]
pub(crate) struct State {
    /// Of the container; `None` when there is no container.
    pub(crate) values: Option<Values>,
    /// What it held as of each snapshot.
    pub(crate) snapshots: BTreeMap<u64, Values>,
    /// Prepared transactions: epoch and changes.
    prepared: BTreeMap<TransactionId, (u64, Vec<Arc<Operation>>)>,
    /// Whether the other pool is there.
    pub(crate) other_pool: bool,
    /// All changes of the container, for what changes the past.
    history: Vec<(u64, Arc<Operation>)>,
}

/// How a change must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// It is made.
    Made,
    /// It is refused.
    Refused(Status),
}

impl State {
    /// A container with nothing in it.
    pub(crate) fn empty() -> State {
        State { values: Some(Values::new()), ..State::default() }
    }

    /// What was read from a target; it can be compared, and knows no past.
    pub(crate) fn observed(
        values: Option<Values>,
        snapshots: BTreeMap<u64, Values>,
        prepared: impl Iterator<Item = (TransactionId, u64)>,
        other_pool: bool,
    ) -> State {
        let prepared = prepared.map(|(id, epoch)| (id, (epoch, Vec::new()))).collect();
        State { values, snapshots, prepared, other_pool, history: Vec::new() }
    }

    /// The first prepared transaction, or one that there is not.
    pub(crate) fn first_prepared(&self) -> TransactionId {
        self.prepared.keys().next().copied().unwrap_or(TransactionId(Uuid::from_u128(1)))
    }

    /// One past the last byte under a name.
    pub(crate) fn size(&self, address: &Address) -> u64 {
        let value = self.values.as_ref().and_then(|values| values.get(address));
        value.and_then(|value| value.last()).map_or(0, |(at, data)| at + data.len() as u64)
    }

    /// Does a change made at `epoch`.
    pub(crate) fn apply(&mut self, command: &Command, epoch: u64) -> Ends {
        match command {
            Command::ContainerDestroy(_) => {
                *self = State { other_pool: self.other_pool, ..State::default() };
            }
            Command::ContainerCreate(..) => {
                self.values.get_or_insert_with(Values::new);
            }
            Command::PoolCreate { .. } => self.other_pool = true,
            Command::PoolDestroy(_) => self.other_pool = false,
            Command::SnapshotAdd { epoch, .. } => {
                let is_new = !self.snapshots.contains_key(&epoch.0);
                if is_new && self.prepared.values().any(|(at, _)| *at <= epoch.0) {
                    return Ends::Refused(Status::Busy);
                }
                let values = self.as_of(epoch.0);
                self.snapshots.insert(epoch.0, values);
            }
            Command::SnapshotRemove { epoch, .. } => {
                self.snapshots.remove(&epoch.0);
            }
            Command::Prepare { transaction, operations, .. } => {
                if operations.iter().any(|operation| self.holds(operation)) {
                    return Ends::Refused(Status::Busy);
                }
                let changes = operations.iter().map(|one| Arc::new(one.clone())).collect();
                self.prepared.insert(*transaction, (epoch, changes));
            }
            Command::Commit(transaction) => {
                let Some((at, changes)) = self.prepared.remove(transaction) else {
                    return Ends::Refused(Status::Nonexistent);
                };
                self.history.extend(changes.into_iter().map(|change| (at, change)));
                self.history.sort_by_key(|(epoch, _)| *epoch);
                self.replay();
            }
            Command::Abort(transaction) => {
                self.prepared.remove(transaction);
            }
            Command::Discard { from, to, .. } => {
                if !self.prepared.is_empty() {
                    return Ends::Refused(Status::Busy);
                }
                self.history.retain(|(epoch, _)| !(from.0..=to.0).contains(epoch));
                self.replay();
            }
            Command::Operate { operation, .. } => return self.operate(operation, epoch),
            _ => {}
        }
        Ends::Made
    }

    fn operate(&mut self, operation: &Operation, epoch: u64) -> Ends {
        let is_held = self.holds(operation);
        let Some(values) = &mut self.values else { return Ends::Refused(Status::NoHandle) };
        if let Some(status) = condition(values, operation) {
            return Ends::Refused(status);
        }
        let finds_nothing =
            matches!(operation, Operation::Punch { scope, .. } if !values.keys().any(|at| covers(scope, at)));
        match (finds_nothing, is_held) {
            (_, true) => Ends::Refused(Status::Busy),
            (true, false) => Ends::Made,
            (false, false) => {
                change(values, operation);
                self.history.push((epoch, Arc::new(operation.clone())));
                Ends::Made
            }
        }
    }

    /// True when a prepared transaction is about to change what `operation` changes.
    fn holds(&self, operation: &Operation) -> bool {
        let mut held = self.prepared.values().flat_map(|(_, changes)| changes).filter_map(|change| match &**change {
            Operation::Update { address, .. } => Some(address),
            _ => None,
        });
        match operation {
            Operation::Update { address, .. } => held.any(|one| one == address),
            Operation::Punch { scope: Scope::Range { address, .. }, .. } => held.any(|one| one == address),
            Operation::Punch { scope, .. } => held.any(|one| covers(scope, one)),
            _ => false,
        }
    }

    fn as_of(&self, epoch: u64) -> Values {
        let mut values = Values::new();
        for (_, operation) in self.history.iter().take_while(|(at, _)| *at <= epoch) {
            change(&mut values, operation);
        }
        values
    }

    /// Makes everything anew from the history.
    fn replay(&mut self) {
        self.values = self.values.is_some().then(|| self.as_of(u64::MAX));
        let epochs: Vec<u64> = self.snapshots.keys().copied().collect();
        self.snapshots = epochs.into_iter().map(|epoch| (epoch, self.as_of(epoch))).collect();
    }
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        let prepared = |state: &State| state.prepared.iter().map(|(id, (epoch, _))| (*id, *epoch)).collect::<Vec<_>>();
        self.values == other.values
            && self.snapshots == other.snapshots
            && prepared(self) == prepared(other)
            && self.other_pool == other.other_pool
    }
}

/// Values by their length and checksum: whole ones would fill the screen.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |f: &mut fmt::Formatter<'_>, values: &Values| {
            for (Address { object, dkey, akey }, value) in values {
                write!(f, ", {object}/{dkey}/{akey}:")?;
                for (at, data) in value {
                    write!(f, " {} bytes at {at} ({:08x})", data.len(), erasure::crc32c(data))?;
                }
            }
            Ok(())
        };
        write!(f, "(other pool: {}", self.other_pool)?;
        match &self.values {
            Some(values) => show(f, values)?,
            None => write!(f, ", no container")?,
        }
        for (epoch, values) in &self.snapshots {
            write!(f, "; snapshot {epoch}")?;
            show(f, values)?;
        }
        for (id, (epoch, _)) in &self.prepared {
            write!(f, "; {id:?} prepared at {epoch}")?;
        }
        write!(f, ")")
    }
}

/// True when what is at `at` goes with a punch, or a part of it.
fn covers(scope: &Scope, at: &Address) -> bool {
    match scope {
        Scope::Object(object) => *object == at.object,
        Scope::Dkey(object, dkey) => *object == at.object && *dkey == at.dkey,
        Scope::Akey(address) | Scope::Range { address, .. } => address == at,
    }
}

/// Why the condition of an operation does not hold.
fn condition(values: &Values, operation: &Operation) -> Option<Status> {
    let (condition, akey, dkey) = match operation {
        Operation::Update { condition, address, .. } => {
            let of_dkey = Scope::Dkey(address.object, address.dkey.clone());
            (condition, values.contains_key(address), values.keys().any(|at| covers(&of_dkey, at)))
        }
        Operation::Punch { condition, scope } => (condition, values.keys().any(|at| covers(scope, at)), false),
        _ => return None,
    };
    match condition {
        Condition::Absent if akey => Some(Status::Exists),
        Condition::Present if !akey => Some(Status::Nonexistent),
        Condition::DkeyAbsent if dkey => Some(Status::Exists),
        Condition::DkeyPresent if !dkey => Some(Status::Nonexistent),
        _ => None,
    }
}

fn change(values: &mut Values, operation: &Operation) {
    match operation {
        Operation::Update { address, shape, data, .. } => {
            let value = values.entry(address.clone()).or_default();
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
        Operation::Punch { scope: Scope::Range { address, offset, length }, .. } => {
            if let Some(value) = values.get_mut(address) {
                cut(value, *offset, offset + length);
            }
            values.retain(|_, value| !value.is_empty());
        }
        Operation::Punch { scope, .. } => values.retain(|at, _| !covers(scope, at)),
        _ => {}
    }
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
pub(crate) fn join(value: &mut Value) {
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
