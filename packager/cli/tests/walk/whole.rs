//! The whole path with a small cargo project: build, sign, verify, and dnf takes it with signatures required; then changed
//! packages and metadata, which nothing takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::yard::{TARGET, Yard, copy, run, said};

#[test]
fn from_recipe_to_an_accepted_repository() {
    let yard = Yard::new();
    let text = yard.good(&["build", "--target", TARGET]);
    assert!(text.contains("demo-1.2.3-1.el8.x86_64") && text.ends_with("sudo dnf install demo\n"), "{text}");
    let repo = yard.path("root/dist").join(TARGET);
    let package = repo.join("Packages/demo-1.2.3-1.el8.x86_64.rpm");

    let query = |format: &str| {
        let output = run(Command::new("rpm").args(["-qp", "--nosignature", "--qf", format]).arg(&package));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let tags = query("%{SOURCERPM} %{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO} %{BUILDHOST} %{VENDOR}");
    assert_eq!(tags, "demo-1.2.3-1.el8.src.rpm xz 8 packager.invalid AlmaLinux");
    assert!(query("%{RSAHEADER:pgpsig}").starts_with("RSA/SHA256"), "{}", query("%{RSAHEADER:pgpsig}"));
    assert!(query("[%{REQUIRES} ]").contains("libc.so.6(GLIBC_2.28)(64bit)"));
    for part in ["demo-debuginfo-1.2.3-1.el8.x86_64.rpm", "demo-debugsource-1.2.3-1.el8.x86_64.rpm"] {
        assert!(repo.join("Packages").join(part).is_file(), "{part}");
    }
    let bill = fs::read(repo.join("Packages/demo-1.2.3-1.el8.x86_64.rpm.spdx.json")).expect("a bill of materials");
    let bill: serde_json::Value = serde_json::from_slice(&bill).expect("JSON");
    assert!(bill["packages"].as_array().expect("packages").iter().any(|part| part["name"] == "itoa"));

    // Nothing is built twice.
    assert!(yard.good(&["build", "--target", TARGET]).contains("nothing to do"));
    dnf_takes_it(&yard, &repo);
    what_must_not_work(&yard, &repo, &package);
    the_same_again(&yard);
    what_was_damaged_is_made_again(&yard);
    a_release_stays_one(&yard);
}

/// What a release key signed is not signed by the development key because somebody forgot to name the other, and is verified where it was
/// published too.
fn a_release_stays_one(yard: &Yard) {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/../rpm/tests/keys/test.secret.asc");
    let build = ["build", "--target", TARGET, "--out", "release"];
    let signed = [&build[..], &["--sign-key", key]].concat();
    yard.good(&signed);
    let text = yard.bad(&build, 1);
    assert!(text.contains("would be signed by the development key") && text.contains("`--sign-key FILE`"), "{text}");
    assert!(yard.good(&signed).contains("nothing to do"));
    let repo = yard.path("root/release").join(TARGET).display().to_string();
    let place = yard.path("root/published").display().to_string();
    let key = format!("{repo}/RPM-GPG-KEY-daos");
    yard.good(&["repo", "publish", &repo, &place]);
    for folder in [&repo, &place] {
        let text = yard.good(&["repo", "verify", folder, "--key", &key, "--target", TARGET]);
        assert!(text.contains("provenance of") && text.contains("everything that packages require is there"), "{text}");
    }
    let text = yard.bad(&["repo", "create", &repo], 1);
    assert!(text.contains("published by `packager build`"), "{text}");
}

/// A build in the store that a disk spoilt is neither published nor in the way of the next one.
fn what_was_damaged_is_made_again(yard: &Yard) {
    let artifacts = files(&yard.path("state/artifacts"));
    let (name, bytes) = artifacts.iter().find(|(name, _)| name.ends_with("/demo-1.2.3-1.el8.x86_64.rpm")).expect("it");
    let mut spoilt = bytes.clone();
    let middle = spoilt.len() * 7 / 8;
    spoilt[middle] ^= 1;
    fs::write(yard.path("state/artifacts").join(name), spoilt).expect("written");
    let output = yard.packager(&["build", "--target", TARGET, "--out", "again"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("is damaged; building it again"), "{text}");
    assert!(files(&yard.path("state/artifacts"))[name] == *bytes, "the same sources give the same package");
}

/// The same build published twice is the same byte for byte, signatures included; the provenance speaks of every file.
fn the_same_again(yard: &Yard) {
    let publish = |out: &str| {
        let address = ["--base-url", "https://packages.invalid", "--mirror-list"];
        yard.good(&[&["build", "--target", TARGET, "--out", out], &address[..]].concat());
        files(&yard.path("root").join(out).join(TARGET))
    };
    let (first, second) = (publish("first"), publish("second"));
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(names, second.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "`{name}` differs");
    }
    let repo = yard.path("root/first").join(TARGET);
    let key = repo.join("RPM-GPG-KEY-daos");
    let verify = [
        "--json",
        "verify",
        "--require-provenance",
        "--key",
        key.to_str().expect("text"),
        repo.to_str().expect("text"),
    ];
    let repo_file = String::from_utf8(first["daos.repo"].clone()).expect("text");
    assert!(repo_file.contains("\nmirrorlist=https://packages.invalid/repodata/mirrorlist\n"), "{repo_file}");
    let shown: serde_json::Value = serde_json::from_str(&yard.good(&verify)).expect("JSON");
    let subjects = shown["provenance"][0]["statement"]["subject"].as_array().expect("a list");
    assert_eq!(subjects.len() + 2, first.len(), "all files but the record and the provenance: {names:?}");
    let bill: serde_json::Value = serde_json::from_slice(&first["daos.cdx.json"]).expect("JSON");
    assert!(
        bill["components"].as_array().expect("a list").iter().any(|part| part["purl"] == "pkg:cargo/itoa@1.0.19"),
        "{bill}"
    );

    // A file that nobody published, one that was changed, and no provenance at all.
    let refused = |words: &str| {
        let text = yard.bad(&verify[1..], 1);
        assert!(text.contains(words) && text.contains("hint:"), "{text}");
    };
    fs::write(repo.join("stray"), "x").expect("written");
    refused("stray` is in no provenance");
    fs::remove_file(repo.join("stray")).expect("removed");
    fs::write(repo.join("daos.repo"), "[daos]\nbaseurl=https://elsewhere.invalid\n").expect("written");
    refused("daos.repo` is not what");
    fs::write(repo.join("daos.repo"), &first["daos.repo"]).expect("written");
    let statement = String::from_utf8(first["daos.intoto.jsonl"].clone()).expect("text");
    fs::write(repo.join("daos.intoto.jsonl"), statement.replacen("\"sig\":\"", "\"sig\":\"BBBB", 1)).expect("written");
    refused("no signature in it is of this key");
    fs::remove_file(repo.join("daos.intoto.jsonl")).expect("removed");
    refused("has no provenance");
}

/// All files below a folder with their contents, by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                all.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    all
}

