//! Checkpoints: the arena's dirty pages, copied to the meta slice while the target runs.
//!
//! A pass takes the pages that are dirty when it starts, in batches. A batch copies pages to free slots, writes new
//! versions of the page map chunks concerned, flushes, waits until every log group that touched the copied pages is
//! durable, writes the superblock, and flushes. Only then are the slots of the former images free. After the last
//! batch the log's tail moves to where the log stood when the pass started. At every moment the superblock on the
//! device describes a whole: its pages, and the log from its tail on. Pages and chunks need no order among
//! themselves, since nothing reads them before the superblock refers to them.

mod map;

pub use map::meta_bytes_needed;
pub(crate) use map::{
    CHUNK_ENTRIES, Chunk, Layout, MapEntry, NO_SLOT, VERSION, chunk_version, decode_chunk, digest, encode_chunk,
    meta_bytes_least,
};

use erasure::crc32c;
use media::{Buffer, IoKind};

use crate::arena::{Arena, DirtyPages, PAGE_BYTES, PageMap};
use crate::probe::Probe;
use crate::superblock::Superblock;
use types::Epoch;

/// Pages of one batch at most: 8 MiB, so that the tail of a long pass does not hold on to all slots.
const BATCH_PAGES_MOST: u64 = 2048;
/// Pages of one write: 256 KiB, long enough for bandwidth, short enough not to delay a log write for long.
const WRITE_PAGES_MOST: usize = 64;
/// Page writes under way at most, for the same reason.
const WRITES_MOST: u32 = 4;

/// What the checkpoint wants done.
pub(crate) enum Step {
    /// A command for the meta slice.
    Io(IoKind),
    /// The pass is complete; the log may let go of everything before this block.
    Finished { tail_block: u64 },
    /// Nothing now.
    Wait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pages,
    Map,
    Flush,
    WaitForLog,
    Superblock,
    FlushSuperblock,
}

struct Pass {
    pending: DirtyPages,
    cursor: u64,
    mark: (u64, u64),
    mark_epoch: Epoch,
    phase: Phase,
    outstanding: u32,
    copied: Vec<(u64, MapEntry)>,
    chunks: Vec<u64>,
    log_sequence: u64,
}

/// The state of the meta slice, and the pass under way.
pub(crate) struct Checkpoint {
    fragment: u64,
    superblock: Superblock,
    /// Which of the two superblock blocks is current.
    superblock_copy: u8,
    /// Current version and copy of each chunk.
    chunks: Vec<(u64, u8)>,
    free: DirtyPages,
    slot_cursor: u64,
    pass: Option<Pass>,
    /// Pages written since the target was opened.
    pub(crate) pages_written: u64,
}

impl Checkpoint {
    /// The state that recovery found; `free` are the slots that no entry of the map names.
    pub(crate) fn new(
        fragment: u64,
        (superblock, superblock_copy): (Superblock, u8),
        chunks: Vec<(u64, u8)>,
        free: DirtyPages,
    ) -> Checkpoint {
        Checkpoint { fragment, superblock, superblock_copy, chunks, free, slot_cursor: 0, pass: None, pages_written: 0 }
    }

    /// True while a pass is under way.
    pub(crate) fn is_running(&self) -> bool {
        self.pass.is_some()
    }

    /// Starts a pass over the pages that are dirty now. `mark` is where the log stands.
    pub(crate) fn start(&mut self, arena: &mut Arena, mark: (u64, u64), mark_epoch: Epoch) {
        debug_assert!(self.pass.is_none(), "one pass at a time");
        self.pass = Some(Pass {
            pending: arena.dirty().take(),
            cursor: 0,
            mark,
            mark_epoch,
            phase: Phase::Pages,
            outstanding: 0,
            copied: Vec::new(),
            chunks: Vec::new(),
            log_sequence: 0,
        });
    }

