//! From the headers of a package to what metadata says about it: which tags, which dependencies are left out, which changes are kept.
//!
//! The rules are createrepo_c's, because dnf's answers hang on them. They were taken from its documentation, its source's behaviour
//! and its output; the test suite compares byte for byte.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::header::{Header, HeaderError, Headers};
use crate::model::{
    Change, Comparison, Constraint, Dependency, Evr, File, FileKind, Location, Package, Size, Time, Weak, is_primary,
};
use crate::text::clean;

/// Entries of a changelog that are kept: createrepo_c's default.
pub const CHANGES_MAX: usize = 10;

/// Latest time that still has room for as many changes: times move on when they meet.
const TIME_MAX: i64 = i64::MAX - CHANGES_MAX as i64;

/// What the lists of one package may take in memory: a hundred times the largest known. A header can name one long folder for
/// each of millions of files, so its own size is no bound.
pub const EXPANDED_BYTES_MAX: usize = 1 << 30;

/// What an entry of a list takes beside its text.
const ENTRY_BYTES: usize = 96;

/// Tags, as rpm numbers them.
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const SUMMARY: u32 = 1004;
    pub(super) const DESCRIPTION: u32 = 1005;
    pub(super) const BUILDTIME: u32 = 1006;
    pub(super) const BUILDHOST: u32 = 1007;
    pub(super) const SIZE: u32 = 1009;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const PACKAGER: u32 = 1015;
    pub(super) const GROUP: u32 = 1016;
    pub(super) const URL: u32 = 1020;
    pub(super) const ARCH: u32 = 1022;
    pub(super) const OLDFILENAMES: u32 = 1027;
    pub(super) const FILEMODES: u32 = 1030;
    pub(super) const FILEFLAGS: u32 = 1037;
    pub(super) const SOURCERPM: u32 = 1044;
    pub(super) const ARCHIVESIZE: u32 = 1046;
    pub(super) const CHANGELOGTIME: u32 = 1080;
    pub(super) const CHANGELOGNAME: u32 = 1081;
    pub(super) const CHANGELOGTEXT: u32 = 1082;
    pub(super) const SOURCEPACKAGE: u32 = 1106;
    pub(super) const DIRINDEXES: u32 = 1116;
    pub(super) const BASENAMES: u32 = 1117;
    pub(super) const DIRNAMES: u32 = 1118;
    pub(super) const LONGSIZE: u32 = 5009;
    /// In the signature header.
    pub(super) const LONGARCHIVESIZE: u32 = 271;
    /// In the signature header.
    pub(super) const PAYLOADSIZE: u32 = 1007;
    /// Name, flags, version.
    pub(super) const PROVIDES: [u32; 3] = [1047, 1112, 1113];
    pub(super) const REQUIRES: [u32; 3] = [1049, 1048, 1050];
    pub(super) const CONFLICTS: [u32; 3] = [1054, 1053, 1055];
    pub(super) const OBSOLETES: [u32; 3] = [1090, 1114, 1115];
    pub(super) const RECOMMENDS: [u32; 3] = [5046, 5048, 5047];
    pub(super) const SUGGESTS: [u32; 3] = [5049, 5051, 5050];
    pub(super) const SUPPLEMENTS: [u32; 3] = [5052, 5054, 5053];
    pub(super) const ENHANCES: [u32; 3] = [5055, 5057, 5056];
    /// Weak dependencies before rpm 4.12, weak and strong in one list.
    pub(super) const OLD_SUGGESTS: [u32; 3] = [1156, 1158, 1157];
    pub(super) const OLD_ENHANCES: [u32; 3] = [1159, 1161, 1160];
}

/// Flags of dependencies.
mod sense {
    pub(super) const LESS: u64 = 2;
    pub(super) const GREATER: u64 = 4;
    pub(super) const EQUAL: u64 = 8;
    /// `PREREQ`, `SCRIPT_PRE`, `SCRIPT_POST`.
    pub(super) const PRE: u64 = 1 << 6 | 1 << 9 | 1 << 10;
    pub(super) const STRONG: u64 = 1 << 27;
}

const MODE_KIND: u64 = 0o170_000;
const MODE_FOLDER: u64 = 0o040_000;
const FILE_GHOST: u64 = 1 << 6;

