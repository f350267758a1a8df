//! Every recipe for every target: what is rendered is a spec that rpm parses and rpmlint has no errors about. For the recipes whose
//! sources are out of reach this is all that is known of them.
//!
//! Needs rpmspec and rpmlint, which `scripts/packager` installs.

#![allow(clippy::disallowed_methods)] // a suite: it reads the project's recipes and runs rpm

mod rendering;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rendering::{TARGETS, recipes, rendered_of};

/// What rpm knows about a distribution without being told by a spec.
const MACROS: &str =
    "%meson true\n%meson_build true\n%meson_install true\n%cmake true\n%cmake_build true\n%cmake_install true\n";

/// Errors that rpmlint has about specs, and why they are none here.
const NOT_HERE: [(&str, &str); 2] = [
    (
        "lib-package-without-%mklibname",
        "Mandriva's way to name libraries; the packages have the names that DAOS and EPEL give them",
    ),
    (
        "hardcoded-library-path",
        "`/usr/lib/sysusers.d` and its kin are no folders of libraries and have no macro in older rpm",
    ),
];

#[test]
fn every_recipe_is_a_good_spec_for_every_target() {
    let room = tempfile::tempdir().expect("a folder");
    let macros = room.path().join("macros");
    fs::write(&macros, MACROS).expect("written");
    let mut specs: BTreeSet<PathBuf> = BTreeSet::new();
    for recipe in recipes() {
        for target in TARGETS {
            let folder = room.path().join(target);
            fs::create_dir_all(&folder).expect("a folder");
            let path = folder.join(format!("{recipe}.spec"));
            fs::write(&path, rendered_of(&recipe, target)).expect("written");
            let arch = target.rsplit('-').next().expect("an architecture");
            let parsed = Command::new("rpmspec")
                .args(["-P", "--target", arch, "--load"])
                .arg(&macros)
                .arg(&path)
                .output()
                .expect("rpmspec runs");
            let text = String::from_utf8_lossy(&parsed.stdout);
            assert!(parsed.status.success(), "{recipe} for {target}: {}", String::from_utf8_lossy(&parsed.stderr));
            for part in ["%description\n", "%files", "%changelog"] {
                assert!(text.contains(part), "{recipe} for {target} has no `{part}`:\n{text}");
            }
            specs.insert(path);
        }
    }
    assert!(specs.len() >= 11 * TARGETS.len(), "{} specs", specs.len());
    let lint = Command::new("rpmlint").args(&specs).env("LC_ALL", "C.UTF-8").output().expect("rpmlint runs");
    let said = String::from_utf8_lossy(&lint.stdout);
    assert!(said.contains("specfiles checked"), "{said}");
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(": E: ") && NOT_HERE.iter().all(|(name, _)| !line.contains(name)))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}
