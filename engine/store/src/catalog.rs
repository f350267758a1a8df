//! Pools and containers of a target, and what is being taken down.
//!
//! The catalog tree leads to records of fixed size that stay where they are:
//!
//! | key | value |
//! |---|---|
//! | 1, pool uuid | pool record u64 |
//! | 2, pool serial u64 BE, container uuid | container record u64 |
//! | 3, serial u64 BE | 1 for a pool or 2 for a container u8, its record u64: the graveyard |
//! | 4, container record u64 BE, epoch u64 BE | a snapshot (`snapshots`) |
//! | 5, transaction UUID | a prepared transaction (`prepared`) |
//!
//! Containers are found by the serial of their pool, not its uuid: a pool can be made anew under the same uuid while
//! the old one is still being taken down.

use types::{ChecksumKind, ContainerId, Place, PoolId, Status};
use uuid::Uuid;

use crate::arena::header::{CATALOG_AT, PROMISED_ARENA_AT, PROMISED_DATA_AT, SERIAL_AT};
use crate::arena::{Arena, Need, PAGE_BYTES, header, pages, reserve_pages};
use crate::command::{PoolSpace, Space};
use crate::extents;
use crate::index::{RECORD_SIZE, TOMBSTONE, kind_of};
use crate::probe::Probe;
use crate::tree::{Cursor, Tree};

/// What punches may take beyond the promise of a small pool; of a large one it is a sixteenth.
const REMOVAL_BYTES_LEAST: u64 = 64 << 10;

pub(crate) const CATALOG: Tree = Tree { root_at: CATALOG_AT };

pub(crate) const POOL: u8 = 1;
pub(crate) const CONTAINER: u8 = 2;
pub(crate) const GRAVE: u8 = 3;
/// Where `snapshots` has its entries.
pub(crate) const SNAPSHOT: u8 = 4;
/// Where `prepared` has its entries.
pub(crate) const PREPARED: u8 = 5;

/// A pool record, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pool(pub(crate) u64);

/// A container record, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container(pub(crate) u64);

const POOL_BYTES: usize = 64;
pub(crate) const POOL_SERIAL_AT: u64 = 16;
pub(crate) const POOL_PROMISED_ARENA_AT: u64 = 24;
pub(crate) const POOL_PROMISED_DATA_AT: u64 = 32;
pub(crate) const POOL_USED_ARENA_AT: u64 = 40;
pub(crate) const POOL_USED_DATA_AT: u64 = 48;

const CONTAINER_BYTES: usize = 96;
pub(crate) const CONTAINER_POOL_AT: u64 = 16;
pub(crate) const CONTAINER_ROOT_AT: u64 = 24;
pub(crate) const CONTAINER_USED_ARENA_AT: u64 = 32;
pub(crate) const CONTAINER_USED_DATA_AT: u64 = 40;
pub(crate) const CONTAINER_OBJECT_TOMBSTONES_AT: u64 = 48;
pub(crate) const CONTAINER_DKEY_TOMBSTONES_AT: u64 = 56;
pub(crate) const CONTAINER_HISTORY_AT: u64 = 64;
pub(crate) const CONTAINER_CHECKSUM_KIND_AT: u64 = 72;
pub(crate) const CONTAINER_RECORD_SIZES_AT: u64 = 80;

impl Pool {
    pub(crate) fn id(self, arena: &Arena) -> PoolId {
        PoolId(uuid_at(arena, self.0))
    }

    fn serial(self, arena: &Arena) -> u64 {
        arena.u64_at(self.0 + POOL_SERIAL_AT)
    }

    /// Promised arena and data bytes.
    pub(crate) fn promised(self, arena: &Arena) -> (u64, u64) {
        (arena.u64_at(self.0 + POOL_PROMISED_ARENA_AT), arena.u64_at(self.0 + POOL_PROMISED_DATA_AT))
    }

    /// Used arena and data bytes.
    pub(crate) fn used(self, arena: &Arena) -> (u64, u64) {
        (arena.u64_at(self.0 + POOL_USED_ARENA_AT), arena.u64_at(self.0 + POOL_USED_DATA_AT))
    }

    /// True when the pool is within 1/8 of its promise, or the arena near its reserve: reclaim keeps no history then.
    pub(crate) fn is_short(self, arena: &Arena) -> bool {
        self.is_near_promise(arena) || arena.u64_at(header::FREE_PAGES_AT) < 2 * arena.reserve_pages()
    }

    /// True when the pool is within 1/8 of its promise.
    pub(crate) fn is_near_promise(self, arena: &Arena) -> bool {
        let (promised, used) = (self.promised(arena), self.used(arena));
        let near = |used: u64, promised: u64| promised > 0 && used > promised - promised / 8;
        near(used.0, promised.0) || near(used.1, promised.1)
    }