/// dnf resolves and fetches with `gpgcheck=1` and `repo_gpgcheck=1`. The base system is one package that provides what the target
/// profile says the distribution offers: dependencies are answered, never switched off.
fn dnf_takes_it(yard: &Yard, repo: &Path) {
    let shown: serde_json::Value =
        serde_json::from_str(&yard.good(&["--json", "targets", "show", TARGET])).expect("JSON");
    let mut spec = String::from(
        "Name: test-only-base\nVersion: 1\nRelease: 1\nSummary: What the base system offers\nLicense: MIT\nBuildArch: noarch\n",
    );
    for capability in shown["capabilities"].as_array().expect("a list") {
        spec.push_str(&format!("Provides: {}\n", capability.as_str().expect("text")));
    }
    spec.push_str("%description\nFor tests.\n%files\n");
    let base = yard.path("base");
    fs::create_dir_all(&base).expect("folder");
    fs::write(base.join("base.spec"), spec).expect("spec");
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet"])
        .arg(format!("--define=_topdir {}", base.display()))
        .arg(base.join("base.spec")));
    yard.good(&["repo", "create", base.to_str().expect("text")]);

    let repos = yard.path("repos.d");
    fs::create_dir_all(&repos).expect("folder");
    fs::copy(repo.join("daos.repo"), repos.join("daos.repo")).expect("copied");
    let text = fs::read_to_string(repos.join("daos.repo")).expect("readable");
    assert!(
        text.contains("gpgcheck=1") && text.contains("repo_gpgcheck=1") && text.contains("module_hotfixes=1"),
        "{text}"
    );
    fs::write(repos.join("base.repo"), format!("[base]\nname=base\nbaseurl=file://{}\ngpgcheck=0\n", base.display()))
        .expect("written");
    let output = run(dnf(yard).args(["install", "--downloadonly", "demo"]));
    assert!(said(&output).contains("demo"), "{}", said(&output));
}

