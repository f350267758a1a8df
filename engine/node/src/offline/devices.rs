//! The devices to look at, and the targets on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::{BLOCK_BYTES, FileSlice, Label, OpenDevice, Role, Slice};
use store::inspect::{Findings, LabelCopies, Place, check_label};
use store::{Devices, FORMAT_VERSION, Identity};
use types::{FaultName, TargetIndex};
use uuid::Uuid;

use super::{Common, Failure};
use crate::devices::{failed, layout, read_conf};

/// Findings kept for each device: there are few to have.
const DEVICE_FINDINGS_MOST: usize = 100;

/// The remedy for a device of the command line that is not there.
const NAMED_IS_ABSENT: &str = "correct the path, or attach the device";

/// A device, opened.
pub(super) struct Looked {
    pub(super) path: PathBuf,
    pub(super) open: Arc<OpenDevice>,
    pub(super) label: LabelCopies,
    pub(super) findings: Findings,
    engine: Option<Uuid>,
    arena_bytes: Option<u64>,
    slices: Vec<Slice>,
}

/// A target, by its slices on the devices.
#[derive(Default)]
pub(super) struct Target {
    pub(super) arena_bytes: Option<u64>,
    slices: BTreeMap<Role, (PathBuf, u64, FileSlice)>,
}

impl Target {
    /// Its slices for the check, or the roles that are missing.
    pub(super) fn devices(&self) -> Result<Devices, Vec<Role>> {
        let missing: Vec<Role> = Role::ALL.into_iter().filter(|role| !self.slices.contains_key(role)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let slice = |role| Box::new(self.slices[&role].2.clone());
        Ok(Devices { wal: slice(Role::Wal), meta: slice(Role::Meta), data: slice(Role::Data) })
    }

    /// Where a place within a slice is on which device.
    pub(super) fn locate(&self, place: Place) -> Option<(&Path, u64)> {
        match place {
            Place::Slice(role, byte) => {
                let (path, offset, _) = self.slices.get(&role)?;
                Some((path, offset + byte))
            }
            Place::Device(_) | Place::Arena(_) => None,
        }
    }
}

/// Targets by engine and number.
pub(super) type Targets = BTreeMap<(Uuid, u32), Target>;

/// Opens the devices of the configuration, or those named.
pub(super) fn look(common: &Common, named: &[PathBuf]) -> Result<Vec<Looked>, Failure> {
    let Some(conf_path) = &common.conf else {
        return named.iter().map(|path| look_at(path, Some(NAMED_IS_ABSENT))).collect();
    };
    let conf = read_conf(conf_path).map_err(|error| Failure::Device(format!("{error:#}")))?;
    // Where a label is lost, the slices are those that a format would make.
    let planned = layout(&conf).ok();
    let mut all = Vec::new();
    for (n, device) in conf.tiers.iter().flat_map(|tier| &tier.devices).enumerate() {
        let mut looked = look_at(Path::new(&device.path), None)?;
        match looked.label.label() {
            Some(label) => compare(label, conf.engine_uuid, &conf.system, &mut looked.findings),
            None => {
                if let Some(plan) = &planned {
                    (looked.engine, looked.arena_bytes) = (Some(conf.engine_uuid), Some(plan.arena_bytes));
                    looked.slices = plan.devices.get(n).cloned().unwrap_or_default();
                }
            }
        }
        all.push(looked);
    }
    Ok(all)
}

fn compare(label: &Label, engine: Uuid, system: &str, findings: &mut Findings) {
    if label.engine != engine {
        let text = format!("label: the device belongs to engine {}, the configuration is of {engine}", label.engine);
        findings.mismatch(Place::Device(0), text);
    }
    if label.system != system {
        let text =
            format!("label: the device belongs to system `{}`, the configuration is of `{system}`", label.system);
        findings.mismatch(Place::Device(0), text);
    }
}

/// `absent` is the remedy when the device is not there, in place of that for a configured one.
fn look_at(path: &Path, absent: Option<&str>) -> Result<Looked, Failure> {
    let open = OpenDevice::open_read_only(path).map_err(|error| {
        let (_, fault) = failed(path, &error);
        let remedy = absent.filter(|_| fault.name == FaultName::BdevNotFound).unwrap_or(&fault.resolution);
        Failure::Device(format!("{}: {}\nhint: {remedy}", fault.name.as_str(), fault.description))
    })?;
    let open = Arc::new(open);
    let mut findings = Findings::new(DEVICE_FINDINGS_MOST);
    let whole = open.length() / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
    let label = check_label(&mut open.slice(0, whole), open.length(), &mut findings);
    let found = label.label().cloned();
    Ok(Looked {
        path: path.to_owned(),
        engine: found.as_ref().map(|label| label.engine),
        arena_bytes: found.as_ref().map(|label| label.arena_bytes),
        slices: found.map(|label| label.slices).unwrap_or_default(),
        open,
        label,
        findings,
    })
}

/// The targets that the devices hold, `only` one of them when asked for.
pub(super) fn targets(devices: &mut [Looked], only: Option<u32>) -> Targets {
    let mut targets = Targets::new();
    for device in devices {
        let Some(engine) = device.engine else { continue };
        for slice in &device.slices {
            if only.is_some_and(|only| only != slice.target.0) {
                continue;
            }
            let target = targets.entry((engine, slice.target.0)).or_default();
            target.arena_bytes = target.arena_bytes.or(device.arena_bytes);
            if !fits(&device.open, slice) {
                let text = format!(
                    "label: the {:?} slice of target {}, {} bytes at {}, does not lie on the device in whole blocks",
                    slice.role, slice.target, slice.length, slice.offset
                );
                device.findings.mismatch(Place::Device(0), text);
                continue;
            }
            let opened = device.open.slice(slice.offset, slice.length);
            if target.slices.insert(slice.role, (device.path.clone(), slice.offset, opened)).is_some() {
                let text =
                    format!("label: a {:?} slice of target {} is on another device, too", slice.role, slice.target);
                device.findings.mismatch(Place::Device(0), text);
            }
        }
    }
    targets
}

fn fits(device: &OpenDevice, slice: &Slice) -> bool {
    let block = BLOCK_BYTES as u64;
    let end = slice.offset.checked_add(slice.length);
    slice.offset.is_multiple_of(block)
        && slice.length.is_multiple_of(block)
        && end.is_some_and(|end| end <= device.length())
}

/// Whose a target is.
pub(super) fn identity((engine, target): (Uuid, u32)) -> Identity {
    Identity { engine, target: TargetIndex(target) }
}

/// What is to be said about targets that another release wrote.
pub(super) fn of_another_release(targets: &[u32], version: u32) -> String {
    let (noun, numbers) = match targets {
        [one] => ("target", one.to_string()),
        several => ("targets", several.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
    };
    format!(
        "{noun} {numbers}: not looked at: the format version is {version}, this program knows version {FORMAT_VERSION}; this is no damage; use the release that wrote it, copy the data elsewhere with it, or format with `dmg storage format --force`, which loses what is there"
    )
}

/// What is to be said about a target with slices missing.
pub(super) fn incomplete(target: u32, missing: &[Role]) -> String {
    let roles: Vec<String> = missing.iter().map(|role| store::Slice(*role).to_string()).collect();
    format!(
        "target {target}: not looked at: its {} slice is on none of the devices that can be read; name all devices of the engine, or mend what is said above",
        roles.join(" and ")
    )
}
