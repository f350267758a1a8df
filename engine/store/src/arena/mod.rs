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
pub(crate) mod pages;
pub(crate) mod slab;

pub(crate) use dirty::DirtyPages;

use types::Status;

use crate::settings::ArenaMemory;

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
    memory: ArenaMemory,
    dirty: DirtyPages,
    undo: Vec<Undo>,
    undo_bytes: Vec<u8>,
    written: Vec<(u64, u32)>,
    charge: i64,
    freed: bool,
    reserve_pages: u64,
    may_use_reserve: bool,
}

impl Arena {
    /// Takes the memory as it is; whole pages of it count.
    pub(crate) fn new(memory: ArenaMemory) -> Arena {
        let pages = memory.len() as u64 / PAGE_BYTES;
        Arena {
            dirty: DirtyPages::new(pages),
            memory,
            undo: Vec::new(),
            undo_bytes: Vec::new(),
            written: Vec::new(),
            charge: 0,
            freed: false,
            reserve_pages: reserve_pages(pages),
            may_use_reserve: false,
        }
    }

    /// Bytes in the region.
    pub(crate) fn length(&self) -> u64 {
        self.memory.len() as u64
    }

    /// A stretch of the region.
    pub(crate) fn bytes(&self, offset: u64, length: usize) -> &[u8] {
        &self.memory[offset as usize..offset as usize + length]
    }

    /// Where a stretch of the region lies in it.
    pub(crate) fn offset_of(&self, stretch: &[u8]) -> u64 {
        (stretch.as_ptr() as usize - self.memory.as_ptr() as usize) as u64
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
        if self.freed {
            self.keep(offset, bytes.len());
        }
        self.put(offset, bytes);
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.memory[offset as usize..offset as usize + bytes.len()].copy_from_slice(bytes);
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
        self.memory.copy_within(from as usize..from as usize + length, to as usize);
        self.note(to, length);
    }

    fn keep(&mut self, offset: u64, length: usize) {
        let at = self.undo_bytes.len();
        self.undo_bytes.extend_from_slice(&self.memory[offset as usize..offset as usize + length]);
        self.undo.push(Undo { offset, length: length as u32, at });
    }

    fn note(&mut self, offset: u64, length: usize) {
        self.dirty.mark(offset, length as u64);
        match self.written.last_mut() {
            Some((last, size)) if *last + u64::from(*size) == offset => *size += length as u32,
            _ => self.written.push((offset, length as u32)),
        }
    }

    /// Starts a transaction. `urgent` ones (those that free space in the end) may use the reserve.
    pub(crate) fn begin(&mut self, urgent: bool) {
        debug_assert!(self.written.is_empty(), "one transaction at a time");
        self.may_use_reserve = urgent;
        self.charge = 0;
        self.freed = false;
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
            redo.extend_from_slice(&self.memory[start as usize..end as usize]);
            records += 1;
        }
        self.written.clear();
        self.undo.clear();
        self.undo_bytes.clear();
        records
    }

    /// Undoes the transaction and closes it.
    pub(crate) fn rollback(&mut self) {
        while let Some(Undo { offset, length, at }) = self.undo.pop() {
            self.memory[offset as usize..offset as usize + length as usize]
                .copy_from_slice(&self.undo_bytes[at..at + length as usize]);
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
        self.memory[offset as usize..end as usize].copy_from_slice(bytes);
        if dirty {
            self.dirty.mark(offset, bytes.len() as u64);
        }
        true
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
        let keep = if self.may_use_reserve { 0 } else { self.reserve_pages };
        free_pages >= wanted + keep
    }
}

/// What is kept so that punches, destroys and reclaim always work: 1/32 of the arena, at least one transaction's worth of pages.
pub(crate) fn reserve_pages(pages: u64) -> u64 {
    (pages / 32).max(TRANSACTION_REDO_LIMIT / PAGE_BYTES)
}

#[cfg(test)]
mod tests;
