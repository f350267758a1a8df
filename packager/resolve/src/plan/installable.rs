//! Whether dnf could install what is going to be built, asked before anything is built: the solver over the packages of recipes as they
//! will be and the target's lock.
//!
//! The lock is not the whole distribution, so nothing is refused for what it does not hold: its packages are taken to be installable by
//! themselves, and one whose version nobody knows answers every version. What remains are contradictions between what is known.

use packager_recipe::lock::Locked;
use packager_recipe::{Concrete, Target};

use crate::solve::{Goal, Request, RequestError, resolve};
use crate::universe::{PRIORITY_DEFAULT, Package, PackageError, Universe};

use super::Plan;

/// The version of a package of which nobody knows it; it provides its name at every version beside.
const UNKNOWN: &str = "0";

/// The package with what follows from its version.
const GLIBC: &str = "glibc";

/// A package that could not be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// The solver's reasons.
    #[error("`{package}` could not be installed on {target}: {conflict}")]
    Conflict {
        /// The package.
        package: String,
        /// Where.
        target: String,
        /// Why.
        conflict: Box<RequestError>,
    },
    /// The lock.
    #[error("the lock of `{target}` has a package that cannot be one: {fault}")]
    Lock {
        /// Of which target.
        target: String,
        /// What is wrong.
        fault: Box<PackageError>,
    },
}

/// Asks for each package of the plan, one by one.
pub fn installable(plan: &Plan, recipes: &[Concrete], target: &Target) -> Result<(), InstallError> {
    let universe = universe(plan, recipes, target)
        .map_err(|fault| InstallError::Lock { target: target.name.clone(), fault: Box::new(fault) })?;
    for (_, step) in plan.steps() {
        for package in &step.packages {
            // With the version, so that the distribution's of the same name is no answer.
            let wanted = format!("{package} = {}", step.evr);
            if let Err(conflict) = resolve(&universe, &Request::new(vec![Goal::Install(wanted)])) {
                let (package, target) = (package.clone(), target.name.clone());
                return Err(InstallError::Conflict { package, target, conflict: Box::new(conflict) });
            }
        }
    }
    Ok(())
}

/// What a lock says of a package.
fn of_lock(locked: &Locked, arch: &str) -> Package {
    let mut provides = locked.provides.clone();
    if locked.evr.is_none() {
        provides.push(locked.name.clone());
    }
    Package {
        name: locked.name.clone(),
        evr: locked.evr.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
        arch: locked.arch.clone().unwrap_or_else(|| arch.to_owned()),
        provides,
        files: locked.files.clone(),
        conflicts: locked.conflicts.clone(),
        obsoletes: locked.obsoletes.clone(),
        ..Package::default()
    }
}

fn universe(plan: &Plan, recipes: &[Concrete], target: &Target) -> Result<Universe, PackageError> {
    let arch = target.arch.name();
    let mut universe = Universe::new(arch);
    let ours = universe.repository("to be built", PRIORITY_DEFAULT);
    for recipe in recipes.iter().filter(|recipe| plan.step(&recipe.name).is_some()) {
        for package in &recipe.packages {
            let expanded = |texts: &[String]| texts.iter().map(|text| recipe.expanded(text)).collect::<Vec<_>>();
            let mut requires = expanded(&package.requires);
            requires.extend(expanded(&package.requires_pre));
            universe.add(
                ours,
                Package {
                    name: package.name.clone(),
                    evr: recipe.evr(),
                    arch: arch.to_owned(),
                    provides: expanded(&package.provides),
                    requires,
                    ..Package::default()
                },
            )?;
        }
    }
    let mut glibc = target.glibc_capabilities();
    for known in &target.lock.known {
        let repository = universe.repository(known.repository.as_deref().unwrap_or("distribution"), PRIORITY_DEFAULT);
        for locked in known.packages_on(target.arch) {
            let mut package = of_lock(locked, arch);
            // A lock keeps none of the capabilities that follow from the version.
            if locked.name == GLIBC {
                package.provides.append(&mut glibc);
            }
            universe.add(repository, package)?;
        }
    }
    if !glibc.is_empty() {
        let profile = universe.repository(&target.name, PRIORITY_DEFAULT);
        universe.add(
            profile,
            Package {
                name: GLIBC.to_owned(),
                evr: target.profile.glibc.clone(),
                arch: arch.to_owned(),
                provides: glibc,
                ..Package::default()
            },
        )?;
    }
    Ok(universe)
}
