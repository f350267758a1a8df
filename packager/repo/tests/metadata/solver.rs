//! dnf's opinion: it finds, resolves and fetches packages by our metadata, before and after changes, in both compressions.

use std::fs;
use std::path::Path;
use std::process::Command;

use packager_repo::Settings;
use packager_repo::operations::{create, remove};
use packager_repodata::Compression;
use tempfile::TempDir;

use crate::yard::{repository, run, settings};

struct Dnf {
    room: TempDir,
}

impl Dnf {
    fn of(repository: &Path) -> Dnf {
        let room = tempfile::tempdir().expect("temporary folder");
        let repos = room.path().join("repos.d");
        for folder in [&repos, &room.path().join("log")] {
            fs::create_dir(folder).expect("folder");
        }
        let text = format!("[ours]\nname=ours\nbaseurl=file://{}\ngpgcheck=0\n", repository.display());
        fs::write(repos.join("ours.repo"), text).expect("written");
        Dnf { room }
    }

    fn said(&self, arguments: &[&str]) -> Vec<String> {
        let path = |name: &str| self.room.path().join(name).display().to_string();
        let output = run(Command::new("dnf")
            .args(["-y", "--quiet", "--releasever=9", "--forcearch=x86_64", "--setopt=module_platform_id=platform:el9"])
            .arg(format!("--installroot={}", path("root")))
            .arg(format!("--setopt=reposdir={}", path("repos.d")))
            .arg(format!("--setopt=cachedir={}", path("cache")))
            .arg(format!("--setopt=logdir={}", path("log")))
            .args(arguments));
        String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
    }
}

#[test]
fn dnf_finds_resolves_and_fetches() {
    let room = repository();
    for compression in [Compression::Gzip, Compression::Zstd] {
        create(room.path(), &Settings { compression: Some(compression), ..settings() }).expect("described");
        let dnf = Dnf::of(room.path());
        let all = dnf.said(&["repoquery", "--all"]);
        assert_eq!(all.len(), 8, "{all:?}");
        assert_eq!(dnf.said(&["repoquery", "--whatprovides", "two > 1"]), ["odd-3:1.0~rc1-2.noarch"]);
        // A path that only filelists has, and one that primary has.
        assert_eq!(dnf.said(&["repoquery", "--file", "/usr/share/many/1/file-1"]), ["many-0:1.2-1.x86_64"]);
        assert_eq!(dnf.said(&["repoquery", "--whatprovides", "/usr/sbin/other"]), ["other-7:1.2-3.el9.x86_64"]);
        assert!(dnf.said(&["repoquery", "--requires", "odd"]).contains(&"((a and b) or (c unless d))".to_owned()));
        assert_eq!(dnf.said(&["repoquery", "--recommends", "other"]), ["weak < 2"]);
        let changes = dnf.said(&["repoquery", "--changelog", "latin"]).join("\n");
        assert!(changes.contains("Jörg") && changes.contains("ärger"), "{changes}");
        let to = dnf.room.path().join("fetched");
        dnf.said(&[
            "install",
            "--downloadonly",
            "--downloaddir",
            to.to_str().expect("text"),
            "many",
            "bare",
            "odd-empty",
        ]);
        assert_eq!(crate::yard::files(&to).len(), 3);
        remove(room.path(), &["many".to_owned()], &settings()).expect("removed");
        assert!(dnf.said(&["--refresh", "repoquery", "many"]).is_empty());
    }
}
