//! Damaged packages and metadata, twenty thousand of each and the same ones every time: whatever they hold, they are read or refused, and cost no
//! more memory than is stated. `scripts/fuzz` looks for worse ones.

#![allow(clippy::disallowed_methods)] // a suite: it makes files

mod damage;

use std::fs;
use std::io::Read as _;
use std::sync::Mutex;

use packager_repo::operations::{self, Settings};
use packager_repodata::advisory::{Advisory, Collection, Fixed, Reference};
use packager_repodata::compression::decoder;
use packager_repodata::comps::{Comps, Environment, Group, Member, When};
use packager_repodata::header::Headers;
use packager_repodata::model::Evr;
use packager_repodata::package::{Outside, describe};
use packager_repodata::{Compression, read, write};
use peak_alloc::PeakAlloc;
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

use damage::Damage;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One at a time: memory is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Inputs per kind.
const INPUTS: u64 = 20_000;

/// What reading one of these inputs, of a few kilobytes each, may cost: a decompressor's window and dictionary, which a damaged file can ask for, and as much
/// again for all the rest.
const BYTES_MAX: usize = 256 << 20;

/// Metadata that decompresses without end stops here.
const DECOMPRESSED_MAX: u64 = 32 << 20;

/// Runs it for every damaged form of the originals.
fn each(originals: &[Vec<u8>], mut look: impl FnMut(&[u8]) -> bool) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut read = 0;
    for number in 0..INPUTS {
        let mut damage = Damage::new(number);
        let original = &originals[usize::try_from(number).expect("small") % originals.len()];
        let input = damage.done_to(original, originals);
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        read += u64::from(look(&input));
        let cost = MEMORY.peak_usage().saturating_sub(before);
        assert!(cost < BYTES_MAX, "input {number} costs {cost} bytes");
    }
    // Damage that nothing notices, or that everything notices at its first byte, would prove little.
    assert!(read > 0 && read < INPUTS, "{read} of {INPUTS} were read");
}

/// Packages with all that a header may have.
fn packages() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for config in [BuildConfig::v4(), BuildConfig::v6()] {
        let mut builder = PackageBuilder::new("damaged", "1.2~rc1", "MIT", "x86_64", "many kinds of entries");
        builder.using_config(config.source_date(1_790_000_000_u32).compression(CompressionType::None));
        builder.epoch(3).release("4.el9").description("a\nb\n").vendor("V").url("https://example.invalid");
        builder.requires(Dependency::greater_eq("needed", "4:1.0-2")).requires(Dependency::any("(x if y else z)"));
        builder.provides(Dependency::eq("virtual", "1")).recommends(Dependency::less("weak", "2"));
        builder.conflicts(Dependency::greater("other", "1")).obsoletes(Dependency::less_eq("old", "0"));
        for number in 0..20 {
            let path = format!("/usr/share/damaged/{}/file-{number}", number % 3);
            builder.with_file_contents("x", FileOptions::new(path)).expect("a file");
        }
        builder.with_ghost(FileOptions::ghost("/run/damaged.pid")).expect("a ghost");
        builder.add_changelog_entry("A B <a@example.invalid> - 1", "- one", 1_780_000_000_u32);
        let mut bytes = Vec::new();
        builder.build().expect("a package").write(&mut bytes).expect("written");
        all.push(bytes);
    }
    all
}

/// The four kinds of metadata of a repository with these packages, as they are, compressed.
fn metadata(compression: Compression) -> Vec<(String, Vec<u8>)> {
    let room = tempfile::tempdir().expect("a folder");
    for (number, package) in packages().into_iter().enumerate() {
        fs::write(room.path().join(format!("{number}.rpm")), package).expect("written");
    }
    let settings = Settings { compression: Some(compression), ..Settings::default() };
    operations::create(room.path(), &settings).expect("described");
    let entries = fs::read_dir(room.path().join("repodata")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.display().to_string(), fs::read(path).expect("readable"))).collect()
}

fn plain(name: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let compression = Compression::of(name).expect("a known kind");
    let mut text = Vec::new();
    decoder(bytes, compression, DECOMPRESSED_MAX)?.read_to_end(&mut text)?;
    Ok(text)
}

#[test]
fn headers_are_read_or_refused() {
    each(&packages(), |input| {
        let Ok(headers) = Headers::read(&mut &input[..]) else { return false };
        let (sha256, href) = ("0".repeat(64), "x.rpm".to_owned());
        let bytes = input.len() as u64;
        headers.main.sound().and_then(|()| describe(&headers, Outside { sha256, bytes, time: 0, href })).is_ok()
    });
}

#[test]
fn metadata_is_read_or_refused() {
    let files = metadata(Compression::Gzip);
    let text = |kind: &str| -> Vec<u8> {
        let (name, bytes) = files.iter().find(|(name, _)| name.contains(kind)).expect("a list");
        plain(name, bytes).expect("whole")
    };
    each(&[text("repomd.xml")], |input| read::repomd(input).is_ok());
    each(&[text("-primary.xml")], |input| {
        let places = read::places(input).is_ok();
        let packages = read::primary(input, |_| Ok(())).is_ok();
        assert!(places || !packages, "what can be read whole can be read in part");
        packages
    });
    each(&[text("-filelists.xml")], |input| read::filelists(input, |_, _| Ok(())).is_ok());
    each(&[text("-other.xml")], |input| read::other(input, |_, _| Ok(())).is_ok());
}

/// What dnf is given to parse, too, when a user attaches it.
#[test]
fn groups_and_advisories_are_read_or_refused() {
    let member = Member { name: "damaged".to_owned(), when: When::Conditional("other".to_owned()) };
    let [id, name] = ["damaged", "Damaged & more"].map(str::to_owned);
    let group = Group { id, name, members: vec![member], ..Group::default() };
    let environment =
        Environment { id: "host".to_owned(), groups: vec!["damaged".to_owned()], ..Environment::default() };
    let groups = write::comps(&Comps { groups: vec![group], environments: vec![environment] });
    each(&[groups.into_bytes()], |input| read::well_formed(input).is_ok() && read::comps(input).is_ok());
    let evr = Evr { epoch: 3, version: "1.2~rc1".to_owned(), release: "4.el9".to_owned() };
    let [name, arch] = ["damaged", "x86_64"].map(str::to_owned);
    let package = Fixed { name, arch, evr, sha256: "0".repeat(64), ..Fixed::default() };
    let collections = vec![Collection { packages: vec![package], ..Collection::default() }];
    let references = vec![Reference { id: "CVE-2026-1234".to_owned(), ..Reference::default() }];
    let advisory = Advisory { id: "A-1".to_owned(), references, collections, ..Advisory::default() };
    let advisories = write::updateinfo(&[advisory]);
    each(&[advisories.into_bytes()], |input| read::well_formed(input).is_ok() && read::updateinfo(input).is_ok());
}

#[test]
fn compressed_files_are_read_or_refused() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let files = metadata(compression);
        let (name, bytes) = files.iter().find(|(name, _)| name.contains("-primary.xml")).expect("a list");
        each(std::slice::from_ref(bytes), |input| plain(name, input).is_ok());
    }
}
