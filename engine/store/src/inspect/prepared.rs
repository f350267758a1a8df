//! Prepared transactions, read without trust: changes in the catalog that wait for their commit.

use types::Epoch;
use uuid::Uuid;

use super::finding::Place;
use super::tree::Leaf;
use crate::catalog::PREPARED;

/// Bytes before the changes.
const HEAD_BYTES: usize = 28;

/// A change: key and record as they will be in the index, and the byte of the arena where the record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: Vec<u8>,
    pub(super) record: Vec<u8>,
    pub(super) record_at: u64,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) place: Place,
    pub(super) id: Uuid,
    /// Its container's record.
    pub(super) container: u64,
    pub(super) epoch: Epoch,
    /// Arena bytes that the container's book has for it.
    pub(super) booked: u64,
    pub(super) changes: Vec<Change>,
}

/// Reads a cell of the catalog; `None` when it is no prepared transaction, an error when it is none as it should be.
pub(super) fn parse(leaf: &Leaf<'_>) -> Option<Result<Prepared, String>> {
    let id = leaf.key.strip_prefix(&[PREPARED])?;
    let id = Uuid::from_slice(id).map_err(|_| String::from("its key is not a UUID"));
    Some(id.and_then(|id| parse_value(leaf, id)))
}

fn parse_value(leaf: &Leaf<'_>, id: Uuid) -> Result<Prepared, String> {
    let (head, mut rest) = leaf.value.split_at_checked(HEAD_BYTES).ok_or("it is cut short")?;
    let u64_at = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let count = u32::from_le_bytes(head[24..].try_into().expect("four bytes"));
    let mut changes = Vec::new();
    for number in 0..count {
        let cut = || format!("change {number} of {count} is cut short");
        let (lengths, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = |at: usize| u32::from_le_bytes(lengths[at..at + 4].try_into().expect("four bytes")) as usize;
        let (key, after) = after.split_at_checked(length(0)).ok_or_else(cut)?;
        let (record, after) = after.split_at_checked(length(4)).ok_or_else(cut)?;
        let record_at = leaf.value_at + (leaf.value.len() - after.len() - record.len()) as u64;
        changes.push(Change { key: key.to_vec(), record: record.to_vec(), record_at });
        rest = after;
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes follow its changes", rest.len()));
    }
    let (container, epoch, booked) = (u64_at(0), Epoch(u64_at(8)), u64_at(16));
    Ok(Prepared { place: leaf.place, id, container, epoch, booked, changes })
}
