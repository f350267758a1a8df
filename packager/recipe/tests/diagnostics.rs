//! What a person sees when a recipe is wrong: file, line, column, the text, a suggestion.

use packager_recipe::diagnostic::Page;
use packager_recipe::target::Profile;
use packager_recipe::{Facts, Recipe, Target, TargetName, evaluate};

const RECIPE: &str = include_str!("../../cli/tests/walk/fixture/specs/demo/recipe.yaml");
const PROFILE: &str = include_str!("../../../specs/targets/openeuler-22.03/target.yaml");

fn target() -> Target {
    let profile = Profile::parse(Page { file: "target.yaml", text: PROFILE }).expect("a good profile");
    let name = TargetName::parse("openeuler-22.03-aarch64").expect("a good name");
    Target::new(&name, profile).expect("the profile has the architecture")
}

fn facts() -> Facts {
    Facts {
        version: "1.2.3".to_owned(),
        changelog: "## Unreleased\n- 100% new.\n".to_owned(),
        source_time: 1_790_000_000,
        beside: [("demo.conf".to_owned(), String::new())].into(),
        cargo_packages: ["hello".to_owned()].into(),
        programs: ["hello".to_owned()].into(),
        ..Facts::default()
    }
}

/// The messages for a recipe in which `from` was replaced by `to`.
fn messages(from: &str, to: &str) -> String {
    assert!(RECIPE.contains(from), "the recipe has `{from}`");
    let text = RECIPE.replacen(from, to, 1);
    let page = Page { file: "specs/demo/recipe.yaml", text: &text };
    match Recipe::parse(page) {
        Err(finding) => finding.to_string(),
        Ok(recipe) => match evaluate(&recipe, page, &target(), &facts()) {
            Err(findings) => findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Ok(_) => "no finding".to_owned(),
        },
    }
}

#[test]
fn a_good_recipe_has_no_findings() {
    assert_eq!(messages("release: 1", "release: 2"), "no finding");
}

