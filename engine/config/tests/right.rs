//! Every file of `fixtures/right` is accepted, and a server's settings survive being written and read again.

#![allow(missing_docs)]
#![allow(clippy::disallowed_methods, reason = "the table is a directory of files")]

use std::path::Path;
use std::time::Duration;

use daos_config::{
    BlockClass, Finding, HostPort, LogLevel, Overrides, Role, Roles, ScmClass, UserKey, agent, control, render, server,
    server_with, to_json, unsupported,
};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/right").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names and lines of findings.
fn short(findings: &[Finding]) -> Vec<(&'static str, usize)> {
    findings.iter().map(|finding| (finding.name.as_str(), finding.line)).collect()
}

#[test]
fn every_right_file_is_accepted_and_a_servers_survives_writing() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/right");
    let mut files = 0;
    for entry in std::fs::read_dir(directory).expect("the fixtures are there") {
        let name = entry.expect("a readable entry").file_name().to_string_lossy().into_owned();
        let text = fixture(&name);
        if name.contains("agent") {
            agent(&text).unwrap_or_else(|findings| panic!("{}", render(&findings, &name, &text)));
        } else if name.contains("control") {
            control(&text).unwrap_or_else(|findings| panic!("{}", render(&findings, &name, &text)));
        } else {
            let checked = server(&text).unwrap_or_else(|findings| panic!("{}", render(&findings, &name, &text)));
            let written = checked.config.to_yaml();
            let again = server(&written).unwrap_or_else(|findings| panic!("{}", render(&findings, &name, &written)));
            assert_eq!(again.config, checked.config, "{name}:\n{written}");
            assert_eq!(again.config.to_yaml(), written, "{name}");
        }
        files += 1;
    }
    assert!(files >= 10, "only {files} files");
}

#[test]
fn every_key_of_the_server_reaches_its_field() {
    let checked = server(&fixture("server-maximal-2.8.yml")).expect("the file is right");
    let config = checked.config;
    assert_eq!(
        config.mgmt_svc_replicas,
        [HostPort::new("node0", 10001), HostPort::new("node1", 10002), HostPort::new("fd00::1", 10001)]
    );
    assert_eq!(config.control_log_mask, LogLevel::Debug);
    assert_eq!(config.core_dump_filter, 0x13);
    assert!(config.disable_vmd && config.disable_hotplug && config.disable_hugepages);
    assert_eq!(config.system_ram_reserved, Some(5));
    assert_eq!(config.control_metadata.as_ref().map(|m| m.directory()), Some("/var/lib/daos/daos_control".into()));
    let engine = &config.engines[0];
    assert_eq!((engine.crt_timeout, engine.pinned_numa_node, engine.first_core), (Some(30), Some(0), None));
    assert!(!engine.scm.hugepages_disabled);
    assert_eq!(engine.scm.mem_ratio, 25);
    assert_eq!(engine.bdevs[0].roles, Roles::of(&[Role::Wal]));
    assert_eq!(engine.bdevs[1].roles, Roles::of(&[Role::Meta, Role::Data]));
    assert_eq!((engine.bdevs[1].class, engine.bdevs[1].devices.len()), (BlockClass::Kdev, 2));
    assert!(engine.metadata_on_ssd());
    assert_eq!(engine.env_vars[1].value, "vos,bio");
    // The deprecated log file, and `bdev_number` without effect.
    assert_eq!(short(&checked.notices), [("ServerConfigBadConfig", 38), ("ServerConfigBadConfig", 74)]);
}

#[test]
fn the_spellings_of_2_6_mean_the_same() {
    let checked = server(&fixture("server-maximal-2.6.yml")).expect("the file is right");
    assert_eq!(checked.config.mgmt_svc_replicas.len(), 3);
    assert!(!checked.config.disable_hotplug);
    let [one, other] = &checked.config.engines[..] else { panic!("two engines") };
    assert_eq!((one.scm.class, one.bdevs[0].class), (ScmClass::Dcpm, BlockClass::Nvme));
    assert_eq!((one.targets, other.targets, other.first_core), (8, 8, Some(33)), "the merge key gives the rest");
    assert_eq!(one.bdevs[0].busid_range.map(|range| range.to_string()).as_deref(), Some("0x80-0x8f"));
    assert_eq!(
        short(&checked.notices),
        [("ServerConfigBadMgmtSvcReplicas", 3), ("ServerConfigEnableHotplugDeprecated", 6)]
    );
}

