//! Small repositories of different contents, and a reader that takes one thing at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use packager_repo::destination::{self, Done, Options, PublishError};
use packager_repo::mirror_list::{MIRROR_LIST, Mirrored};
use packager_repo::operations::{self, Settings};
use packager_repo::stored::Stored;
use packager_rpm::{SigningKey, VerifyingKey};
use rpm::{BuildConfig, CompressionType, PackageBuilder};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::memory::{Files, Memory};

pub(crate) const REPOMD: &str = "repodata/repomd.xml";
pub(crate) const SIGNATURE: &str = "repodata/repomd.xml.asc";
/// Where mirrored repositories are served.
pub(crate) const ADDRESS: &str = "https://host.invalid/repodata/x";
pub(crate) const RECORD: &str = ".packager-publication.json";

pub(crate) fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        SigningKey::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpm/tests/keys/test.secret.asc"))
            .expect("a key")
    })
}

pub(crate) fn public() -> &'static VerifyingKey {
    static KEY: OnceLock<VerifyingKey> = OnceLock::new();
    KEY.get_or_init(|| key().public().expect("its public half"))
}

/// A package; another summary makes other bytes under the same name.
pub(crate) fn package(folder: &Path, name: &str, version: &str, summary: &str) {
    let mut builder = PackageBuilder::new(name, version, "MIT", "noarch", summary);
    builder.using_config(BuildConfig::v4().source_date(1_790_000_000_u32).compression(CompressionType::None));
    fs::create_dir_all(folder).expect("a folder");
    builder.build().expect("a package").write_to(folder).expect("written");
}

/// A signed repository with these packages, and a page that says so.
pub(crate) fn repository(packages: &[(&str, &str)]) -> TempDir {
    let room = tempfile::tempdir().expect("a folder");
    for (name, version) in packages {
        package(&room.path().join("Packages"), name, version, "made for a test");
    }
    fs::write(room.path().join("page.html"), format!("{packages:?}")).expect("written");
    fs::write(room.path().join(".hidden"), "not published").expect("written");
    describe(room.path());
    room
}

pub(crate) fn describe(folder: &Path) {
    operations::create(folder, &settings()).expect("described");
}

pub(crate) fn settings() -> Settings<'static> {
    Settings { workers: 2.try_into().expect("not zero"), key: Some(key()), ..Settings::default() }
}

/// As [`repository`], with a mirror list.
pub(crate) fn mirrored(packages: &[(&str, &str)]) -> TempDir {
    let room = repository(packages);
    mirror(room.path(), ADDRESS);
    room
}

/// Makes the mirror list of a repository.
pub(crate) fn mirror(folder: &Path, address: &str) {
    let settings = Settings { mirrored: Mirrored::At(address.to_owned()), ..settings() };
    assert!(operations::update(folder, &settings).expect("described").written);
}

pub(crate) fn options(keep: usize) -> Options {
    Options { keep, replace: false, allow_unsigned: false, dry_run: false, patience: Duration::ZERO }
}

pub(crate) fn publish(folder: &TempDir, place: &Memory, keep: usize) -> Result<Done, PublishError> {
    destination::publish(folder.path(), place, &options(keep), &mut |_, _| {})
}

/// What a folder has to publish, by name.
pub(crate) fn published(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below").to_str().expect("text").to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') {
                files.insert(name, fs::read(path).expect("readable"));
            }
        }
    }
    files
}

/// Takes the mirror list from the first state, and everything else from the last one. Returns the locations of the packages it got.
pub(crate) fn read_mirrored(first: &Files, last: &Files) -> Result<Vec<String>, String> {
    let list = first.get(MIRROR_LIST).ok_or("no mirror list")?;
    let list = std::str::from_utf8(list).map_err(|error| error.to_string())?;
    let lines: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let [line] = lines[..] else { return Err(format!("{lines:?}")) };
    let (address, folder) = line.split_at(line.rfind("repodata/").ok_or("no folder")?);
    let below = |(name, bytes): (&String, &Vec<u8>)| Some((name.strip_prefix(folder)?.to_owned(), bytes.clone()));
    let mut there: Files = last.iter().filter_map(below).collect();
    // Packages are named by address, and lie where they always lie.
    there.extend(last.iter().filter(|(name, _)| name.starts_with("Packages/")).map(|(n, b)| (n.clone(), b.clone())));
    let locations = read(&there, &there)?;
    let room = tempfile::tempdir().expect("a folder");
    for (name, bytes) in there.iter().filter(|(name, _)| name.starts_with("repodata/")) {
        let path = room.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    let packages = Stored::open(room.path()).and_then(|stored| stored.primary()).map_err(|error| error.to_string())?;
    match packages.iter().all(|package| package.location.base == address) {
        true => Ok(locations),
        false => Err("a package without its address".to_owned()),
    }
}

/// Takes `repomd.xml` and its signature from the first state, and everything else from the last one: as a reader that is slower than a
/// publication. Returns the locations of the packages it got.
pub(crate) fn read(first: &Files, last: &Files) -> Result<Vec<String>, String> {
    let room = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = room.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    };
    let get = |name: &str| last.get(name).ok_or_else(|| format!("{name} is missing"));
    write(REPOMD, first.get(REPOMD).ok_or("no repomd.xml")?);
    write(SIGNATURE, first.get(SIGNATURE).ok_or("no signature")?);
    let verified = public().verify_file(&room.path().join(REPOMD), &room.path().join(SIGNATURE));
    verified.map_err(|error| error.to_string())?;
    let stored = Stored::open(room.path()).map_err(|error| error.to_string())?;
    for data in &stored.repomd.data {
        write(&data.location, get(&data.location)?);
    }
    let mut packages = stored.primary().map_err(|error| error.to_string())?;
    stored.complete(&mut packages).map_err(|error| error.to_string())?;
    for package in &packages {
        let sum: String =
            Sha256::digest(get(&package.location.href)?).iter().map(|byte| format!("{byte:02x}")).collect();
        if sum != package.sha256 {
            return Err(format!("{} has another checksum", package.location.href));
        }
    }
    Ok(packages.into_iter().map(|package| package.location.href).collect())
}

/// The files of a place but its record, and the signatures in it by their number.
pub(crate) fn without_record(files: &Files) -> BTreeMap<String, Vec<u8>> {
    let kept = |(name, _): &(&String, &Vec<u8>)| *name != RECORD;
    files.iter().filter(kept).map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
}
