//! Objects: values by dkey and akey.

use bytes::{Bytes, BytesMut};
use erasure::{Mismatch, checksums, verify};
use types::{
    Address, Answer, CHECKSUM_CHUNK_BYTES, Condition, Epoch, Key, Level, MAX_LIST_ENTRIES, MAX_VALUE_BYTES, ObjectId,
    Operation, Outcome, Rank, Scope, Segment, Selection, Shape, Status, TargetIndex,
};
use wire::frame::MAX_OPERATIONS;
use wire::operation::{Request, encoded_length};

use crate::container::Container;
use crate::error::Error;

/// Arrays are written in extents of this size: large enough that the cost of an update does not count, small enough that
/// several are under way on one connection.
const EXTENT_BYTES: usize = 1 << 20;
/// Operations of one frame carry at most this much together, so that a frame stays well below its limit.
const BATCH_BYTES: usize = MAX_VALUE_BYTES;

/// An object of a container.
#[derive(Clone)]
pub struct Object {
    pub(crate) container: Container,
    pub(crate) id: ObjectId,
}

/// Names of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// In byte order.
    pub names: Vec<Bytes>,
    /// True when there may be more after the last; pass that as the next `after`.
    pub more: bool,
}

impl Object {
    /// Its id.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// Writes a single value.
    pub async fn put(&self, dkey: &Key, akey: &Key, data: impl Into<Bytes>) -> Result<Epoch, Error> {
        self.put_if(dkey, akey, data, Condition::Always).await
    }

    /// Writes a single value under a condition. See [`Error::Uncertain`].
    pub async fn put_if(
        &self,
        dkey: &Key,
        akey: &Key,
        data: impl Into<Bytes>,
        condition: Condition,
    ) -> Result<Epoch, Error> {
        self.update(dkey, akey, Shape::Single, condition, data.into()).await
    }

    /// Reads a single value; `None` when there is none.
    pub async fn get(&self, dkey: &Key, akey: &Key) -> Result<Option<Bytes>, Error> {
        self.get_at(dkey, akey, Epoch::MAX).await
    }

    /// Reads a single value as of an epoch.
    pub async fn get_at(&self, dkey: &Key, akey: &Key, epoch: Epoch) -> Result<Option<Bytes>, Error> {
        let segments = match self.fetch(dkey, akey, Selection::Single, epoch).await {
            Err(Error::Refused { status: Status::Nonexistent, .. }) => return Ok(None),
            other => other?,
        };
        Ok(Some(segments.into_iter().next().map(|segment| segment.data).unwrap_or_default()))
    }

    /// Writes bytes of an array from `offset`, in extents of 1 MiB. Each extent is atomic, all of them together are not:
    /// after an error some may have been written.
    pub async fn put_array(&self, dkey: &Key, akey: &Key, offset: u64, data: impl Into<Bytes>) -> Result<Epoch, Error> {
        let mut data: Bytes = data.into();
        let mut at = offset;
        loop {
            let extent = data.split_to(data.len().min(EXTENT_BYTES));
            let length = extent.len() as u64;
            let epoch = self.update(dkey, akey, Shape::Array { offset: at }, Condition::Always, extent).await?;
            if data.is_empty() {
                return Ok(epoch);
            }
            at += length;
        }
    }

    /// Reads bytes of an array. What lies between the segments is a hole.
    pub async fn get_array(&self, dkey: &Key, akey: &Key, offset: u64, length: u64) -> Result<Vec<Segment>, Error> {
        self.fetch(dkey, akey, Selection::Array { offset, length }, Epoch::MAX).await
    }

