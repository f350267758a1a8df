//! Formatting a target, and reading one back: superblock, pages, log.

use erasure::crc32c;
use media::{BLOCK_BYTES, Buffer, Device, Role};
use types::Epoch;

use crate::arena::{Arena, PAGE_BYTES, header};
use crate::catalog::CATALOG;
use crate::checkpoint::{
    CHUNK_ENTRIES, Checkpoint, Chunk, Layout, MapEntry, NO_SLOT, decode_chunk, digest, meta_bytes_least,
};
use crate::error::{FormatError, OpenError, Slice};
use crate::extents;
use crate::health::Recovery;
use crate::log::{GroupHeader, MIN_WAL_BYTES, Ring, WrittenExtent, decode_body, encode};
use crate::settings::{ArenaMemory, Devices, Geometry, Identity};
use crate::superblock::{Superblock, fragment};

/// Bytes of one blocking read or write.
const TRANSFER_BYTES: usize = 1 << 20;

/// Makes the slices a new, empty target. Whatever they held is lost.
///
/// The whole log is overwritten with zeros, so no group of a former life can ever be read again; so is the page map.
/// Page slots and data need not be: nothing refers to them.
pub fn format(devices: &mut Devices, identity: Identity, arena_bytes: u64) -> Result<(), FormatError> {
    let geometry = devices.geometry(arena_bytes);
    let least = [
        ("the arena", arena_bytes, header::MIN_ARENA_BYTES, header::MAX_ARENA_BYTES),
        ("the wal slice", geometry.wal_bytes, MIN_WAL_BYTES, u64::MAX),
        ("the meta slice", geometry.meta_bytes, meta_bytes_least(arena_bytes), u64::MAX),
    ];
    for (what, bytes, least, most) in least {
        if bytes < least {
            return Err(FormatError::TooSmall { what, bytes, least });
        }
        if bytes > most {
            return Err(FormatError::TooLarge { what, bytes, most });
        }
    }
    let layout = Layout::new(arena_bytes, geometry.meta_bytes).ok_or(FormatError::TooSmall {
        what: "the meta slice",
        bytes: geometry.meta_bytes,
        least: meta_bytes_least(arena_bytes),
    })?;
    zero(&mut *devices.meta, Role::Meta, 0, layout.slot_offset(0))?;
    zero(&mut *devices.wal, Role::Wal, 0, geometry.wal_bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64)?;
    let failed = |role, offset| move |source| FormatError::Io { slice: Slice(role), offset, source };
    devices.wal.flush().map_err(failed(Role::Wal, 0))?;
    devices.meta.flush().map_err(failed(Role::Meta, 0))?;
    let superblock = Superblock {
        identity,
        generation: 1,
        geometry,
        tail_block: 0,
        tail_sequence: 1,
        last_epoch: Epoch::ZERO,
        map_digest: 0,
    };
    for offset in [0, BLOCK_BYTES as u64] {
        devices.meta.write(offset, &superblock.encode()).map_err(failed(Role::Meta, offset))?;
    }
    devices.meta.flush().map_err(failed(Role::Meta, 0))
}

fn zero(device: &mut dyn Device, role: Role, from: u64, to: u64) -> Result<(), FormatError> {
    let mut buffer = Buffer::zeroed(TRANSFER_BYTES);
    let mut offset = from;
    while offset < to {
        let length = (to - offset).min(TRANSFER_BYTES as u64) as usize;
        if length < buffer.len() {
            buffer = Buffer::zeroed(length);
        }
        let written = device.write(offset, &buffer);
        written.map_err(|source| FormatError::Io { slice: Slice(role), offset, source })?;
        offset += length as u64;
    }
    Ok(())
}

/// What recovery hands to the store.
pub(crate) struct Recovered {
    pub(crate) arena: Arena,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) ring: Ring,
    /// Sequence of the next group.
    pub(crate) sequence: u64,
    pub(crate) geometry: Geometry,
    pub(crate) report: Recovery,
}

