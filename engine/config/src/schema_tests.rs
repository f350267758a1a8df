//! No key may be missing from the reference or from the files that show every key.

use crate::agent::{AGENT, CREDENTIALS, DEVICE, INTERFACES, USER};
use crate::control::CONTROL;
use crate::reader::Schema;
use crate::server::schema as server;
use crate::transport::{CLIENT_TRANSPORT, SERVER_TRANSPORT};

const REFERENCE: &str = include_str!("../../docs/configuration.md");

fn every_key_in(schemas: &[&Schema], shown: &str, what: &str) {
    for schema in schemas {
        for key in schema.keys {
            let documented = [format!("`{key}`"), format!(".{key}`"), format!("`{key}.")];
            assert!(
                documented.iter().any(|form| REFERENCE.contains(form)),
                "`{key}` of `{}` is not in configuration.md",
                schema.name
            );
            assert!(shown.contains(&format!("{key}:")), "`{key}` of `{}` is in none of the {what}", schema.name);
        }
    }
}

#[test]
fn servers_keys_are_documented_and_shown() {
    let shown = concat!(
        include_str!("../tests/fixtures/right/server-maximal-2.6.yml"),
        include_str!("../tests/fixtures/right/server-maximal-2.8.yml"),
    );
    let schemas = [
        &server::SERVER,
        &server::CONTROL_METADATA,
        &server::SUPPORT,
        &server::ENGINE,
        &server::TIER,
        &server::ENDPOINT,
        &server::ACCELERATION,
        &server::SPDK_RPC,
        &server::AUTO_FAULTY,
        &server::IOBUF,
        &SERVER_TRANSPORT,
    ];
    every_key_in(&schemas, shown, "server-maximal files");
}

#[test]
fn agents_and_administrators_keys_are_documented_and_shown() {
    let shown = concat!(
        include_str!("../tests/fixtures/right/agent-maximal.yml"),
        include_str!("../tests/fixtures/right/agent-alternatives.yml"),
    );
    every_key_in(&[&AGENT, &CREDENTIALS, &USER, &INTERFACES, &DEVICE, &CLIENT_TRANSPORT], shown, "agent files");
    let shown = include_str!("../tests/fixtures/right/control-maximal.yml");
    every_key_in(&[&CONTROL, &CLIENT_TRANSPORT], shown, "administrators' files");
}

#[test]
fn hints_are_for_keys_that_are_unknown() {
    for schema in
        [&server::SERVER, &server::ENGINE, &server::TIER, &AGENT, &CONTROL, &CLIENT_TRANSPORT, &SERVER_TRANSPORT]
    {
        for (old, hint) in schema.hints {
            assert!(!schema.keys.contains(old), "{old}");
            assert!(!hint.is_empty());
        }
    }
}
