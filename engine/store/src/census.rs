//! The check of a whole arena: everything allocated is owned by exactly one thing, and every book agrees.

use std::collections::BTreeMap;

use crate::arena::header::{
    DATA_BLOCKS_AT, DATA_FREE_AT, DATA_LIMBO_AT, FREE_PAGES_AT, FRONTIER_AT, PROMISED_ARENA_AT, PROMISED_DATA_AT,
};
use crate::arena::pages::{Descriptor, Kind, first_page, order_for};
use crate::arena::{Arena, PAGE_BYTES, slab};
use crate::catalog::{self, CATALOG, Container, Grave, Pool, RECORD_BYTES};
use crate::extents::{self, BY_LENGTH, BY_OFFSET, Extent, LIMBO};
use crate::index::{IndexKey, RECORD_SIZE, Record, TOMBSTONE, kind_of};
use crate::prepared;
use crate::tree::{Census, Tree};

/// The first contradiction found, if any.
pub(crate) fn check(arena: &Arena) -> Result<(), String> {
    let mut owned: Vec<(u64, usize)> = Vec::new();
    let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
    for tree in [CATALOG, BY_OFFSET, BY_LENGTH, LIMBO] {
        owned.append(&mut walk(arena, tree, |_, _| {})?.owned);
    }
    let mut pools: Vec<(Pool, Vec<Container>)> =
        catalog::pools(arena).into_iter().map(|pool| (pool, catalog::containers(arena, pool))).collect();
    let mut orphans = Vec::new();
    for (_, grave) in catalog::graves(arena) {
        match grave {
            Grave::Pool(pool) => pools.push((pool, catalog::containers(arena, pool))),
            Grave::Container(container) => orphans.push(container),
        }
    }
    let mut promised = (0, 0);
    for (pool, containers) in &pools {
        owned.push((pool.0, RECORD_BYTES.0));
        promised.0 += pool.promised(arena).0;
        promised.1 += pool.promised(arena).1;
        let mut used = (0, 0);
        let dying = orphans.iter().filter(|container| container.pool(arena) == *pool);
        for &container in containers.iter().chain(dying) {
            owned.push((container.0, RECORD_BYTES.1));
            let (mut memory, bytes) = check_container(arena, container, &mut taken)?;
            owned.append(&mut memory);
            used.0 += bytes.0;
            used.1 += bytes.1;
        }
        if used != pool.used(arena) {
            return Err(format!("pool {} uses {used:?} but books {:?}", pool.id(arena), pool.used(arena)));
        }
    }
    let booked = (arena.u64_at(PROMISED_ARENA_AT), arena.u64_at(PROMISED_DATA_AT));
    if promised != booked {
        return Err(format!("pools are promised {promised:?} but {booked:?} is booked"));
    }
    check_data(arena, taken)?;
    check_memory(arena, owned)
}

fn walk(arena: &Arena, tree: Tree, each: impl FnMut(&[u8], &[u8])) -> Result<Census, String> {
    let census = tree.census(arena, each);
    match census.fault {
        Some((offset, reason)) => Err(format!("tree at {}: page at {offset}: {reason}", tree.root_at)),
        None => Ok(census),
    }
}

type Memory = Vec<(u64, usize)>;

fn check_container(
    arena: &Arena,
    container: Container,
    taken: &mut BTreeMap<u64, u64>,
) -> Result<(Memory, (u64, u64)), String> {
    let mut blocks = 0;
    let mut tombstones = (0, 0);
    let mut sizes = 0;
    let mut twice = None;
    let census = walk(arena, container.tree(), |key, value| {
        match kind_of(key) {
            (0, TOMBSTONE) => tombstones.0 += 1,
            (1, TOMBSTONE) => tombstones.1 += 1,
            (_, RECORD_SIZE) => sizes += 1,
            _ => {}
        }
        if value.is_empty() {
            return;
        }
        if let Some(extent) = Record::decode(value).extent() {
            blocks += extent.blocks;
            if taken.insert(extent.start, extent.blocks).is_some() {
                twice = Some((extent, IndexKey::prefix(key)));
            }
        }
    })?;
    if let Some((extent, key)) = twice {
        return Err(format!("{extent:?} is used twice, the second time by {key:?}"));
    }
    let mut booked = 0;
    for (_, prepared) in prepared::all(arena).filter(|(_, prepared)| prepared.container() == container) {
        booked += prepared.booked();
        for extent in prepared.extents() {
            blocks += extent.blocks;
            if taken.insert(extent.start, extent.blocks).is_some() {
                return Err(format!("{extent:?} is used twice, the second time by a prepared transaction"));
            }
        }
    }
    let used = (census.charged() + booked, blocks * media::BLOCK_BYTES as u64);
    if used != container.used(arena) {
        return Err(format!("container {} uses {used:?} but books {:?}", container.id(arena), container.used(arena)));
    }
    if tombstones != container.tombstones(arena) {
        let booked = container.tombstones(arena);
        return Err(format!("container {} has {tombstones:?} tombstones but books {booked:?}", container.id(arena)));
    }
    if sizes != container.record_sizes(arena) {
        let booked = container.record_sizes(arena);
        return Err(format!("container {} has {sizes} record sizes but books {booked}", container.id(arena)));
    }
    Ok((census.owned, used))
}

