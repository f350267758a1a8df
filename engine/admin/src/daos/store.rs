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
        match object.fetch(&address.dkey, &address.akey, selection, epoch).await {
            Ok(segments) => Ok(segments),
            Err(error) => Err(self.past(error, epoch).await),
        }
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
        match self.0.names(level, after, limit, epoch).await {
            Ok(names) => Ok((names.names, names.more)),
            Err(error) => Err(self.past(error, epoch).await),
        }
    }

    async fn array_size(&self, address: &Address, epoch: Epoch) -> Result<u64, Failure> {
        let operation = Operation::ArraySize { address: address.clone(), epoch };
        let answers = self.0.object(address.object).batch(vec![operation]).await.map_err(failure)?;
        match answers.into_iter().next() {
            Some(Ok(Outcome::Size(size))) => Ok(size),
            Some(Err(status)) => {
                let what = format!("size of dkey `{}` akey `{}`", address.dkey, address.akey);
                Err(self.past(Error::Refused { what, status }, epoch).await)
            }
            other => Err(Failure::new(Status::Protocol, format!("the engine answered a size with {other:?}"))),
        }
    }
}

impl Opened {
    /// The failure of a read as of `epoch`; for a past that is gone, from where on it is there.
    async fn past(&self, error: Error, epoch: Epoch) -> Failure {
        if error.status() != Status::Restart {
            return failure(error);
        }
        match self.0.history_from().await {
            Ok(from) => history_is_gone(epoch, from),
            Err(_) => error.into(), // what is known without the answer
        }
    }
}

fn history_is_gone(epoch: Epoch, from: Epoch) -> Failure {
    let text = format!("history at epoch {epoch} is gone: the container can be read as of epoch {from} and later");
    Failure::new(Status::Restart, format!("{}({}): {text}", Status::Restart.name(), Status::Restart.code()))
        .with_resolution(format!("give --epoch {from} or a later one, or leave it out to read what is there now"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_that_is_gone_says_from_where_on_there_is_one() {
        insta::assert_snapshot!(history_is_gone(Epoch(5), Epoch(9)), @r"
        DER_TX_RESTART(-2025): history at epoch 0x5 is gone: the container can be read as of epoch 0x9 and later
        hint: give --epoch 0x9 or a later one, or leave it out to read what is there now
        ");
    }

    #[test]
    fn a_container_that_is_gone_is_not_taken_for_a_missing_value() {
        let gone = Error::Refused { what: "write dkey `k`".to_owned(), status: Status::NoHandle };
        insta::assert_snapshot!(failure(gone), @r"
        write dkey `k`: DER_NO_HDL(-2002): the container does not exist any more
        hint: it or its pool was destroyed; `daos container list` shows the containers of a pool
        ");
    }
}
