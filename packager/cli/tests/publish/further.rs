//! Groups and advisories that `repo attach` lists, as dnf takes them from a signed repository.

use std::fs;

use crate::yard::{Yard, ends, packager, run, secret_key};

const GROUPS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps><group><id>tools</id><name>Tools of all kinds</name>\
    <description>d</description><default>false</default><uservisible>true</uservisible><packagelist>\
    <packagereq type=\"mandatory\">tool</packagereq></packagelist></group><environment><id>bench</id><name>A work bench</name>\
    <description>d</description><grouplist><groupid>tools</groupid></grouplist></environment></comps>\n";

/// Says that version 2 of both packages mends something, and 3 brings something.
const ADVISORIES: &str = "<updates>\
    <update from=\"a@demo.invalid\" status=\"stable\" type=\"security\" version=\"1\"><id>SA-2026-1</id><title>Bad things</title>\
    <issued date=\"2026-12-01 00:00:00\"/><severity>Important</severity><description>Very bad.</description><references>\
    <reference href=\"https://demo.invalid\" id=\"CVE-2026-1234\" type=\"cve\" title=\"CVE-2026-1234\"/></references><pkglist><collection>\
    <package name=\"tool\" version=\"2\" release=\"1\" epoch=\"0\" arch=\"noarch\"><filename>tool-2-1.noarch.rpm</filename></package>\
    </collection></pkglist></update>\
    <update from=\"a@demo.invalid\" status=\"stable\" type=\"enhancement\" version=\"1\"><id>TOOL-3</id><title>tool 3</title>\
    <issued date=\"2026-12-02 00:00:00\"/><description>- more</description><pkglist><collection>\
    <package name=\"tool\" version=\"3\" release=\"1\" epoch=\"0\" arch=\"noarch\"><filename>tool-3-1.noarch.rpm</filename></package>\
    </collection></pkglist></update></updates>\n";

#[test]
fn dnf_takes_groups_and_advisories_from_a_signed_repository() {
    let yard = Yard::new();
    let key = secret_key().display().to_string();
    for (name, compression) in [("gzip", "gzip"), ("zstd", "zstd"), ("plain", "none")] {
        let folder = yard.repository(name, &[1, 2, 3]);
        for (kind, file, text) in [("group", "groups.xml", GROUPS), ("updateinfo", "advisories.xml", ADVISORIES)] {
            let file = yard.path(file);
            fs::write(&file, text).expect("written");
            let file = file.display().to_string();
            let attach =
                ["repo", "attach", &folder, &file, "--type", kind, "--compression", compression, "--sign-key", &key];
            assert!(run(&mut packager(&attach)).contains(&format!("{kind} attached")));
            assert!(run(&mut packager(&attach)).contains("nothing to do"));
        }
        let shown = run(&mut packager(&["repo", "info", &folder]));
        assert!(
            shown.contains("tools  Tools of all kinds  1 packages") && shown.contains("advisories  2\n"),
            "{shown}"
        );
        run(&mut packager(&["verify", "--key", &yard.public_key().display().to_string(), &folder]));

        let client = yard.client(name, &format!("file://{folder}"));
        let groups = client.good(&["group", "list"]);
        assert!(groups.contains("Tools of all kinds") && groups.contains("A work bench"), "{groups}");
        client.good(&["install", "tool-1", "plug-1"]);
        let listed = client.good(&["updateinfo", "list"]);
        assert!(listed.contains("SA-2026-1 Important/Sec. tool-2-1.noarch"), "{listed}");
        assert!(listed.contains("TOOL-3    enhancement    tool-3-1.noarch"), "{listed}");
        let told = client.good(&["updateinfo", "info", "--cve", "CVE-2026-1234"]);
        assert!(
            told.contains("Update ID: SA-2026-1") && told.contains("Very bad.") && !told.contains("TOOL-3"),
            "{told}"
        );
        client.good(&["upgrade", "--security"]);
        assert_eq!(client.installed(), ["plug-3-1.noarch", "tool-3-1.noarch"], "a newer one mends it too");
        assert_eq!(client.good(&["updateinfo", "list"]).trim(), "");
        client.good(&["remove", "tool"]);
        client.good(&["group", "install", "tools"]);
        assert!(client.installed().contains(&"tool-3-1.noarch".to_owned()));
    }
}

