//! Other buildroots than the sandbox, with programs that stand in for mock and podman: they record how they were called, and rebuild the
//! source package with the host's own rpmbuild. So what is handed over is real, and what comes back are packages of another compiler.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use crate::side_by_side::library;
use crate::yard::{TARGET, Yard, said};

/// What both do with the source package `$srpm`: packages go to `$to`.
const REBUILD: &str = "rebuild() {\n\
    top=$(mktemp -d)\n\
    rpmbuild --nodeps --target x86_64-linux --define \"_topdir $top\" --define 'dist .el8' --define 'debug_package %{nil}' --define '__os_install_post %{nil}' \\\n\
      --define '_binary_payload w2.xzdio' --define '_vendor almalinux' --rebuild \"$srpm\" >\"$to/build.log\" 2>&1 || exit 1\n\
    cp \"$top\"/RPMS/*/*.rpm \"$to\"/\n\
    rm -rf \"$top\"\n\
    }\n\
    export CFLAGS=-O2 LDFLAGS='-Wl,-z,relro,-z,now'\n";

const MOCK: &str = "while [ $# -gt 0 ]; do case $1 in --resultdir) to=$2; shift ;; --rebuild) srpm=$2; shift ;; esac; shift; done\n\
    [ -n \"$srpm\" ] || exit 0\n\
    mkdir -p \"$to\"\n\
    rebuild\n";

/// Of the container it is the folder that is mounted, and the last arguments.
const PODMAN: &str = "while [ $# -gt 0 ]; do case $1 in --volume) work=${2%:/build}; shift ;; /build/SRPMS/*) srpm=$work${1#/build} ;; esac; shift; done\n\
    to=$work/RPMS/x86_64\n\
    mkdir -p \"$to\"\n\
    rebuild\n\
    rm \"$to/build.log\"\n";

/// Runs the packager with a stand-in before everything else on the path; gives its calls too.
fn with(yard: &Yard, name: &str, script: &str, arguments: &[&str]) -> (Output, String) {
    let (folder, calls) = (yard.path("stand-in"), yard.path("calls"));
    fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join(name);
    let record =
        format!("#!/bin/bash\nset -e\n(echo \"$*\" | tr '\\n' ' '; echo) >>'{}'\n{REBUILD}{script}", calls.display());
    fs::write(&program, record).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let output = yard.command(arguments).env("PATH", path).output().expect("the packager runs");
    let said = fs::read_to_string(&calls).unwrap_or_default();
    fs::remove_file(&calls).expect("it was called");
    fs::remove_dir_all(&folder).expect("removed");
    (output, said)
}

fn build<'a>(kind: &'a str, name: &'a str) -> [&'a str; 7] {
    ["build", "--target", TARGET, "--buildroot", kind, "--jobs=2", name]
}

fn published(yard: &Yard, package: &str) -> bool {
    Path::new(&yard.path("root/dist")).join(TARGET).join(format!("Packages/{package}-1.0-1.el8.x86_64.rpm")).is_file()
}

#[test]
fn mock_and_podman_are_driven() {
    let yard = Yard::new();
    library(&yard, "lower", "", "");
    library(&yard, "upper", "", "libraries: [lower]\n");
    let (output, calls) = with(&yard, "mock", MOCK, &build("mock", "upper"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(published(&yard, "upper") && published(&yard, "lower"));
    let calls: Vec<&str> = calls.lines().collect();
    let [init, rebuild, clean, .., last] = &calls[..] else { panic!("{calls:?}") };
    assert!(
        init.starts_with(&format!("--root {TARGET} --resultdir ")) && init.trim_end().ends_with("--init"),
        "{init}"
    );
    assert!(init.contains(" --uniqueext packager-lower-"), "{init}");
    assert!(rebuild.contains("--no-clean") && rebuild.contains("lower-1.0-1.el8.src.rpm"), "{rebuild}");
    let is_last = |call: &str| call.trim_end().ends_with("--clean");
    assert!(is_last(clean) && is_last(last) && last.contains("packager-upper-"), "{calls:?}");
    let installed = calls.iter().find(|call| call.contains(" --install ")).expect("what it links against");
    assert!(installed.contains("packager-upper-") && installed.contains("lower-1.0-1.el8.x86_64.rpm"), "{installed}");
    let repo = yard.path("root/dist").join(TARGET);
    let (key, repo) = (repo.join("RPM-GPG-KEY-daos"), repo.to_str().expect("text").to_owned());
    let shown = yard.good(&["--json", "verify", "--require-provenance", "--key", key.to_str().expect("text"), &repo]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let definition = &shown["provenance"][0]["statement"]["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["buildroot"], "mock", "{definition}");
    assert!(definition["internalParameters"]["tools"].is_null(), "{definition}");

    // Another kind has another key: nothing is taken from the store.
    let (output, calls) = with(&yard, "podman", PODMAN, &build("podman", "upper"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(calls.contains("--platform linux/amd64") && calls.contains("docker.io/library/almalinux:8"), "{calls}");
    assert!(calls.trim_end().ends_with("powertools"), "{calls}");
}

#[test]
fn what_mock_says_is_shown_and_its_root_goes() {
    let yard = Yard::new();
    library(&yard, "broken", "this is not C", "");
    let (output, calls) = with(&yard, "mock", MOCK, &build("mock", "broken"));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("broken.c:2") && text.contains("mock --rebuild failed"), "{text}");
    assert!(!text.contains("packager shell"), "{text}");
    assert!(calls.trim_end().ends_with("--clean"), "{calls}");
    assert!(!published(&yard, "broken"));
}

#[test]
fn a_buildroot_that_cannot_be_had_is_refused_at_once() {
    let yard = Yard::new();
    library(&yard, "plain", "", "");
    let text = yard.bad(&build("host", "plain"), 1);
    assert!(
        text.contains("`--buildroot host` builds for this machine, which is") && !text.contains("sources"),
        "{text}"
    );
    let nowhere = yard.path("empty");
    fs::create_dir_all(&nowhere).expect("a folder");
    for kind in ["mock", "podman"] {
        if which(kind) {
            continue; // a machine that has it would use it
        }
        let text = yard.bad(&build(kind, "plain"), 1);
        assert!(text.contains(&format!("`{kind}` is not installed")), "{text}");
    }
    yard.bad(&build("chroot", "plain"), 2);
    let text = yard.bad(&[&build("podman", "plain")[..], &["--offline"]].concat(), 1);
    assert!(text.contains("needs the network"), "{text}");
}

/// The machine is told to be the target. Its package database is not: rpmbuild names what is missing, and that is shown.
#[test]
fn the_host_is_asked_for_what_the_spec_requires() {
    let yard = Yard::new();
    library(&yard, "plain", "", "");
    let release = yard.path("os-release");
    fs::write(&release, "ID=\"almalinux\"\nVERSION_ID=\"8.10\"\n").expect("written");
    let place = fs::canonicalize("/etc/os-release").expect("a system has one");
    let output = yard.after_mounting("mount --bind \"$1\" \"$2\"", &[&release, &place], &build("host", "plain"));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("gcc is needed by plain-1.0-1"), "{text}");
}

fn which(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}
