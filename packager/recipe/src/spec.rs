//! A concrete recipe and a template give a spec.
//!
//! Templates have no logic of their own: every decision was made in evaluation. Missing values are errors (strict mode), and
//! nothing is escaped (the default would write HTML entities).

use handlebars::{Handlebars, no_escape};
use serde::Serialize;

/// A template that does not fit its data.
#[derive(Debug, thiserror::Error)]
#[error("template `{name}` cannot be filled")]
pub struct RenderError {
    /// File name of the template.
    pub name: String,
    /// What the template engine says, with line and column.
    #[source]
    pub source: Box<handlebars::RenderError>,
}

/// Fills a template.
pub fn render(name: &str, template: &str, data: &impl Serialize) -> Result<String, RenderError> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    engine
        .render_template(template, data)
        .map_err(|source| RenderError { name: name.to_owned(), source: Box::new(source) })
}
