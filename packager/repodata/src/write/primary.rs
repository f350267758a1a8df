//! `primary.xml`: what is needed to resolve dependencies.

use super::xml::{attribute, close, content, element, number, open};
use super::{filelists, other};
use crate::Package;
use crate::model::Dependency;

/// Adds a package.
pub(super) fn package(package: &Package, to: &mut String) {
    let Package { name, arch, evr, sha256, summary, description, packager, url, time, size, location, .. } = package;
    to.push_str("<package type=\"rpm\">\n");
    element(to, "  ", "name", name);
    element(to, "  ", "arch", arch);
    other::version(evr, to);
    open(to, "  ", "checksum type=\"sha256\" pkgid=\"YES\">");
    content(to, sha256);
    close(to, "", "checksum");
    element(to, "  ", "summary", summary);
    element(to, "  ", "description", description);
    element(to, "  ", "packager", packager);
    element(to, "  ", "url", url);
    open(to, "  ", "time");
    number(to, "file", time.file);
    number(to, "build", time.build);
    to.push_str("/>\n");
    open(to, "  ", "size");
    number(to, "package", size.package);
    number(to, "installed", size.installed);
    number(to, "archive", size.archive);
    to.push_str("/>\n");
    open(to, "  ", "location");
    if !location.base.is_empty() {
        attribute(to, "xml:base", &location.base);
    }
    attribute(to, "href", &location.href);
    to.push_str("/>\n  <format>\n");
    format(package, to);
    to.push_str("  </format>\n</package>\n");
}

fn format(package: &Package, to: &mut String) {
    let Package { license, vendor, group, build_host, source_rpm, header, .. } = package;
    let Package { provides, requires, conflicts, obsoletes, weak, files, .. } = package;
    element(to, "    ", "rpm:license", license);
    element(to, "    ", "rpm:vendor", vendor);
    element(to, "    ", "rpm:group", group);
    element(to, "    ", "rpm:buildhost", build_host);
    element(to, "    ", "rpm:sourcerpm", source_rpm);
    open(to, "    ", "rpm:header-range");
    number(to, "start", header.0);
    number(to, "end", header.1);
    to.push_str("/>\n");
    dependencies("rpm:provides", provides, to);
    dependencies("rpm:requires", requires, to);
    dependencies("rpm:conflicts", conflicts, to);
    dependencies("rpm:obsoletes", obsoletes, to);
    dependencies("rpm:suggests", &weak.suggests, to);
    dependencies("rpm:enhances", &weak.enhances, to);
    dependencies("rpm:recommends", &weak.recommends, to);
    dependencies("rpm:supplements", &weak.supplements, to);
    for file in files.iter().filter(|file| file.is_primary()) {
        filelists::file(file, "    ", to);
    }
}

fn dependencies(name: &str, list: &[Dependency], to: &mut String) {
    if list.is_empty() {
        return;
    }
    open(to, "    ", name);
    to.push_str(">\n");
    for dependency in list {
        open(to, "      ", "rpm:entry");
        attribute(to, "name", &dependency.name);
        if let Some(constraint) = &dependency.constraint {
            attribute(to, "flags", constraint.comparison.name());
            let parts = [("epoch", &constraint.epoch), ("ver", &constraint.version), ("rel", &constraint.release)];
            for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
                attribute(to, name, value);
            }
        }
        to.push_str(if dependency.pre { " pre=\"1\"/>\n" } else { "/>\n" });
    }
    close(to, "    ", name);
}
