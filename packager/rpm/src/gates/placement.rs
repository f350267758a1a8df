//! Placement: where files of some kinds belong, and which do not belong into packages.

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};
use crate::inspect::{File, Inspected};

/// Where pkg-config looks on every target.
const PKGCONFIG: [&str; 2] = ["/usr/lib64/pkgconfig", "/usr/share/pkgconfig"];

const PKGCONFIG_PLACE: Gate = Gate {
    id: "pkgconfig-place",
    looks_for: "a pkg-config file outside /usr/lib64/pkgconfig and /usr/share/pkgconfig",
    why: "pkg-config does not look there, and rpm's generator does not make the `pkgconfig(...)` capability",
    mend: "install it where pkg-config looks, for instance with `--libdir=/usr/lib64`",
    severity: Severity::Error,
};

const LIBTOOL_ARCHIVE: Gate = Gate {
    id: "libtool-archive",
    looks_for: "a libtool archive (`.la`)",
    why: "it names folders of the build, and makes dependants link what they do not use",
    mend: "delete it in `%install`",
    severity: Severity::Error,
};

const STATIC_ARCHIVE: Gate = Gate {
    id: "static-archive",
    looks_for: "a static library outside a `-static` package",
    why: "who links it keeps its old mistakes after the package was updated",
    mend: "configure with `--disable-static`, or put it into a package of its own whose name ends in `-static`",
    severity: Severity::Error,
};

const PYTHON_BYTECODE: Gate = Gate {
    id: "python-bytecode",
    looks_for: "compiled Python outside `__pycache__`, or without the source beside it",
    why: "Python does not use it, or cannot say where an error is; it holds times of the build",
    mend: "leave compiling to rpm's macros, or delete it in `%install`",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&PKGCONFIG_PLACE, &LIBTOOL_ARCHIVE, &STATIC_ARCHIVE, &PYTHON_BYTECODE];

pub(super) fn look(_scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let package = subject.package;
    let files = package.files.iter().filter(|file| !package.is_debug() && !file.folder);
    for file in files {
        let path = &file.path;
        let (folder, name) = path.rsplit_once('/').unwrap_or_default();
        match name.rsplit_once('.').map(|(_, kind)| kind) {
            Some("pc") if !PKGCONFIG.contains(&folder) => {
                report.add(&PKGCONFIG_PLACE, format!("`{path}`"));
            }
            Some("la") => report.add(&LIBTOOL_ARCHIVE, format!("`{path}`")),
            Some("a") if file.content.starts_with(b"!<arch>") && !package.name.ends_with("-static") => {
                report.add(&STATIC_ARCHIVE, format!("`{path}`"));
            }
            Some("pyc" | "pyo") if !has_source(package, file) => {
                report.add(&PYTHON_BYTECODE, format!("`{path}`"));
            }
            _ => {}
        }
    }
}

/// `a/__pycache__/b.cpython-39.pyc` is compiled from `a/b.py`.
fn has_source(package: &Inspected, compiled: &File) -> bool {
    let Some((folder, name)) = compiled.path.rsplit_once("/__pycache__/") else { return false };
    let module = name.split('.').next().unwrap_or_default();
    let source = format!("{folder}/{module}.py");
    package.files.iter().any(|file| file.path == source)
}

#[cfg(test)]
mod tests {
    use rpm::FileOptions;

    use crate::gates::made::{Made, found};

    fn holding(package: &str, paths: &[&str]) -> Vec<String> {
        let made = paths.iter().fold(Made::new(package), |made, path| made.with("!<arch>\n", FileOptions::new(*path)));
        found([made])
    }

    #[test]
    fn files_lie_where_they_are_looked_for() {
        let none: [&str; 0] = [];
        assert_eq!(holding("app-devel", &["/usr/lib64/pkgconfig/app.pc", "/usr/share/pkgconfig/b.pc"]), none);
        assert_eq!(holding("app-devel", &["/usr/lib/pkgconfig/app.pc"]), ["pkgconfig-place"]);
        assert_eq!(holding("app-devel", &["/usr/lib64/libapp.la"]), ["libtool-archive"]);
        assert_eq!(holding("app-devel", &["/usr/lib64/libapp.a"]), ["static-archive"]);
        assert_eq!(holding("app-static", &["/usr/lib64/libapp.a"]), none);
        let site = "/usr/lib/python3.9/site-packages/app";
        let compiled = format!("{site}/__pycache__/m.cpython-39.pyc");
        assert_eq!(holding("app", &[&compiled, &format!("{site}/m.py")]), none);
        assert_eq!(holding("app", &[&compiled]), ["python-bytecode"]);
        assert_eq!(holding("app", &[&format!("{site}/m.pyc"), &format!("{site}/m.py")]), ["python-bytecode"]);
    }
}
