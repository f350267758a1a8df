//! `repo site`: several targets in one folder, as hosts and people see it, and published.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bucket::{BUCKET, server};
use crate::yard::{Yard, ends, packager, run, secret_key};

/// The project whose targets and pages are used.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn site(yard: &Yard, folders: &[&str], more: &[&str]) -> Command {
    let (out, key) = (yard.text("site"), secret_key().display().to_string());
    let url = format!("file://{out}");
    let mut command = packager(&["--root", ROOT, "repo", "site"]);
    command.args(folders).args(["--out", &out, "--base-url", &url, "--sign-key", &key]).args(more);
    command
}

/// All files of the site with their contents, but hidden ones.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') && !name.contains("/.") {
                found.push((name, fs::read(path).expect("readable")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn targets_in_one_place_for_hosts_and_people() {
    let yard = Yard::new();
    let first = yard.repository("openeuler-22.03-x86_64", &[1]);
    let other = yard.repository("almalinux-9-x86_64", &[2]);
    // What a package says of itself is text, whatever it is.
    let spec = yard.path("odd.spec");
    fs::write(&spec, "Name: odd\nVersion: 1\nRelease: 1\nSummary: <script>alert(1)</script> & more\nLicense: MIT\nBuildArch: noarch\n%description\nd\n%files\n").expect("written");
    run(Command::new("rpmbuild")
        .args(["-ba", "--quiet"])
        .arg(format!("--define=_topdir {}", yard.room.path().display()))
        .arg(&spec));
    for odd in ["RPMS/noarch/odd-1-1.noarch.rpm", "SRPMS/odd-1-1.src.rpm"] {
        let to = yard.path("almalinux-9-x86_64/Packages").join(Path::new(odd).file_name().expect("a name"));
        fs::copy(yard.path(odd), &to).expect("copied");
        run(packager(&["sign", "--sign-key", &secret_key().display().to_string()]).arg(&to));
    }
    run(&mut packager(&["repo", "update", &other, "--sign-key", &secret_key().display().to_string()]));

    let said = ends(&mut site(&yard, &[&first, &other], &[]), 0);
    assert!(said.contains("dnf config-manager --add-repo file://") && said.contains("6 packages added"), "{said}");
    let said = ends(&mut site(&yard, &[&first, &other], &[]), 0);
    assert!(said.ends_with("nothing to do\n"), "{said}");
    let alma = fs::read_to_string(yard.path("site/almalinux/9/daos.repo")).expect("a file");
    for line in ["gpgcheck=1", "repo_gpgcheck=1", "module_hotfixes=1", "[daos-debuginfo]", "[daos-source]"] {
        assert!(alma.contains(line), "{line}");
    }
    let page = fs::read_to_string(yard.path("site/almalinux/9/index.html")).expect("a page");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more") && !page.contains("<script"), "{page}");
    assert!(
        page.contains("source/x86_64/Packages/odd-1-1.src.rpm") && page.contains("x86_64/Packages/odd-1-1.noarch.rpm")
    );
    let index = fs::read_to_string(yard.path("site/index.html")).expect("a page");
    assert!(index.contains("almalinux/9/index.html") && index.contains("openeuler/22.03/index.html"));
    // Links lead somewhere.
    for (name, text) in [("site/almalinux/9", &page), ("site", &index)] {
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(yard.path(name).join(link).is_file(), "{name}: {link}");
        }
    }

    // A host with the file as it is.
    let client = yard.client("site", "unused");
    client.take(&yard.path("site/openeuler/22.03/daos.repo"));
    assert_eq!(client.versions(), ["1"]);
    // A newer build of one target: both versions are there, the other target is listed still.
    let newer = yard.path("newer");
    fs::create_dir_all(&newer).expect("a folder");
    fs::rename(yard.repository("next", &[2]), newer.join("openeuler-22.03-x86_64")).expect("moved");
    let newer = newer.join("openeuler-22.03-x86_64").display().to_string();
    ends(&mut site(&yard, &[&newer], &[]), 0);
    assert_eq!(client.versions(), ["1", "2"]);
    assert!(fs::read_to_string(yard.path("site/index.html")).expect("a page").contains("almalinux/9/index.html"));

    // Published: every repository, then the pages.
    let place = yard.text("place");
    let said = ends(&mut packager(&["--json", "repo", "publish", &yard.text("site"), &place]), 0);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(said["repositories"].as_array().map(Vec::len), Some(7));
    assert_eq!(files(&yard.path("site")), files(&yard.path("place")));
    let said = ends(&mut packager(&["repo", "publish", &yard.text("site"), &place]), 0);
    assert_eq!(said.matches("nothing to do").count(), 7, "{said}");
    let server = server(&yard.path("buckets"));
    ends(server.allow(&mut packager(&["repo", "publish", &yard.text("site"), &format!("s3://{BUCKET}/all")])), 0);
    assert_eq!(files(&yard.path("site")), files(&yard.path("buckets").join(BUCKET).join("all")));
}

#[test]
fn what_does_not_belong_in_a_site_is_refused() {
    let yard = Yard::new();
    let good = yard.repository("openeuler-22.03-x86_64", &[1]);
    let nameless = yard.repository("nameless", &[1]);
    let said = ends(&mut site(&yard, &[&nameless], &[]), 1);
    assert!(said.contains("does not carry the name of a target") && said.contains("hint: "), "{said}");
    let said = ends(&mut site(&yard, &[&good], &["--base-url", "example.org"]), 2);
    assert!(said.contains("--base-url"), "given twice: {said}");
    let (out, key) = (yard.text("site"), secret_key().display().to_string());
    let command =
        ["--root", ROOT, "repo", "site", &good, "--out", &out, "--sign-key", &key, "--base-url", "example.org"];
    let said = ends(&mut packager(&command), 1);
    assert!(said.contains("`--base-url example.org` is no address of a repository"), "{said}");
    assert!(!yard.path("site").exists(), "nothing was written");
    ends(&mut site(&yard, &[&good], &[]), 0);
    // Other bytes under a name.
    let package = yard.path("openeuler-22.03-x86_64/Packages/tool-1-1.noarch.rpm");
    fs::copy(yard.path("RPMS/noarch/tool-2-1.noarch.rpm"), package).expect("copied");
    run(&mut packager(&["repo", "create", &good, "--sign-key", &key]));
    let before = files(&yard.path("site"));
    let said = ends(&mut site(&yard, &[&good], &[]), 1);
    assert!(
        said.contains("tool-1-1.noarch.rpm` is there with other contents") && said.contains("hint: raise"),
        "{said}"
    );
    assert_eq!(files(&yard.path("site")), before);
    // Another signer.
    let state = yard.text("state");
    let command = ["--root", ROOT, "--state", &state, "repo", "site", &good, "--out", &out, "--base-url", "http://x"];
    let said = ends(packager(&command).env("XDG_DATA_HOME", yard.path("data")), 1);
    assert!(said.contains("signature"), "{said}");
}

#[test]
fn groups_and_advisories_come_along_with_what_hosts_install() {
    let yard = Yard::new();
    let key = secret_key().display().to_string();
    let folder = yard.repository("almalinux-9-x86_64", &[1]);
    let info = || {
        let text = run(&mut packager(&["--json", "repo", "info", &yard.text("site/almalinux/9/x86_64")]));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let group = |name: &str| format!("<comps><group><id>g</id><name>{name}</name></group></comps>");
    let advisories = "<updates><update type=\"bugfix\"><id>A-1</id></update></updates>";
    let attach = |kind: &str, text: &str| {
        fs::write(yard.path("further.xml"), text).expect("written");
        let file = yard.text("further.xml");
        run(&mut packager(&["repo", "attach", &folder, &file, "--type", kind, "--sign-key", &key]));
        run(&mut site(&yard, &[&folder], &[]));
        assert!(run(&mut site(&yard, &[&folder], &[])).ends_with("nothing to do\n"));
    };
    attach("group", &group("First"));
    assert_eq!(info()["groups"][0]["name"], "First");
    attach("updateinfo", advisories);
    attach("group", &group("Second"));
    assert_eq!((&info()["groups"][0]["name"], &info()["advisories"]["count"]), (&"Second".into(), &1.into()));
    run(&mut packager(&["repo", "detach", &folder, "group", "--sign-key", &key]));
    run(&mut site(&yard, &[&folder], &[]));
    assert_eq!((&info()["groups"], &info()["advisories"]["count"]), (&serde_json::Value::Null, &1.into()));
    let public = yard.public_key().display().to_string();
    run(&mut packager(&["verify", "--key", &public, &yard.text("site/almalinux/9/x86_64")]));
    let none = run(&mut packager(&["repo", "info", &yard.text("site/almalinux/9/source/x86_64")]));
    assert!(!none.contains("advisories"), "{none}");
}

#[test]
fn hosts_read_a_site_through_mirror_lists() {
    let yard = Yard::new();
    let first = yard.repository("openeuler-22.03-x86_64", &[1]);
    run(&mut site(&yard, &[&first], &["--mirror-lists"]));
    assert!(run(&mut site(&yard, &[&first], &["--mirror-lists"])).ends_with("nothing to do\n"));
    let file = yard.path("site/openeuler/22.03/daos.repo");
    let text = fs::read_to_string(&file).expect("a file");
    assert!(!text.contains("baseurl") && text.matches("$basearch/repodata/mirrorlist\n").count() == 3, "{text}");
    let place = yard.path("place");
    ends(&mut packager(&["repo", "publish", &yard.text("site"), &place.display().to_string()]), 0);
    // Where the addresses lead is what was published.
    fs::rename(yard.path("site"), yard.path("made")).expect("moved");
    fs::rename(&place, yard.path("site")).expect("moved");
    let client = yard.client("site", "unused");
    client.take(&file);
    assert_eq!(client.versions(), ["1"]);
    client.good(&["install", "tool"]);
    assert_eq!(client.installed(), ["plug-1-1.noarch", "tool-1-1.noarch"]);
    // Without them again.
    fs::remove_dir_all(yard.path("site")).expect("removed");
    fs::rename(yard.path("made"), yard.path("site")).expect("moved");
    assert!(run(&mut site(&yard, &[&first], &[])).ends_with("nothing to do\n"), "as it was");
    // Hosts of all architectures have one file.
    let other = yard.repository("openeuler-22.03-aarch64", &[1]);
    let said = ends(&mut site(&yard, &[&other], &[]), 1);
    assert!(
        said.contains("only x86_64, debug/x86_64, source/x86_64 have mirror lists") && said.contains("\nhint: "),
        "{said}"
    );
    run(&mut site(&yard, &[&first, &other], &["--no-mirror-lists"]));
    assert!(!yard.path("site/openeuler/22.03/x86_64/repodata/mirrorlist").exists());
    assert!(fs::read_to_string(&file).expect("a file").contains("baseurl="));
}
