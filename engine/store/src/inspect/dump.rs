//! Each structure in decoded form, item by item, for people and for programs.

mod slices;

use media::{BLOCK_BYTES, Role};
use types::{ChecksumSlice, Epoch};
use uuid::Uuid;

use super::catalog::{Entry, entry};
use super::finding::{Findings, Place};
use super::image::Image;
use super::key::{Key, Subject, escaped};
use super::memory::Memory;
use super::prepared::{self, Change, Prepared};
use super::superblocks::Superblocks;
use super::tree::{Leaf, Walker};
use super::values::hex;
use super::{log, map, space, superblocks};
use crate::arena::header::{
    DATA_BLOCKS_AT, DATA_FREE_AT, DATA_LIMBO_AT, FREE_PAGES_AT, FRONTIER_AT, LENGTH_AT, PROMISED_ARENA_AT,
    PROMISED_DATA_AT, SERIAL_AT, VERSION_AT,
};
use crate::catalog::{
    CATALOG, CONTAINER_CHECKSUM_KIND_AT, CONTAINER_DKEY_TOMBSTONES_AT, CONTAINER_HISTORY_AT,
    CONTAINER_OBJECT_TOMBSTONES_AT, CONTAINER_POOL_AT, CONTAINER_RECORD_SIZES_AT, CONTAINER_ROOT_AT,
    CONTAINER_USED_ARENA_AT, CONTAINER_USED_DATA_AT, POOL_PROMISED_ARENA_AT, POOL_PROMISED_DATA_AT, POOL_SERIAL_AT,
    POOL_USED_ARENA_AT, POOL_USED_DATA_AT,
};
use crate::checkpoint::Layout;
use crate::extents::{BY_OFFSET, Extent, LIMBO};
use crate::index::Record;
use crate::scrubbing::{POOL_SCRUB_MODE_AT, POOL_SCRUB_PERIOD_AT};
use crate::settings::Devices;
use crate::superblock::{FORMAT_VERSION, fragment};
use slices::{group_item, map_items, superblock_item};

/// A structure that can be dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Both superblocks.
    Superblock,
    /// Both copies of each page map chunk.
    Map,
    /// The groups that a start would replay.
    Log,
    /// The header of the arena.
    Arena,
    /// The pools, dying ones too.
    Pools,
    /// The containers, dying ones too.
    Containers,
    /// The index records of one container.
    Container(Uuid),
    /// Free extents of the data slice, and the limbo.
    Free,
    /// Snapshots of all containers.
    Snapshots,
    /// Prepared transactions, with their changes.
    Transactions,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A number that people read in hex: checksums, epochs, digests.
    Hex(u64),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// Items of their own.
    Items(Vec<Item>),
}

/// Fields by name, in order.
pub type Item = Vec<(&'static str, Value)>;

/// Takes the items as they are read.
pub trait Sink {
    /// The items that follow belong to this section.
    fn section(&mut self, name: &'static str);
    /// One item.
    fn item(&mut self, item: Item);
}

/// Why a structure was not dumped.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Nothing beyond the superblocks can be read.
    #[error("there is no valid superblock\nhint: `daos_engine fsck` says what is wrong with each")]
    NoSuperblock,
    /// Another release wrote it.
    #[error(
        "its superblocks have version {found}, this program knows version {FORMAT_VERSION}\nhint: dump it with the release that wrote it"
    )]
    OtherVersion {
        /// The version.
        found: u32,
    },
    /// The superblock's sizes do not make a target.
    #[error("the sizes in the superblock are not those of a target\nhint: `daos_engine fsck` says more")]
    Sizes,
    /// It is not there.
    #[error("target {target} has no container {id}\nhint: `daos_engine dump containers` lists those it has")]
    NoContainer {
        /// Where it was looked for.
        target: u32,
        /// What was looked for.
        id: Uuid,
    },
}

fn text(value: &(impl ToString + ?Sized)) -> Value {
    Value::Text(value.to_string())
}

