//! Prepared transactions: changes that are durable but seen by nobody until they are committed.
//!
//! The changes of a transaction wait in the catalog in the form in which they will enter the index, under {5, transaction UUID}:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | container record |
//! | 8 | 8 | epoch of its changes |
//! | 16 | 8 | arena bytes booked for them |
//! | 24 | 4 | changes |
//! | 28 | | changes: key length u32, record length u32, key, record |
//!
//! Values from 4096 bytes up are in the data slice already. A commit moves the changes to the index, an abort frees what they hold;
//! either is one transaction of the arena.

use types::{Epoch, Status, TransactionId};

use crate::arena::{Arena, Need};
use crate::catalog::{CATALOG, Container, PREPARED};
use crate::extents::{self, Extent, le};
use crate::index::{self, Record, Staged};
use crate::tree::Cursor;

const CONTAINER_AT: usize = 0;
const EPOCH_AT: usize = CONTAINER_AT + 8;
const BOOKED_AT: usize = EPOCH_AT + 8;
const COUNT_AT: usize = BOOKED_AT + 8;
const CHANGES_AT: usize = COUNT_AT + 4;
/// What a record takes in a tree page beside its bytes: cell header and slot.
const CELL_BYTES: usize = 6;

fn key(transaction: TransactionId) -> [u8; 17] {
    let mut key = [PREPARED; 17];
    key[1..].copy_from_slice(transaction.0.as_bytes());
    key
}

/// A prepared transaction as it lies in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prepared<'a> {
    bytes: &'a [u8],
}

impl<'a> Prepared<'a> {
    pub(crate) fn container(&self) -> Container {
        Container(le(&self.bytes[CONTAINER_AT..EPOCH_AT]))
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(le(&self.bytes[EPOCH_AT..BOOKED_AT]))
    }

    /// Arena bytes that the container's book has for it.
    pub(crate) fn booked(&self) -> u64 {
        le(&self.bytes[BOOKED_AT..COUNT_AT])
    }

    /// Index keys and records.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let count = u32_at(self.bytes, COUNT_AT);
        let mut rest = &self.bytes[CHANGES_AT..];
        (0..count).map(move |_| {
            let (key_length, length) = (u32_at(rest, 0) as usize, u32_at(rest, 4) as usize);
            let (key, after) = rest[8..].split_at(key_length);
            let (record, after) = after.split_at(length);
            rest = after;
            (key, record)
        })
    }

    /// What it holds of the data slice.
    pub(crate) fn extents(&self) -> impl Iterator<Item = Extent> + use<'a> {
        self.changes()
            .filter(|(_, record)| !record.is_empty())
            .filter_map(|(_, record)| Record::decode(record).extent())
    }

    /// An upper bound of what entering the index may add to the log: a split leaf for each record, and some levels above.
    pub(crate) fn redo_bytes(&self) -> u64 {
        // A page that was just split has room, so no more than one path is split to the root, and otherwise one leaf for each record: its new
        // half, the shifted slots of its parent, and its own header.
        const PATH: u64 = 64 << 10;
        const LEAF: u64 = 6 << 10;
        PATH + self.changes().count() as u64 * LEAF + 2 * self.bytes.len() as u64
    }
}

/// All of them, with their ids.
pub(crate) fn all(arena: &Arena) -> impl Iterator<Item = (TransactionId, Prepared<'_>)> {
    let mut cursor = Cursor::seek(CATALOG, arena, &[PREPARED]);
    std::iter::from_fn(move || {
        let key = cursor.key(arena).filter(|key| key[0] == PREPARED)?;
        let id = TransactionId(uuid::Uuid::from_slice(&key[1..]).expect("sixteen bytes"));
        let found = Prepared { bytes: cursor.value(arena).expect("it has a key") };
        cursor.next(arena);
        Some((id, found))
    })
}

/// One of them.
pub(crate) fn find(arena: &Arena, transaction: TransactionId) -> Option<Prepared<'_>> {
    CATALOG.get(arena, &key(transaction)).map(|bytes| Prepared { bytes })
}

/// Puts staged changes aside and books them.
pub(crate) fn prepare(
    arena: &mut Arena,
    container: Container,
    transaction: TransactionId,
    epoch: Epoch,
    changes: &[&Staged],
) -> Result<(), Status> {
    let mut value = vec![0; CHANGES_AT];
    let (mut count, mut booked, mut blocks) = (0u32, 0, 0);
    let mut push = |key: &[u8], record: &[u8]| {
        count += 1;
        booked += key.len() + record.len() + CELL_BYTES;
        value.extend_from_slice(&(key.len() as u32).to_le_bytes());
        value.extend_from_slice(&(record.len() as u32).to_le_bytes());
        value.extend_from_slice(key);
        value.extend_from_slice(record);
    };
    for change in changes {
        if let Some((key, record)) = &change.record_size {
            push(key.as_bytes(), record);
        }
        push(change.key.as_bytes(), &change.record);
        blocks += change.extent.map_or(0, |extent| extents::blocks_for(extent.length as usize));
    }
    value[CONTAINER_AT..EPOCH_AT].copy_from_slice(&container.0.to_le_bytes());
    value[EPOCH_AT..BOOKED_AT].copy_from_slice(&epoch.0.to_le_bytes());
    value[BOOKED_AT..COUNT_AT].copy_from_slice(&(booked as u64).to_le_bytes());
    value[COUNT_AT..CHANGES_AT].copy_from_slice(&count.to_le_bytes());
    CATALOG.put(arena, &key(transaction), &value)?;
    container.book(
        arena,
        booked as i64,
        (blocks * media::BLOCK_BYTES as u64) as i64,
        if changes.iter().all(|one| one.need == Need::Removal) { Need::Removal } else { Need::Usual },
    )
}

/// Moves the changes of a transaction to the index. They may take the reserve: what was promised must be kept.
pub(crate) fn commit(arena: &mut Arena, transaction: TransactionId) -> Result<(), Status> {
    let Some((container, booked, changes)) = take(arena, transaction) else { return Err(Status::Nonexistent) };
    let before = arena.charge();
    for (key, record) in &changes {
        index::put(arena, container, key, record)?;
    }
    let grown = arena.charge() - before;
    container.book(arena, grown - booked as i64, 0, Need::Sure)
}

/// Frees what the changes of a transaction hold; false when there is no such transaction.
pub(crate) fn abort(arena: &mut Arena, transaction: TransactionId) -> Result<bool, Status> {
    let Some((container, booked, changes)) = take(arena, transaction) else { return Ok(false) };
    let mut blocks = 0;
    for (_, record) in changes.iter().filter(|(_, record)| !record.is_empty()) {
        if let Some(extent) = Record::decode(record).extent() {
            blocks += extent.blocks;
            extents::retire(arena, extent)?;
        }
    }
    container.book(arena, -(booked as i64), -((blocks * media::BLOCK_BYTES as u64) as i64), Need::Sure)?;
    Ok(true)
}

type Taken = (Container, u64, Vec<(Vec<u8>, Vec<u8>)>);

/// Takes a transaction out of the catalog: container, booked bytes, changes.
fn take(arena: &mut Arena, transaction: TransactionId) -> Option<Taken> {
    let found = find(arena, transaction)?;
    let changes = found.changes().map(|(key, record)| (key.to_vec(), record.to_vec())).collect();
    let taken = (found.container(), found.booked(), changes);
    CATALOG.remove(arena, &key(transaction));
    Some(taken)
}
