//! `daos_server.yml`, `daos_agent.yml` and `daos_control.yml`: schema, rules and faults. Pure: text in, settings or
//! findings out.
//!
//! [`server`], [`agent`] and [`control`] give [`Checked`] settings with all defaults applied, or every [`Finding`] at
//! once. Further checks take what a pure crate cannot know as arguments: [`check_machine`] the size of the machine,
//! [`certificate`] bytes and permission bits. [`unsupported`] says what the present engine cannot run. The text for
//! people is [`render`], for programs [`to_json`]. The reference of all keys is engine/docs/configuration.md.
//!
//! Invariants: no input panics; every finding has a remedy; settings written by [`ServerConfig::to_yaml`] read the same.

mod agent;
mod bdev_conf;
pub mod certificate;
mod control;
mod document;
mod encoding;
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
pub use encoding::text;
pub use machine::{Machine, check_machine, engine_reserve_bytes, hugepages, ramdisk_bytes, system_ram_reserved_bytes};
pub use places::Places;
pub use render::{render, to_json};
pub use server::{server, server_with};
pub use transport::TransportRole;
pub use unsupported::unsupported;

pub use bdev_conf::{BDEV_CONF_VERSION, BdevConf, BdevConfVersion, BdevDevice, BdevTier, ScmConf};
pub use finding::{Checked, Finding, Severity};
pub use settings::{
    Acceleration, AccelerationEngine, AgentConfig, AutoFaulty, BlockClass, BlockTier, BusIdRange, ControlConfig,
    ControlMetadata, CredentialConfig, EngineConfig, EnvVar, FabricDevice, FabricInterfaces, HostPort, IoBuffers,
    LogLevel, MappedUser, Overrides, PciAddress, Provider, ProviderKind, Role, Roles, ScmClass, ScmTier,
    SecondaryEndpoint, ServerConfig, SpdkRpcServer, TransportConfig, UserKey,
};

#[cfg(test)]
mod schema_tests;
