//! `other.xml`: the newest changes of all packages.

use super::xml::{attribute, close, content, number, open};
use crate::Package;
use crate::model::Evr;

/// Adds a package.
pub(super) fn package(package: &Package, to: &mut String) {
    head(package, to);
    for change in &package.changes {
        open(to, "  ", "changelog");
        attribute(to, "author", &change.author);
        number(to, "date", change.time);
        to.push('>');
        content(to, &change.text);
        close(to, "", "changelog");
    }
    to.push_str("</package>\n");
}

/// What `filelists.xml` and `other.xml` say of a package first.
pub(super) fn head(package: &Package, to: &mut String) {
    to.push_str("<package");
    attribute(to, "pkgid", &package.sha256);
    attribute(to, "name", &package.name);
    attribute(to, "arch", &package.arch);
    to.push_str(">\n");
    version(&package.evr, to);
}

/// Epoch, version and release.
pub(super) fn version(evr: &Evr, to: &mut String) {
    open(to, "  ", "version");
    number(to, "epoch", evr.epoch);
    attribute(to, "ver", &evr.version);
    attribute(to, "rel", &evr.release);
    to.push_str("/>\n");
}
