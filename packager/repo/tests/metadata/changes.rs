//! Metadata that is changed: brought up to date, and without the packages it is about.

use std::fs;
use std::path::Path;

use packager_repo::attached::{Storing, attach};
use packager_repo::mirror_list::{MIRROR_LIST, Mirrored};
use packager_repo::operations::{Files, add, create, remove, retain, update};
use packager_repo::stored::Stored;
use packager_repo::{ListedError, MetadataError, Settings};
use packager_repodata::Compression;
use packager_repodata::compression::{Encoder, decoder};
use packager_repodata::model::{Package, Repomd};
use packager_rpm::SigningKey;
use sha2::{Digest as _, Sha256};

use crate::yard::{bytes, packages, repository, settings};

/// Removes every package file below a folder, as when they lie in object storage.
fn without_packages(folder: &Path) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            without_packages(&path);
        } else if path.extension().is_some_and(|ending| ending == "rpm") {
            fs::remove_file(path).expect("removed");
        }
    }
}

#[test]
fn adding_to_a_repository_without_packages_equals_describing_all() {
    let (whole, part) = (repository(), repository());
    create(whole.path(), &settings()).expect("described");
    let one = part.path().join("Packages/many-1.2-1.x86_64.rpm");
    let found = [one, part.path().join("many-1.2-1.x86_64.rpm"), part.path().join("deep/er/many-1.2-1.x86_64.rpm")];
    let one = found.iter().find(|path| path.exists()).expect("it is somewhere");
    let apart = part.path().with_extension("apart");
    fs::create_dir(&apart).expect("folder");
    let moved = apart.join("many-1.2-1.x86_64.rpm");
    fs::rename(one, &moved).expect("moved");
    create(part.path(), &settings()).expect("described");
    without_packages(part.path());
    let prefix =
        one.parent().expect("a folder").strip_prefix(part.path()).expect("below").to_str().expect("text").to_owned();
    let outcome = add(part.path(), std::slice::from_ref(&moved), &prefix, &settings()).expect("added");
    assert_eq!((outcome.packages, outcome.read.len(), outcome.written), (8, 1, true));
    assert!(bytes(part.path()) == bytes(whole.path()));
    // Once more: nothing is written.
    let before = fs::metadata(part.path().join("repodata")).expect("metadata").modified().expect("a time");
    assert!(!add(part.path(), &[moved], &prefix, &settings()).expect("nothing to do").written);
    assert_eq!(fs::metadata(part.path().join("repodata")).expect("metadata").modified().expect("a time"), before);
    // And away again.
    let outcome = remove(part.path(), &["many-1.2-1.x86_64".to_owned()], &settings()).expect("removed");
    assert_eq!((outcome.packages, outcome.removed.len()), (7, 1));
    fs::remove_file(whole.path().join(&outcome.removed[0])).expect("removed");
    create(whole.path(), &settings()).expect("described");
    assert!(bytes(part.path()) == bytes(whole.path()));
    fs::remove_dir_all(apart).expect("removed");
}

/// Lists that are not written as ours are understood all the same, and the result is as if all had been described anew.
#[test]
fn lists_of_another_form_are_read_and_written() {
    type Form<'f> = &'f dyn Fn(&str, &str) -> String;
    let forms: [Form<'_>; 5] = [
        &|_, text| text.to_owned(),
        // One line less, a remark, another order of attributes, packages the other way round in one list.
        &|_, text| text.replacen("</package>\n", "</package>", 1),
        &|_, text| text.replacen("<package ", "<!-- a remark -->\n<package ", 1),
        &|_, text| text.replace("<location href=", "<location  href="),
        &|kind, text| if kind == "other" { reversed(text) } else { text.to_owned() },
    ];
    for (number, form) in forms.iter().enumerate() {
        let (whole, part) = (repository(), repository());
        let gone = crate::yard::files(part.path()).pop().expect("a package");
        let apart = tempfile::tempdir().expect("a folder");
        let moved = apart.path().join(gone.file_name().expect("a name"));
        fs::rename(&gone, &moved).expect("moved");
        create(part.path(), &settings()).expect("described");
        rewritten(part.path(), form);
        let below = gone.parent().expect("a folder").strip_prefix(part.path()).expect("below").to_str().expect("text");
        let outcome = add(part.path(), &[moved], below, &settings()).expect("added");
        assert!(outcome.written && outcome.read.len() == 1, "{number}: {outcome:?}");
        create(whole.path(), &settings()).expect("described");
        assert!(bytes(part.path()) == bytes(whole.path()), "{number}");
        rewritten(part.path(), form);
        remove(part.path(), &outcome.read, &settings()).expect("removed");
        fs::remove_file(whole.path().join(&outcome.read[0])).expect("removed");
        create(whole.path(), &settings()).expect("described");
        assert!(bytes(part.path()) == bytes(whole.path()), "{number}");
    }
}

