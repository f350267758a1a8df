//! What versions of packages mend, as `updateinfo.xml` has it. What the values are is drawn in `packager/docs/groups-and-advisories.md`.

use crate::model::Evr;

/// An advisory. Values are as written: readers know more types, severities and forms of dates than we write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advisory {
    /// What it is asked for by; no two of a repository are alike.
    pub id: String,
    /// Address of who issued it.
    pub from: String,
    /// `stable`, `final`, `testing`.
    pub status: String,
    /// `security`, `bugfix`, `enhancement`.
    pub kind: String,
    /// Version of the advisory.
    pub version: String,
    /// One line.
    pub title: String,
    /// `YYYY-MM-DD HH:MM:SS` in UTC.
    pub issued: String,
    /// As `issued`; empty when it is not said.
    pub updated: String,
    /// `Critical`, `Important`, `Moderate`, `Low`; empty when it is not said.
    pub severity: String,
    /// Empty when there is none.
    pub summary: String,
    /// Prose.
    pub description: String,
    /// Where more is said.
    pub references: Vec<Reference>,
    /// The packages that have what it is about.
    pub collections: Vec<Collection>,
}

/// A place where more is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// Its address.
    pub href: String,
    /// A number there, such as a CVE's.
    pub id: String,
    /// `cve`, `bugzilla`, `other`.
    pub kind: String,
    /// One line.
    pub title: String,
}

/// Packages of one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collection {
    /// A word for the repository.
    pub short: String,
    /// Its name.
    pub name: String,
    /// The packages.
    pub packages: Vec<Fixed>,
}

/// A package that has what an advisory is about, as every newer one has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// File name of the source package.
    pub source_rpm: String,
    /// File name; readers leave packages without one out.
    pub file_name: String,
    /// SHA-256 of the file, hexadecimal; empty where it is not known.
    pub sha256: String,
}