/// Dumps the structures of one target; the devices are only read. What is damaged is dumped as far as it can be read:
/// [`super::check_target`] tells what is wrong.
pub fn dump_target(devices: &mut Devices, structures: &[Structure], sink: &mut dyn Sink) -> Result<(), DumpError> {
    let mut unheard = Findings::new(0);
    let (copies, other) = superblocks::read_copies(&mut *devices.meta);
    if structures.contains(&Structure::Superblock) {
        sink.section("superblock");
        for (copy, superblock) in copies.iter().enumerate() {
            sink.item(superblock_item(copy, superblock));
        }
    }
    if structures.iter().all(|structure| *structure == Structure::Superblock) {
        return Ok(());
    }
    let refused = other.map_or(DumpError::NoSuperblock, |found| DumpError::OtherVersion { found });
    let superblocks = Superblocks::of(copies).ok_or(refused)?;
    let superblock = *superblocks.current();
    let geometry = superblock.geometry;
    let layout = Layout::new(geometry.arena_bytes, geometry.meta_bytes).ok_or(DumpError::Sizes)?;
    let fragment = fragment(&superblock.identity);
    let map = map::read(&mut *devices.meta, layout, fragment, &superblock, &mut unheard);
    if structures.contains(&Structure::Map) {
        sink.section("map");
        map_items(&map, sink);
    }
    let mut image = Image::over_slots(geometry.arena_bytes, &mut *devices.meta, &map);
    let (wal, data) = (&mut *devices.wal, &mut *devices.data);
    let shown = structures.contains(&Structure::Log);
    if shown {
        sink.section("log");
    }
    log::replay(wal, data, fragment, &superblock, &mut image, &mut unheard, &mut |group| {
        if shown {
            sink.item(group_item(group));
        }
    });
    let target = superblock.identity.target.0;
    structures.iter().try_for_each(|structure| dump_arena(&image, *structure, target, sink))
}

fn dump_arena(image: &Image<'_>, structure: Structure, target: u32, sink: &mut dyn Sink) -> Result<(), DumpError> {
    match structure {
        Structure::Superblock | Structure::Map | Structure::Log => {}
        Structure::Arena => {
            sink.section("arena");
            sink.item(header_item(image));
        }
        Structure::Pools => {
            sink.section("pools");
            catalog(image).iter().filter_map(|found| pool_item(image, found)).for_each(|item| sink.item(item));
        }
        Structure::Containers => {
            sink.section("containers");
            catalog(image).iter().filter_map(|found| container_item(image, found)).for_each(|item| sink.item(item));
        }
        Structure::Container(id) => {
            sink.section("records");
            let named = |record: u64| uuid_at(image, record) == id;
            let found: Vec<u64> = catalog(image)
                .into_iter()
                .filter(|(entry, _)| matches!(entry, Entry::Container { .. } | Entry::ContainerGrave { .. }))
                .map(|(_, record)| record)
                .filter(|record| named(*record))
                .collect();
            if found.is_empty() {
                return Err(DumpError::NoContainer { target, id });
            }
            for record in found {
                walk(image, record.saturating_add(CONTAINER_ROOT_AT), &mut |leaf| sink.item(record_item(leaf)));
            }
        }
        Structure::Free => dump_free(image, sink),
        Structure::Snapshots => {
            sink.section("snapshots");
            catalog(image).iter().filter_map(|found| snapshot_item(image, found)).for_each(|item| sink.item(item));
        }
        Structure::Transactions => {
            sink.section("transactions");
            walk(image, CATALOG.root_at, &mut |leaf| {
                if let Some(transaction) = prepared::parse(leaf) {
                    sink.item(transaction_item(image, leaf, transaction));
                }
            });
        }
    }
    Ok(())
}

/// Visits a tree, with whatever is wrong with it unheard.
fn walk(image: &Image<'_>, root_at: u64, visit: &mut dyn FnMut(&Leaf<'_>)) {
    let mut memory = Memory::new(image);
    let (mut findings, mut whole) = (Findings::new(0), true);
    let mut walker = Walker { image, memory: &mut memory, findings: &mut findings, whole: &mut whole };
    walker.tree(root_at, "", &mut |leaf, _| visit(leaf));
}

fn header_item(image: &Image<'_>) -> Item {
    let number = |at| Value::Number(image.u64_at(at));
    vec![
        ("version", Value::Number(image.u32_at(VERSION_AT).into())),
        ("arena_bytes", number(LENGTH_AT)),
        ("frontier_page", number(FRONTIER_AT)),
        ("free_pages", number(FREE_PAGES_AT)),
        ("data_blocks", number(DATA_BLOCKS_AT)),
        ("data_blocks_free", number(DATA_FREE_AT)),
        ("data_blocks_in_limbo", number(DATA_LIMBO_AT)),
        ("promised_arena_bytes", number(PROMISED_ARENA_AT)),
        ("promised_data_bytes", number(PROMISED_DATA_AT)),
        ("next_serial", number(SERIAL_AT)),
    ]
}

