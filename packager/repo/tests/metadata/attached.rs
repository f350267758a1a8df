//! Metadata of other kinds, held against what `modifyrepo_c` and `createrepo_c --groupfile` write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use packager_repo::attached::{Storing, attach, detach};
use packager_repo::operations::{add, create, update};
use packager_repo::stored::Stored;
use packager_repo::{AttachError, Settings};
use packager_repodata::Compression;
use packager_repodata::model::Data;

use crate::yard::{bytes, packages, repository, run, settings};

const GROUPS: &str = "<comps><group><id>g</id><name>G</name><packagelist><packagereq type=\"mandatory\">many</packagereq></packagelist></group></comps>\n";

/// The file to attach, below a folder of its own.
fn written(room: &Path, name: &str, text: &str) -> PathBuf {
    let path = room.join(name);
    fs::write(&path, text).expect("written");
    path
}

fn kinds(folder: &Path) -> Vec<String> {
    Stored::open(folder).expect("metadata").repomd.data.into_iter().map(|data| data.kind).collect()
}

fn of_kind(folder: &Path, kind: &str) -> Data {
    let data = Stored::open(folder).expect("metadata").repomd.data;
    data.into_iter().find(|data| data.kind == kind).expect("it is listed")
}

#[test]
fn entries_say_what_modifyrepo_says() {
    let (ours, theirs, room) = (repository(), repository(), tempfile::tempdir().expect("a folder"));
    let file = written(room.path(), "comps.xml", GROUPS);
    for folder in [&ours, &theirs] {
        create(folder.path(), &settings()).expect("described");
    }
    for (storing, option) in [(Storing::AsItIs, "--no-compress"), (Storing::Compressed, "--compress-type=gz")] {
        attach(ours.path(), "group", &file, storing, &settings()).expect("attached");
        run(Command::new("modifyrepo_c")
            .args(["--mdtype=group", option])
            .arg(&file)
            .arg(theirs.path().join("repodata")));
        let (one, other) = (of_kind(ours.path(), "group"), of_kind(theirs.path(), "group"));
        if storing == Storing::AsItIs {
            assert_eq!((&one.location, &one.sha256, one.bytes), (&other.location, &other.sha256, other.bytes));
        } else {
            // Both compress; the bytes are each one's own.
            assert_eq!((&one.open_sha256, one.open_bytes), (&other.open_sha256, other.open_bytes));
        }
        let both =
            [ours.path(), theirs.path()].map(|folder| Stored::open(folder).expect("metadata").groups().expect("read"));
        assert!(both[0].is_some() && both[0] == both[1]);
    }
    // And they read ours.
    run(Command::new("modifyrepo_c").args(["--remove", "group"]).arg(ours.path().join("repodata")));
    assert_eq!(kinds(ours.path()), ["primary", "filelists", "other"]);
}

#[test]
fn other_forms_of_a_type_go() {
    let (folder, room) = (repository(), tempfile::tempdir().expect("a folder"));
    let file = written(room.path(), "comps.xml", GROUPS);
    run(Command::new("createrepo_c").args(["--quiet", "--groupfile"]).arg(&file).arg(folder.path()));
    let before = kinds(folder.path());
    assert!(before.contains(&"group".to_owned()) && before.contains(&"group_gz".to_owned()), "{before:?}");
    assert!(before.contains(&"primary_db".to_owned()), "{before:?}");
    let newer = written(room.path(), "newer.xml", &GROUPS.replace("<name>G", "<name>Newer"));
    let done = attach(folder.path(), "group", &newer, Storing::Compressed, &settings()).expect("attached");
    assert_eq!(done.removed.len(), 2);
    let wanted: Vec<&String> = before.iter().filter(|kind| *kind != "group_gz").collect();
    assert_eq!(kinds(folder.path()).iter().collect::<Vec<_>>(), wanted, "databases fit still, and stay");
    let groups = Stored::open(folder.path()).expect("metadata").groups().expect("read").expect("groups");
    assert_eq!(groups.groups[0].name, "Newer");
    let files = fs::read_dir(folder.path().join("repodata")).expect("a folder").count();
    assert_eq!(files, wanted.len() + 1, "what went is not left lying");
    detach(folder.path(), "group", &settings()).expect("detached");
    assert!(!kinds(folder.path()).iter().any(|kind| kind.starts_with("group")));
}

