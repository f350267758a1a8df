//! Packages of every kind, and what other programs say about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use packager_repo::Settings;
use packager_repodata::Compression;
use packager_repodata::compression::decoder;
use packager_repodata::write::Format;
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};
use tempfile::TempDir;

/// Files of the package with many.
const MANY: usize = 20_000;

/// Packages that other tests link to. Removed by the system like all temporary files.
pub(crate) fn packages() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("temporary folder");
            by_rpmbuild(folder.path());
            by_builder(folder.path());
            folder
        })
        .path()
}

/// A repository with all packages, in folders below it.
pub(crate) fn repository() -> TempDir {
    let room = tempfile::tempdir().expect("temporary folder");
    for (number, package) in files(packages()).into_iter().enumerate() {
        let folder = room.path().join(["", "Packages", "deep/er"][number % 3]);
        fs::create_dir_all(&folder).expect("folder");
        fs::hard_link(&package, folder.join(package.file_name().expect("name"))).expect("link");
    }
    room
}

/// Package files right below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("entry").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "rpm")).collect();
    files.sort();
    files
}

fn by_rpmbuild(to: &Path) {
    let room = tempfile::tempdir().expect("temporary folder");
    let latin = room.path().join("latin.spec");
    fs::write(
        &latin,
        b"Name: latin\nVersion: 1\nRelease: 1\nLicense: MIT\nBuildArch: noarch\nSummary: caf\xe9 in Latin-1\n%description\n\
          d\xe9j\xe0 vu\rback\n\nend\n%files\n%changelog\n* Wed Jan 02 2019 J\xf6rg <j@example.invalid> - 2\n- \xe4rger\n\
          * Tue Jan 02 2018 J\xc3\xb6rg <j@example.invalid> - 1\n- UTF-8 \xc3\xa4\n",
    )
    .expect("spec");
    let odd = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata/odd.spec");
    for spec in [&latin, &odd] {
        run(Command::new("rpmbuild")
            .args(["-ba", "--quiet", "--nodeps", "--define=_invalid_encoding_terminates_build 0"])
            .arg(format!("--define=_topdir {}", room.path().display()))
            .arg(spec));
    }
    for folder in ["SRPMS", "RPMS/noarch"] {
        for file in files(&room.path().join(folder)) {
            fs::copy(&file, to.join(file.file_name().expect("name"))).expect("copied");
        }
    }
}

fn by_builder(to: &Path) {
    let builder = |name: &str, config: BuildConfig| {
        let mut builder = PackageBuilder::new(name, "1.2", "MIT", "x86_64", "made by the builder");
        builder.using_config(config.source_date(1_790_000_000_u32).compression(CompressionType::None));
        builder
    };
    let mut many = builder("many", BuildConfig::v4());
    for number in 0..MANY {
        let path = format!("/usr/share/many/{}/file-{number}", number % 97);
        many.with_file_contents(Vec::new(), FileOptions::new(path)).expect("a file");
    }
    let mut other = builder("other", BuildConfig::v6());
    other.epoch(7).release("3.el9").description("a\nb\u{1f600}\n").vendor("V").url("https://example.invalid");
    other.requires(Dependency::script_pre("before")).requires(Dependency::greater_eq("needed", "4:1.0-2"));
    other.requires(Dependency::any("(x if y else z)")).recommends(Dependency::less("weak", "2"));
    other.conflicts(Dependency::greater("conflicting", "1")).obsoletes(Dependency::less_eq("old", "0"));
    other.supplements(Dependency::any("s")).enhances(Dependency::any("e")).suggests(Dependency::eq("g", "1"));
    other.with_file_contents("x", FileOptions::new("/usr/sbin/other")).expect("a file");
    other.with_ghost(FileOptions::ghost("/run/other.pid")).expect("a ghost");
    other.with_ghost(FileOptions::ghost_dir("/etc/other.d")).expect("a ghost");
    other.with_dir_entry(FileOptions::dir("/var/lib/other")).expect("a folder");
    other.add_changelog_entry("A B <a@example.invalid> - 1.2-3 ", "- \u{1f600} <&>", 1_780_000_000_u32);
    let mut bare = builder("bare", BuildConfig::v4());
    for package in [&mut many, &mut other, &mut bare] {
        let package = package.build().expect("a package");
        package.write_to(to).expect("written");
    }
}

/// Settings that the two workers of a test machine do well with.
pub(crate) fn settings() -> Settings<'static> {
    Settings { workers: 2.try_into().expect("not zero"), ..Settings::default() }
}

/// The three lists of a repository, decompressed.
pub(crate) fn texts(folder: &Path) -> [String; 3] {
    let repodata = folder.join("repodata");
    let names: Vec<String> = fs::read_dir(&repodata)
        .expect("metadata")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    Format::ALL.map(|format| {
        let middle = format!("-{}.xml", format.name());
        let mut of_format = names.iter().filter(|name| name.contains(&middle));
        let (name, none) = (of_format.next().expect("a list"), of_format.next());
        assert_eq!(none, None, "one list of a kind");
        let bytes = fs::read(repodata.join(name)).expect("readable");
        let compression = Compression::of(name).expect("known");
        let text = decoder(&bytes[..], compression, 1 << 30).expect("decoder");
        std::io::read_to_string(text).expect("UTF-8")
    })
}

/// All metadata files with their bytes.
pub(crate) fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder.join("repodata")).expect("metadata").map(|entry| entry.expect("entry").path());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|path| {
            (path.file_name().expect("name").to_string_lossy().into_owned(), fs::read(&path).expect("readable"))
        })
        .collect();
    files.sort();
    files
}

/// What `createrepo_c` says about a folder: the three lists and `repomd.xml`, in a folder of its own.
pub(crate) fn reference(folder: &Path) -> TempDir {
    let room = tempfile::tempdir().expect("temporary folder");
    run(Command::new("createrepo_c")
        .args(["--quiet", "--no-database", "--compress-type=gz", "--general-compress-type=gz", "--checksum=sha256"])
        .args(["--set-timestamp-to-revision", "--revision=5", "--outputdir"])
        .arg(room.path())
        .arg(folder));
    room
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it runs");
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
    output
}
