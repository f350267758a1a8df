//! The devices of the storage configuration: planned, formatted, opened.

mod formatting;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{BdevConf, BdevConfVersion, BdevDevice, BdevTier};
use media::label::LABEL_VERSION;
use media::layout::{Layout, LayoutError, Space, Tier, plan};
use media::{DeviceError, FileSlice, Inspection, Memory, OpenDevice, PagedMemory, Role, inspect};
use store::{Devices, Identity, Paging, Residence, Settings};
use types::{Fault, FaultName, TargetIndex};
use xstream::{Opened, TargetSlices};

pub(crate) use formatting::format;

use crate::targets::MemoryShare;

/// How long a device may stay locked before it counts as another engine's. The kernel ends the requests of a killed
/// engine after the process is gone, and only then gives up its lock: usually within 0.1 s, later when a flush is under
/// way on a slow disk. Waiting for it also keeps those last writes from landing behind this engine's back.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// An arena gets this much memory whatever its ratio: less would make a checkpoint of every few changes.
const LEAST_LIMIT_BYTES: u64 = 4 << 20;

/// Why devices cannot be used, as a fault, and which of them.
pub(crate) type DeviceFault = (PathBuf, Box<Fault>);

/// Reads the configuration file.
pub(crate) fn read_conf(path: &Path) -> anyhow::Result<BdevConf> {
    let problem = |text: String| {
        anyhow::anyhow!("`{}`: {text}\nhint: daos_server writes this file; restart it, or format again", path.display())
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    // Before everything else: another version may have other fields.
    let BdevConfVersion { version } = serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
    if version != config::BDEV_CONF_VERSION {
        return Err(problem(format!(
            "it has version {version}, this program knows version {}",
            config::BDEV_CONF_VERSION
        )));
    }
    serde_json::from_str(&text).map_err(|error| problem(error.to_string()))
}

/// Cuts the devices of the configuration.
pub(crate) fn layout(conf: &BdevConf) -> Result<Layout, DeviceFault> {
    let first = first_path(conf);
    let mut tiers = Vec::new();
    for tier in &conf.tiers {
        let mut roles = Vec::new();
        for role in &tier.roles {
            roles.push(match role.as_str() {
                "wal" => Role::Wal,
                "meta" => Role::Meta,
                "data" => Role::Data,
                other => {
                    let fault = Fault::new(
                        FaultName::ServerConfigBadConfig,
                        format!("`{other}` is not a role"),
                        "use wal, meta and data",
                    );
                    return Err((first, Box::new(fault)));
                }
            });
        }
        let devices = tier.devices.iter().map(|device| Space { name: device.path.clone(), bytes: device.bytes });
        tiers.push(Tier { devices: devices.collect(), roles });
    }
    plan(conf.targets, conf.scm.arena_bytes(), &tiers, store::meta_bytes_needed).map_err(|error| {
        let resolution = match &error {
            LayoutError::TooSmall { name, .. } if is_on_persistent(conf, name) => {
                "use a larger namespace, remove other files from its file system, or give the engine fewer targets"
            }
            LayoutError::TooSmall { .. } => "give the tier a larger bdev_size, or the engine fewer targets",
            LayoutError::IdleDevice { .. } => "use at least as many targets as devices in each tier",
            LayoutError::Role(..) => "give each of the roles wal, meta and data to exactly one tier",
            LayoutError::TooMany(..) => "use fewer targets per device",
        };
        (first, Box::new(Fault::new(FaultName::BdevFormatFailure, error.to_string(), resolution)))
    })
}

/// All devices with their tiers, in order.
fn devices_of(conf: &BdevConf) -> impl Iterator<Item = (&BdevTier, &BdevDevice)> {
    conf.tiers.iter().flat_map(|tier| tier.devices.iter().map(move |device| (tier, device)))
}

fn is_on_persistent(conf: &BdevConf, path: &str) -> bool {
    devices_of(conf).any(|(tier, device)| tier.is_persistent() && device.path == path)
}

/// A device of class `dcpm` is mapped where that is possible.
fn as_class(tier: &BdevTier, device: OpenDevice) -> Result<OpenDevice, DeviceError> {
    if tier.is_persistent() { device.mapped() } else { Ok(device) }
}

/// Opens a device, waiting a while for the lock of an engine that was killed.
fn when_released(
    patience: Duration,
    open: impl Fn() -> Result<OpenDevice, DeviceError>,
) -> Result<OpenDevice, DeviceError> {
    let until = Instant::now() + patience;
    loop {
        match open() {
            Err(DeviceError::InUse { .. }) if Instant::now() < until => std::thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
}

/// The opened devices of a running engine.
pub(crate) struct Open {
    devices: Vec<Arc<OpenDevice>>,
    slices: Vec<Vec<media::Slice>>,
    arena_bytes: u64,
}

/// Opens and locks every device and checks its label against the configuration.
pub(crate) fn open(conf: &BdevConf) -> Result<Open, DeviceFault> {
    let mut open = Open { devices: Vec::new(), slices: Vec::new(), arena_bytes: 0 };
    for (tier, device) in devices_of(conf) {
        let path = PathBuf::from(&device.path);
        let device = when_released(LOCK_PATIENCE, || OpenDevice::open(&path))
            .and_then(|device| as_class(tier, device))
            .map_err(|error| failed(&path, &error))?;
        let label = match inspect(&path) {
            Ok(Inspection::Formatted(label)) => label,
            Ok(Inspection::Unformatted) => return Err(bad(&path, "it has no label")),
            Ok(Inspection::OtherVersion(version)) => return Err(of_another_release(&path, version)),
            Ok(Inspection::Damaged(reason)) => return Err(bad(&path, &reason)),
            Err(error) => return Err(bad(&path, &format!("its label cannot be read: {error}"))),
        };
        if label.engine != conf.engine_uuid {
            return Err(bad(&path, &format!("it belongs to engine {}, this is {}", label.engine, conf.engine_uuid)));
        }
        if label.system != conf.system {
            return Err(bad(&path, &format!("it belongs to system `{}`, this is `{}`", label.system, conf.system)));
        }
        match media::label::mend(&device, &label) {
            Ok(mended) => {
                for offset in mended {
                    tracing::warn!(
                        device = %path.display(),
                        "the copy of the device label at byte {offset} was lost or damaged; it was written again from the other copy; check the device"
                    );
                }
            }
            Err(error) => tracing::warn!(
                device = %path.display(),
                "a copy of the device label is damaged and cannot be written again: {error}; check the device"
            ),
        }
        if tier.is_persistent() {
            let how = if device.is_mapped() {
                "mapped; no system call on its way"
            } else {
                "written by system calls: no DAX here, or no libpmem in this build"
            };
            tracing::info!(device = %path.display(), "persistent memory: {how}");
        } else if !device.direct() {
            tracing::info!(device = %path.display(), "no O_DIRECT on this filesystem; writes go through the page cache");
        }
        open.arena_bytes = label.arena_bytes;
        open.slices.push(label.slices);
        open.devices.push(Arc::new(device));
    }
    Ok(open)
}

impl Open {
    /// How much of each arena may be in memory.
    pub(crate) fn memory_share(&self, conf: &BdevConf) -> MemoryShare {
        let memory_bytes = limit_bytes(conf, self.arena_bytes).unwrap_or(self.arena_bytes);
        MemoryShare { memory_bytes, arena_bytes: self.arena_bytes }
    }

    /// Work that opens one target's store; to be run on its thread.
    pub(crate) fn target(
        &self,
        conf: &BdevConf,
        target: u32,
    ) -> impl FnOnce() -> Result<Opened, String> + Send + use<> {
        let (devices, slices, arena_bytes) = (self.devices.clone(), self.slices.clone(), self.arena_bytes);
        let (engine, scm) = (conf.engine_uuid, conf.scm.clone());
        let limit = limit_bytes(conf, arena_bytes);
        move || {
            let bytes =
                usize::try_from(arena_bytes).map_err(|_| "the arena is larger than the address space".to_owned())?;
            let memory = if scm.mounted {
                Memory::file(&Path::new(&scm.mount).join(format!("arena-{target}")), bytes)
            } else {
                Memory::anonymous(bytes)
            };
            let unmapped = |error| format!("cannot map {bytes} bytes of arena: {error}");
            let memory = memory.map_err(unmapped)?;
            let missing = |role| format!("the labels list no slice for {role:?} of target {target}");
            let find = |role| find_slice(TargetIndex(target), role, &slices, &devices).ok_or_else(|| missing(role));
            let slices = TargetSlices { wal: find(Role::Wal)?, meta: find(Role::Meta)?, data: find(Role::Data)? };
            let mut blocking = Devices {
                wal: Box::new(slices.wal.clone()),
                meta: Box::new(slices.meta.clone()),
                data: Box::new(slices.data.clone()),
            };
            let identity = Identity { engine, target: TargetIndex(target) };
            let memory = match limit {
                None => Residence::from(Box::new(memory)),
                Some(limit_bytes) => {
                    tracing::info!(
                        target,
                        "metadata of up to {bytes} bytes in {limit_bytes} bytes of memory: pages come and go"
                    );
                    let memory = PagedMemory::new(memory).map_err(unmapped)?;
                    Paging { memory, limit_bytes, meta: Box::new(slices.meta.clone()) }.into()
                }
            };
            let settings =
                Settings { one_device: Arc::ptr_eq(slices.wal.device(), slices.data.device()), ..Settings::default() };
            let (store, recovery) = store::open(&mut blocking, identity, memory, settings)
                .map_err(|error| format!("target {target} on {}: {}", places(&slices), with_sources(&error)))?;
            Ok(Opened { store, recovery, slices })
        }
    }
}

/// What each arena may use of memory, when that is less than all of it.
fn limit_bytes(conf: &BdevConf, arena_bytes: u64) -> Option<u64> {
    if conf.tiers.iter().any(BdevTier::is_persistent) {
        return None;
    }
    let part = arena_bytes.saturating_mul(u64::from(conf.scm.mem_ratio)) / 100;
    let limit = part.min(conf.scm.bytes / u64::from(conf.targets.max(1))).max(LEAST_LIMIT_BYTES);
    (limit < arena_bytes).then_some(limit)
}

fn slices_of(target: TargetIndex, slices: &[Vec<media::Slice>], devices: &[Arc<OpenDevice>]) -> Result<Devices, Role> {
    let mut found: HashMap<Role, FileSlice> = HashMap::new();
    for role in Role::ALL {
        found.insert(role, find_slice(target, role, slices, devices).ok_or(role)?);
    }
    let mut take = |role| Box::new(found.remove(&role).expect("inserted above"));
    Ok(Devices { wal: take(Role::Wal), meta: take(Role::Meta), data: take(Role::Data) })
}

fn find_slice(
    target: TargetIndex,
    role: Role,
    slices: &[Vec<media::Slice>],
    devices: &[Arc<OpenDevice>],
) -> Option<FileSlice> {
    devices.iter().zip(slices).find_map(|(device, slices)| {
        let slice = slices.iter().find(|slice| slice.target == target && slice.role == role)?;
        Some(device.slice(slice.offset, slice.length))
    })
}

/// The devices a target lies on, each once.
fn places(slices: &TargetSlices) -> String {
    let mut paths: Vec<String> =
        [&slices.wal, &slices.meta, &slices.data].map(|slice| format!("`{}`", slice.device().path().display())).into();
    paths.dedup();
    paths.join(", ")
}

pub(crate) fn failed(path: &Path, error: &DeviceError) -> DeviceFault {
    let (name, resolution) = match error {
        DeviceError::InUse { .. } => (
            FaultName::StorageDeviceAlreadyMounted,
            "stop the other engine; `fuser` shows which process has the device",
        ),
        DeviceError::Kind { .. } => (
            FaultName::BdevFormatUnknownClass,
            "list regular files or block devices in bdev_list; move away what stands at scm_mount in place of daos_metadata",
        ),
        DeviceError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            (FaultName::StoragePathAccessDenied, "give the user of daos_server access to the device")
        }
        DeviceError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => (
            FaultName::BdevNotFound,
            "correct bdev_list (class dcpm: scm_mount) in daos_server.yml, or restore the device",
        ),
        DeviceError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            (FaultName::BdevFormatFailure, "reduce bdev_size or free space on that file system, and retry")
        }
        DeviceError::Io { .. } => (FaultName::BdevFormatFailure, "mend what the message names and retry"),
    };
    (path.to_owned(), Box::new(Fault::new(name, with_sources(error), resolution)))
}

fn bad(path: &Path, reason: &str) -> DeviceFault {
    let fault = Fault::new(
        FaultName::BdevFormatFailure,
        format!("`{}` cannot be used: {reason}", path.display()),
        "restore the device, or format with `dmg storage format --force`, which loses what it holds",
    );
    (path.to_owned(), Box::new(fault))
}

fn of_another_release(path: &Path, version: u32) -> DeviceFault {
    let fault = Fault::new(
        FaultName::ServerIncompatibleComponents,
        format!(
            "the label of `{}` has version {version}, this program knows version {}",
            path.display(),
            LABEL_VERSION
        ),
        "start the release that wrote it and copy the data elsewhere, or format with `dmg storage format --force`, which loses what \
         it holds",
    );
    (path.to_owned(), Box::new(fault))
}

fn first_path(conf: &BdevConf) -> PathBuf {
    devices_of(conf).next().map(|(_, device)| PathBuf::from(&device.path)).unwrap_or_default()
}

/// An error with everything that caused it, on one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some of our own errors show their source already.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