/// A list with its packages the other way round.
fn reversed(text: &str) -> String {
    let (begins, rest) = text.split_at(text.find("<package ").unwrap_or(text.len()));
    let (packages, ends) = rest.split_at(rest.rfind("</package>\n").map_or(0, |at| at + "</package>\n".len()));
    let mut packages: Vec<&str> = packages.split_inclusive("</package>\n").collect();
    packages.reverse();
    format!("{begins}{}{ends}", packages.concat())
}

/// Puts the lists of a repository into another form.
fn rewritten(folder: &Path, form: &dyn Fn(&str, &str) -> String) {
    let stored = Stored::open(folder).expect("readable");
    let mut data = stored.repomd.data.clone();
    for data in &mut data {
        let path = folder.join(&data.location);
        let mut text = String::new();
        let file = std::io::BufReader::new(fs::File::open(&path).expect("a list"));
        std::io::Read::read_to_string(&mut decoder(file, Compression::Gzip, 1 << 30).expect("gzip"), &mut text)
            .expect("text");
        let mut packed = Encoder::new(Vec::new(), Compression::Gzip).expect("gzip");
        std::io::Write::write_all(&mut packed, form(&data.kind, &text).as_bytes()).expect("written");
        let packed = packed.finish().expect("written");
        data.sha256 = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect();
        data.bytes = packed.len() as u64;
        fs::remove_file(path).expect("removed");
        data.location = format!("repodata/{}-{}.xml.gz", data.sha256, data.kind);
        fs::write(folder.join(&data.location), packed).expect("written");
    }
    let repomd = Repomd { revision: stored.repomd.revision.clone(), data };
    fs::write(folder.join("repodata/repomd.xml"), packager_repodata::write::repomd(&repomd)).expect("written");
}

#[test]
fn an_update_reads_what_changed_and_writes_nothing_when_nothing_did() {
    let room = repository();
    create(room.path(), &settings()).expect("described");
    let first = bytes(room.path());
    let outcome = update(room.path(), &settings()).expect("nothing to do");
    assert!(!outcome.written && outcome.read.is_empty() && outcome.packages == 8);
    // A file that metadata knows nothing of shows that nothing was exchanged.
    fs::write(room.path().join("repodata/witness"), "").expect("written");
    update(room.path(), &settings()).expect("nothing to do");
    fs::remove_file(room.path().join("repodata/witness")).expect("it is still there");
    // One goes, one comes, one has another time.
    let bare = crate::yard::files(room.path()).pop().expect("a package");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    let copy = room.path().join("deep/copy.rpm");
    fs::copy(&bare, &copy).expect("copied");
    fs::File::options().write(true).open(&copy).expect("open").set_modified(time).expect("a time");
    let gone = crate::yard::files(&room.path().join("Packages")).pop().expect("a package");
    fs::remove_file(&gone).expect("removed");
    let outcome = update(room.path(), &settings()).expect("updated");
    assert_eq!(outcome.read, ["deep/copy.rpm"]);
    assert_eq!(outcome.removed, [gone.strip_prefix(room.path()).expect("below").to_str().expect("text")]);
    let updated = bytes(room.path());
    assert!(updated != first);
    create(room.path(), &settings()).expect("described");
    assert!(bytes(room.path()) == updated);
    fs::File::options()
        .write(true)
        .open(&copy)
        .expect("open")
        .set_modified(time + std::time::Duration::from_secs(1))
        .expect("a time");
    assert_eq!(update(room.path(), &settings()).expect("updated").read, ["deep/copy.rpm"]);
    // Where there is no metadata all is described.
    fs::remove_dir_all(room.path().join("repodata")).expect("removed");
    assert_eq!(update(room.path(), &settings()).expect("described").read.len(), 8);
}

