//! Format: every device looked at, made, cleared, cut into slices; labels last.
//!
//! A device that is in use, or with `force` not given has a label, is refused before any device is changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::BdevConf;
use media::{DeviceError, Inspection, Label, OpenDevice, inspect};
use store::Identity;
use types::{Fault, FaultName, TargetIndex};
use uuid::Uuid;

use super::{
    DeviceFault, LOCK_PATIENCE, as_class, devices_of, failed, first_path, layout, slices_of, when_released,
    with_sources,
};

/// Formats every device; labels are written last.
pub(crate) fn format(conf: &BdevConf, force: bool) -> Result<(), DeviceFault> {
    format_within(conf, force, LOCK_PATIENCE)
}

fn format_within(conf: &BdevConf, force: bool, patience: Duration) -> Result<(), DeviceFault> {
    let layout = layout(conf)?;
    // All of them are looked at before the first is made or resized. In use comes first: force would be the wrong advice then.
    let paths = || devices_of(conf).map(|(_, device)| Path::new(&device.path));
    paths().try_for_each(|path| refuse_used(path, patience))?;
    if !force {
        paths().try_for_each(refuse_formatted)?;
    }
    let mut devices = Vec::new();
    for (tier, device) in devices_of(conf) {
        let path = PathBuf::from(&device.path);
        let open = when_released(patience, || OpenDevice::create(&path, device.bytes))
            .and_then(|device| as_class(tier, device))
            .map_err(|error| failed(&path, &error))?;
        devices.push(Arc::new(open));
    }
    let io = |device: &OpenDevice, error: &dyn std::fmt::Display| {
        (device.path().to_owned(), Box::new(format_failure(error)))
    };
    for device in &devices {
        media::label::clear(device).map_err(|error| io(device, &error))?;
    }
    for target in 0..conf.targets {
        let mut slices = slices_of(TargetIndex(target), &layout.devices, &devices).map_err(|role| {
            (first_path(conf), Box::new(format_failure(&format!("target {target} has no slice for {role:?}"))))
        })?;
        let identity = Identity { engine: conf.engine_uuid, target: TargetIndex(target) };
        store::format(&mut slices, identity, layout.arena_bytes).map_err(|error| {
            let text = with_sources(&error);
            (first_path(conf), Box::new(format_failure(&text)))
        })?;
    }
    for (device, slices) in devices.iter().zip(&layout.devices) {
        let label = Label {
            device: Uuid::new_v4(),
            engine: conf.engine_uuid,
            system: conf.system.clone(),
            total_bytes: device.length(),
            arena_bytes: layout.arena_bytes,
            slices: slices.clone(),
        };
        media::label::write(device, &label).map_err(|error| io(device, &error))?;
    }
    Ok(())
}

/// Refuses a device that another engine has open.
fn refuse_used(path: &Path, patience: Duration) -> Result<(), DeviceFault> {
    match when_released(patience, || OpenDevice::open_read_only(path)) {
        Err(error @ DeviceError::InUse { .. }) => Err(failed(path, &error)),
        // Missing or unreadable: making it gives the better message.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn refuse_formatted(path: &Path) -> Result<(), DeviceFault> {
    let reason = match inspect(path) {
        Ok(Inspection::Formatted(label)) => format!("`{}` is formatted for system `{}`", path.display(), label.system),
        Ok(Inspection::OtherVersion(version)) => {
            format!("`{}` is formatted, with a label of version {version}, which is another release's", path.display())
        }
        Ok(Inspection::Damaged(reason)) => {
            format!("`{}` was formatted once, and its label is damaged: {reason}", path.display())
        }
        // Missing or unreadable: opening it gives the better message.
        Ok(Inspection::Unformatted) | Err(_) => return Ok(()),
    };
    let fault = Fault::new(
        FaultName::StorageAlreadyFormatted,
        reason,
        "retry the operation with the force option set to wipe what is there",
    );
    Err((path.to_owned(), Box::new(fault)))
}

fn format_failure(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultName::BdevFormatFailure, error.to_string(), "mend what the message names and format again")
}

#[cfg(test)]
mod tests {
    use config::{BDEV_CONF_VERSION, BdevDevice, BdevTier, ScmConf};

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A configuration of one target over two files.
    fn conf(folder: &Path) -> BdevConf {
        let tier = |name: &str, roles: &[&str]| BdevTier {
            class: "file".to_owned(),
            devices: vec![BdevDevice { path: folder.join(name).display().to_string(), bytes: 104 * MIB }],
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        BdevConf {
            version: BDEV_CONF_VERSION,
            system: "daos_server".to_owned(),
            engine_uuid: Uuid::from_u128(7),
            targets: 1,
            scm: ScmConf { mount: String::new(), bytes: 16 * MIB, mem_ratio: 100, mounted: false },
            tiers: vec![tier("first", &["wal", "meta"]), tier("second", &["data"])],
        }
    }

    fn refusal(conf: &BdevConf, force: bool) -> Fault {
        *format_within(conf, force, Duration::ZERO).expect_err("it is refused").1
    }

    #[test]
    fn a_device_in_use_is_told_before_its_label_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let conf = conf(folder.path());
        format_within(&conf, false, Duration::ZERO).unwrap();
        assert_eq!(refusal(&conf, false).name, FaultName::StorageAlreadyFormatted);
        let paths = ["first", "second"].map(|name| folder.path().join(name));
        // Longer than configured: a format would cut it off.
        std::fs::File::options().write(true).open(&paths[0]).unwrap().set_len(105 * MIB).unwrap();
        let before = paths.each_ref().map(|path| std::fs::read(path).unwrap());
        let other = OpenDevice::open(&paths[1]).unwrap();
        for force in [false, true] {
            let fault = refusal(&conf, force);
            assert_eq!(fault.name, FaultName::StorageDeviceAlreadyMounted, "{fault}");
            assert!(fault.description.contains("second") && fault.resolution.starts_with("stop the other engine"));
            assert!(before == paths.each_ref().map(|path| std::fs::read(path).unwrap()), "force {force}");
        }
        drop(other);
        format_within(&conf, true, Duration::ZERO).unwrap();
    }
}
