//! Prepared transactions of a running target: which keys they hold, and their way into the index.
//!
//! What is prepared is in the arena (`crate::prepared`); here is what must be looked up for every change: the objects, dkeys and akeys
//! that a prepared transaction is about to change, which nobody else may change before it is resolved.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use types::{Condition, Epoch, ObjectId, Operation, Place, Scope, Status, TransactionId};

use super::Store;
use super::execute::{Stop, check_limits};
use crate::arena::{Arena, Need, TRANSACTION_REDO_LIMIT};
use crate::catalog::{self, Container};
use crate::command::{Reply, Token};
use crate::index::{self, Refusal, Staged, levels_of};
use crate::prepared;
use crate::probe::Probe;

/// What is prepared, and what it holds.
#[derive(Default)]
pub(super) struct Transactions {
    /// Container and epoch of each.
    open: BTreeMap<TransactionId, (Container, Epoch)>,
    /// Container record and prefix of what is about to change.
    held: BTreeMap<(u64, Vec<u8>), TransactionId>,
}

impl Transactions {
    /// What a target was left with. Those of destroyed containers are on their way out already.
    pub(super) fn load(arena: &Arena) -> Transactions {
        let alive: HashSet<u64> = catalog::pools(arena)
            .into_iter()
            .flat_map(|pool| catalog::containers(arena, pool))
            .map(|container| container.0)
            .collect();
        let mut transactions = Transactions::default();
        for (id, prepared) in prepared::all(arena).filter(|(_, prepared)| alive.contains(&prepared.container().0)) {
            let scopes = prepared.changes().map(|(key, _)| index::scope_of(key).to_vec()).collect();
            Probe::PreparedLeft.hit();
            transactions.add(id, prepared.container(), prepared.epoch(), scopes);
        }
        transactions
    }

    fn add(&mut self, id: TransactionId, container: Container, epoch: Epoch, scopes: Vec<Vec<u8>>) {
        self.open.insert(id, (container, epoch));
        for scope in scopes {
            self.held.insert((container.0, scope), id);
        }
    }

    fn remove(&mut self, id: TransactionId) {
        self.open.remove(&id);
        self.held.retain(|_, holder| *holder != id);
    }

    /// Forgets those of containers that are gone.
    pub(super) fn retain(&mut self, alive: impl Fn(Container) -> bool) {
        self.open.retain(|_, (container, _)| alive(*container));
        self.held.retain(|(container, _), _| alive(Container(*container)));
    }

    /// The latest epoch up to which history may be merged.
    pub(super) fn history_to(&self) -> Epoch {
        let oldest = self.open.values().map(|(_, epoch)| *epoch).min();
        oldest.map_or(Epoch::MAX, |epoch| Epoch(epoch.0.saturating_sub(1)))
    }

    /// True when something of the container, or only of this object of it, is about to change.
    pub(super) fn hold_in(&self, container: Container, object: Option<ObjectId>) -> bool {
        self.hold_below(container, object.map(ObjectId::to_bytes).as_ref().map_or(&[], |object| object))
    }

    /// True when an update that was staged so meets what is about to change: all of its dkey when it has a condition on that, otherwise what it
    /// changes.
    pub(super) fn hold_update(&self, container: Container, staged: &Staged, condition: Condition) -> bool {
        let scope = staged.scope();
        let relied_on = match condition {
            Condition::DkeyAbsent | Condition::DkeyPresent => levels_of(scope).nth(1).unwrap_or(scope.len()),
            Condition::Always | Condition::Absent | Condition::Present => scope.len(),
        };
        self.hold(container, &scope[..relied_on])
    }

    /// True when a punch meets what is about to change. Also one that finds nothing now: what is prepared would be found.
    pub(super) fn hold_punch(&self, container: Container, scope: &Scope) -> bool {
        !self.held.is_empty() && self.hold(container, index::prefix_of(scope).as_bytes())
    }

    /// True when a transaction of the container, not resolved, has this epoch or an earlier one.
    pub(super) fn any_before(&self, container: Container, epoch: Epoch) -> bool {
        self.open.values().any(|(of, at)| *of == container && *at <= epoch)
    }