/// What the header of a package does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its modification time.
    pub time: i64,
    /// Relative to the repository.
    pub href: String,
}

/// What metadata says about a package.
pub fn describe(headers: &Headers, outside: Outside) -> Result<Package, HeaderError> {
    let main = &headers.main;
    let text = |tag| Ok(main.text(tag)?.map(clean).unwrap_or_default());
    // An empty one, or one of which XML can carry nothing, is none: no reader takes it.
    let needed = |tag, what| {
        let text = main.text(tag)?.map(clean).filter(|text| !text.is_empty());
        text.ok_or(HeaderError::Missing(what))
    };
    let number = |tag| Ok::<_, HeaderError>(main.number(tag)?.unwrap_or_default());
    let mut budget = Budget { left: EXPANDED_BYTES_MAX };
    let files = files(main, &mut budget)?;
    let mut list = |tags| dependencies(main, tags, &mut budget);
    let provides = list(tag::PROVIDES)?;
    let requires = requires(list(tag::REQUIRES)?, &provides, &files);
    let (conflicts, obsoletes) = (list(tag::CONFLICTS)?, list(tag::OBSOLETES)?);
    let mut weak = [list(tag::RECOMMENDS)?, list(tag::SUGGESTS)?, list(tag::SUPPLEMENTS)?, list(tag::ENHANCES)?];
    for (tags, strong, other) in [(tag::OLD_SUGGESTS, 0, 1), (tag::OLD_ENHANCES, 2, 3)] {
        for raw in list(tags)? {
            weak[if raw.flags & sense::STRONG == 0 { other } else { strong }].push(raw);
        }
    }
    let [recommends, suggests, supplements, enhances] = weak.map(finished);
    Ok(Package {
        name: needed(tag::NAME, "name")?,
        arch: if is_source(main)? { "src".to_owned() } else { needed(tag::ARCH, "architecture")? },
        evr: Evr {
            epoch: u32::try_from(number(tag::EPOCH)?)
                .map_err(|_| HeaderError::Tag { tag: tag::EPOCH, what: "it is too large" })?,
            version: needed(tag::VERSION, "version")?,
            release: needed(tag::RELEASE, "release")?,
        },
        sha256: outside.sha256,
        summary: text(tag::SUMMARY)?,
        description: text(tag::DESCRIPTION)?,
        packager: text(tag::PACKAGER)?,
        url: text(tag::URL)?,
        time: Time { file: outside.time, build: i64::try_from(number(tag::BUILDTIME)?).unwrap_or(i64::MAX) },
        size: Size {
            package: outside.bytes,
            installed: if main.has(tag::LONGSIZE) { number(tag::LONGSIZE)? } else { number(tag::SIZE)? },
            archive: archive_bytes(headers)?,
        },
        location: Location { href: outside.href, base: String::new() },
        license: text(tag::LICENSE)?,
        vendor: text(tag::VENDOR)?,
        group: text(tag::GROUP)?,
        build_host: text(tag::BUILDHOST)?,
        source_rpm: text(tag::SOURCERPM)?,
        header: (headers.range.start, headers.range.end),
        provides: finished(provides),
        requires,
        conflicts: finished(conflicts),
        obsoletes: finished(obsoletes),
        weak: Weak { recommends, suggests, supplements, enhances },
        files: files.into_iter().map(|file| File { path: clean(&file.path), kind: file.kind }).collect(),
        changes: changes(main)?,
    })
}

/// Packages older than the tag that says so: those whose only folder has no name.
fn is_source(main: &Header) -> Result<bool, HeaderError> {
    if main.has(tag::SOURCEPACKAGE) || main.has(tag::SOURCERPM) {
        return Ok(main.number(tag::SOURCEPACKAGE)?.unwrap_or_default() != 0);
    }
    let mut folders = main.texts(tag::DIRNAMES)?;
    Ok(folders.len() == 1 && folders.next().transpose()? == Some(&b""[..]))
}

/// rpm keeps the size of the payload in the signature header, and in the main header of packages that are no longer built.
fn archive_bytes(headers: &Headers) -> Result<u64, HeaderError> {
    let (main, signature) = (headers.main.number(tag::ARCHIVESIZE)?, &headers.signature);
    Ok(main.or(signature.number(tag::LONGARCHIVESIZE)?).or(signature.number(tag::PAYLOADSIZE)?).unwrap_or_default())
}

