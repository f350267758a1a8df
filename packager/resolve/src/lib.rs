//! What is needed, who provides it, in which order things are built, and what a set of packages does to a system. Pure:
//! repositories are arguments, texts come in and values go out.

pub mod capability;
pub mod dependency;
pub mod evr;
pub mod fault;
pub mod plan;

pub use capability::{Capability, Relation};
pub use dependency::Dependency;
pub use evr::Evr;
pub use fault::ParseError;
pub use plan::{Plan, PlanError, Provider, Repository, Step, plan};