fn catalog(image: &Image<'_>) -> Vec<(Entry, u64)> {
    let mut found = Vec::new();
    walk(image, CATALOG.root_at, &mut |leaf| found.extend(entry(leaf)));
    found
}

fn uuid_at(image: &Image<'_>, offset: u64) -> Uuid {
    image.bytes(offset, 16).and_then(|bytes| Uuid::from_slice(&bytes).ok()).unwrap_or_default()
}

fn pool_item(image: &Image<'_>, (entry, record): &(Entry, u64)) -> Option<Item> {
    let dying = match entry {
        Entry::Pool { .. } => false,
        Entry::PoolGrave { .. } => true,
        _ => return None,
    };
    let number = |at| Value::Number(image.u64_at(record.saturating_add(at)));
    Some(vec![
        ("pool", text(&uuid_at(image, *record))),
        ("dying", Value::Flag(dying)),
        ("record", Value::Number(*record)),
        ("serial", number(POOL_SERIAL_AT)),
        ("promised_arena_bytes", number(POOL_PROMISED_ARENA_AT)),
        ("promised_data_bytes", number(POOL_PROMISED_DATA_AT)),
        ("used_arena_bytes", number(POOL_USED_ARENA_AT)),
        ("used_data_bytes", number(POOL_USED_DATA_AT)),
        ("scrub", Value::Number(image.u8_at(record.saturating_add(POOL_SCRUB_MODE_AT)).into())),
        ("scrub_period_s", Value::Number(image.u32_at(record.saturating_add(POOL_SCRUB_PERIOD_AT)).into())),
    ])
}

fn container_item(image: &Image<'_>, (entry, record): &(Entry, u64)) -> Option<Item> {
    let dying = match entry {
        Entry::Container { .. } => false,
        Entry::ContainerGrave { .. } => true,
        _ => return None,
    };
    let number = |at| Value::Number(image.u64_at(record.saturating_add(at)));
    Some(vec![
        ("container", text(&uuid_at(image, *record))),
        ("pool", text(&uuid_at(image, image.u64_at(record.saturating_add(CONTAINER_POOL_AT))))),
        ("dying", Value::Flag(dying)),
        ("record", Value::Number(*record)),
        ("index_root", number(CONTAINER_ROOT_AT)),
        ("used_arena_bytes", number(CONTAINER_USED_ARENA_AT)),
        ("used_data_bytes", number(CONTAINER_USED_DATA_AT)),
        ("object_tombstones", number(CONTAINER_OBJECT_TOMBSTONES_AT)),
        ("dkey_tombstones", number(CONTAINER_DKEY_TOMBSTONES_AT)),
        ("record_sizes", number(CONTAINER_RECORD_SIZES_AT)),
        ("checksum_kind", Value::Number(image.u8_at(record.saturating_add(CONTAINER_CHECKSUM_KIND_AT)).into())),
        ("history_from", Value::Hex(image.u64_at(record.saturating_add(CONTAINER_HISTORY_AT)))),
    ])
}

fn snapshot_item(image: &Image<'_>, (entry, record): &(Entry, u64)) -> Option<Item> {
    let Entry::Snapshot { epoch } = entry else { return None };
    Some(vec![("container", text(&uuid_at(image, *record))), ("epoch", Value::Hex(*epoch))])
}

fn transaction_item(image: &Image<'_>, leaf: &Leaf<'_>, transaction: Result<Prepared, String>) -> Item {
    let mut item = vec![("arena", Value::Number(leaf.place.byte()))];
    match transaction {
        Err(reason) => item.push(("fault", text(&reason))),
        Ok(one) => {
            let changes = one.changes.iter().map(|Change { key, record, record_at }| {
                record_item(&Leaf { value_at: *record_at, place: Place::Arena(*record_at), key, value: record })
            });
            item.extend([
                ("transaction", text(&one.id)),
                ("container", text(&uuid_at(image, one.container))),
                ("epoch", Value::Hex(one.epoch.0)),
                ("booked_arena_bytes", Value::Number(one.booked)),
                ("changes", Value::Items(changes.collect())),
            ]);
        }
    }
    item
}

