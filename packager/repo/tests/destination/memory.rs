//! A place in memory: everything put is remembered, every step can be the last one, and readers look in between.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use packager_repo::destination::place::{Held, Place, PlaceError, Source};

/// When a step that is the last one takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Before,
    After,
}

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) files: RefCell<Files>,
    /// The state after each step that changed something.
    pub(crate) states: RefCell<Vec<Files>>,
    /// Steps taken.
    pub(crate) steps: Cell<usize>,
    /// The step that is the last one.
    pub(crate) last: Cell<Option<(usize, Stop)>>,
    /// Whether files that change at one moment do so one after the other, as in a bucket.
    pub(crate) apart: Cell<bool>,
    /// Whether the lock was taken away meanwhile.
    pub(crate) lost: Cell<bool>,
}

impl Memory {
    /// A place with the same files.
    pub(crate) fn with(files: Files) -> Memory {
        let memory = Memory::default();
        memory.states.borrow_mut().push(files.clone());
        memory.files.replace(files);
        memory
    }

    pub(crate) fn stopping(files: Files, at: usize, stop: Stop) -> Memory {
        let memory = Memory::with(files);
        memory.last.set(Some((at, stop)));
        memory
    }

    fn step(&self, change: impl FnOnce(&mut Files)) -> Result<(), PlaceError> {
        let step = self.steps.get();
        self.steps.set(step + 1);
        let stop = self.last.get().filter(|(last, _)| step >= *last).map(|(_, stop)| stop);
        let gone = || PlaceError::Lost { place: "memory".to_owned() };
        if stop == Some(Stop::Before) || self.last.get().is_some_and(|(last, _)| step > last) {
            return Err(gone());
        }
        change(&mut self.files.borrow_mut());
        self.states.borrow_mut().push(self.files.borrow().clone());
        stop.map_or(Ok(()), |_| Err(gone()))
    }
}

impl Place for Memory {
    fn address(&self) -> &str {
        "memory"
    }

    fn lock(&self, _: Duration) -> Result<Box<dyn Held + '_>, PlaceError> {
        Ok(Box::new(Lock(self)))
    }

    fn list(&self) -> Result<BTreeMap<String, u64>, PlaceError> {
        Ok(self.files.borrow().iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, PlaceError> {
        let found = self.files.borrow().get(name).cloned();
        if found.as_ref().is_some_and(|bytes| bytes.len() as u64 > most) {
            return Err(PlaceError::Large { place: "memory".to_owned(), name: name.to_owned(), most });
        }
        Ok(found)
    }

    fn put_all(&self, files: &[Source], put: &mut dyn FnMut(&Source)) -> Result<(), PlaceError> {
        // From the last one: no order among them counts.
        for file in files.iter().rev() {
            let gone = |source| PlaceError::Io { path: file.path.clone(), source };
            let bytes = std::fs::read(&file.path).map_err(gone)?;
            self.step(|files| drop(files.insert(file.name.clone(), bytes)))?;
            put(file);
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), PlaceError> {
        self.step(|files| drop(files.insert(name.to_owned(), bytes.to_vec())))
    }

    fn switch(&self, files: &[(&str, Option<&[u8]>)]) -> Result<(), PlaceError> {
        let at_once = if self.apart.get() { 1 } else { files.len() };
        files.chunks(at_once).try_for_each(|files| {
            self.step(|there| {
                for (name, bytes) in files {
                    match bytes {
                        Some(bytes) => drop(there.insert((*name).to_owned(), bytes.to_vec())),
                        None => drop(there.remove(*name)),
                    }
                }
            })
        })
    }

    fn remove(&self, names: &[String]) -> Result<(), PlaceError> {
        names.iter().try_for_each(|name| self.step(|files| drop(files.remove(name))))
    }

    fn settle(&self) -> Result<(), PlaceError> {
        Ok(())
    }
}

struct Lock<'m>(&'m Memory);

impl Held for Lock<'_> {
    fn check(&self) -> Result<(), PlaceError> {
        if self.0.lost.get() { Err(PlaceError::Lost { place: "memory".to_owned() }) } else { Ok(()) }
    }
}
