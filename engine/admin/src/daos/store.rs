//! What `daos kv` needs of a container: the five operations of the data path, one at a time.

use bytes::Bytes;
use client::{Container, Error};
use types::{Address, Condition, Epoch, Level, Operation, Outcome, Scope, Segment, Selection, Shape, Status};
use wire::fault::Failure;

/// A container of values; the client library's, or one in memory.
pub(super) trait Store {
    /// Writes `data`; at most one update's worth.
    async fn update(
        &self,
        address: &Address,
        shape: Shape,
        condition: Condition,
        data: Bytes,
    ) -> Result<Epoch, Failure>;
    /// Reads, at most one update's worth.
    async fn fetch(&self, address: &Address, selection: Selection, epoch: Epoch) -> Result<Vec<Segment>, Failure>;
    /// Removes.
    async fn punch(&self, scope: Scope, condition: Condition) -> Result<Epoch, Failure>;
    /// Names after `after`, at most `limit`, and whether there may be more.
    async fn list(&self, level: Level, after: Vec<u8>, limit: u32, epoch: Epoch)
    -> Result<(Vec<Bytes>, bool), Failure>;
    /// One past the last byte of an array.
    async fn array_size(&self, address: &Address, epoch: Epoch) -> Result<u64, Failure>;
}

/// An open container of the client library.
pub(super) struct Opened(pub(super) Container);

impl Store for Opened {
    async fn update(
        &self,
        address: &Address,
        shape: Shape,
        condition: Condition,
        data: Bytes,
    ) -> Result<Epoch, Failure> {
        let object = self.0.object(address.object);
        object.update(&address.dkey, &address.akey, shape, condition, data).await.map_err(failure)
    }

    async fn fetch(&self, address: &Address, selection: Selection, epoch: Epoch) -> Result<Vec<Segment>, Failure> {
        let object = self.0.object(address.object);
        object.fetch(&address.dkey, &address.akey, selection, epoch).await.map_err(failure)
    }

    async fn punch(&self, scope: Scope, condition: Condition) -> Result<Epoch, Failure> {
        let done = match scope {
            Scope::Dkey(object, dkey) => self.0.object(object).punch_dkey(&dkey).await,
            Scope::Akey(Address { object, dkey, akey }) => {
                self.0.object(object).punch_akey(&dkey, &akey, condition).await
            }
            Scope::Range { address: Address { object, dkey, akey }, offset, length } => {
                self.0.object(object).punch_range(&dkey, &akey, offset, length).await
            }
            Scope::Object(object) => self.0.object(object).punch().await.map(|()| Epoch::ZERO),
        };
        done.map_err(failure)
    }

    async fn list(
        &self,
        level: Level,
        after: Vec<u8>,
        limit: u32,
        epoch: Epoch,
    ) -> Result<(Vec<Bytes>, bool), Failure> {
        let names = self.0.names(level, after, limit, epoch).await.map_err(failure)?;
        Ok((names.names, names.more))
    }

    async fn array_size(&self, address: &Address, epoch: Epoch) -> Result<u64, Failure> {
        let operation = Operation::ArraySize { address: address.clone(), epoch };
        let answers = self.0.object(address.object).batch(vec![operation]).await.map_err(failure)?;
        match answers.into_iter().next() {
            Some(Ok(Outcome::Size(size))) => Ok(size),
            Some(Err(status)) => Err(Failure::new(status, status.to_string())),
            other => Err(Failure::new(Status::Protocol, format!("the engine answered a size with {other:?}"))),
        }
    }
}

/// Outcomes that the command knows more about than the library keep their status only; the command says the rest.
fn failure(error: Error) -> Failure {
    match error {
        Error::Refused { status: status @ (Status::Nonexistent | Status::Exists | Status::Invalid), .. } => {
            Failure::new(status, status.to_string())
        }
        other => other.into(),
    }
}
