//! Symbol versions: programs need nothing newer than the target's oldest release has.

use packager_recipe::target::{Severity, ThreeNumbers};

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};

const GLIBC_FLOOR: Gate = Gate {
    id: "glibc-floor",
    looks_for: "a symbol version of glibc that the target's glibc does not have",
    why: "the loader refuses to start the program",
    mend: "link against the target's glibc",
    severity: Severity::Error,
};

const GLIBCXX_FLOOR: Gate = Gate {
    id: "glibcxx-floor",
    looks_for: "a GLIBCXX symbol version that the target's libstdc++ does not have",
    why: "the loader refuses to start the program",
    mend: "compile with headers of the target's GCC, or link libstdc++ statically",
    severity: Severity::Error,
};

const CXXABI_FLOOR: Gate = Gate {
    id: "cxxabi-floor",
    looks_for: "a CXXABI symbol version that the target's libstdc++ does not have",
    why: "the loader refuses to start the program",
    mend: "compile with headers of the target's GCC, or link libstdc++ statically",
    severity: Severity::Error,
};

pub(super) const GATES: &[&Gate] = &[&GLIBC_FLOOR, &GLIBCXX_FLOOR, &CXXABI_FLOOR];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let target = scene.target;
    let floors = [
        ("GLIBC_", &GLIBC_FLOOR, &target.profile.glibc),
        ("GLIBCXX_", &GLIBCXX_FLOOR, &target.profile.glibcxx),
        ("CXXABI_", &CXXABI_FLOOR, &target.profile.cxxabi),
    ];
    for (file, facts) in &subject.programs {
        for need in &facts.needs {
            for (prefix, gate, floor) in floors {
                // Versions with a name, as `GLIBC_PRIVATE` and `CXXABI_FLOAT128`, are of no release.
                let version = need.strip_prefix(prefix).and_then(ThreeNumbers::parse);
                if version.is_some_and(|version| ThreeNumbers::parse(floor).is_none_or(|floor| version > floor)) {
                    report.add(gate, format!("`{}` needs {need}, {} has {floor}", file.path, target.name));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gates::made::{Made, c_library, found, version_node};

    #[test]
    fn symbol_versions_stop_at_the_floor() {
        let floor = |version: &str| {
            // A library that asks another one for a symbol of that version.
            let bytes = c_library("int needed(void); int app(void) { return needed(); }", &[&version_node(version)]);
            found([Made::new("app").library("/usr/lib64/libapp.so.1", &bytes)])
        };
        let none: [&str; 0] = [];
        assert_eq!(floor("GLIBC_2.28"), none);
        assert_eq!(floor("GLIBC_2.34"), ["glibc-floor"]);
        assert_eq!(floor("GLIBCXX_3.4.25"), none);
        assert_eq!(floor("GLIBCXX_3.4.26"), ["glibcxx-floor"]);
        assert_eq!(floor("CXXABI_1.3.11"), none);
        assert_eq!(floor("CXXABI_1.3.12"), ["cxxabi-floor"]);
        assert_eq!(floor("CXXABI_FLOAT128"), none);
    }
}
