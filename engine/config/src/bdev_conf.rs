//! `daos_nvme.conf`: what `daos_server` tells `daos_engine` about its storage.
//!
//! Written as JSON under `<control_metadata>/daos_control/engine<N>/`, read by `daos_engine -n`. Sizes are settled
//! here: nothing is left to be computed from the machine by the engine.

use serde::{Deserialize, Serialize};

use crate::settings::ScmClass;

/// Version of this file's form.
pub const BDEV_CONF_VERSION: u32 = 1;

/// The storage of one engine instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BdevConf {
    /// [`BDEV_CONF_VERSION`].
    pub version: u32,
    /// System name.
    pub system: String,
    /// UUID of the engine instance, made at format.
    pub engine_uuid: uuid::Uuid,
    /// Number of targets.
    pub targets: u32,
    /// Where the arena lives.
    pub scm: ScmConf,
    /// Block-device tiers, in file order.
    pub tiers: Vec<BdevTier>,
}

/// The one field that every version of the file has, to be read before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct BdevConfVersion {
    /// Which version the file has.
    pub version: u32,
}

/// The memory tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScmConf {
    /// `scm_mount`.
    pub mount: String,
    /// Bytes of memory for the arenas of all targets.
    pub bytes: u64,
    /// These bytes in percent of the arenas: 100 keeps all of an arena in memory.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub mem_ratio: u8,
    /// True when `mount` is a tmpfs of this engine; otherwise the arena is anonymous memory.
    pub mounted: bool,
}

impl ScmConf {
    /// Bytes that the arenas of all targets may have, in memory or not.
    pub fn arena_bytes(&self) -> u64 {
        u64::try_from(u128::from(self.bytes) * 100 / u128::from(self.mem_ratio.clamp(1, 100))).unwrap_or(u64::MAX)
    }
}

fn whole() -> u8 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_whole(ratio: &u8) -> bool {
    *ratio == whole()
}

/// One block-device tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BdevTier {
    /// `file` or `kdev`; or, of the one file on persistent memory, the class of its memory tier, `dcpm`.
    pub class: String,
    /// Devices; targets are dealt to them in turn.
    pub devices: Vec<BdevDevice>,
    /// Any of `wal`, `meta`, `data`; each role is in exactly one tier.
    pub roles: Vec<String>,
}

impl BdevTier {
    /// True for the file on persistent memory.
    pub fn is_persistent(&self) -> bool {
        self.class == ScmClass::Dcpm.as_str()
    }
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BdevDevice {
    /// Path.
    pub path: String,
    /// Bytes to use.
    pub bytes: u64,
}
