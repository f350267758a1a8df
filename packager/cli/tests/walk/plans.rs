//! `plan` in all its forms, over recipes that nobody builds.

use std::fs;
use std::process::{Command, Stdio};

use quick_xml::events::Event;

use crate::yard::{TARGET, Yard};

/// A recipe that can be planned: its archive is nowhere.
pub(crate) fn recipe(yard: &Yard, name: &str, keys: &str, packages: &str) {
    let folder = yard.path("root/specs").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let text = format!(
        "name: {name}\nversion: '2.1'\nrelease: 1\nsummary: s\nlicense: MIT\nmaintainer: M <m@m.invalid>\ndescription: d\nsource:\n  released: 2026-01-02\n  \
         archives: [{{ url: 'file:///nowhere/{name}.tar.gz', sha256: '{}' }}]\nmake: {{}}\n{keys}\npackages:\n{packages}\n",
        "0".repeat(64)
    );
    fs::write(folder.join("recipe.yaml"), text).expect("written");
}

fn yard() -> Yard {
    let yard = Yard::new();
    fs::remove_dir_all(yard.path("root/specs/demo")).expect("the demo");
    recipe(
        &yard,
        "fabric",
        "instead: [{ package: ofi, at-least: '2.0' }]",
        "  fabric: {}\n  fabric-devel: { requires: [fabric] }",
    );
    recipe(
        &yard,
        "mercury",
        "libraries: [fabric-devel]\noptions:\n  ucx: { default: true, libraries: [ucx-devel], off: [X=1] }\n  self: { default: true, reason: shared memory }",
        "  mercury: { requires: ['(mercury-ucx or mercury-ofi)', systemd >= 200] }\n  mercury-ofi: { requires: [fabric >= 2] }",
    );
    recipe(&yard, "raft", "instead: [{ package: raft }]", "  raft: {}");
    recipe(&yard, "store", "libraries: [raft, mercury]", "  store: { requires: [fabric, '(raft if store)'] }");
    let lock = yard.path("root/specs/targets/almalinux-8/lock.yaml");
    let text = fs::read_to_string(&lock).expect("a lock");
    let more = "  - from: a \"list\" & <more>\n    repository: EPEL\n    packages:\n      - { name: ofi, evr: 1.20.0, source: libofi }\n      - { name: raft, evr: 1:0.11-2 }\n    absent: [ipmctl]\n";
    fs::write(lock, text + more).expect("written");
    yard
}

#[test]
fn a_plan_is_shown_as_a_tree_and_explained() {
    let yard = yard();
    insta::assert_snapshot!(yard.good(&["plan", "--target", TARGET]));
    let explain = |name: &str| yard.good(&["plan", "--target", TARGET, "--explain", name]);
    insta::assert_snapshot!(
        [explain("fabric"), explain("mercury"), explain("raft"), explain("systemd"), explain("mercury-ofi")].join("\n")
    );
    // What nothing in the plan takes is known too, by its source package as well.
    let text = explain("ofi");
    assert!(
        text.contains("ofi 1.20.0 (of libofi, EPEL) is a package of AlmaLinux 8; nothing in the plan takes it.")
            && text.contains(
                "\nThe recipe `fabric` names it: AlmaLinux 8's ofi 1.20.0 (of libofi, EPEL) is older than 2.0.\n"
            )
            && text.contains("\nThis is known from: a \"list\" & <more>.\n"),
        "{text}"
    );
    assert_eq!(explain("libofi"), text);
    assert_eq!(
        explain("ipmctl"),
        "AlmaLinux 8 has no `ipmctl`, and no recipe makes one. This is known from: a \"list\" & <more>.\n"
    );
    let text = yard.good(&["plan", "--target", TARGET, "fabric", "--explain", "store"]);
    assert!(
        text.contains("\nIt is not built for almalinux-8-x86_64: nothing that was asked for needs it. Naming it builds 2.1-1.el8.\n"),
        "{text}"
    );
    let text = yard.bad(&["plan", "--target", TARGET, "--explain", "mercuri"], 1);
    assert!(text.contains("nobody knows a package `mercuri` here\nhint: write `mercury`"), "{text}");
    yard.bad(&["plan", "--target", TARGET, "--explain", "mercury", "--format", "svg"], 2);
}

#[test]
fn a_plan_is_data() {
    let yard = yard();
    let text = yard.good(&["plan", "--target", TARGET, "--format", "json"]);
    assert_eq!(text, yard.good(&["--json", "plan", "--target", TARGET]));
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["waves"][1][0]["recipe"], "mercury");
    assert_eq!(value["waves"][1][0]["needs"][0]["rich"], "(mercury-ucx or mercury-ofi)");
    assert_eq!(value["provided"][0]["package"], "systemd");
}