#[test]
fn what_does_not_stay_goes_from_metadata_and_disk() {
    let (room, whole) = (repository(), repository());
    create(room.path(), &settings()).expect("described");
    let first = bytes(room.path());
    let all = |packages: &[Package]| vec![true; packages.len()];
    assert!(!retain(room.path(), Files::Delete, &settings(), all).expect("nothing to do").written);
    let some = |packages: &[Package]| packages.iter().map(|package| !package.name.starts_with("odd")).collect();
    let outcome = retain(room.path(), Files::Delete, &settings(), some).expect("pruned");
    assert!(outcome.written && !outcome.removed.is_empty(), "{outcome:?}");
    for location in &outcome.removed {
        assert!(!room.path().join(location).exists(), "{location}");
        fs::remove_file(whole.path().join(location)).expect("removed");
    }
    create(whole.path(), &settings()).expect("described");
    let pruned = bytes(room.path());
    assert!(pruned == bytes(whole.path()) && pruned != first);
    // Looked at, with nothing done.
    let seen = repository();
    create(seen.path(), &settings()).expect("described");
    let looked = retain(seen.path(), Files::Untouched, &settings(), some).expect("looked at");
    assert_eq!((looked.written, &looked.removed, looked.packages), (false, &outcome.removed, outcome.packages));
    assert!(bytes(seen.path()) == first);
    // With nothing on the disk: the files are somewhere else, and the result is the same.
    let elsewhere = repository();
    create(elsewhere.path(), &settings()).expect("described");
    without_packages(elsewhere.path());
    retain(elsewhere.path(), Files::Delete, &settings(), some).expect("pruned");
    assert!(bytes(elsewhere.path()) == pruned);
    // Or they are left.
    let left = repository();
    create(left.path(), &settings()).expect("described");
    let outcome = retain(left.path(), Files::Leave, &settings(), some).expect("pruned");
    assert!(outcome.removed.iter().all(|location| left.path().join(location).exists()));
    assert!(bytes(left.path()) == pruned);
}

#[test]
fn what_cannot_be_pruned_is_refused_or_named() {
    let none = |packages: &[Package]| vec![false; packages.len()];
    let refused = |folder: &Path| {
        let before = bytes(folder);
        let error = retain(folder, Files::Delete, &settings(), none).expect_err("refused");
        assert!(bytes(folder) == before);
        error
    };
    // A folder that leads out of the repository.
    let (room, outside) = (repository(), tempfile::tempdir().expect("temporary folder"));
    create(room.path(), &settings()).expect("described");
    let elsewhere = outside.path().join("Packages");
    fs::rename(room.path().join("Packages"), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, room.path().join("Packages")).expect("link");
    let error = refused(room.path());
    assert!(matches!(error, MetadataError::Listed(ListedError::Outside { .. })), "{error}");
    assert!(!crate::yard::files(&elsewhere).is_empty());
    // Versions of several streams.
    let room = repository();
    create(room.path(), &settings()).expect("described");
    let repomd = room.path().join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("readable");
    fs::write(&repomd, text.replace("type=\"other\"", "type=\"modules\"")).expect("written");
    let error = refused(room.path());
    assert!(matches!(error, MetadataError::Modular(_)), "{error}");
    // Something that is no file where a package should be: the others go.
    let room = repository();
    create(room.path(), &settings()).expect("described");
    let stuck = crate::yard::files(room.path()).pop().expect("a package");
    fs::remove_file(&stuck).expect("removed");
    fs::create_dir(&stuck).expect("folder");
    let error = retain(room.path(), Files::Delete, &settings(), none).expect_err("one is left");
    assert!(matches!(&error, MetadataError::Left { path, others: 0, .. } if *path == stuck), "{error}");
    assert_eq!(crate::yard::files(room.path()), [stuck]);
    assert!(crate::yard::files(&room.path().join("Packages")).is_empty());
    assert_eq!(Stored::open(room.path()).expect("readable").primary().expect("read"), []);
}

