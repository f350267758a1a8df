//! What is not published, and why.

use std::fs;
use std::os::unix::fs::symlink;

use packager_repo::destination::place::{self, PlaceError, Reach};
use packager_repo::destination::{self, Options, PublishError};

use crate::memory::Memory;
use crate::yard::{RECORD, REPOMD, describe, options, package, publish, published, read, repository};

#[test]
fn a_package_does_not_change_under_its_name() {
    let (first, second) = (repository(&[("a", "1")]), repository(&[("a", "1"), ("b", "1")]));
    package(&second.path().join("Packages"), "a", "1", "another one");
    describe(second.path());
    let place = Memory::default();
    publish(&first, &place, 2).expect("published");
    let before = place.files.borrow().clone();
    let refused = publish(&second, &place, 2).expect_err("refused");
    assert!(matches!(&refused, PublishError::Changed { name, .. } if name == "Packages/a-1-1.noarch.rpm"), "{refused}");
    assert_eq!(*place.files.borrow(), before, "nothing was put");
    let replacing = Options { replace: true, ..options(2) };
    destination::publish(second.path(), &place, &replacing, &mut |_, _| {}).expect("as asked");
    let now = place.files.borrow().clone();
    read(&now, &now).expect("the new one is whole");
    assert!(!publish(&second, &place, 2).expect("nothing to do").written);
}

#[test]
fn files_of_others_stay() {
    let folder = repository(&[("a", "1")]);
    let page = fs::read(folder.path().join("page.html")).expect("a page");
    let place = Memory::with([("page.html".to_owned(), b"somebody else's".to_vec())].into());
    let refused = publish(&folder, &place, 2).expect_err("refused");
    assert!(matches!(&refused, PublishError::Foreign { name, .. } if name == "page.html"), "{refused}");
    assert_eq!(place.steps.get(), 0);
    // The same contents are no quarrel.
    place.files.borrow_mut().insert("page.html".to_owned(), page);
    publish(&folder, &place, 2).expect("published");
}

#[test]
fn what_is_no_whole_signed_repository_is_not_published() {
    let nothing = tempfile::tempdir().expect("a folder");
    assert!(matches!(publish(&nothing, &Memory::default(), 2), Err(PublishError::Metadata(_))));
    let unsigned = repository(&[("a", "1")]);
    fs::remove_file(unsigned.path().join("repodata/repomd.xml.asc")).expect("removed");
    assert!(matches!(publish(&unsigned, &Memory::default(), 2), Err(PublishError::Unsigned(_))));
    let allowed = Options { allow_unsigned: true, ..options(2) };
    let place = Memory::with(published(repository(&[("z", "1")]).path()));
    place.files.borrow_mut().remove("page.html");
    destination::publish(unsigned.path(), &place, &allowed, &mut |_, _| {}).expect("as asked");
    assert!(!place.files.borrow().contains_key("repodata/repomd.xml.asc"), "the old signature fits nothing");
    assert!(!destination::publish(unsigned.path(), &place, &allowed, &mut |_, _| {}).expect("done").written);

    let place = Memory::default();
    let missing = repository(&[("a", "1")]);
    fs::remove_file(missing.path().join("Packages/a-1-1.noarch.rpm")).expect("removed");
    assert!(matches!(publish(&missing, &place, 2), Err(PublishError::Listed(_))));
    let damaged = repository(&[("a", "1")]);
    let path = damaged.path().join("Packages/a-1-1.noarch.rpm");
    let mut bytes = fs::read(&path).expect("readable");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&path, bytes).expect("written");
    assert!(matches!(publish(&damaged, &place, 2), Err(PublishError::Listed(_))));
    assert!(!place.files.borrow().contains_key(REPOMD), "readers see nothing of it");
    let linked = repository(&[("a", "1")]);
    symlink("/etc", linked.path().join("etc")).expect("a link");
    assert!(matches!(publish(&linked, &place, 2), Err(PublishError::Link(_))));
    let unhashed = repository(&[("a", "1")]);
    let repodata = unhashed.path().join("repodata");
    let repomd = fs::read_to_string(repodata.join("repomd.xml")).expect("text");
    let named = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.ends_with("-other.xml.gz"));
    let other = fs::read_dir(&repodata).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let other = other.into_iter().find(|name| named(name)).expect("a list").into_string().expect("text");
    fs::rename(repodata.join(&other), repodata.join("other.xml.gz")).expect("renamed");
    fs::write(repodata.join("repomd.xml"), repomd.replace(&other, "other.xml.gz")).expect("written");
    assert!(matches!(publish(&unhashed, &place, 2), Err(PublishError::Unhashed { .. })));
}

