//! One page of a tree: cells in key order, found through an array of slots.
//!
//! | offset | field |
//! |---|---|
//! | 0 | kind u8: 1 leaf, 2 branch |
//! | 1 | zero |
//! | 2 | cells u16 |
//! | 4 | first byte of the cell area u16 |
//! | 6 | bytes in the cell area that no slot refers to u16 |
//! | 8 | branch: child below the first key u64 |
//! | 16 | slots u16: offset of each cell, in key order |
//!
//! Cells fill the page from its end. A cell is: key length u16, value length u16, key, value. Bit 15 of a length
//! marks an overflow: the key then is {length u32, pointer u64, its first 116 bytes}, the value {length u32,
//! pointer u64}, and the bytes lie in memory of their own. In a branch the value is the child u64.

use std::cmp::Ordering;

use crate::arena::{Arena, PAGE_BYTES};

pub(super) const LEAF: u8 = 1;
pub(super) const BRANCH: u8 = 2;

const COUNT_AT: usize = 2;
const CELLS_AT: usize = 4;
const GARBAGE_AT: usize = 6;
const FIRST_CHILD_AT: usize = 8;
pub(super) const SLOTS_AT: usize = 16;

const PAGE: usize = PAGE_BYTES as usize;
const OVERFLOW: u16 = 1 << 15;

/// The longest key and value kept in a cell: at least three cells fit a page, so a page can always be split.
pub(super) const MAX_INLINE: usize = 512;
/// What a cell keeps of a longer key, to decide most comparisons without leaving the page.
const KEY_HEAD: usize = 116;
const KEY_OVERFLOW_BYTES: usize = 12 + KEY_HEAD;
const VALUE_OVERFLOW_BYTES: usize = 12;
const CELL_HEADER: usize = 4;
/// Bytes of a page that cells and slots share.
pub(super) const ROOM: usize = PAGE - SLOTS_AT;

fn u16_in(page: &[u8], at: usize) -> usize {
    u16::from_le_bytes([page[at], page[at + 1]]) as usize
}

fn u64_in(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Memory outside of a page that a cell owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spill {
    pub(super) offset: u64,
    pub(super) length: usize,
}

fn spill_in(bytes: &[u8]) -> Spill {
    let length = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
    Spill { offset: u64_in(bytes, 4), length }
}

/// A page seen as a node.
#[derive(Clone, Copy)]
pub(super) struct Node<'a>(pub(super) &'a [u8; PAGE]);

/// A cell seen in its page.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    bytes: &'a [u8],
    key_length: u16,
    value_length: u16,
}

impl<'a> Cell<'a> {
    fn key_stored(&self) -> usize {
        if self.key_length & OVERFLOW != 0 { KEY_OVERFLOW_BYTES } else { self.key_length as usize }
    }

    fn value_stored(&self) -> usize {
        if self.value_length & OVERFLOW != 0 { VALUE_OVERFLOW_BYTES } else { self.value_length as usize }
    }

