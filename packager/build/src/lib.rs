//! From a concrete recipe and its sources to unsigned packages, in a sandbox, each result kept under its build key.

#![allow(clippy::disallowed_methods)] // an IO crate: it runs rpmbuild and keeps its results

pub mod budget;
mod buildroot;
mod cross;
mod cxx;
pub mod documents;
#[cfg(test)]
mod fixture;
pub mod gnu;
pub mod key;
mod left;
mod linking;
pub mod macros;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod stages;
pub mod store;
mod sysroot;
pub mod tools;
mod workplace;

pub use budget::Budget;
pub use buildroot::Buildroot;
pub use gnu::Gnu;
pub use run::RunError;
pub use stages::{BuildError, Job, Linked, Made, Origin};
pub use store::{Artifact, Store};
pub use tools::{ToolError, Toolchain};
