//! `daos_server.yml`: from text to [`ServerConfig`] or to everything that is wrong with it.

mod across;
mod engine;
mod global;
mod overrides;
mod replicas;
mod roles;
pub(crate) mod schema;
mod tier;

pub(crate) use global::{DEFAULT_PORT, log_level};
pub(crate) use replicas::hosts;

use crate::document;
use crate::reader::Section;
use crate::report::{Report, conclude};
use crate::{Checked, Finding, Overrides, Places, ServerConfig};

/// Checks the text of `daos_server.yml`. All findings come at once, in file order.
pub fn server(text: &str) -> Result<Checked<ServerConfig>, Vec<Finding>> {
    server_with(text, &Overrides::default())
}

/// [`server`] with the values of the command line in place of the file's own.
pub fn server_with(text: &str, overrides: &Overrides) -> Result<Checked<ServerConfig>, Vec<Finding>> {
    let mut report = Report::default();
    let config = document::parse(text, &mut report).and_then(|root| {
        let root = overrides::apply(&root, overrides);
        let section = Section::open(&mut report, &root, "", &schema::SERVER)?;
        Some((global::read(&mut report, &section), Places::of(&root)))
    });
    conclude(report, config)
}
