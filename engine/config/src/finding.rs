//! Findings: everything that is wrong with a file, each with its place.

use types::FaultName;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used; the reader should know.
    Notice,
}

/// One thing found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The fault's stable name.
    pub name: FaultName,
    /// Line, from 1; 0 when the finding belongs to no line.
    pub line: usize,
    /// Column in characters, from 1; 0 when the finding belongs to no line.
    pub column: usize,
    /// Where in the settings, as in `engines[0].storage[1].bdev_roles`; empty for the whole file.
    pub path: String,
    /// What is wrong; lower case, no period.
    pub description: String,
    /// What to do, in the imperative.
    pub resolution: String,
}

impl Finding {
    /// As a fault, for programs that print only one.
    pub fn fault(&self) -> types::Fault {
        types::Fault::new(self.name, self.description.clone(), self.resolution.clone())
    }
}

/// Settings with the notices found on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T> {
    /// The settings.
    pub config: T,
    /// Only of severity [`Severity::Notice`], in file order.
    pub notices: Vec<Finding>,
    /// Where each setting stands, for findings of later checks.
    pub places: crate::Places,
}
