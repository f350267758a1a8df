//! A recipe as it stands in `specs/<package>/recipe.yaml`, with the positions of what may be wrong.
//!
//! The keys are described in packager/docs/pipeline.md and upstream-projects.md. Unknown keys are errors.

mod method;
mod package;
mod recipe;
mod source;

pub use method::{Autotools, Cargo, Choice, Cmake, Make, Meson, Method, Value};
pub use package::{Entry, Package};
pub use recipe::{Dispatched, Instead, Language, Private, Recipe, Waiver};
pub use source::{Also, Archive, Patch, Source};

/// A key that may be absent, but is there with a value: one without a value was meant to have one.
fn present<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