#[test]
fn other_metadata_is_kept_and_databases_are_not() {
    let room = repository();
    create(room.path(), &settings()).expect("described");
    let repodata = room.path().join("repodata");
    fs::write(repodata.join("advisories.xml"), "<updates/>").expect("written");
    let repomd = repodata.join("repomd.xml");
    let text = fs::read_to_string(&repomd).expect("readable");
    let sum = "0".repeat(64);
    let entry = |kind: &str, name: &str| {
        format!(
            "  <data type=\"{kind}\">\n    <checksum type=\"sha256\">{sum}</checksum>\n    <location href=\"repodata/{name}\"/>\n    <timestamp>1.5</timestamp>\n    <size>10</size>\n  </data>\n"
        )
    };
    let more = entry("updateinfo", "advisories.xml") + &entry("primary_db", "gone.sqlite");
    fs::write(&repomd, text.replace("</repomd>", &format!("{more}</repomd>"))).expect("written");
    remove(room.path(), &["bare".to_owned()], &settings()).expect("removed");
    let kinds = |folder: &Path| -> Vec<String> {
        Stored::open(folder).expect("readable").repomd.data.into_iter().map(|data| data.kind).collect()
    };
    assert_eq!(kinds(room.path()), ["primary", "filelists", "other", "updateinfo"]);
    assert_eq!(fs::read_to_string(repodata.join("advisories.xml")).expect("kept"), "<updates/>");
    create(room.path(), &settings()).expect("described");
    assert_eq!(kinds(room.path()), ["primary", "filelists", "other"]);
}

#[test]
fn compression_stays_as_it_was_unless_asked_for() {
    let room = repository();
    let compression = |folder: &Path| Stored::open(folder).expect("readable").compression().expect("known");
    create(room.path(), &Settings { compression: Some(Compression::Zstd), ..settings() }).expect("described");
    remove(room.path(), &["bare".to_owned()], &settings()).expect("removed");
    assert_eq!(compression(room.path()), Compression::Zstd);
    assert!(!add(room.path(), &[], "", &settings()).expect("nothing to do").written);
    assert!(
        add(room.path(), &[], "", &Settings { compression: Some(Compression::Gzip), ..settings() })
            .expect("written")
            .written
    );
    assert_eq!(compression(room.path()), Compression::Gzip);
}

#[test]
fn a_signature_is_made_or_its_loss_is_said() {
    let room = tempfile::tempdir().expect("temporary folder");
    let key = SigningKey::generate("metadata <metadata@example.invalid>").expect("a key");
    let signed = Settings { key: Some(&key), ..settings() };
    assert!(!create(room.path(), &signed).expect("described").unsigned);
    let repomd = room.path().join("repodata/repomd.xml");
    let public = key.public().expect("a public key");
    public.verify_file(&repomd, &room.path().join("repodata/repomd.xml.asc")).expect("it is signed");
    assert!(create(room.path(), &settings()).expect("described").unsigned);
    // Nothing else changed, but the signature is missing.
    assert!(update(room.path(), &signed).expect("signed").written);
    assert!(!update(room.path(), &signed).expect("nothing to do").written);
    // Another key signs anew, and a signature that is damaged is made again.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpm/tests/keys/test.secret.asc");
    let other = SigningKey::load(&path).expect("a key");
    let by_other = Settings { key: Some(&other), ..settings() };
    let signature = room.path().join("repodata/repomd.xml.asc");
    assert!(update(room.path(), &by_other).expect("signed").written);
    other.public().expect("a public key").verify_file(&repomd, &signature).expect("by the other key");
    assert!(add(room.path(), &[], "", &signed).expect("signed").written);
    public.verify_file(&repomd, &signature).expect("by the first key again");
    assert!(!add(room.path(), &[], "", &signed).expect("nothing to do").written);
    fs::write(&signature, "nonsense").expect("written");
    assert!(update(room.path(), &signed).expect("signed").written);
    // What a stop left aside comes back first.
    let aside = room.path().join(".repodata.packager-old");
    fs::rename(room.path().join("repodata"), &aside).expect("renamed");
    assert!(!update(room.path(), &signed).expect("nothing to do").written);
    assert!(!aside.exists());
}

