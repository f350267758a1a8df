//! Writing metadata: the same values give the same bytes, and the bytes are createrepo_c 0.17's.
//!
//! Each format is a beginning that counts its packages, one piece per package, and an end: pieces can be made in any order by any
//! number of threads and be put together in theirs.

mod comps;
mod filelists;
mod other;
mod primary;
mod repomd;
mod updateinfo;
mod xml;

pub use comps::comps;
pub use repomd::repomd;
pub use updateinfo::updateinfo;

use crate::Package;

/// The formats that list packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What is needed to resolve dependencies.
    Primary,
    /// All files.
    Filelists,
    /// Changelogs.
    Other,
}

impl Format {
    /// In the order of `repomd.xml`.
    pub const ALL: [Format; 3] = [Format::Primary, Format::Filelists, Format::Other];

    /// Its type in `repomd.xml` and its part of file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Primary => "primary",
            Format::Filelists => "filelists",
            Format::Other => "other",
        }
    }

    /// What is before the packages.
    #[must_use]
    pub fn beginning(self, packages: usize) -> String {
        let space = "http://linux.duke.edu/metadata";
        let root = match self {
            Format::Primary => format!("metadata xmlns=\"{space}/common\" xmlns:rpm=\"{space}/rpm\""),
            Format::Filelists => format!("filelists xmlns=\"{space}/filelists\""),
            Format::Other => format!("otherdata xmlns=\"{space}/other\""),
        };
        format!("{}<{root} packages=\"{packages}\">\n", xml::DECLARATION)
    }

    /// Adds a package.
    pub fn package(self, package: &Package, to: &mut String) {
        match self {
            Format::Primary => primary::package(package, to),
            Format::Filelists => filelists::package(package, to),
            Format::Other => other::package(package, to),
        }
    }

    /// What is behind the packages.
    #[must_use]
    pub fn end(self) -> &'static str {
        match self {
            Format::Primary => "</metadata>",
            Format::Filelists => "</filelists>",
            Format::Other => "</otherdata>",
        }
    }

    /// The whole text.
    #[must_use]
    pub fn text<'p>(self, packages: impl ExactSizeIterator<Item = &'p Package>) -> String {
        let mut text = self.beginning(packages.len());
        for package in packages {
            self.package(package, &mut text);
        }
        text.push_str(self.end());
        text
    }
}
