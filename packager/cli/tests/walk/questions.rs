//! `evr` and `resolve` as a user calls them, in a folder without a project.

use std::fs;
use std::process::{Command, Output};

use crate::yard::{run, said};

fn packager(folder: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packager"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the packager runs")
}

const UNIVERSE: &str = r#"{
  "arch": "x86_64",
  "installed": [ { "name": "lib", "evr": "1-1", "arch": "x86_64" } ],
  "repositories": [ { "name": "base", "packages": [
    { "name": "app", "evr": "1:2.0-1", "arch": "x86_64", "requires": ["lib >= 2"], "recommends": ["doc"] },
    { "name": "lib", "evr": "2-1", "arch": "x86_64" },
    { "name": "doc", "evr": "1-1", "arch": "noarch" },
    { "name": "future", "evr": "1-1", "arch": "noarch", "requires": ["lib >= 3"] }
  ] } ]
}"#;

#[test]
fn versions_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    for (left, right, expected) in [("1.0~rc1", "1.0", "<\n"), ("1:1", "2", ">\n"), ("0:1-1", "1-1", "=\n")] {
        let output = packager(folder.path(), &["evr", left, right]);
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(0), expected));
    }
    let output = packager(folder.path(), &["--json", "evr", "2", "10"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["order"], "<");
    let output = packager(folder.path(), &["evr", "1:", "1"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("`1:`, column 3: expected a version") && text.contains("hint: write `[epoch:]"), "{text}");
}

#[test]
fn a_transaction_is_told_with_reasons() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("u.json"), UNIVERSE).expect("written");
    let resolve =
        |arguments: &[&str]| packager(folder.path(), &[&["resolve", "--universe", "u.json"], arguments].concat());
    let output = resolve(&["--install", "app"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "install   app-1:2.0-1.x86_64 from base: `app` was asked for\n\
         install   doc-1-1.noarch from base: app-1:2.0-1.x86_64 recommends `doc`\n\
         upgrade   lib-2-1.x86_64 from base in place of lib-1-1.x86_64: app-1:2.0-1.x86_64 requires `lib >= 2`\n"
    );
    let output = resolve(&["--update", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["actions"][0]["change"], "upgrade");
    assert_eq!(value["actions"][0]["replaces"][0], "lib-1-1.x86_64");
    let output = resolve(&["--install", "lib"]);
    assert_eq!(said(&output), "nothing to do\n");

    let refused = |arguments: &[&str], code: i32, parts: &[&str]| {
        let output = resolve(arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
    };
    refused(
        &["--install", "future"],
        1,
        &["future-1-1.noarch requires `lib >= 3`, which nobody provides: there is lib-2-1.x86_64"],
    );
    refused(&["--install", "ap"], 1, &["nobody provides `ap`", "hint: did you mean `app`?"]);
    refused(&["--install", "(app or"], 1, &["`(app or`, column 8: expected a capability", "hint: "]);
    refused(&["--erase", "app"], 1, &["no installed package is `app`"]);
    refused(&[], 2, &["--install"]);
    fs::write(folder.path().join("u.json"), "{ \"arch\": \"x86_64\", \"packages\": [] }").expect("written");
    refused(&["--update"], 1, &["unknown field `packages`", "line 1 column", "hint: packager/docs/resolver.md"]);
}

#[test]
fn repositories_are_asked_as_dnf_asks_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let build = |repository: &str, name: &str, version: &str, lines: &str| {
        let place = folder.path().join(repository);
        fs::create_dir_all(&place).expect("a folder");
        let spec = folder.path().join(format!("{name}.spec"));
        let text = format!(
            "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: {name}\nLicense: MIT\nBuildArch: noarch\n{lines}\n%description\n{name}\n%files\n"
        );
        fs::write(&spec, text).expect("written");
        let define = |name: &str, value: String| format!("--define={name} {value}");
        run(Command::new("rpmbuild")
            .args(["-bb", "--quiet", &define("_topdir", folder.path().join("top").display().to_string())])
            .args([
                define("_rpmdir", place.display().to_string()),
                define("_build_name_fmt", "%{NAME}-%{VERSION}.rpm".into()),
            ])
            .arg(&spec));
    };
    build("base", "app", "2", "Requires: lib >= 1.5, (plugin if lib)");
    build("base", "lib", "2", "Epoch: 1");
    build("base", "plugin", "1", "Conflicts: old < 3");
    build("installed", "lib", "1", "");
    build("installed", "old", "2", "");
    for repository in ["base", "installed"] {
        let made = packager(folder.path(), &["repo", "create", repository]);
        assert!(made.status.success(), "{}", said(&made));
    }
    let asked = ["resolve", "--repo", "base=base", "--arch", "x86_64", "--install", "app"];
    let output = packager(folder.path(), &asked);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "install   app-2-1.noarch from base: `app` was asked for\n\
         install   lib-1:2-1.noarch from base: app-2-1.noarch requires `lib >= 1.5`\n\
         install   plugin-1-1.noarch from base: app-2-1.noarch requires `(plugin if lib)`\n",
        "{}",
        said(&output)
    );
    let output = packager(folder.path(), &[&asked[..], &["--installed", "installed"]].concat());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("plugin-1-1.noarch") && text.contains("old-2-1.noarch") && text.contains("hint: "), "{text}");
    let output = packager(folder.path(), &["resolve", "--repo", "nothing=nowhere", "--install", "app"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the repository `nowhere` cannot be read"), "{text}");
}
