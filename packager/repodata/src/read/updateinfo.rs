//! `updateinfo.xml`, ours and other tools'. Modules, rights and what else is not known are passed over.

use std::io::BufRead;
use std::mem;

use super::{Attributes, ReadError, Sink, document, number, sha256};
use crate::advisory::{Advisory, Collection, Fixed, Reference};

/// Reads it. Every advisory must have an id, every package its name, version, release and architecture.
pub fn updateinfo(from: impl BufRead) -> Result<Vec<Advisory>, ReadError> {
    let mut reading = Reading::default();
    document(from, &mut reading)?;
    Ok(reading.advisories)
}

#[derive(Default)]
struct Reading {
    advisories: Vec<Advisory>,
    advisory: Advisory,
    collection: Collection,
    package: Fixed,
    /// The sum that is read is a SHA-256.
    by_sha256: bool,
}

impl Sink for Reading {
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError> {
        match (depth, name) {
            (1, "updates") => {}
            (1, _) => return Err(ReadError::Kind("updateinfo")),
            (2, "update") => {
                self.advisory = Advisory {
                    from: element.get("from")?,
                    status: element.get("status")?,
                    kind: element.get("type")?,
                    version: element.get("version")?,
                    ..Advisory::default()
                };
            }
            (3, "issued") => self.advisory.issued = element.get("date")?,
            (3, "updated") => self.advisory.updated = element.get("date")?,
            (4, "reference") => self.advisory.references.push(Reference {
                href: element.get("href")?,
                id: element.get("id")?,
                kind: element.get("type")?,
                title: element.get("title")?,
            }),
            (4, "collection") => {
                self.collection = Collection { short: element.get("short")?, ..Collection::default() };
            }
            (5, "package") => self.package = package(element)?,
            (6, "sum") => self.by_sha256 = element.get("type")? == "sha256",
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError> {
        let Advisory { id, title, severity, summary, description, .. } = &mut self.advisory;
        match (depth, name) {
            (2, "update") => {
                if self.advisory.id.is_empty() {
                    return Err(ReadError::Missing("id"));
                }
                self.advisories.push(mem::take(&mut self.advisory));
            }
            (3, "id") => *id = text.trim().to_owned(),
            (3, "title") => *title = mem::take(text),
            (3, "severity") => *severity = mem::take(text),
            (3, "summary") => *summary = mem::take(text),
            (3, "description") => *description = mem::take(text),
            (4, "collection") => self.advisory.collections.push(mem::take(&mut self.collection)),
            (5, "name") => self.collection.name = mem::take(text),
            (5, "package") => self.collection.packages.push(mem::take(&mut self.package)),
            (6, "filename") => self.package.file_name = mem::take(text),
            (6, "sum") if self.by_sha256 => self.package.sha256 = sha256(text)?,
            _ => {}
        }
        Ok(())
    }
}

/// What the attributes of a package say.
fn package(element: &Attributes<'_>) -> Result<Fixed, ReadError> {
    let mut package = Fixed::default();
    element.each(|name, value| {
        match name {
            "name" => package.name = value,
            "version" => package.evr.version = value,
            "release" => package.evr.release = value,
            "epoch" => package.evr.epoch = number(&value, "epoch")?,
            "arch" => package.arch = value,
            "src" => package.source_rpm = value,
            _ => {}
        }
        Ok(())
    })?;
    let Fixed { name, arch, evr, .. } = &package;
    for (value, what) in [(name, "name"), (&evr.version, "version"), (&evr.release, "release"), (arch, "arch")] {
        if value.is_empty() {
            return Err(ReadError::Missing(what));
        }
    }
    Ok(package)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::tests::{filled, text};
    use super::{Advisory, Collection, Fixed, ReadError, Reference, updateinfo};
    use crate::model::Evr;
    use crate::read::well_formed;
    use crate::write;

    prop_compose! {
        fn package()(
            (name, arch, version, release) in (filled(), filled(), filled(), filled()),
            epoch in any::<u32>(),
            (source_rpm, file_name, sha256) in (text(), text(), "([0-9a-f]{64})?"),
        ) -> Fixed {
            Fixed { name, arch, evr: Evr { epoch, version, release }, source_rpm, file_name, sha256 }
        }
    }

    prop_compose! {
        fn advisory()(
            (id, from, status, kind, version) in ("[A-Z0-9-]{1,8}", text(), text(), text(), text()),
            (title, issued, updated, severity, summary, description) in (text(), text(), text(), text(), text(), text()),
            references in vec((text(), text(), text(), text()), 0..3),
            collections in vec((text(), text(), vec(package(), 0..3)), 0..3),
        ) -> Advisory {
            let reference = |(href, id, kind, title)| Reference { href, id, kind, title };
            let collection = |(short, name, packages)| Collection { short, name, packages };
            Advisory {
                id, from, status, kind, version, title, issued, updated, severity, summary, description,
                references: references.into_iter().map(reference).collect(),
                collections: collections.into_iter().map(collection).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn advisories_go_to_xml_and_back(advisories in vec(advisory(), 0..3)) {
            let text = write::updateinfo(&advisories);
            well_formed(text.as_bytes()).expect("we write XML");
            prop_assert_eq!(updateinfo(text.as_bytes()).expect("what is written is read"), advisories);
        }

        #[test]
        fn damage_is_an_error_or_another_value(advisory in advisory(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = write::updateinfo(&[advisory]).into_bytes();
            let position = at.index(bytes.len() - 1);
            updateinfo(&bytes[..position]).expect_err("a cut is seen");
            bytes[position] = byte;
            let _either = updateinfo(&bytes[..]);
        }
    }

    /// As other tools write it: rights, modules, other sums, no file names.
    #[test]
    fn what_is_not_known_is_passed_over() {
        let text = "<updates><update type=\"newpackage\"><id> A </id><rights>r</rights><pkglist><collection><module name=\"m\"/>\
            <package name=\"p\" version=\"1\" release=\"2\" arch=\"noarch\"><sum type=\"md5\">00</sum><reboot_suggested/></package>\
            </collection></pkglist></update></updates>";
        let [advisory] = &updateinfo(text.as_bytes()).expect("read")[..] else { panic!("one advisory") };
        assert_eq!((advisory.id.as_str(), advisory.kind.as_str()), ("A", "newpackage"));
        let [package] = &advisory.collections[0].packages[..] else { panic!("one package") };
        assert_eq!((package.name.as_str(), package.sha256.as_str(), package.evr.epoch), ("p", "", 0));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let fault = |text: &str| updateinfo(text.as_bytes()).expect_err("refused");
        assert!(matches!(fault("<updates><update/></updates>"), ReadError::Missing("id")));
        assert!(matches!(fault("<comps/>"), ReadError::Kind("updateinfo")));
        let package = |attributes: &str, sum: &str| {
            fault(&format!(
                "<updates><update><id>a</id><pkglist><collection><package {attributes}><sum type=\"sha256\">{sum}</sum></package>\
                 </collection></pkglist></update></updates>"
            ))
        };
        assert!(matches!(package("version=\"1\"", ""), ReadError::Missing("name")));
        assert!(matches!(package("name=\"p\" version=\"1\" release=\"1\"", ""), ReadError::Missing("arch")));
        assert!(matches!(package("epoch=\"x\"", ""), ReadError::Number { what: "epoch", .. }));
        let whole = "name=\"p\" version=\"1\" release=\"1\" arch=\"noarch\"";
        assert!(matches!(package(whole, "00"), ReadError::Hash(_)));
    }

    /// Golden bytes: what every released version must write and read.
    #[test]
    fn a_small_file_is_this() {
        let [id, from, status, kind, version] = ["A-1", "a@b.invalid", "stable", "security", "1"].map(str::to_owned);
        let [title, issued, severity, summary, description] =
            ["t", "2026-12-01 00:00:00", "Low", "s", "<d>\n"].map(str::to_owned);
        let [href, cve, by, name] =
            ["https://x.invalid/?a&b", "CVE-2026-1234", "cve", "CVE-2026-1234"].map(str::to_owned);
        let [package, arch, source_rpm, file_name] =
            ["p", "noarch", "p-1-2.src.rpm", "p-1-2.noarch.rpm"].map(str::to_owned);
        let evr = Evr { epoch: 0, version: "1".to_owned(), release: "2".to_owned() };
        let package = Fixed { name: package, arch, evr, source_rpm, file_name, sha256: "0".repeat(64) };
        let collection = Collection { short: "demo".to_owned(), name: "demo".to_owned(), packages: vec![package] };
        let advisory = Advisory {
            id,
            from,
            status,
            kind,
            version,
            title,
            updated: issued.clone(),
            issued,
            severity,
            summary,
            description,
            references: vec![Reference { href, id: cve, kind: by, title: name }],
            collections: vec![collection],
        };
        let zeros = "0".repeat(64);
        assert_eq!(
            write::updateinfo(&[advisory]),
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n  <update from=\"a@b.invalid\" status=\"stable\" type=\"security\" version=\"1\">\n    \
                 <id>A-1</id>\n    <title>t</title>\n    <issued date=\"2026-12-01 00:00:00\"/>\n    <updated date=\"2026-12-01 00:00:00\"/>\n    \
                 <severity>Low</severity>\n    <summary>s</summary>\n    <description>&lt;d&gt;\n</description>\n    <references>\n      \
                 <reference href=\"https://x.invalid/?a&amp;b\" id=\"CVE-2026-1234\" type=\"cve\" title=\"CVE-2026-1234\"/>\n    </references>\n    \
                 <pkglist>\n      <collection short=\"demo\">\n        <name>demo</name>\n        \
                 <package name=\"p\" version=\"1\" release=\"2\" epoch=\"0\" arch=\"noarch\" src=\"p-1-2.src.rpm\">\n          \
                 <filename>p-1-2.noarch.rpm</filename>\n          <sum type=\"sha256\">{zeros}</sum>\n        </package>\n      </collection>\n    \
                 </pkglist>\n  </update>\n</updates>\n"
            )
        );
    }
}
