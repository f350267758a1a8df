//! Memory of small and large machines.

use super::*;
use crate::server;

const GIB_KIB: u64 = 1 << 20;

fn machine(gib: u64) -> Machine {
    Machine { mem_total_kib: gib * GIB_KIB, hugepage_kib: 2048, cores: 32, numa_nodes: 2 }
}

fn config(engines: usize, targets: u32, scm_size: u32, class: &str) -> ServerConfig {
    let mut text = "provider: ofi+tcp\ncontrol_metadata: {path: /var/lib/daos}\nengines:\n".to_owned();
    for index in 0..engines {
        let devices = if class == "nvme" {
            format!("bdev_list: [\"0000:8{index}:00.0\"]")
        } else {
            format!("bdev_list: [/f{index}], bdev_size: 16")
        };
        text.push_str(&format!(
            "- {{targets: {targets}, fabric_iface: lo, fabric_iface_port: {}, storage: [\
             {{class: ram, scm_mount: /mnt/{index}, scm_size: {scm_size}}}, {{class: {class}, {devices}}}]}}\n",
            31416 + index * 1000
        ));
    }
    server(&text).expect("the text is right").config
}

#[test]
fn the_systems_share_scales_with_the_machine() {
    let config = config(1, 1, 0, "file");
    for (total, share) in [(2, 1), (4, 1), (8, 2), (64, 16), (1024, 16)] {
        assert_eq!(system_ram_reserved_bytes(&config, &machine(total)), share << 30, "{total} GiB");
    }
    let written = ServerConfig { system_ram_reserved: Some(5), ..config };
    assert_eq!(system_ram_reserved_bytes(&written, &machine(1024)), 5 << 30);
}

#[test]
fn two_engines_of_sixteen_targets_on_nvme_take_what_daos_says() {
    // reference: 34 GiB of hugepages, 2 GiB for each engine.
    let config = ServerConfig { system_ram_reserved: Some(64), ..config(2, 16, 0, "nvme") };
    assert_eq!(hugepages(&config, &machine(256)), 34 * 512);
    assert_eq!(engine_reserve_bytes(&config.engines[0]), 2 << 30);
    assert_eq!(ramdisk_bytes(&config, &machine(256)), Ok(((256 - 34 - 64 - 4) / 2) << 30));
}

#[test]
fn emulated_devices_take_no_hugepages_and_little_memory() {
    let config = config(1, 1, 0, "file");
    assert_eq!(hugepages(&config, &machine(4)), 0);
    assert_eq!(engine_reserve_bytes(&config.engines[0]), 256 << 20);
    assert_eq!(ramdisk_bytes(&config, &machine(4)), Ok((3 << 30) - (256 << 20)));
}

#[test]
fn too_little_memory_is_a_fault() {
    let fault = ramdisk_bytes(&config(1, 1, 0, "file"), &machine(2)).expect_err("2 GiB are too few");
    assert_eq!(fault.name, FaultName::ScmRamdiskLowMem);
    let nvme = ramdisk_bytes(&config(2, 16, 0, "nvme"), &machine(32)).expect_err("32 GiB are too few");
    assert_eq!(nvme.name, FaultName::ScmRamdiskLowMem);
}

#[test]
fn a_written_size_must_fit() {
    assert_eq!(ramdisk_bytes(&config(1, 1, 4, "file"), &machine(16)), Ok(4 << 30));
    let fault = ramdisk_bytes(&config(1, 1, 16, "file"), &machine(16)).expect_err("16 GiB do not fit");
    assert_eq!(fault.name, FaultName::ServerConfigRamdiskOverMaxMem);
    assert!(fault.resolution.contains("set `scm_size` to 11 or less"), "{}", fault.resolution);
}

#[test]
fn cores_and_nodes_must_exist() {
    let mut config = config(1, 4, 0, "file");
    config.engines[0].pinned_numa_node = Some(2);
    let paths = |config: &ServerConfig, machine: &Machine| {
        check_machine(config, machine).into_iter().map(|f| f.path).collect::<Vec<_>>()
    };
    assert_eq!(paths(&config, &machine(16)), ["engines[0].pinned_numa_node"]);
    config.engines[0].pinned_numa_node = None;
    config.engines[0].first_core = Some(32);
    assert_eq!(paths(&config, &machine(16)), ["engines[0].first_core"]);
    config.engines[0].first_core = None;
    let small = Machine { cores: 2, ..machine(16) };
    assert_eq!(paths(&config, &small), ["engines"]);
    assert_eq!(check_machine(&config, &small)[0].severity, Severity::Notice);
}