#[test]
fn a_plan_is_drawn() {
    let yard = yard();
    let drawn = |format: &str| {
        let text = yard.good(&["plan", "--target", TARGET, "--format", format]);
        assert_eq!(text, yard.good(&["plan", "--target", TARGET, "--format", format]), "the same plan, the same bytes");
        text
    };
    let dot = drawn("dot");
    assert!(dot.contains("[label=\"mercury\\n2.1-1.el8\\nbuilt\"") && dot.contains("-> n"), "{dot}");
    if let Ok(mut graphviz) = Command::new("dot").arg("-Tcanon").stdin(Stdio::piped()).stdout(Stdio::null()).spawn() {
        std::io::Write::write_all(graphviz.stdin.as_mut().expect("its input"), dot.as_bytes()).expect("written");
        assert!(graphviz.wait().expect("it ends").success(), "{dot}");
    }
    let quotes = dot.replace("\\\\", "").replace("\\\"", "").matches('"').count();
    assert!(quotes % 2 == 0 && dot.matches('{').count() == dot.matches('}').count(), "{dot}");

    let svg = drawn("svg");
    let (mut depth, mut boxes, mut texts) = (0_usize, Vec::new(), Vec::new());
    let mut reader = quick_xml::Reader::from_str(&svg);
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Empty(element) => {
                let value = |name: &str| {
                    let attribute = element.try_get_attribute(name).expect("attributes")?;
                    Some(attribute.value.to_string())
                };
                let class = value("class").unwrap_or_default();
                if class.starts_with("box ") {
                    let number = |name: &str| value(name).expect("a place").parse::<f64>().expect("a number");
                    boxes.push((number("x"), number("y"), number("width"), number("height")));
                }
            }
            Event::Text(text) => texts.push(text.xml10_content().into_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    for name in ["fabric", "mercury", "raft", "store", "systemd", "wave 1", "wave 3", "AlmaLinux 8", "to build"] {
        assert!(texts.iter().any(|text| text == name), "`{name}` is not in {texts:?}");
    }
    assert!(svg.contains("prefers-color-scheme: dark"));
    // Five nodes and three of the legend, none on another.
    assert_eq!(boxes.len(), 8, "{boxes:?}");
    for (at, (x, y, width, height)) in boxes.iter().enumerate() {
        for (left, top, wide, tall) in &boxes[at + 1..] {
            let apart = x + width < *left || left + wide < *x || y + height < *top || top + tall < *y;
            assert!(apart, "{boxes:?}");
        }
    }
}

#[test]
fn what_cannot_be_planned_is_named() {
    let yard = yard();
    let bad = |keys: &str, packages: &str| {
        recipe(&yard, "fabric", keys, packages);
        yard.bad(&["plan", "--target", TARGET], 1)
    };
    let text = bad("libraries: [store]", "  fabric: {}\n  fabric-devel: {}");
    assert!(
        text.contains(
            "recipes need each other: `fabric` links against `store` of `store`; `store` of `store` requires `fabric` of `fabric`\nhint: "
        )
            && text.contains("hint: leave out one"),
        "{text}"
    );
    let text = bad("", "  fabric: { requires: ['(raft and'] }\n  fabric-devel: {}");
    assert!(text.contains("which is no dependency: `(raft and`, column 10: expected a capability"), "{text}");
    assert!(text.contains("specs/fabric/recipe.yaml:14:24: ") && text.contains("hint: correct `requires:`"), "{text}");
    let text = bad("", "  fabric: { requires: [mercuri] }\n  fabric-devel: {}");
    assert!(text.contains("specs/fabric/recipe.yaml:14:24: `fabric` requires `mercuri`"), "{text}");
    assert!(text.contains("hint: write `mercury`"), "{text}");
    let text =
        bad("options:\n  self: { default: true, libraries: [fabric-deval] }", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("no recipe builds `fabric-deval`, a library of the option `self`"), "{text}");
    assert!(text.contains("hint: write `fabric-devel`"), "{text}");
    let text = bad("", "  fabric: {}\n  fabric-devel: {}\n  raft: {}");
    assert!(text.contains("a second package `raft`; the first is in `specs/fabric/recipe.yaml`"), "{text}");
    let text = bad("project: raft", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("the package `raft` has the name of a project of `specs/fabric/recipe.yaml`"), "{text}");
    let text = bad("project: fabric-devel", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("`fabric-devel` is a name of this recipe already"), "{text}");
    let text = bad("", "  fabric: { requires: [ofi >= 2] }\n  fabric-devel: {}");
    assert!(text.contains("AlmaLinux 8 has ofi 1.20.0 (of libofi, EPEL)"), "{text}");
    let text = bad("instead: [{ package: ofi, at-lest: '2' }]", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("unknown key `at-lest`") && text.contains("write `at-least`"), "{text}");
    let text = bad("instead: [{ package: ofi, at-least: '>= 2' }]", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("recipe.yaml:12:") && text.contains("`>= 2` is no version"), "{text}");
    let text = bad("instead: [{ package: ofi, at-least: '2', never: no }]", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("recipe.yaml:12:") && text.contains("`at-least` and `never` exclude each other"), "{text}");
    let text = bad("instead: [{ package: ofi, never: true }]", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("`never` needs a reason\n"), "{text}");
    let text = bad("on-request: 'true'", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("recipe.yaml:12:13: `on-request` needs a reason\n"), "{text}");
    for empty in
        ["on-request:", "instead: [{ package: ofi, never: }]", "instead: [{ package: ofi, at-least: }]", "url:"]
    {
        let text = bad(empty, "  fabric: {}\n  fabric-devel: {}");
        assert!(text.contains("recipe.yaml:12:") && text.contains("the value is missing\n"), "{empty}: {text}");
    }
    for (line, told) in [("<<: { release: 2 }", "merge key"), ("no-debug-packages: maybe", "boolean")] {
        let text = bad(line, "  fabric: {}\n  fabric-devel: {}");
        assert!(text.contains("recipe.yaml:12:") && text.contains(told), "{line}: {text}");
    }
    let text =
        bad("", "  fabric: { files: [installed: /usr/bin/x] }\n  fabric-devel: { files: [installed: /usr/bin/x] }");
    assert!(text.contains("`/usr/bin/x` is in the package `fabric` already\n"), "{text}");
    let text = bad("libraries: [fabric-devel]", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("recipe.yaml:12:13: the recipe builds `fabric-devel` itself\n"), "{text}");
    let text = bad("libraries: [zlib-devel]", "  fabric: {}\n  fabric-devel: {}");
    assert!(text.contains("no recipe builds `zlib-devel`\n") && text.contains("hint: write a recipe for it"), "{text}");
}
