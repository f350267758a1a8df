//! A yum repository: packages, signed metadata, the public key and the `.repo` file, published as a whole.
//!
//! Metadata is written by `createrepo_c` behind [`metadata`]; nothing else in the house knows that.

#![allow(clippy::disallowed_methods)] // an IO crate: it writes repositories

pub mod listing;
pub mod metadata;
pub mod publish;
pub mod verify;

pub use publish::{Description, Published, RepoError};