/// Reads the target back. Ends with a group of its own in the log, which proves that everything before it is durable and takes the
/// place of anything unfinished.
pub(crate) fn recover(devices: &mut Devices, identity: Identity, memory: ArenaMemory) -> Result<Recovered, OpenError> {
    let mut report = Recovery::default();
    let (superblock, copy) = read_superblock(&mut *devices.meta, &identity)?;
    check_sizes(&superblock.geometry, &devices.geometry(memory.len() as u64))?;
    // What a killed process wrote but did not flush may be read below; it must be durable before it is relied on.
    for (role, device) in
        [(Role::Meta, &mut devices.meta), (Role::Wal, &mut devices.wal), (Role::Data, &mut devices.data)]
    {
        device.flush().map_err(|source| OpenError::Io { slice: Slice(role), offset: 0, source })?;
    }
    let fragment = fragment(&identity);
    let geometry = superblock.geometry;
    let layout = Layout::new(geometry.arena_bytes, geometry.meta_bytes).ok_or_else(|| OpenError::WrongSize {
        what: "meta slice",
        found: geometry.meta_bytes,
        expected: meta_bytes_least(geometry.arena_bytes),
    })?;
    let mut arena = Arena::new(memory);
    let (entries, chunks) = read_map(&mut *devices.meta, &layout, fragment, &superblock)?;
    report.pages = read_pages(&mut *devices.meta, &layout, &entries, &mut arena)?;
    let checkpoint = Checkpoint::new(layout, fragment, (superblock, copy), entries, chunks);
    report.last_epoch = superblock.last_epoch;
    let mut replay = Replay {
        fragment,
        ring: Ring {
            blocks: geometry.wal_bytes / BLOCK_BYTES as u64,
            head: superblock.tail_block,
            tail: superblock.tail_block,
        },
        sequence: superblock.tail_sequence,
        report,
        sealed: true,
    };
    if replay.ring.head >= replay.ring.blocks {
        return Err(damaged(
            Role::Meta,
            u64::from(copy) * BLOCK_BYTES as u64,
            "the log's tail lies outside of the log",
        ));
    }
    replay.run(devices, &mut arena)?;
    let virgin = superblock.generation == 1 && replay.report.groups == 0;
    let mut redo = Vec::new();
    let records = match header::fault(&arena, &identity) {
        None => 0,
        Some(_) if virgin => initialise(&mut arena, &identity, geometry.data_bytes, &mut redo)?,
        Some((offset, reason)) => return Err(OpenError::Arena { offset, reason }),
    };
    replay.close(&mut *devices.wal, records, &redo)?;
    check_roots(&arena)?;
    let Replay { ring, sequence, report, .. } = replay;
    Ok(Recovered { arena, checkpoint, ring, sequence, geometry, report })
}

fn damaged(role: Role, offset: u64, reason: impl Into<String>) -> OpenError {
    OpenError::Damaged { slice: Slice(role), offset, reason: reason.into() }
}

fn read(device: &mut dyn Device, role: Role, offset: u64, buffer: &mut Buffer) -> Result<(), OpenError> {
    device.read(offset, buffer).map_err(|source| OpenError::Io { slice: Slice(role), offset, source })
}

fn write(device: &mut dyn Device, role: Role, offset: u64, buffer: &Buffer) -> Result<(), OpenError> {
    device.write(offset, buffer).map_err(|source| OpenError::Io { slice: Slice(role), offset, source })
}

/// The newest valid superblock, and which copy it is.
fn read_superblock(meta: &mut dyn Device, identity: &Identity) -> Result<(Superblock, u8), OpenError> {
    let mut found = Vec::new();
    let mut reasons = Vec::new();
    for copy in 0..2u8 {
        let offset = u64::from(copy) * BLOCK_BYTES as u64;
        let mut block = Buffer::zeroed(BLOCK_BYTES);
        read(meta, Role::Meta, offset, &mut block)?;
        match Superblock::decode(&block) {
            Ok(superblock) if superblock.identity != *identity => {
                let name = |identity: &Identity| format!("target {} of engine {}", identity.target, identity.engine);
                let (found, expected) = (name(&superblock.identity), name(identity));
                return Err(OpenError::WrongIdentity { offset, found, expected });
            }
            Ok(superblock) => found.push((superblock, copy)),
            Err(reason) => reasons.push(reason),
        }
    }
    let newest = found.into_iter().max_by_key(|(superblock, _)| superblock.generation);
    newest.ok_or_else(|| {
        let mut reasons = reasons.into_iter();
        let mut next = || reasons.next().unwrap_or_default();
        OpenError::NoSuperblock { first: next(), second: next() }
    })
}

