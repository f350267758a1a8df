//! What happens while other things are under way: lists between changes, and losses of power in the midst of them.

use bytes::Bytes;
use daos_store::{Command, Reply};
use rand::Rng;
use types::{Condition, Epoch, Level, Operation, Outcome, Scope, Selection, Shape, Status};

use crate::target::{PLACE, data};
use crate::volatile::Caches;
use crate::{Event, Model, Names, Run, Value};

impl Run {
    /// Lists name by name while changes go on: as of an epoch they are not seen, as of now every name that was there all the
    /// time is listed once, and none that never was.
    pub(crate) fn list_while_changing(&mut self) {
        let (object, dkey, _) = self.names();
        let level =
            [Level::Objects, Level::Dkeys(object), Level::Akeys(object, dkey)][self.random.random_range(0..3)].clone();
        let as_of = self.target.now;
        let then = self.model.names(&level, as_of);
        let (mut always, mut ever) = (then.clone(), then.clone());
        let (mut of_then, mut of_now) = (Some(Vec::new()), Some(Vec::new()));
        while of_then.is_some() || of_now.is_some() {
            for (names, epoch, expected) in [(&mut of_then, as_of, Some(&then)), (&mut of_now, Epoch::MAX, None)] {
                let Some(listed) = names else { continue };
                let after = listed.last().map(|name: &Bytes| name.to_vec()).unwrap_or_default();
                match self.target.operate(Operation::List { level: level.clone(), after, limit: 1, epoch }) {
                    Ok(Outcome::Listed { names: more, .. }) if !more.is_empty() => listed.extend(more),
                    Ok(Outcome::Listed { more, .. }) => {
                        assert!(!more && listed.is_sorted() && listed.windows(2).all(|two| two[0] != two[1]));
                        match expected {
                            Some(expected) => assert_eq!(listed, expected, "{level:?} at {epoch}"),
                            None => {
                                assert!(always.iter().all(|name| listed.contains(name)), "{level:?}: one is missing");
                                assert!(
                                    listed.iter().all(|name| ever.contains(name)),
                                    "{level:?}: one was never there"
                                );
                            }
                        }
                        *names = None;
                    }
                    other => panic!("{other:?}"),
                }
            }
            if self.random.random_bool(0.6) {
                self.update();
            } else {
                self.punch();
            }
            let now = self.model.names(&level, Epoch::MAX);
            always.retain(|name| now.contains(name));
            ever.extend(now);
        }
    }

    /// Submits some changes, lets the devices do a part of their work, and loses power. What is found is the history
    /// up to one of the changes, not before the last one acknowledged.
    pub(crate) fn lose_power(&mut self) {
        let (devices, caches) = Caches::over(&self.target.mems);
        self.target.driven.devices = devices;
        let (mut models, mut epochs) = (vec![self.model.clone()], Vec::new());
        let mut acknowledged = 0;
        // What is prepared is committed in between, or not.
        let commits_at = self.random.random_range(1..12);
        for n in 1..=self.random.random_range(1..8) {
            let mut model = models[n - 1].clone();
            self.target.now = Epoch(self.target.now.0 + 1000);
            let command = match self.past.prepared.as_ref().filter(|_| n == commits_at) {
                Some(prepared) => {
                    prepared.commit(&mut model);
                    Command::Commit(prepared.id)
                }
                None => {
                    let names = self.free_names(n >= commits_at);
                    let (operation, event) = self.change(&model, &names);
                    model.push(&names, self.target.now, event);
                    Command::Operate { place: PLACE, operation }
                }
            };
            models.push(model);
            epochs.push(self.target.now);
            self.target.driven.submit(command, self.target.now);
            for _ in 0..self.random.random_range(0..4) {
                self.target.driven.step();
            }
            while let Some((_, reply)) = self.target.driven.store.take_reply() {
                let changed = Reply::Operated(Ok(Outcome::Changed(epochs[acknowledged])));
                assert!(reply == changed || reply == Reply::Done(Ok(())), "{reply:?}");
                acknowledged += 1;
            }
        }
        caches.lose(&self.target.mems, &mut self.random);
        self.past.counts.losses_of_power += 1;
        self.target.reopen();
        self.target.check();
        // Also as of each of the changes: a removal of what was just made leaves no trace in what is there now.
        let all: Vec<Names> = models[models.len() - 1].history.keys().cloned().collect();
        let survived =
            (acknowledged..models.len()).find(|n| epochs.iter().all(|epoch| self.holds(&models[*n], &all, *epoch)));
        let survived = survived.expect("it holds what it held after some change");
        if survived >= commits_at && self.past.prepared.is_some() {
            self.past.prepared = None;
            self.past.counts.commits += 1;
        }
        assert_eq!(self.target.run(Command::PreparedList), self.past.listed());
        self.epochs.extend_from_slice(&epochs[..survived]);
        self.model = models.swap_remove(survived);
    }

    /// Names that no transaction holds, or any when it was committed.
    fn free_names(&mut self, committed: bool) -> Names {
        loop {
            let names = self.names();
            if committed || !self.past.holds(|held| *held == names) {
                return names;
            }
        }
    }

    /// A change that nothing refuses, and what it does to the model.
    pub(crate) fn change(&mut self, model: &Model, names: &Names) -> (Operation, Event) {
        let address = Run::address(names);
        let condition = Condition::Always;
        if self.random.random_bool(0.2) {
            return (Operation::Punch { scope: Scope::Akey(address), condition }, Event::Punched);
        }
        let held = model.value(names, Epoch::MAX);
        let length = self.length();
        let data = data(length, self.random.random());
        let checksums = erasure::checksums(self.target.kind, &data);
        let offset = self.random.random_range(0..5000);
        let is_single = held.single.is_some() || !held.holds() && self.random.random_bool(0.3);
        let event = if is_single { Event::Single(data.clone()) } else { Event::Written(offset, data.clone()) };
        let shape = if is_single { Shape::Single } else { Shape::array(offset) };
        (Operation::Update { address, shape, condition, checksums, data }, event)
    }

    /// True when the target holds under each of these names what the model holds as of an epoch.
    fn holds(&mut self, model: &Model, names: &[Names], epoch: Epoch) -> bool {
        names.iter().all(|names| {
            let mut expected = model.value(names, epoch);
            let selection = match expected.single {
                Some(_) => Selection::Single,
                None => Selection::Array { offset: 0, length: 100_000 },
            };
            let operation = Operation::Fetch { address: Run::address(names), selection, epoch };
            let mut found = Value::default();
            match self.target.operate(operation) {
                Ok(Outcome::Fetched(segments)) if expected.single.is_some() => {
                    found.single = Some(segments[0].data.clone());
                }
                Ok(Outcome::Fetched(segments)) => {
                    segments.into_iter().for_each(|segment| found.write(segment.offset, &segment.data));
                }
                Err(Status::Nonexistent) => {}
                Err(Status::Invalid) => return false,
                other => panic!("{other:?}"),
            }
            found.bytes.resize(expected.bytes.len().max(found.bytes.len()), None);
            expected.bytes.resize(found.bytes.len(), None);
            found == expected
        })
    }
}