#[test]
fn roles_follow_the_number_of_tiers() {
    let config = server(&fixture("server-three-tiers.yml")).expect("the file is right").config;
    let roles: Vec<String> = config.engines[0].bdevs.iter().map(|tier| tier.roles.to_string()).collect();
    assert_eq!(roles, ["wal", "meta", "data"]);
    let config = server(&fixture("server-smallest.yml")).expect("the file is right").config;
    assert_eq!(config.engines[0].bdevs[0].roles, Roles::ALL);
}

#[test]
fn the_command_line_wins_and_is_checked() {
    let text = fixture("server-smallest.yml");
    let overrides = Overrides {
        port: Some(10005),
        targets: Some(3),
        scm_mount: Some("/mnt/other".into()),
        insecure: true,
        ..Overrides::default()
    };
    let config = server_with(&text, &overrides).expect("both are right").config;
    assert_eq!((config.port, config.mgmt_svc_replicas[0].port), (10005, 10005));
    assert_eq!(config.engines[0].targets, 3);
    assert_eq!(config.engines[0].scm.mount, Path::new("/mnt/other"));
    assert!(config.transport.allow_insecure);
    let findings = server_with(&text, &Overrides { targets: Some(0), ..Overrides::default() }).expect_err("no target");
    assert_eq!(findings[0].path, "engines[0].targets");
}

#[test]
fn what_this_engine_cannot_run_is_said_with_its_place() {
    let text = fixture("server-maximal-2.6.yml");
    let checked = server(&text).expect("the file is right");
    let mut findings = unsupported(&checked.config, &["ofi+tcp", "ofi+tcp;ofi_rxm"]);
    checked.places.locate(&mut findings);
    let errors: Vec<(&str, usize)> = findings.iter().map(|finding| (finding.path.as_str(), finding.line)).collect();
    assert_eq!(
        errors[..3],
        [("mgmt_svc_replicas", 0), ("engines[0].provider", 10), ("engines[0].storage[1].class", 21)]
    );
    let runs = server(&fixture("guide-server.yml")).expect("the file is right").config;
    assert!(unsupported(&runs, &["ofi+tcp", "ofi+tcp;ofi_rxm"]).is_empty());
    assert_eq!(unsupported(&runs, &["ofi+tcp"])[0].path, "engines[0].provider");
    let mut persistent = checked.config;
    persistent.engines[0].bdevs.clear();
    let findings = unsupported(&persistent, &["ofi+tcp", "ofi+tcp;ofi_rxm"]);
    assert!(findings.iter().any(|found| found.path == "engines[0].storage" && found.description.contains("bulk data")));
}

#[test]
fn every_key_of_the_agent_reaches_its_field() {
    let config = agent(&fixture("agent-maximal.yml")).expect("the file is right").config;
    assert_eq!(config.credentials.cache_expiration, Duration::from_secs(600));
    assert_eq!(config.credentials.client_user_map[0].0, UserKey::Uid(1000));
    assert_eq!(config.credentials.client_user_map[0].1.groups, ["wheel", "disk"]);
    assert_eq!(config.credentials.client_user_map[1].0, UserKey::Default);
    assert_eq!(config.cache_expiration_min, 30);
    assert_eq!(config.fabric_ifaces[1].devices[0].domain.as_deref(), Some("mlx5_1"));
    assert_eq!((config.telemetry_port, config.telemetry_retain), (Some(9192), Some(Duration::from_secs(300))));
    let checked = agent(&fixture("agent-alternatives.yml")).expect("the file is right");
    let device = &checked.config.fabric_ifaces[0].devices[0];
    assert_eq!((device.iface.as_str(), device.domain.as_deref()), ("enp94s0f1np1", Some("mlx5_1")));
    assert_eq!(short(&checked.notices), [("ServerConfigBadConfig", 7)]);
}

#[test]
fn the_administrators_hosts_are_expanded() {
    let config = control(&fixture("control-maximal.yml")).expect("the file is right").config;
    let hosts: Vec<String> = config.hostlist.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["node0:10001", "node1:10001", "node2:10001", "node07:10001", "node08:10001", "other:10002"]);
}

#[test]
fn findings_as_json_have_all_their_parts() {
    let findings = server("port: 0\n").expect_err("port 0");
    insta::assert_json_snapshot!(to_json(&findings));
}