    /// True when something at, above or below `scope` is about to change.
    fn hold(&self, container: Container, scope: &[u8]) -> bool {
        if self.held.is_empty() {
            return false;
        }
        let above = levels_of(scope).any(|end| self.held.contains_key(&(container.0, scope[..end].to_vec())));
        above || self.hold_below(container, scope)
    }

    fn hold_below(&self, container: Container, scope: &[u8]) -> bool {
        let mut below = self.held.range((container.0, scope.to_vec())..);
        below.next().is_some_and(|((record, held), _)| *record == container.0 && held.starts_with(scope))
    }
}

/// A change of a transaction, staged, with what is to be written to the data slice.
struct Change {
    staged: Staged,
    /// The record size that it, or one before it of the same array, fixes.
    fixes: Option<[u8; 5]>,
    data: Bytes,
}

impl Store {
    pub(super) fn prepare(
        &mut self,
        token: Token,
        transaction: TransactionId,
        place: Place,
        operations: &[Operation],
    ) -> Result<(), Stop> {
        let last = self.log.last_epoch();
        let container = self.container(place).ok_or((Status::NoHandle, last))?;
        if let Some(there) = self.transactions.open.get(&transaction) {
            let answer = if there.0 == container { Ok(there.1) } else { Err(Status::Exists) };
            self.reply_after(last, token, Reply::Prepared(answer));
            return Ok(());
        }
        if prepared::find(&self.arena, transaction).is_some() {
            // Of a container that is being taken down; the name is free when that is done.
            return Err(Status::Busy.into());
        }
        // What it found and relies on would go.
        if self.reclaim.discards_of(place) {
            return Err(Status::Busy.into());
        }
        for operation in operations {
            check_limits(operation)?;
            if let Operation::Update { checksums, data, .. } = operation {
                self.check_value(container, checksums, data)?;
            }
        }
        let epoch = self.clock.tick(self.now);
        self.arena.begin(Need::Usual);
        let changes = match self.stage_all(container, transaction, epoch, operations) {
            Ok(changes) => changes,
            Err((status, seen)) => {
                self.arena.rollback();
                return Err(match status {
                    Status::NoSpace => self.no_room(true),
                    _ => Stop::Refused(status, seen),
                });
            }
        };
        self.commit(epoch);
        let scopes = changes.iter().map(|change| change.staged.scope().to_vec()).collect();
        self.transactions.add(transaction, container, epoch, scopes);
        for Change { staged, data, .. } in changes {
            if let Some(extent) = staged.extent {
                self.write_data(extent, &data);
            }
        }
        self.stats.prepared += 1;
        self.reply_after(epoch, token, Reply::Prepared(Ok(epoch)));
        Ok(())
    }

    /// Stages every operation and puts them aside, within the open transaction of the arena.
    fn stage_all(
        &mut self,
        container: Container,
        transaction: TransactionId,
        epoch: Epoch,
        operations: &[Operation],
    ) -> Result<Vec<Change>, Refusal> {
        let refused = |status| (status, Epoch::ZERO);
        let mut changes: Vec<Change> = Vec::with_capacity(operations.len());
        for operation in operations {
            let Some(mut change) = self.stage(container, epoch, operation)? else { continue };
            if changes.iter().any(|other| meet(&other.staged, &change.staged)) {
                return Err(refused(Status::Invalid));
            }
            // The first write to an array fixes its record size for those beside it too.
            if let Some(same) = changes.iter().find(|other| other.staged.scope() == change.staged.scope()) {
                let size = |staged: &Staged| staged.record_size.as_ref().map(|(_, size)| *size);
                if change.staged.extends() && same.staged.extends() && size(&change.staged) != same.fixes {
                    return Err(refused(Status::Invalid));
                }
                change.fixes = size(&change.staged);
                change.staged.record_size = None;
            } else {
                change.fixes = change.staged.record_size.as_ref().map(|(_, size)| *size);
            }
            changes.push(change);
            if self.arena.redo_bytes() > TRANSACTION_REDO_LIMIT {
                return Err(refused(Status::TooBig));
            }
        }
        let staged: Vec<&Staged> = changes.iter().map(|change| &change.staged).collect();
        prepared::prepare(&mut self.arena, container, transaction, epoch, &staged).map_err(refused)?;
        let to_resolve = prepared::find(&self.arena, transaction).map_or(0, |prepared| prepared.redo_bytes());
        let is_too_big =
            to_resolve > self.log.transaction_bytes_most() || self.arena.redo_bytes() > TRANSACTION_REDO_LIMIT;
        if is_too_big { Err(refused(Status::TooBig)) } else { Ok(changes) }
    }

