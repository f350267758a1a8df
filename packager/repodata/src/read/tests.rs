//! What is written is read again; what is damaged is refused with the reason.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Place, ReadError, filelists, places, primary, repomd, whole};
use crate::Package;
use crate::model::{
    Change, Comparison, Constraint, Data, Dependency, Evr, File, FileKind, Location, Repomd, Size, Time, Weak,
};
use crate::text::clean;
use crate::write::{self, Format};

/// Text of any characters that XML can carry, with many of those that need care.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9/<>&\"' \t\n\ré\u{ff21}\u{1f600}-]{0,12}",
        ".{0,8}",
        vec(any::<u8>(), 0..12).prop_map(|bytes| clean(&bytes)),
    ]
    .prop_map(|text| clean(text.as_bytes()))
}

pub(super) fn filled() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let comparison = prop::sample::select(Comparison::NAMES.map(|(comparison, _)| comparison).to_vec());
    (comparison, text(), text(), text()).prop_map(|(comparison, epoch, version, release)| Constraint {
        comparison,
        epoch,
        version,
        release,
    })
}

fn dependencies() -> impl Strategy<Value = Vec<Dependency>> {
    let one = (filled(), prop::option::of(constraint()), any::<bool>());
    vec(one.prop_map(|(name, constraint, pre)| Dependency { name, constraint, pre }), 0..3)
}

fn file() -> impl Strategy<Value = File> {
    let kind = prop::sample::select(vec![FileKind::File, FileKind::Folder, FileKind::Ghost]);
    (prop_oneof![text(), text().prop_map(|text| format!("/etc/{text}"))], kind)
        .prop_map(|(path, kind)| File { path, kind })
}

fn change() -> impl Strategy<Value = Change> {
    (text(), any::<i64>(), text()).prop_map(|(author, time, text)| Change { author, time, text })
}

prop_compose! {
    fn package()(
        (name, arch, version, release) in (filled(), filled(), text(), text()),
        epoch in any::<u32>(),
        sha256 in "[0-9a-f]{64}",
        (summary, description, packager, url, license) in (text(), text(), text(), text(), text()),
        (vendor, group, build_host, source_rpm, href, base) in (text(), text(), text(), text(), filled(), text()),
        numbers in any::<(i64, i64, u64, u64, u64, u64, u64)>(),
        (provides, requires, conflicts, obsoletes) in (dependencies(), dependencies(), dependencies(), dependencies()),
        (recommends, suggests, supplements, enhances) in (dependencies(), dependencies(), dependencies(), dependencies()),
        files in vec(file(), 0..4),
        changes in vec(change(), 0..3),
    ) -> Package {
        let (file, build, package, installed, archive, start, end) = numbers;
        Package {
            name, arch, sha256, summary, description, packager, url, license, vendor, group, build_host, source_rpm,
            evr: Evr { epoch, version, release },
            time: Time { file, build },
            size: Size { package, installed, archive },
            location: Location { href, base },
            header: (start, end),
            provides, requires, conflicts, obsoletes,
            weak: Weak { recommends, suggests, supplements, enhances },
            files, changes,
        }
    }
}

fn texts(packages: &[Package]) -> [String; 3] {
    Format::ALL.map(|format| format.text(packages.iter()))
}

