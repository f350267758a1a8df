//! The gates: what must hold of a package before it may enter a repository. Each finding says what, where and what to do.
//!
//! A gate is data ([`catalogue`]); the module it lies in looks for what it forbids. packager/docs/gates.md says how severities and waivers work.

mod abi;
pub mod catalogue;
mod conflicts;
mod finding;
mod form;
mod hardening;
mod isa;
mod leaks;
mod licence;
#[cfg(test)]
pub(crate) mod made;
mod permissions;
mod placement;
mod requirements;
mod scene;
mod signature;
mod symbol_versions;
mod waivers;

pub use catalogue::Gate;
pub use finding::Finding;
pub use scene::Scene;
pub use waivers::waive;

use packager_recipe::{Concrete, Target};

use crate::inspect::Inspected;
use finding::Report;
use scene::Subject;

/// What looks at one package of a scene.
type Look = fn(&Scene<'_>, &Subject<'_>, &mut Report<'_>);

/// What is looked at: the gates, and what runs them.
const SUBJECTS: [(&[&Gate], Look); 12] = [
    (requirements::GATES, requirements::look),
    (form::GATES, form::look),
    (signature::GATES, signature::look),
    (licence::GATES, licence::look),
    (permissions::GATES, permissions::look),
    (conflicts::GATES, conflicts::look),
    (placement::GATES, placement::look),
    (leaks::GATES, leaks::look),
    (symbol_versions::GATES, symbol_versions::look),
    (isa::GATES, isa::look),
    (hardening::GATES, hardening::look),
    (abi::GATES, abi::look),
];

/// Runs all gates that look at packages themselves over the packages of one recipe. No finding is waived yet.
#[must_use]
pub fn check<'p>(
    packages: impl IntoIterator<Item = &'p Inspected>,
    recipe: &Concrete,
    scene: &Scene<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let subject = Subject::new(package, recipe);
        let mut report = Report::new(scene.target, &package.name, &mut findings);
        for (_, look) in SUBJECTS {
            look(scene, &subject, &mut report);
        }
    }
    findings
}

/// Runs the gate that needs a signed package alone: the others saw it before it was signed.
#[must_use]
pub fn signatures(package: &Inspected, recipe: &Concrete, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    signature::look_at(package, target, &mut Report::new(target, &package.name, &mut findings));
    waivers::accept(&mut findings, recipe);
    findings
}
