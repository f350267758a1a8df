//! `daos_server.yml`, `daos_agent.yml` and `daos_control.yml`: schema, rules and faults. Pure: text in, settings or
//! findings out.

mod agent;
mod bdev_conf;
pub mod certificate;
mod control;
mod document;
mod finding;
pub mod hostlist;
mod machine;
mod places;
mod reader;
mod render;
mod report;
mod server;
mod settings;
mod suggest;
mod to_yaml;
mod transport;
mod unsupported;
mod value;

pub use agent::agent;
pub use control::control;
pub use machine::{Machine, check_machine, engine_reserve_bytes, hugepages, ramdisk_bytes, system_ram_reserved_bytes};
pub use places::Places;
pub use render::{render, to_json};
pub use server::{server, server_with};
pub use transport::TransportRole;
pub use unsupported::unsupported;

pub use bdev_conf::{BDEV_CONF_VERSION, BdevConf, BdevDevice, BdevTier, ScmConf};
pub use finding::{Checked, Finding, Severity};
pub use settings::{
    Acceleration, AccelerationEngine, AgentConfig, AutoFaulty, BlockClass, BlockTier, BusIdRange, ControlConfig,
    ControlMetadata, CredentialConfig, EngineConfig, EnvVar, FabricDevice, FabricInterfaces, HostPort, IoBuffers,
    LogLevel, MappedUser, Overrides, PciAddress, Provider, ProviderKind, Role, Roles, ScmClass, ScmTier,
    SecondaryEndpoint, ServerConfig, SpdkRpcServer, TransportConfig, UserKey,
};
