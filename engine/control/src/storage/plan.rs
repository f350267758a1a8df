//! From the settings of one engine to the storage it is formatted with. Pure.

use config::{BDEV_CONF_VERSION, BdevConf, BdevDevice, BdevTier, BlockTier, EngineConfig, Role, Roles, ScmConf};
use uuid::Uuid;

/// Parts into which a device that holds metadata beside data is thought to be cut; the arena gets one. DAOS recommends
/// at least 6 % of memory tier to data; a quarter keeps small test devices useful.
const ARENA_SHARE_OF_SHARED_DEVICE: u64 = 4;

/// Parts of a device that holds log and metadata but no data; the arena gets one, since two checkpoints of it and the
/// log must fit.
const ARENA_SHARE_OF_METADATA_DEVICE: u64 = 3;

/// The arena is dealt to targets in whole MiB.
const ARENA_UNIT: u64 = 1 << 20;

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
    let tiers: Vec<BdevTier> = engine
        .bdevs
        .iter()
        .zip(&found.device_bytes)
        .map(|(tier, bytes)| BdevTier {
            class: tier.class.as_str().to_owned(),
            devices: tier
                .devices
                .iter()
                .zip(bytes)
                .map(|(path, bytes)| BdevDevice { path: path.clone(), bytes: *bytes })
                .collect(),
            roles: tier.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        })
        .collect();
    let targets = u64::from(engine.targets.max(1));
    let arena = found.scm_bytes.min(arena_limit(engine, found)) / (targets * ARENA_UNIT) * (targets * ARENA_UNIT);
    BdevConf {
        version: BDEV_CONF_VERSION,
        system: system.to_owned(),
        engine_uuid: uuid,
        targets: engine.targets,
        scm: ScmConf { mount: engine.scm.mount.display().to_string(), bytes: arena, mounted: found.mounted },
        tiers,
    }
}

/// The largest arena whose checkpoints fit on the devices with the meta role.
fn arena_limit(engine: &EngineConfig, found: &Found) -> u64 {
    engine
        .bdevs
        .iter()
        .zip(&found.device_bytes)
        .filter(|(tier, _)| tier.roles.has(Role::Meta))
        .map(|(tier, bytes)| bytes.iter().sum::<u64>() / share(tier))
        .sum()
}

fn share(tier: &BlockTier) -> u64 {
    if tier.roles.has(Role::Data) {
        ARENA_SHARE_OF_SHARED_DEVICE
    } else if tier.roles == Roles::of(&[Role::Meta]) {
        2
    } else {
        ARENA_SHARE_OF_METADATA_DEVICE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(tiers: &str) -> EngineConfig {
        let text = format!(
            "name: daos_server\nport: 10001\nprovider: ofi+tcp\ncontrol_metadata: {{path: /var/daos}}\nengines:\n\
             - targets: 2\n  fabric_iface: lo\n  fabric_iface_port: 31416\n  storage:\n\
             \x20 - {{class: ram, scm_mount: /mnt/daos}}\n{tiers}"
        );
        config::server(&text).expect("valid").config.engines.remove(0)
    }

    #[test]
    fn one_shared_file_holds_all_roles() {
        let engine = engine("  - {class: file, bdev_list: [/var/daos/bdev], bdev_size: 6}\n");
        let found = Found { device_bytes: vec![vec![6 << 30]], scm_bytes: 8 << 30, mounted: true };
        let conf = bdev_conf("daos_server", &engine, Uuid::from_u128(1), &found);
        assert_eq!(conf.scm, ScmConf { mount: "/mnt/daos".to_owned(), bytes: 3 << 29, mounted: true });
        assert_eq!(conf.tiers[0].roles, ["wal", "meta", "data"]);
        assert_eq!(conf.tiers[0].devices, [BdevDevice { path: "/var/daos/bdev".to_owned(), bytes: 6 << 30 }]);
    }

    #[test]
    fn memory_limits_the_arena_when_devices_do_not() {
        let engine = engine(
            "  - {class: kdev, bdev_list: [/dev/a], bdev_roles: [wal, meta]}\n\
             \x20 - {class: kdev, bdev_list: [/dev/b, /dev/c], bdev_roles: [data]}\n",
        );
        let found =
            Found { device_bytes: vec![vec![60 << 30], vec![1 << 40, 1 << 40]], scm_bytes: 5 << 30, mounted: false };
        let conf = bdev_conf("daos_server", &engine, Uuid::from_u128(1), &found);
        assert_eq!(conf.scm.bytes, 5 << 30);
        assert_eq!(conf.tiers[1].devices.len(), 2);
    }
}
