//! A place in a tree, good until the tree changes.

use super::node::Node;
use super::{MAX_DEPTH, Tree};
use crate::arena::Arena;

/// The path to a cell. `depth` 0 means past the end.
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    path: [(u64, u16); MAX_DEPTH],
    depth: usize,
}

impl Cursor {
    const END: Cursor = Cursor { path: [(0, 0); MAX_DEPTH], depth: 0 };

    fn push(&mut self, node: u64, index: usize) {
        self.path[self.depth] = (node, index as u16);
        self.depth += 1;
    }

    /// The first cell whose key is not below `key`.
    pub(crate) fn seek(tree: Tree, arena: &Arena, key: &[u8]) -> Cursor {
        let mut cursor = Cursor::descend(tree, arena, key);
        cursor.settle(arena);
        cursor
    }

    /// The last cell whose key is below `key`.
    pub(crate) fn seek_before(tree: Tree, arena: &Arena, key: &[u8]) -> Cursor {
        let mut cursor = Cursor::descend(tree, arena, key);
        cursor.previous(arena);
        cursor
    }

    /// The leaf position of `key`, possibly one past the cells of its leaf.
    pub(super) fn descend(tree: Tree, arena: &Arena, key: &[u8]) -> Cursor {
        let mut cursor = Cursor::END;
        let mut offset = tree.root(arena);
        while offset != 0 {
            let node = Node::at(arena, offset);
            if node.is_leaf() {
                cursor.push(offset, node.search(arena, key).0);
                break;
            }
            let index = node.child_for(arena, key);
            cursor.push(offset, index);
            offset = node.child(index);
        }
        cursor
    }

    /// The pages and child numbers from the root to the leaf.
    pub(super) fn path(&self) -> &[(u64, u16)] {
        &self.path[..self.depth]
    }

    /// Moves from past the end of a leaf to the next leaf.
    fn settle(&mut self, arena: &Arena) {
        let Some(&(leaf, index)) = self.path().last() else { return };
        if (index as usize) < Node::at(arena, leaf).count() {
            return;
        }
        self.depth -= 1;
        while let Some(&(offset, index)) = self.path().last() {
            let node = Node::at(arena, offset);
            self.depth -= 1;
            if (index as usize) < node.count() {
                self.push(offset, index as usize + 1);
                self.leftmost(arena, node.child(index as usize + 1));
                return;
            }
        }
    }

    fn leftmost(&mut self, arena: &Arena, mut offset: u64) {
        loop {
            let node = Node::at(arena, offset);
            self.push(offset, 0);
            if node.is_leaf() {
                return;
            }
            offset = node.first_child();
        }
    }

    fn rightmost(&mut self, arena: &Arena, mut offset: u64) {
        loop {
            let node = Node::at(arena, offset);
            if node.is_leaf() {
                self.push(offset, node.count() - 1);
                return;
            }
            self.push(offset, node.count());
            offset = node.child(node.count());
        }
    }

    /// Moves to the next cell.
    pub(crate) fn next(&mut self, arena: &Arena) {
        if self.depth > 0 {
            self.path[self.depth - 1].1 += 1;
            self.settle(arena);
        }
    }

    /// Moves to the previous cell.
    pub(crate) fn previous(&mut self, arena: &Arena) {
        let Some(&(leaf, index)) = self.path().last() else { return };
        self.depth -= 1;
        if index > 0 {
            self.push(leaf, index as usize - 1);
            return;
        }
        while let Some(&(offset, index)) = self.path().last() {
            self.depth -= 1;
            if index > 0 {
                self.push(offset, index as usize - 1);
                self.rightmost(arena, Node::at(arena, offset).child(index as usize - 1));
                return;
            }
        }
    }

    /// The key here, `None` past the end.
    pub(crate) fn key<'a>(&self, arena: &'a Arena) -> Option<&'a [u8]> {
        let &(leaf, index) = self.path().last()?;
        Some(Node::at(arena, leaf).cell(index as usize).key(arena))
    }

    /// The value here, `None` past the end.
    pub(crate) fn value<'a>(&self, arena: &'a Arena) -> Option<&'a [u8]> {
        let &(leaf, index) = self.path().last()?;
        Some(Node::at(arena, leaf).cell(index as usize).value(arena))
    }
}
