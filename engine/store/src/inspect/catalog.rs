//! Header and catalog of an arena: pools, containers, the graveyard, and the sums over them.

use std::collections::HashSet;

use uuid::Uuid;

use super::container::{self, Tally};
use super::finding::{BOOKS, DEFECT, Findings, LOST, MISMATCH, Place, VERSION};
use super::image::Image;
use super::prepared::{self, Prepared};
use super::tree::{Leaf, Walker};
use crate::arena::header::{
    ENGINE_AT, FRONTIER_AT, LENGTH_AT, MAGIC, MAGIC_AT, PROMISED_ARENA_AT, PROMISED_DATA_AT, SERIAL_AT, TARGET_AT,
    VERSION as KNOWN, VERSION_AT,
};
use crate::arena::{PAGE_BYTES, pages::first_page};
use crate::catalog::{
    CATALOG, CONTAINER, CONTAINER_POOL_AT, GRAVE, POOL, POOL_PROMISED_ARENA_AT, POOL_PROMISED_DATA_AT, POOL_SERIAL_AT,
    POOL_USED_ARENA_AT, POOL_USED_DATA_AT, RECORD_BYTES, SNAPSHOT,
};
use crate::settings::Identity;

/// An entry of the catalog, by what its key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Pool {
        id: Uuid,
    },
    Container {
        pool_serial: u64,
        id: Uuid,
    },
    PoolGrave {
        serial: u64,
    },
    ContainerGrave {
        serial: u64,
    },
    /// Of the container at the record.
    Snapshot {
        epoch: u64,
    },
}

impl Entry {
    fn is_container(self) -> bool {
        matches!(self, Entry::Container { .. } | Entry::ContainerGrave { .. })
    }
}

/// Reads a cell of the catalog: what it is, and where its record is.
pub(super) fn entry(leaf: &Leaf<'_>) -> Option<(Entry, u64)> {
    let (kind, rest) = leaf.key.split_first()?;
    let le = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let be = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
    let id = |bytes: &[u8]| Uuid::from_slice(bytes).ok();
    match *kind {
        POOL => Some((Entry::Pool { id: id(rest)? }, le(leaf.value)?)),
        CONTAINER => {
            let (serial, rest) = rest.split_at_checked(8)?;
            Some((Entry::Container { pool_serial: be(serial)?, id: id(rest)? }, le(leaf.value)?))
        }
        GRAVE => {
            let (kind, record) = leaf.value.split_first()?;
            let serial = be(rest)?;
            let entry = match *kind {
                POOL => Entry::PoolGrave { serial },
                CONTAINER => Entry::ContainerGrave { serial },
                _ => return None,
            };
            Some((entry, le(record)?))
        }
        SNAPSHOT if leaf.value.is_empty() => {
            let (record, epoch) = rest.split_at_checked(8)?;
            Some((Entry::Snapshot { epoch: be(epoch)? }, be(record)?))
        }
        _ => None,
    }
}

/// Checks the header; false when nothing else in the arena can be read.
pub(super) fn check_header(image: &Image<'_>, identity: &Identity, findings: &mut Findings) -> bool {
    let magic = image.bytes(MAGIC_AT, 8);
    if magic.as_deref() != Some(&MAGIC[..]) {
        findings.add(Place::Arena(MAGIC_AT), LOST, "arena header: the magic number is missing");
        return false;
    }
    let version = image.u32_at(VERSION_AT);
    if version != KNOWN {
        let text = format!("arena header: it has version {version}, this program knows version {KNOWN}");
        findings.add(Place::Arena(VERSION_AT), VERSION, text);
        return false;
    }
    let engine = image.bytes(ENGINE_AT, 16);
    if engine.as_deref() != Some(&identity.engine.as_bytes()[..]) || image.u32_at(TARGET_AT) != identity.target.0 {
        findings.add(Place::Arena(TARGET_AT), MISMATCH, "arena header: it is of another target");
    }
    let length = image.u64_at(LENGTH_AT);
    if length != image.length() {
        let text = format!("arena header: it says {length} bytes, the arena has {}", image.length());
        findings.add(Place::Arena(LENGTH_AT), DEFECT, text);
    }
    let (frontier, count) = (image.u64_at(FRONTIER_AT), image.length() / PAGE_BYTES);
    if frontier < first_page(count) || frontier > count {
        let text = format!("arena header: the frontier {frontier} lies outside of its {count} pages");
        findings.add(Place::Arena(FRONTIER_AT), DEFECT, text);
    }
    true
}

