//! Taking down what was destroyed, leaf by leaf.

use types::Status;

use super::super::Store;
use crate::arena::{Arena, Need, TRANSACTION_REDO_LIMIT};
use crate::catalog::{self, Container, Grave};
use crate::extents::{self, Extent};
use crate::index::Record;
use crate::probe::Probe;
use crate::{prepared, snapshots};

/// Leaves of destroyed containers freed in one slice, as far as the transaction's limit allows.
const LEAVES_PER_SLICE: usize = 16;
/// The most redo one leaf can make: its cells' memory and extents go back one by one.
const LEAF_REDO: u64 = 40 << 10;

impl Store {
    /// A slice of what was destroyed.
    pub(super) fn empty_graves(&mut self) {
        if !self.admits() {
            return;
        }
        self.arena.begin(Need::Sure);
        for _ in 0..LEAVES_PER_SLICE {
            if self.arena.redo_bytes() + LEAF_REDO > TRANSACTION_REDO_LIMIT {
                break;
            }
            let Some((serial, grave)) = catalog::first_grave(&self.arena) else {
                Probe::GravesEmptied.hit();
                self.reclaim.graves = false;
                break;
            };
            if free_some(&mut self.arena, serial, grave).is_err() {
                // Not even the reserve had room for the bookkeeping; what was done in this slice is undone.
                self.arena.rollback();
                self.reclaim.graves_stuck = true;
                return;
            }
        }
        self.reclaim.graves_stuck = false;
        if self.arena.redo_bytes() > 0 {
            let epoch = self.clock.tick(self.now);
            self.commit(epoch);
        }
        if !self.reclaim.graves {
            for (token, command) in self.reclaim.parked.drain(..).rev() {
                self.queue.push_front((token, command));
            }
        }
    }
}

/// Frees a prepared transaction, the snapshots, or one leaf of what is in a grave, or the grave itself when it is empty.
fn free_some(arena: &mut Arena, serial: u64, grave: Grave) -> Result<(), Status> {
    let container = match grave {
        Grave::Container(container) => Some(container),
        Grave::Pool(pool) => catalog::next_container(arena, pool, None),
    };
    if let Some(container) = container
        && (abort_one(arena, container)? || forget_snapshots(arena, container) || drop_leaf(arena, container)?)
    {
        return Ok(());
    }
    match (grave, container) {
        (Grave::Pool(pool), Some(container)) => catalog::remove_container_of(arena, pool, container),
        _ => catalog::remove_grave(arena, serial, grave),
    }
    Ok(())
}

fn abort_one(arena: &mut Arena, container: Container) -> Result<bool, Status> {
    let of_this = prepared::all(arena).find(|(_, prepared)| prepared.container() == container);
    match of_this.map(|(transaction, _)| transaction) {
        Some(transaction) => prepared::abort(arena, transaction),
        None => Ok(false),
    }
}

/// Removes some snapshots of a container; false when it has none.
fn forget_snapshots(arena: &mut Arena, container: Container) -> bool {
    /// Each changes a page of the catalog.
    const AT_ONCE: usize = 8;
    let snapshots = snapshots::list(arena, container);
    for epoch in snapshots.iter().take(AT_ONCE) {
        snapshots::remove(arena, container, *epoch);
    }
    !snapshots.is_empty()
}

fn drop_leaf(arena: &mut Arena, container: Container) -> Result<bool, Status> {
    let mut freed: Vec<Extent> = Vec::new();
    let before = arena.charge();
    let dropped = container.tree().drop_first_leaf(arena, |_, value| {
        if !value.is_empty() {
            freed.extend(Record::decode(value).extent());
        }
    });
    let grown = arena.charge() - before;
    let mut blocks = 0;
    for extent in freed {
        blocks += extent.blocks;
        extents::retire(arena, extent)?;
    }
    container.book(arena, grown, -((blocks * media::BLOCK_BYTES as u64) as i64), Need::Sure)?;
    Ok(dropped)
}