    /// All its bytes.
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.bytes[..CELL_HEADER + self.key_stored() + self.value_stored()]
    }

    pub(super) fn key_spill(&self) -> Option<Spill> {
        (self.key_length & OVERFLOW != 0).then(|| spill_in(&self.bytes[CELL_HEADER..]))
    }

    pub(super) fn value_spill(&self) -> Option<Spill> {
        (self.value_length & OVERFLOW != 0).then(|| spill_in(&self.bytes[CELL_HEADER + self.key_stored()..]))
    }

    /// The whole key.
    pub(super) fn key(&self, arena: &'a Arena) -> &'a [u8] {
        match self.key_spill() {
            Some(spill) => arena.bytes(spill.offset, spill.length),
            None => &self.bytes[CELL_HEADER..CELL_HEADER + self.key_stored()],
        }
    }

    /// The whole value.
    pub(super) fn value(&self, arena: &'a Arena) -> &'a [u8] {
        match self.value_spill() {
            Some(spill) => arena.bytes(spill.offset, spill.length),
            None => {
                let at = CELL_HEADER + self.key_stored();
                &self.bytes[at..at + self.value_stored()]
            }
        }
    }

    /// The child a branch cell leads to.
    pub(super) fn child(&self) -> u64 {
        u64_in(self.bytes, CELL_HEADER + self.key_stored())
    }

    fn compare(&self, arena: &Arena, key: &[u8]) -> Ordering {
        match self.key_spill() {
            None => self.bytes[CELL_HEADER..CELL_HEADER + self.key_stored()].cmp(key),
            Some(spill) => {
                let head = &self.bytes[CELL_HEADER + 12..CELL_HEADER + 12 + KEY_HEAD];
                head.cmp(&key[..key.len().min(KEY_HEAD)]).then_with(|| arena.bytes(spill.offset, spill.length).cmp(key))
            }
        }
    }
}

impl<'a> Node<'a> {
    pub(super) fn at(arena: &'a Arena, offset: u64) -> Node<'a> {
        Node(arena.page(offset))
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.0[0] == LEAF
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[0]
    }

    pub(super) fn count(&self) -> usize {
        u16_in(self.0, COUNT_AT)
    }

    pub(super) fn first_child(&self) -> u64 {
        u64_in(self.0, FIRST_CHILD_AT)
    }

    fn cells_start(&self) -> usize {
        u16_in(self.0, CELLS_AT)
    }

    pub(super) fn garbage(&self) -> usize {
        u16_in(self.0, GARBAGE_AT)
    }

    fn slot(&self, index: usize) -> usize {
        u16_in(self.0, SLOTS_AT + 2 * index)
    }

    pub(super) fn cell(&self, index: usize) -> Cell<'a> {
        let bytes = &self.0[self.slot(index)..];
        Cell {
            bytes,
            key_length: u16::from_le_bytes([bytes[0], bytes[1]]),
            value_length: u16::from_le_bytes([bytes[2], bytes[3]]),
        }
    }

    /// Child number `index`: 0 is the one below the first key.
    pub(super) fn child(&self, index: usize) -> u64 {
        if index == 0 { self.first_child() } else { self.cell(index - 1).child() }
    }

    /// Bytes between slots and cells.
    fn gap(&self) -> usize {
        self.cells_start() - SLOTS_AT - 2 * self.count()
    }

    /// Bytes that cells and their slots use.
    pub(super) fn used(&self) -> usize {
        ROOM - self.gap() - self.garbage()
    }

    /// The first cell whose key is not below `key`, and whether it is equal.
    pub(super) fn search(&self, arena: &Arena, key: &[u8]) -> (usize, bool) {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = (low + high) / 2;
            match self.cell(middle).compare(arena, key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return (middle, true),
                Ordering::Greater => high = middle,
            }
        }
        (low, false)
    }

    /// The number of the child that covers `key`.
    pub(super) fn child_for(&self, arena: &Arena, key: &[u8]) -> usize {
        let (index, equal) = self.search(arena, key);
        index + usize::from(equal)
    }
}

/// The bytes of a cell, to be put into a page.
pub(super) fn encode_cell(out: &mut Vec<u8>, key: &[u8], key_at: Option<u64>, value: &[u8], value_at: Option<u64>) {
    out.clear();
    let length = |bytes: &[u8], at: Option<u64>| if at.is_some() { OVERFLOW } else { bytes.len() as u16 };
    out.extend_from_slice(&length(key, key_at).to_le_bytes());
    out.extend_from_slice(&length(value, value_at).to_le_bytes());
    match key_at {
        None => out.extend_from_slice(key),
        Some(at) => {
            out.extend_from_slice(&(key.len() as u32).to_le_bytes());
            out.extend_from_slice(&at.to_le_bytes());
            out.extend_from_slice(&key[..KEY_HEAD]);
        }
    }
    match value_at {
        None => out.extend_from_slice(value),
        Some(at) => {
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(&at.to_le_bytes());
        }
    }
}

/// The key part of a cell with another child: how a separator moves between branches.
pub(super) fn with_child(cell: &[u8], child: u64, out: &mut Vec<u8>) {
    out.clear();
    let key_length = u16::from_le_bytes([cell[0], cell[1]]);
    let stored = if key_length & OVERFLOW != 0 { KEY_OVERFLOW_BYTES } else { key_length as usize };
    out.extend_from_slice(&key_length.to_le_bytes());
    out.extend_from_slice(&8u16.to_le_bytes());
    out.extend_from_slice(&cell[CELL_HEADER..CELL_HEADER + stored]);
    out.extend_from_slice(&child.to_le_bytes());
}

fn set_header(arena: &mut Arena, offset: u64, count: usize, cells_start: usize, garbage: usize) {
    let mut bytes = [0; 6];
    bytes[..2].copy_from_slice(&(count as u16).to_le_bytes());
    bytes[2..4].copy_from_slice(&(cells_start as u16).to_le_bytes());
    bytes[4..].copy_from_slice(&(garbage as u16).to_le_bytes());
    arena.write(offset + COUNT_AT as u64, &bytes);
}