struct Pool {
    record: u64,
    serial: u64,
    name: String,
    used: (u64, u64),
}

struct Found {
    entry: Entry,
    record: u64,
    place: Place,
}

/// Checks pools and containers, living and dying.
pub(super) fn check(walker: &mut Walker<'_, '_>, tally: &mut Tally<'_>) {
    let (mut entries, mut prepared) = (Vec::new(), Vec::new());
    walker.tree(CATALOG.root_at, "catalog", &mut |leaf, findings| match (entry(leaf), prepared::parse(leaf)) {
        (Some((entry, record)), _) => entries.push(Found { entry, record, place: leaf.place }),
        (None, Some(Ok(transaction))) => prepared.push(transaction),
        (None, Some(Err(reason))) => {
            findings.add(leaf.place, DEFECT, format!("catalog: a prepared transaction: {reason}"));
        }
        (None, None) => findings.add(leaf.place, DEFECT, "catalog: an entry is of no kind"),
    });
    // A record that cannot be claimed must not be read, and was told.
    entries.retain(|found| claim_record(walker, found));
    check_owners(walker, &entries, &prepared);
    check_serials(walker, &entries);
    let mut pools = collect_pools(walker, &entries);
    for found in entries.iter().filter(|found| found.entry.is_container()) {
        let within: Vec<Prepared> = prepared.extract_if(.., |one| one.container == found.record).collect();
        check_container(walker, found, &within, &mut pools, tally);
    }
    tally.summary.pools = pools.iter().filter(|pool| !pool.name.starts_with("dying")).count() as u64;
    check_sums(walker, &pools);
}

fn claim_record(walker: &mut Walker<'_, '_>, found: &Found) -> bool {
    let (what, length) = match found.entry {
        Entry::Pool { .. } | Entry::PoolGrave { .. } => ("pool", RECORD_BYTES.0),
        Entry::Container { .. } | Entry::ContainerGrave { .. } => ("container", RECORD_BYTES.1),
        Entry::Snapshot { .. } => return true,
    };
    match walker.memory.claim(walker.image, found.record, length) {
        Ok(()) => true,
        Err(reason) => {
            walker.findings.add(found.place, DEFECT, format!("catalog: the record of a {what}: {reason}"));
            *walker.whole = false;
            false
        }
    }
}

/// Snapshots and prepared transactions are of containers that are there.
fn check_owners(walker: &mut Walker<'_, '_>, entries: &[Found], prepared: &[Prepared]) {
    let containers: HashSet<u64> =
        entries.iter().filter(|found| found.entry.is_container()).map(|found| found.record).collect();
    let snapshots = entries.iter().filter_map(|found| match found.entry {
        Entry::Snapshot { epoch } => Some((found.place, found.record, format!("the snapshot of epoch {epoch:#x}"))),
        _ => None,
    });
    let transactions =
        prepared.iter().map(|one| (one.place, one.container, format!("prepared transaction {}", one.id)));
    for (place, record, what) in snapshots.chain(transactions) {
        if !containers.contains(&record) {
            walker.findings.add(place, DEFECT, format!("catalog: {what}: byte {record} is no container's record"));
            *walker.whole = false;
        }
    }
}

fn check_serials(walker: &mut Walker<'_, '_>, entries: &[Found]) {
    let next = walker.image.u64_at(SERIAL_AT);
    for found in entries {
        let serial = match found.entry {
            Entry::Pool { .. } => walker.image.u64_at(found.record + POOL_SERIAL_AT),
            Entry::PoolGrave { serial } | Entry::ContainerGrave { serial } => serial,
            Entry::Container { .. } | Entry::Snapshot { .. } => continue,
        };
        if serial >= next {
            walker.findings.add(
                found.place,
                DEFECT,
                format!("catalog: serial {serial} is not before the next one, {next}"),
            );
        }
    }
}

