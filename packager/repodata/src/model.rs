//! What repository metadata says about packages. Strings hold only characters that XML 1.0 can carry ([`crate::text`]); a value
//! that is absent is empty.

use std::fmt;

/// A package, as the three metadata files together describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Architecture; `src` for source packages.
    pub arch: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// SHA-256 of the package file, hexadecimal: the `pkgid` that joins the three files.
    pub sha256: String,
    /// One line.
    pub summary: String,
    /// Many lines.
    pub description: String,
    /// Who packaged it.
    pub packager: String,
    /// Home page.
    pub url: String,
    /// Times.
    pub time: Time,
    /// Sizes.
    pub size: Size,
    /// Where it lies.
    pub location: Location,
    /// Licence expression.
    pub license: String,
    /// Vendor.
    pub vendor: String,
    /// Group of the package, as rpm had them.
    pub group: String,
    /// Host it was built on.
    pub build_host: String,
    /// File name of the source package; empty for source packages.
    pub source_rpm: String,
    /// First byte of the main header in the package file, and the byte after its last.
    pub header: (u64, u64),
    /// What it provides.
    pub provides: Vec<Dependency>,
    /// What it requires, without what it has itself and without features of rpm.
    pub requires: Vec<Dependency>,
    /// What it cannot be installed with.
    pub conflicts: Vec<Dependency>,
    /// What it replaces.
    pub obsoletes: Vec<Dependency>,
    /// Weak dependencies.
    pub weak: Weak,
    /// Its files, in the order of its header.
    pub files: Vec<File>,
    /// Newest entries of its changelog, oldest first.
    pub changes: Vec<Change>,
}

/// Epoch, version and release of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evr {
    /// 0 when the package has none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
}

/// Times in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Modification time of the package file.
    pub file: i64,
    /// Time of the build.
    pub build: i64,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// The package file.
    pub package: u64,
    /// What it installs.
    pub installed: u64,
    /// Its payload, uncompressed.
    pub archive: u64,
}

/// Where a package lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Relative to the repository, or to `base`.
    pub href: String,
    /// Address of another place; empty when it is the repository itself.
    pub base: String,
}

/// Weak dependencies, forward and backward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weak {
    /// Installed with it unless that fails.
    pub recommends: Vec<Dependency>,
    /// Shown with it.
    pub suggests: Vec<Dependency>,
    /// Backward form of `recommends`.
    pub supplements: Vec<Dependency>,
    /// Backward form of `suggests`.
    pub enhances: Vec<Dependency>,
}

/// One dependency: a capability, a file, or a rich expression in parentheses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Capability.
    pub name: String,
    /// Which versions; all when absent.
    pub constraint: Option<Constraint>,
    /// Needed before the scriptlets of the installation; of `requires` only.
    pub pre: bool,
}

/// Which versions of a capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// How they compare with the version.
    pub comparison: Comparison,
    /// As written; empty when there is no version at all.
    pub epoch: String,
    /// Version.
    pub version: String,
    /// Release; empty when any will do.
    pub release: String,
}

/// A comparison of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

impl Comparison {
    /// Every comparison with its name in metadata.
    pub const NAMES: [(Comparison, &'static str); 5] = [
        (Comparison::Less, "LT"),
        (Comparison::AtMost, "LE"),
        (Comparison::Equal, "EQ"),
        (Comparison::AtLeast, "GE"),
        (Comparison::Greater, "GT"),
    ];

    /// As rpm writes it.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Equal => "=",
            Comparison::AtLeast => ">=",
            Comparison::Greater => ">",
        }
    }

    /// Its name in metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        Comparison::NAMES.iter().find(|(comparison, _)| *comparison == self).expect("all are listed").1
    }

    /// From its name in metadata.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Comparison> {
        Comparison::NAMES.iter().find(|(_, listed)| *listed == name).map(|(comparison, _)| *comparison)
    }
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute path; of source packages the bare name.
    pub path: String,
    /// Kind.
    pub kind: FileKind,
}

/// What metadata tells apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileKind {
    /// Anything with contents, and links.
    #[default]
    File,
    /// A folder, also one that the package does not hold.
    Folder,
    /// A path that the package owns but does not hold.
    Ghost,
}

impl File {
    /// Whether the primary metadata lists it too. The rule is createrepo's since its beginnings, and yum's and dnf's too: they look
    /// for such paths nowhere else.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        is_primary(self.path.as_bytes())
    }
}

/// See [`File::is_primary`].
#[must_use]
pub fn is_primary(path: &[u8]) -> bool {
    path.starts_with(b"/etc/") || path == b"/usr/lib/sendmail" || path.windows(4).any(|part| part == b"bin/")
}

/// An entry of a changelog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Name, address and version.
    pub author: String,
    /// Seconds since 1970; distinct within a package.
    pub time: i64,
    /// Its text.
    pub text: String,
}

/// What `repomd.xml` says: the metadata files of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repomd {
    /// Chosen by who made it, most often a time.
    pub revision: String,
    /// The files.
    pub data: Vec<Data>,
}

/// A metadata file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// `primary`, `filelists`, `other`, `updateinfo`.
    pub kind: String,
    /// Relative to the repository.
    pub location: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of what it decompresses to; empty when it is not said.
    pub open_sha256: String,
    /// Size of what it decompresses to.
    pub open_bytes: Option<u64>,
    /// Seconds since 1970.
    pub timestamp: i64,
}

/// As rpm writes it: `name`, `name >= 1:2.0-3`.
impl fmt::Display for Dependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        let Some(Constraint { comparison, epoch, version, release }) = &self.constraint else { return Ok(()) };
        if version.is_empty() {
            return Ok(());
        }
        write!(formatter, " {} ", comparison.symbol())?;
        if !["", "0"].contains(&epoch.as_str()) {
            write!(formatter, "{epoch}:")?;
        }
        formatter.write_str(version)?;
        if release.is_empty() { Ok(()) } else { write!(formatter, "-{release}") }
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch > 0 {
            write!(formatter, "{}:", self.epoch)?;
        }
        write!(formatter, "{}-{}", self.version, self.release)
    }
}

impl Package {
    /// `name-[epoch:]version-release.arch`.
    #[must_use]
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr, self.arch)
    }

    /// Last part of its location.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.location.href.rsplit('/').next().unwrap_or_default()
    }

    /// What packages are ordered by in metadata: name of the file, then its place.
    #[must_use]
    pub fn rank(&self) -> (&str, &str) {
        (self.file_name(), &self.location.href)
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, is_primary};

    #[test]
    fn primary_files_are_those_in_etc_and_below_anything_that_ends_with_bin() {
        for path in ["/etc/a", "/usr/bin/a", "/opt/sbin/a/b", "/usr/lib/sendmail", "/a/xbin/y"] {
            assert!(is_primary(path.as_bytes()), "{path}");
        }
        for path in ["/etc", "/usr/bin", "/usr/lib/sendmail.d", "/usr/share/etc/a", "etc/a", ""] {
            assert!(!is_primary(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn every_comparison_has_a_name_of_its_own() {
        for (comparison, name) in Comparison::NAMES {
            assert_eq!(Comparison::from_name(name), Some(comparison));
            assert_eq!(comparison.name(), name);
        }
        assert_eq!(Comparison::from_name("NE"), None);
    }
}