#[test]
fn a_misspelt_key() {
    insta::assert_snapshot!(messages("summary: A program", "sumary: A program"), @r"
    specs/demo/recipe.yaml:3:1: unknown key `sumary`
      |
    3 | sumary: A program that says a number
      | ^
    hint: write `summary` if that is what you mean, or remove the key
    ");
}

#[test]
fn a_program_to_optimise_that_nobody_builds() {
    insta::assert_snapshot!(messages("lto: [hello]", "lto: [helo]"), @r"
    specs/demo/recipe.yaml:19:9: the source tree has no program `helo`
       |
    19 |   lto: [helo]
       |         ^
    hint: write `hello`
    ");
}

#[test]
fn keys_that_nothing_would_read_are_refused() {
    for (key, text) in
        [("tools", "tools: [nasm]"), ("flags", "flags: [-g0]"), ("no-debug-packages", "no-debug-packages: true")]
    {
        let found = messages("release: 1", &format!("release: 1\n{text}"));
        assert!(found.contains(&format!("a cargo project has no use for `{key}`")), "{found}");
    }
}

#[test]
fn an_unknown_file_beside_the_recipe() {
    insta::assert_snapshot!(messages("file: demo.conf", "file: demo.cnf"), @r"
    specs/demo/recipe.yaml:26:9: no file `demo.cnf` beside the recipe, in `files/`
       |
    26 |       - { file: demo.cnf, to: /etc/demo.conf, config: true }
       |         ^
    hint: write `demo.conf`
    ");
}

#[test]
fn a_program_that_the_sources_do_not_have() {
    let text = messages("binary: hello", "binary: helo");
    assert!(text.contains("the source tree has no program `helo`") && text.contains("hint: write `hello`"), "{text}");
    let text = messages("packages: [hello]", "packages: [hallo]");
    assert!(text.contains("the source tree has no cargo package `hallo`") && text.contains("write `hello`"), "{text}");
}

#[test]
fn an_entry_of_two_kinds_or_with_a_useless_key() {
    let text = messages("{ file: demo.conf,", "{ file: demo.conf, doc: LICENSE,");
    assert!(
        text.contains("this entry is `file`, `doc` at once") && text.contains("hint: make an entry of each"),
        "{text}"
    );
    let text = messages("{ file: demo.conf,", "{ unit: demo.conf,");
    assert!(text.contains("`to` means nothing for a `unit`") && text.contains("`config` means nothing"), "{text}");
}

#[test]
fn bad_permission_bits() {
    let text = messages("config: true", "mode: \"rw\"");
    assert!(text.contains("`rw` are no permission bits") && text.contains("hint: write four octal digits"), "{text}");
}

#[test]
fn a_misspelt_package_in_requires() {
    let text = messages("    files:\n", "    requires: [demoo]\n    files:\n");
    assert!(text.contains("no package `demoo` in this recipe") && text.contains("hint: write `demo`"), "{text}");
}

#[test]
fn what_yaml_or_a_value_cannot_be() {
    insta::assert_snapshot!(messages("release: 1", "release: one"), @r"
    specs/demo/recipe.yaml:2:10: expected a whole number
      |
    2 | release: one
      |          ^
    hint: write one that is not negative, without quotes
    ");
    insta::assert_snapshot!(messages("release: 1", "release: 1\nrelease: 2"), @r"
    specs/demo/recipe.yaml:3:1: the key `release` is here twice
      |
    3 | release: 2
      | ^
    hint: remove one of the two
    ");
    let text = messages("release: 1\n", "");
    assert!(text.contains("the key `release` is missing") && text.contains("hint: add it beside"), "{text}");
    let text = messages("summary: A program that says a number", "summary:");
    assert!(text.contains("the value is missing") && text.contains("hint: write a text"), "{text}");
    for (from, to) in [("    files:\n", "    requires: demo\n    files:\n"), ("summary: A", "summary: [A")] {
        let text = messages(from, to);
        assert!(text.contains("hint: write a value of the expected kind"), "{text}");
    }
    for (from, to) in [
        ("summary: A", "summary: \"A"),
        ("source:\n  path", "source:\n path"),
        ("release: 1", "release 1"),
        ("release: 1", "\trelease: 1"),
    ] {
        let text = messages(from, to);
        assert!(text.starts_with("specs/demo/recipe.yaml:") && text.contains("\nhint: look at indentation"), "{text}");
    }
}

#[test]
fn a_path_is_installed_once() {
    let text = messages("to: /etc/demo.conf", "to: /usr/bin/hello");
    assert!(
        text.contains("another entry installs `/usr/bin/hello` too") && text.contains("hint: remove one"),
        "{text}"
    );
}

#[test]
fn a_recipe_is_built_in_one_way() {
    let text = messages("\npackages:", "\nmake: {}\n\npackages:");
    assert!(text.contains("the recipe says more than once how it is built"), "{text}");
    assert_eq!(messages_of(""), "recipe.yaml: the file is empty\nhint: write it, or take it away");
}

fn messages_of(text: &str) -> String {
    Recipe::parse(Page { file: "recipe.yaml", text }).expect_err("no recipe").to_string()
}

#[test]
fn a_library_written_by_hand() {
    let text = messages("    files:\n", "    requires: [\"libfoo.so.1()(64bit)\"]\n    files:\n");
    assert!(text.contains("`libfoo.so.1()(64bit)` is a library") && text.contains("hint: remove it"), "{text}");
    let text = messages("    files:\n", "    requires: [\"(bash if libfoo.so)\"]\n    files:\n");
    assert!(text.contains("`libfoo.so` is a library"), "{text}");
    let text = messages("    files:\n", "    requires: [libfoo.source.so.1]\n    files:\n");
    assert!(text.contains("`libfoo.source.so.1` is a library"), "{text}");
    let text = messages("    files:\n", "    requires: [\"/usr/lib64/libfoo.so.1\", resource.source]\n    files:\n");
    assert_eq!(text, "no finding");
}

#[test]
fn an_owner_that_nobody_makes() {
    insta::assert_snapshot!(messages("config: true", "user: daemon, group: root"), @r"
    specs/demo/recipe.yaml:26:9: neither `demo` nor a package of this recipe that it requires makes the user `daemon`
       |
    26 |       - { file: demo.conf, to: /etc/demo.conf, user: daemon, group: root }
       |         ^
    hint: add it to a `sysusers:` file of one of them, also when systems have it
    ");
}

#[test]
fn functions_of_a_package_that_is_not_there() {
    let text = messages("\npackages:", "\ndispatched:\n  - { functions: [f], package: demmo, reason: r }\n\npackages:");
    assert!(text.contains("functions for an unknown package `demmo`") && text.contains("hint: write `demo`"), "{text}");
}

#[test]
fn a_profile_without_a_good_glibc() {
    let text = PROFILE.replace("glibc: \"2.34\"", "glibc: \"new\"");
    let error = Profile::parse(Page { file: "target.yaml", text: &text }).expect_err("a bad version");
    assert!(error.to_string().contains("`new` is no glibc version"), "{error}");
    assert!(error.line > 0 && error.column > 0);
}

#[test]
fn values_of_a_profile_have_their_own_place() {
    let mocked = PROFILE.replace("\ncpu:", "\nmock:\n  x86_64: somewhere\ncpu:");
    for (from, to, told) in [
        ("  x86_64: x86-64", "  x86_64: x86-65", "`x86-65` is no instruction set"),
        ("rpm: \"4", "rpm: \"x", "is no version of rpm"),
        ("build-id-links: none", "build-id-links: non", "`non` is no kind of build-id links"),
        ("vendor: openEuler", "vendor: \"\"", "`` is no name"),
    ] {
        assert!(mocked.contains(from), "the profile has `{from}`");
        let text = mocked.replace(from, to);
        let error = Profile::parse(Page { file: "target.yaml", text: &text }).expect_err("a bad value");
        let line = usize::try_from(error.line).expect("a line");
        assert!(error.message.contains(told) && error.hint.is_some(), "{error}");
        assert!(text.lines().nth(line - 1).expect("the line").starts_with(to.trim_end_matches('"')), "{error}");
    }
}
