//! What fetches read of the data slice, and in which order.
//!
//! A stretch of an extent is read with all the checksum chunks that it touches. Small changes cut a large extent into many stretches: those
//! within the same chunks share one read. While many bytes are under way the reads of all fetches wait, one of each in turn, so that
//! a few commands take neither all memory nor all of the device.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use media::Buffer;
use types::{ChecksumKind, Place, Status};

use crate::command::Token;
use crate::index::{DataPart, IndexKey, Piece, Source};

/// Bytes of device reads of fetches under way at once: two of the largest values.
const LOADING_BYTES_MOST: usize = 64 << 20;

/// Fetches that read, and whatever else must keep freed extents from being used again.
#[derive(Default)]
pub(super) struct Reads {
    next: u64,
    pub(super) active: HashMap<u64, Read>,
    /// Numbers of active reads, to find the oldest.
    order: BTreeSet<u64>,
    /// Fetches with device reads that were not emitted: each in its turn, so that a large one does not keep the others.
    waiting: VecDeque<u64>,
    loading_bytes: usize,
}

/// A fetch that reads.
pub(super) struct Read {
    pub(super) token: Token,
    pub(super) place: Place,
    /// The prefix of the akey in the index.
    akey: IndexKey,
    /// The kind of checksums that the segments get.
    pub(super) kind: ChecksumKind,
    pub(super) pieces: Vec<Piece>,
    /// The bytes of each piece, once there.
    pub(super) parts: Vec<Option<Bytes>>,
    loads: Vec<Load>,
    /// The first that was not emitted.
    next_load: usize,
    /// Loads that are not done.
    missing: usize,
    pub(super) failure: Option<Status>,
}

/// One device read: the whole part of its first piece.
struct Load {
    first: usize,
    /// Pieces within the same part.
    others: Vec<usize>,
}

/// A buffer that a reply shares without copying.
struct Owned(Buffer);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Reads {
    /// Numbers a read: what is freed from now on may be reused only after [`Reads::end`].
    pub(super) fn begin(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.order.insert(number);
        number
    }

    /// Numbers a fetch that will read.
    pub(super) fn add(&mut self, read: Read) -> u64 {
        let number = self.begin();
        self.active.insert(number, read);
        number
    }

    pub(super) fn end(&mut self, number: u64) {
        self.order.remove(&number);
    }

    /// The number that the next read will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// True while a read is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.order.is_empty()
    }

    /// The oldest read under way, or the next one.
    pub(super) fn oldest(&self) -> u64 {
        self.order.first().copied().unwrap_or(self.next)
    }

    /// Queues all device reads of a fetch.
    pub(super) fn ask(&mut self, number: u64) {
        let Some(read) = self.active.get_mut(&number) else { return };
        read.loads = loads(&read.pieces);
        read.missing = read.loads.len();
        self.waiting.push_back(number);
    }

    /// The next device read to be emitted: whose it is, where, and how long. `None` while enough is under way.
    pub(super) fn next_load(&mut self) -> Option<(u64, usize, u64, usize)> {
        let &number = self.waiting.front()?;
        let read = self.active.get_mut(&number).expect("a fetch stays until all its loads are done");
        let load = read.next_load;
        let part = read.part_of(load);
        let (offset, length) = (part.offset, part.length);
        if self.loading_bytes > 0 && self.loading_bytes + length > LOADING_BYTES_MOST {
            return None;
        }
        read.next_load += 1;
        let has_more = read.next_load < read.loads.len();
        self.waiting.pop_front();
        self.waiting.extend(has_more.then_some(number));
        self.loading_bytes += length;
        Some((number, load, offset, length))
    }

    /// A load of `length` bytes is over; true when it was the last of its fetch.
    pub(super) fn load_done(&mut self, number: u64, length: usize) -> bool {
        self.loading_bytes -= length;
        let Some(read) = self.active.get_mut(&number) else { return false };
        read.missing -= 1;
        read.missing == 0
    }
}

impl Read {
    pub(super) fn new(token: Token, place: Place, akey: IndexKey, kind: ChecksumKind, pieces: Vec<Piece>) -> Read {
        let parts = pieces
            .iter()
            .map(|piece| match &piece.source {
                Source::Inline(bytes, _) => Some(bytes.clone()),
                Source::Data(_) => None,
            })
            .collect();
        Read { token, place, akey, kind, pieces, parts, loads: Vec::new(), next_load: 0, missing: 0, failure: None }
    }

    /// What a load reads.
    pub(super) fn part_of(&self, load: usize) -> &DataPart {
        part_of(&self.pieces[self.loads[load].first])
    }

    /// The index key of the record that a load reads of.
    pub(super) fn record_of(&self, load: usize) -> Vec<u8> {
        self.pieces[self.loads[load].first].record.key(self.akey.clone()).as_bytes().to_vec()
    }

    /// Gives the pieces of a load their bytes.
    pub(super) fn loaded(&mut self, load: usize, buffer: Buffer) {
        let start = self.part_of(load).offset;
        let Load { first, others } = &self.loads[load];
        let bytes = Bytes::from_owner(Owned(buffer));
        for &index in std::iter::once(first).chain(others) {
            let (piece, part) = (&self.pieces[index], part_of(&self.pieces[index]));
            let from = (part.offset - start) as usize + part.skip;
            let wanted = bytes.slice(from..from + piece.length as usize);
            // A few bytes do not hold on to all that was read for them.
            let small = wanted.len() < bytes.len() / 2;
            self.parts[index] = Some(if small { Bytes::copy_from_slice(&wanted) } else { wanted });
        }
    }
}

fn part_of(piece: &Piece) -> &DataPart {
    match &piece.source {
        Source::Data(part) => part,
        Source::Inline(..) => unreachable!("only pieces of the data slice are loaded"),
    }
}

/// The device reads that these pieces need; they come in ascending order.
fn loads(pieces: &[Piece]) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    // The load that begins at a byte of the data slice. Records do not share blocks, so one that covers a part is of the same record.
    let mut starts = BTreeMap::new();
    for (index, piece) in pieces.iter().enumerate() {
        let Source::Data(part) = &piece.source else { continue };
        let before = starts.range(..=part.offset).next_back().map(|(_, &load): (&u64, &usize)| load);
        if let Some(load) = before {
            let covering = part_of(&pieces[loads[load].first]);
            if part.offset + part.length as u64 <= covering.offset + covering.length as u64 {
                loads[load].others.push(index);
                continue;
            }
        }
        if pieces.len() > 1 {
            starts.insert(part.offset, loads.len());
        }
        loads.push(Load { first: index, others: Vec::new() });
    }
    loads
}
