//! The concrete settings: defaults applied, contradictions gone, nothing left to guess.
//!
//! These are the second of two stages. The first, as written, is a tree of YAML nodes with positions (`document`);
//! [`crate::server`], [`crate::agent`] and [`crate::control`] lead from one to the other. Consumers read these fields
//! and never look at the file again.

mod agent;
mod control;
mod engine;
mod server;
mod shared;
mod storage;

pub use agent::{AgentConfig, CredentialConfig, FabricDevice, FabricInterfaces, MappedUser, UserKey};
pub use control::ControlConfig;
pub use engine::{EngineConfig, SecondaryEndpoint};
pub use server::{ControlMetadata, Overrides, ServerConfig};
pub use shared::{EnvVar, HostPort, LogLevel, Provider, ProviderKind, TransportConfig};
pub use storage::{
    Acceleration, AccelerationEngine, AutoFaulty, BlockClass, BlockTier, BusIdRange, IoBuffers, PciAddress, Role,
    Roles, ScmClass, ScmTier, SpdkRpcServer,
};