/// Puts a cell at `index` if the page has room for it, and says whether it had.
pub(super) fn insert_cell(arena: &mut Arena, offset: u64, index: usize, cell: &[u8]) -> bool {
    let node = Node::at(arena, offset);
    let wanted = cell.len() + 2;
    if node.gap() < wanted {
        if node.gap() + node.garbage() < wanted {
            return false;
        }
        compact(arena, offset);
    }
    let node = Node::at(arena, offset);
    let (count, garbage, start) = (node.count(), node.garbage(), node.cells_start() - cell.len());
    arena.write(offset + start as u64, cell);
    let slot = offset + (SLOTS_AT + 2 * index) as u64;
    arena.copy_within(slot, slot + 2, 2 * (count - index));
    arena.write(slot, &(start as u16).to_le_bytes());
    set_header(arena, offset, count + 1, start, garbage);
    true
}

/// Takes the cell at `index` out of the page; what it owns elsewhere is the caller's business.
pub(super) fn remove_cell(arena: &mut Arena, offset: u64, index: usize) {
    let node = Node::at(arena, offset);
    let (count, garbage, start) = (node.count(), node.garbage(), node.cells_start());
    let freed = node.cell(index).bytes().len();
    let slot = offset + (SLOTS_AT + 2 * index) as u64;
    arena.copy_within(slot + 2, slot, 2 * (count - index - 1));
    set_header(arena, offset, count - 1, start, garbage + freed);
}

/// Drops the cells from `keep` on; they live on in another page.
pub(super) fn truncate(arena: &mut Arena, offset: u64, keep: usize) {
    let node = Node::at(arena, offset);
    let moved: usize = (keep..node.count()).map(|index| node.cell(index).bytes().len()).sum();
    let (garbage, start) = (node.garbage() + moved, node.cells_start());
    set_header(arena, offset, keep, start, garbage);
}

/// Sets the child below the first key.
pub(super) fn set_first_child(arena: &mut Arena, offset: u64, child: u64) {
    arena.write_u64(offset + FIRST_CHILD_AT as u64, child);
}

/// Replaces the value of the cell at `index` by one of the same length.
pub(super) fn overwrite_value(arena: &mut Arena, offset: u64, index: usize, value: &[u8]) {
    let node = Node::at(arena, offset);
    let cell = node.cell(index);
    let at = match cell.value_spill() {
        Some(spill) => spill.offset,
        None => offset + (node.slot(index) + CELL_HEADER + cell.key_stored()) as u64,
    };
    arena.write(at, value);
}

/// A page image put together cell by cell.
pub(super) struct Image {
    page: [u8; PAGE],
    count: usize,
    start: usize,
}

impl Image {
    pub(super) fn new(kind: u8, first_child: u64) -> Image {
        let mut page = [0; PAGE];
        page[0] = kind;
        page[FIRST_CHILD_AT..FIRST_CHILD_AT + 8].copy_from_slice(&first_child.to_le_bytes());
        Image { page, count: 0, start: PAGE }
    }

    pub(super) fn push(&mut self, cell: &[u8]) {
        self.start -= cell.len();
        self.page[self.start..self.start + cell.len()].copy_from_slice(cell);
        let slot = SLOTS_AT + 2 * self.count;
        assert!(slot + 2 <= self.start, "the cells of a page were measured before");
        self.page[slot..slot + 2].copy_from_slice(&(self.start as u16).to_le_bytes());
        self.count += 1;
    }

    fn finish(&mut self) {
        self.page[COUNT_AT..COUNT_AT + 2].copy_from_slice(&(self.count as u16).to_le_bytes());
        self.page[CELLS_AT..CELLS_AT + 2].copy_from_slice(&(self.start as u16).to_le_bytes());
    }

    /// Writes it to a page that this transaction allocated.
    pub(super) fn store_fresh(mut self, arena: &mut Arena, offset: u64) {
        self.finish();
        arena.write_fresh(offset, &self.page[..SLOTS_AT + 2 * self.count]);
        arena.write_fresh(offset + self.start as u64, &self.page[self.start..]);
    }

    /// Writes it over a page in use.
    pub(super) fn store(mut self, arena: &mut Arena, offset: u64) {
        self.finish();
        arena.write(offset, &self.page[..SLOTS_AT + 2 * self.count]);
        arena.write(offset + self.start as u64, &self.page[self.start..]);
    }
}

fn compact(arena: &mut Arena, offset: u64) {
    let node = Node::at(arena, offset);
    let mut image = Image::new(node.kind(), node.first_child());
    for index in 0..node.count() {
        image.push(node.cell(index).bytes());
    }
    image.store(arena, offset);
}
