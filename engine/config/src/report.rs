//! Collects findings while a file is read.

use std::collections::BTreeSet;

use types::FaultName;

use crate::document::Mark;
use crate::{Finding, Severity};

/// Most findings kept: nobody reads more, and a file of wrong keys must not cost more memory than it has bytes.
const MAX_FINDINGS: usize = 200;

/// Longest value printed in a description.
const MAX_QUOTED_CHARS: usize = 80;

/// The findings so far, and the settings that have an error.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    bad: BTreeSet<String>,
    dropped: usize,
}

impl Report {
    /// An error with DAOS's name for it.
    pub(crate) fn fault(
        &mut self,
        name: FaultName,
        mark: Mark,
        path: &str,
        description: impl Into<String>,
        resolution: impl Into<String>,
    ) {
        self.bad.insert(path.to_owned());
        self.push(Severity::Error, name, mark, path, description.into(), resolution.into());
    }

    /// An error for which DAOS has no name of its own.
    pub(crate) fn error_at(
        &mut self,
        mark: Mark,
        path: &str,
        description: impl Into<String>,
        resolution: impl Into<String>,
    ) {
        self.fault(FaultName::ServerConfigBadConfig, mark, path, description, resolution);
    }

    /// Something to know.
    pub(crate) fn notice(
        &mut self,
        name: FaultName,
        mark: Mark,
        path: &str,
        description: impl Into<String>,
        resolution: impl Into<String>,
    ) {
        self.push(Severity::Notice, name, mark, path, description.into(), resolution.into());
    }

    /// True when no error has been found at `path`.
    pub(crate) fn good(&self, path: &str) -> bool {
        !self.bad.contains(path)
    }

    /// True when no error has been found at `path` or below it.
    pub(crate) fn clean(&self, path: &str) -> bool {
        let below =
            |bad: &String| bad.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        !self.bad.iter().any(below)
    }

    /// All findings in file order.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| (finding.line, finding.column));
        if self.dropped > 0 {
            self.findings.push(Finding {
                severity: Severity::Error,
                name: FaultName::ServerConfigBadConfig,
                line: 0,
                column: 0,
                path: String::new(),
                description: format!("{} more findings are not listed", self.dropped),
                resolution: "correct the findings listed, then check the file again".to_owned(),
            });
        }
        self.findings
    }

    fn push(
        &mut self,
        severity: Severity,
        name: FaultName,
        mark: Mark,
        path: &str,
        description: String,
        resolution: String,
    ) {
        if self.findings.len() >= MAX_FINDINGS {
            self.dropped += 1;
            return;
        }
        let (line, column, path) = (mark.line, mark.column, path.to_owned());
        self.findings.push(Finding { severity, name, line, column, path, description, resolution });
    }
}

/// The settings, or everything that is wrong with them.
pub(crate) fn conclude<T>(
    report: Report,
    config: Option<(T, crate::Places)>,
) -> Result<crate::Checked<T>, Vec<Finding>> {
    let findings = report.finish();
    match config {
        Some((config, places)) if findings.iter().all(|finding| finding.severity == Severity::Notice) => {
            Ok(crate::Checked { config, notices: findings, places })
        }
        _ => Err(findings),
    }
}

/// A value between backticks, on one line and of bounded length.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String =
        text.chars().take(MAX_QUOTED_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        shown.push_str("...");
    }
    format!("`{shown}`")
}
