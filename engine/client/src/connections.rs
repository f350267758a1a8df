//! Connections to engines, opened when first needed and again after they ended.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use fabric::{Connection, ConnectionError, ServiceConnection};
use tokio::sync::Mutex as AsyncMutex;

/// Something that can end.
pub(crate) trait Ends {
    fn has_ended(&self) -> bool;
}

impl Ends for Connection {
    fn has_ended(&self) -> bool {
        self.ended().is_some()
    }
}

impl Ends for ServiceConnection {
    fn has_ended(&self) -> bool {
        self.connection().ended().is_some()
    }
}

/// A place for one connection; whoever finds it empty fills it while others wait.
type Place<C> = Arc<AsyncMutex<Option<Arc<C>>>>;

/// One connection per key.
pub(crate) struct Connections<K, C> {
    places: Mutex<HashMap<K, Place<C>>>,
}

impl<K: Hash + Eq, C: Ends> Connections<K, C> {
    pub(crate) fn new() -> Connections<K, C> {
        Connections { places: Mutex::new(HashMap::new()) }
    }

    /// The connection for `key`, made by `open` when there is none that lives.
    pub(crate) async fn get<F>(&self, key: K, open: impl FnOnce() -> F) -> Result<Arc<C>, ConnectionError>
    where
        F: Future<Output = Result<C, ConnectionError>>,
    {
        let place = self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        let mut place = place.lock().await;
        if let Some(connection) = &*place
            && !connection.has_ended()
        {
            return Ok(connection.clone());
        }
        let connection = Arc::new(open().await?);
        *place = Some(connection.clone());
        Ok(connection)
    }

    /// Forgets the connection for `key`, so that the next call opens another.
    pub(crate) fn forget(&self, key: &K) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
