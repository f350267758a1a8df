//! A whole tree: every page once, keys in order, everything it owns claimed.

use std::collections::HashSet;

use super::finding::{DEFECT, Findings, Place};
use super::image::Image;
use super::memory::Memory;
use super::node::{Part, parse};
use crate::arena::{PAGE_BYTES, slab};
use crate::tree::MAX_DEPTH;

/// What a walk shares with the check around it.
pub(super) struct Walker<'w, 'a> {
    pub(super) image: &'w Image<'a>,
    pub(super) memory: &'w mut Memory,
    pub(super) findings: &'w mut Findings,
    /// Cleared when a part of a tree could not be followed: what it owns is unknown then.
    pub(super) whole: &'w mut bool,
}

/// A cell of a leaf, as given to the visitor.
pub(super) struct Leaf<'c> {
    /// The byte of the arena where its value is.
    pub(super) value_at: u64,
    pub(super) place: Place,
    pub(super) key: &'c [u8],
    pub(super) value: &'c [u8],
}

/// What gets every cell in key order.
pub(super) type Visit<'v> = dyn FnMut(&Leaf<'_>, &mut Findings) + 'v;

struct State<'v> {
    name: &'v str,
    charged: u64,
    leaf_depth: Option<usize>,
    pages: HashSet<u64>,
    visit: &'v mut Visit<'v>,
}

type Bounds<'b> = (Option<&'b [u8]>, Option<&'b [u8]>);

impl<'a> Walker<'_, 'a> {
    /// Walks the tree whose root pointer is at `root_at`; gives the bytes its memory is charged with.
    pub(super) fn tree(&mut self, root_at: u64, name: &str, visit: &mut Visit<'_>) -> u64 {
        let root = self.image.u64_at(root_at);
        if root == 0 {
            return 0;
        }
        let mut each = |leaf: &Leaf<'_>, findings: &mut Findings| visit(leaf, findings);
        let mut state = State { name, charged: 0, leaf_depth: None, pages: HashSet::new(), visit: &mut each };
        self.page(root, root_at, 0, (None, None), &mut state);
        state.charged
    }

    fn complain(&mut self, at: u64, name: &str, what: impl std::fmt::Display) {
        self.findings.add(Place::Arena(at), DEFECT, format!("{name}: {what}"));
    }

    /// Claims memory of the tree; false when it must not be looked at.
    fn claim(&mut self, offset: u64, length: usize, pointer_at: u64, state: &mut State<'_>) -> bool {
        match self.memory.claim(self.image, offset, length) {
            Ok(()) => {
                state.charged += slab::charged(length);
                true
            }
            Err(reason) => {
                self.complain(pointer_at, state.name, reason);
                *self.whole = false;
                false
            }
        }
    }

    fn page(&mut self, offset: u64, pointer_at: u64, depth: usize, bounds: Bounds<'_>, state: &mut State<'_>) {
        if depth >= MAX_DEPTH || !offset.is_multiple_of(PAGE_BYTES) || !state.pages.insert(offset) {
            self.complain(
                pointer_at,
                state.name,
                format_args!("it leads to {offset} at depth {depth}, where no page of it can be"),
            );
            *self.whole = false;
            return;
        }
        if !self.claim(offset, PAGE_BYTES as usize, pointer_at, state) {
            return;
        }
        let page = self.image.page(offset / PAGE_BYTES);
        let node = match parse(&page) {
            Ok(node) => node,
            Err((at, reason)) => {
                self.complain(offset + at as u64, state.name, format_args!("page at {offset}: {reason}"));
                *self.whole = false;
                return;
            }
        };
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(node.cells.len());
        for (index, cell) in node.cells.iter().enumerate() {
            let at = offset + cell.at as u64;
            let key = self.part(cell.key, at, "key", state).unwrap_or_default();
            let previous = keys.last().map(Vec::as_slice);
            let rising = match previous {
                Some(low) => low < &key[..],
                None => bounds.0.is_none_or(|low| low <= &key[..]),
            };
            if !rising || bounds.1.is_some_and(|high| &key[..] >= high) {
                self.complain(at, state.name, format_args!("key {index} of the page at {offset} is out of order"));
            }
            if node.leaf
                && let Some(value) = self.part(cell.value, at, "value", state)
            {
                let value_at = match cell.value {
                    Part::Spilled { offset, .. } => offset,
                    Part::Inline(inline) => offset + (inline.as_ptr() as usize - page.as_ptr() as usize) as u64,
                };
                let leaf = Leaf { value_at, place: Place::Arena(at), key: &key, value: &value };
                (state.visit)(&leaf, self.findings);
            }
            keys.push(key);
        }
        if node.leaf {
            if node.cells.is_empty() || *state.leaf_depth.get_or_insert(depth) != depth {
                self.complain(offset, state.name, "a leaf is empty, or at another depth than the first");
            }
            return;
        }
        for number in 0..=node.cells.len() {
            let (child, at) = match number.checked_sub(1).map(|index| &node.cells[index]) {
                None => (node.first_child, offset + 8),
                Some(cell) => (cell.child().expect("checked when the page was read"), offset + cell.at as u64),
            };
            let low = if number == 0 { bounds.0 } else { Some(&keys[number - 1][..]) };
            let high = keys.get(number).map(Vec::as_slice).or(bounds.1);
            self.page(child, at, depth + 1, (low, high), state);
        }
    }

    /// The bytes of a key or value; `None` when they lie where they cannot be.
    fn part(&mut self, part: Part<'_>, at: u64, what: &str, state: &mut State<'_>) -> Option<Vec<u8>> {
        match part {
            Part::Inline(bytes) => Some(bytes.to_vec()),
            Part::Spilled { offset, length, head } => {
                if !self.claim(offset, length, at, state) {
                    return None;
                }
                let bytes = self.image.bytes(offset, length)?;
                if !bytes.starts_with(head) {
                    self.complain(
                        at,
                        state.name,
                        format_args!("a {what} begins otherwise in its page than at {offset}"),
                    );
                }
                Some(bytes)
            }
        }
    }
}
