//! Walking a whole tree, to check it and to count what it owns.

use super::node::Node;
use super::{MAX_DEPTH, Tree};
use crate::arena::{Arena, PAGE_BYTES, slab};

/// What a tree owns in the arena, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Stretches of memory: offset and length as allocated.
    pub(crate) owned: Vec<(u64, usize)>,
    /// Cells in leaves.
    pub(crate) cells: u64,
    /// The first contradiction: where, and what.
    pub(crate) fault: Option<(u64, String)>,
}

impl Census {
    /// Bytes the owned memory is charged with.
    pub(crate) fn charged(&self) -> u64 {
        self.owned.iter().map(|(_, length)| slab::charged(*length)).sum()
    }

    fn complain(&mut self, offset: u64, reason: String) {
        self.fault.get_or_insert((offset, reason));
    }
}

impl Tree {
    /// Visits every cell in key order and checks order, depth and page bounds.
    pub(crate) fn census(self, arena: &Arena, mut each: impl FnMut(&[u8], &[u8])) -> Census {
        let mut census = Census::default();
        let root = self.root(arena);
        let mut leaf_depth = None;
        if root != 0 {
            visit(arena, root, 0, (None, None), &mut leaf_depth, &mut census, &mut each);
        }
        census
    }
}

type Bounds<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn visit(
    arena: &Arena,
    offset: u64,
    depth: usize,
    bounds: Bounds<'_>,
    leaf_depth: &mut Option<usize>,
    census: &mut Census,
    each: &mut impl FnMut(&[u8], &[u8]),
) {
    if depth >= MAX_DEPTH || !offset.is_multiple_of(PAGE_BYTES) || offset == 0 || offset + PAGE_BYTES > arena.length() {
        census.complain(offset, format!("a tree page at depth {depth} cannot be here"));
        return;
    }
    census.owned.push((offset, PAGE_BYTES as usize));
    let page = Node::at(arena, offset);
    let mut previous = bounds.0;
    let mut cell_bytes = 0;
    for index in 0..page.count() {
        let cell = page.cell(index);
        let key = cell.key(arena);
        let fits = previous.is_none_or(|low| if index == 0 { low <= key } else { low < key });
        if !fits || bounds.1.is_some_and(|high| key >= high) {
            census.complain(offset, format!("key {index} is out of order"));
        }
        previous = Some(key);
        cell_bytes += cell.bytes().len();
        let spills = [cell.key_spill(), cell.value_spill()];
        census.owned.extend(spills.into_iter().flatten().map(|spill| (spill.offset, spill.length)));
        if page.is_leaf() {
            each(key, cell.value(arena));
        }
    }
    if cell_bytes + 2 * page.count() != page.used() {
        census.complain(offset, String::from("the bytes of its cells are miscounted"));
    }
    if page.is_leaf() {
        census.cells += page.count() as u64;
        if page.count() == 0 || *leaf_depth.get_or_insert(depth) != depth {
            census.complain(offset, String::from("a leaf is empty or at another depth than the first"));
        }
        return;
    }
    for number in 0..=page.count() {
        let low = if number == 0 { bounds.0 } else { Some(page.cell(number - 1).key(arena)) };
        let high = if number == page.count() { bounds.1 } else { Some(page.cell(number).key(arena)) };
        visit(arena, page.child(number), depth + 1, (low, high), leaf_depth, census, each);
    }
}
