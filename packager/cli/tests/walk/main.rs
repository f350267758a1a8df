//! The packager as a user walks through it, with a small cargo project.
//!
//! Needs what `scripts/packager` installs, and dnf. State and repositories lie in temporary folders; the toolchain is the one of
//! the user's packager state. The signing key is made once for all walks.

#![allow(clippy::disallowed_methods)] // a suite: it runs the real program, rpm and dnf

mod absent;
mod announced;
mod buildroots;
#[path = "../../../repo/examples/generate/package.rs"]
mod generated;
mod given;
mod locks;
mod mistakes;
mod plans;
mod questions;
mod repositories;
mod server;
mod side_by_side;
mod sources;
mod stops;
mod upstream;
mod whole;
mod yard;