    fn stage(&mut self, container: Container, epoch: Epoch, operation: &Operation) -> Result<Option<Change>, Refusal> {
        let busy = (Status::Busy, Epoch::ZERO);
        match operation {
            Operation::Update { address, shape, condition, checksums, data } => {
                let how = (*shape, *condition);
                let staged = index::stage_update(&mut self.arena, container, epoch, address, how, (checksums, data))?;
                if self.transactions.hold_update(container, &staged, *condition) {
                    return Err(busy);
                }
                Ok(Some(Change { staged, fixes: None, data: data.clone() }))
            }
            Operation::Punch { scope, condition } => {
                let staged = index::stage_punch(&self.arena, container, epoch, scope, *condition)?;
                if self.transactions.hold_punch(container, scope) {
                    return Err(busy);
                }
                Ok(staged.map(|staged| Change { staged, fixes: None, data: Bytes::new() }))
            }
            _ => Err((Status::Invalid, Epoch::ZERO)),
        }
    }

    /// Commits or aborts.
    pub(super) fn resolve(&mut self, token: Token, transaction: TransactionId, keep: bool) -> Result<(), Stop> {
        let last = self.log.last_epoch();
        let Some(&(container, at)) = self.transactions.open.get(&transaction) else {
            let answer = if keep { Err(Status::Nonexistent) } else { Ok(()) };
            self.reply_after(last, token, Reply::Done(answer));
            return Ok(());
        };
        let redo = prepared::find(&self.arena, transaction).map_or(0, |prepared| prepared.redo_bytes());
        if !self.log.admits_bytes(redo) {
            return Err(Stop::Later);
        }
        self.arena.begin(Need::Sure);
        let resolved = match keep {
            true => prepared::commit(&mut self.arena, transaction),
            false => prepared::abort(&mut self.arena, transaction).map(|_| ()),
        };
        if let Err(status) = resolved {
            self.arena.rollback();
            return Err(match status {
                Status::NoSpace => self.no_room(false),
                _ => Stop::Refused(status, last),
            });
        }
        let epoch = self.clock.tick(self.now);
        self.commit_large(epoch, redo);
        self.transactions.remove(transaction);
        // Its changes are older than this, so their epoch does not say that they are not durable yet.
        self.barrier = epoch;
        if keep {
            self.reclaim.changed(container, epoch.max(at));
            self.stats.committed += 1;
        }
        self.reply_after(epoch, token, Reply::Done(Ok(())));
        Ok(())
    }

    /// Name, container and epoch of all that is prepared.
    pub(super) fn prepared_transactions(&self) -> Vec<(TransactionId, Place, Epoch)> {
        let of = |(id, (container, epoch)): (&TransactionId, &(Container, Epoch))| {
            let pool = container.pool(&self.arena).id(&self.arena);
            (*id, Place { pool, container: container.id(&self.arena) }, *epoch)
        };
        self.transactions.open.iter().map(of).collect()
    }
}

/// True when two changes of one transaction, which share their epoch, would both decide about the same bytes.
fn meet(one: &Staged, other: &Staged) -> bool {
    if one.scope() != other.scope() {
        return one.scope().starts_with(other.scope()) || other.scope().starts_with(one.scope());
    }
    match (one.range(), other.range()) {
        (Some(one), Some(other)) => one.0 < other.1 && other.0 < one.1,
        _ => true,
    }
}
