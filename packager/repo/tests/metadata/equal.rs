//! The same packages, described by `createrepo_c` and by us.

use std::fs;
use std::path::Path;

use packager_repo::stored::Stored;
use packager_repo::{Settings, operations};
use packager_repodata::Compression;

use crate::yard::{bytes, reference, repository, settings, texts};

/// Byte for byte, which is more than field by field. A difference is shown with the lines around it.
fn assert_equal(folder: &Path) {
    let theirs = reference(folder);
    for (ours, theirs) in texts(folder).iter().zip(texts(theirs.path())) {
        let (one, other): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
        if let Some(line) = one.iter().zip(&other).position(|(one, other)| one != other) {
            let around = line.saturating_sub(20)..;
            let show = |lines: &[&str]| lines[around.clone()].iter().take(22).copied().collect::<Vec<_>>().join("\n");
            panic!("line {line}\n--- ours\n{}\n--- createrepo_c's\n{}", show(&one), show(&other));
        }
        assert!(ours == &theirs, "one has more lines than the other");
    }
}

#[test]
fn the_lists_are_createrepo_c_s_byte_for_byte() {
    let room = repository();
    let outcome = operations::create(room.path(), &settings()).expect("described");
    assert_eq!((outcome.packages, outcome.read.len()), (8, 8));
    assert_equal(room.path());
    let [primary, filelists, other] = texts(room.path());
    // What the comparison rests on is really there.
    for part in [
        "<arch>src</arch>",
        "epoch=\"3\"",
        "café in Latin-1",
        "((a and b) or (c unless d))",
        "pre=\"1\"",
        "supplements",
    ] {
        assert!(primary.contains(part), "{part}");
    }
    assert!(filelists.matches("/usr/share/many/").count() >= 20_000 && filelists.contains("\"ghost\""));
    assert!(other.contains("J&#xF6;rg") && other.contains("ärger") && !other.contains("eleventh"));
}

#[test]
fn an_empty_repository_is_equal_too() {
    let room = tempfile::tempdir().expect("temporary folder");
    operations::create(room.path(), &settings()).expect("described");
    assert_equal(room.path());
}

/// `repomd.xml` differs in nothing but what compression decides.
#[test]
fn repomd_has_the_same_fields() {
    let room = repository();
    operations::create(room.path(), &Settings { revision: Some(5), ..settings() }).expect("described");
    let reference = reference(room.path());
    let [ours, theirs] = [room.path(), reference.path()].map(|folder| Stored::open(folder).expect("readable").repomd);
    assert_eq!(ours.revision, theirs.revision);
    assert_eq!(ours.data.len(), theirs.data.len());
    for (ours, mut theirs) in ours.data.into_iter().zip(theirs.data) {
        assert!(ours.location.contains(&ours.sha256) && theirs.location.contains(&theirs.sha256));
        (theirs.location, theirs.sha256, theirs.bytes) = (ours.location.clone(), ours.sha256.clone(), ours.bytes);
        assert_eq!(ours, theirs);
    }
    let line = |folder: &Path, number: usize| {
        let text = fs::read_to_string(folder.join("repodata/repomd.xml")).expect("readable");
        text.lines().nth(number).expect("a line").to_owned()
    };
    for number in [0, 1, 2, 3, 7, 9] {
        assert_eq!(line(room.path(), number), line(reference.path(), number));
    }
}

/// What createrepo_c wrote is read, and written again as it was.
#[test]
fn metadata_of_createrepo_c_is_read() {
    let room = repository();
    let reference = reference(room.path());
    let stored = Stored::open(reference.path()).expect("readable");
    let mut packages = stored.primary().expect("readable");
    stored.complete(&mut packages).expect("readable");
    let again = packager_repodata::write::Format::ALL.map(|format| format.text(packages.iter()));
    assert!(again == texts(reference.path()));
}

#[test]
fn the_same_packages_give_the_same_bytes_with_any_number_of_workers() {
    let room = repository();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let described = |workers: usize| {
            let workers = workers.try_into().expect("not zero");
            let settings = Settings { workers, compression: Some(compression), ..settings() };
            operations::create(room.path(), &settings).expect("described");
            (bytes(room.path()), texts(room.path()))
        };
        let (first, texts) = described(1);
        assert_eq!(first.len(), 4);
        assert!(first.iter().filter(|(name, _)| name.ends_with(compression.suffix())).count() >= 3);
        assert!(described(7) == (first, texts));
    }
}

/// Published metadata: packages are no newer than the sources, so copying them does not change it.
#[test]
fn published_metadata_does_not_depend_on_when_packages_were_copied() {
    let described = || {
        let room = tempfile::tempdir().expect("temporary folder");
        fs::copy(crate::yard::packages().join("bare-1.2-1.x86_64.rpm"), room.path().join("bare.rpm")).expect("copied");
        let file = fs::File::options().write(true).open(room.path().join("bare.rpm")).expect("open");
        (room, file)
    };
    let ((one, _file), (other, copied_later)) = (described(), described());
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_999_999_999);
    copied_later.set_modified(later).expect("a time");
    for room in [&one, &other] {
        packager_repo::metadata::write(room.path(), 1_700_000_000).expect("described");
    }
    assert!(bytes(one.path()) == bytes(other.path()));
    assert_eq!(Stored::open(one.path()).expect("readable").repomd.revision, "1700000000");
}
