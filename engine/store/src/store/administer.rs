//! Commands about pools, containers and snapshots.

use std::time::Duration;

use types::{Epoch, Place, Status};

use super::Store;
use super::execute::Stop;
use super::io::epoch_units;
use crate::arena::Need;
use crate::catalog::{self, Container};
use crate::command::{Command, ContainerUse, Reply, Token};
use crate::snapshots;

/// How far a snapshot's epoch may be ahead of the time that this target was told: the clocks of two servers may differ by this.
const SKEW_MOST: Duration = Duration::from_secs(60);

impl Store {
    /// Runs a change of the catalog as one transaction. The body says whether it changed anything.
    fn administer(
        &mut self,
        token: Token,
        need: Need,
        body: impl FnOnce(&mut Store) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        self.arena.begin(need);
        match body(self) {
            Ok(true) => {
                let epoch = self.clock.tick(self.now);
                self.commit(epoch);
                self.reply_after(epoch, token, Reply::Done(Ok(())));
                Ok(())
            }
            Ok(false) => {
                self.arena.rollback();
                self.reply_after(self.log.last_epoch(), token, Reply::Done(Ok(())));
                Ok(())
            }
            Err(stop) => {
                self.arena.rollback();
                match stop {
                    Stop::Refused(status, _) => Err(Stop::Refused(status, self.log.last_epoch())),
                    other => Err(other),
                }
            }
        }
    }

    /// Runs a change of pools, containers or snapshots.
    pub(super) fn change_catalog(&mut self, token: Token, command: &Command) -> Result<(), Stop> {
        match command {
            Command::PoolCreate { pool, scm_bytes, data_bytes } => self.administer(token, Need::Usual, |store| {
                match catalog::create_pool(&mut store.arena, *pool, *scm_bytes, *data_bytes) {
                    // What is being taken down will give its promise back.
                    Err(Status::NoSpace) if store.reclaim.has_graves() => Err(Stop::AfterGraves),
                    other => other.map_err(Stop::from),
                }
            }),
            Command::PoolDestroy(pool) => self.administer(token, Need::Sure, |store| {
                let found = catalog::find_pool(&store.arena, *pool);
                let buried = catalog::bury_pool(&mut store.arena, *pool)?;
                let arena = &store.arena;
                store.transactions.retain(|container| Some(container.pool(arena)) != found);
                store.reclaim.forget_discards(|place| place.pool == *pool);
                store.forget_lists(|place| place.pool == *pool);
                store.containers.clear();
                store.reclaim.dig();
                Ok(buried)
            }),
            Command::PoolScrub(pool, scrubbing) => self.administer(token, Need::Sure, |store| {
                let found = catalog::find_pool(&store.arena, *pool).ok_or(Status::Nonexistent)?;
                Ok(found.set_scrubbing(&mut store.arena, *scrubbing))
            }),
            Command::ContainerCreate(place, kind) => self.administer(token, Need::Usual, |store| {
                Ok(catalog::create_container(&mut store.arena, *place, *kind)?)
            }),
            Command::ContainerDestroy(place) => self.administer(token, Need::Sure, |store| {
                let found = store.container(*place);
                let buried = catalog::bury_container(&mut store.arena, *place)?;
                store.transactions.retain(|container| Some(container) != found);
                store.reclaim.forget_discards(|other| other == *place);
                store.forget_lists(|other| other == *place);
                store.containers.clear();
                store.reclaim.dig();
                Ok(buried)
            }),
            Command::SnapshotAdd { place, epoch } => self.administer(token, Need::Usual, |store| {
                let container = store.container_to_change(*place)?;
                store.add_snapshot(container, *epoch)
            }),
            Command::SnapshotRemove { place, epoch } => self.administer(token, Need::Sure, |store| {
                let container = store.container_to_change(*place)?;
                // What only it saw can go.
                store.reclaim.changed(container, store.log.last_epoch());
                Ok(snapshots::remove(&mut store.arena, container, *epoch))
            }),
            _ => unreachable!("the others do not change the catalog"),
        }
    }

    fn container_to_change(&mut self, place: Place) -> Result<Container, Stop> {
        self.container(place).ok_or(Stop::Refused(Status::NoHandle, Epoch::ZERO))
    }

    fn add_snapshot(&mut self, container: Container, epoch: Epoch) -> Result<bool, Stop> {
        if snapshots::has(&self.arena, container, epoch) {
            return Ok(false);
        }
        if epoch.0 < container.history_from(&self.arena) {
            return Err(Status::Restart.into());
        }
        if epoch.0 > self.now.0.saturating_add(epoch_units(SKEW_MOST)) {
            return Err(Status::ClockSkew.into());
        }
        // Its commit would change what the snapshot shows.
        if self.transactions.any_before(container, epoch) {
            return Err(Status::Busy.into());
        }
        // Whatever comes later has a later epoch.
        self.clock.observe(epoch);
        Ok(snapshots::add(&mut self.arena, container, epoch)?)
    }

    /// Answers a question about the target, its pools or containers.
    pub(super) fn ask(&mut self, command: &Command) -> Result<Reply, Stop> {
        let last = self.log.last_epoch();
        Ok(match command {
            Command::PoolList => {
                Reply::Pools(catalog::pools(&self.arena).into_iter().map(|pool| pool.id(&self.arena)).collect())
            }
            Command::PoolQuery(pool) => {
                let found = catalog::find_pool(&self.arena, *pool).ok_or((Status::Nonexistent, last))?;
                Reply::PoolSpace(Ok(found.space(&self.arena)))
            }
            Command::ContainerList(pool) => {
                let found = catalog::find_pool(&self.arena, *pool).ok_or((Status::Nonexistent, last))?;
                let containers = catalog::containers(&self.arena, found);
                Reply::Containers(Ok(containers.into_iter().map(|one| one.id(&self.arena)).collect()))
            }
            Command::ContainerQuery(place) => {
                let found = self.container(*place).ok_or((Status::Nonexistent, last))?;
                let (scm_bytes, data_bytes) = found.used(&self.arena);
                let history_from = Epoch(found.history_from(&self.arena));
                let newest = last.max(self.now);
                let checksum_kind = found.checksum_kind(&self.arena);
                Reply::ContainerUsed(Ok(ContainerUse { scm_bytes, data_bytes, history_from, newest, checksum_kind }))
            }
            Command::SnapshotList(place) => {
                let found = self.container(*place).ok_or((Status::NoHandle, last))?;
                Reply::Snapshots(Ok(snapshots::list(&self.arena, found)))
            }
            Command::PreparedList => Reply::PreparedTransactions(self.prepared_transactions()),
            Command::SpaceQuery => {
                let mut space = catalog::space(&self.arena);
                space.meta_total = self.geometry.meta_bytes;
                space.wal_total = self.geometry.wal_bytes;
                Reply::Space(space)
            }
            _ => unreachable!("the others are no questions"),
        })
    }
}
