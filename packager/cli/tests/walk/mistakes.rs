//! Mistakes are named with their place and a remedy, and change nothing.

use std::fs;

use std::path::Path;

use crate::yard::{TARGET, Yard, keys, said};

#[test]
fn mistakes_are_named() {
    let yard = Yard::new();
    let text = yard.bad(&["plan", "--target", "almalinux-8-x86-64"], 1);
    assert!(text.contains("hint: write `almalinux-8-x86_64`"), "{text}");
    let text = yard.bad(&["plan", "--target", TARGET, "demmo"], 1);
    assert!(text.contains("no recipe or package is called `demmo`") && text.contains("hint: write `demo`"), "{text}");
    yard.bad(&["plan"], 2);
    let text = yard.bad(&["plan", "--json", "--target", TARGET, "--nosuch"], 2);
    let fault: serde_json::Value = serde_json::from_str(&text).expect("JSON alone");
    assert_eq!(fault["error"], "unexpected argument '--nosuch' found");
    let text = yard.bad(&["--json", "keys"], 2);
    let fault: serde_json::Value = serde_json::from_str(&text).expect("JSON alone");
    let words = fault["error"].as_str().expect("text");
    assert!(words.contains("subcommand") && !words.contains('\n'), "{words}");
    let text = yard.bad(&["plan", "--json"], 2);
    assert!(text.contains("not provided: --target <TARGET>"), "{text}");
    let stray = yard.path("root/specs/other");
    fs::create_dir(&stray).expect("a folder");
    fs::write(stray.join("recipe.yml"), "").expect("written");
    let text = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(text.contains("`specs/other` has no `recipe.yaml`") && text.contains("hint: write one"), "{text}");
    fs::remove_dir_all(&stray).expect("removed");
    fs::write(yard.path("root/out"), "").expect("written");
    let text = yard.bad(&["build", "--target", TARGET, "--out", "out"], 1);
    assert!(text.contains("hint: a file is where a folder is needed") && !text.contains("compiling"), "{text}");
    let text = yard.bad(&["build", "--target", TARGET, "--base-url", "packages.invalid"], 1);
    assert!(text.contains("is no address of a repository"), "{text}");
    let recipe = yard.path("root/specs/demo/recipe.yaml");
    let text = fs::read_to_string(&recipe).expect("readable");
    fs::write(&recipe, text.replace("release: 1", "relase: 1")).expect("written");
    let text = yard.bad(&["spec", "--target", TARGET], 1);
    assert!(
        text.contains("specs/demo/recipe.yaml:2:1: unknown key `relase`") && text.contains("write `release`"),
        "{text}"
    );
    let text = text_of(&recipe).replace("relase: 1", "release: 1");
    let bytes = [text.as_bytes(), b"# caf\xe9\n"].concat();
    let line = bytes.iter().filter(|byte| **byte == b'\n').count();
    fs::write(&recipe, bytes).expect("written");
    let said = yard.bad(&["spec", "--target", TARGET], 1);
    assert!(
        said.contains(&format!("recipe.yaml:{line}: this is not UTF-8\n")) && said.contains("hint: save"),
        "{said}"
    );
    fs::write(&recipe, text.replace("changelog: CHANGELOG.md", "changelog: CHANGES.md")).expect("written");
    let said = yard.bad(&["spec", "--target", TARGET], 1);
    assert!(said.contains("recipe.yaml:12:14: cannot read `CHANGES.md` in the source tree"), "{said}");
    // Each hint stays with its finding.
    fs::write(&recipe, text.replace("license: Apache-2.0", "license: ''").replace("to: /etc", "to: etc"))
        .expect("written");
    let said = yard.bad(&["spec", "--target", TARGET], 1);
    let (first, second) = said.split_once("is no path for this").expect("two findings");
    assert!(first.contains("`license` is empty") && first.contains("hint: write one line"), "{said}");
    assert!(second.contains("hint: write a path from the root"), "{said}");
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).expect("readable")
}

