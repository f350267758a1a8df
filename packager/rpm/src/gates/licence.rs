//! Licences: the text is there, and the tag can be read by machines.

use packager_recipe::target::Severity;
use spdx::Expression;

use super::catalogue::Gate;
use super::finding::Report;
use super::requirements::names;
use super::scene::{Scene, Subject};
use crate::inspect::Inspected;

const MISSING: Gate = Gate {
    id: "no-licence",
    looks_for: "a package without a licence text, which requires no package of ours that has one",
    why: "nearly every licence demands that its text goes with the program",
    mend: "add a `licence:` entry",
    severity: Severity::Error,
};

const EXPRESSION: Gate = Gate {
    id: "licence-expression",
    looks_for: "a licence tag that is no SPDX expression",
    why: "bills of materials and the tools that read them know SPDX's identifiers only",
    mend: "write identifiers of the SPDX licence list with AND, OR and WITH, or `LicenseRef-...`, below `license:` of the recipe",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&MISSING, &EXPRESSION];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let package = subject.package;
    if !package.is_debug() && !present(package, scene.all) {
        report.add(&MISSING, "neither it nor a package of ours that it requires holds a licence text");
    }
    if let Err(error) = Expression::parse(&package.license) {
        report.add(&EXPRESSION, format!("`{}`: {}", package.license, error.reason));
    }
}

/// Whether a package, or one of ours that it requires, holds a licence text.
fn present(package: &Inspected, all: &[Inspected]) -> bool {
    let holds = |package: &Inspected| package.files.iter().any(|file| file.path.starts_with("/usr/share/licenses/"));
    holds(package)
        || all
            .iter()
            .filter(|other| holds(other))
            .any(|other| package.real_requires().any(|text| names(text, &other.name)))
}

#[cfg(test)]
mod tests {
    use rpm::Dependency;

    use crate::gates::made::{Made, found};

    #[test]
    fn the_licence_is_there_and_readable() {
        assert_eq!(found([Made::new("app")]), [] as [&str; 0]);
        assert_eq!(found([Made::bare("app")]), ["no-licence"]);
        let needs = Made::bare("app").requires(Dependency::eq("app-libs", "1-1.el8"));
        assert_eq!(found([needs, Made::new("app-libs")]), [] as [&str; 0]);
        for licence in ["MIT OR Apache-2.0", "BSD-2-Clause AND (GPL-2.0-only WITH Linux-syscall-note)", "LicenseRef-x"]
        {
            assert_eq!(found([Made::new("app").licence(licence)]), [] as [&str; 0], "{licence}");
        }
        for licence in ["BSD", "MIT/X11", "GPLv2+", "MIT OR"] {
            assert_eq!(found([Made::new("app").licence(licence)]), ["licence-expression"], "{licence}");
        }
    }
}
