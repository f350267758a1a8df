//! A target with its devices on one thread, blocking: for tests, benchmarks and tools.
//!
//! Executes every device command at once, in the order given. The running engine does this with a ring instead.

use media::{Device, Io, Role, execute};
use types::Epoch;

use crate::command::{Command, Reply, Token};
use crate::error::OpenError;
use crate::health::{Health, Recovery};
use crate::settings::{Devices, Identity, Residence, Settings};
use crate::store::{Store, open};

/// A store and the devices that it runs on.
pub struct Driven {
    /// The store.
    pub store: Store,
    /// Its devices.
    pub devices: Devices,
    next: u64,
}

impl Driven {
    /// Opens a target.
    pub fn open(
        mut devices: Devices,
        identity: Identity,
        memory: impl Into<Residence>,
        settings: Settings,
    ) -> Result<(Driven, Recovery), OpenError> {
        let (store, recovery) = open(&mut devices, identity, memory, settings)?;
        Ok((Driven { store, devices, next: 0 }, recovery))
    }

    /// Runs one command to its reply. The reply is [`Reply::Done`] with an error only if the command has no other form
    /// of refusal.
    pub fn run(&mut self, command: Command, now: Epoch) -> Reply {
        let token = self.submit(command, now);
        loop {
            let worked = self.step();
            while let Some((answered, reply)) = self.store.take_reply() {
                if answered == token {
                    return reply;
                }
            }
            if !worked {
                // Only what is done on a tick can be missing now.
                self.store.tick(now);
                assert!(self.store.has_work(), "a command is answered or has work left");
            }
        }
    }

    /// Hands a command in without waiting for it.
    pub fn submit(&mut self, command: Command, now: Epoch) -> Token {
        let token = Token(self.next);
        self.next += 1;
        self.store.submit(token, command, now);
        token
    }

    /// Executes one device command; false when there is none.
    pub fn step(&mut self) -> bool {
        let Some(io) = self.store.take_io() else { return false };
        let device = self.device(&io);
        let done = execute(device, io);
        self.store.complete(done);
        true
    }

    /// The device of a command.
    pub fn device(&mut self, io: &Io) -> &mut dyn Device {
        match io.role {
            Role::Wal => &mut *self.devices.wal,
            Role::Meta => &mut *self.devices.meta,
            Role::Data => &mut *self.devices.data,
        }
    }

    /// Executes device commands until there are none, then lets `now` pass; true while more work is left.
    pub fn settle(&mut self, now: Epoch) -> bool {
        while self.step() {}
        self.store.tick(now);
        while self.step() {}
        self.store.has_work() && self.store.health() == Health::Healthy
    }
}
