//! `daos_agent.yml`.

use std::path::PathBuf;
use std::time::Duration;

use super::{HostPort, LogLevel, TransportConfig};

/// The whole of `daos_agent.yml`, checked and complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// System name.
    pub name: String,
    /// Servers to ask, tried in this order.
    pub access_points: Vec<HostPort>,
    /// Port of access points that name none.
    pub port: u16,
    /// Directory of `daos_agent.sock`.
    pub runtime_dir: PathBuf,
    /// Log; standard error when absent.
    pub log_file: Option<PathBuf>,
    /// Level of the log.
    pub control_log_mask: LogLevel,
    /// TLS towards the servers.
    pub transport: TransportConfig,
    /// How users are turned into credentials.
    pub credentials: CredentialConfig,
    /// Ask the servers every time.
    pub disable_caching: bool,
    /// Minutes after which a cached answer is asked for again; 0 means never.
    pub cache_expiration_min: u32,
    /// Leave the pool handles of a process that died.
    pub disable_auto_evict: bool,
    /// Evict handles left by an earlier agent.
    pub enable_evict_on_start: bool,
    /// Interfaces never offered; empty when `include_fabric_ifaces` is set.
    pub exclude_fabric_ifaces: Vec<String>,
    /// The only interfaces offered; empty means all.
    pub include_fabric_ifaces: Vec<String>,
    /// Interfaces set by hand; empty means that the agent looks for itself.
    pub fabric_ifaces: Vec<FabricInterfaces>,
    /// Prometheus port; off when absent.
    pub telemetry_port: Option<u16>,
    /// Collect telemetry of clients.
    pub telemetry_enabled: bool,
    /// How long the telemetry of a finished client is kept; absent keeps none.
    pub telemetry_retain: Option<Duration>,
    /// Regular expression of process names that are measured.
    pub telemetry_enabled_procs: Option<String>,
    /// Regular expression of process names that are not measured.
    pub telemetry_disabled_procs: Option<String>,
}

/// `credential_config`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialConfig {
    /// How long a credential is remembered; zero means not at all.
    pub cache_expiration: Duration,
    /// Users that this host's user database does not know.
    pub client_user_map: Vec<(UserKey, MappedUser)>,
}

/// Key of `client_user_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserKey {
    /// One uid.
    Uid(u32),
    /// `default`: every uid without an entry.
    Default,
}

/// Whom a uid stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedUser {
    /// User name.
    pub user: String,
    /// Main group.
    pub group: Option<String>,
    /// Further groups.
    pub groups: Vec<String>,
}

/// One entry of `fabric_ifaces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FabricInterfaces {
    /// NUMA node.
    pub numa_node: u32,
    /// Its interfaces.
    pub devices: Vec<FabricDevice>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FabricDevice {
    /// Network interface.
    pub iface: String,
    /// Fabric domain; the interface's own name when absent.
    pub domain: Option<String>,
}
