//! `repo verify`: of folders, of what was published, behind addresses, and what is refused.

use std::fs;
use std::process::Command;

use crate::serving::Server;
use crate::yard::{Yard, ends, packager, run, secret_key};

struct Verifier<'y> {
    yard: &'y Yard,
    key: String,
}

impl Verifier<'_> {
    fn says(&self, place: &str, more: &[&str], code: i32) -> String {
        ends(packager(&["repo", "verify", place, "--key", &self.key]).args(more), code)
    }

    /// The same of a folder, and of what a server makes of it.
    fn both(&self, folder: &str, code: i32) -> [String; 2] {
        let server = Server::start(folder, &[]);
        let said = [self.says(folder, &[], code), self.says(&server.address, &[], code)];
        server.end();
        said
    }

    fn copy(&self, name: &str) -> String {
        let to = self.yard.text(name);
        run(Command::new("cp").arg("-a").args([&self.yard.text("good"), &to]));
        to
    }
}

#[test]
fn what_was_changed_is_refused_here_and_behind_an_address() {
    let yard = Yard::new();
    let good = yard.repository("good", &[1, 2]);
    let verifier = Verifier { yard: &yard, key: yard.public_key().display().to_string() };
    for said in verifier.both(&good, 0) {
        assert!(said.contains("4 packages are as signed by"), "{said}");
    }
    let tampered = verifier.copy("tampered");
    let package = yard.path("tampered/Packages/tool-1-1.noarch.rpm");
    let mut bytes = fs::read(&package).expect("readable");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&package, bytes).expect("written");
    for said in verifier.both(&tampered, 1) {
        assert!(said.contains("tool-1-1.noarch.rpm") && said.contains("its SHA-256 is"), "{said}");
    }
    let missing = verifier.copy("missing");
    fs::remove_file(yard.path("missing/Packages/plug-2-1.noarch.rpm")).expect("removed");
    for said in verifier.both(&missing, 1) {
        assert!(said.contains("plug-2-1.noarch.rpm"), "{said}");
    }
    let edited = verifier.copy("edited");
    let repomd = yard.path("edited/repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("text").replace("<revision>", "<revision>1");
    fs::write(&repomd, text).expect("written");
    for said in verifier.both(&edited, 1) {
        assert!(said.contains("repomd.xml") && said.contains("signature"), "{said}");
    }
    // Signed by the right key, and still not what the package says.
    let described = verifier.copy("described");
    let primary = yard.path("primary.xml");
    let script = format!(
        "cd '{described}/repodata' && zcat *-primary.xml.gz | sed 's/flags=\"EQ\"/flags=\"GE\"/' > '{0}' && modifyrepo_c --mdtype=primary '{0}' . >/dev/null",
        primary.display()
    );
    run(Command::new("sh").args(["-c", &script]));
    yard.sign_by_hand(&described);
    for said in verifier.both(&described, 1) {
        assert!(said.contains("what it provides") && said.contains("hint: make the metadata again"), "{said}");
    }
    let unsigned = verifier.copy("unsigned");
    fs::remove_file(yard.path("unsigned/repodata/repomd.xml.asc")).expect("removed");
    for said in verifier.both(&unsigned, 1) {
        assert!(said.contains("repomd.xml.asc"), "{said}");
    }
    let said = verifier.says("http://127.0.0.1:1/x", &[], 1);
    assert!(said.contains("cannot fetch `repodata/repomd.xml`") && said.contains("hint: "), "{said}");
    // Nothing is left where files were brought to.
    let left = fs::read_dir(yard.path("good")).expect("a folder").count();
    assert_eq!(left, 3);
}

#[test]
fn what_was_published_twice_is_as_signed_and_whole() {
    let yard = Yard::new();
    let [first, second] = [yard.repository("first", &[1]), yard.repository("second", &[2])];
    let verifier = Verifier { yard: &yard, key: yard.public_key().display().to_string() };
    let place = yard.text("place");
    for folder in [&first, &second] {
        run(&mut packager(&["repo", "publish", folder, &place]));
        for said in verifier.both(&place, 0) {
            assert!(said.contains("2 packages are as signed by"), "{said}");
        }
    }
    assert!(yard.path("place/Packages/tool-1-1.noarch.rpm").exists(), "of the generation before");
    fs::copy(yard.path("RPMS/noarch/tool-3-1.noarch.rpm"), yard.path("place/Packages/stray.rpm")).expect("copied");
    let said = verifier.says(&place, &[], 1);
    assert!(said.contains("stray.rpm` is in no metadata"), "{said}");
}

