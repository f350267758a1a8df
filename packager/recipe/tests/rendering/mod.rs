//! The project's recipes, rendered as the packager renders them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use packager_recipe::diagnostic::Page;
use packager_recipe::spec::Templates;
use packager_recipe::target::Profile;
use packager_recipe::{Facts, Recipe, Target, TargetName, evaluate, spec};

/// All targets.
pub(crate) const TARGETS: [&str; 10] = [
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

fn read(path: String) -> String {
    fs::read_to_string(root().join(path)).expect("a file of the project")
}

/// Names of all recipes, sorted.
pub(crate) fn recipes() -> Vec<String> {
    let entries = fs::read_dir(root().join("specs")).expect("readable").flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("recipe.yaml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What all recipes build, under every name.
fn built() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in recipes() {
        let text = read(format!("specs/{name}/recipe.yaml"));
        let recipe = Recipe::parse(Page { file: &name, text: &text }).expect("a good recipe");
        names
            .extend(recipe.packages.into_iter().flat_map(|(name, package)| package.provides.into_iter().chain([name])));
    }
    names
}

/// The spec of a recipe for a target.
pub(crate) fn rendered_of(recipe: &str, name: &str) -> String {
    let name = TargetName::parse(name).expect("a good name");
    let text = read(format!("specs/targets/{}/target.yaml", name.system));
    let profile = Profile::parse(Page { file: "target.yaml", text: &text }).expect("a good profile");
    let target = Target::new(&name, profile).expect("the architecture is in the profile");
    let built = built();
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
        version: "0.1.0".to_owned(),
        changelog,
        source_time: 1_790_000_000,
        beside,
        cargo_packages: recipe.cargo.iter().flat_map(|cargo| &cargo.packages).map(|name| name.value.clone()).collect(),
        programs: ["daos_server", "daos_engine", "daos_agent", "dmg", "daos"].map(str::to_owned).into(),
        built,
        ..Facts::default()
    };
    let concrete = evaluate(&recipe, page, &target, &facts).expect("no findings");
    let parts = spec::PARTS.map(|part| (part, read(format!("templates/{part}.hbs"))));
    let templates = Templates::new(parts.iter().map(|(name, text)| (*name, text.as_str()))).expect("good parts");
    templates
        .render(&concrete.template, &read(format!("templates/{}", concrete.template)), &concrete)
        .expect("rendered")
}
