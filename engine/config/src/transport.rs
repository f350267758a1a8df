//! `transport_config`, which all three files have.

use std::path::PathBuf;

use crate::reader::{Schema, Section};
use crate::report::Report;
use crate::settings::TransportConfig;

/// Where DAOS keeps its certificates.
const CERTIFICATE_DIRECTORY: &str = "/etc/daos/certs";

/// Whose connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportRole {
    /// `daos_server`.
    Server,
    /// `daos_agent`.
    Agent,
    /// `dmg`.
    Admin,
}

impl TransportRole {
    /// The common name of the role's certificate, and the stem of its files.
    pub const fn common_name(self) -> &'static str {
        match self {
            TransportRole::Server => "server",
            TransportRole::Agent => "agent",
            TransportRole::Admin => "admin",
        }
    }
}

impl TransportConfig {
    /// What an absent `transport_config` means: secure, with DAOS's file names.
    pub fn default_for(role: TransportRole) -> TransportConfig {
        let file = |name: &str| PathBuf::from(format!("{CERTIFICATE_DIRECTORY}/{name}"));
        let stem = role.common_name();
        TransportConfig {
            allow_insecure: false,
            client_cert_dir: (role == TransportRole::Server).then(|| file("clients")),
            ca_cert: file("daosCA.crt"),
            cert: file(&format!("{stem}.crt")),
            key: file(&format!("{stem}.key")),
        }
    }
}

/// `transport_config` of a server.
pub(crate) static SERVER_TRANSPORT: Schema = Schema {
    name: "transport_config",
    keys: &["allow_insecure", "client_cert_dir", "ca_cert", "cert", "key"],
    hints: &[("server_cert", "write `cert`"), ("server_key", "write `key`"), ("insecure", "write `allow_insecure`")],
    relatives: &[],
};

/// `transport_config` of an agent or an administrator.
pub(crate) static CLIENT_TRANSPORT: Schema = Schema {
    name: "transport_config",
    keys: &["allow_insecure", "ca_cert", "cert", "key"],
    hints: &[
        ("client_cert_dir", "remove the key; only `daos_server.yml` has it"),
        ("insecure", "write `allow_insecure`"),
    ],
    relatives: &[],
};

/// Reads the section below `parent`.
pub(crate) fn read(report: &mut Report, parent: &Section, role: TransportRole) -> TransportConfig {
    let mut transport = TransportConfig::default_for(role);
    let schema = if role == TransportRole::Server { &SERVER_TRANSPORT } else { &CLIENT_TRANSPORT };
    let Some(section) = parent.section(report, "transport_config", schema) else { return transport };
    if let Some(insecure) = section.boolean(report, "allow_insecure") {
        transport.allow_insecure = insecure.value;
    }
    let mut replace = |key: &str, place: &mut PathBuf| {
        if let Some(path) = section.text(report, key) {
            *place = PathBuf::from(path.value);
        }
    };
    replace("ca_cert", &mut transport.ca_cert);
    replace("cert", &mut transport.cert);
    replace("key", &mut transport.key);
    if let Some(directory) = &mut transport.client_cert_dir {
        replace("client_cert_dir", directory);
    }
    transport
}