    /// Reads bytes of an array with holes as zeros.
    pub async fn get_array_filled(&self, dkey: &Key, akey: &Key, offset: u64, length: u64) -> Result<Bytes, Error> {
        let size =
            usize::try_from(length).ok().filter(|size| *size <= MAX_VALUE_BYTES).ok_or_else(|| Error::Invalid {
                what: self.name("read", dkey, akey),
                reason: format!("{length} bytes at once are over the limit of {MAX_VALUE_BYTES}"),
            })?;
        let mut filled = BytesMut::zeroed(size);
        for segment in self.get_array(dkey, akey, offset, length).await? {
            let at = segment.offset.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
            let room = at.and_then(|at| filled.get_mut(at..at + segment.data.len()));
            let room = room.ok_or_else(|| Error::Protocol {
                what: self.name("read", dkey, akey),
                reason: "a segment lies outside the range asked for".to_owned(),
            })?;
            room.copy_from_slice(&segment.data);
        }
        Ok(filled.freeze())
    }

    /// One past the last byte of an array.
    pub async fn array_size(&self, dkey: &Key, akey: &Key) -> Result<u64, Error> {
        let operation = Operation::ArraySize { address: self.address(dkey, akey), epoch: Epoch::MAX };
        match self.one(dkey, operation).await? {
            Outcome::Size(size) => Ok(size),
            other => Err(self.strange("size", &other)),
        }
    }

    /// Writes data as it is: one extent or one single value.
    pub async fn update(
        &self,
        dkey: &Key,
        akey: &Key,
        shape: Shape,
        condition: Condition,
        data: Bytes,
    ) -> Result<Epoch, Error> {
        let address = self.address(dkey, akey);
        let operation = Operation::Update { address, shape, condition, checksums: checksums(&data), data };
        self.changed(dkey, operation).await
    }

    /// Reads what `selection` says, as of an epoch.
    pub async fn fetch(
        &self,
        dkey: &Key,
        akey: &Key,
        selection: Selection,
        epoch: Epoch,
    ) -> Result<Vec<Segment>, Error> {
        match self.one(dkey, Operation::Fetch { address: self.address(dkey, akey), selection, epoch }).await? {
            Outcome::Fetched(segments) => Ok(segments),
            other => Err(self.strange("fetch", &other)),
        }
    }