#[test]
fn the_same_file_gives_the_same_bytes_and_is_written_once() {
    let (first, second, room) = (repository(), repository(), tempfile::tempdir().expect("a folder"));
    let file = written(room.path(), "groups.xml", GROUPS);
    let zstd = Settings { compression: Some(Compression::Zstd), ..settings() };
    for folder in [&first, &second] {
        create(folder.path(), &Settings { revision: Some(7), ..settings() }).expect("described");
        assert!(attach(folder.path(), "group", &file, Storing::Compressed, &zstd).expect("attached").written);
    }
    assert!(bytes(first.path()) == bytes(second.path()));
    let entry = of_kind(first.path(), "group");
    assert!(entry.location.ends_with("-groups.xml.zst") && entry.timestamp == 7, "{entry:?}");
    let before = fs::metadata(first.path().join("repodata")).expect("metadata").modified().expect("a time");
    assert!(!attach(first.path(), "group", &file, Storing::Compressed, &zstd).expect("nothing to do").written);
    assert_eq!(fs::metadata(first.path().join("repodata")).expect("metadata").modified().expect("a time"), before);
    // A compressed file is the same text, and the same again.
    run(Command::new("xz").arg("--keep").arg(&file));
    let packed = room.path().join("groups.xml.xz");
    assert!(!attach(first.path(), "group", &packed, Storing::Compressed, &zstd).expect("nothing to do").written);
    // A file that was damaged is written again.
    fs::write(first.path().join(&entry.location), "spoilt").expect("written");
    assert!(attach(first.path(), "group", &file, Storing::Compressed, &zstd).expect("attached").written);
    assert!(bytes(first.path()) == bytes(second.path()));
    // Another revision.
    let later = Settings { revision: Some(8), ..zstd };
    assert_eq!(attach(first.path(), "group", &file, Storing::Compressed, &later).expect("attached").revision, "8");
}

#[test]
fn what_is_attached_stays_until_everything_is_made_anew() {
    let (folder, room) = (repository(), tempfile::tempdir().expect("a folder"));
    create(folder.path(), &settings()).expect("described");
    let file = written(room.path(), "productid.pem", "-----BEGIN CERTIFICATE-----\n");
    attach(folder.path(), "productid", &file, Storing::Compressed, &settings()).expect("attached");
    let location = of_kind(folder.path(), "productid").location;
    assert!(location.ends_with("-productid.pem.gz"), "{location}");
    let more = packages().join("bare-1.2-1.x86_64.rpm");
    add(folder.path(), std::slice::from_ref(&more), "more", &settings()).expect("added");
    fs::create_dir(folder.path().join("more")).expect("a folder");
    fs::copy(more, folder.path().join("more/bare-1.2-1.x86_64.rpm")).expect("copied");
    update(folder.path(), &settings()).expect("up to date");
    assert_eq!(of_kind(folder.path(), "productid").location, location);
    assert!(folder.path().join(&location).exists());
    create(folder.path(), &settings()).expect("described");
    assert_eq!(kinds(folder.path()), ["primary", "filelists", "other"]);
}

#[test]
fn metadata_that_leads_out_of_the_repository_is_refused() {
    let (folder, room) = (repository(), tempfile::tempdir().expect("a folder"));
    create(folder.path(), &settings()).expect("described");
    let file = written(room.path(), "groups.xml", GROUPS);
    attach(folder.path(), "group", &file, Storing::Compressed, &settings()).expect("attached");
    let path = folder.path().join("repodata/repomd.xml");
    let text = fs::read_to_string(&path).expect("readable");
    let location = of_kind(folder.path(), "group").location;
    fs::write(&path, text.replace(&location, "../../etc/passwd")).expect("written");
    let file = written(room.path(), "updateinfo.xml", "<updates/>");
    let refused = attach(folder.path(), "updateinfo", &file, Storing::Compressed, &settings()).expect_err("refused");
    assert!(matches!(refused, AttachError::Metadata(_)) && refused.to_string().contains("outside"), "{refused}");
    // What leads out can be taken away.
    detach(folder.path(), "group", &settings()).expect("detached");
    attach(folder.path(), "updateinfo", &file, Storing::Compressed, &settings()).expect("attached");
    assert_eq!(kinds(folder.path()), ["primary", "filelists", "other", "updateinfo"]);
}
