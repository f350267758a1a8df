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

/// The memory tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScmConf {
    /// `scm_mount`.
    pub mount: String,
    /// Bytes of arena over all targets.
    pub bytes: u64,
    /// True when `mount` is a tmpfs of this engine; otherwise the arena is anonymous memory.
    pub mounted: bool,
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
