//! `config validate`: every finding at once.

use std::path::Path;

use config::Overrides;

use super::envelope::Outcome;
use super::settings::{self, Purpose};

/// Checks the file. Fails when it cannot be used.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let source = match settings::read(file) {
        Ok(source) => source,
        Err(fault) => return fault.into(),
    };
    let (config, findings) = settings::check(&source, &Overrides::default(), Purpose::Validate);
    let name = source.path.display().to_string();
    let text =
        if findings.is_empty() { format!("`{name}` is valid") } else { config::render(&findings, &name, &source.text) };
    let response = serde_json::json!({ "file": name, "findings": config::to_json(&findings) });
    match config {
        Some(_) => Outcome::done(response, text),
        None => Outcome::failed_with(format!("`{name}` is not valid"), response, text),
    }
}
