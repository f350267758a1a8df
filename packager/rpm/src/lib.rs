//! What is read from and done to a finished package: inspect, gates, bill of materials, keys, sign, verify, compare.

#![allow(clippy::disallowed_methods)] // an IO crate: it reads packages and signs them

mod abidiff;
mod certificate;
pub mod compare;
pub mod cyclonedx;
pub mod dsse;
pub mod elf;
pub mod gates;
pub mod inspect;
pub mod keys;
pub mod lint;
mod open;
pub mod provenance;
pub mod sbom;
pub mod sign;

pub use gates::{Finding, Scene, check};
pub use inspect::{Inspected, PackageError, extract};
pub use keys::{KeyError, SigningKey, VerifyingKey};
