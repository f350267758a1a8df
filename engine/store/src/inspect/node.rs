//! A tree page read without trust. Drawn from engine/docs/disk-format.md ("Tree page") and not from the code that writes
//! them, so that a mistake in one is found by the other.

use super::image::Page;

const SLOTS_AT: usize = 16;
const OVERFLOW: u16 = 1 << 15;
/// The longest key or value that is kept in the page.
const MAX_INLINE: usize = 512;
/// What a page keeps of a key whose bytes lie elsewhere.
const KEY_HEAD: usize = 116;

/// A key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Inline(&'a [u8]),
    Spilled { offset: u64, length: usize, head: &'a [u8] },
}

/// A cell, and the byte of the page where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    pub(super) at: usize,
    pub(super) key: Part<'a>,
    pub(super) value: Part<'a>,
}

impl Cell<'_> {
    /// The child a branch cell leads to.
    pub(super) fn child(&self) -> Option<u64> {
        match self.value {
            Part::Inline(bytes) => Some(u64::from_le_bytes(bytes.try_into().ok()?)),
            Part::Spilled { .. } => None,
        }
    }
}

/// A page in decoded form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) leaf: bool,
    pub(super) first_child: u64,
    pub(super) cells: Vec<Cell<'a>>,
}

fn u16_at(page: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(page.get(at..at + 2)?.try_into().ok()?))
}

fn part(page: &[u8], at: usize, length: u16, head: usize) -> Option<(Part<'_>, usize)> {
    if length & OVERFLOW == 0 {
        let end = at + usize::from(length);
        return (usize::from(length) <= MAX_INLINE).then_some(Part::Inline(page.get(at..end)?)).map(|part| (part, end));
    }
    let bytes = page.get(at..at + 12 + head)?;
    let length = u32::from_le_bytes(bytes[..4].try_into().ok()?) as usize;
    let offset = u64::from_le_bytes(bytes[4..12].try_into().ok()?);
    Some((Part::Spilled { offset, length, head: &bytes[12..] }, at + 12 + head))
}

/// Reads a page; the error says at which byte of it what is wrong.
pub(super) fn parse(page: &Page) -> Result<Node<'_>, (usize, String)> {
    let leaf = match page[0] {
        1 => true,
        2 => false,
        other => return Err((0, format!("kind {other} is neither leaf nor branch"))),
    };
    let field = |at| usize::from(u16_at(page, at).expect("within the head of the page"));
    let (count, start, garbage) = (field(2), field(4), field(6));
    if SLOTS_AT + 2 * count > start || start > page.len() {
        return Err((2, format!("{count} slots and cells from byte {start} on do not fit the page")));
    }
    let mut cells = Vec::with_capacity(count);
    let mut used = 0;
    for index in 0..count {
        let slot = SLOTS_AT + 2 * index;
        let at = field(slot);
        let bad = |what: &str| (slot, format!("cell {index} at byte {at}: {what}"));
        if at < start {
            return Err(bad("it lies before the cells"));
        }
        let (Some(key_length), Some(value_length)) = (u16_at(page, at), u16_at(page, at + 2)) else {
            return Err(bad("it lies beyond the page"));
        };
        let key = part(page, at + 4, key_length, KEY_HEAD);
        let (key, end) = key.ok_or_else(|| bad("its key does not fit the page"))?;
        let value = part(page, end, value_length, 0);
        let (value, end) = value.ok_or_else(|| bad("its value does not fit the page"))?;
        let cell = Cell { at, key, value };
        if !leaf && cell.child().is_none() {
            return Err(bad("it leads to no child"));
        }
        used += end - at;
        cells.push(cell);
    }
    if used + garbage != page.len() - start {
        let text = format!(
            "cells of {used} bytes and {garbage} unused ones are not the {} from byte {start} on",
            page.len() - start
        );
        return Err((6, text));
    }
    let first_child = u64::from_le_bytes(page[8..16].try_into().expect("eight bytes"));
    Ok(Node { leaf, first_child, cells })
}
