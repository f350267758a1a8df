//! A concrete recipe and a template give a spec.
//!
//! Templates have no logic of their own: every decision was made in evaluation. Missing values are errors (strict mode), and
//! nothing is escaped but in pages (the default writes HTML entities).

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

/// The parts that all spec templates share, as `{{> name}}`.
pub const PARTS: [&str; 3] = ["declarations", "manual", "sections"];

/// A part that is no template.
#[derive(Debug, thiserror::Error)]
#[error("template part `{name}` cannot be read")]
pub struct PartError {
    /// Its name.
    pub name: String,
    /// What the template engine says, with line and column.
    #[source]
    pub source: Box<handlebars::TemplateError>,
}

/// Templates that share parts.
#[derive(Debug)]
pub struct Templates {
    engine: Handlebars<'static>,
}

impl Templates {
    /// With parts by name. Nothing is escaped.
    pub fn new<'p>(parts: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Templates, PartError> {
        let mut engine = Handlebars::new();
        engine.register_escape_fn(no_escape);
        Templates::with(engine, parts)
    }

    /// For HTML: values are escaped.
    pub fn for_pages<'p>(parts: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Templates, PartError> {
        Templates::with(Handlebars::new(), parts)
    }

    fn with<'p>(
        mut engine: Handlebars<'static>,
        parts: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Templates, PartError> {
        engine.set_strict_mode(true);
        for (name, text) in parts {
            engine
                .register_partial(name, text)
                .map_err(|source| PartError { name: name.to_owned(), source: Box::new(source) })?;
        }
        Ok(Templates { engine })
    }

    /// Fills a template.
    pub fn render(&self, name: &str, template: &str, data: &impl Serialize) -> Result<String, RenderError> {
        self.engine
            .render_template(template, data)
            .map_err(|source| RenderError { name: name.to_owned(), source: Box::new(source) })
    }
}