    /// Removes the whole object, target by target: readers may see part of it gone before the rest.
    pub async fn punch(&self) -> Result<(), Error> {
        for target in self.container.pool.map.targets() {
            let operation = Operation::Punch { scope: Scope::Object(self.id), condition: Condition::Always };
            match self.container.one_on(*target, operation).await {
                Ok(_) | Err(Error::Refused { status: Status::Nonexistent, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes a dkey with all its akeys.
    pub async fn punch_dkey(&self, dkey: &Key) -> Result<Epoch, Error> {
        let scope = Scope::Dkey(self.id, dkey.clone());
        self.changed(dkey, Operation::Punch { scope, condition: Condition::Always }).await
    }

    /// Removes an akey with its value.
    pub async fn punch_akey(&self, dkey: &Key, akey: &Key, condition: Condition) -> Result<Epoch, Error> {
        let scope = Scope::Akey(self.address(dkey, akey));
        self.changed(dkey, Operation::Punch { scope, condition }).await
    }

    /// Makes a hole in an array.
    pub async fn punch_range(&self, dkey: &Key, akey: &Key, offset: u64, length: u64) -> Result<Epoch, Error> {
        let scope = Scope::Range { address: self.address(dkey, akey), offset, length };
        self.changed(dkey, Operation::Punch { scope, condition: Condition::Always }).await
    }

    /// Dkeys in byte order, strictly after `after` (empty: from the start), at most `limit`.
    pub async fn list_dkeys(&self, after: &[u8], limit: u32) -> Result<Names, Error> {
        self.container.list_everywhere(Level::Dkeys(self.id), after.to_vec(), limit, Epoch::MAX).await
    }

    /// Akeys of a dkey, likewise.
    pub async fn list_akeys(&self, dkey: &Key, after: &[u8], limit: u32) -> Result<Names, Error> {
        let level = Level::Akeys(self.id, dkey.clone());
        let list = Operation::List { level, after: after.to_vec(), limit, epoch: Epoch::MAX };
        self.container.list_on(self.container.pool.map.target_of(self.id, dkey), list).await
    }

    /// Several operations at once, sent in as few frames as they fit. The answers come in their order; each operation is a
    /// transaction of its own. Operations on a whole object or a list of names go to every target by their own methods and are
    /// not taken here.
    pub async fn batch(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, Error> {
        let mut answers: Vec<Option<Answer>> = vec![None; operations.len()];
        let mut groups: Vec<Group> = Vec::new();
        for (index, operation) in operations.into_iter().enumerate() {
            let target = self.target_of(&operation)?;
            check(&operation)?;
            let bytes = encoded_length(&operation);
            let open = groups.iter_mut().rev().find(|group| group.target == target);
            match open {
                Some(group)
                    if group.operations.len() < usize::from(MAX_OPERATIONS) && group.bytes + bytes <= BATCH_BYTES =>
                {
                    group.bytes += bytes;
                    group.indices.push(index);
                    group.operations.push(operation);
                }
                _ => groups.push(Group { target, bytes, indices: vec![index], operations: vec![operation] }),
            }
        }
        for group in groups {
            let repeated = group.operations.iter().all(is_repeatable);
            let request = Request { place: self.container.place, operations: group.operations };
            let what = || format!("batch of {} operations", request.operations.len());
            let part = self.container.pool.system.inner.request(group.target, &request, repeated, &what).await?;
            for ((index, answer), operation) in group.indices.into_iter().zip(part).zip(&request.operations) {
                if let Ok(outcome) = &answer {
                    verified(outcome, &|| describe(operation))?;
                }
                answers[index] = Some(answer);
            }
        }
        Ok(answers.into_iter().map(|answer| answer.expect("every operation is in one group")).collect())
    }

    fn target_of(&self, operation: &Operation) -> Result<(Rank, TargetIndex), Error> {
        let dkey = match operation {
            Operation::Update { address, .. }
            | Operation::Fetch { address, .. }
            | Operation::ArraySize { address, .. } => &address.dkey,
            Operation::Punch { scope: Scope::Dkey(_, dkey), .. } => dkey,
            Operation::Punch { scope: Scope::Akey(address) | Scope::Range { address, .. }, .. } => &address.dkey,
            Operation::Punch { scope: Scope::Object(_), .. } | Operation::List { .. } => {
                return Err(Error::Invalid {
                    what: describe(operation),
                    reason: "it concerns every target and cannot be part of a batch".to_owned(),
                });
            }
        };
        Ok(self.container.pool.map.target_of(self.id, dkey))
    }

    fn address(&self, dkey: &Key, akey: &Key) -> Address {
        Address { object: self.id, dkey: dkey.clone(), akey: akey.clone() }
    }

    async fn changed(&self, dkey: &Key, operation: Operation) -> Result<Epoch, Error> {
        match self.one(dkey, operation).await? {
            Outcome::Changed(epoch) => Ok(epoch),
            other => Err(self.strange("change", &other)),
        }
    }

    async fn one(&self, dkey: &Key, operation: Operation) -> Result<Outcome, Error> {
        self.container.one_on(self.container.pool.map.target_of(self.id, dkey), operation).await
    }

    fn name(&self, verb: &str, dkey: &Key, akey: &Key) -> String {
        format!("{verb} dkey `{dkey}` akey `{akey}` of object {}", self.id)
    }

    fn strange(&self, verb: &str, outcome: &Outcome) -> Error {
        let reason = format!("it was answered with {outcome:?}");
        Error::Protocol { what: format!("{verb} on object {}", self.id), reason }
    }
}

/// Operations of one frame.
struct Group {
    target: (Rank, TargetIndex),
    bytes: usize,
    indices: Vec<usize>,
    operations: Vec<Operation>,
}

impl Container {
    /// One operation on one target.
    pub(crate) async fn one_on(&self, target: (Rank, TargetIndex), operation: Operation) -> Result<Outcome, Error> {
        check(&operation)?;
        let repeated = is_repeatable(&operation);
        let request = Request { place: self.place, operations: vec![operation] };
        let what = || describe(&request.operations[0]);
        let mut answers = self.pool.system.inner.request(target, &request, repeated, &what).await?;
        let outcome = answers.remove(0).map_err(|status| Error::Refused { what: what(), status })?;
        verified(&outcome, &what)?;
        Ok(outcome)
    }

    pub(crate) async fn list_on(&self, target: (Rank, TargetIndex), list: Operation) -> Result<Names, Error> {
        let what = describe(&list);
        match self.one_on(target, list).await {
            Ok(Outcome::Listed { names, more }) => Ok(Names { names, more }),
            Ok(other) => Err(Error::Protocol { what, reason: format!("it was answered with {other:?}") }),
            Err(Error::Refused { status: Status::Nonexistent, .. }) => Ok(Names { names: Vec::new(), more: false }),
            Err(error) => Err(error),
        }
    }
}

/// Limits that are known here are told before anything is sent.
fn check(operation: &Operation) -> Result<(), Error> {
    let invalid = |reason: String| Err(Error::Invalid { what: describe(operation), reason });
    match operation {
        Operation::Update { data, .. } if data.len() > MAX_VALUE_BYTES => invalid(format!(
            "a value of {} bytes is over the limit of {MAX_VALUE_BYTES}; write it as an array",
            data.len()
        )),
        Operation::Update { data, shape: Shape::Array { .. }, .. } if data.is_empty() => {
            invalid("an array extent has at least one byte".to_owned())
        }
        Operation::Fetch { selection: Selection::Array { length, .. }, .. } if *length > MAX_VALUE_BYTES as u64 => {
            invalid(format!("{length} bytes at once are over the limit of {MAX_VALUE_BYTES}"))
        }
        Operation::List { limit, .. } if *limit == 0 || *limit > MAX_LIST_ENTRIES => {
            invalid(format!("a list gives 1 to {MAX_LIST_ENTRIES} names at once, not {limit}"))
        }
        Operation::List { after, .. } if after.len() > types::MAX_KEY_BYTES => {
            invalid("the anchor is longer than any name".to_owned())
        }
        _ => Ok(()),
    }
}

fn is_repeatable(operation: &Operation) -> bool {
    match operation {
        Operation::Update { condition, .. } | Operation::Punch { condition, .. } => *condition == Condition::Always,
        Operation::Fetch { .. } | Operation::List { .. } | Operation::ArraySize { .. } => true,
    }
}

/// The reader's check of the writer's checksums.
fn verified(outcome: &Outcome, what: &dyn Fn() -> String) -> Result<(), Error> {
    let Outcome::Fetched(segments) = outcome else { return Ok(()) };
    for segment in segments {
        let at = match verify(&segment.data, &segment.checksums) {
            Ok(()) => continue,
            Err(Mismatch::Chunk(at)) => at / CHECKSUM_CHUNK_BYTES * CHECKSUM_CHUNK_BYTES,
            Err(Mismatch::Count) => 0,
        };
        return Err(Error::Checksum { what: what(), offset: segment.offset + at as u64 });
    }
    Ok(())
}

fn describe(operation: &Operation) -> String {
    let place =
        |address: &Address| format!("dkey `{}` akey `{}` of object {}", address.dkey, address.akey, address.object);
    match operation {
        Operation::Update { address, .. } => format!("write {}", place(address)),
        Operation::Fetch { address, .. } => format!("read {}", place(address)),
        Operation::ArraySize { address, .. } => format!("size of {}", place(address)),
        Operation::Punch { scope, .. } => match scope {
            Scope::Object(object) => format!("remove object {object}"),
            Scope::Dkey(object, dkey) => format!("remove dkey `{dkey}` of object {object}"),
            Scope::Akey(address) | Scope::Range { address, .. } => format!("remove {}", place(address)),
        },
        Operation::List { level, .. } => match level {
            Level::Objects => "list objects".to_owned(),
            Level::Dkeys(object) => format!("list dkeys of object {object}"),
            Level::Akeys(object, dkey) => format!("list akeys of dkey `{dkey}` of object {object}"),
        },
    }
}
