//! From the settings of one engine to the storage it is formatted with. Pure.
//!
//! The memory tier's size is an upper limit: how much of it the devices can checkpoint is decided where they are cut
//! (`media::layout`).
//!
//! With a memory tier of class `dcpm` the log and the checkpoints lie in one file on it, a first tier of its own kind; the block tier
//! then holds bulk data only.

use config::{BDEV_CONF_VERSION, BdevConf, BdevDevice, BdevTier, EngineConfig, Role, Roles, ScmConf};
use uuid::Uuid;

/// What the machine contributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes of each device, in the order of the tiers and their lists.
    pub(crate) device_bytes: Vec<Vec<u64>>,
    /// Bytes of memory for all arenas.
    pub(crate) scm_bytes: u64,
    /// The file on persistent memory.
    pub(crate) persistent: Option<BdevDevice>,
    /// The memory tier's mount point is a tmpfs.
    pub(crate) mounted: bool,
}

/// The content of `daos_nvme.conf`.
pub(crate) fn bdev_conf(system: &str, engine: &EngineConfig, uuid: Uuid, found: &Found) -> BdevConf {
    let devices = |paths: &[String], bytes: &[u64]| {
        let pairs = paths.iter().zip(bytes);
        pairs.map(|(path, bytes)| BdevDevice { path: path.clone(), bytes: *bytes }).collect()
    };
    let words = |roles: Roles| roles.iter().map(|role| role.as_str().to_owned()).collect();
    let persistent = found.persistent.as_ref().map(|file| BdevTier {
        class: engine.scm.class.as_str().to_owned(),
        devices: vec![file.clone()],
        roles: words(Roles::of(&[Role::Wal, Role::Meta])),
    });
    let blocks = engine.bdevs.iter().zip(&found.device_bytes).map(|(tier, bytes)| BdevTier {
        class: tier.class.as_str().to_owned(),
        devices: devices(&tier.devices, bytes),
        roles: words(if persistent.is_some() { Roles::of(&[Role::Data]) } else { tier.roles }),
    });
    let tiers = persistent.iter().cloned().chain(blocks);
    BdevConf {
        version: BDEV_CONF_VERSION,
        system: system.to_owned(),
        engine_uuid: uuid,
        targets: engine.targets,
        scm: ScmConf {
            mount: engine.scm.mount.display().to_string(),
            bytes: found.scm_bytes,
            mem_ratio: engine.scm.mem_ratio,
            mounted: found.mounted,
        },
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
                    \x20 - {class: ram, scm_mount: /mnt/daos, scm_mem_ratio: 25}\n\
                    \x20 - {class: kdev, bdev_list: [/dev/a], bdev_roles: [wal, meta]}\n\
                    \x20 - {class: kdev, bdev_list: [/dev/b, /dev/c], bdev_roles: [data]}\n";
        let engine = config::server(text).expect("valid").config.engines.remove(0);
        let found =
            Found { device_bytes: vec![vec![60], vec![100, 101]], scm_bytes: 5 << 30, persistent: None, mounted: true };
        let conf = bdev_conf("daos_server", &engine, Uuid::from_u128(1), &found);
        let scm = ScmConf { mount: "/mnt/daos".to_owned(), bytes: 5 << 30, mem_ratio: 25, mounted: true };
        assert_eq!((scm.arena_bytes(), &conf.scm), (20 << 30, &scm));
        let text = serde_json::to_string(&conf).unwrap();
        assert_eq!(serde_json::from_str::<BdevConf>(&text).unwrap(), conf);
        // A file from before there was a ratio, which is written no other than then.
        let former = text.replace("\"mem_ratio\":25,", "");
        let read: BdevConf = serde_json::from_str(&former).unwrap();
        assert_eq!(read.scm.mem_ratio, 100);
        assert_eq!(serde_json::to_string(&read).unwrap(), former);
        let tiers: Vec<(Vec<u64>, String)> = conf
            .tiers
            .iter()
            .map(|tier| (tier.devices.iter().map(|device| device.bytes).collect(), tier.roles.join(",")))
            .collect();
        assert_eq!(tiers, [(vec![60], "wal,meta".to_owned()), (vec![100, 101], "data".to_owned())]);
    }

    #[test]
    fn persistent_memory_comes_first_and_leaves_the_data_to_the_block_tier() {
        let text = "name: daos_server\nport: 10001\nprovider: ofi+tcp\nengines:\n\
                    - targets: 2\n  fabric_iface: lo\n  fabric_iface_port: 31416\n  storage:\n\
                    \x20 - {class: dcpm, scm_mount: /mnt/daos, scm_list: [/dev/pmem0]}\n\
                    \x20 - {class: kdev, bdev_list: [/dev/b]}\n";
        let engine = config::server(text).expect("valid").config.engines.remove(0);
        let file = BdevDevice { path: "/mnt/daos/daos_metadata".to_owned(), bytes: 70 };
        let found =
            Found { device_bytes: vec![vec![100]], scm_bytes: 5 << 30, persistent: Some(file.clone()), mounted: false };
        let conf = bdev_conf("daos_server", &engine, Uuid::from_u128(1), &found);
        let tiers: Vec<(&str, &[BdevDevice], String)> =
            conf.tiers.iter().map(|tier| (tier.class.as_str(), &tier.devices[..], tier.roles.join(","))).collect();
        let block = BdevDevice { path: "/dev/b".to_owned(), bytes: 100 };
        assert_eq!(tiers, [("dcpm", &[file][..], "wal,meta".to_owned()), ("kdev", &[block][..], "data".to_owned())]);
    }
}
