//! All gates, as data: each says what it looks for, why, and how to mend what it finds. A target's profile may make an error a warning
//! and the other way round; a recipe's waiver accepts single findings.

use packager_recipe::Target;
use packager_recipe::target::Severity;
use serde::Serialize;

/// A gate.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// What waivers and profiles name.
    pub id: &'static str,
    /// What it looks for.
    pub looks_for: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do about a finding.
    pub mend: &'static str,
    /// Unless the target's profile says otherwise.
    pub severity: Severity,
}

impl Gate {
    /// How much a finding of it matters for a target.
    #[must_use]
    pub fn severity_for(&self, target: &Target) -> Severity {
        target.profile.gates.get(self.id).copied().unwrap_or(self.severity)
    }
}

/// All gates in the order of their modules.
#[must_use]
pub fn all() -> Vec<&'static Gate> {
    super::SUBJECTS.iter().map(|(gates, _)| *gates).chain([super::waivers::GATES]).flatten().copied().collect()
}

/// The gate of a name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Gate> {
    all().into_iter().find(|gate| gate.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{all, find};

    #[test]
    fn every_gate_has_a_name_of_its_own_and_explains_itself() {
        let gates = all();
        let names: BTreeSet<&str> = gates.iter().map(|gate| gate.id).collect();
        assert_eq!(names.len(), gates.len(), "a name is used twice");
        for gate in gates {
            assert!(gate.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", gate.id);
            for text in [gate.looks_for, gate.why, gate.mend] {
                assert!(text.len() > 10 && !text.ends_with('.'), "{}: {text}", gate.id);
            }
            assert_eq!(find(gate.id), Some(gate));
        }
        assert_eq!(find("no-such-gate"), None);
    }
}
