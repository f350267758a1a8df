//! The gate over requirements: against the target's lock and the packages that are published together, rich dependencies included.

use std::path::PathBuf;

use packager_recipe::diagnostic::Page;
use packager_recipe::target::Profile;
use packager_recipe::{Concrete, Facts, Lock, Recipe, Target, TargetName, evaluate};
use packager_rpm::{Inspected, check};

const PROFILE: &str = include_str!("../../../specs/targets/openeuler-22.03/target.yaml");
const LOCK: &str = "known: [{ from: a list, packages: [{ name: systemd, evr: '249', provides: [init] }, { name: shadow }], absent: [ucx] }]";

fn target() -> Target {
    let profile = Profile::parse(Page { file: "target.yaml", text: PROFILE }).expect("a profile");
    let name = TargetName::parse("openeuler-22.03-x86_64").expect("a name");
    let lock = Lock::parse(Page { file: "lock.yaml", text: LOCK }).expect("a lock");
    Target::new(&name, profile).expect("its architecture").with_lock(lock)
}

fn recipe(target: &Target) -> Concrete {
    let text = format!(
        "name: app\nversion: '1'\nrelease: 1\nsummary: s\nlicense: MIT\nmaintainer: m\ndescription: d\nsource: {{ released: 2026-01-02, \
         archives: [{{ url: 'file:///x.tar.gz', sha256: '{}' }}] }}\nmake: {{}}\npackages: {{ app: {{}} }}\n",
        "0".repeat(64)
    );
    let page = Page { file: "recipe.yaml", text: &text };
    evaluate(&Recipe::parse(page).expect("a recipe"), page, target, &Facts::default()).expect("no finding")
}

fn package(name: &str, requires: &[&str], provides: &[&str]) -> Inspected {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Inspected {
        path: PathBuf::from(format!("{name}.rpm")),
        name: name.to_owned(),
        version: "1".to_owned(),
        release: "1.oe2203".to_owned(),
        arch: "x86_64".to_owned(),
        license: "MIT".to_owned(),
        source_rpm: "app-1-1.oe2203.src.rpm".to_owned(),
        payload: "xz".to_owned(),
        sha256_files: true,
        vendor: "openEuler".to_owned(),
        bytes: 1,
        installed_bytes: 1,
        requires: owned(requires),
        provides: owned(provides),
        files: Vec::new(),
    }
}

/// What the gate says of a package with this requirement, beside a library that is published with it.
fn said(requirement: &str) -> Vec<String> {
    let target = target();
    let library = package("lib", &[], &["lib = 2-1", "lib.so.2()(64bit)"]);
    let all = [package("app", &[requirement], &["app = 1-1.oe2203"]), library];
    let findings = check(&all, &all, &recipe(&target), &target);
    let wanted = ["unresolvable", "user-requires"];
    findings.into_iter().filter(|one| wanted.contains(&one.finding.as_str())).map(|one| one.message).collect()
}

#[test]
fn what_is_there_is_accepted() {
    for requirement in [
        "lib >= 2",
        "lib.so.2()(64bit)",
        "libc.so.6(GLIBC_2.34)(64bit)",
        "systemd >= 240",
        "shadow",
        "rpmlib(RichDependencies) <= 4.12.0-1",
        "(ucx or lib)",
        "(nowhere if ucx)",
        "(lib if systemd)",
        "(systemd with init)",
        "(lib >= 2 with lib < 3)",
    ] {
        assert_eq!(said(requirement), Vec::<String>::new(), "{requirement}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let neither = "which neither openeuler-22.03-x86_64 nor our packages provide";
    for (requirement, expected) in [
        ("lib >= 3", format!("requires `lib >= 3`, {neither}")),
        ("libc.so.6(GLIBC_2.35)(64bit)", format!("requires `libc.so.6(GLIBC_2.35)(64bit)`, {neither}")),
        // Nobody knows the version.
        ("shadow >= 4", format!("requires `shadow >= 4`, {neither}")),
        ("(ucx or nowhere)", format!("requires `(ucx or nowhere)`, {neither} (`ucx`, `nowhere`)")),
        ("(ucx if systemd)", format!("requires `(ucx if systemd)`, {neither} (`ucx`)")),
        ("(lib with init)", format!("requires `(lib with init)`, {neither}")),
        (
            "(lib or",
            "requires `(lib or`, which is no dependency: `(lib or`, column 8: expected a capability, found the end"
                .to_owned(),
        ),
        ("user(daos)", "requires `user(daos)`, which nothing provides before rpm 4.19".to_owned()),
    ] {
        assert_eq!(said(requirement), [expected], "{requirement}");
    }
}
