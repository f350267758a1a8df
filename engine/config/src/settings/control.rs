//! `daos_control.yml`.

use super::{HostPort, TransportConfig};

/// The whole of `daos_control.yml`, checked and complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlConfig {
    /// System name.
    pub name: String,
    /// Port of hosts that name none.
    pub port: u16,
    /// Servers, expanded from the hostlist, in the order written.
    pub hostlist: Vec<HostPort>,
    /// TLS towards the servers.
    pub transport: TransportConfig,
}
