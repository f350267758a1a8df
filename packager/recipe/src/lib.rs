//! Recipes, from the text a person wrote to what is built for one target.
//!
//! Two stages, two kinds of types: [`written`] is the file as it stands, with positions; [`concrete`] is what one
//! target gets, with nothing left to decide. [`target`] holds the profiles of the distributions, [`lock`] what is known
//! of their packages, [`groups`] and [`security`] what repositories say beside their packages, [`spec`] fills the
//! templates. This crate touches no file: texts come in, texts go out.

pub mod changelog;
mod commands;
pub mod concrete;
pub mod diagnostic;
mod evaluate;
pub mod groups;
pub mod lock;
mod owners;
mod package;
mod scriptlet;
pub mod security;
pub mod spec;
pub mod sysusers;
pub mod target;
mod upstream;
pub mod values;
mod version;
pub mod written;

pub use concrete::Concrete;
pub use diagnostic::Diagnostic;
pub use evaluate::{Facts, evaluate};
pub use groups::Groups;
pub use lock::Lock;
pub use package::USER_TOOLS;
pub use security::Security;
pub use target::{Arch, Target, TargetName};
pub use written::Recipe;
