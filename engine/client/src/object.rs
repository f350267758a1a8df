//! Objects: values by dkey and akey.

use bytes::{Bytes, BytesMut};
use erasure::checksums;
use types::{
    Address, Condition, Epoch, Key, Level, MAX_VALUE_BYTES, ObjectId, Operation, Outcome, Rank, Scope, Segment,
    Selection, Shape, Status, TargetIndex,
};
use wire::operation::Request;

use crate::container::Container;
use crate::error::Error;
use crate::operation::{ARRAY_END, check, describe, is_repeatable, received};

/// Arrays are written in extents of this size: large enough that the cost of an update does not count, small enough that
/// several are under way on one connection.
const EXTENT_BYTES: usize = 1 << 20;

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

    /// Writes a single value under a condition. It is never sent twice; see [`Error::Uncertain`].
    ///
    /// ```no_run
    /// use daos_client::{Error, Object};
    /// use types::{Condition, Key, Status};
    ///
    /// /// True when this process got the lock.
    /// async fn lock(object: &Object, owner: &str) -> Result<bool, Error> {
    ///     let (dkey, akey) = (Key::try_from("lock")?, Key::try_from("owner")?);
    ///     match object.put_if(&dkey, &akey, owner.to_owned(), Condition::Absent).await {
    ///         Ok(_) => Ok(true),
    ///         Err(Error::Refused { status: Status::Exists, .. }) => Ok(false),
    ///         // The answer was lost: the value itself says whose the lock is.
    ///         Err(Error::Uncertain { .. }) => Ok(object.get(&dkey, &akey).await?.as_deref() == Some(owner.as_bytes())),
    ///         Err(error) => Err(error),
    ///     }
    /// }
    /// ```
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
        let [segment] = <[Segment; 1]>::try_from(segments).expect("a received single value is one segment");
        Ok(Some(segment.data))
    }

    /// Writes bytes of an array from `offset`, in extents of 1 MiB. Each extent is atomic, all of them together are not:
    /// after an error some may have been written. Gives the epoch of the last.
    pub async fn put_array(&self, dkey: &Key, akey: &Key, offset: u64, data: impl Into<Bytes>) -> Result<Epoch, Error> {
        let mut data: Bytes = data.into();
        // Before the first extent is written, not when the last is refused.
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > ARRAY_END) {
            let reason = format!("{} bytes from {offset} reach past the end of an array at {ARRAY_END}", data.len());
            return Err(Error::Invalid { what: self.name("write", dkey, akey), reason });
        }
        let mut at = offset;
        loop {
            let extent = data.split_to(data.len().min(EXTENT_BYTES));
            let length = extent.len() as u64;
            let epoch = self.update(dkey, akey, Shape::array(at), Condition::Always, extent).await?;
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
            let at = (segment.offset - offset) as usize; // received segments lie inside the range
            filled[at..at + segment.data.len()].copy_from_slice(&segment.data);
        }
        Ok(filled.freeze())
    }

    /// One past the last byte of an array.
    pub async fn array_size(&self, dkey: &Key, akey: &Key) -> Result<u64, Error> {
        self.array_size_at(dkey, akey, Epoch::MAX).await
    }

    /// One past the last byte of an array as of an epoch.
    pub async fn array_size_at(&self, dkey: &Key, akey: &Key, epoch: Epoch) -> Result<u64, Error> {
        let operation = Operation::ArraySize { address: self.address(dkey, akey), epoch };
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
        let checksums = checksums(self.container.checksum_kind, &data);
        let operation = Operation::Update { address, shape, condition, checksums, data };
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

    /// Dkeys in byte order, strictly after `after` (empty: from the start), at most `limit`. As of an epoch: [`Container::names`].
    ///
    /// ```no_run
    /// # async fn example(object: &daos_client::Object) -> Result<(), daos_client::Error> {
    /// let mut after = Vec::new();
    /// loop {
    ///     let page = object.list_dkeys(&after, 100).await?;
    ///     for name in &page.names {
    ///         println!("{}", name.escape_ascii());
    ///     }
    ///     match page.names.last() {
    ///         Some(last) if page.more => after = last.to_vec(),
    ///         _ => return Ok(()),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn list_dkeys(&self, after: &[u8], limit: u32) -> Result<Names, Error> {
        self.container.list_everywhere(Level::Dkeys(self.id), after.to_vec(), limit, Epoch::MAX).await
    }

    /// Akeys of a dkey, likewise.
    pub async fn list_akeys(&self, dkey: &Key, after: &[u8], limit: u32) -> Result<Names, Error> {
        let level = Level::Akeys(self.id, dkey.clone());
        let list = Operation::List { level, after: after.to_vec(), limit, epoch: Epoch::MAX };
        self.container.list_on(self.container.pool.map.target_of(self.id, dkey), list).await
    }

    pub(crate) fn address(&self, dkey: &Key, akey: &Key) -> Address {
        Address { object: self.id, dkey: dkey.clone(), akey: akey.clone() }
    }

    async fn changed(&self, dkey: &Key, operation: Operation) -> Result<Epoch, Error> {
        match self.one(dkey, operation).await? {
            Outcome::Changed(epoch) => Ok(epoch),
            other => Err(self.strange("change", &other)),
        }
    }

    pub(crate) async fn one(&self, dkey: &Key, operation: Operation) -> Result<Outcome, Error> {
        self.container.one_on(self.container.pool.map.target_of(self.id, dkey), operation).await
    }

    fn name(&self, verb: &str, dkey: &Key, akey: &Key) -> String {
        format!("{verb} dkey `{dkey}` akey `{akey}` of object {}", self.id)
    }

    pub(crate) fn strange(&self, verb: &str, outcome: &Outcome) -> Error {
        let reason = format!("it was answered with {outcome:?}");
        Error::Protocol { what: format!("{verb} on object {}", self.id), reason }
    }
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
        received(&request.operations[0], &outcome)?;
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
