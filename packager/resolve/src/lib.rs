//! What is needed, who provides it, in which order things are built, and what a set of packages does to a system. Pure:
//! repositories are arguments, texts come in and values go out.

pub mod advisories;
mod architecture;
pub mod asked;
pub mod capability;
pub mod dependency;
pub mod difference;
pub mod distribution;
pub mod evr;
pub mod fault;
pub mod groups;
mod index;
pub mod met;
mod metadata;
pub mod plan;
mod repository;
pub mod retention;
pub mod solve;
pub mod universe;

pub use capability::{Capability, Relation};
pub use dependency::Dependency;
pub use distribution::Distribution;
pub use evr::Evr;
pub use fault::ParseError;
pub use met::{Met, UnmetError, met};
pub use plan::{Plan, PlanError, Provider, Step, plan};
pub use repository::{Answer, CapabilityList, Repository};
pub use solve::{Goal, Request, RequestError, Transaction, resolve};
pub use universe::{Package, Universe};
