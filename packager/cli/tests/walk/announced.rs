//! Groups and advisories of a published repository: from the files of the project to dnf.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::yard::{TARGET, Yard, run};

const GROUPS: &str = "\
groups:
  - id: numbers
    name: Programs with numbers
    description: They say them.
    packages:
      mandatory: [demo]
";

const SECURITY: &str = "\
advisories:
  - id: DEMO-SA-2026-1
    date: 2026-11-30
    severity: Moderate
    summary: The number was wrong
    cves: [CVE-2026-12345]
    packages: [demo]
    fixed: 1.2.2
";

const CHANGELOG: &str = "# Changelog\n\n## Unreleased\n\n- Not yet.\n\n## 1.2.3 - 2026-11-29\n\n- Says a number.\n\n## 1.2.0 - 2026-11-01\n- First.\n";

/// What a client of the repository says.
fn dnf(yard: &Yard, arguments: &[&str]) -> String {
    let repos = yard.path("repos");
    fs::create_dir_all(&repos).expect("folder");
    for folder in ["root", "cache", "log", "persist"] {
        fs::create_dir_all(yard.path(&format!("client/{folder}"))).expect("folder");
    }
    fs::copy(yard.path("root/dist").join(TARGET).join("daos.repo"), repos.join("daos.repo")).expect("copied");
    let room = yard.path("client").display().to_string();
    let mut command = Command::new("dnf");
    command.args(["-y", "-q", "--refresh", "--releasever=8", "--forcearch=x86_64", "--noplugins"]);
    command.arg(format!("--installroot={room}/root")).arg(format!("--setopt=cachedir={room}/cache"));
    command.arg(format!("--setopt=logdir={room}/log")).arg(format!("--setopt=persistdir={room}/persist"));
    command.arg(format!("--setopt=reposdir={}", repos.display())).args(arguments);
    String::from_utf8_lossy(&run(&mut command).stdout).into_owned()
}

/// Has a version of `demo` on the client that was published before.
fn installed(yard: &Yard, version: &str) {
    let room = yard.path("before");
    fs::create_dir_all(&room).expect("folder");
    let spec = room.join("demo.spec");
    let text =
        format!("Name: demo\nVersion: {version}\nRelease: 1.el8\nSummary: s\nLicense: MIT\n%description\nd\n%files\n");
    fs::write(&spec, text).expect("spec");
    let topdir = format!("--define=_topdir {}", room.display());
    run(Command::new("rpmbuild").args(["-bb", "--quiet", "--target=x86_64", &topdir]).arg(&spec));
    let mut rpm = Command::new("rpm");
    rpm.args(["-U", "--nosignature", "--ignorearch", "--root"]).arg(yard.path("client/root"));
    run(rpm.arg(room.join(format!("RPMS/x86_64/demo-{version}-1.el8.x86_64.rpm"))));
}

#[test]
fn groups_and_advisories_are_published_and_a_change_of_them_compiles_nothing() {
    let yard = Yard::new();
    let write = |name: &str, text: &str| fs::write(yard.path("root").join(name), text).expect("written");
    write("project/CHANGELOG.md", CHANGELOG);
    write("specs/groups.yaml", GROUPS);
    write("specs/security.yaml", SECURITY);
    let build = ["--json", "build", "--target", TARGET];
    let built = yard.good(&build);
    assert!(built.contains("\"state\": \"built\""), "{built}");
    assert!(yard.good(&build).contains("nothing to do"));

    let folder = yard.path("root/dist").join(TARGET);
    let folder = folder.to_str().expect("text");
    let shown: serde_json::Value = serde_json::from_str(&yard.good(&["--json", "repo", "info", folder])).expect("JSON");
    assert_eq!(shown["groups"][0]["id"], "numbers");
    assert_eq!(shown["advisories"]["count"], 3);
    let groups = dnf(&yard, &["group", "list"]);
    assert!(groups.contains("Programs with numbers"), "{groups}");
    installed(&yard, "1.1.0");
    let listed = || {
        let text = dnf(&yard, &["updateinfo", "list"]);
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let (first, security, newest) = (
        "DEMO-1.2.0.el8 enhancement demo-1.2.0-1.el8.x86_64",
        "DEMO-SA-2026-1 Moderate/Sec. demo-1.2.2-1.el8.x86_64",
        "DEMO-1.2.3.el8 bugfix demo-1.2.3-1.el8.x86_64",
    );
    assert_eq!(listed(), [first, security, newest]);
    installed(&yard, "1.2.0");
    assert_eq!(listed(), [security, newest]);
    installed(&yard, "1.2.2");
    assert_eq!(listed(), [newest]);
    let told = dnf(&yard, &["updateinfo", "info", "DEMO-1.2.3.el8"]);
    assert!(told.contains("- Says a number.") && told.contains("2026-11-29") && !told.contains("Not yet"), "{told}");
    let key = format!("{folder}/RPM-GPG-KEY-daos");
    yard.good(&["verify", "--require-provenance", "--key", &key, folder]);

    // The same again at another place.
    yard.good(&["build", "--target", TARGET, "--out", "again"]);
    let metadata = |out: &str| {
        let entries = fs::read_dir(yard.path("root").join(out).join(TARGET).join("repodata")).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let files = paths.map(|path| (path.file_name().expect("a name").to_owned(), fs::read(path).expect("readable")));
        files.collect::<BTreeMap<_, _>>()
    };
    let (once, again) = (metadata("dist"), metadata("again"));
    assert!(once == again && once.len() == 7, "{:?} {:?}", once.keys(), again.keys());

    // The provenance would speak of other files.
    let file = yard.path("groups.xml");
    fs::write(&file, "<comps/>").expect("written");
    let refused = yard.bad(&["repo", "attach", folder, file.to_str().expect("text"), "--type", "group"], 1);
    assert!(refused.contains("hint: write groups into `specs/groups.yaml`"), "{refused}");
    yard.bad(&["repo", "detach", folder, "group"], 1);

    // Published again, from what is in the store.
    write("specs/groups.yaml", &GROUPS.replace("Programs with numbers", "Other words"));
    let again: serde_json::Value = serde_json::from_str(&yard.good(&build)).expect("JSON");
    assert_eq!(again["targets"][0]["packages"][0]["state"], "cached", "{again}");
    assert!(dnf(&yard, &["group", "list"]).contains("Other words"));
    assert!(yard.good(&build).contains("nothing to do"));
    fs::remove_file(yard.path("root/specs/groups.yaml")).expect("removed");
    write("specs/security.yaml", "advisories: []\n");
    yard.good(&build);
    let shown: serde_json::Value = serde_json::from_str(&yard.good(&["--json", "repo", "info", folder])).expect("JSON");
    assert_eq!((&shown["groups"], &shown["advisories"]["count"]), (&serde_json::Value::Null, &2.into()));
    yard.good(&["verify", "--require-provenance", "--key", &key, folder]);

    // Slips, before anything is compiled.
    write("specs/groups.yaml", &GROUPS.replace("[demo]", "[dmeo]"));
    let text = yard.bad(&["build", "--target", TARGET], 1);
    assert!(
        text.contains("specs/groups.yaml:6:19: no recipe has a package `dmeo`") && text.contains("write `demo`"),
        "{text}"
    );
    write("specs/groups.yaml", GROUPS);
    write("specs/security.yaml", &SECURITY.replace("Moderate", "moderate"));
    let text = yard.bad(&["build", "--target", TARGET], 1);
    assert!(
        text.contains("specs/security.yaml:4:15: unknown value `moderate`") && text.contains("write `Moderate`"),
        "{text}"
    );
}