/// Memory that the lists of a package may still take.
struct Budget {
    left: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), HeaderError> {
        let needed = bytes.saturating_add(ENTRY_BYTES);
        self.left = self.left.checked_sub(needed).ok_or(HeaderError::Expands(EXPANDED_BYTES_MAX))?;
        Ok(())
    }
}

/// A file with its path as the header has it.
struct RawFile {
    path: Vec<u8>,
    kind: FileKind,
}

fn files(main: &Header, budget: &mut Budget) -> Result<Vec<RawFile>, HeaderError> {
    let (modes, flags) = (main.numbers(tag::FILEMODES)?, main.numbers(tag::FILEFLAGS)?);
    let paths = if main.has(tag::OLDFILENAMES) {
        let mut paths = Vec::new();
        for path in main.texts(tag::OLDFILENAMES)? {
            let path = path?;
            budget.take(path.len())?;
            paths.push(path.to_vec());
        }
        paths
    } else {
        joined(main, budget)?
    };
    if paths.len() != modes.len() || paths.len() != flags.len() {
        return Err(HeaderError::Uneven("files"));
    }
    let file = |((path, mode), flags): ((Vec<u8>, u64), u64)| {
        let kind = match (mode & MODE_KIND == MODE_FOLDER, flags & FILE_GHOST != 0) {
            (true, _) => FileKind::Folder,
            (false, true) => FileKind::Ghost,
            (false, false) => FileKind::File,
        };
        RawFile { path, kind }
    };
    Ok(paths.into_iter().zip(modes).zip(flags).map(file).collect())
}

/// Paths from folders and names.
fn joined(main: &Header, budget: &mut Budget) -> Result<Vec<Vec<u8>>, HeaderError> {
    let (names, indexes) = (main.texts(tag::BASENAMES)?, main.numbers(tag::DIRINDEXES)?);
    if names.len() != indexes.len() {
        return Err(HeaderError::Uneven("file names and folders"));
    }
    let mut folders = Vec::new();
    for folder in main.texts(tag::DIRNAMES)? {
        budget.take(0)?;
        folders.push(folder?);
    }
    let mut paths = Vec::new();
    for (name, index) in names.zip(indexes) {
        let folder = usize::try_from(index).ok().and_then(|index| folders.get(index));
        let folder = folder.ok_or(HeaderError::Tag { tag: tag::DIRINDEXES, what: "a file has no folder" })?;
        let name = name?;
        budget.take(folder.len() + name.len())?;
        paths.push([folder, name].concat());
    }
    Ok(paths)
}

/// A dependency as the header has it.
#[derive(Clone, Copy)]
struct RawDependency<'h> {
    name: &'h [u8],
    flags: u64,
    version: &'h [u8],
}

fn dependencies<'h>(
    main: &'h Header,
    [names, flags, versions]: [u32; 3],
    budget: &mut Budget,
) -> Result<Vec<RawDependency<'h>>, HeaderError> {
    let (names, flags, versions) = (main.texts(names)?, main.numbers(flags)?, main.texts(versions)?);
    // Ancient packages have names only.
    if flags.len() == 0 || versions.len() == 0 {
        return Ok(Vec::new());
    }
    if names.len() != flags.len() || names.len() != versions.len() {
        return Err(HeaderError::Uneven("dependencies"));
    }
    let mut list = Vec::new();
    for ((name, flags), version) in names.zip(flags).zip(versions) {
        let (name, version) = (name?, version?);
        budget.take(name.len() + version.len())?;
        // One of which XML can carry nothing is none.
        if name.iter().any(u8::is_ascii_graphic) || !clean(name).is_empty() {
            list.push(RawDependency { name, flags, version });
        }
    }
    Ok(list)
}

fn finished(raw: Vec<RawDependency<'_>>) -> Vec<Dependency> {
    raw.into_iter().map(|raw| raw.finished(false)).collect()
}

impl<'h> RawDependency<'h> {
    /// All that is said, but for when it must be there.
    fn said(&self) -> (&'h [u8], Option<Comparison>, &'h [u8]) {
        (self.name, self.comparison(), self.version)
    }