    /// The answer to a pool query.
    pub(crate) fn space(self, arena: &Arena) -> PoolSpace {
        let ((scm_total, data_total), used) = (self.promised(arena), self.used(arena));
        PoolSpace {
            scm_total,
            scm_free: scm_total.saturating_sub(used.0),
            data_total,
            data_free: data_total.saturating_sub(used.1),
        }
    }
}

impl Container {
    pub(crate) fn id(self, arena: &Arena) -> ContainerId {
        ContainerId(uuid_at(arena, self.0))
    }

    pub(crate) fn pool(self, arena: &Arena) -> Pool {
        Pool(arena.u64_at(self.0 + CONTAINER_POOL_AT))
    }

    /// Its name.
    pub(crate) fn place(self, arena: &Arena) -> Place {
        Place { pool: self.pool(arena).id(arena), container: self.id(arena) }
    }

    /// Its index.
    pub(crate) fn tree(self) -> Tree {
        Tree { root_at: self.0 + CONTAINER_ROOT_AT }
    }

    /// Used arena and data bytes.
    pub(crate) fn used(self, arena: &Arena) -> (u64, u64) {
        (arena.u64_at(self.0 + CONTAINER_USED_ARENA_AT), arena.u64_at(self.0 + CONTAINER_USED_DATA_AT))
    }

    /// Tombstones of objects and of dkeys in the index: reads skip looking for them while there are none.
    pub(crate) fn tombstones(self, arena: &Arena) -> (u64, u64) {
        (arena.u64_at(self.0 + CONTAINER_OBJECT_TOMBSTONES_AT), arena.u64_at(self.0 + CONTAINER_DKEY_TOMBSTONES_AT))
    }

    /// Record sizes in the index: arrays are arrays of bytes while there are none.
    pub(crate) fn record_sizes(self, arena: &Arena) -> u64 {
        arena.u64_at(self.0 + CONTAINER_RECORD_SIZES_AT)
    }

    /// Counts a record that entered the index, or left it with -1.
    pub(crate) fn count(self, arena: &mut Arena, key: &[u8], delta: i64) {
        let at = match kind_of(key) {
            (0, TOMBSTONE) => CONTAINER_OBJECT_TOMBSTONES_AT,
            (1, TOMBSTONE) => CONTAINER_DKEY_TOMBSTONES_AT,
            (_, RECORD_SIZE) => CONTAINER_RECORD_SIZES_AT,
            _ => return,
        };
        add(arena, self.0 + at, delta);
    }

    /// Reads as of an epoch before this one are refused: what they would see is partly gone.
    pub(crate) fn history_from(self, arena: &Arena) -> u64 {
        arena.u64_at(self.0 + CONTAINER_HISTORY_AT)
    }

    /// The kind of checksums that its values have.
    pub(crate) fn checksum_kind(self, arena: &Arena) -> ChecksumKind {
        let number = arena.bytes(self.0 + CONTAINER_CHECKSUM_KIND_AT, 1)[0];
        ChecksumKind::from_number(number).expect("memory was checked when it was loaded")
    }

    pub(crate) fn set_history_from(self, arena: &mut Arena, epoch: u64) {
        if epoch > self.history_from(arena) {
            arena.write_u64(self.0 + CONTAINER_HISTORY_AT, epoch);
        }
    }

    /// Books bytes on the container and its pool. [`Status::NoSpace`] when a growth exceeds what the pool's promise is for this need.
    pub(crate) fn book(self, arena: &mut Arena, arena_bytes: i64, data_bytes: i64, need: Need) -> Result<(), Status> {
        let pool = self.pool(arena);
        add(arena, self.0 + CONTAINER_USED_ARENA_AT, arena_bytes);
        add(arena, self.0 + CONTAINER_USED_DATA_AT, data_bytes);
        add(arena, pool.0 + POOL_USED_ARENA_AT, arena_bytes);
        add(arena, pool.0 + POOL_USED_DATA_AT, data_bytes);
        let (promised, used) = (pool.promised(arena), pool.used(arena));
        let most = |promised: u64| match need {
            Need::Usual => promised,
            Need::Removal => promised + (promised / 16).max(REMOVAL_BYTES_LEAST),
            Need::Sure => u64::MAX,
        };
        if (arena_bytes > 0 && used.0 > most(promised.0)) || (data_bytes > 0 && used.1 > most(promised.1)) {
            Probe::PromiseExceeded.hit();
            arena.over_promise();
            return Err(Status::NoSpace);
        }
        Ok(())
    }
}

fn uuid_at(arena: &Arena, at: u64) -> Uuid {
    Uuid::from_bytes(arena.bytes(at, 16).try_into().expect("sixteen bytes"))
}

