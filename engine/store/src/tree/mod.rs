//! B+trees with keys of any length, in the arena.
//!
//! A tree is known by the place of its root pointer; an empty tree has no pages. Keys and values above 512 bytes live in
//! memory of their own. Pages split where a new cell does not fit (at the end for ascending keys, in the middle
//! otherwise), join when two neighbours fit one page easily, and leave when empty. There are no sibling links: a cursor keeps its path.
//! Source: Graefe, "Modern B-Tree Techniques" (2011), for slotted pages and suffix truncation.

mod cursor;
mod insert;
mod node;
mod remove;
mod walk;

pub(crate) use cursor::Cursor;
pub(crate) use walk::Census;

use crate::arena::Arena;

/// Deeper trees do not fit the largest arena (2^32 pages): a page has at least three cells, 3^21 > 2^32.
pub(crate) const MAX_DEPTH: usize = 22;

/// A tree, by the arena offset of its root pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Where the root pointer is.
    pub(crate) root_at: u64,
}

impl Tree {
    /// The root page, 0 when empty.
    pub(crate) fn root(self, arena: &Arena) -> u64 {
        arena.u64_at(self.root_at)
    }

    /// The value of `key`.
    pub(crate) fn get<'a>(self, arena: &'a Arena, key: &[u8]) -> Option<&'a [u8]> {
        let cursor = Cursor::seek(self, arena, key);
        (cursor.key(arena)? == key).then(|| cursor.value(arena).expect("it has a key"))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::new_arena;
