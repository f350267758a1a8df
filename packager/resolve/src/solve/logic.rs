//! Dependencies as clauses: every dependency is a conjunction of disjunctions of "this package is there" and "is not there".

use std::collections::BTreeSet;

use crate::dependency::Dependency;
use crate::universe::{PackageId, Universe};

/// Clauses that one dependency may become. The largest dependencies of Fedora stay below 100; what is above is a mistake or an attack.
const CLAUSES_MAX: usize = 4096;

/// A package is there, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Literal {
    pub(crate) package: PackageId,
    pub(crate) there: bool,
}

/// All clauses hold; a clause holds when one of its literals does.
pub(crate) type Clauses = Vec<Vec<Literal>>;

/// More than [`CLAUSES_MAX`] clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The dependency (or, when not `holds`, its contrary) over the packages of a universe.
pub(crate) fn clauses(universe: &Universe, dependency: &Dependency, holds: bool) -> Result<Clauses, TooLarge> {
    if let Some(packages) = answering(universe, dependency) {
        let literals = packages.into_iter().map(|package| Literal { package, there: holds });
        return Ok(if holds { vec![literals.collect()] } else { literals.map(|literal| vec![literal]).collect() });
    }
    let of = |part: &Dependency, holds: bool| clauses(universe, part, holds);
    match dependency {
        Dependency::And(parts) | Dependency::Or(parts) => {
            let parts = parts.iter().map(|part| of(part, holds)).collect::<Result<Vec<_>, _>>()?;
            if matches!(dependency, Dependency::And(_)) == holds { both(parts) } else { either(parts) }
        }
        Dependency::If(then, condition, otherwise) => match (otherwise, holds) {
            (None, true) => either(vec![of(then, true)?, of(condition, false)?]),
            (None, false) => both(vec![of(then, false)?, of(condition, true)?]),
            (Some(otherwise), holds) => both(vec![
                either(vec![of(then, holds)?, of(condition, false)?])?,
                either(vec![of(otherwise, holds)?, of(condition, true)?])?,
            ]),
        },
        Dependency::Unless(then, condition, otherwise) => match (otherwise, holds) {
            (None, true) => both(vec![of(then, true)?, of(condition, false)?]),
            (None, false) => either(vec![of(then, false)?, of(condition, true)?]),
            (Some(otherwise), true) => either(vec![
                both(vec![of(then, true)?, of(condition, false)?])?,
                both(vec![of(otherwise, true)?, of(condition, true)?])?,
            ]),
            (Some(otherwise), false) => both(vec![
                either(vec![of(then, false)?, of(condition, true)?])?,
                either(vec![of(otherwise, false)?, of(condition, false)?])?,
            ]),
        },
        // About one package, so answered above.
        Dependency::Capability(_) | Dependency::With(_) | Dependency::Without(..) => Ok(Vec::new()),
    }
}

/// Packages each of which answers the dependency alone; `None` when it is about more than one package.
fn answering(universe: &Universe, dependency: &Dependency) -> Option<Vec<PackageId>> {
    match dependency {
        Dependency::Capability(capability) => Some(universe.providers(capability)),
        Dependency::With(parts) => {
            let mut sets = parts.iter().map(|part| answering(universe, part));
            let mut found = sets.next()??;
            for set in sets {
                let set: BTreeSet<PackageId> = set?.into_iter().collect();
                found.retain(|package| set.contains(package));
            }
            Some(found)
        }
        Dependency::Without(left, right) => {
            let right: BTreeSet<PackageId> = answering(universe, right)?.into_iter().collect();
            let mut found = answering(universe, left)?;
            found.retain(|package| !right.contains(package));
            Some(found)
        }
        Dependency::Or(parts) => {
            let sets = parts.iter().map(|part| answering(universe, part)).collect::<Option<Vec<_>>>()?;
            let set: BTreeSet<PackageId> = sets.into_iter().flatten().collect();
            Some(set.into_iter().collect())
        }
        _ => None,
    }
}

fn both(parts: Vec<Clauses>) -> Result<Clauses, TooLarge> {
    let all: Clauses = parts.into_iter().flatten().collect();
    if all.len() > CLAUSES_MAX { Err(TooLarge) } else { Ok(all) }
}