/// What is read through the mirror list: packages with their addresses, and what else is listed.
fn through_the_list(folder: &Path) -> (Vec<Package>, Vec<String>) {
    let list = fs::read_to_string(folder.join(MIRROR_LIST)).expect("a list");
    let line = list.lines().last().expect("a line").strip_prefix("https://host.invalid/r/").expect("the address");
    let stored = Stored::open(&folder.join(line)).expect("readable");
    let mut packages = stored.primary().expect("readable");
    stored.complete(&mut packages).expect("readable");
    (packages, stored.repomd.data.into_iter().map(|data| data.kind).collect())
}

/// Where the file lies that is listed as two types.
fn twice(folder: &Path) -> String {
    let data = Stored::open(folder).expect("readable").repomd.data;
    let location = |kind: &str| data.iter().find(|data| data.kind == kind).expect("it is listed").location.clone();
    assert_eq!(location("one"), location("another"));
    location("one").strip_prefix("repodata/").expect("below it").to_owned()
}

#[test]
fn a_mirror_list_follows_every_change() {
    let room = repository();
    let at = |address: &str| Settings { mirrored: Mirrored::At(address.to_owned()), ..settings() };
    create(room.path(), &at("https://host.invalid/r/")).expect("described");
    assert!(!update(room.path(), &settings()).expect("nothing to do").written);
    assert!(!update(room.path(), &at("https://host.invalid/r")).expect("nothing to do").written);
    let fits = || {
        let mut here = Stored::open(room.path()).expect("readable").primary().expect("readable");
        Stored::open(room.path()).expect("readable").complete(&mut here).expect("readable");
        let (there, kinds) = through_the_list(room.path());
        here.iter_mut().for_each(|package| package.location.base = "https://host.invalid/r/".to_owned());
        assert!(there == here);
        // What was there before is gone.
        let inner = fs::read_dir(room.path().join("repodata")).expect("a folder");
        let inner = inner.filter(|entry| entry.as_ref().expect("an entry").path().is_dir());
        assert_eq!(inner.count(), 1);
        kinds
    };
    assert_eq!(fits(), ["primary", "filelists", "other"]);
    remove(room.path(), &["bare".to_owned()], &settings()).expect("removed");
    fits();
    let apart = tempfile::tempdir().expect("a folder");
    let group = apart.path().join("group.xml");
    fs::write(&group, "<comps><group><id>g</id><name>G</name></group></comps>").expect("written");
    attach(room.path(), "group", &group, Storing::Compressed, &settings()).expect("attached");
    assert_eq!(fits(), ["primary", "filelists", "other", "group"]);
    // One file for two types, and metadata that lies outside of `repodata/`.
    for kind in ["one", "another"] {
        attach(room.path(), kind, &group, Storing::AsItIs, &settings()).expect("attached");
    }
    assert_eq!(fits(), ["primary", "filelists", "other", "group", "one", "another"]);
    assert!(fs::read_to_string(room.path().join("repodata").join(twice(room.path()))).expect("it").contains("<comps>"));
    create(room.path(), &settings()).expect("described");
    assert_eq!(fits(), ["primary", "filelists", "other"]);
    // Metadata that is missing where the list leads is made again.
    let list = fs::read_to_string(room.path().join(MIRROR_LIST)).expect("a list");
    let folder = list.lines().last().expect("a line").strip_prefix("https://host.invalid/r/").expect("the address");
    fs::remove_dir_all(room.path().join(folder)).expect("removed");
    assert!(update(room.path(), &settings()).expect("made again").written);
    fits();
    // Another address, and none.
    assert!(update(room.path(), &at("https://other.invalid")).expect("written").written);
    assert!(
        fs::read_to_string(room.path().join(MIRROR_LIST))
            .expect("a list")
            .contains("\nhttps://other.invalid/repodata/")
    );
    let nowhere = Settings { mirrored: Mirrored::Nowhere, ..settings() };
    assert!(update(room.path(), &nowhere).expect("written").written);
    assert!(!room.path().join(MIRROR_LIST).exists());
    assert!(!update(room.path(), &settings()).expect("nothing to do").written);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_everything_as_it_was() {
    let room = repository();
    assert!(matches!(add(room.path(), &[], "", &settings()), Err(MetadataError::None(_))));
    create(room.path(), &settings()).expect("described");
    let before = bytes(room.path());
    let failed = remove(room.path(), &["bare-9".to_owned()], &settings()).expect_err("unknown").to_string();
    assert!(failed.contains("hint: there is bare-1.2-1.x86_64"), "{failed}");
    let package = fs::read(packages().join("bare-1.2-1.x86_64.rpm")).expect("readable");
    for (content, why) in [(&b"no package"[..], "not an RPM package"), (&package[..200], "ends inside its header")] {
        let damaged = room.path().join("Packages/aaa.rpm");
        fs::write(&damaged, content).expect("written");
        for failed in [create(room.path(), &settings()), update(room.path(), &settings())] {
            let failed = failed.expect_err("it is damaged");
            assert!(failed.to_string().contains("Packages/aaa.rpm`\nhint:"), "{failed}");
            assert!(std::error::Error::source(&failed).expect("a reason").to_string().contains(why), "{failed:?}");
        }
        fs::remove_file(damaged).expect("removed");
    }
    assert!(bytes(room.path()) == before);
    let left = fs::read_dir(room.path()).expect("readable").map(|entry| entry.expect("entry").file_name());
    let hidden: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
    // Metadata that was tampered with.
    let (name, mut bytes) = before.iter().find(|(name, _)| name.contains("-filelists")).expect("a list").clone();
    bytes[20] ^= 1;
    fs::write(room.path().join("repodata").join(&name), bytes).expect("written");
    assert!(
        matches!(remove(room.path(), &["bare".to_owned()], &settings()), Err(MetadataError::Listed(ListedError::Differs { file, .. })) if file.ends_with(&name))
    );
}

#[test]
fn metadata_that_leads_out_of_the_repository_is_refused() {
    let room = repository();
    create(room.path(), &settings()).expect("described");
    let repomd = room.path().join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).expect("readable");
    fs::write(&repomd, text.replace("href=\"repodata/", "href=\"../repodata/")).expect("written");
    assert!(matches!(update(room.path(), &settings()), Err(MetadataError::Listed(ListedError::Outside { .. }))));
    // A package elsewhere is not signed into anything, and nothing but a package is removed.
    let outside =
        |done: Result<_, MetadataError>| matches!(done, Err(MetadataError::Listed(ListedError::Outside { .. })));
    let room = repository();
    create(room.path(), &settings()).expect("described");
    let led = |to: &str| {
        rewritten(room.path(), &|kind, text| match (kind, text.find("<location href=\"")) {
            ("primary", Some(at)) => {
                let begin = at + "<location href=\"".len();
                let end = begin + text[begin..].find('"').expect("its end");
                format!("{}{to}{}", &text[..begin], &text[end..])
            }
            _ => text.to_owned(),
        });
    };
    led("../victim.rpm");
    let package = crate::yard::files(packages()).pop().expect("a package");
    assert!(outside(add(room.path(), std::slice::from_ref(&package), "", &settings())));
    led("repodata/repomd.xml");
    assert!(outside(retain(room.path(), Files::Delete, &settings(), |all| vec![false; all.len()])));
    assert!(room.path().join("repodata/repomd.xml").exists());
    for prefix in ["../x", "/abs", "a/../b", "repodata"] {
        let refused = add(room.path(), std::slice::from_ref(&package), prefix, &settings());
        assert!(matches!(refused, Err(MetadataError::Prefix(_))), "{prefix}: {refused:?}");
    }
}
