//! Why a target cannot be formatted or opened: which slice, which byte, what is wrong there.

use std::fmt;
use std::io;

use media::Role;

/// A slice by its role, for error texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice(pub Role);

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Role::Wal => "wal",
            Role::Meta => "meta",
            Role::Data => "data",
        })
    }
}

/// Why a target was not formatted.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A size that cannot work.
    #[error(
        "{what} of {bytes} bytes is too small: at least {least} bytes are needed\nhint: give the tier a larger size"
    )]
    TooSmall {
        /// The arena or a slice.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The least that works.
        least: u64,
    },
    /// A size beyond what the format can address.
    #[error("{what} of {bytes} bytes is too large: at most {most} bytes can be addressed\nhint: use more targets")]
    TooLarge {
        /// The arena or a slice.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The most that works.
        most: u64,
    },
    /// The device failed.
    #[error("cannot write the {slice} slice at byte {offset}")]
    Io {
        /// Which slice.
        slice: Slice,
        /// Where in it.
        offset: u64,
        /// What the device said.
        #[source]
        source: io::Error,
    },
}

/// Why a target was not opened. Nothing was changed on the devices.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither superblock is valid.
    #[error(
        "no valid superblock in the meta slice: at byte 0 {first}, at byte 4096 {second}\nhint: format the storage, or restore this device"
    )]
    NoSuperblock {
        /// What is wrong with the first.
        first: String,
        /// What is wrong with the second.
        second: String,
    },
    /// A structure is whole, and of a version that this program does not know.
    #[error(
        "the {structure} at byte {offset} of the {place} has version {found}, this program knows version {known}\nhint: start the release that wrote it and copy the data elsewhere, or format with `dmg storage format --force`, which loses what is there"
    )]
    Version {
        /// Superblock, page map chunk, log group or header.
        structure: &'static str,
        /// The slice, or the arena.
        place: &'static str,
        /// Where in it.
        offset: u64,
        /// Its version.
        found: u32,
        /// The one that can be read.
        known: u32,
    },
    /// The slice belongs to something else.
    #[error(
        "the superblock at byte {offset} of the meta slice is for {found}, not for {expected}\nhint: attach the devices this engine was formatted with"
    )]
    WrongIdentity {
        /// Of the superblock.
        offset: u64,
        /// Whose it is.
        found: String,
        /// Who asked.
        expected: String,
    },
    /// A size differs from the one the target was formatted with.
    #[error(
        "the {what} has {found} bytes but was formatted with {expected}\nhint: restore the former size, or format anew"
    )]
    WrongSize {
        /// The arena or a slice.
        what: &'static str,
        /// As given.
        found: u64,
        /// As recorded.
        expected: u64,
    },
    /// A memory limit that cannot work.
    #[error(
        "a memory limit of {bytes} bytes is too small: at least {least} bytes are needed\nhint: raise `scm_mem_ratio`"
    )]
    LittleMemory {
        /// The limit.
        bytes: u64,
        /// The least that works.
        least: u64,
    },
    /// What is stored is not what was written.
    #[error(
        "the {slice} slice is damaged at byte {offset}: {reason}\nhint: this target's data cannot be trusted; replace the device and format it anew"
    )]
    Damaged {
        /// Which slice.
        slice: Slice,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The rebuilt arena contradicts itself.
    #[error(
        "the arena is inconsistent at byte {offset}: {reason}\nhint: this is a defect of the store; keep the devices for analysis"
    )]
    Arena {
        /// Where in the arena.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The device failed.
    #[error("cannot access the {slice} slice at byte {offset}")]
    Io {
        /// Which slice.
        slice: Slice,
        /// Where in it.
        offset: u64,
        /// What the device said.
        #[source]
        source: io::Error,
    },
}