/// Distributes; clauses that always hold are left out.
fn either(parts: Vec<Clauses>) -> Result<Clauses, TooLarge> {
    let mut product: Clauses = vec![Vec::new()];
    for part in parts {
        if product.len().saturating_mul(part.len()) > CLAUSES_MAX {
            return Err(TooLarge);
        }
        product = product
            .iter()
            .flat_map(|left| part.iter().map(move |right| left.iter().chain(right).copied().collect::<BTreeSet<_>>()))
            .filter(|clause| {
                !clause.iter().any(|literal| clause.contains(&Literal { there: !literal.there, ..*literal }))
            })
            .map(|clause| clause.into_iter().collect())
            .collect();
    }
    Ok(product)
}

/// Whether all clauses hold when these packages are there.
pub(crate) fn hold(clauses: &Clauses, is_there: impl Fn(PackageId) -> bool) -> bool {
    clauses.iter().all(|clause| clause.iter().any(|literal| is_there(literal.package) == literal.there))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{clauses, hold};
    use crate::dependency::Dependency;
    use crate::universe::{INSTALLED, Package, Universe};

    /// Packages `a`, `b` and `c`, and `d`, which provides `b` too.
    fn universe() -> Universe {
        let mut universe = Universe::new("x86_64");
        for name in ["a", "b", "c", "d"] {
            let provides = if name == "d" { vec!["b".to_owned()] } else { Vec::new() };
            let package =
                Package { name: name.into(), evr: "1-1".into(), arch: "noarch".into(), provides, ..Package::default() };
            universe.add(INSTALLED, package).expect("well formed");
        }
        universe
    }

    /// The meaning of a dependency, straight from its definition.
    fn meant(dependency: &Dependency, there: &dyn Fn(&str) -> bool) -> bool {
        let name = |name: &str| there(name) || (name == "b" && there("d"));
        match dependency {
            Dependency::Capability(capability) => name(&capability.name),
            Dependency::And(parts) => parts.iter().all(|part| meant(part, there)),
            Dependency::Or(parts) => parts.iter().any(|part| meant(part, there)),
            Dependency::If(then, condition, otherwise) if meant(condition, there) => {
                let _ = otherwise;
                meant(then, there)
            }
            Dependency::If(_, _, otherwise) => otherwise.as_ref().is_none_or(|part| meant(part, there)),
            Dependency::Unless(_, condition, otherwise) if meant(condition, there) => {
                otherwise.as_ref().is_some_and(|part| meant(part, there))
            }
            Dependency::Unless(then, ..) => meant(then, there),
            Dependency::With(_) | Dependency::Without(..) => panic!("not drawn"),
        }
    }

    proptest! {
        #[test]
        fn clauses_mean_what_the_dependency_means(
            text in proptest::string::string_regex(
                "\\((a|\\(a or c\\)|\\(c if a\\)) (and|or|if|unless) (b|\\(b and c\\)|\\(a unless b else c\\)|\\(c if b else a\\))\\)"
            ).expect("a pattern"),
            otherwise in proptest::bool::ANY,
            there in 0_u8..16,
        ) {
            let text = if otherwise && (text.contains(" if b)") || text.contains(" unless b)")) {
                text.replacen(" b)", " b else c)", 1)
            } else {
                text
            };
            let universe = universe();
            let dependency = Dependency::parse(&text).expect("well formed");
            let is_there = |index: usize| there & (1 << index) != 0;
            let named = |name: &str| is_there("abcd".find(name).expect("one of four"));
            let expected = meant(&dependency, &named);
            for holds in [true, false] {
                let clauses = clauses(&universe, &dependency, holds).expect("small");
                prop_assert_eq!(hold(&clauses, |id| is_there(id.index())), expected == holds, "{}", text);
            }
        }
    }

    #[test]
    fn with_and_without_are_about_one_package() {
        let universe = universe();
        let who = |text: &str| {
            let clauses = clauses(&universe, &Dependency::parse(text).expect("well formed"), true).expect("small");
            clauses[0].iter().map(|literal| universe.package(literal.package).name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(who("(b with d)"), ["d"]);
        assert_eq!(who("(b without d)"), ["b"]);
        assert_eq!(who("((a or b) without (c or d))"), ["a", "b"]);
    }

    #[test]
    fn a_dependency_that_explodes_is_refused() {
        let universe = universe();
        let pair = "(a and b and c)";
        let text = format!("({})", [pair; 12].join(" or "));
        assert!(clauses(&universe, &Dependency::parse(&text).expect("well formed"), true).is_err());
    }
}
