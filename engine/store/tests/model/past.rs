//! What reaches into the past or holds it: snapshots, merging, discarding, prepared transactions.

use std::collections::BTreeSet;

use daos_store::{Command, Reply};
use rand::Rng;
use types::{Epoch, Operation, Outcome, Scope, Status, TransactionId};
use uuid::Uuid;

use crate::target::PLACE;
use crate::{Event, Model, Names, OBJECTS, Run};

/// What is kept of the past, and what is to enter it.
#[derive(Default)]
pub(crate) struct Past {
    pub(crate) snapshots: BTreeSet<Epoch>,
    pub(crate) prepared: Option<Prepared>,
    pub(crate) counts: Counts,
}

/// How often each was done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) snapshots: u64,
    pub(crate) aggregations: u64,
    pub(crate) discards: u64,
    pub(crate) commits: u64,
    pub(crate) losses_of_power: u64,
}

/// A prepared transaction.
pub(crate) struct Prepared {
    pub(crate) id: TransactionId,
    epoch: Epoch,
    changes: Vec<(Names, Event)>,
}

impl Prepared {
    /// Enters its changes.
    pub(crate) fn commit(&self, model: &mut Model) {
        for (names, event) in &self.changes {
            model.insert(names, self.epoch, event.clone());
        }
    }
}

impl Past {
    /// True when a transaction is about to change something that `covers`.
    pub(crate) fn holds(&self, covers: impl Fn(&Names) -> bool) -> bool {
        self.prepared.iter().flat_map(|prepared| &prepared.changes).any(|(names, _)| covers(names))
    }

    /// What the target must list.
    pub(crate) fn listed(&self) -> Reply {
        Reply::PreparedTransactions(self.prepared.iter().map(|one| (one.id, PLACE, one.epoch)).collect())
    }
}

/// True when a punch of `scope` reaches what is under `names`.
pub(crate) fn covers(scope: &Scope, names: &Names) -> bool {
    match scope {
        Scope::Object(object) => *object == names.0,
        Scope::Dkey(object, dkey) => (object, dkey) == (&names.0, &names.1),
        Scope::Akey(address) | Scope::Range { address, .. } => {
            (address.object, &address.dkey, &address.akey) == (names.0, &names.1, &names.2)
        }
    }
}

impl Run {
    fn done(&mut self, command: Command) {
        assert_eq!(self.target.run(command), Reply::Done(Ok(())));
    }

    /// An epoch of a change, of those that can be read.
    fn known_epoch(&mut self) -> Option<Epoch> {
        let from = self.history_from;
        let known: Vec<Epoch> = self.epochs.iter().copied().filter(|epoch| *epoch >= from).collect();
        (!known.is_empty()).then(|| known[self.random.random_range(0..known.len())])
    }

    pub(crate) fn snapshot(&mut self) {
        let epoch = self.known_epoch().unwrap_or(self.target.now);
        let add = Command::SnapshotAdd { place: PLACE, epoch };
        let is_new = !self.past.snapshots.contains(&epoch);
        if is_new && self.past.prepared.as_ref().is_some_and(|prepared| prepared.epoch <= epoch) {
            assert_eq!(self.target.run(add), Reply::Done(Err(Status::Busy)), "its commit would change the snapshot");
            return;
        }
        self.done(add);
        self.past.snapshots.insert(epoch);
        self.past.counts.snapshots += 1;
        if self.past.snapshots.len() > 3 {
            let oldest = self.past.snapshots.pop_first().expect("there are some");
            self.done(Command::SnapshotRemove { place: PLACE, epoch: oldest });
        }
        let left = self.past.snapshots.iter().copied().collect();
        assert_eq!(self.target.run(Command::SnapshotList(PLACE)), Reply::Snapshots(Ok(left)));
    }

    pub(crate) fn aggregate(&mut self) {
        let to = self.known_epoch().filter(|_| self.random.random_bool(0.5)).unwrap_or(self.target.now);
        self.done(Command::Aggregate(to));
        self.history_from = self.history_from.max(to);
        self.past.counts.aggregations += 1;
        self.target.check();
    }

    /// Takes back everything from some epoch on, in one object or all.
    pub(crate) fn discard(&mut self) {
        let Some(from) = self.known_epoch().filter(|from| *from > self.history_from) else { return };
        let object = [None, Some(OBJECTS[0]), Some(OBJECTS[1])][self.random.random_range(0..3)];
        let discard = Command::Discard { place: PLACE, object, from, to: self.target.now };
        let holds = |prepared: &Prepared| {
            object.is_none_or(|object| prepared.changes.iter().any(|(names, _)| names.0 == object))
        };
        if self.past.prepared.as_ref().is_some_and(holds) {
            assert_eq!(self.target.run(discard), Reply::Done(Err(Status::Busy)), "what is prepared relies on it");
            return;
        }
        self.done(discard);
        self.past.counts.discards += 1;
        for (names, events) in &mut self.model.history {
            if object.is_none_or(|object| names.0 == object) {
                events.retain(|(epoch, _)| *epoch < from);
            }
        }
        self.model.history.retain(|_, events| !events.is_empty());
        self.target.check();
    }

    pub(crate) fn prepare(&mut self) {
        if self.past.prepared.is_some() {
            return;
        }
        let (mut operations, mut changes) = (Vec::new(), Vec::<(Names, Event)>::new());
        while operations.len() < 3 {
            let names = self.names();
            let (operation, event) = self.change(&self.model.clone(), &names);
            let is_new = changes.iter().all(|(other, _)| *other != names);
            if is_new && matches!(operation, Operation::Update { .. }) {
                operations.push(operation);
                changes.push((names, event));
            }
        }
        let id = TransactionId(Uuid::from_u128(self.random.random()));
        match self.target.run(Command::Prepare { transaction: id, place: PLACE, operations }) {
            Reply::Prepared(Ok(epoch)) => self.past.prepared = Some(Prepared { id, epoch, changes }),
            other => panic!("{other:?}"),
        }
        assert_eq!(self.target.run(Command::PreparedList), self.past.listed());
    }

    pub(crate) fn resolve(&mut self) {
        let Some(prepared) = self.past.prepared.take() else { return };
        if self.random.random_bool(0.3) {
            self.done(Command::Abort(prepared.id));
            return;
        }
        self.done(Command::Commit(prepared.id));
        prepared.commit(&mut self.model);
        self.past.counts.commits += 1;
        self.epochs.push(prepared.epoch);
        assert_eq!(self.target.run(Command::Commit(prepared.id)), Reply::Done(Err(Status::Nonexistent)));
    }

    /// The stretches of an array, page by page: what the model has bytes for.
    pub(crate) fn extents(&mut self) {
        let (names, epoch) = (self.names(), self.as_of());
        let value = self.model.value(&names, epoch);
        if value.size() == 0 {
            return;
        }
        let (mut from, mut found) = (0, vec![false; value.bytes.len()]);
        loop {
            let operation = Operation::Extents { address: Run::address(&names), from, limit: 2, epoch };
            let Ok(Outcome::Extents { record_bytes: 1, stretches, more }) = self.target.operate(operation) else {
                panic!("{names:?} is an array of bytes at {epoch}");
            };
            for stretch in stretches {
                assert!(stretch.offset >= from && stretch.length > 0, "stretches ascend");
                from = stretch.offset + stretch.length;
                found[stretch.offset as usize..from as usize].fill(true);
            }
            if !more {
                break;
            }
        }
        let held: Vec<bool> = value.bytes.iter().map(Option::is_some).collect();
        assert!(found == held, "stretches of {names:?} at {epoch}");
    }
}