fn read_whole(texts: &[String; 3]) -> Result<Vec<Package>, ReadError> {
    let [primary, filelists, other] = texts;
    whole(primary.as_bytes(), filelists.as_bytes(), other.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn packages_go_to_xml_and_back(packages in vec(package(), 0..4)) {
        let texts = texts(&packages);
        let read = read_whole(&texts).expect("what is written is read");
        prop_assert_eq!(&read, &packages);
        let seen: Vec<_> = places(texts[0].as_bytes()).expect("read");
        let wanted = packages.iter().map(|package| Place {
            location: package.location.clone(),
            bytes: package.size.package,
            time: package.time.file,
        });
        prop_assert_eq!(seen, wanted.collect::<Vec<_>>());
        // The primary metadata alone has the primary files and no changes.
        let mut alone = Vec::new();
        primary(texts[0].as_bytes(), |package| { alone.push(package); Ok(()) }).expect("read");
        for (alone, mut package) in alone.into_iter().zip(packages) {
            package.files.retain(File::is_primary);
            package.changes.clear();
            prop_assert_eq!(alone, package);
        }
    }

    #[test]
    fn repomd_goes_to_xml_and_back(
        revision in text(),
        parts in vec((filled(), filled(), "[0-9a-f]{64}", any::<(u64, i64)>(), prop::option::of(("[0-9a-f]{64}", any::<u64>()))), 0..4),
    ) {
        let data = parts.into_iter().map(|(kind, location, sha256, (bytes, timestamp), open)| {
            let (open_sha256, open_bytes) = open.map_or((String::new(), None), |(sum, bytes)| (sum, Some(bytes)));
            Data { kind, location, sha256, bytes, open_sha256, open_bytes, timestamp }
        });
        let value = Repomd { revision, data: data.collect() };
        prop_assert_eq!(repomd(write::repomd(&value).as_bytes()).expect("read"), value);
    }

    /// No cut and no changed byte makes a panic; a cut is always seen.
    #[test]
    fn damage_is_an_error_or_another_value(package in package(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut texts = texts(&[package]);
        let position = at.index(texts[0].len());
        let mut bytes = texts[0].clone().into_bytes();
        primary(&bytes[..position], |_| Ok(())).expect_err("a cut is seen");
        bytes[position] = byte;
        let _either = primary(&bytes[..], |_| Ok(()));
        texts[1].truncate(texts[1].len() - 1);
        prop_assert!(read_whole(&texts).is_err());
    }
}

fn small() -> Package {
    let location = Location { href: "a.rpm".to_owned(), base: String::new() };
    Package { name: "a".to_owned(), arch: "noarch".to_owned(), sha256: "0".repeat(64), location, ..Package::default() }
}

#[test]
fn the_three_files_must_belong_together() {
    let one = texts(&[small()]);
    let none = texts(&[]);
    assert_eq!(read_whole(&one).expect("read"), [small()]);
    for place in 0..3 {
        let mut mixed = one.clone();
        mixed[place].clone_from(&none[place]);
        assert!(matches!(read_whole(&mixed), Err(ReadError::Apart(_))), "{place}");
    }
    // The same file at two places is the same package twice.
    let twice = [small(), small()];
    assert_eq!(read_whole(&texts(&twice)).expect("read"), twice);
}

#[test]
fn what_is_wrong_is_said() {
    let text = Format::Primary.text([small()].iter());
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        primary(text.replace(from, to).as_bytes(), |_| Ok(())).expect_err("it is refused")
    };
    assert!(matches!(with("packages=\"1\"", "packages=\"2\""), ReadError::Count { seen: 1, claimed: 2 }));
    assert!(matches!(with("type=\"sha256\"", "type=\"sha\""), ReadError::Hash(kind) if kind == "sha"));
    assert!(matches!(with(&"0".repeat(64), "00"), ReadError::Hash(_)));
    assert!(matches!(with("<name>a</name>", "<name/>"), ReadError::Missing("name")));
    assert!(matches!(with("href=\"a.rpm\"", ""), ReadError::Missing("location")));
    assert!(matches!(with("epoch=\"0\"", "epoch=\"-1\""), ReadError::Number { what: "epoch", .. }));
    assert!(matches!(with("<summary>", "<summary>&own;"), ReadError::Entity(name) if name == "own"));
    assert!(matches!(with("</metadata>", ""), ReadError::Truncated));
    assert!(matches!(with("</summary>", &"<a>".repeat(40)), ReadError::Depth));
    assert!(matches!(with("<metadata", "<metadat"), ReadError::Kind("primary")));
    assert!(matches!(primary(&b""[..], |_| Ok(())), Err(ReadError::Truncated)));
    assert!(matches!(filelists(text.as_bytes(), |_, _| Ok(())), Err(ReadError::Kind("filelists"))));
}

/// Golden bytes: what every released version must write and read.
#[test]
fn an_empty_repository_is_three_short_files() {
    let [primary, filelists, other] = texts(&[]);
    assert_eq!(
        primary,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"0\">\n</metadata>"
    );
    assert_eq!(
        filelists,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" \
         packages=\"0\">\n</filelists>"
    );
    assert_eq!(
        other,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<otherdata xmlns=\"http://linux.duke.edu/metadata/other\" \
         packages=\"0\">\n</otherdata>"
    );
}
