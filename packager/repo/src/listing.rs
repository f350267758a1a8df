//! What metadata lists: files with their sizes and hashes. `repomd.xml` lists metadata, the primary metadata lists packages.

use std::num::ParseIntError;
use std::str::Utf8Error;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// Metadata that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// Not UTF-8.
    #[error("not UTF-8")]
    Encoding(#[from] Utf8Error),
    /// Not XML.
    #[error("not well-formed XML")]
    Xml(#[from] quick_xml::Error),
    /// An attribute.
    #[error("not well-formed XML")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// A size.
    #[error("`{text}` is no size")]
    Size {
        /// As written.
        text: String,
        /// Why.
        #[source]
        source: ParseIntError,
    },
    /// Something that every entry must have.
    #[error("an entry without `{0}`")]
    Missing(&'static str),
    /// Another kind of hash.
    #[error("an entry has a hash of kind `{0}` instead of `sha256`")]
    Hash(String),
}

/// A file as metadata lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The `type` of its element: `primary`, `rpm`.
    pub kind: String,
    /// Relative to the repository.
    pub location: String,
    /// Hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// Reads the entries of metadata: `data` of `repomd.xml`, `package` of the primary metadata.
pub fn read(text: &[u8], element: &str) -> Result<Vec<Listed>, ListingError> {
    let mut reader = Reader::from_str(std::str::from_utf8(text)?);
    let mut entries = Vec::new();
    let mut entry: Option<Listed> = None;
    // The open elements inside an entry, with their texts; only children of the entry itself say something about it.
    let mut open: Vec<(String, String)> = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Start(start) if entry.is_none() && local(&start) == element => {
                entry = Some(Listed { kind: attribute(&start, "type")?.unwrap_or_default(), ..Listed::default() });
            }
            Event::Start(start) => {
                if let Some(entry) = &mut entry {
                    if open.is_empty() {
                        attributes(entry, &start)?;
                    }
                    open.push((local(&start), String::new()));
                }
            }
            Event::Empty(empty) => {
                if let Some(entry) = entry.as_mut().filter(|_| open.is_empty()) {
                    attributes(entry, &empty)?;
                }
            }
            Event::Text(text) => {
                if let Some((_, content)) = open.last_mut() {
                    content.push_str(&text.xml10_content());
                }
            }
            Event::End(_) => match (open.pop(), &mut entry) {
                (Some((name, text)), Some(entry)) => {
                    if open.is_empty() {
                        content(entry, &name, text.trim())?;
                    }
                }
                _ => entries.extend(entry.take().map(complete).transpose()?),
            },
            Event::Eof => return Ok(entries),
            _ => {}
        }
    }
}

fn local(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_owned()
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, ListingError> {
    match start.try_get_attribute(name)? {
        Some(attribute) => Ok(Some(attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned())),
        None => Ok(None),
    }
}

fn attributes(entry: &mut Listed, start: &BytesStart<'_>) -> Result<(), ListingError> {
    match local(start).as_str() {
        "location" => entry.location = attribute(start, "href")?.unwrap_or_default(),
        "checksum" => match attribute(start, "type")? {
            Some(kind) if kind == "sha256" => {}
            other => return Err(ListingError::Hash(other.unwrap_or_default())),
        },
        // `size` of a package has attributes, `size` of metadata a text.
        "size" => {
            if let Some(text) = attribute(start, "package")? {
                entry.bytes = size(&text)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn content(entry: &mut Listed, name: &str, text: &str) -> Result<(), ListingError> {
    match name {
        "checksum" => text.clone_into(&mut entry.sha256),
        "size" if !text.is_empty() => entry.bytes = size(text)?,
        _ => {}
    }
    Ok(())
}

fn size(text: &str) -> Result<u64, ListingError> {
    text.parse().map_err(|source| ListingError::Size { text: text.to_owned(), source })
}

fn complete(entry: Listed) -> Result<Listed, ListingError> {
    if entry.location.is_empty() {
        return Err(ListingError::Missing("location"));
    }
    if entry.sha256.is_empty() {
        return Err(ListingError::Missing("checksum"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::{Listed, ListingError, read};

    #[test]
    fn entries_of_both_kinds_are_read() {
        let repomd = r#"<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>7</revision>
            <data type="primary"><checksum type="sha256">aa</checksum><open-checksum type="sha256">bb</open-checksum>
            <location href="repodata/aa-primary.xml.gz"/><size>12</size><open-size>99</open-size></data></repomd>"#;
        let location = "repodata/aa-primary.xml.gz".to_owned();
        let wanted = Listed { kind: "primary".to_owned(), location, sha256: "aa".to_owned(), bytes: 12 };
        assert_eq!(read(repomd.as_bytes(), "data").expect("read"), [wanted]);
        // A package has other elements with the same names deeper inside.
        let primary = r#"<metadata packages="1"><package type="rpm"><name>a &amp; b</name>
            <checksum type="sha256" pkgid="YES">cc</checksum><size package="34" installed="5" archive="6"/>
            <location href="Packages/a.rpm"/><format><rpm:size>1</rpm:size><location href="no"/></format></package></metadata>"#;
        let location = "Packages/a.rpm".to_owned();
        let wanted = Listed { kind: "rpm".to_owned(), location, sha256: "cc".to_owned(), bytes: 34 };
        assert_eq!(read(primary.as_bytes(), "package").expect("read"), [wanted]);
    }

    #[test]
    fn what_is_missing_or_weak_is_said() {
        let weak = r#"<r><data type="primary"><checksum type="sha1">aa</checksum><location href="x"/></data></r>"#;
        assert!(matches!(read(weak.as_bytes(), "data"), Err(ListingError::Hash(kind)) if kind == "sha1"));
        let without = r#"<r><data type="primary"><checksum type="sha256">aa</checksum></data></r>"#;
        assert!(matches!(read(without.as_bytes(), "data"), Err(ListingError::Missing("location"))));
        assert!(matches!(read(b"<r><data></r>", "data"), Err(ListingError::Xml(_))));
    }
}
