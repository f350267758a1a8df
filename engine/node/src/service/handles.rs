//! Handles: which clients have which pools and containers open.
//!
//! A client opens by `POOL_CONNECT`, `CONTAINER_OPEN` and `CONTAINER_CREATE`, and holds what it opened until its service
//! connection ends; there is no close, so that nothing has to be believed of a client that died. Nothing of this is
//! durable: an engine that starts has no connections, and clients open again when they connect again.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::{Place, PoolId, Status};
use wire::fault::Failure;

/// A client's service connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(pub u64);

/// What each client holds.
#[derive(Default)]
pub(super) struct Handles(Mutex<HashMap<Client, Held>>);

#[derive(Default)]
struct Held {
    pools: BTreeSet<PoolId>,
    containers: BTreeSet<Place>,
}

impl Handles {
    pub(super) fn open_pool(&self, client: Option<Client>, pool: PoolId) {
        if let Some(client) = client {
            self.held().entry(client).or_default().pools.insert(pool);
        }
    }

    pub(super) fn open_container(&self, client: Option<Client>, place: Place) {
        if let Some(client) = client {
            self.held().entry(client).or_default().containers.insert(place);
        }
    }

    /// Clients that hold a container.
    pub(super) fn of_container(&self, place: Place) -> u32 {
        u32::try_from(self.held().values().filter(|held| held.containers.contains(&place)).count()).unwrap_or(u32::MAX)
    }

    /// Refuses when a client other than `client` holds the pool.
    pub(super) fn check_pool(&self, client: Option<Client>, pool: PoolId) -> Result<(), Failure> {
        self.check(client, &format!("pool {pool}"), |held| held.pools.contains(&pool))
    }

    /// Refuses when a client other than `client` holds the container.
    pub(super) fn check_container(&self, client: Option<Client>, place: Place) -> Result<(), Failure> {
        self.check(client, &format!("container {}", place.container), |held| held.containers.contains(&place))
    }

    /// A client's connection ended.
    pub(super) fn end(&self, client: Client) {
        self.held().remove(&client);
    }

    fn check(&self, client: Option<Client>, what: &str, holds: impl Fn(&Held) -> bool) -> Result<(), Failure> {
        let others = self.held().iter().filter(|(other, held)| Some(**other) != client && holds(held)).count();
        if others == 0 {
            return Ok(());
        }
        let (clients, have) = if others == 1 { ("client", "has") } else { ("clients", "have") };
        let text = format!("{what} is in use: {others} {clients} {have} it open");
        Err(Failure::new(Status::Busy, text)
            .with_resolution("end the programs that use it, or retry with `--force`, which takes it away from them"))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Client, Held>> {
        // A panic while holding it cannot leave it half-changed: every change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
