//! What is needed, who provides it, in which order things are built, and what a set of packages does to a system. Pure:
//! repositories are arguments, texts come in and values go out.

mod architecture;
pub mod capability;
pub mod dependency;
pub mod evr;
pub mod fault;
pub mod plan;
pub mod solve;
pub mod universe;

pub use capability::{Capability, Relation};
pub use dependency::Dependency;
pub use evr::Evr;
pub use fault::ParseError;
pub use plan::{Plan, PlanError, Provider, Repository, Step, plan};
pub use solve::{Goal, Request, RequestError, Transaction, resolve};
pub use universe::{Package, Universe};
