//! What gates find.

use packager_recipe::Target;
use packager_recipe::target::Severity;
use serde::Serialize;

use super::catalogue::Gate;

/// Something a gate looks for, found.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Finding {
    /// The gate: what a waiver names.
    pub finding: String,
    /// An error keeps the package out of the repository.
    pub severity: Severity,
    /// Binary package.
    pub package: String,
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Reason of the waiver that accepts it.
    pub waived: Option<String>,
}

impl Finding {
    /// Whether it keeps the package out of the repository.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.waived.is_none() && self.severity == Severity::Error
    }
}

/// Takes the findings about one package.
pub(crate) struct Report<'r> {
    target: &'r Target,
    package: &'r str,
    findings: &'r mut Vec<Finding>,
}

impl<'r> Report<'r> {
    pub(crate) fn new(target: &'r Target, package: &'r str, findings: &'r mut Vec<Finding>) -> Report<'r> {
        Report { target, package, findings }
    }

    /// A gate found something.
    pub(crate) fn add(&mut self, gate: &Gate, message: impl Into<String>) {
        self.findings.push(Finding {
            finding: gate.id.to_owned(),
            severity: gate.severity_for(self.target),
            package: self.package.to_owned(),
            message: message.into(),
            hint: gate.mend.to_owned(),
            waived: None,
        });
    }
}
