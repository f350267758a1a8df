//! Snapshots of containers: epochs whose view is kept whole by reclaim.
//!
//! In the catalog under {4, container record u64 BE, epoch u64 BE}, without a value. The record's place names the container: it stays
//! where it is until the container is gone, its snapshots before it.

use types::{Epoch, Status};

use crate::arena::Arena;
use crate::catalog::{CATALOG, Container, SNAPSHOT};
use crate::extents::be;
use crate::tree::Cursor;

/// Snapshots of one container: each may cost reclaim one more look at a superseded extent.
pub const SNAPSHOTS_MOST: usize = 4096;

const KEY_BYTES: usize = 17;

fn key(container: Container, epoch: Epoch) -> [u8; KEY_BYTES] {
    let mut key = [SNAPSHOT; KEY_BYTES];
    key[1..9].copy_from_slice(&container.0.to_be_bytes());
    key[9..].copy_from_slice(&epoch.0.to_be_bytes());
    key
}

/// Adds a snapshot; false when it is there.
pub(crate) fn add(arena: &mut Arena, container: Container, epoch: Epoch) -> Result<bool, Status> {
    if has(arena, container, epoch) {
        return Ok(false);
    }
    if list(arena, container).len() >= SNAPSHOTS_MOST {
        return Err(Status::TooBig);
    }
    CATALOG.put(arena, &key(container, epoch), &[])?;
    Ok(true)
}

/// Takes a snapshot away; false when it is not there.
pub(crate) fn remove(arena: &mut Arena, container: Container, epoch: Epoch) -> bool {
    CATALOG.remove(arena, &key(container, epoch))
}

/// True when the container has a snapshot of exactly this epoch.
pub(crate) fn has(arena: &Arena, container: Container, epoch: Epoch) -> bool {
    CATALOG.get(arena, &key(container, epoch)).is_some()
}

/// The snapshots of a container, oldest first.
pub(crate) fn list(arena: &Arena, container: Container) -> Vec<Epoch> {
    let first = key(container, Epoch::ZERO);
    let mut found = Vec::new();
    let mut cursor = Cursor::seek(CATALOG, arena, &first);
    while let Some(key) = cursor.key(arena)
        && key.starts_with(&first[..9])
    {
        found.push(Epoch(be(&key[9..])));
        cursor.next(arena);
    }
    found
}

/// True when one of `snapshots` (ascending) lies in `from..to`: something of epoch `from` that `to` supersedes is seen by it.
pub(crate) fn any_between(snapshots: &[Epoch], from: Epoch, to: Epoch) -> bool {
    snapshots.get(snapshots.partition_point(|epoch| *epoch < from)).is_some_and(|epoch| *epoch < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_was_written_at_it_and_not_what_came_after() {
        let snapshots = [Epoch(5), Epoch(9)];
        let between = |from, to| any_between(&snapshots, Epoch(from), Epoch(to));
        assert!(between(5, 6) && between(1, 6) && between(6, 10));
        assert!(!between(1, 5) && !between(6, 9) && !between(10, 20));
    }
}
