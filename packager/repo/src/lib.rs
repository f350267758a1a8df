//! A yum repository: packages, signed metadata, the public key and the `.repo` file, published as a whole.
//!
//! What metadata says and how it is written down is `packager-repodata`'s; here it meets the file system: [`found`] reads packages,
//! [`stored`] reads the metadata of a repository, [`written`] writes new metadata beside it (and `spliced`
//! where little changes), [`listed`] holds files against
//! metadata, [`operations`] puts them together, [`attached`] does so with metadata of other kinds, and [`mirror_list`] makes
//! metadata below an address of its own. [`verify`] follows a signature to every
//! package, [`destination`] brings a repository to where hosts take it from, [`serve`] gives it out.

#![allow(clippy::disallowed_methods)] // an IO crate: it writes repositories

pub mod attached;
pub mod attested;
pub mod collect;
pub mod destination;
mod exchange;
mod found;
mod listed;
pub mod metadata;
pub mod mirror_list;
pub mod operations;
pub mod publish;
pub mod serve;
mod spliced;
pub mod stored;
pub mod verify;
mod written;

pub use attached::{AttachError, Attachment};
pub use listed::{ListedError, is_inside};
pub use metadata::MetadataError;
pub use operations::{Outcome, Settings};
pub use publish::{Description, Published, RepoError};