fn uuid_at(image: &Image<'_>, offset: u64) -> Uuid {
    image.bytes(offset, 16).and_then(|bytes| Uuid::from_slice(&bytes).ok()).unwrap_or_default()
}

fn collect_pools(walker: &mut Walker<'_, '_>, entries: &[Found]) -> Vec<Pool> {
    let mut pools = Vec::new();
    for found in entries {
        let recorded = uuid_at(walker.image, found.record);
        let name = match found.entry {
            Entry::Pool { id } => {
                if id != recorded {
                    let text = format!("pool {id}: its record says {recorded}");
                    walker.findings.add(Place::Arena(found.record), DEFECT, text);
                }
                format!("pool {id}")
            }
            Entry::PoolGrave { .. } => format!("dying pool {recorded}"),
            _ => continue,
        };
        let serial = walker.image.u64_at(found.record + POOL_SERIAL_AT);
        pools.push(Pool { record: found.record, serial, name, used: (0, 0) });
    }
    pools
}

fn check_container(
    walker: &mut Walker<'_, '_>,
    found: &Found,
    prepared: &[Prepared],
    pools: &mut [Pool],
    tally: &mut Tally<'_>,
) {
    let id = match found.entry {
        Entry::Container { id, .. } => Some(id),
        _ => None,
    };
    let recorded = uuid_at(walker.image, found.record);
    let name = match id {
        Some(id) => format!("container {id}"),
        None => format!("dying container {recorded}"),
    };
    if id.is_some_and(|id| id != recorded) {
        walker.findings.add(Place::Arena(found.record), DEFECT, format!("{name}: its record says {recorded}"));
    }
    tally.summary.containers += u64::from(id.is_some());
    let used = container::check(walker, found.record, &name, prepared, tally);
    let pointer = walker.image.u64_at(found.record + CONTAINER_POOL_AT);
    let pool = pools.iter_mut().find(|pool| pool.record == pointer);
    let agrees = |pool: &Pool| match found.entry {
        Entry::Container { pool_serial, .. } => pool.serial == pool_serial,
        _ => true,
    };
    match pool {
        Some(pool) if agrees(pool) => pool.used = (pool.used.0 + used.0, pool.used.1.saturating_add(used.1)),
        _ => {
            let text = format!("{name}: its record leads to byte {pointer}, which is not the record of its pool");
            walker.findings.add(Place::Arena(found.record + CONTAINER_POOL_AT), DEFECT, text);
            *walker.whole = false;
        }
    }
}

fn check_sums(walker: &mut Walker<'_, '_>, pools: &[Pool]) {
    let mut promised = (0u64, 0u64);
    for pool in pools {
        let at = |field| walker.image.u64_at(pool.record + field);
        promised.0 = promised.0.saturating_add(at(POOL_PROMISED_ARENA_AT));
        promised.1 = promised.1.saturating_add(at(POOL_PROMISED_DATA_AT));
        for (what, used, field) in
            [("arena", pool.used.0, POOL_USED_ARENA_AT), ("data", pool.used.1, POOL_USED_DATA_AT)]
        {
            let booked = walker.image.u64_at(pool.record + field);
            if used != booked && *walker.whole {
                let text =
                    format!("{}: its containers use {used} bytes of {what}, its record says {booked}", pool.name);
                walker.findings.add(Place::Arena(pool.record + field), BOOKS, text);
            }
        }
    }
    for (what, sum, at) in [("arena", promised.0, PROMISED_ARENA_AT), ("data", promised.1, PROMISED_DATA_AT)] {
        let booked = walker.image.u64_at(at);
        if sum != booked && *walker.whole {
            let text = format!("pools are promised {sum} bytes of {what}, the header says {booked}");
            walker.findings.add(Place::Arena(at), BOOKS, text);
        }
    }
}
