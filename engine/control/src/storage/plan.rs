//! From the settings of one engine to the storage it is formatted with. Pure.
//!
//! The memory tier's size is an upper limit: how much of it the devices can checkpoint is decided where they are cut
//! (`media::layout`).

use config::{BDEV_CONF_VERSION, BdevConf, BdevDevice, BdevTier, EngineConfig, ScmConf};
use uuid::Uuid;

/// What the machine contributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes of each device, in the order of the tiers and their lists.
    pub(crate) device_bytes: Vec<Vec<u64>>,
    /// Bytes of the memory tier.
    pub(crate) scm_bytes: u64,
    /// The memory tier's mount point is a tmpfs.
    pub(crate) mounted: bool,
}

/// The content of `daos_nvme.conf`.
pub(crate) fn bdev_conf(system: &str, engine: &EngineConfig, uuid: Uuid, found: &Found) -> BdevConf {
    let devices = |paths: &[String], bytes: &[u64]| {
        let pairs = paths.iter().zip(bytes);
        pairs.map(|(path, bytes)| BdevDevice { path: path.clone(), bytes: *bytes }).collect()
    };
    let tiers = engine.bdevs.iter().zip(&found.device_bytes).map(|(tier, bytes)| BdevTier {
        class: tier.class.as_str().to_owned(),
        devices: devices(&tier.devices, bytes),
        roles: tier.roles.iter().map(|role| role.as_str().to_owned()).collect(),
    });
    BdevConf {
        version: BDEV_CONF_VERSION,
        system: system.to_owned(),
        engine_uuid: uuid,
        targets: engine.targets,
        scm: ScmConf { mount: engine.scm.mount.display().to_string(), bytes: found.scm_bytes, mounted: found.mounted },
        tiers: tiers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_get_their_sizes_and_roles() {
        let text = "name: daos_server\nport: 10001\nprovider: ofi+tcp\ncontrol_metadata: {path: /var/daos}\nengines:\n\
                    - targets: 2\n  fabric_iface: lo\n  fabric_iface_port: 31416\n  storage:\n\
                    \x20 - {class: ram, scm_mount: /mnt/daos}\n\
                    \x20 - {class: kdev, bdev_list: [/dev/a], bdev_roles: [wal, meta]}\n\
                    \x20 - {class: kdev, bdev_list: [/dev/b, /dev/c], bdev_roles: [data]}\n";
        let engine = config::server(text).expect("valid").config.engines.remove(0);
        let found = Found { device_bytes: vec![vec![60], vec![100, 101]], scm_bytes: 5 << 30, mounted: true };
        let conf = bdev_conf("daos_server", &engine, Uuid::from_u128(1), &found);
        assert_eq!(conf.scm, ScmConf { mount: "/mnt/daos".to_owned(), bytes: 5 << 30, mounted: true });
        let tiers: Vec<(Vec<u64>, String)> = conf
            .tiers
            .iter()
            .map(|tier| (tier.devices.iter().map(|device| device.bytes).collect(), tier.roles.join(",")))
            .collect();
        assert_eq!(tiers, [(vec![60], "wal,meta".to_owned()), (vec![100, 101], "data".to_owned())]);
    }
}
