//! Lists of any level, as of any epoch.

use types::{Epoch, Level, Operation};

use crate::container::Container;
use crate::error::Error;
use crate::object::Names;

impl Container {
    /// Names of `level` in their order ([`types::KeyKind`]), strictly after `after` (empty: from the start), at most `limit`, as of `epoch`.
    /// Objects are named by their 16 big-endian bytes. Akeys lie on one target; the others are merged from all.
    pub async fn names(&self, level: Level, after: Vec<u8>, limit: u32, epoch: Epoch) -> Result<Names, Error> {
        match &level {
            Level::Akeys(object, dkey) => {
                let target = self.pool.map.target_of(*object, dkey);
                self.list_on(target, Operation::List { level, after, limit, epoch }).await
            }
            Level::Objects | Level::Dkeys(_) => self.list_everywhere(level, after, limit, epoch).await,
        }
    }
}