    fn comparison(&self) -> Option<Comparison> {
        match self.flags & (sense::LESS | sense::GREATER | sense::EQUAL | 1) {
            sense::LESS => Some(Comparison::Less),
            10 => Some(Comparison::AtMost),
            sense::EQUAL => Some(Comparison::Equal),
            12 => Some(Comparison::AtLeast),
            sense::GREATER => Some(Comparison::Greater),
            _ => None,
        }
    }

    fn finished(&self, pre: bool) -> Dependency {
        let constraint = self.comparison().map(|comparison| {
            let [epoch, version, release] = parts(self.version).map(clean);
            Constraint { comparison, epoch, version, release }
        });
        Dependency { name: clean(self.name), constraint, pre }
    }
}

/// Epoch, version and release of `[epoch:]version[-release]`. What is before the colon and no number is dropped, and counts as 0.
fn parts(evr: &[u8]) -> [&[u8]; 3] {
    if evr.is_empty() {
        return [b"", b"", b""];
    }
    let split = |bytes: &'_ [u8], at: u8| bytes.iter().position(|byte| *byte == at);
    let (epoch, rest) = match split(evr, b':') {
        Some(colon) => (&evr[..colon], &evr[colon + 1..]),
        None => (&b""[..], evr),
    };
    let epoch = if !epoch.is_empty() && epoch.iter().all(u8::is_ascii_digit) { epoch } else { b"0" };
    match split(rest, b'-') {
        Some(dash) => [epoch, &rest[..dash], &rest[dash + 1..]],
        None => [epoch, rest, b""],
    }
}

/// Comparison, version and `pre` of a requirement.
type Said<'h> = (Option<Comparison>, &'h [u8], bool);

/// What is left of the requirements: without features of rpm, what the package provides just so itself, its own primary files, and repetitions.
/// Of glibc's symbol versions the highest stands for all, at the end.
fn requires(raw: Vec<RawDependency<'_>>, provides: &[RawDependency<'_>], files: &[RawFile]) -> Vec<Dependency> {
    // What is provided at another version, or required at any, is no answer: that is for the resolver.
    let provided: HashSet<_> = provides.iter().map(RawDependency::said).collect();
    let wants_files = raw.iter().any(|raw| is_primary(raw.name));
    let own: HashSet<&[u8]> = files.iter().filter(|_| wants_files).map(|file| &file.path[..]).collect();
    // By name: what was said with it when it was last kept.
    let mut last: HashMap<&[u8], Said<'_>> = HashMap::new();
    let mut libc: Option<RawDependency<'_>> = None;
    let mut kept = Vec::new();
    for raw in raw {
        let pre = raw.flags & sense::PRE != 0;
        let own_file = is_primary(raw.name) && own.contains(raw.name);
        let this = (raw.comparison(), raw.version, pre);
        if raw.name.starts_with(b"rpmlib(")
            || own_file
            || provided.contains(&raw.said())
            || last.get(raw.name) == Some(&this)
        {
            continue;
        }
        if raw.name.starts_with(b"libc.so.6") {
            if libc.is_none_or(|highest| symbol_version(highest.name, raw.name) == Ordering::Less) {
                libc = Some(raw);
            }
            continue;
        }
        last.insert(raw.name, this);
        kept.push(raw.finished(pre));
    }
    kept.extend(libc.map(|raw| raw.finished(raw.flags & sense::PRE != 0)));
    kept
}

/// Compares `libc.so.6`, `libc.so.6()(64bit)` and `libc.so.6(GLIBC_2.4)(64bit)` by the version in the first parentheses.
fn symbol_version(one: &[u8], other: &[u8]) -> Ordering {
    // How much there is: no parenthesis, none that closes, an empty one, one without digits, a version.
    fn version(name: &[u8]) -> (u8, String) {
        let Some(open) = name.iter().position(|byte| *byte == b'(') else {
            return (0, String::new());
        };
        let Some(length) = name[open..].iter().position(|byte| *byte == b')') else {
            return (1, String::new());
        };
        let inside = &name[open + 1..open + length];
        match inside.iter().position(u8::is_ascii_digit) {
            _ if inside.is_empty() => (2, String::new()),
            None => (3, String::new()),
            Some(digit) => (4, clean(&inside[digit..])),
        }
    }
    let ((rank, version), (other_rank, other_version)) = (version(one), version(other));
    rank.cmp(&other_rank).then_with(|| rpm_version::rpm_evr_compare(&version, &other_version))
}

