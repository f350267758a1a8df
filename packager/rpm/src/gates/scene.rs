//! What gates see: the packages that are published together, those they replace, the recipe and the target.

use std::collections::BTreeMap;

use packager_recipe::{Concrete, Target};
use packager_resolve::{CapabilityList, Distribution, UnmetError, met};

use crate::elf::{self, Facts};
use crate::inspect::{File, Inspected};

/// Everything that is the same for all packages.
pub struct Scene<'s> {
    /// The packages that are published together: they answer each other's requirements, and debug packages have the symbols of the others.
    pub(crate) all: &'s [Inspected],
    /// What the repository holds now.
    pub(crate) previous: &'s [Inspected],
    /// What the packages are for.
    pub target: &'s Target,
    /// What the target offers.
    distribution: Distribution,
    /// What the packages offer.
    ours: CapabilityList,
    symbols: BTreeMap<String, &'s [u8]>,
    symbols_before: BTreeMap<String, &'s [u8]>,
}

impl<'s> Scene<'s> {
    /// A scene. `previous` are packages of the repository that will be replaced; none when there is none.
    #[must_use]
    pub fn new(all: &'s [Inspected], previous: &'s [Inspected], target: &'s Target) -> Scene<'s> {
        let mut ours = CapabilityList::new("our packages");
        for package in all {
            ours.add(&package.name, offered(package));
        }
        Scene {
            all,
            previous,
            target,
            distribution: Distribution::new(target),
            ours,
            symbols: separate(all),
            symbols_before: separate(previous),
        }
    }

    /// Whether our packages and the target provide what a dependency, plain or rich, needs.
    pub(crate) fn met(&self, dependency: &str) -> Result<(), UnmetError> {
        met(dependency, &[&self.ours, &self.distribution]).map(drop)
    }

    /// Debug information of a program of this build.
    pub(crate) fn symbols(&self, facts: &Facts) -> Option<&'s [u8]> {
        self.symbols.get(facts.build_id.as_ref()?).copied()
    }

    /// Debug information of a program of the repository as it is now.
    pub(crate) fn symbols_before(&self, facts: &Facts) -> Option<&'s [u8]> {
        self.symbols_before.get(facts.build_id.as_ref()?).copied()
    }
}

/// A package provides its capabilities and the paths of its files.
fn offered(package: &Inspected) -> Vec<String> {
    let paths = package.files.iter().map(|file| file.path.clone());
    package.provides.iter().cloned().chain(paths).collect()
}

/// Files of debug information by build id.
fn separate(packages: &[Inspected]) -> BTreeMap<String, &[u8]> {
    let files = packages.iter().filter(|package| package.is_debug()).flat_map(|package| &package.files);
    files.filter_map(|file| Some((elf::facts(&file.content)?.build_id?, file.content.as_slice()))).collect()
}

/// A package under inspection.
pub(crate) struct Subject<'s> {
    pub(crate) package: &'s Inspected,
    /// The recipe that makes it.
    pub(crate) recipe: &'s Concrete,
    /// Its programs and libraries; none in debug packages, which hold what was cut off from them.
    pub(crate) programs: Vec<(&'s File, Facts)>,
}

impl<'s> Subject<'s> {
    pub(crate) fn new(package: &'s Inspected, recipe: &'s Concrete) -> Subject<'s> {
        let files = package.files.iter().filter(|_| !package.is_debug());
        let programs = files.filter_map(|file| Some((file, elf::facts(&file.content)?))).collect();
        Subject { package, recipe, programs }
    }
}