fn record_item(leaf: &Leaf<'_>) -> Item {
    let mut item = vec![("arena", Value::Number(leaf.place.byte()))];
    let key = match Key::parse(leaf.key) {
        Ok(key) => key,
        Err(reason) => {
            item.push(("fault", text(&reason)));
            item.push(("key", text(&escaped(leaf.key))));
            return item;
        }
    };
    item.push(("kind", text(&key.kind())));
    item.push(("object", text(&key.object)));
    item.extend(["dkey", "akey"].into_iter().zip(key.names.iter().map(|name| text(&escaped(name)))));
    let Epoch(epoch) = key.epoch;
    item.push(("epoch", Value::Hex(epoch)));
    if let Subject::Written { offset, .. } | Subject::Punched { offset, .. } = key.subject {
        item.push(("offset", Value::Number(offset)));
    }
    if key.subject != Subject::Tombstone {
        match Record::parse(leaf.value) {
            Ok(record) => value_fields(&record, &mut item),
            Err(reason) => item.push(("fault", text(&reason))),
        }
    }
    item
}

fn value_fields(record: &Record<'_>, item: &mut Item) {
    item.push(("bytes", Value::Number(record.length())));
    if record.is_damaged() {
        item.push(("marked", text("damaged")));
    }
    match record {
        Record::Hole { .. } => {}
        Record::Size { bytes } => item.push(("record_size", Value::Number((*bytes).into()))),
        Record::Inline { checksums, .. } => {
            item.push(("where", text("arena")));
            item.extend(checksum_fields(*checksums));
        }
        Record::Data { block, checksums, .. } => {
            let byte = block.saturating_mul(BLOCK_BYTES as u64);
            item.push(("where", text(&Place::Slice(Role::Data, byte).room())));
            item.push(("byte", Value::Number(byte)));
            item.extend(checksum_fields(*checksums));
        }
    }
}

/// Kind and checksums, as they are stored.
fn checksum_fields(checksums: ChecksumSlice<'_>) -> Item {
    let Some(kind) = checksums.kind() else { return Vec::new() };
    let all = checksums.iter().map(|checksum| vec![("checksum", text(&hex(checksum)))]);
    vec![("checksum_kind", text(kind.as_str())), ("checksums", Value::Items(all.collect()))]
}

fn dump_free(image: &Image<'_>, sink: &mut dyn Sink) {
    let extent = |Extent { start, blocks }| {
        vec![
            ("byte", Value::Number(start.saturating_mul(BLOCK_BYTES as u64))),
            ("bytes", Value::Number(blocks.saturating_mul(BLOCK_BYTES as u64))),
        ]
    };
    sink.section("free");
    walk(image, BY_OFFSET.root_at, &mut |leaf| {
        space::by_offset(leaf).into_iter().for_each(|free| sink.item(extent(free)));
    });
    sink.section("limbo");
    walk(image, LIMBO.root_at, &mut |leaf| {
        if let Some((serial, freed)) = space::limbo(leaf) {
            let mut item = vec![("serial", Value::Number(serial))];
            item.extend(extent(freed));
            sink.item(item);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::sample::Sample;

    struct Count(usize);

    impl Sink for Count {
        fn section(&mut self, _: &str) {}
        fn item(&mut self, _: Item) {
            self.0 += 1;
        }
    }

    /// Found by the fuzz target `store_target`: fields of a record near the end of all numbers.
    #[test]
    fn records_that_lie_outside_of_the_arena_are_dumped_as_zeros() {
        let mut arena = Sample::new().arena();
        let records: Vec<u64> = catalog(&Image::over_bytes(&arena)).iter().map(|(_, record)| *record).collect();
        let mut moved = 0;
        for at in 0..arena.len() - 8 {
            let number = u64::from_le_bytes(arena[at..at + 8].try_into().expect("eight bytes"));
            if number != 0 && records.contains(&number) {
                arena[at..at + 8].copy_from_slice(&(u64::MAX - 3).to_le_bytes());
                moved += 1;
            }
        }
        let mut count = Count(0);
        let image = Image::over_bytes(&arena);
        for structure in [Structure::Pools, Structure::Containers, Structure::Snapshots] {
            dump_arena(&image, structure, 0, &mut count).unwrap();
        }
        assert!(moved > 1 && count.0 > 1, "{moved} {}", count.0);
        let _ = dump_arena(&image, Structure::Container(Uuid::nil()), 0, &mut count);
    }
}
