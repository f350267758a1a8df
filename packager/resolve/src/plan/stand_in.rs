//! Whether a package of the distribution makes building a recipe unnecessary.

use packager_recipe::Concrete;

use crate::distribution::{Distribution, Offered, Version};

/// The answer for one recipe.
pub(super) enum StandIn<'d> {
    /// This package does.
    Enough {
        /// The package.
        package: &'d Offered,
        /// Why.
        why: String,
    },
    /// None does; a sentence for each that the recipe names.
    No(Vec<String>),
}

/// Looks at the packages that a recipe names, in its order.
pub(super) fn stand_in<'d>(recipe: &Concrete, distribution: &'d Distribution) -> StandIn<'d> {
    let title = distribution.title();
    let mut reasons = Vec::new();
    let mut unheard = Vec::new();
    for instead in &recipe.instead {
        let name = &instead.package;
        let Some(package) = distribution.package(name) else {
            match distribution.absent(name) {
                Some(from) => reasons.push(format!("{title} has no `{name}` ({from})")),
                None => unheard.push(format!("`{name}`")),
            }
            continue;
        };
        let described = package.described();
        if let Some(reason) = &instead.never {
            reasons.push(format!("{title}'s {described} does not do: {reason}"));
            continue;
        }
        let Some(oldest) = &instead.at_least else {
            return StandIn::Enough {
                package,
                why: format!("{title} has {described}, which is enough in any version"),
            };
        };
        match (package.at_least(oldest), &package.version) {
            (Some(true), _) => {
                return StandIn::Enough {
                    package,
                    why: format!("{title} has {described}, which is enough: at least {oldest}"),
                };
            }
            (Some(false), _) => reasons.push(format!("{title}'s {described} is older than {oldest}")),
            (None, Version::Below(_)) => {
                reasons.push(format!("{title} has {described}; whether it is at least {oldest} is not known"));
            }
            (None, _) => reasons.push(format!(
                "{title} has {described}, of a version that is not known; it would have to be at least {oldest}"
            )),
        }
    }
    if !unheard.is_empty() {
        let names = unheard.join(" or ");
        reasons.push(format!("nothing is known of {names} in {title}; `packager targets sync` asks its repositories"));
    }
    StandIn::No(reasons)
}
