//! `updateinfo.xml`: advisories, with elements in the order in which createrepo_c writes them.

use super::xml::{DECLARATION, attribute, close, content, element, number, open};
use crate::advisory::{Advisory, Collection, Fixed, Reference};
use crate::model::Evr;

/// The whole text.
#[must_use]
pub fn updateinfo(advisories: &[Advisory]) -> String {
    let mut to = format!("{DECLARATION}<updates>\n");
    for advisory in advisories {
        write_advisory(advisory, &mut to);
    }
    close(&mut to, "", "updates");
    to
}

fn write_advisory(advisory: &Advisory, to: &mut String) {
    let Advisory { id, from, status, kind, version, title, issued, updated, .. } = advisory;
    let Advisory { severity, summary, description, references, collections, .. } = advisory;
    open(to, "  ", "update");
    for (name, value) in [("from", from), ("status", status), ("type", kind), ("version", version)] {
        attribute(to, name, value);
    }
    to.push_str(">\n");
    element(to, "    ", "id", id);
    element(to, "    ", "title", title);
    for (name, date) in [("issued", issued), ("updated", updated)].into_iter().filter(|(_, date)| !date.is_empty()) {
        open(to, "    ", name);
        attribute(to, "date", date);
        to.push_str("/>\n");
    }
    for (name, value) in [("severity", severity), ("summary", summary)] {
        if !value.is_empty() {
            element(to, "    ", name, value);
        }
    }
    element(to, "    ", "description", description);
    to.push_str("    <references>\n");
    for Reference { href, id, kind, title } in references {
        open(to, "      ", "reference");
        for (name, value) in [("href", href), ("id", id), ("type", kind), ("title", title)] {
            attribute(to, name, value);
        }
        to.push_str("/>\n");
    }
    close(to, "    ", "references");
    to.push_str("    <pkglist>\n");
    for Collection { short, name, packages } in collections {
        open(to, "      ", "collection");
        attribute(to, "short", short);
        to.push_str(">\n");
        element(to, "        ", "name", name);
        for package in packages {
            write_package(package, to);
        }
        close(to, "      ", "collection");
    }
    close(to, "    ", "pkglist");
    close(to, "  ", "update");
}

fn write_package(package: &Fixed, to: &mut String) {
    let Fixed { name, arch, evr: Evr { epoch, version, release }, source_rpm, file_name, sha256 } = package;
    open(to, "        ", "package");
    for (key, value) in [("name", name), ("version", version), ("release", release)] {
        attribute(to, key, value);
    }
    number(to, "epoch", epoch);
    attribute(to, "arch", arch);
    attribute(to, "src", source_rpm);
    to.push_str(">\n");
    element(to, "          ", "filename", file_name);
    if !sha256.is_empty() {
        open(to, "          ", "sum type=\"sha256\">");
        content(to, sha256);
        close(to, "", "sum");
    }
    close(to, "        ", "package");
}