fn check_sizes(expected: &Geometry, found: &Geometry) -> Result<(), OpenError> {
    for (what, found, expected) in [
        ("arena", found.arena_bytes, expected.arena_bytes),
        ("wal slice", found.wal_bytes, expected.wal_bytes),
        ("meta slice", found.meta_bytes, expected.meta_bytes),
        ("data slice", found.data_bytes, expected.data_bytes),
    ] {
        if found != expected {
            return Err(OpenError::WrongSize { what, found, expected });
        }
    }
    Ok(())
}

type Map = (Vec<MapEntry>, Vec<(u64, u8)>);

/// The current version of every chunk. Versions that a checkpoint wrote but never made current are erased, so that no
/// later superblock can take them for its own.
fn read_map(meta: &mut dyn Device, layout: &Layout, fragment: u64, superblock: &Superblock) -> Result<Map, OpenError> {
    let mut entries = Vec::with_capacity(layout.pages as usize);
    let mut chunks = Vec::with_capacity(layout.chunks as usize);
    let mut unfinished = Vec::new();
    let mut sum = 0u64;
    let mut suspect = None;
    for index in 0..layout.chunks {
        let count = layout.chunk_pages(index).count();
        let mut current: Option<(Chunk, u8)> = None;
        for copy in 0..2u8 {
            let offset = layout.chunk_offset(index, copy);
            let mut block = Buffer::zeroed(BLOCK_BYTES);
            read(meta, Role::Meta, offset, &mut block)?;
            match decode_chunk(&block, fragment, index, count) {
                Some(chunk) if chunk.generation > superblock.generation => unfinished.push(offset),
                Some(chunk) if current.as_ref().is_none_or(|(best, _)| best.generation < chunk.generation) => {
                    current = Some((chunk, copy));
                }
                Some(_) => {}
                None if block.iter().any(|&byte| byte != 0) => suspect = suspect.or(Some(offset)),
                None => {}
            }
        }
        let never = || (Chunk { generation: 0, entries: vec![MapEntry::EMPTY; count] }, 1);
        let (chunk, copy) = current.unwrap_or_else(never);
        sum = sum.wrapping_add(digest(index, chunk.generation));
        chunks.push((chunk.generation, copy));
        entries.extend_from_slice(&chunk.entries);
    }
    if sum != superblock.map_digest {
        let offset = suspect.unwrap_or_else(|| layout.chunk_offset(0, 0));
        return Err(damaged(Role::Meta, offset, "a chunk of the page map is not the one the superblock refers to"));
    }
    if !unfinished.is_empty() {
        for &offset in &unfinished {
            write(meta, Role::Meta, offset, &Buffer::zeroed(BLOCK_BYTES))?;
        }
        meta.flush().map_err(|source| OpenError::Io { slice: Slice(Role::Meta), offset: unfinished[0], source })?;
    }
    Ok((entries, chunks))
}

/// Reads all page images in the order of their slots, in long reads where slots lie side by side.
fn read_pages(
    meta: &mut dyn Device,
    layout: &Layout,
    entries: &[MapEntry],
    arena: &mut Arena,
) -> Result<u64, OpenError> {
    let mut images: Vec<(u32, u32, u64)> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.slot != NO_SLOT)
        .map(|(page, entry)| (entry.slot, entry.crc, page as u64))
        .collect();
    images.sort_unstable();
    let map_offset = |page: u64| layout.chunk_offset(page / CHUNK_ENTRIES, 0);
    if let Some(twice) = images.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(damaged(Role::Meta, map_offset(twice[1].2), "two pages share a slot"));
    }
    if let Some(beyond) = images.last().filter(|(slot, ..)| u64::from(*slot) >= layout.slots) {
        return Err(damaged(Role::Meta, map_offset(beyond.2), "a page lies in a slot that does not exist"));
    }
    let most = TRANSFER_BYTES / PAGE_BYTES as usize;
    let mut from = 0;
    while from < images.len() {
        let beside = |to: usize| images[to].0 == images[to - 1].0 + 1;
        let mut to = from + 1;
        while to < images.len() && to - from < most && beside(to) {
            to += 1;
        }
        let offset = layout.slot_offset(images[from].0);
        let mut buffer = Buffer::zeroed((to - from) * PAGE_BYTES as usize);
        read(meta, Role::Meta, offset, &mut buffer)?;
        for (n, image) in buffer.chunks_exact(PAGE_BYTES as usize).enumerate() {
            let (slot, crc, page) = images[from + n];
            if crc32c(image) != crc {
                let reason = format!("the image of arena page {page} does not match its checksum");
                return Err(damaged(Role::Meta, layout.slot_offset(slot), reason));
            }
            arena.restore(page * PAGE_BYTES, image, false);
        }
        from = to;
    }
    Ok(images.len() as u64)
}

