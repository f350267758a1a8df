//! The packages that recipes build, as a repository.

use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::Concrete;

use super::called;
use crate::capability::Capability;
use crate::repository::{Answer, CapabilityList, Repository};

/// All recipes, by what their packages provide.
pub(super) struct Ours<'r> {
    recipes: BTreeMap<&'r str, &'r Concrete>,
    /// Which recipe makes a binary package.
    makers: BTreeMap<&'r str, &'r Concrete>,
    list: CapabilityList,
}

impl<'r> Ours<'r> {
    pub(super) fn new(recipes: &'r [Concrete]) -> Ours<'r> {
        let mut ours = Ours { recipes: BTreeMap::new(), makers: BTreeMap::new(), list: CapabilityList::new("recipes") };
        for recipe in recipes {
            ours.recipes.insert(&recipe.name, recipe);
            for package in &recipe.packages {
                ours.makers.insert(&package.name, recipe);
                let itself = format!("{} = {}", package.name, recipe.evr());
                let further = package.provides.iter().map(|text| recipe.expanded(text));
                ours.list.add(&package.name, [itself].into_iter().chain(further));
            }
        }
        ours
    }

    pub(super) fn recipes(&self) -> impl Iterator<Item = &'r Concrete> + '_ {
        self.recipes.values().copied()
    }

    pub(super) fn recipe(&self, name: &str) -> Option<&'r Concrete> {
        self.recipes.get(name).copied()
    }

    /// Names of all binary packages.
    pub(super) fn packages(&self) -> impl Iterator<Item = &'r str> + '_ {
        self.makers.keys().copied()
    }

    /// Every name that `called` knows, but for what packages provide.
    pub(super) fn names(&self) -> BTreeSet<&'r str> {
        let projects = self.recipes().filter_map(|recipe| recipe.project.as_deref());
        self.packages().chain(self.recipes.keys().copied()).chain(projects).collect()
    }

    /// Who makes a binary package.
    pub(super) fn maker(&self, package: &str) -> Option<&'r Concrete> {
        self.makers.get(package).copied()
    }

    /// Who makes a package of this name, or one that provides it; the one of the name first.
    pub(super) fn owner(&self, name: &str) -> Option<(&'r Concrete, &str)> {
        if let Some((package, recipe)) = self.makers.get_key_value(name) {
            return Some((recipe, package));
        }
        let (package, _) = self.list.offers(name).first()?;
        Some((self.maker(package)?, package))
    }

    /// The recipe that a person means.
    pub(super) fn called(&self, name: &str) -> Option<&'r Concrete> {
        called(
            name,
            self.recipes().map(|recipe| {
                let packages = recipe.packages.iter().map(|package| package.name.as_str()).collect();
                let project = recipe.project.as_deref().into_iter().collect();
                (recipe, [packages, vec![recipe.name.as_str()], project, recipe.provided_names().collect()])
            }),
        )
    }

    /// What is built under a name at any version, in words.
    pub(super) fn offers(&self, name: &str) -> Option<String> {
        let (recipe, package) = self.owner(name)?;
        let provided = self.list.offers(name).iter().map(|(_, capability)| capability.to_string()).next()?;
        if package == name {
            return Some(format!("the recipe `{}` builds {package} {}", recipe.name, recipe.evr()));
        }
        Some(format!("{package} {} of the recipe `{}` provides `{provided}`", recipe.evr(), recipe.name))
    }
}

impl Repository for Ours<'_> {
    fn name(&self) -> &str {
        self.list.name()
    }

    /// The package of the name first, then the others by name.
    fn providers(&self, requirement: &Capability) -> Vec<Answer> {
        let mut found = self.list.providers(requirement);
        found.sort_by_key(|answer| (answer.package != requirement.name, answer.package.clone()));
        found
    }
}