fn add(arena: &mut Arena, at: u64, delta: i64) {
    if delta != 0 {
        let value = arena.u64_at(at).checked_add_signed(delta).expect("books never go below zero");
        arena.write_u64(at, value);
    }
}

fn pool_key(pool: PoolId) -> [u8; 17] {
    let mut key = [POOL; 17];
    key[1..].copy_from_slice(pool.0.as_bytes());
    key
}

fn container_key(serial: u64, container: ContainerId) -> [u8; 25] {
    let mut key = [CONTAINER; 25];
    key[1..9].copy_from_slice(&serial.to_be_bytes());
    key[9..].copy_from_slice(container.0.as_bytes());
    key
}

fn grave_key(serial: u64) -> [u8; 9] {
    let mut key = [GRAVE; 9];
    key[1..].copy_from_slice(&serial.to_be_bytes());
    key
}

fn next_serial(arena: &mut Arena) -> u64 {
    let serial = arena.u64_at(SERIAL_AT);
    arena.write_u64(SERIAL_AT, serial + 1);
    serial
}

/// Arena bytes that can be promised: without header, descriptors, the reserve, and as much again for the trees that
/// belong to no pool.
pub(crate) fn promisable_arena(arena: &Arena) -> u64 {
    let page_count = arena.length() / PAGE_BYTES;
    page_count.saturating_sub(pages::first_page(page_count) + 2 * reserve_pages(page_count)) * PAGE_BYTES
}

/// The answer to a space query, the lengths of the other slices left at zero.
pub(crate) fn space(arena: &Arena) -> Space {
    let (scm_total, data_total) = (promisable_arena(arena), extents::total_bytes(arena));
    Space {
        scm_total,
        scm_free: scm_total - arena.u64_at(PROMISED_ARENA_AT),
        data_total,
        data_free: data_total - arena.u64_at(PROMISED_DATA_AT),
        meta_total: 0,
        wal_total: 0,
    }
}

pub(crate) fn find_pool(arena: &Arena, pool: PoolId) -> Option<Pool> {
    CATALOG.get(arena, &pool_key(pool)).map(|value| Pool(extents::le(value)))
}

pub(crate) fn find_container(arena: &Arena, place: Place) -> Option<Container> {
    let pool = find_pool(arena, place.pool)?;
    let key = container_key(pool.serial(arena), place.container);
    CATALOG.get(arena, &key).map(|value| Container(extents::le(value)))
}

/// All pools, by uuid.
pub(crate) fn pools(arena: &Arena) -> Vec<Pool> {
    let mut found = Vec::new();
    let mut cursor = Cursor::seek(CATALOG, arena, &[POOL]);
    while let Some(key) = cursor.key(arena)
        && key[0] == POOL
    {
        found.push(Pool(extents::le(cursor.value(arena).expect("it has a key"))));
        cursor.next(arena);
    }
    found
}

/// The first container of a pool after `after`.
pub(crate) fn next_container(arena: &Arena, pool: Pool, after: Option<ContainerId>) -> Option<Container> {
    let serial = pool.serial(arena);
    let first = container_key(serial, after.unwrap_or(ContainerId(Uuid::nil())));
    let mut cursor = Cursor::seek(CATALOG, arena, &first);
    if after.is_some() && cursor.key(arena)? == first {
        cursor.next(arena);
    }
    let same = cursor.key(arena)?[..9] == first[..9];
    same.then(|| Container(extents::le(cursor.value(arena).expect("it has a key"))))
}

/// All containers of a pool, by uuid.
pub(crate) fn containers(arena: &Arena, pool: Pool) -> Vec<Container> {
    let mut found = Vec::new();
    let mut after = None;
    while let Some(container) = next_container(arena, pool, after) {
        after = Some(container.id(arena));
        found.push(container);
    }
    found
}

/// Adds a pool; false when the same one is there.
pub(crate) fn create_pool(arena: &mut Arena, pool: PoolId, scm_bytes: u64, data_bytes: u64) -> Result<bool, Status> {
    if let Some(there) = find_pool(arena, pool) {
        return if there.promised(arena) == (scm_bytes, data_bytes) { Ok(false) } else { Err(Status::Exists) };
    }
    let space = space(arena);
    if scm_bytes > space.scm_free || data_bytes > space.data_free {
        return Err(Status::NoSpace);
    }
    let at = arena.allocate(POOL_BYTES)?;
    let serial = next_serial(arena);
    let mut record = [0; POOL_BYTES];
    record[..16].copy_from_slice(pool.0.as_bytes());
    record[POOL_SERIAL_AT as usize..][..8].copy_from_slice(&serial.to_le_bytes());
    record[POOL_PROMISED_ARENA_AT as usize..][..8].copy_from_slice(&scm_bytes.to_le_bytes());
    record[POOL_PROMISED_DATA_AT as usize..][..8].copy_from_slice(&data_bytes.to_le_bytes());
    arena.write_fresh(at, &record);
    add(arena, PROMISED_ARENA_AT, scm_bytes as i64);
    add(arena, PROMISED_DATA_AT, data_bytes as i64);
    CATALOG.put(arena, &pool_key(pool), &at.to_le_bytes())?;
    Ok(true)
}

