//! Formatting a target.

use media::{BLOCK_BYTES, Buffer, Device, Role};
use types::Epoch;

use super::TRANSFER_BYTES;
use crate::arena::header;
use crate::checkpoint::{Layout, meta_bytes_least};
use crate::error::{FormatError, Slice};
use crate::log::MIN_WAL_BYTES;
use crate::settings::{Devices, Identity};
use crate::superblock::Superblock;

/// Makes the slices a new, empty target. Whatever they held is lost.
///
/// The whole log is overwritten with zeros, so no group of a former life can ever be read again; so is the page map.
/// Page slots and data need not be: nothing refers to them.
pub fn format(devices: &mut Devices, identity: Identity, arena_bytes: u64) -> Result<(), FormatError> {
    let geometry = devices.geometry(arena_bytes);
    let least = [
        ("the arena", arena_bytes, header::MIN_ARENA_BYTES, header::MAX_ARENA_BYTES),
        ("the wal slice", geometry.wal_bytes, MIN_WAL_BYTES, u64::MAX),
        ("the meta slice", geometry.meta_bytes, meta_bytes_least(arena_bytes), u64::MAX),
    ];
    for (what, bytes, least, most) in least {
        if bytes < least {
            return Err(FormatError::TooSmall { what, bytes, least });
        }
        if bytes > most {
            return Err(FormatError::TooLarge { what, bytes, most });
        }
    }
    let layout = Layout::new(arena_bytes, geometry.meta_bytes).ok_or(FormatError::TooSmall {
        what: "the meta slice",
        bytes: geometry.meta_bytes,
        least: meta_bytes_least(arena_bytes),
    })?;
    zero(&mut *devices.meta, Role::Meta, 0, layout.slot_offset(0))?;
    zero(&mut *devices.wal, Role::Wal, 0, geometry.wal_bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64)?;
    let failed = |role, offset| move |source| FormatError::Io { slice: Slice(role), offset, source };
    devices.wal.flush().map_err(failed(Role::Wal, 0))?;
    devices.meta.flush().map_err(failed(Role::Meta, 0))?;
    let superblock = Superblock {
        identity,
        generation: 1,
        geometry,
        tail_block: 0,
        tail_sequence: 1,
        last_epoch: Epoch::ZERO,
        map_digest: 0,
    };
    for offset in [0, BLOCK_BYTES as u64] {
        devices.meta.write(offset, &superblock.encode()).map_err(failed(Role::Meta, offset))?;
    }
    devices.meta.flush().map_err(failed(Role::Meta, 0))
}

fn zero(device: &mut dyn Device, role: Role, from: u64, to: u64) -> Result<(), FormatError> {
    let mut buffer = Buffer::zeroed(TRANSFER_BYTES);
    let mut offset = from;
    while offset < to {
        let length = (to - offset).min(TRANSFER_BYTES as u64) as usize;
        if length < buffer.len() {
            buffer = Buffer::zeroed(length);
        }
        let written = device.write(offset, &buffer);
        written.map_err(|source| FormatError::Io { slice: Slice(role), offset, source })?;
        offset += length as u64;
    }
    Ok(())
}
