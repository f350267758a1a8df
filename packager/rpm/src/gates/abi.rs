//! Interfaces of libraries, against the packages that the repository holds now: names and symbols by our own reading, types by abidiff
//! where it is installed and both builds have debug information.

use std::collections::BTreeSet;

use packager_recipe::target::Severity;

use super::catalogue::Gate;
use super::finding::Report;
use super::scene::{Scene, Subject};
use crate::abidiff::{self, Library};
use crate::elf::{self, Facts};
use crate::inspect::{File, Inspected};

/// How many symbols a finding names.
const NAMED: usize = 8;

const SONAME: Gate = Gate {
    id: "soname-change",
    looks_for: "a library whose soname is another than in the repository now",
    why: "programs of others that link against it stay on the old package until they are built again",
    mend: "say so in the changelog; the new soname belongs to a new version of the project",
    severity: Severity::Warning,
};

const ABI: Gate = Gate {
    id: "abi-break",
    looks_for: "a library that keeps its soname but lost symbols, or whose types changed as dependants can see",
    why: "programs that were linked against the old one fail at start, or read the wrong bytes, after an update that nothing forbids",
    mend: "keep the symbols, or change the soname; a symbol that was never meant for others is a reason for a waiver",
    severity: Severity::Error,
};

const UNCOMPARED: Gate = Gate {
    id: "abi-unknown",
    looks_for: "a library that abidiff could not compare with the one in the repository now",
    why: "changed types stay unseen; symbols and soname were compared",
    mend: "run `abidiff` on the two libraries by hand",
    severity: Severity::Warning,
};

pub(super) const GATES: &[&Gate] = &[&SONAME, &ABI, &UNCOMPARED];

pub(super) fn look(scene: &Scene<'_>, subject: &Subject<'_>, report: &mut Report<'_>) {
    let Some(before) = scene.previous.iter().find(|before| before.name == subject.package.name) else { return };
    for (file, facts) in &subject.programs {
        let Some(soname) = &facts.soname else { continue };
        let Some((old_file, old)) = counterpart(before, file) else { continue };
        if old.soname.as_ref() != Some(soname) {
            let old = old.soname.as_deref().unwrap_or("none");
            report.add(&SONAME, format!("`{}` has the soname `{soname}` instead of `{old}`", file.path));
        } else if old_file.content != file.content {
            compare(scene, (old_file, &old), (file, facts), report);
        }
    }
}

/// The library of the same name, whatever its version.
fn counterpart<'p>(before: &'p Inspected, file: &File) -> Option<(&'p File, Facts)> {
    let stem = stem(&file.path)?;
    let same = before.files.iter().filter(|old| old.link.is_none() && self::stem(&old.path) == Some(stem));
    same.filter_map(|old| Some((old, elf::facts(&old.content)?))).find(|(_, facts)| facts.soname.is_some())
}

/// `/usr/lib64/libisal` of `/usr/lib64/libisal.so.2.0.31`.
fn stem(path: &str) -> Option<&str> {
    let at = path.rfind(".so")?;
    let rest = &path[at + 3..];
    (rest.is_empty() || rest.starts_with('.')).then_some(&path[..at])
}

fn compare(scene: &Scene<'_>, old: (&File, &Facts), new: (&File, &Facts), report: &mut Report<'_>) {
    let path = &new.0.path;
    let after: BTreeSet<String> = elf::exported(&new.0.content).into_iter().collect();
    let lost: Vec<String> = elf::exported(&old.0.content).into_iter().filter(|name| !after.contains(name)).collect();
    if !lost.is_empty() {
        report.add(&ABI, format!("`{path}` lost {}", listed(&lost, NAMED)));
        return;
    }
    let (Some(old_symbols), Some(new_symbols)) = (scene.symbols_before(old.1), scene.symbols(new.1)) else { return };
    match abidiff::compare(&library(old, old_symbols), &library(new, new_symbols)) {
        None | Some(Ok(None)) => {}
        Some(Ok(Some(said))) => report.add(&ABI, format!("`{path}`: abidiff says {said}")),
        Some(Err(why)) => report.add(&UNCOMPARED, format!("`{path}`: {why}")),
    }
}

fn library<'l>((file, facts): (&'l File, &'l Facts), symbols: &'l [u8]) -> Library<'l> {
    Library { content: &file.content, build_id: facts.build_id.as_deref().unwrap_or_default(), symbols }
}

/// A few names, and how many more there are.
pub(super) fn listed<N: AsRef<str>>(names: &[N], shown: usize) -> String {
    let mut text = names.iter().take(shown).map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::stem;
    use crate::gates::made::{Made, c_library, found_after, parted};

    #[test]
    fn libraries_are_recognised_by_their_stem() {
        assert_eq!(stem("/usr/lib64/libisal.so.2.0.31"), Some("/usr/lib64/libisal"));
        assert_eq!(stem("/usr/lib64/libisal.so"), Some("/usr/lib64/libisal"));
        assert_eq!(stem("/usr/share/a.soap"), None);
    }

    #[test]
    fn interfaces_stay() {
        let library = |path: &str, code: &str, soname: &str| {
            let flag = format!("-Wl,-soname,{soname}");
            Made::new("app").library(path, &c_library(code, &[&flag]))
        };
        let old = || {
            library(
                "/usr/lib64/libapp.so.1.0",
                "int one(void) { return 1; } int two(void) { return 2; }",
                "libapp.so.1",
            )
        };
        let none: [&str; 0] = [];
        let new = |path: &str, code: &str, soname: &str| found_after([old()], [library(path, code, soname)]);
        let (one, both) = ("int one(void) { return 1; }", "int two(void) { return 3; } int one(void) { return 1; }");
        assert_eq!(new("/usr/lib64/libapp.so.1.1", both, "libapp.so.1"), none);
        assert_eq!(new("/usr/lib64/libapp.so.1.1", one, "libapp.so.1"), ["abi-break"]);
        assert_eq!(new("/usr/lib64/libapp.so.2.0", one, "libapp.so.2"), ["soname-change"]);
        assert_eq!(new("/usr/lib64/libother.so.1", one, "libother.so.1"), none, "another library");
    }

    #[test]
    fn types_stay() {
        let build = |fields: &str| {
            let code = format!("struct app {{ {fields} }}; int app_b(struct app *app) {{ return app->b; }}");
            let [library, debug] = parted(&c_library(&code, &["-g", "-Wl,--build-id", "-Wl,-soname,libapp.so.1"]));
            let debug = Made::new("app-debuginfo").library("/usr/lib/debug/usr/lib64/libapp.so.1.debug", &debug);
            [Made::new("app").library("/usr/lib64/libapp.so.1", &library), debug]
        };
        let compare = |after: &str| found_after(build("int a; int b;"), build(after));
        assert_eq!(compare("int a; int b;"), [] as [&str; 0]);
        // Without abidiff nobody sees it.
        let installed = std::process::Command::new("abidiff").arg("--version").output().is_ok();
        let expected: &[&str] = if installed { &["abi-break"] } else { &[] };
        assert_eq!(compare("long a; int b;"), expected);
    }
}