fn changes(main: &Header) -> Result<Vec<Change>, HeaderError> {
    let (times, authors) = (main.numbers(tag::CHANGELOGTIME)?, main.texts(tag::CHANGELOGNAME)?);
    let texts = main.texts(tag::CHANGELOGTEXT)?;
    if times.len() != authors.len() || times.len() != texts.len() {
        return Err(HeaderError::Uneven("changes"));
    }
    let mut changes: Vec<Change> = Vec::new();
    for ((time, author), text) in times.zip(authors).zip(texts).take(CHANGES_MAX) {
        let (author, mut time) = (author?, i64::try_from(time).unwrap_or(i64::MAX).min(TIME_MAX));
        let kept = author.iter().rposition(|byte| *byte != b' ').map_or(author.len().min(1), |last| last + 1);
        changes.push(Change { author: clean(&author[..kept]), time, text: clean(text?) });
        // yum's databases want distinct times: newer entries of the same time move on by a second each.
        for newer in changes.iter_mut().rev().skip(1) {
            if newer.time != time {
                break;
            }
            newer.time += 1;
            time += 1;
        }
    }
    changes.reverse();
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Outside, describe, parts, symbol_version};
    use crate::header::tests::{front, header};
    use crate::header::{HeaderError, Headers};
    use crate::model::Package;

    /// Tag, type, count, bytes.
    type Entry = (u32, u32, u32, &'static [u8]);

    const BASE: [Entry; 4] =
        [(1000, 6, 1, b"a\0"), (1001, 6, 1, b"1\0"), (1002, 6, 1, b"2\0"), (1022, 6, 1, b"noarch\0")];

    fn described(more: &[Entry]) -> Result<Package, HeaderError> {
        let file = front(&header(&[(1007, 4, 1, &[0, 0, 0, 7])]), &header(&[&BASE, more].concat()));
        describe(&Headers::read(&mut &file[..])?, Outside::default())
    }

    #[test]
    fn what_every_package_has_is_needed() {
        let package = described(&[]).expect("a package");
        assert_eq!((package.nevra(), package.size.archive), ("a-1-2.noarch".to_owned(), 7));
        for missing in 0..BASE.len() {
            let mut entries = BASE.to_vec();
            entries.remove(missing);
            let file = front(&header(&[]), &header(&entries));
            let headers = Headers::read(&mut &file[..]).expect("headers");
            assert!(matches!(describe(&headers, Outside::default()), Err(HeaderError::Missing(_))), "{missing}");
            // Empty, or of characters that no metadata can carry.
            for nothing in [&b"\0"[..], b"\x01\x02\0"] {
                let mut entries = BASE.to_vec();
                entries[missing].3 = nothing;
                let file = front(&header(&[]), &header(&entries));
                let headers = Headers::read(&mut &file[..]).expect("headers");
                let described = describe(&headers, Outside::default());
                assert!(matches!(described, Err(HeaderError::Missing(_))), "{missing}");
            }
        }
        let long =
            described(&[(1009, 4, 1, &[0, 0, 0, 1]), (5009, 5, 1, &[0, 0, 0, 9, 0, 0, 0, 0])]).expect("a package");
        assert_eq!(long.size.installed, 9 << 32);
    }

    #[test]
    fn source_packages_are_known_by_their_tag_and_old_ones_by_their_folder() {
        assert_eq!(described(&[(1106, 4, 1, &[0, 0, 0, 1])]).expect("a package").arch, "src");
        assert_eq!(described(&[(1118, 8, 1, b"\0")]).expect("a package").arch, "src");
        assert_eq!(described(&[(1118, 8, 1, b"\0"), (1044, 6, 1, b"(none)\0")]).expect("a package").arch, "noarch");
    }

    #[test]
    fn weak_dependencies_of_old_packages_are_sorted_by_their_flag() {
        let package = described(&[
            (1156, 8, 2, b"strong\0weak\0"),
            (1157, 8, 2, b"\x00\x00"),
            (1158, 4, 2, &[8, 0, 0, 0, 0, 0, 0, 0]),
            (1159, 8, 2, b"back-strong\0back-weak\0"),
            (1160, 8, 2, b"\x00\x00"),
            (1161, 4, 2, &[8, 0, 0, 0, 0, 0, 0, 0]),
        ])
        .expect("a package");
        let weak = &package.weak;
        let names =
            [&weak.recommends, &weak.suggests, &weak.supplements, &weak.enhances].map(|list| list[0].name.as_str());
        assert_eq!(names, ["strong", "weak", "back-strong", "back-weak"]);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        assert!(matches!(described(&[(1117, 8, 1, b"a\0")]), Err(HeaderError::Uneven(_))));
        let file: [Entry; 5] = [
            (1117, 8, 1, b"a\0"),
            (1116, 4, 1, &[0, 0, 0, 1]),
            (1118, 8, 1, b"/\0"),
            (1030, 3, 1, &[0, 0]),
            (1037, 4, 1, &[0, 0, 0, 0]),
        ];
        assert!(matches!(described(&file), Err(HeaderError::Tag { what: "a file has no folder", .. })));
        assert!(matches!(described(&[(1080, 4, 1, &[0, 0, 0, 1])]), Err(HeaderError::Uneven("changes"))));
    }

    /// A header of 5 MiB whose files would have a long folder each, 4 GiB together.
    #[test]
    fn long_folders_do_not_become_memory() {
        let leak = |bytes: Vec<u8>| -> &'static [u8] { bytes.leak() };
        let count = 4096 * 16;
        let folder = leak([vec![b'x'; 1 << 16], vec![0]].concat());
        let (names, words) = (leak(vec![0; count]), leak(vec![0; count * 4]));
        let count = u32::try_from(count).expect("small");
        let entries: [Entry; 5] = [
            (1118, 8, 1, folder),
            (1117, 8, count, names),
            (1116, 4, count, words),
            (1030, 3, count, &words[..words.len() / 2]),
            (1037, 4, count, words),
        ];
        assert!(matches!(described(&entries), Err(HeaderError::Expands(_))));
    }

    #[test]
    fn versions_are_taken_apart_as_rpm_does() {
        for (text, wanted) in [
            ("", ["", "", ""]),
            ("1", ["0", "1", ""]),
            ("2:1-3", ["2", "1", "3"]),
            (":7", ["0", "7", ""]),
            ("x:1", ["0", "1", ""]),
            ("1-2-3", ["0", "1", "2-3"]),
            ("-", ["0", "", ""]),
        ] {
            assert_eq!(parts(text.as_bytes()), wanted.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn symbol_versions_compare_by_their_numbers() {
        let names = [
            "libc.so.6",
            "libc.so.6(",
            "libc.so.6()(64bit)",
            "libc.so.6(X)",
            "libc.so.6(G_2.4)",
            "libc.so.6(G_2.34)(64bit)",
        ];
        for pair in names.windows(2) {
            assert!(symbol_version(pair[0].as_bytes(), pair[1].as_bytes()).is_lt(), "{pair:?}");
        }
    }

    proptest! {
        /// Whatever a header claims, there is an answer.
        #[test]
        fn no_header_makes_a_panic(
            entries in prop::collection::vec((prop::sample::select(tags()), 0..10_u32, any::<u8>(), any::<u16>()), 0..24),
            data in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut main = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
            main.extend(u32::try_from(entries.len() + 4).expect("small").to_be_bytes());
            main.extend(u32::try_from(data.len() + 8).expect("small").to_be_bytes());
            for tag in [1000_u32, 1001, 1002, 1022] {
                main.extend([tag, 6, 0, 1].map(u32::to_be_bytes).concat());
            }
            for (tag, kind, offset, count) in entries {
                main.extend([tag, kind, offset.into(), (count % 64).into()].map(u32::to_be_bytes).concat());
            }
            main.extend(b"abcdefg\0");
            main.extend(data);
            let file = front(&header(&[]), &main);
            let headers = Headers::read(&mut &file[..]).expect("the frame is right");
            let _either = describe(&headers, Outside::default());
        }
    }

    /// Every tag that is read.
    fn tags() -> Vec<u32> {
        let lists = [1047, 1112, 1113, 1049, 1048, 1050, 1054, 1053, 1055, 1090, 1114, 1115, 1156, 1158, 1157, 1159];
        (1003..1050)
            .chain(1080..1083)
            .chain(1106..1119)
            .chain(5046..5058)
            .chain(lists)
            .chain([5009, 1161, 1160])
            .collect()
    }
}