#[test]
fn what_packages_require_must_be_there_when_that_is_asked() {
    let yard = Yard::new();
    let whole = yard.repository("whole", &[1, 2]);
    let verifier = Verifier { yard: &yard, key: yard.public_key().display().to_string() };
    // Ours alone, then with what others have.
    let part = yard.repository("part", &[1, 2]);
    fs::remove_file(yard.path("part/Packages/plug-1-1.noarch.rpm")).expect("removed");
    run(&mut packager(&["repo", "create", &part, "--sign-key", &secret_key().display().to_string()]));
    let said = verifier.says(&part, &[], 0);
    assert!(said.contains("what packages require was not looked at"), "{said}");
    let said = verifier.says(&part, &["--with", &part], 1);
    assert!(said.contains("tool-1-1.noarch requires `plug = 1`: nobody provides `plug = 1`"), "{said}");
    assert!(said.contains("1 requirements are not met"), "{said}");
    let said = verifier.says(&part, &["--with", &whole], 0);
    assert!(said.contains("everything that packages require is there"), "{said}");
    // What a target has, as its lock says.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut command = packager(&["--root", root, "repo", "verify", &part, "--key", &verifier.key]);
    let said = ends(command.args(["--target", "almalinux-9-x86_64"]), 1);
    assert!(said.contains("`plug = 1`") && said.contains("1 requirements"), "{said}");
    let said = verifier.says(&part, &["--target", "nothing"], 1);
    assert!(said.contains("hint: "), "{said}");
}

#[test]
fn what_a_mirror_list_leads_to_is_verified_too() {
    let yard = Yard::new();
    let good = yard.repository_with("good", &[1, 2], &["--mirror-list", "https://host.invalid/r"]);
    let verifier = Verifier { yard: &yard, key: yard.public_key().display().to_string() };
    for said in verifier.both(&good, 0) {
        assert!(said.contains("4 packages are as signed by"), "{said}");
    }
    let key = secret_key().display().to_string();
    let folder = |name: &str| {
        let entries = fs::read_dir(yard.path(name).join("repodata")).expect("metadata");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        paths.find(|path| path.is_dir()).expect("what the list leads to")
    };
    // Without a word about it the list stays, and leads to the new metadata.
    let changed = verifier.copy("changed");
    run(&mut packager(&["repo", "remove", &changed, "tool-1-1", "--sign-key", &key]));
    assert_ne!(folder("changed").file_name(), folder("good").file_name());
    fs::remove_file(yard.path("changed/Packages/tool-1-1.noarch.rpm")).expect("removed");
    for said in verifier.both(&changed, 0) {
        assert!(said.contains("3 packages are as signed by"), "{said}");
    }
    // Somebody who has the key puts the two together as they do not belong.
    let mixed = verifier.copy("mixed");
    fs::remove_dir_all(folder("mixed")).expect("removed");
    run(Command::new("cp").arg("-a").args([folder("changed"), yard.path("mixed/repodata")]));
    fs::copy(yard.path("changed/repodata/mirrorlist"), yard.path("mixed/repodata/mirrorlist")).expect("copied");
    for said in verifier.both(&mixed, 1) {
        assert!(
            said.contains("says other things than the metadata of the repository") && said.contains("hint: "),
            "{said}"
        );
    }
    // Other metadata there, and none.
    let edited = verifier.copy("edited");
    let repomd = folder("edited").join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("text").replace("<revision>", "<revision>1");
    fs::write(&repomd, text).expect("written");
    for said in verifier.both(&edited, 1) {
        assert!(said.contains("signature"), "{said}");
    }
    fs::remove_file(repomd).expect("removed");
    verifier.both(&edited, 1);
    // A list of somebody else's is in nobody's way but who wants to keep it.
    fs::write(yard.path("edited/repodata/mirrorlist"), "https://elsewhere.invalid/\n").expect("written");
    let update = ["repo", "update", &edited, "--sign-key", &key];
    let said = ends(&mut packager(&update), 1);
    assert!(said.contains("is no mirror list that packager made\nhint: remove it, or give"), "{said}");
    ends(packager(&update).arg("--no-mirror-list"), 0);
    assert!(!yard.path("edited/repodata/mirrorlist").exists());
    assert!(ends(packager(&update).arg("--no-mirror-list"), 0).contains("nothing to do"));
    let said = ends(packager(&update).args(["--mirror-list", "https://host.invalid/$basearch"]), 1);
    assert!(said.contains("stands for several addresses\nhint: "), "{said}");
}