#[test]
fn gates_are_explained_and_named_rightly() {
    let yard = Yard::new();
    let text = yard.good(&["check", "--list"]);
    assert!(text.starts_with("GATE") && text.contains("isa-baseline ") && text.contains("soname-change"), "{text}");
    let text = yard.good(&["check", "--explain", "rpath"]);
    assert!(text.contains("mend        link without it") && text.contains("an error"), "{text}");
    let profile = yard.path("root/specs/targets/almalinux-8/target.yaml");
    let text = fs::read_to_string(&profile).expect("readable");
    fs::write(&profile, format!("{text}gates:\n  rpath: warning\n")).expect("written");
    let shown = yard.good(&["--json", "check", "--explain", "rpath", "--target", TARGET]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["id"], &shown["severity"]), (&"rpath".into(), &"warning".into()));
    fs::write(&profile, format!("{text}gates:\n  rpaht: warning\n")).expect("written");
    let text = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(text.contains(": `rpaht` is no gate") && text.contains("hint: write `rpath`"), "{text}");
    fs::write(&profile, text_of(&profile).replace("rpaht", "rpath").replace("w2.xzdio", "w2.foo")).expect("written");
    let text = yard.bad(&["plan", "--target", TARGET], 1);
    assert!(text.contains("`w2.foo` is no payload") && text.contains("target.yaml:"), "{text}");
    let recipe = yard.path("root/specs/demo/recipe.yaml");
    fs::write(&profile, text_of(&profile).replace("w2.foo", "w2.xzdio")).expect("written");
    let waived = format!("{}waivers:\n  - {{ finding: rpaht, reason: r }}\n", text_of(&recipe));
    fs::write(&recipe, waived).expect("written");
    let text = yard.bad(&["spec", "--target", TARGET], 1);
    assert!(text.contains("there is no finding `rpaht`") && text.contains("hint: write `rpath`"), "{text}");
    fs::remove_file(&profile).expect("removed");
    let text = yard.bad(&["targets", "list"], 1);
    assert!(text.contains("almalinux-8/target.yaml: there is no such file") && text.contains("hint: "), "{text}");
    fs::remove_dir_all(yard.path("root/specs/targets/almalinux-8")).expect("removed");
    let text = yard.bad(&["check", "--explain", "isa-baselin"], 1);
    assert!(text.contains("there is no gate `isa-baselin`") && text.contains("hint: write `isa-baseline`"), "{text}");
    yard.bad(&["check"], 2);
    // Nothing of a project is needed for this.
    let apart = yard.command(&["check", "--list"]).current_dir("/").output().expect("the packager runs");
    assert!(apart.status.success(), "{}", said(&apart));
}

#[test]
fn a_source_that_is_not_what_was_locked_is_refused() {
    let yard = Yard::new();
    let lock = yard.path("root/project/Cargo.lock");
    let text = fs::read_to_string(&lock).expect("readable");
    let sum = text.lines().find_map(|line| line.strip_prefix("checksum = \"")).expect("a locked crate");
    let wrong = format!("{}{}", if sum.starts_with('0') { "1" } else { "0" }, &sum[1..]);
    fs::write(&lock, text.replace(sum, &wrong)).expect("written");
    let text = yard.bad(&["build", "--target", TARGET], 1);
    assert!(text.contains("checksum") && text.contains("hint: "), "{text}");
    assert!(!yard.path("root/dist").join(TARGET).exists());

    // A crate that the lock does not hold.
    let yard = Yard::new();
    let lock = yard.path("root/project/Cargo.lock");
    fs::write(&lock, "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"1.2.3\"\n").expect("written");
    let text = yard.bad(&["build", "--target", TARGET], 1);
    assert!(
        text.contains("is not in the committed `Cargo.lock`") && text.contains("hint: run `cargo check`"),
        "{text}"
    );
}