/// The data slice is covered exactly by what is used, free and in limbo.
fn check_data(arena: &Arena, mut taken: BTreeMap<u64, u64>) -> Result<(), String> {
    let mut by_offset = Vec::new();
    walk(arena, BY_OFFSET, |key, value| by_offset.push((extents::be(key), extents::le(value))))?;
    let mut by_length = Vec::new();
    walk(arena, BY_LENGTH, |key, _| by_length.push((extents::be(&key[8..]), extents::be(&key[..8]))))?;
    by_length.sort_unstable();
    if by_offset != by_length {
        return Err(String::from("the two trees of free extents differ"));
    }
    let mut limbo = Vec::new();
    walk(arena, LIMBO, |_, value| {
        limbo.push(Extent { start: extents::le(&value[..8]), blocks: extents::le(&value[8..]) });
    })?;
    let free: u64 = by_offset.iter().map(|(_, blocks)| blocks).sum();
    let waiting: u64 = limbo.iter().map(|extent| extent.blocks).sum();
    if (free, waiting) != (arena.u64_at(DATA_FREE_AT), arena.u64_at(DATA_LIMBO_AT)) {
        return Err(format!("{free} blocks are free and {waiting} in limbo, which is not what is booked"));
    }
    let rest = by_offset.into_iter().chain(limbo.into_iter().map(|extent| (extent.start, extent.blocks)));
    for (start, blocks) in rest {
        if taken.insert(start, blocks).is_some() {
            return Err(format!("the extent at block {start} is both free and used"));
        }
    }
    let mut end = 0;
    for (start, blocks) in taken {
        if start != end {
            return Err(format!("the extents around block {start} overlap or leave a gap: {end} was expected"));
        }
        end = start + blocks;
    }
    let total = arena.u64_at(DATA_BLOCKS_AT);
    if end == total { Ok(()) } else { Err(format!("the extents end at block {end} of {total}")) }
}

/// Every run and slot in use is owned once, and the free pages are counted right.
fn check_memory(arena: &Arena, owned: Memory) -> Result<(), String> {
    let mut slots: BTreeMap<u32, u128> = BTreeMap::new();
    let mut runs: BTreeMap<u32, u8> = BTreeMap::new();
    for (offset, length) in owned {
        let page = (offset / PAGE_BYTES) as u32;
        let within = offset % PAGE_BYTES;
        let fresh = match slab::class_for(length) {
            Some(class) => {
                let bit = 1u128 << (within / u64::from(slab::CLASSES[class]));
                let bits = slots.entry(page).or_default();
                let fresh = *bits & bit == 0;
                *bits |= bit;
                fresh
            }
            None => within == 0 && runs.insert(page, order_for(length)).is_none(),
        };
        if !fresh {
            return Err(format!("memory at {offset} is owned twice"));
        }
    }
    let page_count = arena.length() / PAGE_BYTES;
    let frontier = arena.u64_at(FRONTIER_AT);
    let mut free = page_count - frontier;
    let mut page = first_page(page_count);
    while page < frontier {
        let descriptor = Descriptor::read(arena, page as u32);
        let number = page as u32;
        let right = match descriptor.kind {
            Kind::FreeRun => {
                free += 1 << descriptor.order;
                true
            }
            Kind::Run => runs.remove(&number) == Some(descriptor.order),
            Kind::Slab => slots.remove(&number) == Some(descriptor.slots),
            Kind::None => false,
        };
        if !right {
            return Err(format!("page {page} is {descriptor:?}, which is not what its owners say"));
        }
        page += if descriptor.kind == Kind::Slab { 1 } else { 1 << descriptor.order };
    }
    if !slots.is_empty() || !runs.is_empty() {
        return Err(format!("{} pages are owned but not allocated", slots.len() + runs.len()));
    }
    let booked = arena.u64_at(FREE_PAGES_AT);
    if free == booked { Ok(()) } else { Err(format!("{free} pages are free but {booked} are booked")) }
}
