//! Items of what lies in the slices themselves: superblocks, page map and log.

use media::BLOCK_BYTES;

use super::super::log;
use super::super::map::{CopyState, PageMap};
use super::{Item, Sink, Value, text};
use crate::checkpoint::NO_SLOT;
use crate::superblock::{FORMAT_VERSION, Superblock, fragment};

pub(super) fn superblock_item(copy: usize, superblock: &Result<Superblock, String>) -> Item {
    let mut item = vec![("copy", Value::Number(copy as u64)), ("byte", Value::Number((copy * BLOCK_BYTES) as u64))];
    match superblock {
        Err(reason) => item.push(("fault", text(&reason))),
        Ok(superblock) => item.extend([
            ("version", Value::Number(FORMAT_VERSION.into())),
            ("target", Value::Number(superblock.identity.target.0.into())),
            ("engine", text(&superblock.identity.engine)),
            ("generation", Value::Number(superblock.generation)),
            ("arena_bytes", Value::Number(superblock.geometry.arena_bytes)),
            ("wal_bytes", Value::Number(superblock.geometry.wal_bytes)),
            ("meta_bytes", Value::Number(superblock.geometry.meta_bytes)),
            ("data_bytes", Value::Number(superblock.geometry.data_bytes)),
            ("tail_block", Value::Number(superblock.tail_block)),
            ("tail_sequence", Value::Number(superblock.tail_sequence)),
            ("last_epoch", Value::Hex(superblock.last_epoch.0)),
            ("map_digest", Value::Hex(superblock.map_digest)),
            ("fragment", Value::Hex(fragment(&superblock.identity))),
        ]),
    }
    item
}

/// Chunks with nothing in either copy, of which a large target has thousands, are one item for each stretch of them.
pub(super) fn map_items(map: &PageMap, sink: &mut dyn Sink) {
    let mut index = 0;
    for stretch in map.chunks.chunk_by(|(one, _), (other, _)| is_empty(one) && is_empty(other)) {
        let last = index + stretch.len() as u64 - 1;
        if stretch.iter().all(|(states, _)| is_empty(states)) {
            let numbers = [("chunk", index), ("last_chunk", last)].map(|(name, number)| (name, Value::Number(number)));
            sink.item(numbers.into_iter().chain([("state", text("empty"))]).collect());
        } else {
            (index..=last).for_each(|index| chunk_items(map, index, sink));
        }
        index = last + 1;
    }
}

fn is_empty(states: &[CopyState; 2]) -> bool {
    *states == [CopyState::Empty; 2]
}

fn chunk_items(map: &PageMap, index: u64, sink: &mut dyn Sink) {
    let (states, current) = map.chunks[index as usize];
    let pages = map.layout.chunk_pages(index);
    let mapped = map.entries[pages.start as usize..pages.end as usize].iter().filter(|entry| entry.slot != NO_SLOT);
    let mapped = mapped.count() as u64;
    for (copy, state) in states.iter().enumerate() {
        let mut item = vec![
            ("chunk", Value::Number(index)),
            ("copy", Value::Number(copy as u64)),
            ("byte", Value::Number(map.layout.chunk_offset(index, copy as u8))),
        ];
        match state {
            CopyState::Empty => item.push(("state", text("empty"))),
            CopyState::Damaged => item.push(("state", text("damaged"))),
            CopyState::Whole(generation) => {
                item.push(("state", text(if *generation == current { "current" } else { "other" })));
                item.push(("generation", Value::Number(*generation)));
                if *generation == current {
                    item.push(("first_page", Value::Number(pages.start)));
                    item.push(("pages", Value::Number(pages.end - pages.start)));
                    item.push(("mapped", Value::Number(mapped)));
                }
            }
        }
        sink.item(item);
    }
}

pub(super) fn group_item(group: &log::Group) -> Item {
    let extents = group.extents.iter().map(|extent| {
        vec![
            ("offset", Value::Number(extent.offset)),
            ("bytes", Value::Number(extent.length)),
            ("crc", Value::Hex(extent.crc.into())),
        ]
    });
    let records = group
        .records
        .iter()
        .map(|(offset, length)| vec![("arena", Value::Number(*offset)), ("bytes", Value::Number(*length as u64))]);
    vec![
        ("byte", Value::Number(group.start * BLOCK_BYTES as u64)),
        ("blocks", Value::Number(group.header.blocks())),
        ("sequence", Value::Number(group.header.sequence)),
        ("last_epoch", Value::Hex(group.header.last_epoch.0)),
        ("body_bytes", Value::Number(group.header.body_bytes.into())),
        ("body_crc", Value::Hex(group.header.body_crc.into())),
        ("extents", Value::Items(extents.collect())),
        ("records", Value::Items(records.collect())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{CHUNK_ENTRIES, Layout, MapEntry, meta_bytes_least};

    #[derive(Default)]
    struct Kept(Vec<Item>);

    impl Sink for Kept {
        fn section(&mut self, _: &'static str) {}
        fn item(&mut self, item: Item) {
            self.0.push(item);
        }
    }

    #[test]
    fn a_stretch_of_empty_chunks_is_one_item() {
        let pages = 6 * CHUNK_ENTRIES;
        let arena_bytes = pages * crate::arena::PAGE_BYTES;
        let layout = Layout::new(arena_bytes, meta_bytes_least(arena_bytes)).unwrap();
        let empty = ([CopyState::Empty; 2], 0);
        let written = ([CopyState::Empty, CopyState::Whole(3)], 3);
        let damaged = ([CopyState::Damaged, CopyState::Empty], 0);
        let chunks = vec![empty, written, damaged, empty, empty, empty];
        let entries = vec![MapEntry::EMPTY; pages as usize];
        assert_eq!(chunks.len() as u64, layout.chunks);
        let mut kept = Kept::default();
        map_items(&PageMap { layout, entries, chunks, digest: 0 }, &mut kept);
        let number = |item: &Item, name| match item.iter().find(|(field, _)| *field == name) {
            Some((_, Value::Number(number))) => Some(*number),
            _ => None,
        };
        let found: Vec<_> = kept.0.iter().map(|item| (number(item, "chunk"), number(item, "last_chunk"))).collect();
        let one = |chunk| (Some(chunk), None);
        let expected = [(Some(0), Some(0)), one(1), one(1), one(2), one(2), (Some(3), Some(5))];
        assert_eq!(found, expected);
        assert_eq!(kept.0[5][2], ("state", text("empty")));
    }
}
