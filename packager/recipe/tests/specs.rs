//! The spec of the storage stack for every target, as rendered: what changes for one distribution is seen in review.

#![allow(clippy::disallowed_methods)] // a suite: it reads the project's recipes

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use packager_recipe::diagnostic::Page;
use packager_recipe::spec::Templates;
use packager_recipe::target::Profile;
use packager_recipe::{Facts, Recipe, Target, TargetName, evaluate, spec};

const TARGETS: [&str; 10] = [
    "openeuler-22.03-x86_64",
    "openeuler-22.03-aarch64",
    "openeuler-24.03-x86_64",
    "openeuler-24.03-aarch64",
    "almalinux-8-x86_64",
    "almalinux-8-aarch64",
    "almalinux-9-x86_64",
    "almalinux-9-aarch64",
    "almalinux-10-x86_64",
    "almalinux-10-aarch64",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn rendered(name: &str) -> String {
    rendered_of("daos", name)
}

fn rendered_of(recipe: &str, name: &str) -> String {
    rendered_where(recipe, name, &[])
}

/// The spec where other recipes build these packages.
fn rendered_where(recipe: &str, name: &str, built: &[&str]) -> String {
    let name = TargetName::parse(name).expect("a good name");
    let read = |path: String| fs::read_to_string(root().join(path)).expect("a file of the project");
    let text = read(format!("specs/targets/{}/target.yaml", name.system));
    let profile = Profile::parse(Page { file: "target.yaml", text: &text }).expect("a good profile");
    let target = Target::new(&name, profile).expect("the architecture is in the profile");
    let text = read(format!("specs/{recipe}/recipe.yaml"));
    let page = Page { file: "recipe.yaml", text: &text };
    let recipe = Recipe::parse(page).expect("a good recipe");
    let mut beside = BTreeMap::new();
    for entry in fs::read_dir(root().join("specs").join(&recipe.name.value).join("files")).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        beside.insert(name, fs::read_to_string(&path).expect("a text"));
    }
    let changelog = "## Unreleased\n\n- 100% of it.\n".to_owned();
    let facts = Facts {
        given: None,
        given_archive: None,
        version: "0.1.0".to_owned(),
        changelog,
        source_time: 1_790_000_000,
        beside,
        cargo_packages: recipe.cargo.iter().flat_map(|cargo| &cargo.packages).map(|name| name.value.clone()).collect(),
        archive: 0,
        built: built.iter().map(|name| (*name).to_owned()).collect(),
        programs: ["daos_server", "daos_engine", "daos_agent", "dmg", "daos"].map(str::to_owned).into(),
    };
    let concrete = evaluate(&recipe, page, &target, &facts).expect("no findings");
    let parts = spec::PARTS.map(|part| (part, read(format!("templates/{part}.hbs"))));
    let templates = Templates::new(parts.iter().map(|(name, text)| (*name, text.as_str()))).expect("good parts");
    templates
        .render(&concrete.template, &read(format!("templates/{}", concrete.template)), &concrete)
        .expect("rendered")
}

#[test]
fn the_whole_spec_for_one_target() {
    insta::assert_snapshot!(rendered("openeuler-22.03-aarch64"));
}

#[test]
fn the_whole_spec_of_an_upstream_project() {
    insta::assert_snapshot!(rendered_of("isa-l", "openeuler-22.03-aarch64"));
}

#[test]
fn options_without_their_libraries_are_off() {
    let spec = rendered_of("libfabric", "openeuler-22.03-aarch64");
    assert!(spec.contains("--disable-opx --disable-psm2 --disable-ucx --disable-verbs"), "{spec}");
}

#[test]
fn options_of_a_cargo_project_are_features() {
    let plain = rendered("openeuler-22.03-aarch64");
    let spec = rendered_where("daos", "openeuler-22.03-aarch64", &["libisa-l-devel"]);
    let more: Vec<&str> = spec.lines().filter(|line| !plain.lines().any(|other| other == *line)).collect();
    insta::assert_snapshot!(more.join("\n"));
}

/// Every other target, as the lines in which it differs from the first.
#[test]
fn what_targets_differ_in() {
    let first = rendered(TARGETS[0]);
    let mut text = String::new();
    for name in TARGETS {
        text.push_str(&format!("{name}\n"));
        let other = rendered(name);
        assert_eq!(first.lines().count(), other.lines().count());
        for (_, line) in first.lines().zip(other.lines()).filter(|(a, b)| a != b) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_percent_sign_in_the_changelog_is_no_macro() {
    assert!(rendered(TARGETS[0]).contains("- 100%% of it."));
}

#[test]
fn a_template_that_asks_for_something_unknown_is_an_error() {
    let error = Templates::new([])
        .expect("no parts")
        .render("t", "{{nothing}}", &BTreeMap::<String, String>::new())
        .expect_err("strict");
    assert!(error.to_string().contains("template `t`"));
}
