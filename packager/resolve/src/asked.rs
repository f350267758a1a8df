//! What recipes ask a distribution for: everything that a lock of it must say something about.

use std::collections::BTreeSet;

use packager_recipe::Recipe;

use crate::dependency::Dependency;
use crate::met::capabilities;

/// Names of packages and capabilities, and paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// By package, capability or path.
    pub names: BTreeSet<String>,
    /// By source package: all its packages are meant.
    pub sources: BTreeSet<String>,
}

/// What recipes ask for on any target: what their packages require and are called, what could be linked against or stand in, and the
/// programs of their builds.
#[must_use]
pub fn asked(recipes: &[Recipe]) -> Asked {
    let mut asked = Asked::default();
    let names = &mut asked.names;
    for recipe in recipes {
        for (name, package) in &recipe.packages {
            names.insert(name.clone());
            names.extend(package.provides.iter().cloned());
            for requirement in &package.requires {
                // One that cannot be read is a fault of the plan.
                if let Ok(dependency) = Dependency::parse(requirement.value.trim()) {
                    names.extend(capabilities(&dependency).into_iter().map(|capability| capability.name.clone()));
                }
            }
            if package.files.iter().any(|entry| entry.value.sysusers.is_some()) {
                names.extend(packager_recipe::USER_TOOLS.map(str::to_owned));
            }
        }
        names.extend(recipe.libraries.iter().map(|library| library.value.clone()));
        names.extend(recipe.options.values().flat_map(|option| option.value.libraries.iter().cloned()));
        names.extend(recipe.tools.iter().map(|tool| format!("/usr/bin/{}", tool.value)));
        for instead in &recipe.instead {
            names.insert(instead.value.package.clone());
            asked.sources.insert(instead.value.package.clone());
        }
    }
    asked
}
