//! What a person sees when `specs/groups.yaml` or `specs/security.yaml` is wrong, and that the project's own are right.

#![allow(clippy::disallowed_methods)] // a suite: it reads the project's files

use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::diagnostic::{Diagnostic, Page};
use packager_recipe::{Groups, Recipe, Security};

const GROUPS: &str = "\
groups:
  - id: server
    name: Server
    description: Holds data.
    packages:
      mandatory: [demo-server]
      optional: [demo]
      conditional: { demo-extra: bash }
environments:
  - id: host
    name: Host
    description: A host.
    groups: [server]
    options: []
";

const SECURITY: &str = "\
advisories:
  - id: DEMO-SA-2026-1
    date: 2026-12-01
    severity: Important
    summary: Anybody could read anything.
    cves: [CVE-2026-12345]
    packages: [demo-server, demo]
    fixed: 0.2.1
    references: [https://demo.invalid/1]
";

fn joined(findings: &[Diagnostic]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn groups(from: &str, to: &str) -> String {
    assert!(GROUPS.contains(from), "`{from}`");
    let text = GROUPS.replacen(from, to, 1);
    let known = BTreeSet::from(["demo", "demo-extra", "demo-server"]);
    let read = Groups::parse(Page { file: "specs/groups.yaml", text: &text }, &known);
    read.map_or_else(|findings| joined(&findings), |_| "no finding".to_owned())
}

fn security(from: &str, to: &str) -> String {
    assert!(SECURITY.contains(from), "`{from}`");
    let text = SECURITY.replacen(from, to, 1);
    let known = BTreeMap::from([("demo", "demo"), ("demo-server", "demo"), ("isa-l", "isa-l")]);
    let read = Security::parse(Page { file: "specs/security.yaml", text: &text }, &known);
    read.map_or_else(|findings| joined(&findings), |_| "no finding".to_owned())
}

#[test]
fn good_files_have_no_findings() {
    assert_eq!(groups("Server", "Other"), "no finding");
    assert_eq!(security("0.2.1", "0.2.1~rc1-2"), "no finding");
    for (key, text) in [("    options: []\n", ""), ("    cves: [CVE-2026-12345]\n", "")] {
        assert_eq!(if GROUPS.contains(key) { groups(key, text) } else { security(key, text) }, "no finding");
    }
}

#[test]
fn a_misspelt_package() {
    insta::assert_snapshot!(groups("[demo-server]", "[demo-sever]"), @r"
    specs/groups.yaml:6:19: no recipe has a package `demo-sever`
      |
    6 |       mandatory: [demo-sever]
      |                   ^
    hint: write `demo-server`
    ");
    insta::assert_snapshot!(security("[demo-server, demo]", "[demo-server, dmo]"), @r"
    specs/security.yaml:7:29: no recipe has a package `dmo`
      |
    7 |     packages: [demo-server, dmo]
      |                             ^
    hint: write `demo`
    ");
    let text = groups("demo-extra: bash", "bash: demo");
    assert!(
        text.contains("8:28: no recipe has a package `bash`") && text.contains("name a package of a recipe"),
        "{text}"
    );
}

#[test]
fn a_severity_that_nobody_knows() {
    insta::assert_snapshot!(security("Important", "important"), @r"
    specs/security.yaml:4:15: unknown value `important`
      |
    4 |     severity: important
      |               ^
    hint: write `Important` if that is what you mean
    ");
}

#[test]
fn keys_and_ids() {
    let text = groups("mandatory", "mandatry");
    assert!(text.contains("6:7: unknown key `mandatry`") && text.contains("write `mandatory`"), "{text}");
    let text = groups("    name: Server\n", "");
    assert!(text.contains("the key `name` is missing"), "{text}");
    let text = groups("id: host", "id: server");
    assert!(text.contains("10:9: the id `server` is here twice") && text.contains("another id"), "{text}");
    let text = groups("id: server", "id: \"a server\"");
    assert!(text.contains("2:9: `a server` is no id of a group"), "{text}");
    let text = groups("name: Server", "name: \"\"");
    assert!(text.contains("3:11: `name` is empty"), "{text}");
    let text = security("id: DEMO-SA-2026-1", "id: \"DEMO 1\"");
    assert!(text.contains("2:9: `DEMO 1` is no id") && text.contains("hint: write one like"), "{text}");
    let twice = SECURITY.strip_prefix("advisories:\n").expect("its first line");
    let text = security(twice, &format!("{twice}{twice}"));
    assert!(text.contains("10:9: the id `DEMO-SA-2026-1` is here twice"), "{text}");
}

#[test]
fn what_groups_hold() {
    let text = groups("optional: [demo]", "optional: [demo-server]");
    assert!(text.contains("7:18: the package `demo-server` is in this group twice"), "{text}");
    let text = groups("bash", "\"a b\"");
    assert!(text.contains("8:34: `a b` is no name of a package"), "{text}");
    let text = groups("groups: [server]", "groups: [servre]");
    assert!(text.contains("13:14: there is no group `servre`") && text.contains("hint: write `server`"), "{text}");
    let text = groups("groups: [server]", "groups: []");
    assert!(text.contains("13:13: the environment `host` has no group"), "{text}");
    let text = groups("options: []", "options: [server]");
    assert!(text.contains("14:15: the group `server` is here twice"), "{text}");
    let none = "mandatory: [demo-server]\n      optional: [demo]\n      conditional: { demo-extra: bash }";
    let text = groups(none, "mandatory: []");
    assert!(text.contains("a group without packages"), "{text}");
}

#[test]
fn what_advisories_say() {
    for (from, to, told) in [
        ("2026-12-01", "2026-02-30", "3:11: `2026-02-30` is no day"),
        ("2026-12-01", "soon", "3:11: `soon` is no day"),
        ("CVE-2026-12345", "CVE-26-1", "6:12: `CVE-26-1` is no number of a CVE"),
        ("fixed: 0.2.1", "fixed: 0.2.1-1.el9", "8:12: `0.2.1-1.el9` is no version"),
        ("fixed: 0.2.1", "fixed: \"\"", "8:12: `` is no version"),
        ("https://demo.invalid/1", "demo.invalid", "9:18: `demo.invalid` is no address"),
        ("Anybody could", "\"a\\nb\" #", "5:14: `summary` has more than one line"),
        ("[demo-server, demo]", "[]", "7:15: an advisory without packages"),
        ("[demo-server, demo]", "[demo, demo]", "7:22: the package `demo` is here twice"),
        ("[demo-server, demo]", "[demo, isa-l]", "7:22: `isa-l` is of the recipe `isa-l`, `demo` of `demo`"),
    ] {
        let text = security(from, to);
        assert!(text.contains(told) && text.contains("\nhint: "), "{to}: {text}");
    }
}

/// The packages of all recipes of this project.
#[test]
fn the_projects_own_files_are_right() {
    let specs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let mut recipes = Vec::new();
    for entry in std::fs::read_dir(&specs).expect("readable") {
        let path = entry.expect("an entry").path().join("recipe.yaml");
        if path.is_file() {
            let text = std::fs::read_to_string(&path).expect("readable");
            recipes.push(Recipe::parse(Page { file: "recipe.yaml", text: &text }).expect("a good recipe"));
        }
    }
    let known: BTreeMap<&str, &str> = recipes
        .iter()
        .flat_map(|recipe| recipe.packages.keys().map(|package| (package.as_str(), recipe.name.value.as_str())))
        .collect();
    let read = |name: &str| std::fs::read_to_string(specs.join(name)).expect("readable");
    let text = read("groups.yaml");
    let groups = Groups::parse(Page { file: "groups.yaml", text: &text }, &known.keys().copied().collect());
    let groups = groups.unwrap_or_else(|findings| panic!("{}", joined(&findings)));
    assert_eq!((groups.groups.len(), groups.environments.len()), (3, 1));
    let text = read("security.yaml");
    Security::parse(Page { file: "security.yaml", text: &text }, &known).expect("good");
}
