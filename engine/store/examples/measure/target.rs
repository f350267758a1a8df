//! A target on a file, cut into the three roles as the engine cuts a device that has them all.

use std::io;
use std::path::Path;
use std::sync::Arc;

use daos_store::{Devices, Geometry, Identity, Recovery, Settings, Store, format, meta_bytes_needed, open};
use media::{Buffer, Device, FileSlice, Memory, OpenDevice, Role};
use types::TargetIndex;
use uuid::Uuid;

const MIB: u64 = 1 << 20;
const IDENTITY: Identity = Identity { engine: Uuid::from_u128(7), target: TargetIndex(0) };

/// Where values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// To the data slice.
    Stored,
    /// Nowhere: a value is read back as blocks of this byte. For more values than the machine has room for.
    Alike(u8),
}

/// A device file and how it is cut.
pub(crate) struct Place {
    pub(crate) wal: FileSlice,
    pub(crate) meta: FileSlice,
    pub(crate) data: FileSlice,
    pub(crate) geometry: Geometry,
    pub(crate) values: Values,
}

impl Place {
    /// Cuts `file`. With [`Values::Alike`] the data slice is as long as `data_bytes`, whatever the file's length.
    pub(crate) fn cut(file: &Path, arena_bytes: u64, values: Values, data_bytes: u64) -> Result<Place, String> {
        let device = Arc::new(OpenDevice::open(file).map_err(|error| error.to_string())?);
        let meta_bytes = meta_bytes_needed(arena_bytes).next_multiple_of(MIB);
        let wal_bytes = (device.length() / 16).clamp(64 * MIB, 1024 * MIB) / MIB * MIB;
        let rest =
            device.length().checked_sub(wal_bytes + meta_bytes).filter(|rest| *rest >= 2 * MIB).ok_or_else(|| {
                format!(
                    "`{}` has {} bytes, too few for a log and an arena of {arena_bytes}",
                    file.display(),
                    device.length()
                )
            })?;
        let data_slice = rest / MIB * MIB;
        let data_bytes = if values == Values::Stored { data_slice } else { data_bytes };
        Ok(Place {
            wal: device.slice(0, wal_bytes),
            meta: device.slice(wal_bytes, meta_bytes),
            data: device.slice(wal_bytes + meta_bytes, data_slice),
            geometry: Geometry { arena_bytes, wal_bytes, meta_bytes, data_bytes },
            values,
        })
    }

    /// Formats the target.
    pub(crate) fn format(&self) -> Result<(), String> {
        format(&mut self.devices(), IDENTITY, self.geometry.arena_bytes).map_err(|error| error.to_string())
    }

    /// Opens it, as after a crash or a stop.
    pub(crate) fn open(&self) -> Result<(Store, Recovery), String> {
        let memory = Memory::anonymous(self.geometry.arena_bytes as usize)
            .map_err(|error| format!("no memory for an arena of {} bytes: {error}", self.geometry.arena_bytes))?;
        // With values that go nowhere there is nothing else to flush either.
        let settings = Settings { one_device: true, ..Settings::default() };
        open(&mut self.devices(), IDENTITY, Box::new(memory), settings).map_err(|error| error.to_string())
    }

    /// The slice of a role.
    pub(crate) fn slice(&self, role: Role) -> &FileSlice {
        match role {
            Role::Wal => &self.wal,
            Role::Meta => &self.meta,
            Role::Data => &self.data,
        }
    }

    fn devices(&self) -> Devices {
        let data: Box<dyn Device> = match self.values {
            Values::Stored => Box::new(self.data.clone()),
            Values::Alike(byte) => Box::new(Alike { byte, length: self.geometry.data_bytes }),
        };
        Devices { wal: Box::new(self.wal.clone()), meta: Box::new(self.meta.clone()), data }
    }
}

/// A device on which every byte is the same, whatever is written.
struct Alike {
    byte: u8,
    length: u64,
}

impl Device for Alike {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&mut self, _: u64, buffer: &mut Buffer) -> io::Result<()> {
        buffer.fill(self.byte);
        Ok(())
    }

    fn write(&mut self, _: u64, _: &Buffer) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