/// Builds the arena of a target that was just formatted.
fn initialise(arena: &mut Arena, identity: &Identity, data_bytes: u64, redo: &mut Vec<u8>) -> Result<u32, OpenError> {
    arena.begin(true);
    header::initialise(arena, identity);
    let filled = extents::initialise(arena, data_bytes / BLOCK_BYTES as u64);
    filled.map_err(|_| OpenError::Arena { offset: 0, reason: String::from("it is too small for its own trees") })?;
    Ok(arena.commit(redo))
}

/// Roots outside of the arena would stop the target at the first look at them; better now, with a reason.
fn check_roots(arena: &Arena) -> Result<(), OpenError> {
    for tree in [CATALOG, extents::BY_OFFSET, extents::BY_LENGTH, extents::LIMBO] {
        let root = tree.root(arena);
        if !root.is_multiple_of(PAGE_BYTES) || root >= arena.length() {
            let reason = format!("the root pointer {root} is not a page of it");
            return Err(OpenError::Arena { offset: tree.root_at, reason });
        }
    }
    Ok(())
}

/// Replay of the log, from its tail to its last valid group.
struct Replay {
    fragment: u64,
    ring: Ring,
    sequence: u64,
    report: Recovery,
    /// The last group read was empty: a seal.
    sealed: bool,
}

/// A group read from the log.
struct Found {
    header: GroupHeader,
    start: u64,
    blocks: Buffer,
}

impl Replay {
    fn run(&mut self, devices: &mut Devices, arena: &mut Arena) -> Result<(), OpenError> {
        let mut last: Option<Found> = None;
        while let Some(found) = self.find(&mut *devices.wal)? {
            self.step_over(&found);
            if let Some(previous) = last.replace(found) {
                self.apply(arena, &previous)?;
            }
        }
        self.refuse_a_gap(&mut *devices.wal)?;
        let Some(group) = last else { return Ok(()) };
        if self.data_is_there(&mut *devices.data, &group)? {
            return self.apply(arena, &group);
        }
        // Its flush never ended, so nothing in it was acknowledged. Its place is where the log goes on.
        self.report.dropped_group = true;
        self.sealed = false;
        self.sequence = group.header.sequence;
        self.ring.head = group.start;
        Ok(())
    }

    fn step_over(&mut self, group: &Found) {
        self.ring.advance(group.start, group.header.blocks());
        self.sequence += 1;
        self.sealed = group.header.body_bytes == 0;
    }

    /// The next group in sequence: at the head, or at block 0 when it did not fit before the end.
    fn find(&mut self, wal: &mut dyn Device) -> Result<Option<Found>, OpenError> {
        let at_head = self.read_group(wal, self.ring.head)?;
        if at_head.is_some() || self.ring.head == 0 { Ok(at_head) } else { self.read_group(wal, 0) }
    }

    fn read_group(&mut self, wal: &mut dyn Device, start: u64) -> Result<Option<Found>, OpenError> {
        let offset = start * BLOCK_BYTES as u64;
        let mut first = Buffer::zeroed(BLOCK_BYTES);
        read(wal, Role::Wal, offset, &mut first)?;
        let header = GroupHeader::decode(&first, self.fragment).filter(|header| header.sequence == self.sequence);
        let Some(header) = header.filter(|header| start + header.blocks() <= self.ring.blocks) else {
            return Ok(None);
        };
        let mut blocks = Buffer::zeroed(header.blocks() as usize * BLOCK_BYTES);
        read(wal, Role::Wal, offset, &mut blocks)?;
        match decode_body(&header, &blocks) {
            Ok(Some(_)) => Ok(Some(Found { header, start, blocks })),
            Ok(None) => {
                self.report.dropped_group = true;
                Ok(None)
            }
            Err(reason) => Err(damaged(Role::Wal, offset, reason)),
        }
    }

