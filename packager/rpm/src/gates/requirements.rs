//! Requirements: somebody provides each, and packages of one build fit each other.

use packager_recipe::target::Severity;
use packager_resolve::Capability;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};

const UNRESOLVABLE: Gate = Gate {
    id: "unresolvable",
    looks_for: "a requirement that neither the target nor the packages published together provide",
    why: "dnf refuses to install the package",
    mend: "remove the dependency, or add it to `provides:` of the target profile if the distribution has it",
    severity: Severity::Error,
};

const USER_REQUIRES: Gate = Gate {
    id: "user-requires",
    looks_for: "a requirement of a user or group",
    why: "nothing provides users before rpm 4.19, so dnf refuses to install the package",
    mend: "make users in `%pre` and by sysusers.d only",
    severity: Severity::Error,
};

const UNVERSIONED: Gate = Gate {
    id: "unversioned-requires",
    looks_for: "a requirement of a package of the same recipe in any version",
    why: "dnf would leave an old package beside a new one, which nobody tested together",
    mend: "name the package below `requires:` of the recipe, which demands the same version and release",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&UNRESOLVABLE, &USER_REQUIRES, &UNVERSIONED];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let package = subject.package;
    let exact = format!(" = {}-{}", package.version, package.release);
    for text in package.real_requires() {
        if text.starts_with("user(") || text.starts_with("group(") {
            report.add(&USER_REQUIRES, format!("requires `{text}`, which nothing provides before rpm 4.19"));
        } else if !scene.is_provided(&Capability::parse(text)) {
            let name = &scene.target.name;
            report.add(&UNRESOLVABLE, format!("requires `{text}`, which neither {name} nor our packages provide"));
        }
        let of_recipe = scene.recipe.packages.iter().any(|sibling| names(text, &sibling.name));
        if of_recipe && !text.ends_with(&exact) {
            report.add(&UNVERSIONED, format!("requires `{text}` without{exact}"));
        }
    }
}

/// Whether a requirement names a package, with or without an architecture and a version.
fn names(requirement: &str, package: &str) -> bool {
    let rest = requirement.strip_prefix(package);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '(']))
}

#[cfg(test)]
mod tests {
    use rpm::Dependency;

    use crate::gates::made::{Made, found};

    #[test]
    fn somebody_must_provide_what_is_required() {
        let good = Made::new("app").requires(Dependency::any("bash"));
        assert_eq!(found([good]), [] as [&str; 0]);
        let bad = Made::new("app").requires(Dependency::any("nobody-has-this")).requires(Dependency::any("user(me)"));
        assert_eq!(found([bad]), ["unresolvable", "user-requires"]);
    }

    #[test]
    fn packages_of_a_recipe_are_of_one_version() {
        let library = || Made::new("app-libs");
        let exact = Made::new("app").requires(Dependency::eq("app-libs", "1-1.el8"));
        assert_eq!(found([exact, library()]), [] as [&str; 0]);
        let any = Made::new("app").requires(Dependency::any("app-libs"));
        assert_eq!(found([any, library()]), ["unversioned-requires"]);
        let least = Made::new("app").requires(Dependency::greater_eq("app-libs", "1-1.el8"));
        assert_eq!(found([least, library()]), ["unversioned-requires"]);
    }
}