    /// A command completed.
    pub(crate) fn completed(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.outstanding -= 1;
        }
    }

    /// The next thing to do. `newest` is the last log group that pages depend on now, `durable` the last durable one.
    pub(crate) fn step(&mut self, arena: &mut Arena, newest: u64, durable: u64) -> Step {
        loop {
            let Some(pass) = &mut self.pass else { return Step::Wait };
            if pass.outstanding > 0 && !(pass.phase == Phase::Pages && pass.outstanding < WRITES_MOST) {
                return Step::Wait;
            }
            let next = match pass.phase {
                Phase::Pages => match copy_pages(&mut self.free, &mut self.slot_cursor, pass, arena) {
                    Some(write) => {
                        pass.log_sequence = newest;
                        Some(write)
                    }
                    None if pass.outstanding > 0 => return Step::Wait,
                    None => {
                        self.adopt_copies(arena);
                        continue;
                    }
                },
                Phase::Map => match pass.chunks.pop() {
                    Some(chunk) => Some(self.write_chunk(arena.map(), chunk)),
                    None => enter(pass, Phase::Flush, Some(IoKind::Flush)),
                },
                Phase::Flush => enter(pass, Phase::WaitForLog, None),
                Phase::WaitForLog if durable < pass.log_sequence => return Step::Wait,
                Phase::WaitForLog => {
                    pass.phase = Phase::Superblock;
                    Some(self.write_superblock())
                }
                Phase::Superblock => enter(pass, Phase::FlushSuperblock, Some(IoKind::Flush)),
                Phase::FlushSuperblock => match self.finish_batch() {
                    Some(tail_block) => return Step::Finished { tail_block },
                    None => continue,
                },
            };
            if let Some(io) = next {
                self.pass.as_mut().expect("a pass is under way").outstanding += 1;
                return Step::Io(io);
            }
        }
    }

    /// Maps the copied pages to their new slots, now that they are written, and notes the chunks to write. The former slots stay
    /// in use until the superblock is durable.
    fn adopt_copies(&mut self, arena: &mut Arena) {
        let pass = self.pass.as_mut().expect("a pass is under way");
        for (page, entry) in &mut pass.copied {
            arena.saved(*page, entry);
            let chunk = *page / map::CHUNK_ENTRIES;
            if pass.chunks.last() != Some(&chunk) {
                pass.chunks.push(chunk);
            }
        }
        pass.phase = Phase::Map;
    }

    fn write_chunk(&mut self, map: &PageMap, index: u64) -> IoKind {
        let generation = self.superblock.generation + 1;
        let (former, copy) = self.chunks[index as usize];
        self.superblock.map_digest =
            self.superblock.map_digest.wrapping_sub(digest(index, former)).wrapping_add(digest(index, generation));
        self.chunks[index as usize] = (generation, 1 - copy);
        let pages = map.layout.chunk_pages(index);
        let entries = &map.entries[pages.start as usize..pages.end as usize];
        let buffer = encode_chunk(self.fragment, generation, index, entries);
        IoKind::Write { offset: map.layout.chunk_offset(index, 1 - copy), buffer }
    }

    fn write_superblock(&mut self) -> IoKind {
        let pass = self.pass.as_ref().expect("a pass is under way");
        self.superblock.generation += 1;
        if pass.pending.count() == 0 {
            (self.superblock.tail_block, self.superblock.tail_sequence) = pass.mark;
            self.superblock.last_epoch = pass.mark_epoch;
        }
        self.superblock_copy = 1 - self.superblock_copy;
        let offset = u64::from(self.superblock_copy) * PAGE_BYTES;
        IoKind::Write { offset, buffer: self.superblock.encode() }
    }

    /// Frees the slots of the former images; gives the new tail when the pass is complete.
    fn finish_batch(&mut self) -> Option<u64> {
        let pass = self.pass.as_mut().expect("a pass is under way");
        self.pages_written += pass.copied.len() as u64;
        for (_, former) in pass.copied.drain(..) {
            if former.slot != NO_SLOT {
                self.free.mark(u64::from(former.slot) * PAGE_BYTES, 1);
            }
        }
        pass.phase = Phase::Pages;
        if pass.pending.count() > 0 {
            Probe::CheckpointBatch.hit();
            return None;
        }
        let tail_block = pass.mark.0;
        self.pass = None;
        Some(tail_block)
    }
}

fn enter(pass: &mut Pass, phase: Phase, io: Option<IoKind>) -> Option<IoKind> {
    pass.phase = phase;
    io
}

/// The next write of page images, to slots that lie side by side; `None` when the batch is complete.
fn copy_pages(free: &mut DirtyPages, slot_cursor: &mut u64, pass: &mut Pass, arena: &Arena) -> Option<IoKind> {
    let mut images: Vec<u64> = Vec::with_capacity(WRITE_PAGES_MOST);
    let mut first_slot = 0;
    while images.len() < WRITE_PAGES_MOST && (pass.copied.len() as u64) < BATCH_PAGES_MOST && free.count() > 0 {
        let Some(page) = pass.pending.pop_from(pass.cursor) else { break };
        let slot = match free.pop_from(*slot_cursor) {
            Some(slot) => slot,
            None => free.pop_from(0).expect("one is free"),
        };
        if !images.is_empty() && slot != first_slot + images.len() as u64 {
            // Not beside the others: it starts the next write.
            free.mark(slot * PAGE_BYTES, 1);
            pass.pending.mark(page * PAGE_BYTES, 1);
            *slot_cursor = slot;
            break;
        }
        if images.is_empty() {
            first_slot = slot;
        }
        pass.cursor = page + 1;
        *slot_cursor = slot + 1;
        pass.copied.push((page, MapEntry { slot: slot as u32, crc: crc32c(arena.page(page * PAGE_BYTES)) }));
        images.push(page);
    }
    if images.is_empty() {
        if free.count() == 0 && pass.pending.count() > 0 {
            Probe::NoFreeSlot.hit();
        }
        return None;
    }
    let mut buffer = Buffer::used(images.len() * PAGE_BYTES as usize);
    for (image, page) in buffer.chunks_exact_mut(PAGE_BYTES as usize).zip(&images) {
        image.copy_from_slice(arena.page(page * PAGE_BYTES));
    }
    Some(IoKind::Write { offset: arena.map().layout.slot_offset(first_slot as u32), buffer })
}