    /// A group after the missing one proves that the missing one was complete once: damage, not a torn end.
    fn refuse_a_gap(&self, wal: &mut dyn Device) -> Result<(), OpenError> {
        let mut buffer = Buffer::zeroed(TRANSFER_BYTES);
        let end = self.ring.blocks * BLOCK_BYTES as u64;
        let mut offset = 0;
        while offset < end {
            let length = (end - offset).min(TRANSFER_BYTES as u64) as usize;
            if length < buffer.len() {
                buffer = Buffer::zeroed(length);
            }
            read(wal, Role::Wal, offset, &mut buffer)?;
            for (n, block) in buffer.chunks_exact(BLOCK_BYTES).enumerate() {
                let later = GroupHeader::decode(block, self.fragment).filter(|header| header.sequence > self.sequence);
                if let Some(later) = later {
                    let at = offset + (n * BLOCK_BYTES) as u64;
                    let reason = format!(
                        "group {} is missing, but group {} follows at byte {at}",
                        self.sequence, later.sequence
                    );
                    return Err(damaged(Role::Wal, self.ring.head * BLOCK_BYTES as u64, reason));
                }
            }
            offset += length as u64;
        }
        Ok(())
    }

    /// True when the data that the last group made visible is on the device. For earlier groups the next one proves it.
    fn data_is_there(&self, data: &mut dyn Device, group: &Found) -> Result<bool, OpenError> {
        let body = self.body(group)?;
        for WrittenExtent { offset, length, crc } in body.extents {
            let whole = length.next_multiple_of(BLOCK_BYTES as u64);
            if offset % BLOCK_BYTES as u64 != 0 || offset.checked_add(whole).is_none_or(|end| end > data.length()) {
                let reason = format!("it refers to {length} bytes at {offset} of the data slice, which ends before");
                return Err(damaged(Role::Wal, group.start * BLOCK_BYTES as u64, reason));
            }
            let mut buffer = Buffer::zeroed(length as usize);
            read(data, Role::Data, offset, &mut buffer)?;
            if crc32c(&buffer[..length as usize]) != crc {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn body<'a>(&self, group: &'a Found) -> Result<crate::log::Body<'a>, OpenError> {
        match decode_body(&group.header, &group.blocks) {
            Ok(Some(body)) => Ok(body),
            _ => Err(damaged(Role::Wal, group.start * BLOCK_BYTES as u64, "a group changed while it was read")),
        }
    }

    fn apply(&mut self, arena: &mut Arena, group: &Found) -> Result<(), OpenError> {
        for (offset, bytes) in self.body(group)?.redo {
            if !arena.restore(offset, bytes, true) {
                let reason = format!("a redo record of {} bytes at {offset} lies outside of the arena", bytes.len());
                return Err(damaged(Role::Wal, group.start * BLOCK_BYTES as u64, reason));
            }
        }
        self.report.groups += 1;
        self.report.replayed_bytes += group.header.blocks() * BLOCK_BYTES as u64;
        self.report.last_epoch = self.report.last_epoch.max(group.header.last_epoch);
        Ok(())
    }

    /// Ends the log with a group of our own, unless it ends with a seal already or is empty.
    fn close(&mut self, wal: &mut dyn Device, records: u32, redo: &[u8]) -> Result<(), OpenError> {
        let empty = self.report.groups == 0 && !self.report.dropped_group;
        if records == 0 && (empty || self.sealed) {
            return Ok(());
        }
        let group = encode(self.fragment, self.sequence, self.report.last_epoch, records, redo, &[]);
        let blocks = (group.len() / BLOCK_BYTES) as u64;
        let Some(start) = self.ring.place(blocks) else {
            let reason = String::from("there is no room to close the log");
            return Err(damaged(Role::Wal, self.ring.head * BLOCK_BYTES as u64, reason));
        };
        let offset = start * BLOCK_BYTES as u64;
        write(wal, Role::Wal, offset, &group)?;
        wal.flush().map_err(|source| OpenError::Io { slice: Slice(Role::Wal), offset, source })?;
        self.ring.advance(start, blocks);
        self.sequence += 1;
        Ok(())
    }
}
