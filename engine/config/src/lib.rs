//! `daos_server.yml`, `daos_agent.yml` and `daos_control.yml`: schema, rules and faults. Pure: text in, settings or
//! findings out.

mod bdev_conf;
mod finding;
mod settings;

pub use bdev_conf::{BDEV_CONF_VERSION, BdevConf, BdevDevice, BdevTier, ScmConf};
pub use finding::{Checked, Finding, Severity};
pub use settings::{
    Acceleration, AccelerationEngine, AgentConfig, AutoFaulty, BlockClass, BlockTier, BusIdRange, ControlConfig,
    ControlMetadata, CredentialConfig, EngineConfig, EnvVar, FabricDevice, FabricInterfaces, HostPort, IoBuffers,
    LogLevel, MappedUser, Overrides, PciAddress, Provider, ProviderKind, Role, Roles, ScmClass, ScmTier,
    SecondaryEndpoint, ServerConfig, SpdkRpcServer, TransportConfig, UserKey,
};
