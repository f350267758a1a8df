//! What a device does wrong, and when.

use std::collections::BTreeMap;

use crate::IoKind;

/// A kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Flushes.
    Flush,
}

impl On {
    pub(super) fn of(kind: &IoKind) -> On {
        match kind {
            IoKind::Read { .. } => On::Read,
            IoKind::Write { .. } => On::Write,
            IoKind::Flush => On::Flush,
        }
    }
}

/// What happens to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It fails with this error number and does nothing.
    Fail(i32),
    /// A write succeeds and does nothing.
    Lose,
    /// A write succeeds, at another place; what is there is overwritten. A read brings what lies there.
    Misdirect {
        /// The place, wrapped to fit the device.
        offset: u64,
    },
    /// A read succeeds with one bit inverted; the medium is not changed.
    Flip {
        /// Which bit, wrapped to fit the buffer.
        bit: u64,
    },
    /// It is done late: only after [`super::Queue::release`]. Blocking calls have nobody to release them and go on.
    Stall,
}

/// Which commands are harmed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Of which device.
    pub device: usize,
    /// Of which kind.
    pub on: On,
    /// Commands of that kind that go well before.
    pub skip: u64,
    /// How many are harmed then.
    pub count: u64,
    /// How.
    pub harm: Harm,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    pub(super) harmed: u64,
    executed: BTreeMap<(usize, On), u64>,
}

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Commands of this kind that were executed, harmed ones included.
    pub(super) fn executed(&self, device: usize, on: On) -> u64 {
        self.executed.get(&(device, on)).copied().unwrap_or(0)
    }

    /// A command is executed: what it meets.
    pub(super) fn execute(&mut self, device: usize, on: On) -> Option<Harm> {
        *self.executed.entry((device, on)).or_default() += 1;
        self.meet(device, on, |harm| harm != Harm::Stall)
    }

    /// What the next command of this kind meets. Every rule counts it; the first that is due harms it.
    pub(super) fn meet(&mut self, device: usize, on: On, is_meant: impl Fn(Harm) -> bool) -> Option<Harm> {
        let mut met = None;
        for rule in self.rules.iter_mut().filter(|rule| rule.device == device && rule.on == on && is_meant(rule.harm)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.count > 0 && met.is_none() {
                rule.count -= 1;
                met = Some(rule.harm);
            }
        }
        self.harmed += u64::from(met.is_some());
        met
    }
}
