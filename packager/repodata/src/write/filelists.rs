//! `filelists.xml`: all files of all packages.

use super::other;
use super::xml::{close, content, open};
use crate::Package;
use crate::model::{File, FileKind};

/// Adds a package.
pub(super) fn package(package: &Package, to: &mut String) {
    other::head(package, to);
    for entry in &package.files {
        file(entry, "  ", to);
    }
    to.push_str("</package>\n");
}

/// Adds a file.
pub(super) fn file(file: &File, indent: &str, to: &mut String) {
    open(
        to,
        indent,
        match file.kind {
            FileKind::File => "file>",
            FileKind::Folder => "file type=\"dir\">",
            FileKind::Ghost => "file type=\"ghost\">",
        },
    );
    content(to, &file.path);
    close(to, "", "file");
}
