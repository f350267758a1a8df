//! The arena: one region that holds all metadata of a target, and the transactions on it.
//!
//! A transaction writes straight into the region and keeps what it overwrote, so its own reads see its writes and a
//! rollback restores every byte that was in use. Commit appends the bytes that changed, as they are then, to the log
//! group. There is one transaction at a time and no transaction is open between two calls of the store, so a copy of any page taken
//! between calls holds whole transactions only.
//!
//! Layout: page 0 is the header (`header`), then one descriptor per page (`pages`), then pages given out as runs
//! (`pages`) or cut into slots of one size (`slab`). Pointers are byte offsets from the start; 0 is none.

mod dirty;
pub(crate) mod header;
mod pager;
pub(crate) mod pages;
mod region;
pub(crate) mod slab;

pub(crate) use dirty::DirtyPages;
pub(crate) use pager::{FaultCause, PageFault, catch_fault};
pub(crate) use region::{PageMap, Paged};

use types::Status;

use crate::checkpoint::MapEntry;
use crate::settings::Residence;
use pager::Pager;
use region::Region;

/// The unit of checkpoints, of tree nodes and of page runs.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Bytes in front of each redo record: offset u64, length u32.
pub(crate) const REDO_HEADER_BYTES: usize = 12;

/// The most redo one transaction may make. The largest ones split a path of tree nodes (10 levels of two pages) and
/// store a 4 KiB value, a pair of 4 KiB keys and the checksums of a 32 MiB value.
pub(crate) const TRANSACTION_REDO_LIMIT: u64 = 128 << 10;

struct Undo {
    offset: u64,
    length: u32,
    at: usize,
}

/// The region, with the transaction that is open on it.
pub(crate) struct Arena {
    region: Region,
    dirty: DirtyPages,
    undo: Vec<Undo>,
    undo_bytes: Vec<u8>,
    written: Vec<(u64, u32)>,
    /// Of a paged arena: pages that this transaction made dirty, and whether it made them unsaved too.
    newly_dirty: Vec<(u64, bool)>,
    charge: i64,
    /// See [`Arena::is_over_promise`].
    is_over_promise: bool,
    freed: bool,
    reserve_pages: u64,
    need: Need,
}

impl Arena {
    /// Takes the memory as it is; whole pages of it count.
    pub(crate) fn new(memory: Residence) -> Arena {
        let region = Region::new(memory);
        let pages = region.length() / PAGE_BYTES;
        Arena {
            dirty: DirtyPages::new(pages),
            region,
            undo: Vec::new(),
            undo_bytes: Vec::new(),
            written: Vec::new(),
            newly_dirty: Vec::new(),
            charge: 0,
            is_over_promise: false,
            freed: false,
            reserve_pages: reserve_pages(pages),
            need: Need::Usual,
        }
    }

    /// Bytes in the region.
    pub(crate) fn length(&self) -> u64 {
        self.region.length()
    }

    /// A stretch of the region.
    pub(crate) fn bytes(&self, offset: u64, length: usize) -> &[u8] {
        self.region.bytes(offset, length)
    }

    /// Where a stretch of the region lies in it.
    pub(crate) fn offset_of(&self, stretch: &[u8]) -> u64 {
        self.region.offset_of(stretch)
    }

    /// The page that starts at `offset`.
    pub(crate) fn page(&self, offset: u64) -> &[u8; PAGE_BYTES as usize] {
        self.bytes(offset, PAGE_BYTES as usize).try_into().expect("the length is a page")
    }

    /// The integer at `offset`.
    pub(crate) fn u64_at(&self, offset: u64) -> u64 {
        u64::from_le_bytes(self.bytes(offset, 8).try_into().expect("eight bytes"))
    }

    /// The integer at `offset`.
    pub(crate) fn u32_at(&self, offset: u64) -> u32 {
        u32::from_le_bytes(self.bytes(offset, 4).try_into().expect("four bytes"))
    }

