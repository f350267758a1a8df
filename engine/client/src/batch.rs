//! Several operations at once: grouped by target, answered in the order they were given.

use types::{Answer, MAX_VALUE_BYTES, Operation, Rank, Scope, Status, TargetIndex};
use wire::frame::MAX_OPERATIONS;
use wire::operation::{Request, encoded_length};

use crate::error::Error;
use crate::object::Object;
use crate::operation::{check, describe, is_repeatable, received};

/// Operations of one frame carry at most this much together; the rest of a frame is room for the keys and checksums of one
/// value of the largest size.
const BATCH_BYTES: usize = MAX_VALUE_BYTES;

/// Operations of one frame.
struct Group {
    target: (Rank, TargetIndex),
    bytes: usize,
    indices: Vec<usize>,
    operations: Vec<Operation>,
}

impl Object {
    /// Several operations on this object, sent in as few frames as they fit. The answers come in the order of the
    /// operations; each operation is a transaction of its own, and those for different targets happen in any order. A
    /// frame with a conditional change is never sent twice. After an error some of the changes may have happened.
    ///
    /// Removing a whole object and listing concern every target; they have methods of their own and are refused here,
    /// like operations on another object.
    ///
    /// ```no_run
    /// use types::{Address, Epoch, Key, Operation, Selection};
    ///
    /// # async fn example(object: &daos_client::Object) -> Result<(), daos_client::Error> {
    /// let mut reads = Vec::new();
    /// for fruit in ["apple", "pear"] {
    ///     let address = Address { object: object.id(), dkey: Key::try_from(fruit)?, akey: Key::try_from("colour")? };
    ///     reads.push(Operation::Fetch { address, selection: Selection::Single, epoch: Epoch::MAX });
    /// }
    /// for answer in object.batch(reads).await? {
    ///     println!("{answer:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn batch(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, Error> {
        let mut answers: Vec<Option<Answer>> = vec![None; operations.len()];
        for group in self.groups(operations)? {
            let repeated = group.operations.iter().all(is_repeatable);
            let request = Request { place: self.container.place, operations: group.operations };
            let what = || format!("batch of {} operations on object {}", request.operations.len(), self.id);
            let part = self.container.pool.system.inner.request(group.target, &request, repeated, &what).await?;
            for ((index, answer), operation) in group.indices.into_iter().zip(part).zip(&request.operations) {
                answers[index] = Some(match answer {
                    Ok(outcome) => {
                        received(operation, &outcome)?;
                        Ok(outcome)
                    }
                    // It did not fit into one reply with the others.
                    Err(Status::TooBig)
                        if request.operations.len() > 1 && matches!(operation, Operation::Fetch { .. }) =>
                    {
                        self.alone(group.target, operation.clone()).await?
                    }
                    Err(status) => Err(status),
                });
            }
        }
        Ok(answers.into_iter().map(|answer| answer.expect("every operation is in one group")).collect())
    }

    async fn alone(&self, target: (Rank, TargetIndex), operation: Operation) -> Result<Answer, Error> {
        match self.container.one_on(target, operation).await {
            Ok(outcome) => Ok(Ok(outcome)),
            Err(Error::Refused { status, .. }) => Ok(Err(status)),
            Err(error) => Err(error),
        }
    }

    /// Frames, in the order given for each target.
    fn groups(&self, operations: Vec<Operation>) -> Result<Vec<Group>, Error> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, operation) in operations.into_iter().enumerate() {
            let target = self.target_of(&operation)?;
            check(&operation)?;
            let bytes = encoded_length(&operation);
            match groups.iter_mut().rev().find(|group| group.target == target) {
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
        Ok(groups)
    }

    fn target_of(&self, operation: &Operation) -> Result<(Rank, TargetIndex), Error> {
        let invalid = |reason: String| Err(Error::Invalid { what: describe(operation), reason });
        let (object, dkey) = match operation {
            Operation::Update { address, .. }
            | Operation::Fetch { address, .. }
            | Operation::ArraySize { address, .. }
            | Operation::Extents { address, .. }
            | Operation::Punch { scope: Scope::Akey(address) | Scope::Range { address, .. }, .. } => {
                (address.object, &address.dkey)
            }
            Operation::Punch { scope: Scope::Dkey(object, dkey), .. }
            | Operation::QueryKey { object, dkey: Some(dkey), .. } => (*object, dkey),
            Operation::Punch { scope: Scope::Object(_), .. }
            | Operation::QueryKey { dkey: None, .. }
            | Operation::List { .. } => {
                return invalid("it concerns every target and cannot be part of a batch".to_owned());
            }
        };
        if object != self.id {
            return invalid(format!("the batch is for object {}", self.id));
        }
        Ok(self.container.pool.map.target_of(object, dkey))
    }
}
