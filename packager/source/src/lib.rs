//! Sources: the files of a cargo workspace, its vendored crates, archives of upstream releases, what the user gives in place of them, and
//! tarballs that come out the same every time.
//!
//! The lock of a cargo source is its `Cargo.lock`: names, versions and SHA-256 of every crate. cargo checks each crate against
//! it while vendoring, and vendors only what the committed lock holds.

#![allow(clippy::disallowed_methods)] // an IO crate: it reads source trees and writes tarballs

pub mod archive;
pub mod digest;
mod examined;
mod git;
pub mod given;
pub mod keep;
mod manifest;
pub mod mirror;
pub mod room;
pub mod shell;
pub mod stop;
pub mod tarball;
mod tree;
pub mod vendor;
pub mod workspace;

pub use archive::Archives;
pub use digest::Digest;
pub use room::Room;
pub use vendor::Vendored;
pub use workspace::Workspace;
