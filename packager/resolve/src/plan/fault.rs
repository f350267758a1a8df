//! Why there is no plan.

use crate::fault::ParseError;

/// Why there is no plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// Nobody has this name.
    #[error("no recipe or package is called `{name}`\nhint: {hint}")]
    UnknownPackage {
        /// As asked for.
        name: String,
        /// What to write.
        hint: String,
    },
    /// A requirement that cannot be read.
    #[error(
        "`{package}` requires `{requirement}`, which is no dependency: {fault}\nhint: correct `requires:` in the recipe `{recipe}`"
    )]
    Unreadable {
        /// The recipe.
        recipe: String,
        /// Who asks.
        package: String,
        /// For what.
        requirement: String,
        /// What is wrong with it.
        fault: Box<ParseError>,
    },
    /// Nobody provides this.
    #[error("`{package}` requires `{requirement}`, which {cannot}\nhint: {hint}")]
    Unprovided {
        /// Who asks.
        package: String,
        /// For what.
        requirement: String,
        /// What there is instead.
        cannot: String,
        /// Remedy.
        hint: String,
    },
    /// Recipes that need each other.
    #[error("recipes need each other: {}\nhint: leave out one of these dependencies, or make a recipe of its own of what both need", .0.join("; "))]
    Cycle(
        /// Each step of the circle in words.
        Vec<String>,
    ),
}