fn dnf(yard: &Yard) -> Command {
    let mut command = Command::new("dnf");
    command.args(["-y", "--releasever=8", "--forcearch=x86_64", "--setopt=module_platform_id=platform:el8"]);
    command.arg(format!("--installroot={}", yard.path("installroot").display()));
    command.arg(format!("--setopt=reposdir={}", yard.path("repos.d").display()));
    command.arg(format!("--setopt=cachedir={}", yard.path("dnf").display()));
    command
}

fn what_must_not_work(yard: &Yard, repo: &Path, package: &Path) {
    let key = repo.join("RPM-GPG-KEY-daos");
    let key = key.to_str().expect("text");
    let place = repo.to_str().expect("text");
    assert!(yard.good(&["verify", "--key", key, place]).contains("4 packages and 1 repositories"));

    // One changed byte in the payload, then in the metadata.
    let good = fs::read(package).expect("readable");
    let mut changed = good.clone();
    let last = changed.len() - 40;
    changed[last] ^= 1;
    fs::write(package, changed).expect("written");
    let text = yard.bad(&["verify", "--key", key, place], 1);
    assert!(text.contains("is not what") && text.contains("its SHA-256 is") && text.contains("hint:"), "{text}");
    let text = yard.bad(&["verify", "--key", key, package.to_str().expect("text")], 1);
    assert!(text.contains("is not what was signed") && text.contains("hint:"), "{text}");
    fs::write(package, &good).expect("written");
    // What hosts would take from a repository whose provenance is gone.
    let hosts = repo.join("daos.repo");
    let text = fs::read_to_string(&hosts).expect("readable");
    fs::write(&hosts, text.replace("\ngpgcheck=1", "\ngpgcheck=0")).expect("written");
    let without = yard.path("without");
    copy(repo, &without);
    for entry in fs::read_dir(&without).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.to_string_lossy().ends_with(".intoto.jsonl") {
            fs::remove_file(entry).expect("removed");
        }
    }
    fs::write(&hosts, text).expect("written");
    let refused = yard.bad(&["verify", "--key", key, without.to_str().expect("text")], 1);
    assert!(refused.contains("`gpgcheck` is not on") && refused.contains("hint:"), "{refused}");
    // A package that is signed, but that nobody published.
    let stray = repo.join("Packages/stray.rpm");
    fs::write(&stray, good).expect("written");
    let text = yard.bad(&["verify", "--key", key, place], 1);
    assert!(text.contains("stray.rpm` is in no metadata"), "{text}");
    fs::remove_file(&stray).expect("removed");
    // Metadata below the signed file.
    let files = fs::read_dir(repo.join("repodata")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let primary = files.into_iter().find(|path| path.to_string_lossy().ends_with("-primary.xml.gz")).expect("primary");
    let whole = fs::read(&primary).expect("readable");
    fs::write(&primary, &whole[..whole.len() - 1]).expect("written");
    let text = yard.bad(&["verify", "--key", key, place], 1);
    assert!(text.contains("primary.xml.gz` is not what") && text.contains("bytes instead of"), "{text}");
    fs::write(&primary, whole).expect("written");
    let repomd = repo.join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("readable");
    fs::write(&repomd, text.replace("<revision>", "<revision>1")).expect("written");
    let text = yard.bad(&["verify", "--key", key, place], 1);
    assert!(text.contains("does not fit"), "{text}");
    let refused = dnf(yard).args(["--refresh", "install", "--downloadonly", "demo"]).output().expect("dnf runs");
    assert!(!refused.status.success(), "dnf took changed metadata");
}