#[test]
fn a_missing_tool_is_named_with_its_package() {
    let yard = Yard::new();
    let empty = yard.path("empty");
    fs::create_dir(&empty).expect("a folder");
    let output = yard.command(&["build", "--target", TARGET]).env("PATH", &empty).output().expect("the packager runs");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("`rpmbuild` is not installed") && text.contains("hint: run `scripts/packager`"), "{text}");
}

#[test]
fn a_key_that_cannot_sign_is_refused_before_anything_is_built() {
    let yard = Yard::new();
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walk/keys");
    let refused = |key: &Path, words: &str| {
        let text = yard.bad(&["build", "--target", TARGET, "--sign-key", key.to_str().expect("text")], 1);
        assert!(text.contains(words) && text.contains("hint: "), "{text}");
    };
    refused(&keys.join("expired.secret.asc"), "expired");
    refused(&keys.join("locked.secret.asc"), "is protected by a passphrase");
    refused(&yard.path("root/specs/demo/recipe.yaml"), "holds no OpenPGP secret key");
    refused(&crate::yard::keys().join("packager/keys/development.asc"), "holds the public half of a key");
    refused(&yard.path("nowhere.asc"), "cannot use the key file");
    assert!(!yard.path("state/work").exists() && !yard.path("root/dist").exists());
}

#[test]
fn keys_have_names_that_files_may_have() {
    let yard = Yard::new();
    let folder = yard.path("keys");
    for name in ["", "a/b", "..", "-x y", "a.secret"] {
        let text = yard.bad(&["keys", "new", "--out", folder.to_str().expect("text"), "--", name], 1);
        assert!(text.contains("cannot be the name of key files") && text.contains("hint: use letters"), "{text}");
    }
    for user in ["", " ", "a\nb"] {
        let arguments = ["keys", "new", "k", "--user", user, "--out", folder.to_str().expect("text")];
        let text = yard.bad(&arguments, 1);
        assert!(text.contains("cannot be the user of a key") && text.contains("hint: write it in one line"), "{text}");
    }
    assert!(!folder.exists());
    // A full disk is said to be full, whatever was to be written.
    fs::create_dir(&folder).expect("a folder");
    let small = "mount -t tmpfs -o size=4k none \"$1\" && head -c 4096 /dev/zero >\"$1/filler\"";
    let output = yard.after_mounting(small, &[&folder], &["keys", "new", "k", "--out", folder.to_str().expect("text")]);
    let text = said(&output);
    assert!(text.contains("No space left on device") && text.contains("hint: free some space"), "{text}");
}

#[test]
fn a_key_in_use_is_not_replaced() {
    let yard = Yard::new();
    let folder = yard.path("keys");
    fs::create_dir(&folder).expect("a folder");
    // The secret part is kept elsewhere.
    fs::write(folder.join("release.asc"), "in use").expect("written");
    let arguments = ["keys", "new", "release", "--out", folder.to_str().expect("text")];
    let text = yard.bad(&arguments, 1);
    assert!(text.contains("release.asc` exists") && text.contains("hint: choose another name"), "{text}");
    assert_eq!(fs::read_to_string(folder.join("release.asc")).expect("a file"), "in use");
    assert!(!folder.join("release.secret.asc").exists());

    // A stop between the two files: the next call ends it.
    let made = keys().join("packager/keys");
    fs::copy(made.join("development.secret.asc"), folder.join("release.secret.asc")).expect("copied");
    fs::rename(folder.join("release.asc"), folder.join(".release.part")).expect("renamed");
    let text = yard.good(&arguments);
    assert!(text.contains("walks@demo.invalid"), "{text}");
    let public = |path: &Path| fs::read_to_string(path).expect("a file");
    assert_eq!(public(&folder.join("release.asc")), public(&made.join("development.asc")));
    yard.bad(&arguments, 1);
}
