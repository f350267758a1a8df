//! `targets sync`: from repositories in folders and behind an address, in every compression, signed, changed and cut short.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::plans::recipe;
use crate::server::serve;
use crate::yard::{TARGET, Yard, keys, run};

const LOCK: &str = "root/specs/targets/almalinux-8/lock-x86_64.yaml";

/// Two packages as a distribution has them, an old and a foreign one.
fn repository(yard: &Yard, name: &str, version: &str) -> PathBuf {
    let (folder, spec) = (yard.path(name), yard.path("fabric.spec"));
    let text = format!(
        "Name: ofi\nVersion: {version}\nRelease: 3.oe\nSummary: s\nLicense: MIT\n%description\nd\n\
         %package -n libfabric\nSummary: s\nProvides: libfabric.so.1()(64bit), bundled(zlib)\nObsoletes: link < 9, elsewhere\n%description -n libfabric\nd\n\
         %package other\nSummary: s\n%description other\nd\n\
         %install\nmkdir -p %{{buildroot}}/usr/share/deep %{{buildroot}}/usr/bin\ntouch %{{buildroot}}/usr/share/deep/data %{{buildroot}}/usr/bin/tool %{{buildroot}}/usr/bin/unasked\n\
         %files -n libfabric\n/usr/share/deep/data\n/usr/bin/tool\n/usr/bin/unasked\n%files other\n"
    );
    fs::write(&spec, text).expect("written");
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet", "--target", "x86_64"])
        .arg(format!("--define=_topdir {}", yard.path("top").display()))
        .arg("--define=debug_package %{nil}")
        .arg(format!("--define=_rpmdir {}", folder.display()))
        .arg(&spec));
    folder
}

