//! Putting cells into a tree.

use types::Status;

use super::node::{self, BRANCH, Image, LEAF, MAX_INLINE, Node, ROOM, encode_cell};
use super::{Cursor, Tree};
use crate::arena::{Arena, PAGE_BYTES};

impl Tree {
    /// Adds `key` with `value`, or replaces its value. On [`Status::NoSpace`] the transaction must be rolled back.
    pub(crate) fn put(self, arena: &mut Arena, key: &[u8], value: &[u8]) -> Result<(), Status> {
        let cursor = Cursor::descend(self, arena, key);
        if let Some(&(leaf, index)) = cursor.path().last() {
            let page = Node::at(arena, leaf);
            let index = index as usize;
            if index < page.count() && page.cell(index).key(arena) == key {
                if page.cell(index).value(arena).len() == value.len() {
                    node::overwrite_value(arena, leaf, index, value);
                    return Ok(());
                }
                self.remove(arena, key);
                return self.put(arena, key, value);
            }
        }
        let mut cell = Vec::with_capacity(64 + key.len().min(MAX_INLINE) + value.len().min(MAX_INLINE));
        let key_at = spill(arena, key)?;
        let value_at = spill(arena, value)?;
        encode_cell(&mut cell, key, key_at, value, value_at);
        if cursor.path().is_empty() {
            let root = arena.allocate(PAGE_BYTES as usize)?;
            let mut image = Image::new(LEAF, 0);
            image.push(&cell);
            image.store_fresh(arena, root);
            arena.write_u64(self.root_at, root);
            return Ok(());
        }
        self.insert_at(arena, cursor.path(), cell)
    }

    /// Puts a cell into the page at the end of `path`, splitting upwards as needed.
    fn insert_at(self, arena: &mut Arena, path: &[(u64, u16)], mut cell: Vec<u8>) -> Result<(), Status> {
        for depth in (0..path.len()).rev() {
            let (offset, index) = (path[depth].0, path[depth].1 as usize);
            if node::insert_cell(arena, offset, index, &cell) {
                return Ok(());
            }
            cell = split(arena, offset, index, &cell)?;
            if depth == 0 {
                let root = arena.allocate(PAGE_BYTES as usize)?;
                let mut image = Image::new(BRANCH, offset);
                image.push(&cell);
                image.store_fresh(arena, root);
                arena.write_u64(self.root_at, root);
            }
        }
        Ok(())
    }
}

fn spill(arena: &mut Arena, bytes: &[u8]) -> Result<Option<u64>, Status> {
    if bytes.len() <= MAX_INLINE {
        return Ok(None);
    }
    let at = arena.allocate(bytes.len())?;
    arena.write_fresh(at, bytes);
    Ok(Some(at))
}

/// Moves the upper part of a full page, with `cell` at `index` in it or in the lower part, to a new page. Returns the
/// branch cell (separator and new page) for the parent.
fn split(arena: &mut Arena, offset: u64, index: usize, cell: &[u8]) -> Result<Vec<u8>, Status> {
    let right = arena.allocate(PAGE_BYTES as usize)?;
    let node = Node::at(arena, offset);
    let (kind, count) = (node.kind(), node.count());
    let at = split_point(&node, index, cell.len());
    // Cells 0..=count of the page with `cell` counted in; those from `at` on move.
    let nth = |n: usize| match n.cmp(&index) {
        std::cmp::Ordering::Less => node.cell(n).bytes(),
        std::cmp::Ordering::Equal => cell,
        std::cmp::Ordering::Greater => node.cell(n - 1).bytes(),
    };
    let mut separator = Vec::new();
    let image = if kind == LEAF {
        let mut image = Image::new(LEAF, 0);
        (at..=count).for_each(|n| image.push(nth(n)));
        image
    } else {
        // The middle key moves up; its child becomes the first of the new page.
        let middle = nth(at);
        let child =
            u64::from_le_bytes(middle[middle.len() - 8..].try_into().expect("a branch cell ends with its child"));
        node::with_child(middle, right, &mut separator);
        let mut image = Image::new(BRANCH, child);
        (at + 1..=count).for_each(|n| image.push(nth(n)));
        image
    };
    image.store_fresh(arena, right);
    let keep = if at > index { at - 1 } else { at };
    node::truncate(arena, offset, keep);
    if at > index {
        assert!(node::insert_cell(arena, offset, index, cell), "the lower part was chosen to have room");
    }
    if kind == LEAF {
        let low = Node::at(arena, offset);
        let low = low.cell(low.count() - 1).key(arena);
        let high = Node::at(arena, right).cell(0).key(arena);
        let shared = low.iter().zip(high).take_while(|(a, b)| a == b).count();
        let key = high[..shared + 1].to_vec();
        let key_at = spill(arena, &key)?;
        encode_cell(&mut separator, &key, key_at, &right.to_le_bytes(), None);
    }
    Ok(separator)
}

/// How many cells, the new one counted in, stay in the lower page: all but the last for keys that arrive in order,
/// else about half of the bytes. Both parts are never empty, also without the middle cell of a branch.
fn split_point(node: &Node<'_>, index: usize, length: usize) -> usize {
    let count = node.count();
    if index == count && count > 1 {
        return if node.is_leaf() { count } else { count - 1 };
    }
    let half = (node.used() + length + 2) / 2;
    let mut sum = 0;
    for n in 0..=count {
        let size = match n.cmp(&index) {
            std::cmp::Ordering::Less => node.cell(n).bytes().len(),
            std::cmp::Ordering::Equal => length,
            std::cmp::Ordering::Greater => node.cell(n - 1).bytes().len(),
        } + 2;
        if sum + size > half && n > 0 {
            return n.min(count - 1).max(1);
        }
        sum += size;
        debug_assert!(sum <= ROOM + length + 2, "cells are counted once");
    }
    count / 2
}