    /// Overwrites bytes within the transaction.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.keep(offset, bytes.len());
        self.put(offset, bytes);
    }

    /// Writes bytes of memory that this transaction allocated: what was there before needs no restoring, unless the
    /// transaction freed something before, which may be this very memory.
    pub(crate) fn write_fresh(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        // A paged arena restores all bytes, so that a rollback leaves no page unsaved that was not.
        if self.freed || !self.is_whole() {
            self.keep(offset, bytes.len());
        }
        self.put(offset, bytes);
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.region.bytes_mut(offset, bytes.len()).copy_from_slice(bytes);
        self.note(offset, bytes.len());
    }

    /// Overwrites an integer within the transaction.
    pub(crate) fn write_u64(&mut self, offset: u64, value: u64) {
        self.write(offset, &value.to_le_bytes());
    }

    /// Copies a stretch onto another, which may overlap it, within the transaction.
    pub(crate) fn copy_within(&mut self, from: u64, to: u64, length: usize) {
        if length == 0 {
            return;
        }
        self.keep(to, length);
        self.region.copy_within(from, to, length);
        self.note(to, length);
    }

    fn keep(&mut self, offset: u64, length: usize) {
        let at = self.undo_bytes.len();
        self.undo_bytes.extend_from_slice(self.region.bytes(offset, length));
        self.undo.push(Undo { offset, length: length as u32, at });
    }

    fn note(&mut self, offset: u64, length: usize) {
        self.mark(offset, length);
        match self.written.last_mut() {
            Some((last, size)) if *last + u64::from(*size) == offset => *size += length as u32,
            _ => self.written.push((offset, length as u32)),
        }
    }

    fn mark(&mut self, offset: u64, length: usize) {
        if let Some(pager) = self.region.pager_mut() {
            for page in offset / PAGE_BYTES..=(offset + length as u64 - 1) / PAGE_BYTES {
                let unsaved = pager.changed(page);
                if !self.dirty.has(page) {
                    self.newly_dirty.push((page, unsaved));
                }
            }
        }
        self.dirty.mark(offset, length as u64);
    }

    /// Starts a transaction.
    pub(crate) fn begin(&mut self, need: Need) {
        debug_assert!(self.written.is_empty(), "one transaction at a time");
        self.unpin();
        self.need = need;
        self.charge = 0;
        self.is_over_promise = false;
        self.freed = false;
    }

    /// The transaction wants more than the promise of its pool.
    pub(crate) fn over_promise(&mut self) {
        self.is_over_promise = true;
    }

    /// True when what the last transaction that was begun did not find was room in its pool's promise, rather than room at all.
    pub(crate) fn is_over_promise(&self) -> bool {
        self.is_over_promise
    }

    /// Bytes allocated minus bytes freed since [`Arena::begin`].
    pub(crate) fn charge(&self) -> i64 {
        self.charge
    }

    /// An upper bound of the redo bytes the transaction has made so far.
    pub(crate) fn redo_bytes(&self) -> u64 {
        self.written.iter().map(|(_, size)| u64::from(*size) + REDO_HEADER_BYTES as u64).sum()
    }

    /// Appends the redo records of the transaction to `redo` and closes it; returns how many there are.
    pub(crate) fn commit(&mut self, redo: &mut Vec<u8>) -> u32 {
        self.written.sort_unstable();
        let mut records = 0;
        let mut next = 0;
        while next < self.written.len() {
            let (start, size) = self.written[next];
            let mut end = start + u64::from(size);
            next += 1;
            // A gap shorter than a record header is cheaper to log than to skip.
            while next < self.written.len() && self.written[next].0 <= end + REDO_HEADER_BYTES as u64 {
                end = end.max(self.written[next].0 + u64::from(self.written[next].1));
                next += 1;
            }
            redo.extend_from_slice(&start.to_le_bytes());
            redo.extend_from_slice(&((end - start) as u32).to_le_bytes());
            redo.extend_from_slice(self.region.bytes(start, (end - start) as usize));
            records += 1;
        }
        self.written.clear();
        self.newly_dirty.clear();
        self.undo.clear();
        self.undo_bytes.clear();
        records
    }

    /// Undoes the transaction and closes it.
    pub(crate) fn rollback(&mut self) {
        while let Some(Undo { offset, length, at }) = self.undo.pop() {
            let bytes = &self.undo_bytes[at..at + length as usize];
            self.region.bytes_mut(offset, length as usize).copy_from_slice(bytes);
        }
        while let Some((page, unsaved)) = self.newly_dirty.pop() {
            self.dirty.remove(page);
            if unsaved && let Some(pager) = self.region.pager_mut() {
                pager.saved(page);
            }
        }
        self.written.clear();
        self.undo_bytes.clear();
        self.charge = 0;
    }

    /// Puts recovered bytes in place, outside of any transaction; false when they lie outside of the region.
    pub(crate) fn restore(&mut self, offset: u64, bytes: &[u8], dirty: bool) -> bool {
        let Some(end) = offset.checked_add(bytes.len() as u64) else { return false };
        if end > self.length() || bytes.is_empty() {
            return false;
        }
        self.unpin();
        self.region.bytes_mut(offset, bytes.len()).copy_from_slice(bytes);
        if dirty {
            self.mark(offset, bytes.len());
            self.newly_dirty.clear();
        }
        true
    }

    /// Ends the pins of the command before: what it looked at may go now. Nothing to do for an arena that is not paged.
    pub(crate) fn unpin(&mut self) {
        if let Some(pager) = self.region.pager_mut() {
            pager.unpin();
        }
    }

    /// True when as much was looked at since [`Arena::unpin`] as one slice of a long scan should.
    pub(crate) fn is_crowded(&self) -> bool {
        self.region.pager().is_some_and(Pager::is_crowded)
    }

    /// True when one more transaction may leave pages behind that cannot go before a checkpoint saved them.
    pub(crate) fn admits(&self) -> bool {
        self.region.pager().is_none_or(Pager::admits)
    }

    /// True when it is time for a checkpoint to save pages, so that they can go.
    pub(crate) fn is_pressed(&self) -> bool {
        self.region.pager().is_some_and(Pager::is_pressed)
    }

    /// What paging did, when there is any.
    pub(crate) fn paged(&self) -> Paged {
        self.region.pager().map(Pager::counts).unwrap_or_default()
    }

    /// Where the images of pages lie.
    pub(crate) fn map(&self) -> &PageMap {
        &self.region.map
    }

    /// Takes the page map that recovery read.
    pub(crate) fn set_map(&mut self, map: PageMap) {
        self.region.map = map;
    }

    /// True when every page is in memory, or is to be.
    pub(crate) fn is_whole(&self) -> bool {
        self.region.pager().is_none()
    }

    /// Exchanges the map entry of a page whose image was written; `entry` becomes the former one. The page may go
    /// unless it changed since it was copied.
    pub(crate) fn saved(&mut self, page: u64, entry: &mut MapEntry) {
        std::mem::swap(&mut self.region.map.entries[page as usize], entry);
        if !self.dirty.has(page)
            && let Some(pager) = self.region.pager_mut()
        {
            pager.saved(page);
        }
    }

    /// The pages changed since they were last taken for a checkpoint.
    pub(crate) fn dirty(&mut self) -> &mut DirtyPages {
        &mut self.dirty
    }

    /// Pages kept for transactions that free space.
    pub(crate) fn reserve_pages(&self) -> u64 {
        self.reserve_pages
    }

    /// Memory for `bytes`, or [`Status::NoSpace`].
    pub(crate) fn allocate(&mut self, bytes: usize) -> Result<u64, Status> {
        let offset = slab::allocate(self, bytes)?;
        self.charge += slab::charged(bytes) as i64;
        Ok(offset)
    }

    /// Gives memory of `bytes` back.
    pub(crate) fn free(&mut self, offset: u64, bytes: usize) {
        slab::free(self, offset, bytes);
        self.freed = true;
        self.charge -= slab::charged(bytes) as i64;
    }

    pub(crate) fn leaves_reserve(&self, free_pages: u64, wanted: u64) -> bool {
        let keep = match self.need {
            Need::Usual => self.reserve_pages,
            Need::Removal => self.reserve_pages / 2,
            Need::Sure => 0,
        };
        free_pages >= wanted + keep
    }
}

/// How much a transaction is needed: what it may use of the reserve, and of a pool that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing of either.
    Usual,
    /// Half of the reserve, and a little more than was promised: a client's punch frees space in the end, but takes some first, and nobody keeps a
    /// client from asking for very many.
    Removal,
    /// All: what frees space now, or was promised.
    Sure,
}

/// What is kept so that destroys and reclaim always work, and punches for a while: 1/32 of the arena, at least one transaction's worth of pages.
pub(crate) fn reserve_pages(pages: u64) -> u64 {
    (pages / 32).max(TRANSACTION_REDO_LIMIT / PAGE_BYTES)
}

#[cfg(test)]
mod tests;
