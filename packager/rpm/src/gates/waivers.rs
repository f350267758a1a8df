//! Waivers: which findings a recipe accepts, and whether there is such a finding at all.

use packager_recipe::target::Severity;
use packager_recipe::written::Waiver;
use packager_recipe::{Concrete, Target};

use super::catalogue::{self, Gate};
use super::finding::{Finding, Report};
use crate::inspect::Inspected;

const UNKNOWN: Gate = Gate {
    id: "unknown-waiver",
    looks_for: "a waiver for something that is no gate and that rpmlint did not find",
    why: "it is misspelt, or of another version of rpmlint, and accepts nothing",
    mend: "write the finding as `packager check` prints it, or remove the waiver",
    severity: Severity::Warning,
};

pub(super) const GATES: &[&Gate] = &[&UNKNOWN];

/// Marks the findings that the recipe accepts, and adds which of its waivers nothing is known of. What is known need not be found: it may be
/// for another target, or for a library that changed. Of a waiver for packages that were not looked at nothing is said.
pub fn waive(findings: &mut Vec<Finding>, looked_at: &[&Inspected], recipe: &Concrete, target: &Target) {
    let here = |name: &str| looked_at.iter().any(|package| package.name == name);
    let all_here = recipe.packages.iter().all(|package| here(&package.name));
    let looked_for = |waiver: &Waiver| waiver.package.as_deref().map_or(all_here, here);
    let known = |waiver: &Waiver| {
        catalogue::find(&waiver.finding).is_some() || findings.iter().any(|finding| finding.finding == waiver.finding)
    };
    let unknown: Vec<&Waiver> = recipe.waivers.iter().filter(|waiver| looked_for(waiver) && !known(waiver)).collect();
    for waiver in unknown {
        let first = recipe.packages.first().map_or(&recipe.name, |package| &package.name);
        let mut report = Report::new(target, waiver.package.as_ref().unwrap_or(first), findings);
        report.add(&UNKNOWN, format!("there is no finding `{}`", waiver.finding));
    }
    accept(findings, recipe);
}

/// Marks the findings that the recipe accepts.
pub(super) fn accept(findings: &mut [Finding], recipe: &Concrete) {
    for finding in findings {
        let accepted = recipe.waivers.iter().find(|waiver| accepts(waiver, finding));
        finding.waived = accepted.map(|waiver| waiver.reason.clone());
    }
}

fn accepts(waiver: &Waiver, finding: &Finding) -> bool {
    waiver.finding == finding.finding
        && waiver.package.as_ref().is_none_or(|package| *package == finding.package)
        && waiver.containing.as_ref().is_none_or(|part| finding.message.contains(part.as_str()))
}

#[cfg(test)]
mod tests {
    use rpm::Dependency;

    use super::*;
    use crate::gates::made::{Made, waived};

    fn waiver(finding: &str, package: Option<&str>, containing: Option<&str>) -> Waiver {
        let owned = |text: &str| text.to_owned();
        Waiver {
            finding: owned(finding),
            package: package.map(owned),
            containing: containing.map(owned),
            reason: owned("a test"),
        }
    }

    /// What is open after waivers for a package with an unmet requirement.
    fn open(waivers: Vec<Waiver>) -> Vec<String> {
        let app = Made::new("app").requires(Dependency::any("nobody-has-this"));
        let found = waived([app], |recipe| recipe.waivers = waivers);
        found.into_iter().filter(|finding| finding.waived.is_none()).map(|finding| finding.finding).collect()
    }

    #[test]
    fn a_waiver_for_what_nothing_finds_is_named() {
        assert_eq!(open(Vec::new()), ["unresolvable"]);
        for good in [
            waiver("unresolvable", None, None),
            waiver("unresolvable", Some("app"), None),
            waiver("unresolvable", Some("app"), Some("nobody")),
        ] {
            assert_eq!(open(vec![good]), [] as [&str; 0]);
        }
        // Of a gate, but not for this.
        for other in [waiver("unresolvable", Some("app"), Some("somebody")), waiver("abi-break", None, None)] {
            assert_eq!(open(vec![other]), ["unresolvable"]);
        }
        for unknown in [waiver("unresolveable", None, None), waiver("no-binarry", Some("app"), None)] {
            assert_eq!(open(vec![unknown]), ["unresolvable", "unknown-waiver"]);
        }
        // Its package was not looked at.
        assert_eq!(open(vec![waiver("no-binarry", Some("app-libs"), None)]), ["unresolvable"]);
        let accepted = vec![waiver("no-binarry", None, None), waiver("unknown-waiver", None, None)];
        assert_eq!(open(accepted), ["unresolvable"]);
    }
}