/// The lock without where it is known from.
fn facts(lock: &str) -> String {
    lock.lines().filter(|line| !line.contains("from: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_lock_is_made_of_repositories() {
    let yard = Yard::new();
    recipe(
        &yard,
        "link",
        "instead: [{ package: ofi, at-least: '1.20' }]\ntools: [tool, missing-tool]",
        "  link: { requires: [/usr/share/deep/data, (libfabric or nothing)] }",
    );
    let [old, new] = ["old", "new"].map(|name| repository(&yard, name, if name == "old" { "1.9.0" } else { "1.20.0" }));
    let key = |name: &str| keys().join("packager/keys").join(name).display().to_string();
    let (secret, public) = (key("development.secret.asc"), key("development.asc"));
    let create = |folder: &Path, more: &[&str]| {
        yard.good(&[&["repo", "create", folder.to_str().expect("text"), "--sign-key", &secret], more].concat());
    };
    create(&old, &[]);
    create(&new, &[]);
    let [old_repo, new_repo] = [&old, &new].map(|folder| folder.display().to_string());
    let sync = ["targets", "sync", TARGET, "--repo", &old_repo, "--repo", &new_repo, "--key", &public];
    // The base system is not among them: somebody forgot a repository.
    let text = yard.bad(&sync, 1);
    assert!(
        text.contains("these repositories have no bash, coreutils, ")
            && text.contains("`lock.yaml` knows in BaseOS; nothing was written\nhint: "),
        "{text}"
    );
    assert!(!yard.path(LOCK).exists());
    let sync = [&sync[..], &["--allow-absent"]].concat();
    let told = yard.good(&sync);
    assert!(told.starts_with("specs/targets/almalinux-8/lock-x86_64.yaml: 2 packages kept, "), "{told}");
    assert!(told.contains("  libfabric 1.20.0-3.oe is new\n") && told.contains("  systemd is gone\n"), "{told}");
    let lock = fs::read_to_string(yard.path(LOCK)).expect("a lock");
    let kept = "repository: new\n    packages:\n      - name: libfabric\n        evr: \"1.20.0-3.oe\"\n        source: ofi\n        provides:\n          - libfabric.so.1()(64bit)\n        \
                files:\n          - /usr/bin/tool\n          - /usr/share/deep/data\n        obsoletes:\n          - link < 9\n      - name: ofi-other\n";
    assert!(lock.contains(kept), "{lock}");
    assert!(lock.contains("from: \"repodata, revision ") || lock.contains("from: repodata, revision "), "{lock}");
    assert!(lock.contains(", signed by ") && !lock.contains(&new_repo), "{lock}");
    let absent = lock.split("absent:\n").nth(1).expect("what is absent");
    assert!(
        ["/usr/bin/missing-tool", "nothing", "bash", "/usr/sbin/useradd"].iter().all(|name| absent.contains(name)),
        "{absent}"
    );
    assert!(!absent.contains("/usr/share/deep/data") && !absent.contains("- ofi\n"), "{absent}");
    // The same again is the same.
    assert!(yard.good(&sync).lines().count() == 1, "no change");
    assert_eq!(fs::read_to_string(yard.path(LOCK)).expect("a lock"), lock);
    // It is what plans go by.
    let plan = yard.good(&["plan", "--target", TARGET]);
    assert!(
        plan.contains("libfabric 1.20.0-3.oe (of ofi, new), instead of the recipe `link`: AlmaLinux 8 has"),
        "{plan}"
    );

    // From an address, in the other compressions.
    let address = serve(yard.path("").as_path());
    let [old_there, new_there] = ["old", "new"].map(|name| format!("{name}={address}/{name}"));
    let there = ["targets", "sync", TARGET, "--allow-absent", "--repo", &old_there, "--repo", &new_there];
    yard.good(&[&there[..], &["--key", &public]].concat());
    assert_eq!(fs::read_to_string(yard.path(LOCK)).expect("a lock"), lock);
    create(&new, &["--compression", "zstd"]);
    assert!(yard.good(&there).contains("signatures were not checked\nhint: name the distribution's key"));
    assert_eq!(facts(&fs::read_to_string(yard.path(LOCK)).expect("a lock")), facts(&lock));
    run(Command::new("createrepo_c")
        .args(["--quiet", "--no-database", "--general-compress-type=xz", "--compress-type=xz"])
        .arg(&new));
    assert!(metadata(&new, "-primary.xml.xz").is_file());
    yard.good(&there);
    let xz = fs::read_to_string(yard.path(LOCK)).expect("a lock");
    assert_eq!(facts(&xz), facts(&lock));

    refusals(&yard, &new, (&there, &public), &xz);
}

/// The metadata file whose name ends so.
fn metadata(repository: &Path, end: &str) -> PathBuf {
    let mut files =
        fs::read_dir(repository.join("repodata")).expect("metadata").map(|entry| entry.expect("entry").path());
    files.find(|path| path.to_string_lossy().ends_with(end)).expect("the file")
}

/// Whatever is not as it should be ends the command, and the lock stays.
fn refusals(yard: &Yard, new: &Path, (there, public): (&[&str], &str), lock: &str) {
    let refused = |more: &[&str], words: &str| {
        let text = yard.bad(&[there, more].concat(), 1);
        assert!(text.contains(words) && text.contains("hint: "), "`{words}` is not in:\n{text}");
        assert_eq!(fs::read_to_string(yard.path(LOCK)).expect("a lock"), lock);
    };
    let signature = new.join("repodata/repomd.xml.asc");
    if signature.exists() {
        fs::remove_file(&signature).expect("removed");
    }
    refused(&["--key", public], "cannot fetch `repodata/repomd.xml.asc`");
    // Somebody else's signature.
    fs::copy(yard.path("old/repodata/repomd.xml.asc"), &signature).expect("copied");
    refused(&["--key", public], "is not signed by a key that was named");
    let primary = metadata(new, "-primary.xml.xz");
    let whole = fs::read(&primary).expect("metadata");
    let mut changed = whole.clone();
    changed[40] ^= 1;
    for bytes in [changed.as_slice(), &whole[..whole.len() / 2], &[]] {
        fs::write(&primary, bytes).expect("written");
        refused(&[], "is not what `");
    }
    fs::remove_file(&primary).expect("removed");
    refused(&[], "cannot fetch `repodata/");
    let repomd = new.join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("metadata");
    for location in ["/tmp/packager-walk-primary.xml", "../primary.xml"] {
        let name = format!("repodata/{}", primary.file_name().expect("a name").to_string_lossy());
        fs::write(&repomd, text.replace(&name, location)).expect("written");
        refused(&[], "which lies outside");
    }
    fs::write(&repomd, &text[..text.len() / 2]).expect("written");
    refused(&[], "cannot be read");
    fs::write(&repomd, &text).expect("written");
    fs::write(&primary, &whole).expect("written");
    refused(&["--repo", "new=elsewhere"], "two repositories are called `new`");
    let text = yard.bad(&["targets", "sync", TARGET, "--repo", &yard.path("nowhere").display().to_string()], 1);
    assert!(text.contains("nowhere") && text.contains("repodata/repomd.xml"), "{text}");
    yard.bad(&["targets", "sync", TARGET], 2);
}
