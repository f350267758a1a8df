//! What is needed, who provides it, and in which order things are built. Pure: repositories are arguments.

pub mod capability;
pub mod plan;

pub use capability::{Capability, Relation};
pub use plan::{Plan, PlanError, Provider, Repository, Step, plan};