#[test]
fn what_is_detached_is_gone_for_hosts_too() {
    let yard = Yard::new();
    let key = secret_key().display().to_string();
    let folder = yard.repository("repo", &[1]);
    fs::write(yard.path("groups.xml"), GROUPS).expect("written");
    let attach = ["repo", "attach", &folder, &yard.text("groups.xml"), "--type", "group", "--sign-key", &key];
    run(&mut packager(&attach));
    let client = yard.client("one", &format!("file://{folder}"));
    assert!(client.good(&["group", "list"]).contains("Tools of all kinds"));
    // Without the key the signature goes, and it is said.
    let told = run(&mut packager(&["repo", "detach", &folder, "group"]));
    assert!(told.contains("group detached") && told.contains("hint: sign it with `--sign-key`"), "{told}");
    let none = ends(&mut client.command(&["--refresh", "repoquery", "tool"]), 1);
    assert!(none.contains("GPG signature is not available"), "nothing is taken that nobody signed: {none}");
    run(&mut packager(&attach));
    assert!(client.good(&["--refresh", "group", "list"]).contains("Tools of all kinds"));
    run(&mut packager(&["repo", "detach", &folder, "group", "--sign-key", &key]));
    let none = ends(&mut client.command(&["--refresh", "group", "list"]), 1);
    assert!(none.contains("No group data available"), "{none}");
    assert_eq!(client.versions(), ["1"]);
    let told = ends(&mut packager(&["repo", "detach", &folder, "group"]), 1);
    assert!(told.contains("lists no `group`") && told.contains("nothing but the lists"), "{told}");
}

#[test]
fn what_cannot_be_attached_is_refused_with_the_reason() {
    let yard = Yard::new();
    let folder = yard.repository("repo", &[1]);
    let before = fs::read(yard.path("repo/repodata/repomd.xml")).expect("readable");
    let refused = |kind: &str, name: &str, text: &str, words: &str| {
        fs::write(yard.path(name), text).expect("written");
        let told = ends(&mut packager(&["repo", "attach", &folder, &yard.text(name), "--type", kind]), 1);
        assert!(told.contains(words) && told.contains("hint: "), "{told}");
    };
    refused("group", "a.xml", "<comps><group/></comps>", "is no `group` metadata: an entry without `id`");
    refused("group", "a.xml", "<comps>&evil;</comps>", "the entity `evil` is not known");
    refused("group", "a.xml", "<!DOCTYPE comps [<!ENTITY a 'b'>]><comps/>", "a DOCTYPE with declarations");
    refused("group", "a.xml", ADVISORIES, "it is no `group` metadata");
    refused("updateinfo", "a.xml", "<updates/><updates/>", "more than one root");
    refused("updateinfo", "a.xml", "", "it ends before its last element does");
    refused("primary", "a.xml", GROUPS, "`primary` is made from packages");
    refused("other_db", "a.xml", GROUPS, "`other_db` is made from packages");
    refused("group_gz", "a.xml", GROUPS, "`group_gz` is another form of `group`");
    refused("../group", "a.xml", GROUPS, "`../group` is no type of metadata");
    refused("productid", "a b", "x", "has no name for a repository");
    let told = ends(&mut packager(&["repo", "attach", &folder, &yard.text("nowhere"), "--type", "x"]), 1);
    assert!(told.contains("nowhere"), "{told}");
    fs::write(yard.path("a.xml.gz"), "no gzip").expect("written");
    let told = ends(&mut packager(&["repo", "attach", &folder, &yard.text("a.xml.gz"), "--type", "group"]), 1);
    assert!(told.contains("cannot read `") && told.contains("a.xml.gz"), "{told}");
    assert_eq!(fs::read(yard.path("repo/repodata/repomd.xml")).expect("readable"), before, "nothing was written");
    let names = fs::read_dir(yard.path("repo")).expect("a folder").count();
    assert_eq!(names, 3, "no work folder is left");
    ends(&mut packager(&["repo", "attach", &folder, &yard.text("a.xml")]), 2);
}
