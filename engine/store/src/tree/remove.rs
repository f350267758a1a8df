//! Taking cells out of a tree, and whole trees down leaf by leaf.

use super::node::{self, BRANCH, Image, Node, ROOM};
use super::{Cursor, Tree};
use crate::arena::{Arena, PAGE_BYTES};

/// A page below this fill looks for a neighbour to join.
const SPARSE: usize = ROOM / 4;
/// Joined pages keep this much room, so that the next insert does not split them again.
const JOINED_MOST: usize = ROOM * 3 / 4;

impl Tree {
    /// Removes `key`; false when it is not there.
    pub(crate) fn remove(self, arena: &mut Arena, key: &[u8]) -> bool {
        let cursor = Cursor::descend(self, arena, key);
        let Some(&(leaf, index)) = cursor.path().last() else { return false };
        let page = Node::at(arena, leaf);
        if index as usize >= page.count() || page.cell(index as usize).key(arena) != key {
            return false;
        }
        free_cell(arena, leaf, index as usize);
        node::remove_cell(arena, leaf, index as usize);
        self.shrink(arena, cursor.path());
        true
    }

    /// Takes the first leaf out of the tree after `each` saw its cells; false when the tree is empty. This is how a whole tree is
    /// freed in bounded steps: no cell of it is looked at twice.
    pub(crate) fn drop_first_leaf(self, arena: &mut Arena, mut each: impl FnMut(&[u8], &[u8])) -> bool {
        let cursor = Cursor::descend(self, arena, &[]);
        let Some(&(leaf, _)) = cursor.path().last() else { return false };
        let page = Node::at(arena, leaf);
        for index in 0..page.count() {
            let cell = page.cell(index);
            each(cell.key(arena), cell.value(arena));
        }
        for index in (0..Node::at(arena, leaf).count()).rev() {
            free_cell(arena, leaf, index);
        }
        node::truncate(arena, leaf, 0);
        self.shrink(arena, cursor.path());
        true
    }

    /// Restores the shape after the page at the end of `path` lost cells: empty pages leave, sparse ones join a
    /// neighbour, a root with one child gives way to it.
    fn shrink(self, arena: &mut Arena, path: &[(u64, u16)]) {
        for depth in (0..path.len()).rev() {
            let offset = path[depth].0;
            let page = Node::at(arena, offset);
            let (leaf, count, used, first_child) = (page.is_leaf(), page.count(), page.used(), page.first_child());
            if depth == 0 {
                if count == 0 {
                    arena.write_u64(self.root_at, if leaf { 0 } else { first_child });
                    arena.free(offset, PAGE_BYTES as usize);
                }
                return;
            }
            let (parent, number) = (path[depth - 1].0, path[depth - 1].1 as usize);
            if leaf && count == 0 {
                drop_child(arena, parent, number);
                arena.free(offset, PAGE_BYTES as usize);
                // A branch that lost its only child is marked by a first child of 0 and leaves in the next round.
                continue;
            }
            if !leaf && first_child == 0 {
                drop_child(arena, parent, number);
                arena.free(offset, PAGE_BYTES as usize);
                continue;
            }
            if used >= SPARSE || !join_neighbour(arena, parent, number) {
                return;
            }
        }
    }
}

fn free_cell(arena: &mut Arena, offset: u64, index: usize) {
    let cell = Node::at(arena, offset).cell(index);
    let spills = [cell.key_spill(), cell.value_spill()];
    for spill in spills.into_iter().flatten() {
        arena.free(spill.offset, spill.length);
    }
}

/// Takes child `number` out of a branch, with the separator that led to it.
fn drop_child(arena: &mut Arena, parent: u64, number: usize) {
    let page = Node::at(arena, parent);
    if page.count() == 0 {
        node::set_first_child(arena, parent, 0);
        return;
    }
    if number == 0 {
        let next = page.child(1);
        node::set_first_child(arena, parent, next);
    }
    let cell = number.saturating_sub(1);
    free_cell(arena, parent, cell);
    node::remove_cell(arena, parent, cell);
}

/// Joins child `number` with a neighbour if both fit one page well; false when not.
fn join_neighbour(arena: &mut Arena, parent: u64, number: usize) -> bool {
    let page = Node::at(arena, parent);
    if page.count() == 0 {
        return false;
    }
    let low_number = if number < page.count() { number } else { number - 1 };
    let (low_at, high_at) = (page.child(low_number), page.child(low_number + 1));
    let separator = page.cell(low_number).bytes();
    let (low, high) = (Node::at(arena, low_at), Node::at(arena, high_at));
    let between = if low.is_leaf() { 0 } else { separator.len() + 2 };
    if low.used() + between + high.used() > JOINED_MOST {
        return false;
    }
    let mut image = Image::new(low.kind(), low.first_child());
    (0..low.count()).for_each(|index| image.push(low.cell(index).bytes()));
    if low.kind() == BRANCH {
        let mut moved = Vec::new();
        node::with_child(separator, high.first_child(), &mut moved);
        image.push(&moved);
    }
    (0..high.count()).for_each(|index| image.push(high.cell(index).bytes()));
    let keeps_separator = low.kind() == BRANCH;
    image.store(arena, low_at);
    if !keeps_separator {
        free_cell(arena, parent, low_number);
    }
    node::remove_cell(arena, parent, low_number);
    arena.free(high_at, PAGE_BYTES as usize);
    true
}
