//! Metadata by hand: made, shown, changed, and what is said when that cannot be done. No project is needed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::yard::{run, said};

/// The packager in a folder that belongs to no project.
pub(crate) fn packager(folder: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
    let output = command.args(arguments).current_dir(folder).env_remove("SOURCE_DATE_EPOCH").output().expect("it runs");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", said(&output));
    said(&output)
}

pub(crate) fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn metadata_is_made_shown_and_changed() {
    let room = tempfile::tempdir().expect("temporary folder");
    let (repo, spec) = (room.path().join("repo"), room.path().join("walk.spec"));
    let text = "Name: walk\nEpoch: 2\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\nd\n%files\n";
    fs::write(&spec, format!("{text}%package more\nSummary: m\n%description more\nm\n%files more\n")).expect("spec");
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet"])
        .arg(format!("--define=_topdir {}", room.path().display()))
        .arg(&spec));
    fs::rename(room.path().join("RPMS"), &repo).expect("moved");
    let packager = |arguments: &[&str], code| packager(room.path(), arguments, code);

    assert!(packager(&["repo", "info", "repo"], 1).contains("hint: make it with `packager repo create`"));
    let made = value(&packager(&["--json", "repo", "create", "repo", "--revision", "7", "--workers", "3"], 0));
    assert_eq!((&made["packages"], &made["revision"], &made["written"]), (&2.into(), &"7".into(), &true.into()));
    assert_eq!(made["read"], serde_json::json!(["noarch/walk-1-1.noarch.rpm", "noarch/walk-more-1-1.noarch.rpm"]));
    assert_eq!(packager(&["repo", "update", "repo"], 0), "repo: nothing to do, 2 packages\n");

    let shown = packager(&["repo", "info", "repo", "--packages"], 0);
    assert!(
        shown.contains("revision  7\nsigned    no\npackages  2, ") && shown.contains("walk-2:1-1.noarch "),
        "{shown}"
    );
    let shown = value(&packager(&["--json", "repo", "info", "repo", "--packages"], 0));
    assert_eq!((&shown["arches"]["noarch"], &shown["list"][0]["epoch"]), (&2.into(), &2.into()));

    // Without the packages.
    fs::rename(repo.join("noarch"), room.path().join("elsewhere")).expect("moved");
    let removed = value(&packager(&["--json", "repo", "remove", "repo", "walk-more"], 0));
    assert_eq!(removed["removed"], serde_json::json!(["noarch/walk-more-1-1.noarch.rpm"]));
    let add =
        ["repo", "add", "repo", "elsewhere/walk-more-1-1.noarch.rpm", "--prefix", "noarch/", "--compression", "zstd"];
    assert!(packager(&add, 0).contains("2 packages, 1 read, 0 removed"));
    assert!(packager(&["repo", "info", "repo"], 0).contains("-primary.xml.zst"));
    assert!(packager(&add, 0).contains("nothing to do"));

    let text = packager(&["repo", "remove", "repo", "walk-9"], 1);
    assert!(
        text.contains("no package of `repo` is `walk-9`") && text.contains("hint: there is walk-2:1-1.noarch"),
        "{text}"
    );
    let text = value(&packager(&["--json", "repo", "add", "repo", "walk.spec"], 1));
    assert!(text["error"].as_str().expect("text").contains("not an RPM package"), "{text}");
    packager(&["repo", "add", "repo"], 2);
    packager(&["repo", "create", "repo", "--workers", "0"], 2);
    packager(&["repo", "create", "nowhere"], 1);

    // What a build published is one whole.
    fs::write(repo.join(".packager.json"), "{}").expect("written");
    for change in
        [&["repo", "create", "repo"][..], &["repo", "update", "repo"], &add, &["repo", "remove", "repo", "walk"]]
    {
        let text = packager(change, 1);
        assert!(text.contains("published by `packager build`") && text.contains("hint: "), "{text}");
    }
}

/// Packages of three versions, of which a newer one requires an old one.
fn versions(room: &Path, repo: &Path) {
    let topdir = format!("--define=_topdir {}", room.display());
    for (name, version, more) in [
        ("tool", "1", "Requires: plug = 1"),
        ("tool", "2", ""),
        ("tool", "10", "Requires: plug = 1"),
        ("plug", "1", ""),
        ("plug", "2", ""),
        ("plug", "3", ""),
    ] {
        let spec = room.join(format!("{name}.spec"));
        let head = format!(
            "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n{more}\n"
        );
        fs::write(&spec, format!("{head}%description\nd\n%files\n")).expect("spec");
        run(Command::new("rpmbuild").args(["-bb", "--quiet", &topdir]).arg(&spec));
    }
    fs::rename(room.join("RPMS/noarch"), repo).expect("moved");
}

#[test]
fn old_versions_go_but_not_what_others_require() {
    let room = tempfile::tempdir().expect("temporary folder");
    let (repo, before) = (room.path().join("repo"), room.path().join("before"));
    versions(room.path(), &repo);
    let packager = |arguments: &[&str], code| packager(room.path(), arguments, code);
    packager(&["repo", "create", "repo"], 0);
    run(Command::new("cp").arg("-a").args([&repo, &before]));

    assert!(packager(&["repo", "prune", "repo"], 2).contains("--keep"));
    assert!(packager(&["repo", "prune", "repo", "--keep", "0"], 2).contains("--keep"));
    let told = packager(&["repo", "prune", "repo", "--keep", "1", "--dry-run"], 0);
    assert!(told.contains("plug-1-1.noarch  tool-10-1.noarch requires plug = 1"), "{told}");
    assert!(told.contains("repo: 3 packages would stay, 3 would go"), "{told}");
    assert_eq!(packager(&["repo", "diff", "before", "repo"], 0), "0 added, 0 removed, 0 rebuilt\n");
    // Everything was built just now.
    let young = packager(&["repo", "prune", "repo", "--keep", "1", "--days", "1"], 0);
    assert!(young.contains("repo: 6 packages stay, 0 go"), "{young}");

    let pruned = value(&packager(&["--json", "repo", "prune", "repo", "--keep", "1"], 0));
    let fate = |nevra: &str| {
        let all = pruned["packages"].as_array().expect("packages");
        all.iter().find(|package| package["package"] == nevra).expect("it")["fate"].clone()
    };
    assert_eq!([fate("tool-10-1.noarch"), fate("plug-1-1.noarch")], ["newest", "required"]);
    assert_eq!([fate("tool-2-1.noarch"), fate("plug-2-1.noarch")], ["old", "old"]);
    assert_eq!(pruned["outcome"]["packages"], 3);
    assert!(!repo.join("plug-2-1.noarch.rpm").exists() && repo.join("plug-1-1.noarch.rpm").exists());
    assert_eq!(packager(&["repo", "update", "repo"], 0), "repo: nothing to do, 3 packages\n");
    assert!(packager(&["repo", "prune", "repo", "--keep", "1"], 0).contains("3 packages stay, 0 go"));
    assert_eq!(
        packager(&["repo", "diff", "before", "repo"], 0),
        "- plug-2-1.noarch\n- tool-1-1.noarch\n- tool-2-1.noarch\n0 added, 3 removed, 0 rebuilt\n"
    );
    assert!(packager(&["repo", "diff", "repo", "nowhere"], 1).contains("`nowhere` cannot be read"));

    // What is left can be installed.
    let told = packager(&["resolve", "--repo", "pruned=repo", "--install", "tool"], 0);
    assert!(told.contains("tool-10-1.noarch") && told.contains("plug-1-1.noarch"), "{told}");
}
