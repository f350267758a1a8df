//! Commands in flight: executed in any order, late, or not at all.

use super::{Fault, On};
use crate::{Done, Io, IoKind, Role};

/// What a running target gave its devices and has no answer to yet. Device numbers are the roles in the order of
/// [`Role::ALL`]. A flush covers what was complete when it was given, not what completes before it is executed.
pub struct Queue {
    fault: Fault,
    given: Vec<(Io, usize)>,
    stalled: Vec<(Io, usize)>,
}

impl Queue {
    /// An empty one for the devices of `fault`.
    pub fn new(fault: &Fault) -> Queue {
        Queue { fault: fault.clone(), given: Vec::new(), stalled: Vec::new() }
    }

    /// Takes a command.
    pub fn give(&mut self, io: Io) {
        self.given.push((io, self.fault.events()));
    }

    /// Commands that can be executed.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// True when none can be executed.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Commands that a rule holds back.
    pub fn stalled(&self) -> usize {
        self.stalled.len()
    }

    /// Lets the commands that were held back be executed.
    pub fn release(&mut self) {
        self.given.append(&mut self.stalled);
    }

    /// Executes command `number` of those given; `None` when it stalls.
    pub fn execute(&mut self, number: usize) -> Option<Done> {
        let (io, given) = self.given.swap_remove(number);
        let device = Role::ALL.iter().position(|role| *role == io.role).expect("all roles are there");
        if self.fault.stalls(device, On::of(&io.kind)) {
            self.stalled.push((io, given));
            return None;
        }
        let device = self.fault.device(device);
        let result = match io.kind {
            IoKind::Read { offset, mut buffer } => device.read_at(offset, &mut buffer).map(|()| Some(buffer)),
            IoKind::Write { offset, buffer } => device.write_at(offset, &buffer).map(|()| Some(buffer)),
            IoKind::Flush => device.flush_given(given).map(|()| None),
        };
        Some(Done { id: io.id, result })
    }
}
