//! What a device can do, and the commands a running target gives.

use std::io;

use crate::Buffer;

/// What a slice of a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Write-ahead log.
    Wal,
    /// Checkpointed arena pages and superblocks.
    Meta,
    /// Bulk values.
    Data,
}

impl Role {
    /// All roles, in the order in which they are laid out.
    pub const ALL: [Role; 3] = [Role::Wal, Role::Meta, Role::Data];
}

/// One role's slice of a device, as seen by one target: byte 0 is the first byte of the slice.
///
/// Offsets and buffer lengths are multiples of [`crate::BLOCK_BYTES`]. A write is durable only after a later `flush`
/// returns. After a failed flush nothing is known about earlier writes: the owner must stop using the device, and no other
/// slice of it can be flushed any more.
pub trait Device: Send {
    /// Bytes in the slice.
    fn length(&self) -> u64;
    /// Fills `buffer` from `offset`.
    fn read(&mut self, offset: u64, buffer: &mut Buffer) -> io::Result<()>;
    /// Writes `buffer` at `offset`.
    fn write(&mut self, offset: u64, buffer: &Buffer) -> io::Result<()>;
    /// Makes all completed writes durable.
    fn flush(&mut self) -> io::Result<()>;
}

/// A command of a running target to one of its slices.
#[derive(Debug)]
pub struct Io {
    /// Chosen by the target, echoed in [`Done`].
    pub id: u64,
    /// Which slice.
    pub role: Role,
    /// What to do.
    pub kind: IoKind,
}

/// The three things a device does.
#[derive(Debug)]
pub enum IoKind {
    /// Fill the buffer from `offset`.
    Read {
        /// In the slice.
        offset: u64,
        /// Given back filled in [`Done`].
        buffer: Buffer,
    },
    /// Write the buffer at `offset`.
    Write {
        /// In the slice.
        offset: u64,
        /// Given back in [`Done`] for reuse.
        buffer: Buffer,
    },
    /// Make all writes that completed before this command was given durable.
    Flush,
}

/// The completion of an [`Io`]. Commands complete in any order.
#[derive(Debug)]
pub struct Done {
    /// The id of the command.
    pub id: u64,
    /// The buffer of a read or write, `None` for a flush; or the error.
    pub result: io::Result<Option<Buffer>>,
}

/// Executes a command at once on a blocking device.
pub fn execute(device: &mut dyn Device, io: Io) -> Done {
    let result = match io.kind {
        IoKind::Read { offset, mut buffer } => device.read(offset, &mut buffer).map(|()| Some(buffer)),
        IoKind::Write { offset, buffer } => device.write(offset, &buffer).map(|()| Some(buffer)),
        IoKind::Flush => device.flush().map(|()| None),
    };
    Done { id: io.id, result }
}
