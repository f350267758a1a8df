//! The whole path with a small cargo project, as a user walks it: build, sign, verify, and dnf takes it with signatures required.
//! Then what must not work: changed packages and metadata, unknown targets, misspelt keys.
//!
//! Needs what `scripts/packager` installs, and dnf. State and repository live in a temporary folder; the toolchain is the one of the
//! user's packager state.

#![allow(clippy::disallowed_methods)] // a suite: it runs the real program, rpm and dnf

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TARGET: &str = "almalinux-8-x86_64";

struct Yard {
    room: tempfile::TempDir,
}

impl Yard {
    /// A copy of the fixture with the project's profiles and templates, as a git repository of its own.
    fn new() -> Yard {
        let room = tempfile::tempdir().expect("temporary folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = room.path().join("root");
        copy(&here.join("tests/fixture"), &root);
        copy(&here.join("../../specs/targets"), &root.join("specs/targets"));
        copy(&here.join("../../templates"), &root.join("templates"));
        let user = std::env::var_os("PACKAGER_STATE").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/packager");
        let toolchain = user.unwrap_or_else(home).join("toolchain");
        assert!(toolchain.is_dir(), "no toolchain at {}: run scripts/packager once", toolchain.display());
        fs::create_dir_all(room.path().join("state")).expect("state");
        std::os::unix::fs::symlink(toolchain, room.path().join("state/toolchain")).expect("link");
        Yard { room }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.room.path().join(path)
    }

    fn packager(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_packager"))
            .args(arguments)
            .current_dir(self.path("root"))
            .env("PACKAGER_STATE", self.path("state"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("SOURCE_DATE_EPOCH", "1790000000")
            .output()
            .expect("the packager runs")
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.packager(arguments);
        assert!(output.status.success(), "{arguments:?}\n{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn bad(&self, arguments: &[&str], code: i32) -> String {
        let output = self.packager(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", said(&output));
        said(&output)
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    output
}

#[test]
fn from_recipe_to_an_accepted_repository() {
    let yard = Yard::new();
    let text = yard.good(&["build", "--target", TARGET]);
    assert!(text.contains("demo-1.2.3-1.el8.x86_64") && text.contains("sudo dnf install demo"), "{text}");
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
    run(Command::new("createrepo_c").arg("--quiet").arg(&base));

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
    assert!(text.contains("is not what was signed") && text.contains("hint:"), "{text}");
    fs::write(package, good).expect("written");
    let repomd = repo.join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("readable");
    fs::write(&repomd, text.replace("<revision>", "<revision>1")).expect("written");
    let text = yard.bad(&["verify", "--key", key, place], 1);
    assert!(text.contains("does not fit"), "{text}");
    let refused = dnf(yard).args(["--refresh", "install", "--downloadonly", "demo"]).output().expect("dnf runs");
    assert!(!refused.status.success(), "dnf took changed metadata");
}

#[test]
fn mistakes_are_named() {
    let yard = Yard::new();
    let text = yard.bad(&["plan", "--target", "almalinux-8-x86-64"], 1);
    assert!(text.contains("hint: write `almalinux-8-x86_64`"), "{text}");
    let text = yard.bad(&["plan", "--target", TARGET, "demmo"], 1);
    assert!(text.contains("no recipe builds a package `demmo`"), "{text}");
    yard.bad(&["plan"], 2);
    let recipe = yard.path("root/specs/demo/recipe.yaml");
    let text = fs::read_to_string(&recipe).expect("readable");
    fs::write(&recipe, text.replace("release: 1", "relase: 1")).expect("written");
    let text = yard.bad(&["spec", "--target", TARGET], 1);
    assert!(
        text.contains("specs/demo/recipe.yaml:2:1: unknown key `relase`") && text.contains("write `release`"),
        "{text}"
    );
}
