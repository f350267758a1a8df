//! Reading metadata, ours and that of other tools. Elements are told apart by name and depth; what is not known is passed over.
//!
//! Bounds: memory grows with the text that is read, at most tenfold, so the caller bounds the text ([`crate::compression::decoder`]).
//! Elements deeper than [`DEPTH_MAX`] are refused; of entities only XML's own and character references are known, so nothing expands.

mod comps;
mod filelists;
mod other;
mod place;
mod primary;
mod repomd;
mod updateinfo;
mod well_formed;
mod whole;

pub use comps::comps;
pub use filelists::filelists;
pub use other::other;
pub use place::{Place, places};
pub use primary::primary;
pub use repomd::repomd;
pub use updateinfo::updateinfo;
pub use well_formed::well_formed;
pub use whole::{complete, whole};

use std::io::BufRead;
use std::num::ParseIntError;
use std::str::FromStr;

use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::model::Evr;

/// No metadata that is known goes deeper than 6.
pub const DEPTH_MAX: usize = 32;

/// Metadata that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not XML, not UTF-8, or not readable; damaged compression shows here too.
    #[error("not well-formed XML")]
    Xml(#[from] quick_xml::Error),
    /// An attribute.
    #[error("not well-formed XML")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// An entity of a document's own.
    #[error("the entity `{0}` is not known")]
    Entity(String),
    /// Something that XML does not allow and our readers pass over.
    #[error("not well-formed XML: {0}")]
    Form(&'static str),
    /// It ends inside an element.
    #[error("it ends before its last element does")]
    Truncated,
    /// Elements in elements.
    #[error("elements go deeper than {DEPTH_MAX}")]
    Depth,
    /// Another kind of document.
    #[error("it is no `{0}` metadata")]
    Kind(&'static str),
    /// A number.
    #[error("`{text}` is no {what}")]
    Number {
        /// Of what.
        what: &'static str,
        /// As written.
        text: String,
        /// Why.
        #[source]
        source: ParseIntError,
    },
    /// A hash.
    #[error("an entry has no SHA-256 but `{0}`")]
    Hash(String),
    /// Something that every entry must have.
    #[error("an entry without `{0}`")]
    Missing(&'static str),
    /// A comparison.
    #[error("`{0}` is no comparison")]
    Comparison(String),
    /// The number of packages that the document claims.
    #[error("it lists {seen} packages and claims {claimed}")]
    Count {
        /// Listed.
        seen: usize,
        /// Claimed.
        claimed: usize,
    },
    /// The three files are not of one repository.
    #[error("the package {0} is not in all three of primary, filelists and other")]
    Apart(String),
}

/// What makes something of elements. Depths count from 1, the root.
trait Sink {
    /// An element begins.
    fn open(&mut self, depth: usize, name: &str, element: &Attributes<'_>) -> Result<(), ReadError>;
    /// An element ends, with the text in it; the text may be taken.
    fn close(&mut self, depth: usize, name: &str, text: &mut String) -> Result<(), ReadError>;
}

/// Attributes of an element.
struct Attributes<'e>(&'e BytesStart<'e>);

impl Attributes<'_> {
    /// Every attribute with its value. Names are as written, with prefix.
    fn each(&self, mut each: impl FnMut(&str, String) -> Result<(), ReadError>) -> Result<(), ReadError> {
        let mut attributes = self.0.attributes();
        // That no attribute comes twice is not worth a comparison of each with all.
        attributes.with_checks(false);
        for attribute in attributes {
            let attribute = attribute?;
            each(attribute.key.as_ref(), value(&attribute)?)?;
        }
        Ok(())
    }

    /// One attribute; empty when it is absent.
    fn get(&self, name: &str) -> Result<String, ReadError> {
        match self.0.try_get_attribute(name)? {
            Some(attribute) => value(&attribute),
            None => Ok(String::new()),
        }
    }
}

/// The value of an attribute. Most hold nothing that has to be replaced.
fn value(attribute: &Attribute<'_>) -> Result<String, ReadError> {
    let raw = &attribute.value;
    if raw.bytes().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r')) {
        return Ok(attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned());
    }
    Ok(raw.as_ref().to_owned())
}

/// Reads a document to its end.
fn document(from: impl BufRead, sink: &mut impl Sink) -> Result<(), ReadError> {
    let mut reader = Reader::from_reader(from);
    let (mut block, mut text, mut depth) = (Vec::new(), String::new(), 0_usize);
    let mut roots = 0;
    loop {
        block.clear();
        match reader.read_event_into(&mut block)? {
            Event::Start(start) => {
                depth += 1;
                roots += usize::from(depth == 1);
                if depth > DEPTH_MAX {
                    return Err(ReadError::Depth);
                }
                text.clear();
                sink.open(depth, start.local_name().as_ref(), &Attributes(&start))?;
            }
            Event::Empty(empty) => {
                text.clear();
                roots += usize::from(depth == 0);
                let name = empty.local_name();
                sink.open(depth + 1, name.as_ref(), &Attributes(&empty))?;
                sink.close(depth + 1, name.as_ref(), &mut text)?;
            }
            Event::End(end) => {
                sink.close(depth, end.local_name().as_ref(), &mut text)?;
                text.clear();
                depth = depth.saturating_sub(1);
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::CData(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => text.push(character),
                None => match reference.xml10_content().as_ref() {
                    "amp" => text.push('&'),
                    "lt" => text.push('<'),
                    "gt" => text.push('>'),
                    "quot" => text.push('"'),
                    "apos" => text.push('\''),
                    other => return Err(ReadError::Entity(other.to_owned())),
                },
            },
            Event::Eof if depth > 0 || roots == 0 => return Err(ReadError::Truncated),
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// A number; 0 when there is no text, as other tools write it.
fn number<N: FromStr<Err = ParseIntError> + Default>(text: &str, what: &'static str) -> Result<N, ReadError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(N::default());
    }
    text.parse().map_err(|source| ReadError::Number { what, text: text.to_owned(), source })
}

/// A SHA-256 in hexadecimal.
fn sha256(text: &str) -> Result<String, ReadError> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(ReadError::Hash(text.chars().take(80).collect()))
}

/// The attributes of `version`.
fn evr(element: &Attributes<'_>) -> Result<Evr, ReadError> {
    let mut evr = Evr::default();
    element.each(|name, value| {
        match name {
            "epoch" => evr.epoch = number(&value, "epoch")?,
            "ver" => evr.version = value,
            "rel" => evr.release = value,
            _ => {}
        }
        Ok(())
    })?;
    Ok(evr)
}

/// The root of a document that lists packages, and their number.
#[derive(Default)]
struct Counted {
    claimed: Option<usize>,
    seen: usize,
}

impl Counted {
    fn open(
        &mut self,
        name: &str,
        wanted: &'static str,
        kind: &'static str,
        element: &Attributes<'_>,
    ) -> Result<(), ReadError> {
        if name != wanted {
            return Err(ReadError::Kind(kind));
        }
        let claimed = element.get("packages")?;
        if !claimed.is_empty() {
            self.claimed = Some(number(&claimed, "number of packages")?);
        }
        Ok(())
    }

    fn close(&self) -> Result<(), ReadError> {
        match self.claimed {
            Some(claimed) if claimed != self.seen => Err(ReadError::Count { seen: self.seen, claimed }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
