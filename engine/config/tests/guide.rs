//! The files of the published multi-node guide (AlmaLinux 8.9, 2.6), accepted as printed.

#![allow(missing_docs)]

use daos_config::{BlockClass, HostPort, Roles, agent, control, server};

#[test]
fn the_servers_file_is_accepted_with_a_notice_about_its_two_access_points() {
    let checked = server(include_str!("fixtures/right/guide-server.yml")).expect("the file is right");
    assert_eq!(checked.config.mgmt_svc_replicas, [HostPort::new("node0", 10001)]);
    assert_eq!(checked.config.telemetry_port, Some(9191));
    let engine = &checked.config.engines[0];
    assert_eq!((engine.targets, engine.first_core, engine.fabric_iface_port), (1, Some(0), 31416));
    assert_eq!(engine.scm.size_gib, 4);
    assert_eq!((engine.bdevs[0].class, engine.bdevs[0].size_gib), (BlockClass::File, 16));
    assert_eq!(engine.bdevs[0].roles, Roles::ALL);
    let notices: Vec<&str> = checked.notices.iter().map(|notice| notice.name.as_str()).collect();
    assert_eq!(notices, ["ServerConfigEvenMgmtSvcReplicas"]);
}

#[test]
fn the_administrators_file_is_accepted() {
    let checked = control(include_str!("fixtures/right/guide-control.yml")).expect("the file is right");
    assert_eq!(checked.config.hostlist, [HostPort::new("node0", 10001)]);
    assert!(checked.config.transport.allow_insecure);
    assert!(checked.notices.is_empty());
}

#[test]
fn the_agents_file_is_accepted() {
    let checked = agent(include_str!("fixtures/right/guide-agent.yml")).expect("the file is right");
    assert_eq!(checked.config.access_points, [HostPort::new("node0", 10001), HostPort::new("node1", 10001)]);
    assert_eq!(checked.config.fabric_ifaces[0].devices[0].iface, "enp94s0f1");
    assert!(checked.notices.is_empty());
}
