//! One entry of `engines:`.

use std::path::PathBuf;

use super::{Acceleration, AutoFaulty, BlockTier, EnvVar, IoBuffers, Provider, Roles, ScmTier, SpdkRpcServer};

/// One engine process. What the file leaves to the global section has been copied in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Number of targets, at least 1.
    pub targets: u32,
    /// Helper threads.
    pub nr_xs_helpers: u32,
    /// First core; excludes `pinned_numa_node`.
    pub first_core: Option<u32>,
    /// NUMA node to stay on; excludes `first_core`.
    pub pinned_numa_node: Option<u32>,
    /// Network interface.
    pub fabric_iface: String,
    /// Port of the data path.
    pub fabric_iface_port: u16,
    /// Fabric provider.
    pub provider: Provider,
    /// RPC timeout in seconds.
    pub crt_timeout: Option<u32>,
    /// Shared receive contexts off.
    pub disable_srx: bool,
    /// Provider authentication key.
    pub fabric_auth_key: Option<String>,
    /// Start although a device reports bad health.
    pub bypass_health_chk: bool,
    /// Endpoints of further providers; nothing uses them yet.
    pub secondary_endpoints: Vec<SecondaryEndpoint>,
    /// `D_LOG_MASK`.
    pub log_mask: String,
    /// `D_LOG_FILE`; standard error when absent.
    pub log_file: Option<PathBuf>,
    /// Environment of the process.
    pub env_vars: Vec<EnvVar>,
    /// Names of variables handed on from the server's own environment.
    pub env_pass_through: Vec<String>,
    /// Modules to load (`-m`).
    pub modules: Option<String>,
    /// The memory tier.
    pub scm: ScmTier,
    /// Block tiers in file order, with their roles settled.
    pub bdevs: Vec<BlockTier>,
    /// Data movement offload.
    pub acceleration: Acceleration,
    /// JSON-RPC server of SPDK.
    pub spdk_rpc_server: SpdkRpcServer,
    /// When a device is declared faulty.
    pub bdev_auto_faulty: AutoFaulty,
    /// SPDK's buffer pools.
    pub spdk_iobuf: IoBuffers,
}

impl EngineConfig {
    /// Every role that some block tier has.
    pub fn roles(&self) -> Roles {
        self.bdevs.iter().fold(Roles::NONE, |all, tier| all.union(tier.roles))
    }

    /// True when metadata is kept on SSD: the block tiers have roles.
    pub fn metadata_on_ssd(&self) -> bool {
        self.roles() != Roles::NONE
    }
}

/// `secondary_provider_endpoints`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondaryEndpoint {
    /// Provider.
    pub provider: Provider,
    /// Network interface.
    pub fabric_iface: String,
    /// Port.
    pub fabric_iface_port: u16,
}