/// Adds a container; false when the same one is there.
pub(crate) fn create_container(arena: &mut Arena, place: Place, kind: ChecksumKind) -> Result<bool, Status> {
    let pool = find_pool(arena, place.pool).ok_or(Status::Nonexistent)?;
    let key = container_key(pool.serial(arena), place.container);
    if let Some(there) = CATALOG.get(arena, &key).map(|value| Container(extents::le(value))) {
        return if there.checksum_kind(arena) == kind { Ok(false) } else { Err(Status::Exists) };
    }
    let at = arena.allocate(CONTAINER_BYTES)?;
    let mut record = [0; CONTAINER_BYTES];
    record[..16].copy_from_slice(place.container.0.as_bytes());
    record[CONTAINER_POOL_AT as usize..][..8].copy_from_slice(&pool.0.to_le_bytes());
    record[CONTAINER_CHECKSUM_KIND_AT as usize] = kind.number();
    arena.write_fresh(at, &record);
    CATALOG.put(arena, &key, &at.to_le_bytes())?;
    Ok(true)
}

/// Moves a container to the graveyard; false when it is not there.
pub(crate) fn bury_container(arena: &mut Arena, place: Place) -> Result<bool, Status> {
    let Some(pool) = find_pool(arena, place.pool) else { return Ok(false) };
    let key = container_key(pool.serial(arena), place.container);
    let Some(container) = CATALOG.get(arena, &key).map(|value| Container(extents::le(value))) else {
        return Ok(false);
    };
    CATALOG.remove(arena, &key);
    bury(arena, CONTAINER, container.0)?;
    Ok(true)
}

/// Moves a pool with its containers to the graveyard; false when it is not there.
pub(crate) fn bury_pool(arena: &mut Arena, pool: PoolId) -> Result<bool, Status> {
    let Some(found) = find_pool(arena, pool) else { return Ok(false) };
    CATALOG.remove(arena, &pool_key(pool));
    bury(arena, POOL, found.0)?;
    Ok(true)
}

fn bury(arena: &mut Arena, kind: u8, record: u64) -> Result<(), Status> {
    let serial = next_serial(arena);
    let mut value = [kind; 9];
    value[1..].copy_from_slice(&record.to_le_bytes());
    CATALOG.put(arena, &grave_key(serial), &value)
}

/// An entry of the graveyard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grave {
    Pool(Pool),
    Container(Container),
}

/// The oldest entry of the graveyard. Older first: a container's pool outlives it.
pub(crate) fn first_grave(arena: &Arena) -> Option<(u64, Grave)> {
    graves(arena).next()
}

/// The graveyard, oldest first.
pub(crate) fn graves(arena: &Arena) -> impl Iterator<Item = (u64, Grave)> + '_ {
    let mut cursor = Cursor::seek(CATALOG, arena, &[GRAVE]);
    std::iter::from_fn(move || {
        let key = cursor.key(arena).filter(|key| key[0] == GRAVE)?;
        let value = cursor.value(arena)?;
        let record = extents::le(&value[1..]);
        let grave = if value[0] == POOL { Grave::Pool(Pool(record)) } else { Grave::Container(Container(record)) };
        let serial = extents::be(&key[1..]);
        cursor.next(arena);
        Some((serial, grave))
    })
}

/// Ends a graveyard entry whose contents are gone: frees the record, and with a pool's its promise.
pub(crate) fn remove_grave(arena: &mut Arena, serial: u64, grave: Grave) {
    match grave {
        Grave::Container(container) => arena.free(container.0, CONTAINER_BYTES),
        Grave::Pool(pool) => {
            let promised = pool.promised(arena);
            add(arena, PROMISED_ARENA_AT, -(promised.0 as i64));
            add(arena, PROMISED_DATA_AT, -(promised.1 as i64));
            arena.free(pool.0, POOL_BYTES);
        }
    }
    CATALOG.remove(arena, &grave_key(serial));
}

/// Ends a container of a pool in the graveyard, once its index is empty.
pub(crate) fn remove_container_of(arena: &mut Arena, pool: Pool, container: Container) {
    let key = container_key(pool.serial(arena), container.id(arena));
    CATALOG.remove(arena, &key);
    arena.free(container.0, CONTAINER_BYTES);
}

/// Sizes of the records, for the census.
pub(crate) const RECORD_BYTES: (usize, usize) = (POOL_BYTES, CONTAINER_BYTES);
