//! Requirements: somebody provides each, and packages of one build fit each other.

use packager_recipe::target::Severity;
use packager_resolve::UnmetError;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};

const UNRESOLVABLE: Gate = Gate {
    id: "unresolvable",
    looks_for: "a requirement that neither the target nor the packages published together provide",
    why: "dnf refuses to install the package",
    mend: "remove the dependency; if the distribution has it, run `packager targets sync` or add it to the target's `lock.yaml`",
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
        } else if let Err(unmet) = scene.met(text) {
            report.add(&UNRESOLVABLE, unmet_message(text, &unmet, &scene.target.name));
        }
        let of_recipe = subject.recipe.packages.iter().any(|sibling| names(text, &sibling.name));
        if of_recipe && !text.ends_with(&exact) {
            report.add(&UNVERSIONED, format!("requires `{text}` without{exact}"));
        }
    }
}

fn unmet_message(text: &str, unmet: &UnmetError, target: &str) -> String {
    match unmet {
        UnmetError::Unreadable(fault) => format!("requires `{text}`, which is no dependency: {fault}"),
        UnmetError::Missing(missing) => {
            let parts: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let which = if parts == [text] { String::new() } else { format!(" (`{}`)", parts.join("`, `")) };
            format!("requires `{text}`, which neither {target} nor our packages provide{which}")
        }
    }
}

/// Whether a requirement names a package, with or without an architecture and a version.
pub(super) fn names(requirement: &str, package: &str) -> bool {
    let rest = requirement.strip_prefix(package);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '(']))
}

#[cfg(test)]
mod tests {
    use rpm::Dependency;

    use crate::gates::Scene;
    use crate::gates::made::{Made, found, target};

    #[test]
    fn somebody_must_provide_what_is_required() {
        let good = Made::new("app").requires(Dependency::any("bash"));
        assert_eq!(found([good]), [] as [&str; 0]);
        let bad = Made::new("app").requires(Dependency::any("nobody-has-this")).requires(Dependency::any("user(me)"));
        assert_eq!(found([bad]), ["unresolvable", "user-requires"]);
    }

    #[test]
    fn rich_dependencies_are_looked_into() {
        let with = |text: &str| found([Made::new("app").requires(Dependency::any(text))]);
        for met in ["(nobody-has-this or bash)", "(nobody-has-this if nor-this)", "(bash if bash)"] {
            assert_eq!(with(met), [] as [&str; 0], "{met}");
        }
        for unmet in
            ["(nobody-has-this or nor-this)", "(nobody-has-this if bash)", "(bash with nobody-has-this)", "(bash or"]
        {
            assert_eq!(with(unmet), ["unresolvable"], "{unmet}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |text: &str| {
            let target = target();
            let unmet = Scene::new(&[], &[], &target).met(text).expect_err("nobody has it");
            super::unmet_message(text, &unmet, "here")
        };
        assert_eq!(
            message("(nobody-has-this or nor-this)"),
            "requires `(nobody-has-this or nor-this)`, which neither here nor our packages provide (`nobody-has-this`, `nor-this`)"
        );
        assert_eq!(
            message("(bash or"),
            "requires `(bash or`, which is no dependency: `(bash or`, column 9: expected a capability, found the end"
        );
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
