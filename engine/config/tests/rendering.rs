//! What people see: the rendered findings of some wrong files, and the active settings of a right one.

#![allow(missing_docs)]
#![allow(clippy::disallowed_methods, reason = "the fixtures are files")]

use std::path::Path;

use daos_config::{agent, control, render, server};

fn rendered(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wrong").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (kind, _) = name.split_once('.').expect("a name with its kind");
    let findings = match kind {
        "server" => server(&text).expect_err(name),
        "agent" => agent(&text).expect_err(name),
        _ => control(&text).expect_err(name),
    };
    render(&findings, &format!("daos_{kind}.yml"), &text)
}

macro_rules! snapshots {
    ($($test:ident: $file:literal;)*) => {
        $(#[test]
        fn $test() {
            insta::assert_snapshot!(rendered($file));
        })*
    };
}

snapshots! {
    unknown_key: "server.ServerConfigBadConfig.unknown-key.yml";
    misplaced_key: "server.ServerConfigBadConfig.unknown-key-of-engine-at-top.yml";
    duplicate_key: "server.ServerConfigBadConfig.duplicate-key-in-engine.yml";
    syntax: "server.ServerConfigBadConfig.syntax-tab.yml";
    several_at_once: "server.ServerConfigBadConfig.several-at-once.yml";
    even_replicas: "server.ServerConfigEvenMgmtSvcReplicas.two.yml";
    provider_slip: "server.ServerConfigBadProvider.slip.yml";
    roles_missing: "server.BdevConfigRolesMissing.second.yml";
    duplicate_fabric: "server.ServerConfigDuplicateFabric.same-port.yml";
    ramdisk_too_small: "server.ServerConfigRamdiskUnderMinMem.three.yml";
    reserved_user: "agent.ServerConfigBadConfig.user-reserved.yml";
    bad_host: "control.ClientConnectionBadHost.range.yml";
}

#[test]
fn active_settings() {
    let checked = server(include_str!("fixtures/right/guide-server.yml")).expect("the file is right");
    insta::assert_snapshot!(checked.config.to_yaml());
}

#[test]
fn nothing_to_correct() {
    assert_eq!(render(&[], "daos_server.yml", ""), "daos_server.yml: nothing to correct\n");
}
