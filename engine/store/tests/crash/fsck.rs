//! The offline check beside the opening: what it says about images that a crash or a fault left.

use daos_store::Devices;
use daos_store::inspect::{CheckOptions, Finding, Findings, Severity, check_target};
use media::Contents;

use crate::run::{ARENA, devices};
use crate::target::IDENTITY;

/// More than any damage of one fault leads to.
const FINDINGS_MOST: usize = 1000;

/// What the check finds, values included.
fn findings(slices: &mut Devices) -> Vec<Finding> {
    let mut findings = Findings::new(FINDINGS_MOST);
    check_target(slices, Some(&IDENTITY), Some(ARENA), CheckOptions { data: true }, &mut findings);
    findings.list().to_vec()
}

/// True when the check finds something that was stored and is lost.
pub(crate) fn finds_damage(slices: &[Contents]) -> bool {
    findings(&mut devices(slices.to_vec())).iter().any(|finding| finding.advice.severity == Severity::Damage)
}

/// What a crash left is no damage: a superblock or a map chunk may be torn, the other copy is there.
pub(crate) fn check_crashed(slices: &mut Devices, what: &dyn Fn() -> String) {
    check_below(Severity::Damage, slices, what);
}

/// After a checkpoint both copies of everything are good again.
pub(crate) fn check_clean(slices: &mut Devices, what: &dyn Fn() -> String) {
    check_below(Severity::Warning, slices, what);
}

fn check_below(severity: Severity, slices: &mut Devices, what: &dyn Fn() -> String) {
    for finding in findings(slices) {
        assert!(finding.advice.severity < severity, "{}: {finding}", what());
    }
}