#[test]
fn a_destination_that_cannot_be_understood_is_left_alone() {
    let folder = repository(&[("a", "1")]);
    for (name, content) in [
        (RECORD, "{"),
        (RECORD, r#"{"format":99}"#),
        (RECORD, r#"{"format":1,"generations":[],"pending":{"../x":{"sha256":"","bytes":0}}}"#),
        (REPOMD, "<html>"),
        (REPOMD, r#"<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision></repomd>"#),
    ] {
        let place = Memory::with([(name.to_owned(), content.as_bytes().to_vec())].into());
        publish(&folder, &place, 2).expect_err(content);
        assert_eq!(place.steps.get(), 0, "{content}");
    }
}

#[test]
fn a_lock_that_was_lost_stops_before_readers_see_anything() {
    let (first, second) = (repository(&[("a", "1")]), repository(&[("b", "1")]));
    let place = Memory::default();
    publish(&first, &place, 2).expect("published");
    let before = place.files.borrow()[REPOMD].clone();
    place.lost.set(true);
    assert!(matches!(publish(&second, &place, 2), Err(PublishError::Place(PlaceError::Lost { .. }))));
    assert_eq!(place.files.borrow()[REPOMD], before);
}

/// A root above repositories does not touch a repository that lies there.
#[test]
fn a_site_is_not_published_over_a_repository() {
    let (single, site) = (repository(&[("a", "1")]), tempfile::tempdir().expect("a folder"));
    let below = repository(&[("b", "1")]);
    fs::rename(below.path(), site.path().join("below")).expect("moved");
    fs::write(site.path().join("index.html"), "a page").expect("written");
    let place = Memory::default();
    publish(&single, &place, 2).expect("published");
    let before = place.files.borrow().clone();
    let refused = publish(&site, &place, 2).expect_err("refused");
    assert!(matches!(refused, PublishError::Above { .. }), "{refused}");
    assert_eq!(*place.files.borrow(), before);
    // Where none is, pages go there; what lies below repositories stays, whoever put it.
    let place = Memory::default();
    place.files.borrow_mut().insert("below/repodata/repomd.xml".to_owned(), b"x".to_vec());
    assert_eq!(publish(&site, &place, 2).expect("published").put, ["index.html"]);
    assert!(place.files.borrow().contains_key("below/repodata/repomd.xml"));
}

/// A build that ends meanwhile puts another repository in the place of the folder.
#[test]
fn a_folder_that_is_replaced_meanwhile_reaches_no_reader() {
    let (first, second) = (repository(&[("a", "1")]), repository(&[("b", "1"), ("c", "1")]));
    let other = repository(&[("d", "1")]);
    let place = Memory::default();
    publish(&first, &place, 2).expect("published");
    let before = place.files.borrow()[REPOMD].clone();
    let mut replaced = false;
    let refused = destination::publish(second.path(), &place, &options(2), &mut |_, _| {
        if !std::mem::replace(&mut replaced, true) {
            for part in ["Packages", "repodata"] {
                fs::remove_dir_all(second.path().join(part)).expect("removed");
                fs::rename(other.path().join(part), second.path().join(part)).expect("moved");
            }
        }
    });
    refused.expect_err("it changed");
    assert_eq!(place.files.borrow()[REPOMD], before);
    publish(&second, &place, 2).expect("published");
    let now = place.files.borrow().clone();
    assert_eq!(read(&now, &now).expect("whole"), ["Packages/d-1-1.noarch.rpm"]);
}

#[test]
fn a_dry_run_says_what_a_run_does_and_does_nothing() {
    let (first, second) = (repository(&[("a", "1"), ("b", "1")]), repository(&[("b", "1"), ("c", "1")]));
    let place = Memory::default();
    publish(&first, &place, 1).expect("published");
    let steps = place.steps.get();
    let dry = Options { dry_run: true, ..options(1) };
    let said = destination::publish(second.path(), &place, &dry, &mut |_, _| {}).expect("looked at");
    assert_eq!(place.steps.get(), steps);
    let done = publish(&second, &place, 1).expect("published");
    assert_eq!((said.put, said.removed, said.written), (done.put, done.removed, false));
}

#[test]
fn places_that_are_none() {
    for address in ["", "http://host/x", "ftp://host/x", "file://host/x", "s3://", "ssh://host", "ssh://-x/y"] {
        assert!(place::open(address, &Reach::default()).is_err(), "{address}");
    }
}
